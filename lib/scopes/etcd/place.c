/* SPDX-License-Identifier: BSD-3-Clause */

/* One place in a queue of the cluster; see place.h. */

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "scopes/etcd/clock.h"
#include "scopes/etcd/memory.h"
#include "scopes/etcd/place.h"

static void try_to_begin(struct evl_place *place);

/* --- Questions ------------------------------------------------------------------- */

#define ENTRY(arg) (&((struct evl_place *)(arg))->entry)

static int
write_guard(struct evbuffer *out, void *arg)
{
	return evl_ask_guard(out, ENTRY(arg));
}

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

static int
write_clear(struct evbuffer *out, void *arg)
{
	return evl_ask_clear(out, ENTRY(arg));
}

#define TXN "/etcdserverpb.KV/Txn", EVL_TXN_REPLY, 1

static const struct evl_question
    to_guard = { TXN, write_guard }, to_enter = { TXN, write_enter }, to_try = { TXN, write_try },
    to_check = { TXN, write_check }, to_weaken = { TXN, write_weaken },
    to_leave = { TXN, write_leave }, to_clear = { TXN, write_clear };

/* --- Beginning and ending -------------------------------------------------------- */

static void
destroy(struct evl_place *place)
{
	evl_call_clear(&place->call);
	evl_watches_clear_one(&place->ahead);
	evl_watches_clear_one(&place->own);
	evl_watches_clear_one(&place->own_mark);
	evl_list_remove(&place->tenant.link);
	evl_names_remove(&place->session->names, &place->name);
	evl_memory_free(place->root);
	evl_memory_free(place);
}

/* All keys of the id are gone, and the id will not be used again. */
static void
forget_keys(struct evl_place *place)
{
	evl_watches_stop_one(&place->own);
	evl_watches_stop_one(&place->own_mark);
	place->entry.id[0] = '\0';
	place->entry.guard = 0;
	place->deleted = 0;
	place->is_spent = 0;
}

static void
take_id(struct evl_place *place)
{
	struct evlock_etcd *session = place->session;
	struct evl_entry *entry = &place->entry;

	snprintf(entry->id, sizeof entry->id, "%016" PRIx64 "-%x", (uint64_t)session->lease,
	    ++session->n_ids);
	entry->lease = session->lease;
	entry->guard = 0;
}

static void
enter(struct evl_place *place)
{
	place->state = EVL_ENTERING;
	evl_call_start(&place->call, place->wish == EVL_A_TRY ? &to_try : &to_enter);
}

static void
write_guard_first(struct evl_place *place)
{
	place->state = EVL_GUARDING;
	evl_call_start(&place->call, &to_guard);
}

static void
begin(struct evl_place *place)
{
	if (!place->entry.id[0])
		take_id(place);
	place->entry.revision = 0;
	place->entry.is_exclusive = place->is_exclusive;
	if (place->entry.guard)
		enter(place);
	else
		write_guard_first(place);
}

static void
leave(struct evl_place *place, const struct evl_question *question)
{
	place->state = EVL_LEAVING;
	place->leaving = evl_clock_now();
	evl_call_start(&place->call, question);
}

static void
be_out(struct evl_place *place)
{
	place->state = EVL_OUT;
	if (!place->is_freed)
		try_to_begin(place);
	else if (place->entry.id[0])
		leave(place, &to_clear);
	else
		destroy(place);
}

static void
stop(struct evl_place *place)
{
	evl_watches_stop_one(&place->ahead);
	evl_call_stop(&place->call);
	place->is_weakening = place->is_looking = place->must_look = 0;
}

/* Goes to OUT, by way of LEAVING if there may be keys to delete.  If an entry may still be carried
 * out, its id is spent: clearing the guard makes sure that the entry fails. */
static void
go_out(struct evl_place *place)
{
	stop(place);
	if (place->state == EVL_ENTERING && place->call.is_unsure)
		place->is_spent = 1;
	if (place->state == EVL_GUARDING)
		place->entry.guard = 0;
	if (place->state == EVL_GUARDING || (place->state == EVL_ENTERING && !place->is_spent))
		be_out(place);
	else
		leave(place, place->is_spent || place->is_freed ? &to_clear : &to_leave);
}

