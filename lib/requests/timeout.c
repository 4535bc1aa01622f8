/* SPDX-License-Identifier: BSD-3-Clause */

/* Turns callers' timeouts into ones that libevent can use; see timeout.h.  Every timer of a request
 * is started with a timeout from here, because libevent asserts that tv_usec is not negative, and
 * adds the timeout to its clock without checking for an overflow. */

#include <limits.h>
#include <time.h>

#include <event2/event.h>

#include "requests/timeout.h"

#define SECOND 1000000	/* in microseconds */

/* time_t is a signed integer, but has no constant for its largest value. */
#define HALF ((time_t)1 << (sizeof(time_t) * CHAR_BIT - 2))
#define LATEST (HALF - 1 + HALF)

/* The bits of tv_usec in a timeout from event_base_init_common_timeout(): a mark in the highest
 * ones, the number of a queue in the base, the microseconds in the lowest ones. */
#define COMMON_MASK 0xf0000000
#define COMMON_MARK 0x50000000
#define COMMON_USEC 0x000fffff

/* Has `tv` the mark of a common timeout?  A large number of microseconds can look the same. */
static int
is_marked(const struct timeval *tv)
{
	return tv->tv_usec > 0 && tv->tv_usec <= 0x7fffffff
	    && (tv->tv_usec & COMMON_MASK) == COMMON_MARK
	    && (tv->tv_usec & COMMON_USEC) < SECOND;
}

/* Is `tv` a common timeout of this base?  libevent returns the same common timeout again for the
 * same duration, so the call changes nothing.  If `tv` only looks like one, the base gets a common
 * timeout that stays unused. */
static int
is_common(struct event_base *base, const struct timeval *tv)
{
	struct timeval duration = { tv->tv_sec, tv->tv_usec & COMMON_USEC };
	const struct timeval *common;

	if (!is_marked(tv) || tv->tv_sec < 0)
		return 0;
	common = event_base_init_common_timeout(base, &duration);
	return common && common->tv_sec == tv->tv_sec && common->tv_usec == tv->tv_usec;
}

/* Adds seconds.  A sum that does not fit in a time_t becomes the largest or smallest one. */
static time_t
add(time_t sec, time_t more)
{
	if (more > 0 && sec > LATEST - more)
		return LATEST;
	return more < 0 && sec < -LATEST - more ? -LATEST : sec + more;
}

/* Brings tv_usec into 0..999999, and carries the rest into tv_sec. */
static struct timeval
normalise(const struct timeval *wanted)
{
	struct timeval tv = { wanted->tv_sec, wanted->tv_usec % SECOND };
	time_t carry = (time_t)(wanted->tv_usec / SECOND);

	if (tv.tv_usec < 0) {
		tv.tv_usec += SECOND;
		carry--;
	}
	tv.tv_sec = add(tv.tv_sec, carry);
	return tv;
}

/* Would the timeout end beyond libevent's clock, which counts from 1970 or later? */
static int
is_too_long(const struct timeval *tv)
{
	return tv->tv_sec >= LATEST - time(NULL);
}

const struct timeval *
evl_timeout_fit(struct event_base *base, const struct timeval *wanted, struct timeval *room)
{
	static const struct timeval at_once = { 0, 0 };

	if (is_common(base, wanted))
		return wanted;
	*room = normalise(wanted);
	if (room->tv_sec < 0)
		return &at_once;
	return is_too_long(room) ? NULL : room;
}
