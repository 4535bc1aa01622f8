/* SPDX-License-Identifier: BSD-3-Clause */

/* The parts put together, and taken apart again in order:
 *
 *	          SIGINT, SIGTERM                all loops have drained
 *	serving -----------------> draining ----------------------------> ended
 *
 * The first loop runs in main()'s thread and hears the signals; the others have threads
 * of their own.  A second signal kills. */

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <event2/thread.h>

#include "door.h"
#include "server.h"
#include "store.h"

/* --- Draining and ending -------------------------------------------------- */

static void
end_all(struct server *server)
{
	unsigned i;

	for (i = 0; i <= server->n_threads; i++)
		loop_end(&server->loop[i]);
}

void
server_loop_drained(struct server *server)
{
	bool is_last;

	pthread_mutex_lock(&server->mutex);
	is_last = ++server->n_drained == server->options->threads;
	pthread_mutex_unlock(&server->mutex);
	if (is_last)
		end_all(server);
}

static void
drain(evutil_socket_t sig, short what, void *arg)
{
	struct server *server = arg;
	unsigned i;

	(void)sig;
	(void)what;
	event_del(server->signals[0]);	/* what the signals did before, they do again */
	event_del(server->signals[1]);
	pthread_mutex_lock(&server->mutex);
	server->draining = true;
	pthread_mutex_unlock(&server->mutex);
	for (i = 0; i < server->options->threads; i++)
		loop_drain(&server->loop[i]);
}

/* --- Opening -------------------------------------------------------------- */

static bool
open_folder(struct server *server)
{
	int error = store_open(server->options->folder, server->options->etcd != NULL
	    || server->options->lock_file,
	    &server->folder);

	if (error)
		fprintf(stderr, "document-server: %s: %s\n", server->options->folder,
		    error == EWOULDBLOCK ? "another server has this folder" : strerror(error));
	return !error;
}

static bool
open_loops(struct server *server)
{
	unsigned i, n = server->options->threads;

	/* Before the bases, or they could not be woken by each other's threads. */
	if ((n > 1 || server->options->lock_file) && evthread_use_pthreads() < 0)
		return false;
	server->loop = calloc(n, sizeof(*server->loop));
	for (i = 0; server->loop && i < n; i++)
		if (!loop_open(&server->loop[i], server, i))
			return false;
	return server->loop != NULL;
}

static bool
listen_for_signals(struct server *server)
{
	static const int signals[2] = { SIGINT, SIGTERM };
	int i;

	signal(SIGPIPE, SIG_IGN);	/* a client that went away is told by EPIPE */
	for (i = 0; i < 2; i++) {
		server->signals[i] = evsignal_new(server->loop[0].base, signals[i], drain, server);
		if (server->signals[i] == NULL || event_add(server->signals[i], NULL) < 0)
			return false;
	}
	return true;
}

static bool
open_parts(struct server *server)
{
	server->workers = workers_new(server->options->workers);
	return server->workers && open_loops(server) && listen_for_signals(server);
}

bool
server_open(struct server *server, const struct options *options)
{
	memset(server, 0, sizeof(*server));
	server->options = options;
	server->folder = -1;
	evutil_secure_rng_get_bytes(&server->mark, sizeof(server->mark));
	server->mark &= 0xffffffff;
	pthread_mutex_init(&server->mutex, NULL);
	if (!open_folder(server))
		return false;
	if (!open_parts(server)) {
		perror("document-server");
		return false;
	}
	return door_open(server);
}

/* --- Running and closing -------------------------------------------------- */

static void *
run_loop(void *arg)
{
	loop_run(arg);
	return NULL;
}

/* Signals are for the first loop.  Returns 0 or an errno value. */
static int
start_threads(struct server *server)
{
	sigset_t all, before;
	int error = 0;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	while (!error && server->n_threads + 1 < server->options->threads) {
		struct loop *loop = &server->loop[server->n_threads + 1];

		error = pthread_create(&loop->thread, NULL, run_loop, loop);
		server->n_threads += !error;
	}
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return error;
}

static void
join_threads(struct server *server)
{
	unsigned i;

	for (i = 1; i <= server->n_threads; i++)
		pthread_join(server->loop[i].thread, NULL);
}

bool
server_run(struct server *server)
{
	int error = start_threads(server);
	bool ok;

	if (error) {
		fprintf(stderr, "document-server: %s\n", strerror(error));
		end_all(server);
	} else
		door_announce(server);
	ok = loop_run(&server->loop[0]) && !error;
	join_threads(server);
	return ok;
}

void
server_close(struct server *server)
{
	unsigned i, n = server->loop ? server->options->threads : 0;

	for (i = 0; i < n; i++)
		loop_disconnect(&server->loop[i]);
	workers_free(server->workers);
	for (i = 0; i < 2; i++)
		if (server->signals[i])
			event_free(server->signals[i]);
	for (i = 0; i < n; i++)
		loop_close(&server->loop[i]);
	free(server->loop);
	if (server->folder >= 0)
		close(server->folder);
	pthread_mutex_destroy(&server->mutex);
}
