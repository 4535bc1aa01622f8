/* SPDX-License-Identifier: BSD-3-Clause */

/* lock-server: named locks over TCP.  Read this sample first: a table, an owner and a set.
 *
 *	table	has a lock for each name, as long as a client uses the name
 *	owner	one for each connection: when the connection ends, all its requests end
 *	set	several locks that are granted together, or not at all
 *
 * Compile: cc lock-server.c -o lock-server $(pkg-config --cflags --libs evlock libevent_core)
 * Try:	./lock-server 7777 &
 *	nc 127.0.0.1 7777	and the same in a second terminal
 *	lock printer scanner	answers "ok lock printer scanner" when this client has both
 *	share printer		the same, but other clients may share the printer meanwhile
 *	unlock			releases everything, and withdraws what still waits
 *
 * The server never blocks: a request that waits stands in queues, and the loop goes on. */

#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/listener.h>
#include <evlock/owner.h>
#include <evlock/set.h>
#include <evlock/table.h>

#define MAX_LINE 1024
#define MAX_NAMES 8		/* in one request */
#define MAX_UNREAD 65536	/* bytes of answers that a client may leave unread */

static struct server {
	struct event_base *base;
	struct evlock_table *table;
	struct evconnlistener *listener;
	LIST_HEAD(, client) clients;
} server;

struct client {
	struct bufferevent *bev;
	struct evlock_owner *owner;
	LIST_HEAD(, request) requests;
	LIST_ENTRY(client) link;
};

/* One line "lock NAME..." or "share NAME...", until it has failed or the client unlocks. */
struct request {
	struct client *client;
	struct evlock *lock[MAX_NAMES];	/* NULL after the last */
	struct evlock *set;		/* the set of these locks */
	LIST_ENTRY(request) link;
	char line[];
};

static void
answer(struct client *client, const char *line, int error)
{
	evbuffer_add_printf(bufferevent_get_output(client->bev), "%s %s%s%s\n",
	    error ? "failed" : "ok", line, error ? ": " : "", error ? strerror(error) : "");
}

/* Releases the locks if they are held.  The set is freed before its members. */
static void
request_free(struct request *request)
{
	size_t i;

	evlock_free(request->set);
	for (i = 0; i < MAX_NAMES; i++)
		evlock_free(request->lock[i]);
	LIST_REMOVE(request, link);
	free(request);
}

/* Called from the loop.  If `error` is 0, the request holds the locks until unlock().  EDEADLK:
 * this client and others would wait for each other for ever. */
static void
end_wait(struct evlock *set, evlock_handle handle, int error, void *arg)
{
	struct request *request = arg;

	(void)set, (void)handle;
	answer(request->client, request->line, error);
	if (error)
		request_free(request);
}

/* Makes the lock of each name in the line, and the set of these locks. */
static int
make_set(struct request *request)
{
	struct evlock_set_member members[MAX_NAMES];
	const char *name = request->line + strcspn(request->line, " ");
	size_t n = 0, len;

	for (; *(name += strspn(name, " ")) != '\0'; name += len, n++) {
		len = strcspn(name, " ");
		errno = E2BIG;
		if (n == MAX_NAMES || !(request->lock[n] = evlock_table_lock(server.table, name, len)))
			return -1;
		members[n].lock = request->lock[n];
		members[n].mode = EVLOCK_SAME_MODE;
	}
	request->set = evlock_set_new(members, n, NULL);	/* EINVAL: no name, or one twice */
	return request->set ? 0 : -1;
}

static void
request_new(struct client *client, unsigned mode, const char *line)
{
	static const struct timeval patience = { 60, 0 };
	struct request *request = calloc(1, sizeof(*request) + strlen(line) + 1);
	const struct evlock_request wanted = {
		.mode = mode, .timeout = &patience, .owner = client->owner, .cb = end_wait, .arg = request
	};

	if (request == NULL) {
		answer(client, line, ENOMEM);
		return;
	}
	request->client = client;
	strcpy(request->line, line);
	LIST_INSERT_HEAD(&client->requests, request, link);
	if (make_set(request) < 0 || evlock_acquire_request(request->set, &wanted) == 0)
		end_wait(NULL, 0, errno, request);
}

