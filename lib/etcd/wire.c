/* SPDX-License-Identifier: BSD-3-Clause */

/* One connection; see wire.h.
 *
 * What evhttp of libevent 2.1.12 does, as seen in its source: when a connection cannot be made it
 * calls back with a request without a status, maybe before evhttp_make_request() returns; in other
 * failures, after the error callback, with NULL; and if evhttp_make_request() fails, the request
 * may be freed or not, so it is kept as our own. */

#include <errno.h>
#include <string.h>

#include <event2/bufferevent.h>
#include <event2/bufferevent_ssl.h>
#include <event2/event.h>
#include <event2/http.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include "memory.h"
#include "tls.h"
#include "wire.h"

#define MOST_HEADERS	(16 << 10)	/* bytes */
#define MOST_TEXT	(64 << 10)	/* of an answer */
#define MOST_STREAM	(16 << 20)	/* of a watch, in its life */
#define LONGEST		(24 * 60 * 60)	/* seconds that a watch may be silent; calls have timers */

static int
is_stream(const struct evl_question *question)
{
	return question->kind == EVL_WATCH_REPLY;
}

/* --- What evhttp tells ---------------------------------------------------------- */

static void
wake(struct evl_wire *wire)
{
	event_active(wire->wake, EV_TIMEOUT, 0);
}

static void
on_wake(evutil_socket_t fd, short what, void *arg)
{
	struct evl_wire *wire = arg;

	(void)fd;
	(void)what;
	if (wire->is_used)
		wire->cb(wire, wire->arg);
	else if (wire->is_closed)
		evl_wire_free(wire);
}

static void
take_text(struct evl_wire *wire, struct evhttp_request *request)
{
	if (evbuffer_add_buffer(wire->text, evhttp_request_get_input_buffer(request)) < 0)
		wire->failure = "no memory";
	if (evbuffer_get_length(wire->text) <= MOST_TEXT)
		return;
	evbuffer_drain(wire->text, evbuffer_get_length(wire->text));
	wire->failure = "too long an answer";
	wire->is_foreign = 1;
}

/* A stream may be silent for long: something between that forgets it would tell nobody. */
static void
keep_alive(struct evl_wire *wire)
{
	int fd = bufferevent_getfd(evhttp_connection_get_bufferevent(wire->http));
	const int on = 1, idle = 10, interval = 5, count = 3;	/* seconds, and probes */

	setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof idle);
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &interval, sizeof interval);
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &count, sizeof count);
}

static void
on_part(struct evhttp_request *request, void *arg)
{
	struct evl_wire *wire = arg;

	if (!wire->status)
		keep_alive(wire);
	wire->status = evhttp_request_get_response_code(request);
	take_text(wire, request);
	wake(wire);
}

static void
on_error(enum evhttp_request_error error, void *arg)
{
	struct evl_wire *wire = arg;

	wire->is_foreign = error == EVREQ_HTTP_INVALID_HEADER || error == EVREQ_HTTP_DATA_TOO_LONG;
	wire->failure = error == EVREQ_HTTP_INVALID_HEADER ? "not HTTP"
	    : error == EVREQ_HTTP_DATA_TOO_LONG ? "too long an answer" : "the connection broke";
}

static void
on_end(struct evhttp_request *request, void *arg)
{
	struct evl_wire *wire = arg;

	wire->is_done = 1;
	wire->status = request ? evhttp_request_get_response_code(request) : 0;
	wire->is_unconnected = request && !wire->status;
	if (request && wire->status)
		take_text(wire, request);
	else if (!wire->failure)
		wire->failure = "no connection";
	wake(wire);
}

static void
on_close(struct evhttp_connection *http, void *arg)
{
	struct evl_wire *wire = arg;

	(void)http;
	wire->is_closed = 1;
	if (!wire->is_used)
		wake(wire);
}

/* --- Making and freeing ----------------------------------------------------------- */

static struct bufferevent *
new_socket(struct evl_wire *wire, const struct evl_url *url)
{
	struct evl_net *net = wire->net;
	struct bufferevent *socket;

	if (!net->tls)
		return bufferevent_socket_new(net->base, -1, BEV_OPT_CLOSE_ON_FREE);
	wire->ssl = evl_tls_begin(net->tls, url);
	if (!wire->ssl)
		return NULL;
	socket = bufferevent_openssl_socket_new(net->base, -1, wire->ssl,
	    BUFFEREVENT_SSL_CONNECTING, BEV_OPT_CLOSE_ON_FREE);
	if (!socket)
		SSL_free(wire->ssl);
	return socket;
}