/* The place cannot be had, or is lost.  ended() comes last, because it may ask for the place
 * again. */
static void
end(struct evl_place *place, int error)
{
	place->wish = EVL_NOTHING;
	go_out(place);
	place->ended(place->arg, error);
}

/* --- Holding --------------------------------------------------------------------- */

static void
watch_own(struct evl_place *place, struct evl_watch *watch, char folder)
{
	char key[EVL_KEY_MAX + 1];

	if (!watch->is_on)
		evl_watches_start_one(watch, key, evl_ask_key(key, &place->entry, folder));
}

/* The watches of our own keys are kept for the next hold. */
static void
be_in(struct evl_place *place)
{
	evl_watches_stop_one(&place->ahead);
	place->state = EVL_IN;
	watch_own(place, &place->own, 'q');
	if (place->entry.is_exclusive)
		watch_own(place, &place->own_mark, 'x');
	place->granted(place->arg);
}

/* A check that is under way may have seen an earlier state of the store, so it is repeated. */
static void
check(struct evl_place *place)
{
	evl_call_stop(&place->call);
	place->state = EVL_CHECKING;
	evl_call_start(&place->call, &to_check);
}

/* Checks whether the place still exists, after the call that is under way. */
static void
look(struct evl_place *place)
{
	if (place->call.state != EVL_CALL_IDLE) {
		place->must_look = 1;
		return;
	}
	place->must_look = 0;
	place->is_looking = 1;
	evl_call_start(&place->call, &to_check);
}

/* --- Waiting --------------------------------------------------------------------- */

/* Goes on from the state of the store that the reply shows.  If there is no memory for a watch, the
 * place checks again after a pause. */
static void
wait_or_be_in(struct evl_place *place, const struct evl_reply *reply)
{
	place->looked = reply->revision;
	if (place->deleted > place->entry.revision) {
		end(place, ESTALE);
		return;
	}
	if (!reply->create_revision) {
		be_in(place);
		return;
	}
	place->state = EVL_WAITING;
	if (evl_watches_is_of(&place->ahead, reply->key, reply->key_size) ||
	    evl_watches_start_one(&place->ahead, reply->key, reply->key_size) == 0)
		return;
	place->state = EVL_CHECKING;
	evl_call_start_later(&place->call, &to_check);
}

/* A watch does not report what happened before it was set.  So if the store has moved on since the
 * last answer, the place checks again. */
static void
on_ahead(struct evl_watch *watch, enum evl_watch_news news, int64_t revision)
{
	struct evl_place *place = watch->arg;

	if (place->state != EVL_WAITING && place->state != EVL_CHECKING)
		return;
	if (news == EVL_WATCH_DENIED)
		end(place, EACCES);
	else if (news == EVL_WATCH_DELETED || revision > place->looked)
		check(place);
}

/* --- Watches of our own keys ----------------------------------------------------- */

static int
is_in_queue(const struct evl_place *place)
{
	return place->state == EVL_WAITING || place->state == EVL_CHECKING ||
	    place->state == EVL_IN;
}

/* A deletion before our entry was our own, at the end of an earlier hold.  A deletion that is
 * reported while we enter may be later than our entry, whose answer is still on its way. */
static void
note_own(struct evl_place *place, enum evl_watch_news news, int64_t revision)
{
	if (news == EVL_WATCH_DELETED && revision > place->deleted)
		place->deleted = revision;
	if (is_in_queue(place) && place->deleted > place->entry.revision)
		end(place, ESTALE);
	else if (place->state == EVL_IN && (news == EVL_WATCH_DENIED ||
	    (news == EVL_WATCH_SET && revision > place->looked)))
		look(place);
}

/* Weakening deletes the mark of an exclusive place. */
static int
is_marked(const struct evl_place *place)
{
	return place->entry.is_exclusive && !place->is_weakening;
}

/* The watch of the mark is set after this one.  One look will do for both keys. */
static void
on_own(struct evl_watch *watch, enum evl_watch_news news, int64_t revision)
{
	struct evl_place *place = watch->arg;
	const struct evl_watch *mark = &place->own_mark;

	if (news != EVL_WATCH_SET || !is_marked(place) || !mark->is_on || mark->is_set)
		note_own(place, news, revision);
}

