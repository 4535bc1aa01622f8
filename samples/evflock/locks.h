/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef LOCKS_H_INCLUDED_
#define LOCKS_H_INCLUDED_

/* The lock files, all held or none. */

#include <stdbool.h>
#include <stddef.h>
#include <time.h>

#include <event2/event.h>

#include "options.h"

#define LOCKS_BUSY (-1)		/* not granted, or not in time */

struct locks {
	const struct options *options;
	struct event_base *base;
	int *fd;		/* one for each target; -1: not open */
	struct evlock **file;	/* likewise; NULL: not locked by the library */
	evlock_handle *handle;	/* if all were granted at once */
	struct evlock *all;	/* the set of them, if not */
	struct timespec since;
	bool has_waited;
	bool has_reopened;	/* for writing */
	int error;		/* how the waiting ended */
};

/** Opens the files and locks them.  Returns 0, LOCKS_BUSY, or an exit status after a message.
 *
 * The locks belong to the descriptors and are never released: they last as long as any process
 * has those.  So `locks` is not freed, and must live until the process ends. */
int locks_take(struct locks *locks, const struct options *options);

#endif
