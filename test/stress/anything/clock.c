/* SPDX-License-Identifier: BSD-3-Clause */

/* The clock of a round with one thread passes by being looked at, so that timeouts come at the
 * same moment each time.  libevent finds this function before the C library's. */

#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "anything.h"

int
clock_gettime(clockid_t which, struct timespec *now)
{
	static long n = 1000000;	/* microseconds */

	if (plan.n_threads != 1 || plan.has_neighbour)
		return (int)syscall(SYS_clock_gettime, which, now);
	n++;
	now->tv_sec = n / 1000000;
	now->tv_nsec = n % 1000000 * 1000;
	return 0;
}
