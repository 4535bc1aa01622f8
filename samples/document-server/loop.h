/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef LOOP_H_INCLUDED_
#define LOOP_H_INCLUDED_

/* One of the server's loops, and what its thread alone uses: its connections, and the
 * requests that come from them.  Others reach it by its mailbox.
 *
 *	          loop_drain()             the last job ends
 *	serving --------------> draining --------------------> drained, and told the server
 *
 * Draining: nobody new is let in, whoever waits for a lock is sent away with 503,
 * whoever holds one finishes.  It ends with loop_end(), when all loops have drained:
 * until then another may still want to know of its locks. */

#include <pthread.h>
#include <stdbool.h>
#include <sys/queue.h>

#include <event2/event.h>
#include <event2/http.h>

#include "mailbox.h"

struct job;
struct locks;
struct server;

struct loop {
	struct server *server;
	unsigned number;		/* in server->loop */
	pthread_t thread;		/* of all but the first, which has main()'s */
	struct event_base *base;
	const struct timeval *timeout;	/* options->timeout as a common timeout */
	struct mailbox *mailbox;
	struct locks *locks;		/* of all documents, as this loop uses them */
	struct evhttp *http;
	struct evhttp_bound_socket *socket;	/* of door.c */
	void *clients;			/* of client.c: tsearch(), by connection */
	LIST_HEAD(, job) jobs;		/* requests not yet answered */
	unsigned long long n_saves;	/* temporary files so far */
	bool draining;
	bool drained;
	struct mail drain, end;
};

/** Makes what the loop needs.  Returns false with errno set; then, too, loop_close() is
 * to be called. */
bool loop_open(struct loop *loop, struct server *server, unsigned number);

/** Serves, in the calling thread. */
bool loop_run(struct loop *loop);

/** Has it drained, or ended; from any thread, once. */
void loop_drain(struct loop *loop);
void loop_end(struct loop *loop);

/** A request was answered or given up. */
void loop_job_ended(struct loop *loop);

/** Closes its connections, and then, when all loops have, frees what it has; when no loop
 * runs any more. */
void loop_disconnect(struct loop *loop);
void loop_close(struct loop *loop);

#endif
