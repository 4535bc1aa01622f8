/* SPDX-License-Identifier: BSD-3-Clause */

/* One question, asked until it is answered; see call.h. */

#include <errno.h>
#include <string.h>

#include <event2/event.h>

#include "auth.h"
#include "call.h"
#include "clock.h"
#include "tls.h"

#define PAUSE_MS	50	/* the shortest */
#define LONGEST_MS	2000

static void on_wire(struct evl_wire *wire, void *arg);

static struct timeval
milliseconds(unsigned ms)
{
	struct timeval tv = { ms / 1000, ms % 1000 * 1000 };

	return tv;
}

struct timeval
evl_call_pause(unsigned n_failed)
{
	unsigned most = n_failed < 6 ? PAUSE_MS << n_failed : LONGEST_MS;
	unsigned short random;

	if (most > LONGEST_MS)
		most = LONGEST_MS;
	evl_net_random(&random, sizeof random);
	return milliseconds(most / 2 + random % (most / 2 + 1));
}

/* --- One attempt ------------------------------------------------------------- */

/* Before the timer ends a pause, or an attempt. */
static void
wait_for(struct evl_call *call, enum evl_call_state state, struct timeval time)
{
	call->state = state;
	event_add(call->timer, &time);
}

static void
drop_wire(struct evl_call *call, int is_good)
{
	event_del(call->timer);
	call->net->n_busy--;
	if (is_good)
		evl_wire_put(call->wire);
	else
		evl_wire_free(call->wire);
	call->wire = NULL;
}

static void
enqueue(struct evl_call *call)
{
	call->state = EVL_QUEUED_CALL;
	if (call->is_urgent)
		evl_list_insert_after(&call->net->calls, &call->link);
	else
		evl_list_push(&call->net->calls, &call->link);
}

static void
conclude(struct evl_call *call, const struct evl_reply *reply)
{
	call->state = EVL_CALL_IDLE;
	call->cb(reply, call->arg);
}

/* It could not even be asked, for want of memory: later. */
static void
postpone(struct evl_call *call)
{
	if (call->wire)
		drop_wire(call, 0);
	wait_for(call, EVL_PAUSED, evl_call_pause(call->n_failed++));
}

static void
attempt(struct evl_call *call)
{
	struct evl_auth *auth = call->is_open ? NULL : call->net->auth;

	call->wire = evl_wire_get(call->net, on_wire, call);
	if (!call->wire) {
		postpone(call);
		return;
	}
	call->net->n_busy++;
	call->sent = evl_clock_now();
	call->token_serial = auth ? evl_auth_serial(auth) : 0;
	if (evl_wire_ask(call->wire, call->question, auth ? evl_auth_token(auth) : NULL,
	    call->arg) < 0)
		postpone(call);
	else
		wait_for(call, EVL_ASKED, milliseconds(call->patience));
}

void
evl_call_pump(struct evl_net *net)
{
	struct evl_link *link, *after;
	int has_token = !net->auth || evl_auth_is_ready(net->auth);

	EVL_LIST_EACH_SAFE(link, after, &net->calls) {
		struct evl_call *call = EVL_CONTAINER(link, struct evl_call, link);

		if (net->n_busy >= EVL_MOST_WIRES && !call->is_urgent)
			return;
		if (!has_token && !call->is_open)
			continue;
		evl_list_remove(link);
		attempt(call);
	}
	if (!has_token && !evl_list_is_empty(&net->calls))
		evl_auth_want(net->auth);
}

/* --- What comes of it ----------------------------------------------------------- */

/* Once more, elsewhere; at once, as long as there are members that were not tried. */
static void
repeat(struct evl_call *call)
{
	unsigned n = call->net->n_urls;

	call->n_failed++;
	if (call->n_failed < n) {
		enqueue(call);
		evl_call_pump(call->net);
	} else {
		wait_for(call, EVL_PAUSED, evl_call_pause(call->n_failed - n));
		evl_call_pump(call->net);
	}
}

/* A connection that had been idle was closed at the other end just as it was used: no reason to
 * think ill of the member. */
static int
was_stale(const struct evl_wire *wire)
{
	return wire->n_asked > 1 && !wire->status && !wire->is_foreign;
}

/* What is no etcd is given up once all endpoints are, and not at the first answer: one that there
 * was no memory to read looks like nonsense, too. */
static void
fail(struct evl_call *call, const struct evl_reply *reply)
{
	unsigned turn = call->wire->turn;
	int is_foreign = reply->verdict == EVL_FOREIGN;

	call->is_unsure |= !call->wire->is_unconnected;
	call->n_foreign = is_foreign ? call->n_foreign + 1 : 0;
	memcpy(call->net->reason, reply->reason, sizeof call->net->reason);
	drop_wire(call, 0);
	evl_net_turn(call->net, turn);
	if (call->n_foreign >= 2 && call->n_foreign >= call->net->n_urls) {
		conclude(call, reply);
		evl_call_pump(call->net);
	} else {
		repeat(call);
	}
}