static int
connect_to(struct evl_wire *wire, const struct evl_url *url)
{
	struct bufferevent *socket = new_socket(wire, url);

	if (!socket)
		return -1;
	wire->http = evhttp_connection_base_bufferevent_new(wire->net->base, wire->net->dns, socket,
	    url->host, url->port);
	if (!wire->http) {
		bufferevent_free(socket);
		return -1;
	}
	evhttp_connection_set_closecb(wire->http, on_close, wire);
	evhttp_connection_set_max_headers_size(wire->http, MOST_HEADERS);
	return 0;
}

struct evl_wire *
evl_wire_new(struct evl_net *net, evl_wire_cb cb, void *arg)
{
	struct evl_wire *wire = evl_etcd_alloc(sizeof *wire);

	if (!wire)
		return NULL;
	wire->net = net;
	wire->cb = cb;
	wire->arg = arg;
	wire->turn = net->n_turns;
	wire->is_used = 1;
	wire->wake = event_new(net->base, -1, 0, on_wake, wire);
	wire->text = evbuffer_new();
	if (wire->wake && wire->text && connect_to(wire, evl_net_url(net)) == 0)
		return wire;
	evl_wire_free(wire);
	errno = ENOMEM;
	return NULL;
}

struct evl_wire *
evl_wire_get(struct evl_net *net, evl_wire_cb cb, void *arg)
{
	struct evl_link *link = evl_list_pop(&net->idle);
	struct evl_wire *wire;

	if (!link)
		return evl_wire_new(net, cb, arg);
	wire = EVL_WIRE(link);
	wire->is_used = 1;
	wire->cb = cb;
	wire->arg = arg;
	return wire;
}

void
evl_wire_put(struct evl_wire *wire)
{
	if (wire->failure || wire->is_closed || !wire->is_done ||
	    wire->turn != wire->net->n_turns) {
		evl_wire_free(wire);
		return;
	}
	wire->is_used = 0;
	evl_list_insert_after(&wire->net->idle, &wire->link);	/* the warmest one first */
}

void
evl_wire_free(struct evl_wire *wire)
{
	if (!wire->is_used)
		evl_list_remove(&wire->link);
	if (wire->http) {
		evhttp_connection_set_closecb(wire->http, NULL, NULL);
		evhttp_connection_free(wire->http);
	}
	if (wire->request)
		evhttp_request_free(wire->request);
	if (wire->text)
		evbuffer_free(wire->text);
	if (wire->wake)
		event_free(wire->wake);
	evl_etcd_free(wire);
}

/* --- Asking ------------------------------------------------------------------------- */

static int
add_headers(struct evl_wire *wire, const struct evl_question *question, const char *token)
{
	struct evkeyvalq *headers = evhttp_request_get_output_headers(wire->request);
	const struct evl_url *url = &wire->net->urls[wire->turn % wire->net->n_urls];

	if (evhttp_add_header(headers, "Host", url->authority) < 0 ||
	    evhttp_add_header(headers, "Content-Type", "application/json") < 0)
		return -1;
	if (token && *token && evhttp_add_header(headers, "Authorization", token) < 0)
		return -1;
	if (!is_stream(question))
		return 0;
	/* A member that has lost the others ends the watch then, and is not just silent. */
	return evhttp_add_header(headers, "Grpc-Metadata-hasleader", "true");
}

static int
renew_request(struct evl_wire *wire)
{
	if (wire->request)
		evhttp_request_free(wire->request);
	wire->request = evhttp_request_new(on_end, wire);
	if (!wire->request)
		return -1;
	evhttp_request_own(wire->request);
	evhttp_request_set_error_cb(wire->request, on_error);
	return 0;
}

static void
forget_answer(struct evl_wire *wire)
{
	evbuffer_drain(wire->text, evbuffer_get_length(wire->text));
	wire->failure = NULL;
	wire->status = 0;
	wire->is_done = wire->is_foreign = wire->is_unconnected = 0;
	wire->n_asked++;
}

int
evl_wire_ask(struct evl_wire *wire, const struct evl_question *question, const char *token,
    void *arg)
{
	forget_answer(wire);
	if (renew_request(wire) < 0 || add_headers(wire, question, token) < 0 ||
	    question->write(evhttp_request_get_output_buffer(wire->request), arg) < 0)
		return -1;
	if (is_stream(question))
		evhttp_request_set_chunked_cb(wire->request, on_part);
	evhttp_connection_set_max_body_size(wire->http,
	    is_stream(question) ? MOST_STREAM : MOST_TEXT);
	evhttp_connection_set_timeout(wire->http, LONGEST);
	return evhttp_make_request(wire->http, wire->request, EVHTTP_REQ_POST, question->path);
}
