/* SPDX-License-Identifier: BSD-3-Clause */

/* One place in a queue of the cluster; see place.h. */

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "memory.h"
#include "place.h"

/* --- What is asked --------------------------------------------------------------- */

#define ENTRY(arg) (&((struct evl_place *)(arg))->entry)

static int
write_enter(struct evbuffer *out, void *arg)
{
	return evl_ask_enter(out, ENTRY(arg));
}

static int
write_try(struct evbuffer *out, void *arg)
{
	return evl_ask_try(out, ENTRY(arg));
}

static int
write_check(struct evbuffer *out, void *arg)
{
	return evl_ask_check(out, ENTRY(arg));
}

static int
write_weaken(struct evbuffer *out, void *arg)
{
	return evl_ask_weaken(out, ENTRY(arg));
}

static int
write_leave(struct evbuffer *out, void *arg)
{
	return evl_ask_leave(out, ENTRY(arg));
}

#define TXN "/v3/kv/txn", EVL_TXN_REPLY

static const struct evl_question
    to_enter = { TXN, write_enter }, to_try = { TXN, write_try },
    to_check = { TXN, write_check }, to_weaken = { TXN, write_weaken },
    to_leave = { TXN, write_leave };

/* --- From state to state ------------------------------------------------------------ */

static void
destroy(struct evl_place *place)
{
	evl_call_clear(&place->call);
	evl_watch_clear(&place->watch);
	evl_list_remove(&place->link);
	evl_etcd_free(place);
}

/* Every id is used once: what is left of an earlier one cannot be mistaken. */
static void
begin(struct evl_place *place)
{
	struct evlock_etcd *session = place->session;
	struct evl_entry *entry = &place->entry;

	snprintf(entry->id, sizeof entry->id, "%016" PRIx64 "-%x", (uint64_t)session->lease,
	    ++session->n_ids);
	entry->lease = session->lease;
	entry->revision = 0;
	entry->is_exclusive = place->is_exclusive;
	entry->is_unsure = 0;
	place->state = EVL_ENTERING;
	evl_call_start(&place->call, place->wish == EVL_A_TRY ? &to_try : &to_enter);
}

static void
be_out(struct evl_place *place)
{
	place->state = EVL_OUT;
	if (place->is_freed)
		destroy(place);
	else
		evl_place_go(place, 0);
}

/* Leaves no trace, or sees to it that none is left. */
static void
go_out(struct evl_place *place)
{
	struct evl_entry *entry = &place->entry;

	evl_watch_stop(&place->watch);
	evl_call_stop(&place->call);
	place->is_weakening = 0;
	if (place->state == EVL_ENTERING)
		entry->is_unsure = place->call.is_unsure;
	if (place->state == EVL_ENTERING && !entry->is_unsure) {
		be_out(place);
		return;
	}
	place->state = EVL_LEAVING;
	evl_call_start(&place->call, &to_leave);
}

/* It is not to be had; the owner is told last, as it may want it again. */
static void
end(struct evl_place *place, int error)
{
	place->wish = EVL_NOTHING;
	go_out(place);
	place->ended(place->arg, error);
}

static void
be_in(struct evl_place *place)
{
	evl_watch_stop(&place->watch);
	place->state = EVL_IN;
	place->granted(place->arg);
}

static void
look(struct evl_place *place)
{
	place->state = EVL_CHECKING;
	evl_call_start(&place->call, &to_check);
}

/* On from the state of the store that the reply shows: whoever is there is not gone before that. */
static void
wait_or_be_in(struct evl_place *place, const struct evl_reply *reply)
{
	if (!reply->create_revision) {
		be_in(place);
		return;
	}
	place->state = EVL_WAITING;
	if (place->watch.is_on && !strcmp(place->ahead, reply->key64))
		return;
	evl_watch_stop(&place->watch);
	memcpy(place->ahead, reply->key64, sizeof place->ahead);
	evl_watch_start(&place->watch, place->ahead, reply->revision + 1);
}

/* --- What is answered ----------------------------------------------------------------- */

/* A first attempt was carried out after all, or somebody is in the way of one that only tries. */
static void
on_not_entered(struct evl_place *place, const struct evl_reply *reply)
{
	if (reply->create_revision) {
		place->entry.revision = reply->create_revision;
		look(place);
	} else {
		end(place, place->wish == EVL_A_TRY ? EAGAIN : EPROTO);
	}
}

static void
on_enter(struct evl_place *place, const struct evl_reply *reply)
{
	place->entry.is_unsure = place->call.is_unsure;
	if (!reply->is_succeeded) {
		on_not_entered(place, reply);
		return;
	}
	place->entry.revision = reply->revision;
	wait_or_be_in(place, reply);
}