static void
on_own_mark(struct evl_watch *watch, enum evl_watch_news news, int64_t revision)
{
	struct evl_place *place = watch->arg;

	if (is_marked(place))
		note_own(place, news, revision);
}

/* --- Answers --------------------------------------------------------------------- */

/* Either an earlier attempt was carried out after all, or the guard has changed, or another place
 * conflicts with a trial. */
static void
on_not_entered(struct evl_place *place, const struct evl_reply *reply)
{
	struct evl_entry *entry = &place->entry;
	int is_guard_same = reply->guard_revision == entry->guard;

	entry->guard = reply->guard_revision;
	if (reply->create_revision) {
		entry->revision = reply->create_revision;
		check(place);
	} else if (!entry->guard) {
		write_guard_first(place);
	} else if (!is_guard_same) {
		enter(place);
	} else {
		end(place, place->wish == EVL_A_TRY ? EAGAIN : EPROTO);
	}
}

static void
on_enter(struct evl_place *place, const struct evl_reply *reply)
{
	if (!reply->is_succeeded) {
		on_not_entered(place, reply);
		return;
	}
	place->entry.revision = place->entry.guard = reply->revision;
	wait_or_be_in(place, reply);
}

static void
on_guard(struct evl_place *place, const struct evl_reply *reply)
{
	place->entry.guard = reply->revision;
	enter(place);
}

static void
on_check(struct evl_place *place, const struct evl_reply *reply)
{
	if (reply->is_succeeded)
		wait_or_be_in(place, reply);
	else
		end(place, ESTALE);
}

/* The answer to a look, or to weakening. */
static void
on_held(struct evl_place *place, const struct evl_reply *reply)
{
	int was_weakening = place->is_weakening;

	place->is_weakening = place->is_looking = 0;
	if (!reply->is_succeeded) {
		end(place, ESTALE);
		return;
	}
	if (was_weakening)
		place->entry.is_exclusive = 0;
	place->looked = reply->revision;
	if (place->must_look)
		look(place);
}

/* If somebody else has changed the guard, all keys of the id are deleted. */
static void
on_leave(struct evl_place *place, const struct evl_reply *reply)
{
	if (place->call.question == &to_clear) {
		forget_keys(place);
	} else if (!reply->is_succeeded) {
		place->is_spent = 1;
		leave(place, &to_clear);
		return;
	}
	be_out(place);
}

static void
on_answer(struct evl_place *place, const struct evl_reply *reply)
{
	switch (place->state) {
	case EVL_GUARDING:
		on_guard(place, reply);
		break;
	case EVL_ENTERING:
		on_enter(place, reply);
		break;
	case EVL_CHECKING:
		on_check(place, reply);
		break;
	case EVL_IN:
		on_held(place, reply);
		break;
	default:
		on_leave(place, reply);
	}
}

/* --- Refusals -------------------------------------------------------------------- */

static void
refuse(struct evl_place *place, int error)
{
	if (!place->wish || (place->state != EVL_OUT && place->state != EVL_LEAVING))
		return;
	place->wish = EVL_NOTHING;
	place->ended(place->arg, error);
}

/* Other sessions would wait as long as this process lives.  So after a ttl the session gives up its
 * lease. */
static void
on_refused_leave(struct evl_place *place, const struct evl_reply *reply)
{
	struct evlock_etcd *session = place->session;
	int64_t time = evl_clock_now() - place->leaving;
	char reason[EVL_REASON_SIZE];

	snprintf(reason, sizeof reason, "a release is refused: %.100s", reply->reason);
	if (time > session->ttl * EVL_SECOND) {
		evl_session_lose(session, reason);
		return;
	}
	evl_net_note_reason(&session->net, reason, time > session->ttl * EVL_SECOND / 3);
	evl_call_start_later(&place->call, place->call.question);
	refuse(place, evl_session_error(reply->verdict));
}

static void
on_refusal(struct evl_place *place, const struct evl_reply *reply)
{
	if (place->state == EVL_LEAVING)
		on_refused_leave(place, reply);
	else if (place->state == EVL_IN)
		evl_call_start_later(&place->call, place->call.question);
	else
		end(place, evl_session_error(reply->verdict));
}

