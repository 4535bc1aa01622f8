/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CLOCK_H_INCLUDED_
#define CLOCK_H_INCLUDED_

#include <time.h>

/** Seconds on a clock that is never set. */
static inline double
time_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

#endif
