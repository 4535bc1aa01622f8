/* SPDX-License-Identifier: BSD-3-Clause */

/* Clients by their connections, and how to see one go.  evhttp has no place for us
 * at a connection, so tsearch() finds the client who belongs to it. */

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <search.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

#include <event2/bufferevent.h>
#include <event2/http.h>

#include <evlock/owner.h>

#include "client.h"
#include "job.h"
#include "loop.h"

#define MAX_EARLY 4096		/* bytes that a client may send before it has its reply */

/* --- Making and freeing --------------------------------------------------- */

static int
compare(const void *a, const void *b)
{
	uintptr_t x = (uintptr_t)((const struct client *)a)->conn;
	uintptr_t y = (uintptr_t)((const struct client *)b)->conn;

	return (x > y) - (x < y);
}

static void
client_free(struct client *client)
{
	evlock_owner_free(client->owner);
	free(client);
}

/* The owner's name is what /locks shows of a client. */
static struct evlock_owner *
make_owner(struct evhttp_connection *conn)
{
	char *address = NULL, name[80];
	ev_uint16_t port = 0;

	evhttp_connection_get_peer(conn, &address, &port);
	snprintf(name, sizeof(name), "%s:%u", address ? address : "?", (unsigned)port);
	return evlock_owner_new(name);
}

/* Long answers are written in parts, of which the last would wait, 40 ms on Linux, for
 * the client to have acknowledged the others. */
static void
send_at_once(struct evhttp_connection *conn)
{
	int fd = bufferevent_getfd(evhttp_connection_get_bufferevent(conn)), on = 1;

	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
}

/* The connection is closed, by whomever.  Called for each client in the end. */
static void
closed(struct evhttp_connection *conn, void *arg)
{
	struct client *client = arg;

	(void)conn;
	tdelete(client, &client->loop->clients, compare);
	client->conn = NULL;
	if (client->job)
		job_client_gone(client->job);	/* and client_end(), when it may */
	else
		client_free(client);
}

static struct client *
client_new(struct loop *loop, struct evhttp_connection *conn)
{
	struct client *client = calloc(1, sizeof(*client));

	if (client == NULL)
		return NULL;
	client->loop = loop;
	client->conn = conn;
	client->owner = make_owner(conn);
	if (client->owner == NULL || tsearch(client, &loop->clients, compare) == NULL) {
		client_free(client);
		return NULL;
	}
	evhttp_connection_set_closecb(conn, closed, client);
	send_at_once(conn);
	return client;
}

static struct client *
find(struct loop *loop, struct evhttp_connection *conn)
{
	const struct client key = { .conn = conn };
	void *found = tfind(&key, &loop->clients, compare);

	return found ? *(struct client **)found : NULL;
}

/* --- One job after the other ---------------------------------------------- */

/* While a request is not yet answered evhttp does not read from its connection,
 * and so would not see the client go.  Let the connection read, but not call what
 * is read to evhttp's attention, as evhttp itself does while it writes.  (For
 * evhttp a client that only shuts down its sending side is gone, too.) */
static void
watch(struct client *client)
{
	struct bufferevent *bev = evhttp_connection_get_bufferevent(client->conn);
	bufferevent_data_cb writable;
	bufferevent_event_cb event;
	void *arg;

	bufferevent_getcb(bev, NULL, &writable, &event, &arg);
	bufferevent_setcb(bev, NULL, writable, event, arg);
	bufferevent_setwatermark(bev, EV_READ, 0, MAX_EARLY);
	bufferevent_enable(bev, EV_READ);
}

static void
unwatch(struct client *client)
{
	bufferevent_setwatermark(evhttp_connection_get_bufferevent(client->conn), EV_READ, 0, 0);
}

struct client *
client_begin(struct loop *loop, struct evhttp_request *req, struct job *job)
{
	struct evhttp_connection *conn = evhttp_request_get_connection(req);
	struct client *client = find(loop, conn);

	if (client == NULL && (client = client_new(loop, conn)) == NULL)
		return NULL;
	client->job = job;
	watch(client);
	return client;
}

void
client_end(struct client *client)
{
	client->job = NULL;
	if (client->conn)
		unwatch(client);
	else
		client_free(client);
}