static void
on_reply(const struct evl_reply *reply, void *arg)
{
	struct evl_place *place = arg;

	if (reply->verdict == EVL_NO_LEASE && place->entry.lease == place->session->lease)
		evl_session_lose(place->session, "the cluster has ended the lease");
	else if (reply->verdict == EVL_ANSWERED)
		on_answer(place, reply);
	else
		on_refusal(place, reply);
}

/* --- For the session ------------------------------------------------------------- */

#define PLACE(tenant) ((struct evl_place *)(void *)(tenant))

static void
try_to_begin(struct evl_place *place)
{
	if (place->state == EVL_OUT && place->wish && evl_session_is_alive(place->session))
		begin(place);
}

static void
on_go(struct evl_tenant *tenant)
{
	try_to_begin(PLACE(tenant));
}

static void
on_lost(struct evl_tenant *tenant, int error)
{
	struct evl_place *place = PLACE(tenant);
	int was_wanted = place->wish && place->state != EVL_OUT && place->state != EVL_LEAVING,
	    was_out = place->state == EVL_OUT;

	stop(place);
	forget_keys(place);
	if (was_wanted)
		place->wish = EVL_NOTHING;
	if (!was_out)
		be_out(place);
	if (was_wanted)
		place->ended(place->arg, error);
}

static void
on_refused(struct evl_tenant *tenant, int error)
{
	refuse(PLACE(tenant), error);
}

static void
on_abandoned(struct evl_tenant *tenant)
{
	destroy(PLACE(tenant));
}

static const struct evl_tenant_ops ops = { on_go, on_lost, on_refused, on_abandoned };

/* --- For the lock ---------------------------------------------------------------- */

static int
init(struct evl_place *place, const char *name)
{
	struct evlock_etcd *session = place->session;
	char root[EVL_ROOT_MAX + 1];
	size_t room;

	evl_ask_root(root, session->prefix, name);
	room = strlen(root) + 3 + EVL_ID_MAX + 1;
	place->root = evl_memory_strdup(root);
	place->entry.root = place->root;
	place->name.text = place->root;
	place->entry.holder = session->holder;
	return !place->root || evl_names_add(&session->names, &place->name) ||
	    evl_call_init(&place->call, &session->calls, on_reply, place) ||
	    evl_watches_init_one(&place->ahead, &session->watches, room, on_ahead, place) ||
	    evl_watches_init_one(&place->own, &session->watches, room, on_own, place) ||
	    evl_watches_init_one(&place->own_mark, &session->watches, room, on_own_mark, place)
	    ? -1 : 0;
}

struct evl_place *
evl_place_new(struct evlock_etcd *session, const char *name,
    void (*granted)(void *arg), void (*ended)(void *arg, int error), void *arg)
{
	struct evl_place *place = evl_memory_alloc(sizeof *place);

	if (!place)
		return NULL;
	place->session = session;
	place->granted = granted;
	place->ended = ended;
	place->arg = arg;
	place->tenant.ops = &ops;
	evl_list_push(&session->tenants, &place->tenant.link);
	if (init(place, name) == 0)
		return place;
	destroy(place);
	errno = ENOMEM;
	return NULL;
}

struct evl_place *
evl_place_find(struct evlock_etcd *session, const char *name)
{
	char root[EVL_ROOT_MAX + 1];
	struct evl_name *found;

	evl_ask_root(root, session->prefix, name);
	found = evl_names_find(&session->names, root);
	return found ? EVL_CONTAINER(found, struct evl_place, name) : NULL;
}

void
evl_place_free(struct evl_place *place)
{
	place->is_freed = 1;
	evl_names_remove(&place->session->names, &place->name);
	place->wish = EVL_NOTHING;
	if (place->state == EVL_OUT)
		be_out(place);
	else
		evl_place_drop(place);
}

void
evl_place_want(struct evl_place *place, enum evl_wish wish, int is_exclusive)
{
	place->wish = wish;
	place->is_exclusive = (uint8_t)is_exclusive;
	try_to_begin(place);
}

/* A look that is under way is stopped, and repeated afterwards. */
void
evl_place_weaken(struct evl_place *place)
{
	place->must_look |= place->is_looking;
	place->is_looking = 0;
	evl_call_stop(&place->call);
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
