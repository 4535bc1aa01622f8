/* SPDX-License-Identifier: BSD-3-Clause */

/* Listening, and handing the turn on.  server->mutex is held while a listener is enabled
 * by another loop than its own, so that it is not being freed meanwhile. */

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <event2/http.h>
#include <event2/listener.h>

#include "door.h"
#include "loop.h"
#include "server.h"

/* --- Taking turns --------------------------------------------------------- */

static void
hand_on(struct loop *loop)
{
	struct server *server = loop->server;
	struct loop *next = &server->loop[(loop->number + 1) % server->options->threads];

	if (next == loop)
		return;
	evconnlistener_disable(evhttp_bound_socket_get_listener(loop->socket));
	pthread_mutex_lock(&server->mutex);
	if (!server->draining)
		evconnlistener_enable(evhttp_bound_socket_get_listener(next->socket));
	pthread_mutex_unlock(&server->mutex);
}

/* evhttp asks for the bufferevent of a connection that it has accepted. */
static struct bufferevent *
accepted(struct event_base *base, void *arg)
{
	(void)base;
	hand_on(arg);
	return NULL;	/* the usual one */
}

/* --- Opening -------------------------------------------------------------- */

/* evhttp looks the address up; but the listener that it makes is for one thread. */
static int
bind_socket(struct evhttp *http, const struct options *options)
{
	struct evhttp_bound_socket *socket;
	int fd;

	errno = 0;
	socket = evhttp_bind_socket_with_handle(http, options->address, options->port);
	if (socket == NULL)
		return -1;
	fd = fcntl(evhttp_bound_socket_get_fd(socket), F_DUPFD_CLOEXEC, 0);
	evhttp_del_accept_socket(http, socket);
	return fd;
}

static bool
join(struct loop *loop, int fd)
{
	const unsigned flags = LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC | LEV_OPT_THREADSAFE
	    | (loop->number > 0 ? LEV_OPT_DISABLED : 0);
	int own = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	struct evconnlistener *listener = own < 0 ? NULL
	    : evconnlistener_new(loop->base, NULL, NULL, flags, 0, own);

	if (listener == NULL) {
		close(own);
		return false;
	}
	evhttp_set_bevcb(loop->http, accepted, loop);
	loop->socket = evhttp_bind_listener(loop->http, listener);
	if (loop->socket == NULL)
		evconnlistener_free(listener);
	return loop->socket != NULL;
}

bool
door_open(struct server *server)
{
	const struct options *options = server->options;
	int fd = bind_socket(server->loop[0].http, options);
	bool ok = fd >= 0;
	unsigned i;

	for (i = 0; ok && i < options->threads; i++)
		ok = join(&server->loop[i], fd);
	if (!ok)
		fprintf(stderr, "document-server: cannot listen on %s, port %u: %s\n",
		    options->address, (unsigned)options->port,
		    errno ? strerror(errno) : "no such address");
	if (fd >= 0)
		close(fd);
	return ok;
}

void
door_close(struct loop *loop)
{
	if (loop->socket)
		evhttp_del_accept_socket(loop->http, loop->socket);
	loop->socket = NULL;
}

/* --- Announcing ----------------------------------------------------------- */

/* The port, also when the system chose it. */
static void
get_port(const struct loop *loop, char *port, size_t size)
{
	struct sockaddr_storage address;
	socklen_t len = sizeof(address);

	snprintf(port, size, "?");
	if (getsockname(evhttp_bound_socket_get_fd(loop->socket),
	    (struct sockaddr *)&address, &len) == 0)
		getnameinfo((struct sockaddr *)&address, len, NULL, 0, port, (socklen_t)size,
		    NI_NUMERICSERV);
}

void
door_announce(const struct server *server)
{
	const char *address = server->options->address;
	char port[NI_MAXSERV];

	get_port(&server->loop[0], port, sizeof(port));
	printf(strchr(address, ':') ? "listening on http://[%s]:%s\n"
	    : "listening on http://%s:%s\n", address, port);
	fflush(stdout);
}