static void
on_check(struct evl_place *place, const struct evl_reply *reply)
{
	if (reply->is_succeeded)
		wait_or_be_in(place, reply);
	else
		end(place, ESTALE);
}

static void
on_weaken(struct evl_place *place, const struct evl_reply *reply)
{
	place->is_weakening = 0;
	if (!reply->is_succeeded)
		end(place, ESTALE);
}

/* The cluster does not want this, or is none. */
static void
on_refusal(struct evl_place *place, const struct evl_reply *reply)
{
	int error = evl_session_error(reply->verdict);

	if (place->state == EVL_LEAVING) {
		evl_call_start_later(&place->call, &to_leave);
		evl_place_refuse(place, error);
	} else if (place->is_weakening) {
		evl_call_start_later(&place->call, &to_weaken);
	} else {
		end(place, error);
	}
}

static void
on_reply(const struct evl_reply *reply, void *arg)
{
	struct evl_place *place = arg;

	if (reply->verdict == EVL_NO_LEASE && place->entry.lease == place->session->lease)
		evl_session_lose(place->session, "the cluster has ended the lease");
	else if (reply->verdict != EVL_ANSWERED)
		on_refusal(place, reply);
	else if (place->state == EVL_ENTERING)
		on_enter(place, reply);
	else if (place->state == EVL_CHECKING)
		on_check(place, reply);
	else if (place->state == EVL_IN)
		on_weaken(place, reply);
	else
		be_out(place);
}

/* The look after a watch has begun must not take the place of one that is under way. */
static void
on_watch(void *arg, int is_over)
{
	struct evl_place *place = arg;

	if (is_over || place->state == EVL_WAITING) {
		evl_call_stop(&place->call);
		look(place);
	}
}

/* --- For the lock ------------------------------------------------------------------------ */

struct evl_place *
evl_place_new(struct evlock_etcd *session, const char *name,
    void (*granted)(void *arg), void (*ended)(void *arg, int error), void *arg)
{
	struct evl_place *place = evl_etcd_alloc(sizeof *place);

	if (!place)
		return NULL;
	place->session = session;
	place->granted = granted;
	place->ended = ended;
	place->arg = arg;
	evl_ask_root(place->root, session->prefix, name);
	place->entry.root = place->root;
	evl_list_push(&session->places, &place->link);
	if (evl_call_init(&place->call, &session->net, on_reply, place) == 0 &&
	    evl_watch_init(&place->watch, &session->net, on_watch, place) == 0)
		return place;
	destroy(place);
	errno = ENOMEM;
	return NULL;
}

void
evl_place_free(struct evl_place *place)
{
	place->is_freed = 1;
	if (place->state == EVL_OUT)
		destroy(place);
	else
		evl_place_drop(place);
}

void
evl_place_want(struct evl_place *place, enum evl_wish wish, int is_exclusive)
{
	place->wish = wish;
	place->is_exclusive = (uint8_t)is_exclusive;
	evl_place_go(place, 0);
}

void
evl_place_weaken(struct evl_place *place)
{
	place->is_weakening = 1;
	evl_call_start(&place->call, &to_weaken);
}

void
evl_place_drop(struct evl_place *place)
{
	place->wish = EVL_NOTHING;
	if (place->state != EVL_OUT && place->state != EVL_LEAVING)
		go_out(place);
}

/* --- For the session ---------------------------------------------------------------------- */

void
evl_place_go(struct evl_place *place, int unused)
{
	(void)unused;
	if (place->state == EVL_OUT && place->wish && evl_session_is_alive(place->session))
		begin(place);
}

void
evl_place_lose(struct evl_place *place, int error)
{
	int was_wanted = place->wish && place->state != EVL_OUT && place->state != EVL_LEAVING;

	evl_watch_stop(&place->watch);
	evl_call_stop(&place->call);
	place->is_weakening = 0;
	if (was_wanted)
		place->wish = EVL_NOTHING;
	if (place->state != EVL_OUT)
		be_out(place);
	if (was_wanted)
		place->ended(place->arg, error);
}

void
evl_place_refuse(struct evl_place *place, int error)
{
	if (!place->wish || (place->state != EVL_OUT && place->state != EVL_LEAVING))
		return;
	place->wish = EVL_NOTHING;
	place->ended(place->arg, error);
}

void
evl_place_abandon(struct evl_place *place, int unused)
{
	(void)unused;
	place->is_freed = 1;
	place->state = EVL_OUT;
	destroy(place);
}
