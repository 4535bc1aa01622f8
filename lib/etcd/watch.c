/* SPDX-License-Identifier: BSD-3-Clause */

/* Waits until a key is deleted; see watch.h. */

#include <errno.h>
#include <string.h>

#include <event2/event.h>

#include "auth.h"
#include "watch.h"

static int
write_question(struct evbuffer *out, void *arg)
{
	const struct evl_watch *watch = arg;

	return evl_ask_watch(out, watch->key64, watch->revision);
}

static const struct evl_question question = { "/v3/watch", EVL_WATCH_REPLY, write_question };

/* --- How it ends ------------------------------------------------------------- */

static void
drop_wire(struct evl_watch *watch)
{
	if (watch->wire)
		evl_wire_free(watch->wire);
	watch->wire = NULL;
}

/* It has ended, and the timer will call back. */
static void
end_in(struct evl_watch *watch, struct timeval time)
{
	drop_wire(watch);
	event_add(watch->timer, &time);
}

static void
end_now(struct evl_watch *watch)
{
	end_in(watch, (struct timeval){ 0, 0 });
}

static void
fail(struct evl_watch *watch)
{
	unsigned turn = watch->wire->turn;

	end_in(watch, evl_call_pause(watch->n_failed++));
	evl_net_turn(watch->net, turn);
}

static void
on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct evl_watch *watch = arg;

	(void)fd;
	(void)what;
	if (watch->wire) {	/* it was not put in place in time */
		fail(watch);
		return;
	}
	evl_watch_stop(watch);
	watch->cb(watch->arg, 1);
}

/* --- What is told -------------------------------------------------------------- */

/* One that was canceled, as the store was compacted, is no reason to think ill of the member. */
static void
hear(struct evl_watch *watch, const struct evl_reply *reply)
{
	if (reply->verdict == EVL_NO_TOKEN && watch->net->auth)
		evl_auth_expire(watch->net->auth, watch->token_serial);
	if (reply->verdict == EVL_ANSWERED && reply->is_deleted) {
		watch->n_failed = 0;
		end_now(watch);
	} else if (reply->verdict == EVL_NO_TOKEN || reply->is_canceled) {
		end_in(watch, evl_call_pause(watch->n_failed++));
	} else if (reply->verdict != EVL_ANSWERED) {
		fail(watch);
	} else if (reply->is_created) {
		event_del(watch->timer);
		watch->n_failed = 0;
		if (reply->revision >= watch->revision)
			watch->cb(watch->arg, 0);
	}
}

static void
read_part(struct evl_watch *watch, size_t size)
{
	const char *text = (const char *)evbuffer_pullup(watch->wire->text, (ev_ssize_t)size);
	struct evl_reply reply;

	evl_reply_read(&reply, EVL_WATCH_REPLY, watch->wire->status, text ? text : "", size);
	evbuffer_drain(watch->wire->text, size);
	hear(watch, &reply);
}

/* Each answer is a line; an error may have no end of line. */
static void
on_wire(struct evl_wire *wire, void *arg)
{
	struct evl_watch *watch = arg;
	struct evbuffer_ptr end;

	while (watch->wire) {
		end = evbuffer_search_eol(wire->text, NULL, NULL, EVBUFFER_EOL_LF);
		if (end.pos < 0)
			break;
		if (end.pos > 0)
			read_part(watch, (size_t)end.pos);
		if (watch->wire)
			evbuffer_drain(wire->text, 1);
	}
	if (watch->wire && wire->is_done && evbuffer_get_length(wire->text))
		read_part(watch, evbuffer_get_length(wire->text));
	if (watch->wire && (wire->is_done || wire->failure))
		fail(watch);
}

/* --- Starting and stopping ----------------------------------------------------- */

int
evl_watch_init(struct evl_watch *watch, struct evl_net *net, void (*cb)(void *, int), void *arg)
{
	memset(watch, 0, sizeof *watch);
	watch->net = net;
	watch->cb = cb;
	watch->arg = arg;
	watch->timer = event_new(net->base, -1, 0, on_timer, watch);
	if (!watch->timer)
		errno = ENOMEM;
	return watch->timer ? 0 : -1;
}

void
evl_watch_clear(struct evl_watch *watch)
{
	if (!watch->timer)
		return;
	evl_watch_stop(watch);
	event_free(watch->timer);
	watch->timer = NULL;
}

static int
begin(struct evl_watch *watch)
{
	struct evl_auth *auth = watch->net->auth;

	watch->wire = evl_wire_new(watch->net, on_wire, watch);
	if (!watch->wire)
		return -1;
	watch->token_serial = auth ? evl_auth_serial(auth) : 0;
	return evl_wire_ask(watch->wire, &question, auth ? evl_auth_token(auth) : NULL, watch);
}

void
evl_watch_start(struct evl_watch *watch, const char *key64, int64_t revision)
{
	static const struct timeval patience = { EVL_PATIENCE / 1000, EVL_PATIENCE % 1000 * 1000 };

	watch->key64 = key64;
	watch->revision = revision;
	watch->is_on = 1;
	evl_list_push(&watch->net->watches, &watch->link);
	if (begin(watch) < 0)
		end_in(watch, evl_call_pause(watch->n_failed++));
	else
		event_add(watch->timer, &patience);
}

void
evl_watch_stop(struct evl_watch *watch)
{
	if (!watch->is_on)
		return;
	watch->is_on = 0;
	evl_list_remove(&watch->link);
	event_del(watch->timer);
	drop_wire(watch);
}

void
evl_watch_move_all(struct evl_net *net)
{
	struct evl_link *link;

	EVL_LIST_EACH(link, &net->watches) {
		struct evl_watch *watch = EVL_CONTAINER(link, struct evl_watch, link);

		if (watch->wire)
			end_now(watch);
	}
}
