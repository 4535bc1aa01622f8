/* SPDX-License-Identifier: BSD-3-Clause */

/* One gRPC call; see rpc.h. */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <event2/buffer.h>
#include <nghttp2/nghttp2.h>

#include "scopes/etcd/memory.h"
#include "scopes/etcd/message.h"
#include "scopes/etcd/rpc.h"

#define MOST_WAITING	(128 * 1024)	/* bytes beyond one message that may wait in `in` */

#define RPC(s) ((struct evl_rpc *)(void *)(s))

/* --- Headers --------------------------------------------------------------------- */

static int
is_named(const char *expected, const uint8_t *name, size_t size)
{
	return strlen(expected) == size && !memcmp(expected, name, size);
}

/* Returns a number of at most three digits, or -1 if it is not one. */
static int
number(const uint8_t *value, size_t size)
{
	int n = 0;

	if (!size || size > 3)
		return -1;
	for (; size--; value++) {
		if (*value < '0' || *value > '9')
			return -1;
		n = n * 10 + *value - '0';
	}
	return n;
}

static int
hex(uint8_t c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'A' && c <= 'F' ? c - 'A' + 10
	    : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Decodes %XX.  Invalid sequences are kept as they are. */
static void
read_text(struct evl_rpc *rpc, const uint8_t *value, size_t size)
{
	char text[EVL_REASON_SIZE];
	size_t i, n = 0;

	for (i = 0; i < size && n < sizeof text - 1; i++) {
		int high = value[i] == '%' && i + 2 < size ? hex(value[i + 1]) : -1,
		    low = high >= 0 ? hex(value[i + 2]) : -1;

		text[n++] = low >= 0 ? (char)(high * 16 + low) : (char)value[i];
		i += low >= 0 ? 2 : 0;
	}
	evl_reply_copy(rpc->text, sizeof rpc->text, text, n);
}

static void
on_header(struct evl_h2_stream *stream, const uint8_t *name, size_t name_size, const uint8_t *value,
    size_t value_size)
{
	static const char grpc[] = "application/grpc";
	struct evl_rpc *rpc = RPC(stream);
	int n;

	if (is_named(":status", name, name_size)) {
		rpc->http_status = number(value, value_size);
	} else if (is_named("content-type", name, name_size)) {
		rpc->is_grpc = value_size >= sizeof grpc - 1 &&
		    !memcmp(value, grpc, sizeof grpc - 1);
	} else if (is_named("grpc-status", name, name_size)) {
		n = number(value, value_size);
		rpc->status = n < 0 ? 2 : n;	/* 2: gRPC's "unknown" */
	} else if (is_named("grpc-message", name, name_size)) {
		read_text(rpc, value, value_size);
	}
}

/* --- Messages -------------------------------------------------------------------- */

void
evl_rpc_fail(struct evl_rpc *rpc, int status, const char *text)
{
	rpc->failure = status;
	snprintf(rpc->text, sizeof rpc->text, "%s", text);
	evbuffer_drain(rpc->in, evbuffer_get_length(rpc->in));
}

/* Returns the length of the next message, or -1 if it is not known yet or not valid. */
static ev_ssize_t
next_size(struct evl_rpc *rpc)
{
	uint8_t prefix[EVL_MESSAGE_PREFIX];
	size_t size;

	if (evbuffer_copyout(rpc->in, prefix, sizeof prefix) < (ev_ssize_t)sizeof prefix)
		return -1;
	size = (size_t)prefix[1] << 24 | (size_t)prefix[2] << 16 | (size_t)prefix[3] << 8 |
	    prefix[4];
	if (prefix[0] != 0)
		evl_rpc_fail(rpc, EVL_STATUS_FOREIGN,
		    "the member sent a compressed message");
	else if (size > rpc->limit)
		evl_rpc_fail(rpc, EVL_STATUS_FOREIGN, "the member sent too large a message");
	return rpc->failure ? -1 : (ev_ssize_t)size;
}

static void
on_data(struct evl_h2_stream *stream, const uint8_t *bytes, size_t size)
{
	struct evl_rpc *rpc = RPC(stream);

	if (rpc->failure)
		return;
	if (evbuffer_add(rpc->in, bytes, size) < 0)
		evl_rpc_fail(rpc, EVL_STATUS_LOST, "no memory to read an answer");
	else if (evbuffer_get_length(rpc->in) > rpc->limit + MOST_WAITING)
		evl_rpc_fail(rpc, EVL_STATUS_FOREIGN, "the member sent too many messages");
	else
		next_size(rpc);
}

int
evl_rpc_peek(struct evl_rpc *rpc, const uint8_t **bytes, size_t *size)
{
	ev_ssize_t n = next_size(rpc);
	size_t whole = EVL_MESSAGE_PREFIX + (size_t)n;
	const uint8_t *start;

	if (n < 0 || evbuffer_get_length(rpc->in) < whole)
		return 0;
	start = evbuffer_pullup(rpc->in, (ev_ssize_t)whole);
	if (!start) {
		evl_rpc_fail(rpc, EVL_STATUS_LOST, "no memory to read an answer");
		return 0;
	}
	*bytes = start + EVL_MESSAGE_PREFIX;
	*size = (size_t)n;
	return 1;
}

void
evl_rpc_take(struct evl_rpc *rpc)
{
	evbuffer_drain(rpc->in, EVL_MESSAGE_PREFIX + (size_t)next_size(rpc));
}

/* --- The end --------------------------------------------------------------------- */

static void
set(struct evl_ending *ending, int status, const char *text)
{
	ending->status = status;
	snprintf(ending->text, sizeof ending->text, "%s", text);
}

/* A proxy may answer with an HTTP status and no gRPC status. */
static void
end_as_http(struct evl_ending *ending, int status)
{
	char text[40];

	snprintf(text, sizeof text, "HTTP status %d", status);
	switch (status) {
	case 401: set(ending, 16, text); break;
	case 403: set(ending, 7, text); break;
	case 429: case 502: case 503: case 504: set(ending, 14, text); break;
	default: set(ending, EVL_STATUS_FOREIGN, text);
	}
}

static void
end_without_header(const struct evl_rpc *rpc, struct evl_ending *ending)
{
	if (rpc->stream.error == NGHTTP2_REFUSED_STREAM)
		set(ending, EVL_STATUS_REFUSED, "the member refused the call");
	else
		set(ending, EVL_STATUS_LOST, "the call was aborted");
}

void
evl_rpc_end(const struct evl_rpc *rpc, struct evl_ending *ending)
{
	if (rpc->http_status && rpc->http_status != 200)
		end_as_http(ending, rpc->http_status);
	else if (rpc->http_status && !rpc->is_grpc)
		set(ending, EVL_STATUS_FOREIGN, "the server does not speak gRPC");
	else if (rpc->failure)
		set(ending, rpc->failure, rpc->text);
	else if (!rpc->http_status)
		end_without_header(rpc, ending);
	else if (rpc->status == EVL_STATUS_LOST)
		set(ending, EVL_STATUS_LOST, "the answer has no status");
	else
		set(ending, rpc->status, rpc->text);
}

static void
on_news(struct evl_h2_stream *stream)
{
	struct evl_rpc *rpc = RPC(stream);

	rpc->cb(rpc, rpc->arg);
}

/* --- Beginning ------------------------------------------------------------------- */

static const struct evl_h2_ops ops = { on_header, on_data, on_news };

/* The token is kept out of the header tables of HTTP/2. */
static int
begin(struct evl_rpc *rpc, struct evl_h2 *h2, const struct evl_rpc_options *options)
{
	struct evl_h2_header headers[10] = {
		{ ":method", "POST", 0 }, { ":scheme", h2->ssl ? "https" : "http", 0 },
		{ ":path", options->path, 0 }, { ":authority", options->authority, 0 },
		{ "te", "trailers", 0 }, { "content-type", "application/grpc", 0 },
		{ "user-agent", "evlock", 0 }
	};
	size_t n = 7;

	if (options->token && *options->token)
		headers[n++] = (struct evl_h2_header){ "token", options->token, 1 };
	if (options->is_for_leader)
		headers[n++] = (struct evl_h2_header){ "hasleader", "true", 0 };
	return evl_h2_begin(h2, &rpc->stream, headers, n);
}

struct evl_rpc *
evl_rpc_new(struct evl_h2 *h2, const struct evl_rpc_options *options, evl_rpc_cb cb, void *arg)
{
	struct evl_rpc *rpc = evl_memory_alloc(sizeof *rpc);

	if (!rpc)
		return NULL;
	rpc->stream.ops = &ops;
	rpc->stream.out = evbuffer_new();
	rpc->in = evbuffer_new();
	rpc->cb = cb;
	rpc->arg = arg;
	rpc->limit = options->limit;
	rpc->status = EVL_STATUS_LOST;
	if (rpc->stream.out && rpc->in && begin(rpc, h2, options) == 0)
		return rpc;
	evl_rpc_free(rpc);
	return NULL;
}

void
evl_rpc_free(struct evl_rpc *rpc)
{
	evl_h2_stop(&rpc->stream);
	if (rpc->stream.out)
		evbuffer_free(rpc->stream.out);
	if (rpc->in)
		evbuffer_free(rpc->in);
	evl_memory_free(rpc);
}

void
evl_rpc_send(struct evl_rpc *rpc, int is_last)
{
	rpc->stream.is_complete = (uint8_t)is_last;
	evl_h2_resume(&rpc->stream);
}
