/* SPDX-License-Identifier: BSD-3-Clause */

/* An etcd that does what a test wants; see fake.h. */

#define SHIM_ASSERTS_ONLY
#include "../shim.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <arpa/inet.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/listener.h>
#include <netinet/in.h>

#include "fake.h"

#define MOST_CONNECTIONS 200

struct fake {
	struct event_base *base;
	struct evconnlistener *listener;
	void (*answer)(struct fake_request *);
	struct bufferevent *connections[MOST_CONNECTIONS];
	unsigned n_connections;
	unsigned counts[FAKE_OTHER + 1];
	char url[64];
	char asked[4000];
};

static const char *const kind_names[] = {
	"grant", "keepalive", "revoke", "authenticate", "enter", "try", "check", "weaken", "leave",
	"watch", "other"
};

/* --- What is asked ------------------------------------------------------------------ */

static enum fake_kind
kind_of_txn(const char *text)
{
	const char *range_end = strstr(text, "\"range_end\""),
	    *success = strstr(text, "\"success\"");

	if (strstr(text, "\"request_put\"") && strstr(text, "\"failure\""))
		return range_end && range_end < success ? FAKE_TRY : FAKE_ENTER;
	if (strstr(text, "\"request_delete_range\""))
		return strstr(text, "\"compare\"") ? FAKE_WEAKEN : FAKE_LEAVE;
	return range_end ? FAKE_CHECK : FAKE_OTHER;
}

static enum fake_kind
kind_of(const char *text)
{
	static const struct {
		const char *line;
		enum fake_kind kind;
	} lines[] = {
		{ "POST /v3/lease/grant ", FAKE_GRANT },
		{ "POST /v3/lease/keepalive ", FAKE_KEEPALIVE },
		{ "POST /v3/lease/revoke ", FAKE_REVOKE },
		{ "POST /v3/auth/authenticate ", FAKE_AUTHENTICATE },
		{ "POST /v3/watch ", FAKE_WATCH }
	};
	unsigned i;

	for (i = 0; i < sizeof lines / sizeof *lines; i++)
		if (!strncmp(text, lines[i].line, strlen(lines[i].line)))
			return lines[i].kind;
	return strncmp(text, "POST /v3/kv/txn ", 16) ? FAKE_OTHER : kind_of_txn(text);
}

static void
hand_over(struct fake *fake, struct bufferevent *connection, const char *text)
{
	struct fake_request q = { fake, connection, kind_of(text), 0, text };
	size_t n = strlen(fake->asked);

	q.n = ++fake->counts[q.kind];
	snprintf(fake->asked + n, sizeof fake->asked - n, "%s%s", n ? " " : "", kind_names[q.kind]);
	fake->answer(&q);
}

/* The length of the whole request, once it is known. */
static size_t
whole_length(const char *text)
{
	const char *end = strstr(text, "\r\n\r\n"), *length = strstr(text, "Content-Length: ");

	if (!end)
		return SIZE_MAX;
	cr_assert_not_null(strstr(text, "\r\nHost: "));
	return (size_t)(end + 4 - text)
	    + (length && length < end ? strtoul(length + 16, NULL, 10) : 0);
}

static void
on_read(struct bufferevent *connection, void *arg)
{
	struct evbuffer *input = bufferevent_get_input(connection);
	size_t n = evbuffer_get_length(input);
	char *text = calloc(1, n + 1);

	evbuffer_copyout(input, text, n);
	if (whole_length(text) <= n) {
		evbuffer_drain(input, n);
		hand_over(arg, connection, text);
	}
	free(text);
}

static void
on_event(struct bufferevent *connection, short what, void *arg)
{
	(void)what;
	(void)arg;
	bufferevent_disable(connection, EV_READ | EV_WRITE);
}

