/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef WAITS_H_INCLUDED_
#define WAITS_H_INCLUDED_

/* Prints on stderr what is waited for, and who holds it: at once, then after 1, 2, 4, 8, ...
 * seconds, each minute at the least, and at the end. */

#include <time.h>

#include <event2/event.h>

#include "locks.h"

struct waits {
	const struct locks *locks;
	struct event *timer;		/* NULL: there is no memory, and nothing more is printed */
	struct timespec since;
	int pause;			/* seconds until it is told again */
};

void waits_begin(struct waits *waits, const struct locks *locks);

/** The wait has ended: 0, or with an errno. */
void waits_end(struct waits *waits, int error);

#endif
