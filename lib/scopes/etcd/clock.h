/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef EVL_CLOCK_H_INCLUDED_
#define EVL_CLOCK_H_INCLUDED_

/* The clock by which a lease is believed in: it goes on while the machine sleeps, and
 * nobody sets it. */

#include <stdint.h>
#include <time.h>

#define EVL_SECOND	((int64_t)1000000000)
#define EVL_MILLISECOND	((int64_t)1000000)

/** Nanoseconds. */
static inline int64_t
evl_clock_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_BOOTTIME, &now);
	return now.tv_sec * EVL_SECOND + now.tv_nsec;
}

#endif