static void
on_accept(struct evconnlistener *listener, evutil_socket_t fd, struct sockaddr *from, int n,
    void *arg)
{
	struct fake *fake = arg;
	struct bufferevent *connection;

	(void)listener;
	(void)from;
	(void)n;
	cr_assert_lt(fake->n_connections, MOST_CONNECTIONS);
	connection = bufferevent_socket_new(fake->base, fd, BEV_OPT_CLOSE_ON_FREE);
	fake->connections[fake->n_connections++] = connection;
	bufferevent_setcb(connection, on_read, NULL, on_event, fake);
	bufferevent_enable(connection, EV_READ | EV_WRITE);
}

/* --- Making and freeing ----------------------------------------------------------------- */

struct fake *
fake_new(struct event_base *base, void (*answer)(struct fake_request *))
{
	struct fake *fake = calloc(1, sizeof *fake);
	struct sockaddr_in address = { .sin_family = AF_INET };
	socklen_t n = sizeof address;

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	fake->base = base;
	fake->answer = answer;
	fake->listener = evconnlistener_new_bind(base, on_accept, fake, LEV_OPT_CLOSE_ON_FREE, -1,
	    (struct sockaddr *)&address, sizeof address);
	cr_assert_not_null(fake->listener);
	getsockname(evconnlistener_get_fd(fake->listener), (struct sockaddr *)&address, &n);
	snprintf(fake->url, sizeof fake->url, "http://127.0.0.1:%u",
	    (unsigned)ntohs(address.sin_port));
	return fake;
}

void
fake_free(struct fake *fake)
{
	unsigned i;

	for (i = 0; i < fake->n_connections; i++)
		if (fake->connections[i])
			bufferevent_free(fake->connections[i]);
	evconnlistener_free(fake->listener);
	free(fake);
}

const char *
fake_url(const struct fake *fake)
{
	return fake->url;
}

const char *
fake_asked(struct fake *fake)
{
	static char copy[sizeof fake->asked];

	strcpy(copy, fake->asked);
	fake->asked[0] = '\0';
	return copy;
}

unsigned
fake_count(const struct fake *fake, enum fake_kind kind)
{
	return fake->counts[kind];
}

unsigned
fake_connections(const struct fake *fake)
{
	return fake->n_connections;
}

/* --- Answering ------------------------------------------------------------------ */

void
fake_answer(struct fake_request *q, int status, const char *json)
{
	evbuffer_add_printf(bufferevent_get_output(q->connection), "HTTP/1.1 %d Reason\r\n"
	    "Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s",
	    status, strlen(json), json);
}

#define HEADER "\"header\":{\"revision\":\"5\"}"

static void
set_up_watch(struct fake_request *q)
{
	evbuffer_add_printf(bufferevent_get_output(q->connection), "HTTP/1.1 200 OK\r\n"
	    "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n");
	fake_tell(q->connection, "{\"result\":{" HEADER ",\"created\":true}}");
}

void
fake_be_nice(struct fake_request *q)
{
	switch (q->kind) {
	case FAKE_GRANT:
	case FAKE_KEEPALIVE:
		fake_answer(q, 200, "{\"result\":{" HEADER ",\"ID\":\"7\",\"TTL\":\"2\"}}");
		break;
	case FAKE_AUTHENTICATE:
		fake_answer(q, 200, "{" HEADER ",\"token\":\"secret.1\"}");
		break;
	case FAKE_WATCH:
		set_up_watch(q);
		break;
	default:
		fake_answer(q, 200, "{" HEADER ",\"succeeded\":true}");
	}
}

void
fake_tell(struct bufferevent *connection, const char *json)
{
	evbuffer_add_printf(bufferevent_get_output(connection), "%zx\r\n%s\n\r\n",
	    strlen(json) + 1, json);
}

void
fake_hang_up(struct fake_request *q)
{
	unsigned i;

	for (i = 0; q->fake->connections[i] != q->connection; i++)
		continue;
	q->fake->connections[i] = NULL;
	bufferevent_free(q->connection);
}

void
fake_raw(struct fake_request *q, const char *bytes)
{
	evutil_socket_t fd = bufferevent_getfd(q->connection);

	evutil_make_socket_nonblocking(fd);
	cr_assert_geq(send(fd, bytes, strlen(bytes), MSG_NOSIGNAL), 0);
	fake_hang_up(q);
}
