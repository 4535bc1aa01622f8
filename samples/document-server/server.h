/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SERVER_H_INCLUDED_
#define SERVER_H_INCLUDED_

/* What all requests share.  There is no global state, so a program could have
 * several servers. */

#include <stdbool.h>
#include <sys/queue.h>

#include <event2/event.h>
#include <event2/http.h>

#include "options.h"
#include "workers.h"

struct evlock_table;
struct job;

struct server {
	const struct options *options;
	struct event_base *base;
	const struct timeval *timeout;	/* options->timeout as a common timeout */
	int folder;
	struct evhttp *http;
	struct evhttp_bound_socket *socket;
	struct evlock_table *locks;	/* one for each document that is in use */
	struct workers *workers;
	struct event *signals[2];
	void *clients;			/* of client.c: tsearch(), by connection */
	LIST_HEAD(, job) jobs;		/* requests not yet answered */
	unsigned long long n_saves;	/* temporary files so far */
	bool draining;			/* to end as soon as there are none */
};

/** Opens the folder and listens.  Returns false after saying why not; then, too,
 * server_close() is to be called. */
bool server_open(struct server *server, const struct options *options);

/** Serves until SIGINT or SIGTERM, and then until what is under way is done. */
bool server_run(struct server *server);

void server_close(struct server *server);

/** A request was answered or given up. */
void server_job_ended(struct server *server);

#endif
