/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef EVL_CLOCK_H_INCLUDED_
#define EVL_CLOCK_H_INCLUDED_

/* The clock that decides whether a lease is still valid.  It goes on while the machine sleeps, and
 * nobody can set it. */

#include <stdint.h>
#include <time.h>

#define EVL_SECOND	((int64_t)1000000000)
#define EVL_MILLISECOND	((int64_t)1000000)

/** Returns the time in nanoseconds. */
static inline int64_t
evl_clock_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_BOOTTIME, &now);
	return now.tv_sec * EVL_SECOND + now.tv_nsec;
}

#endif
