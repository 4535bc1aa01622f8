/* SPDX-License-Identifier: BSD-3-Clause */

/* The parts put together, and taken apart again in order:
 *
 *	          SIGINT, SIGTERM                   the last job ends
 *	serving -----------------> draining --------------------------> closed
 *
 * Draining: nobody new is let in, whoever waits for a lock is sent away with
 * 503, whoever holds one finishes.  A second signal kills. */

#include <errno.h>
#include <netdb.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <evlock/table.h>

#include "job.h"
#include "routes.h"
#include "server.h"
#include "store.h"

#define MAX_HEADERS 8192
#define IDLE_SECONDS 60		/* longest silence of a client that has its turn to speak */

/* --- Draining ------------------------------------------------------------- */

static void
end_if_drained(struct server *server)
{
	if (server->draining && LIST_EMPTY(&server->jobs))
		event_base_loopbreak(server->base);
}

/* One who is sent away may let the next one in, who has not been told so yet and is
 * sent away as well. */
static void
send_away(struct server *server)
{
	struct job *job, *next;

	for (job = LIST_FIRST(&server->jobs); job; job = next) {
		next = LIST_NEXT(job, link);
		job_send_away(job);
	}
}

static void
drain(evutil_socket_t sig, short what, void *arg)
{
	struct server *server = arg;

	(void)sig;
	(void)what;
	server->draining = true;
	event_del(server->signals[0]);	/* what the signals did before, they do again */
	event_del(server->signals[1]);
	evhttp_del_accept_socket(server->http, server->socket);
	send_away(server);
	end_if_drained(server);
}

void
server_job_ended(struct server *server)
{
	end_if_drained(server);
}

/* --- Opening -------------------------------------------------------------- */

static bool
open_folder(struct server *server)
{
	int error = store_open(server->options->folder, &server->folder);

	if (error)
		fprintf(stderr, "document-server: %s: %s\n", server->options->folder,
		    error == EWOULDBLOCK ? "another server has this folder" : strerror(error));
	return !error;
}

static bool
open_parts(struct server *server)
{
	const struct evlock_options options = { .name = "document" };

	server->base = event_base_new();
	if (server->base == NULL)
		return false;
	/* All waits are equally long, so a queue will do for them, without a heap. */
	server->timeout = event_base_init_common_timeout(server->base, &server->options->timeout);
	server->locks = evlock_table_new(server->base, &options);
	server->workers = workers_new(server->base, server->options->workers);
	server->http = evhttp_new(server->base);
	return server->timeout && server->locks && server->workers && server->http;
}

static bool
listen_for_signals(struct server *server)
{
	static const int signals[2] = { SIGINT, SIGTERM };
	int i;

	signal(SIGPIPE, SIG_IGN);	/* a client that went away is told by EPIPE */
	for (i = 0; i < 2; i++) {
		server->signals[i] = evsignal_new(server->base, signals[i], drain, server);
		if (server->signals[i] == NULL || event_add(server->signals[i], NULL) < 0)
			return false;
	}
	return true;
}

static bool
listen_for_clients(struct server *server)
{
	const struct timeval idle = { IDLE_SECONDS + server->options->timeout.tv_sec, 0 };

	evhttp_set_timeout_tv(server->http, &idle);
	evhttp_set_max_headers_size(server->http, MAX_HEADERS);
	evhttp_set_max_body_size(server->http, (ev_ssize_t)server->options->max_body);
	/* Hear a body that is too long out, or the client may never read the 413. */
	evhttp_set_flags(server->http, EVHTTP_SERVER_LINGERING_CLOSE);
	routes_set(server);
	errno = 0;
	server->socket = evhttp_bind_socket_with_handle(server->http,
	    server->options->address, server->options->port);
	if (server->socket == NULL)
		fprintf(stderr, "document-server: cannot listen on %s, port %u: %s\n",
		    server->options->address, (unsigned)server->options->port,
		    errno ? strerror(errno) : "no such address");
	return server->socket != NULL;
}

bool
server_open(struct server *server, const struct options *options)
{
	memset(server, 0, sizeof(*server));
	server->options = options;
	server->folder = -1;
	LIST_INIT(&server->jobs);
	if (!open_folder(server))
		return false;
	if (!open_parts(server) || !listen_for_signals(server)) {
		perror("document-server");
		return false;
	}
	return listen_for_clients(server);
}

/* --- Running and closing -------------------------------------------------- */

/* The port, also when the system chose it. */
static void
get_port(const struct server *server, char *port, size_t size)
{
	struct sockaddr_storage address;
	socklen_t len = sizeof(address);

	snprintf(port, size, "?");
	if (getsockname(evhttp_bound_socket_get_fd(server->socket),
	    (struct sockaddr *)&address, &len) == 0)
		getnameinfo((struct sockaddr *)&address, len, NULL, 0, port, (socklen_t)size,
		    NI_NUMERICSERV);
}

bool
server_run(struct server *server)
{
	char port[NI_MAXSERV];

	get_port(server, port, sizeof(port));
	printf(strchr(server->options->address, ':') ? "listening on http://[%s]:%s\n"
	    : "listening on http://%s:%s\n", server->options->address, port);
	fflush(stdout);
	return event_base_dispatch(server->base) >= 0;
}

void
server_close(struct server *server)
{
	int i;

	if (server->http)
		evhttp_free(server->http);
	workers_free(server->workers);
	evlock_table_free(server->locks);
	for (i = 0; i < 2; i++)
		if (server->signals[i])
			event_free(server->signals[i]);
	if (server->base)
		event_base_free(server->base);
	if (server->folder >= 0)
		close(server->folder);
}
