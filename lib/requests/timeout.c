/* SPDX-License-Identifier: BSD-3-Clause */

/* Timeouts as callers write them, and as libevent can use them; see timeout.h.  Every timer of
 * a request is started with a timeout from here: libevent asserts that tv_usec is not negative,
 * and adds the timeout to its clock without looking for an overflow. */

#include <limits.h>
#include <time.h>

#include <event2/event.h>

#include "requests/timeout.h"

#define SECOND 1000000	/* in microseconds */

/* time_t is a signed integer, but has no constant for its largest value. */
#define HALF ((time_t)1 << (sizeof(time_t) * CHAR_BIT - 2))
#define LATEST (HALF - 1 + HALF)

/* event_base_init_common_timeout() marks what it returns by these bits of tv_usec.  The lowest
 * ones are the microseconds; those between are the number of a queue in the base. */
#define COMMON_MASK 0xf0000000
#define COMMON_MARK 0x50000000
#define COMMON_USEC 0x000fffff

/* Is it marked as a common timeout?  A large number of microseconds can look the same. */
static int
is_marked(const struct timeval *tv)
{
	return tv->tv_usec > 0 && tv->tv_usec <= 0x7fffffff
	    && (tv->tv_usec & COMMON_MASK) == COMMON_MARK
	    && (tv->tv_usec & COMMON_USEC) < SECOND;
}

/* Did event_base_init_common_timeout() of this base return it?  The same duration gives the
 * same timeout again, so asking for a real one changes nothing.  For a number that only looks
 * like one, the base gets a common timeout that nobody uses. */
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

/* The seconds of a sum that may be too large, or too small, for a time_t. */
static time_t
add(time_t sec, time_t more)
{
	if (more > 0 && sec > LATEST - more)
		return LATEST;
	return more < 0 && sec < -LATEST - more ? -LATEST : sec + more;
}

/* Carries what is outside 0..999999 of tv_usec into tv_sec. */
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

/* Would its end overflow libevent's clock?  That counts from 1970, or from some later time. */
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