static void
retry_stale(struct evl_call *call)
{
	call->is_unsure = 1;
	drop_wire(call, 0);
	enqueue(call);
	evl_call_pump(call->net);
}

/* The token is not good any more; once it has been renewed and is still not good, no hurry. */
static void
renew_token(struct evl_call *call, struct evl_reply *reply)
{
	struct evl_net *net = call->net;

	drop_wire(call, 1);
	if (!net->auth || call->is_open) {
		reply->verdict = EVL_DENIED;
		conclude(call, reply);
		evl_call_pump(net);
		return;
	}
	evl_auth_expire(net->auth, call->token_serial);
	if (call->n_failed++)
		wait_for(call, EVL_PAUSED, evl_call_pause(call->n_failed));
	else
		enqueue(call);
	evl_call_pump(net);
}

static void
read_answer(struct evl_call *call, struct evl_reply *reply)
{
	struct evl_wire *wire = call->wire;
	const char *text = (const char *)evbuffer_pullup(wire->text, -1);

	if (wire->failure)
		evl_reply_fail(reply, wire->is_foreign ? EVL_FOREIGN : EVL_BUSY, wire->failure);
	else
		evl_reply_read(reply, call->question->kind, wire->status, text ? text : "",
		    evbuffer_get_length(wire->text));
	if (wire->failure && wire->ssl && evl_tls_complaint(wire->ssl))
		evl_reply_fail(reply, EVL_FOREIGN, evl_tls_complaint(wire->ssl));
}

static void
on_wire(struct evl_wire *wire, void *arg)
{
	struct evl_call *call = arg;
	struct evl_net *net = call->net;
	struct evl_reply reply;

	if (!wire->is_done)
		return;
	memset(&reply, 0, sizeof reply);
	read_answer(call, &reply);
	if (reply.verdict != EVL_ANSWERED && was_stale(wire)) {
		retry_stale(call);
	} else if (reply.verdict == EVL_BUSY || reply.verdict == EVL_FOREIGN) {
		fail(call, &reply);
	} else if (reply.verdict == EVL_NO_TOKEN) {
		renew_token(call, &reply);
	} else {
		drop_wire(call, 1);
		conclude(call, &reply);
		evl_call_pump(net);
	}
}

static void
on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct evl_call *call = arg;
	struct evl_reply reply;

	(void)fd;
	(void)what;
	if (call->state == EVL_ASKED) {
		memset(&reply, 0, sizeof reply);
		evl_reply_fail(&reply, EVL_BUSY, "no answer");
		fail(call, &reply);
		return;
	}
	enqueue(call);
	evl_call_pump(call->net);
}

/* --- Starting and stopping ----------------------------------------------------- */

int
evl_call_init(struct evl_call *call, struct evl_net *net, evl_call_cb cb, void *arg)
{
	memset(call, 0, sizeof *call);
	call->net = net;
	call->cb = cb;
	call->arg = arg;
	call->patience = EVL_PATIENCE;
	call->timer = event_new(net->base, -1, 0, on_timer, call);
	if (!call->timer)
		errno = ENOMEM;
	return call->timer ? 0 : -1;
}

void
evl_call_clear(struct evl_call *call)
{
	if (!call->timer)
		return;
	evl_call_stop(call);
	event_free(call->timer);
	call->timer = NULL;
}

void
evl_call_start(struct evl_call *call, const struct evl_question *question)
{
	call->question = question;
	call->n_failed = call->n_foreign = 0;
	call->is_unsure = 0;
	enqueue(call);
	evl_call_pump(call->net);
}

void
evl_call_start_later(struct evl_call *call, const struct evl_question *question)
{
	unsigned n = call->n_failed + 1;

	call->question = question;
	call->n_failed = n;
	call->n_foreign = 0;
	call->is_unsure = 0;
	wait_for(call, EVL_PAUSED, evl_call_pause(n));
}

void
evl_call_stop(struct evl_call *call)
{
	switch (call->state) {
	case EVL_CALL_IDLE:
		return;
	case EVL_QUEUED_CALL:
		evl_list_remove(&call->link);
		break;
	case EVL_ASKED:
		call->is_unsure = 1;
		drop_wire(call, 0);
		break;
	default:
		event_del(call->timer);
	}
	call->state = EVL_CALL_IDLE;
}

void
evl_call_fail_all(struct evl_net *net, const struct evl_reply *reply)
{
	struct evl_link waiting, *link;

	evl_list_init(&waiting);
	if (!evl_list_is_empty(&net->calls))
		evl_list_move(&net->calls, &waiting);
	while ((link = evl_list_pop(&waiting)))
		conclude(EVL_CONTAINER(link, struct evl_call, link), reply);
}
