/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SERVER_H_INCLUDED_
#define SERVER_H_INCLUDED_

/* What all loops share.  There is no global state, so a program could have several
 * servers. */

#include <pthread.h>
#include <stdbool.h>

#include <event2/event.h>

#include "loop.h"
#include "options.h"
#include "workers.h"

struct server {
	const struct options *options;
	int folder;
	unsigned long mark;		/* of its temporary files: it may share the folder */
	struct workers *workers;
	struct loop *loop;		/* options->threads of them */
	unsigned n_threads;		/* of theirs that run */
	struct event *signals[2];	/* of the first loop */

	pthread_mutex_t mutex;
	bool draining;			/* mutex: nobody is let in any more */
	unsigned n_drained;		/* mutex: loops */
};

/** Opens the folder and listens.  Returns false after saying why not; then, too,
 * server_close() is to be called. */
bool server_open(struct server *server, const struct options *options);

/** Serves until SIGINT or SIGTERM, and then until what is under way is done. */
bool server_run(struct server *server);

void server_close(struct server *server);

/** A loop tells, in its thread: what was under way there is done. */
void server_loop_drained(struct server *server);

#endif