/* Ends all requests of the owner in one call, without a callback, and then frees their objects. */
static void
unlock(struct client *client)
{
	evlock_owner_release_all(client->owner);
	while (!LIST_EMPTY(&client->requests))
		request_free(LIST_FIRST(&client->requests));
}

static void
obey(struct client *client, const char *line)
{
	if (strncmp(line, "lock ", 5) == 0)
		request_new(client, EVLOCK_EXCLUSIVE, line);
	else if (strncmp(line, "share ", 6) == 0)
		request_new(client, EVLOCK_SHARED, line);
	else if (strcmp(line, "unlock") == 0) {
		unlock(client);
		answer(client, line, 0);
	} else
		answer(client, line, ENOSYS);
}

static void
client_free(struct client *client)
{
	unlock(client);
	evlock_owner_free(client->owner);
	bufferevent_free(client->bev);
	LIST_REMOVE(client, link);
	free(client);
	evconnlistener_enable(server.listener);		/* see on_shortage() */
}

static void
on_read(struct bufferevent *bev, void *client)
{
	struct evbuffer *input = bufferevent_get_input(bev), *output = bufferevent_get_output(bev);
	char *line;

	for (; (line = evbuffer_readln(input, NULL, EVBUFFER_EOL_CRLF)) != NULL; free(line))
		obey(client, line);
	if (evbuffer_get_length(input) > MAX_LINE || evbuffer_get_length(output) > MAX_UNREAD)
		client_free(client);
}

static void
on_event(struct bufferevent *bev, short what, void *client)
{
	(void)bev, (void)what;	/* the connection has ended or failed */
	client_free(client);
}

static void
on_accept(struct evconnlistener *listener, evutil_socket_t fd, struct sockaddr *address, int len,
    void *arg)
{
	struct bufferevent *bev = bufferevent_socket_new(server.base, fd, BEV_OPT_CLOSE_ON_FREE);
	struct evlock_owner *owner = evlock_owner_new("a client");
	struct client *client = calloc(1, sizeof(*client));

	(void)listener, (void)address, (void)len, (void)arg;
	if (!bev || !owner || !client || bufferevent_enable(bev, EV_READ) < 0) {
		evlock_owner_free(owner);
		free(client);
		bev ? bufferevent_free(bev) : (void)evutil_closesocket(fd);
		return;
	}
	client->bev = bev;
	client->owner = owner;
	LIST_INSERT_HEAD(&server.clients, client, link);
	bufferevent_setcb(bev, on_read, NULL, on_event, client);
}

/* No descriptor is left.  Accepts no client until one has gone. */
static void
on_shortage(struct evconnlistener *listener, void *arg)
{
	(void)arg;
	evconnlistener_disable(listener);
}

static void
on_signal(evutil_socket_t number, short what, void *arg)
{
	(void)number, (void)what, (void)arg;
	event_base_loopbreak(server.base);
}

int
main(int argc, char **argv)
{
	struct sockaddr_in address = { .sin_family = AF_INET };
	struct event *end;

	signal(SIGPIPE, SIG_IGN);
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	address.sin_port = htons((unsigned short)(argc > 1 ? atoi(argv[1]) : 7777));
	server.base = event_base_new();
	server.table = evlock_table_new(server.base, NULL);
	end = evsignal_new(server.base, SIGTERM, on_signal, NULL);
	server.listener = evconnlistener_new_bind(server.base, on_accept, NULL,
	    LEV_OPT_CLOSE_ON_FREE | LEV_OPT_REUSEABLE, -1, (struct sockaddr *)&address,
	    sizeof(address));
	if (!server.table || !server.listener || !end || event_add(end, NULL) < 0) {
		perror("lock-server");
		return EXIT_FAILURE;
	}
	evconnlistener_set_error_cb(server.listener, on_shortage);
	event_base_dispatch(server.base);
	while (!LIST_EMPTY(&server.clients))
		client_free(LIST_FIRST(&server.clients));
	evconnlistener_free(server.listener);
	event_free(end);
	evlock_table_free(server.table);
	event_base_free(server.base);
	return EXIT_SUCCESS;
}
