/* SPDX-License-Identifier: BSD-3-Clause */

/* Bytes on a connection become messages.  libFuzzer plays the other side of an HTTP/2 connection,
 * which says anything, in pieces whose lengths the input also chooses, while a request and a stream
 * are open.  Whatever it says, the calls end and nothing is left. */

#include <stdint.h>
#include <stdlib.h>

#include <event2/bufferevent.h>
#include <event2/event.h>

#include "scopes/etcd/rpc.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define LIMIT 1000

static struct event_base *base;
static struct evl_rpc *question, *stream;

static void
must(int condition)
{
	if (!condition)
		abort();
}

static void
free_rpc(struct evl_rpc *rpc)
{
	if (rpc == question)
		question = NULL;
	else
		stream = NULL;
	evl_rpc_free(rpc);
}

static void
on_rpc(struct evl_rpc *rpc, void *arg)
{
	struct evl_ending ending;
	const uint8_t *bytes;
	size_t size;

	(void)arg;
	while (evl_rpc_peek(rpc, &bytes, &size)) {
		must(size <= LIMIT);
		evl_rpc_take(rpc);
	}
	if (!evl_rpc_is_over(rpc))
		return;
	evl_rpc_end(rpc, &ending);
	must(ending.status >= EVL_STATUS_FOREIGN && ending.status < 1000);
	free_rpc(rpc);
}

static struct evl_rpc *
ask(struct evl_h2 *h2, int is_last)
{
	struct evl_rpc_options options = { .path = "/a/b", .authority = "x", .limit = LIMIT };
	struct evl_rpc *rpc = evl_rpc_new(h2, &options, on_rpc, NULL);

	if (rpc)
		evl_rpc_send(rpc, is_last);
	return rpc;
}

static void
on_h2(struct evl_h2 *h2, void *arg)
{
	(void)arg;
	if (h2->state != EVL_H2_OPEN || question || stream)
		return;
	question = ask(h2, 1);
	stream = ask(h2, 0);
}

/* The initial settings of a connection are sent first, unless the input begins with a 0. */
static void
talk(struct bufferevent *peer, const uint8_t *data, size_t size)
{
	static const uint8_t settings[9] = { 0, 0, 0, 4, 0, 0, 0, 0, 0 };

	if (data[0])
		bufferevent_write(peer, settings, sizeof settings);
	data++, size--;
	while (size) {
		size_t n = 1 + data[0] % size;

		event_base_loop(base, EVLOOP_NONBLOCK);
		bufferevent_write(peer, data, n);
		data += n;
		size -= n;
	}
	event_base_loop(base, EVLOOP_NONBLOCK);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bufferevent *pair[2];
	struct evl_h2 *h2;

	if (size < 2)
		return 0;
	if (!base)
		base = event_base_new();
	bufferevent_pair_new(base, 0, pair);
	bufferevent_enable(pair[1], EV_READ | EV_WRITE);
	h2 = evl_h2_new(base, pair[0], NULL, 1, on_h2, NULL);
	talk(pair[1], data, size);
	evl_h2_close(h2);
	event_base_loop(base, EVLOOP_NONBLOCK);
	must(!question && !stream);
	bufferevent_free(pair[1]);
	event_base_loop(base, EVLOOP_NONBLOCK);
	return 0;
}
