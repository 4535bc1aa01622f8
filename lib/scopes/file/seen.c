/* SPDX-License-Identifier: BSD-3-Clause */

/* The last look at a lock file; see seen.h. */

#include <errno.h>
#include <sys/stat.h>

#include "scopes/file/seen.h"

#define MOST_USES 64		/* of one look at the gate */
#define NS 1000000000LL

#ifdef CLOCK_REALTIME_COARSE

/* Two ticks.  Two changes within one tick may have the same ctime; one more is to spare. */
static long long
youth(void)
{
	struct timespec tick;

	return clock_getres(CLOCK_REALTIME_COARSE, &tick) ? NS : 2 * (tick.tv_sec * NS + tick.tv_nsec);
}

static long long
ns_between(const struct timespec *from, const struct timespec *to)
{
	return ((long long)to->tv_sec - from->tv_sec) * NS + to->tv_nsec - from->tv_nsec;
}

/* A ctime in whole seconds comes from a file system whose clock ticks every second or two. */
static int
is_old(const struct timespec *ctime, const struct timespec *now)
{
	return ns_between(ctime, now) > (ctime->tv_nsec ? youth() : 3 * NS);
}

/* Reads the clock before fstat(2): a change after fstat(2) then has a later ctime than any ctime
 * that is old by that clock. */
int
evl_seen_begin(struct evl_seen *seen, int fd)
{
	struct timespec now;
	struct stat st;

	clock_gettime(CLOCK_REALTIME_COARSE, &now);
	if (fstat(fd, &st))
		return errno;
	seen->ctime = st.st_ctim;
	clock_gettime(CLOCK_MONOTONIC_COARSE, &seen->at);
	seen->is_trusted = st.st_nlink && is_old(&st.st_ctim, &now);
	seen->gate = EVL_SEEN_NOTHING;
	seen->n_uses = 0;
	return 0;
}

int
evl_seen_is_recent(const struct evl_seen *seen, long most_ms)
{
	struct timespec now;

	if (!seen->is_trusted)
		return 0;
	clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	return ns_between(&seen->at, &now) <= most_ms * 1000000LL;
}

int
evl_seen_is_same(const struct evl_seen *seen, int fd)
{
	struct stat st;

	return !fstat(fd, &st) && st.st_nlink && st.st_ctim.tv_nsec == seen->ctime.tv_nsec &&
	    st.st_ctim.tv_sec == seen->ctime.tv_sec;
}

#else /* no coarse clock: nothing is trusted */

int
evl_seen_begin(struct evl_seen *seen, int fd)
{
	(void)fd;
	seen->is_trusted = 0;
	return 0;
}

int
evl_seen_is_recent(const struct evl_seen *seen, long most_ms)
{
	(void)seen;
	(void)most_ms;
	return 0;
}

int
evl_seen_is_same(const struct evl_seen *seen, int fd)
{
	(void)seen;
	(void)fd;
	return 0;
}

#endif

static unsigned
needed_for(int is_exclusive)
{
	return is_exclusive ? EVL_SEEN_NOBODY : EVL_SEEN_NO_WRITER;
}

int
evl_seen_needs_gate(struct evl_seen *seen, int is_exclusive)
{
	if (seen->gate >= needed_for(is_exclusive) && ++seen->n_uses < MOST_USES)
		return 0;
	seen->n_uses = 0;
	return 1;
}

void
evl_seen_gate_is_free(struct evl_seen *seen, int is_exclusive)
{
	if (seen->gate < needed_for(is_exclusive))
		seen->gate = (uint8_t)needed_for(is_exclusive);
}
