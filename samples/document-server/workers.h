/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef WORKERS_H_INCLUDED_
#define WORKERS_H_INCLUDED_

/* A few threads for what would block a loop. */

#include <sys/queue.h>

#include "mailbox.h"

struct workers;

/** Something to do.  The memory is the caller's, so submitting cannot fail. */
struct task {
	void (*run)(void *arg);		/* in a worker's thread */
	void *arg;
	struct mailbox *home;		/* where `done` is sent afterwards */
	struct mail done;
	STAILQ_ENTRY(task) link;
};

/** Returns NULL with errno set. */
struct workers *workers_new(unsigned n);

/** Gives the task to the first worker that is free; from any thread.  Until `done` is
 * opened, the task and what it works on belong to that worker. */
void workers_submit(struct workers *workers, struct task *task);

/** Ends the threads; there must be no task left.  NULL is fine. */
void workers_free(struct workers *workers);

#endif
