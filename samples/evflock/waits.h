/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef WAITS_H_INCLUDED_
#define WAITS_H_INCLUDED_

/* Telling, on stderr, what is waited for: at once, then after 1, 2, 4, 8, ... seconds,
 * each minute at the least, and at the end. */

#include <time.h>

#include <event2/event.h>

#include "options.h"

struct waits {
	const struct options *options;
	struct event *timer;		/* NULL: there is no memory, and nothing more is told */
	struct timespec since;
	int pause;			/* seconds until it is told again */
};

void waits_begin(struct waits *waits, struct event_base *base, const struct options *options);

/** The waiting has ended: 0, or with an errno. */
void waits_end(struct waits *waits, int error);

#endif
