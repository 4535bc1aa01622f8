/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef LOCKS_H_INCLUDED_
#define LOCKS_H_INCLUDED_

/* The lock files, all held or none. */

#include <stddef.h>

#include <event2/event.h>

#include <evlock/evlock.h>

#include "options.h"

#define LOCKS_BUSY (-1)		/* not to be had, or not in time */

struct locks {
	const struct options *options;
	struct event_base *base;
	struct evlock **file;	/* one for each target */
	evlock_handle *handle;	/* if they were to be had at once */
	struct evlock *all;	/* the set of them, if not */
	int error;		/* how the waiting ended */
};

/** Opens the files and locks them.  Returns 0, LOCKS_BUSY, or an exit status after saying
 * why; in any case locks_free() is to be called. */
int locks_take(struct locks *locks, const struct options *options);

/** Lets go of them. */
void locks_free(struct locks *locks);

#endif
