/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef WORKERS_H_INCLUDED_
#define WORKERS_H_INCLUDED_

/* A few threads for what would block the loop. */

#include <sys/queue.h>

struct event_base;
struct workers;

/** Something to do.  The memory is the caller's, so submitting cannot fail. */
struct task {
	void (*run)(void *arg);		/* in a worker's thread */
	void (*done)(void *arg);	/* afterwards, in the loop */
	void *arg;
	STAILQ_ENTRY(task) link;
};

/** Returns NULL with errno set. */
struct workers *workers_new(struct event_base *base, unsigned n);

/** Gives the task to the first worker that is free.  Until `done` is called,
 * the task and what it works on belong to that worker. */
void workers_submit(struct workers *workers, struct task *task);

/** Ends the threads; there must be no task left.  NULL is fine. */
void workers_free(struct workers *workers);

#endif
