/* SPDX-License-Identifier: BSD-3-Clause */

/* HTTP by evhttp, from the client's side. */

#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include <event2/buffer.h>
#include <event2/bufferevent.h>

#include "client.h"
#include "run.h"

struct evhttp_connection *
client_connect(struct run *run)
{
	return evhttp_connection_base_new(run->base, NULL, "127.0.0.1", run_port(run));
}

/* --- Asking --------------------------------------------------------------- */

const char *
client_path(char path[CLIENT_MAX_PATH], unsigned document)
{
	snprintf(path, CLIENT_MAX_PATH, "/doc/d%u", document);
	return path;
}

const char *
client_move_path(char path[CLIENT_MAX_PATH], unsigned from, unsigned to)
{
	snprintf(path, CLIENT_MAX_PATH, "/move?from=d%u&to=d%u", from, to);
	return path;
}

int
client_ask(struct evhttp_connection *conn, enum evhttp_cmd_type type, const char *path,
    struct evbuffer *body, void (*answered)(struct evhttp_request *, void *), void *arg)
{
	struct evhttp_request *req = evhttp_request_new(answered, arg);

	if (req == NULL)
		return -1;
	evhttp_add_header(evhttp_request_get_output_headers(req), "Host", "127.0.0.1");
	if (body)
		evbuffer_add_buffer(evhttp_request_get_output_buffer(req), body);
	return evhttp_make_request(conn, req, type, path);
}

/* --- The answer ----------------------------------------------------------- */

int
client_status(struct evhttp_request *req)
{
	return req ? evhttp_request_get_response_code(req) : 0;
}

size_t
client_number(struct evhttp_request *req)
{
	char text[32] = "";
	size_t number = 0;

	evbuffer_copyout(evhttp_request_get_input_buffer(req), text, sizeof(text) - 1);
	sscanf(text, "%zu", &number);
	return number;
}

double
client_lock_wait(struct evhttp_request *req)
{
	const char *timing = evhttp_find_header(evhttp_request_get_input_headers(req),
	    "Server-Timing");
	double ms = 0;

	if (timing)
		sscanf(timing, "lock;dur=%lf", &ms);
	return ms / 1e3;
}

/* --- The socket ----------------------------------------------------------- */

static evutil_socket_t
get_socket(struct evhttp_connection *conn)
{
	return bufferevent_getfd(evhttp_connection_get_bufferevent(conn));
}

unsigned
client_port(struct evhttp_connection *conn)
{
	struct sockaddr_in address;
	socklen_t len = sizeof(address);

	memset(&address, 0, sizeof(address));
	getsockname(get_socket(conn), (struct sockaddr *)&address, &len);
	return ntohs(address.sin_port);
}

void
client_reset_on_close(struct evhttp_connection *conn)
{
	const struct linger at_once = { 1, 0 };

	setsockopt(get_socket(conn), SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
}
