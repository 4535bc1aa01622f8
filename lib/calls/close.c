/* SPDX-License-Identifier: BSD-3-Clause */

/* Ends many requests at once, when a lock is closed, or when a lock object or a member of a set is
 * freed.  All of them end before any other request is granted what they leave. */

#include <errno.h>

#include "calls/close.h"
#include "calls/end.h"
#include "calls/life.h"
#include "lock/member.h"
#include "lock/step.h"
#include "rules/bound.h"
#include "rules/grant.h"

/* Fails the waiters in `list` that were made through `lock`.  NULL: fails all. */
static void
fail_list(struct evl_step *step, struct evl_core *core, struct evl_link *list,
    struct evlock *lock, int error)
{
	struct evl_link *link, *after;

	evl_core_sweep(core);
	EVL_LIST_EACH_SAFE(link, after, list) {
		struct evl_request *r = EVL_REQUEST(EVL_SEAT(link));

		if (r->seat.role == EVL_MEMBER || r->seat.role == EVL_OUTSIDE ||
		    (lock && r->lock != lock))
			continue;
		evl_grant_withdraw(&step->change, core, &r->seat);
		evl_change_fail(&step->change, core, &r->seat, error);
	}
}

void
evl_close_fail_all(struct evl_step *step, struct evl_body *body, int error)
{
	fail_list(step, &body->core, &body->core.ahead, NULL, error);
	fail_list(step, &body->core, &body->core.queue, NULL, error);
}

/* --- Sets ------------------------------------------------------------------- */

/* Fails the waiters of each set that has `object` as a member.  NULL: any object of `body`. */
static void
fail_sets(struct evl_step *step, struct evl_body *body, const struct evlock *object, int error)
{
	struct evl_link *link;

	EVL_LIST_EACH(link, &body->sets)
		if (!object || EVL_MEMBER_LINK(link)->lock == object)
			evl_close_fail_all(step, EVL_MEMBER_LINK(link)->body, error);
}

void
evl_close_fail_sets(struct evl_step *step, struct evl_body *body, int error)
{
	fail_sets(step, body, NULL, error);
}

/* Closes those sets.  Closes all of them before any waiter fails, because the sets may share
 * members. */
static void
close_sets(struct evl_step *step, struct evl_body *body, const struct evlock *object)
{
	struct evl_link *link;

	EVL_LIST_EACH(link, &body->sets)
		if (!object || EVL_MEMBER_LINK(link)->lock == object)
			evl_core_mark(&EVL_MEMBER_LINK(link)->body->core, EVL_IS_CLOSED);
	fail_sets(step, body, object, ECANCELED);
}

/* Ends the holds of the set's requests in member `m`, and takes `m` out of the set. */
static void
leave_set(struct evl_step *step, struct evl_member *m)
{
	struct evl_link *group;

	EVL_LIST_EACH(group, &evl_member_set(m)->groups) {
		struct evl_ties *ties = evl_member_part_held(m, EVL_GROUP(group));

		if (m->is_seated && ties)
			evl_bound_abandon(&step->change, ties);
	}
	m->lock = NULL;
	evl_list_remove(&m->link);
	evl_list_init(&m->link);
	evl_step_touch(step, m->body, 0);
}

void
evl_close_sets_of(struct evlock *lock)
{
	struct evl_link *link, *after;
	struct evl_step step;

	evl_step_begin(&step, lock->body);
	close_sets(&step, lock->body, lock);
	EVL_LIST_EACH_SAFE(link, after, &lock->body->sets)
		if (EVL_MEMBER_LINK(link)->lock == lock)
			leave_set(&step, EVL_MEMBER_LINK(link));
	evl_step_touch(&step, lock->body, 0);
	evl_lock_update_watched(lock->body);
	evl_step_end(&step);
}

/* --- Closing ------------------------------------------------------------------ */

void
evlock_close(struct evlock *lock)
{
	struct evl_step step;

	evl_step_begin(&step, lock->body);
	if (!evl_core_is(evl_lock_core(lock), EVL_IS_CLOSED)) {
		evl_core_mark(evl_lock_core(lock), EVL_IS_CLOSED);
		close_sets(&step, lock->body, NULL);
		evl_close_fail_all(&step, lock->body, ECANCELED);
		evl_step_touch(&step, lock->body, 1);
	}
	evl_step_end(&step);
}

/* --- Ending the requests of an object ----------------------------------------- */

/* Freeing an object drops waiting conversions that were made through other objects.  Those made
 * through this one fail and are called back.  A conversion that no longer waits is dropped when
 * its request is discarded. */
static void
drop_others_conversion(struct evl_step *step, struct evl_request *r)
{
	const struct evl_seat *c = r->seat.ties ? r->seat.ties->conversion : NULL;

	if (c && c->state == EVL_QUEUED && EVL_REQUEST(c)->lock != r->lock)
		evl_end_conversion(step, r);
}

/* Returns the error for a request whose callback is still due when `lock` is freed.  A granted
 * conversion succeeds if the converted handle was made through another object. */
static int
outcome(const struct evl_seat *seat, const struct evlock *lock)
{
	if (seat->state == EVL_FAILED)
		return (int)seat->units;
	if (seat->role == EVL_CONVERSION && EVL_REQUEST(seat->ties->of)->lock != lock)
		return 0;
	return ECANCELED;
}

static void
let_go(struct evl_step *step, struct evl_request *r)
{
	drop_others_conversion(step, r);
	evl_end_let_go(step, r, 0);
}

/* Moves a request of an object that ends from the port's FIFO to the object's list, before `place`
 * or, if that is NULL, to the end.  A VOID request stays VOID, and a FAILED one keeps its errno.
 * Returns the share of the request in owed(), 0 if it was not moved. */
static uint32_t
take(struct evl_step *step, struct evl_link *link, struct evl_link *place)
{
	struct evl_seat *seat = EVL_SEAT(link);
	struct evlock *lock = seat->role < EVL_NOTICE ? EVL_REQUEST(seat)->lock : NULL;
	uint32_t weight;

	if (!lock || !lock->is_ending)
		return 0;
	evl_list_remove(link);
	lock->n_sent -= lock->body->guard != NULL;
	weight = lock->body->guard || evl_ties_are_over(seat) ? 1 : seat->units;
	place = place ? place : &lock->due;
	if (seat->state == EVL_VOID || seat->state == EVL_FAILED) {
		evl_list_push(place, link);
		return weight;
	}
	if (seat->role != EVL_CONVERSION)
		let_go(step, EVL_REQUEST(seat));
	evl_core_conclude(evl_lock_core(lock), seat, outcome(seat, lock), place);
	return weight;
}

/* Returns an upper bound of what the port still has to deliver for an object.  With a guard,
 * counts requests.  Without one, counts granted units, failed requests and conversions. */
static uint64_t
owed(struct evlock *lock)
{
	const struct evl_core *core = evl_lock_core(lock);
	uint64_t owed = core->n_over;
	struct evl_link *link;
	unsigned m;

	if (lock->body->guard)
		return lock->n_sent;
	for (m = 0; m < core->n_modes; m++)
		owed += evl_core_held(core)[m];
	evl_lock_gather(lock);
	EVL_LIST_EACH(link, &lock->held)
		owed -= EVL_SEAT(link)->units;
	return owed;
}

/* Collects what the FIFO has for one object.  Searches the FIFO from both ends, because locks are
 * often freed in the order of their grants, or in the reverse order. */
static void
collect_own(struct evl_step *step, struct evlock *lock)
{
	struct evl_link *fifo = &lock->port->fifo, *first = fifo->next, *last = fifo->prev, *link;
	struct evl_link *place = &lock->due;
	uint64_t rest = owed(lock);
	uint32_t weight;

	while (rest && first != fifo) {
		link = first;
		first = link->next;
		rest -= take(step, link, place);
		if (link == last || !rest)
			break;
		link = last;
		last = link->prev;
		weight = take(step, link, place);
		rest -= weight;
		place = weight ? link : place;
		if (link == first)
			break;
	}
}

/* Collects what the FIFO has for all objects that end, in one pass. */
static void
collect_all(struct evl_step *step, struct evl_port *port)
{
	struct evl_link *link, *after;

	EVL_LIST_EACH_SAFE(link, after, &port->fifo)
		take(step, link, NULL);
}

/* Fails the waiters of an object and ends its holds.  The holders stay in the object's list as
 * FAILED requests until all callbacks have run. */
static void
clear(struct evl_step *step, struct evlock *lock)
{
	struct evl_core *core = evl_lock_core(lock);
	struct evl_link *link, over;

	fail_list(step, core, &core->ahead, lock, ECANCELED);
	fail_list(step, core, &core->queue, lock, ECANCELED);
	evl_list_init(&over);
	evl_lock_gather(lock);
	while ((link = evl_list_pop(&lock->held))) {
		let_go(step, EVL_REQUEST(EVL_SEAT(link)));
		evl_core_conclude(core, EVL_SEAT(link), ECANCELED, &over);
	}
	if (!evl_list_is_empty(&over))
		evl_list_move(&over, &lock->held);
}

/* The arguments of a callback, which outlive the request. */
struct message {
	struct evlock *lock;
	evlock_handle handle;
	evlock_cb cb;
	void *arg;
	int error;
};

static struct message
message(const struct evl_request *r)
{
	return (struct message){ r->lock, evl_life_told_handle(r), r->cb, r->arg,
	    (int)r->seat.units };
}

/* Runs a callback, with the guard left.  Called in no step. */
static void
send(const struct message *m)
{
	const struct evl_body *body = m->lock->body;

	evl_lock_leave(body->guard);
	m->cb(m->lock, m->handle, m->error, m->arg);
	evl_lock_enter(body);
}

/* Runs the callback of `r`, whose handle is unknown from now on. */
static void
tell(struct evl_request *r)
{
	struct message only = message(r);

	evl_end_hide(r);
	send(&only);
}

/* Runs the callback of `r`, and right after it that of its conversion, which is due too. */
static void
tell_both(struct evl_request *r, struct evl_request *conversion)
{
	struct message first = message(r), second = message(conversion);

	evl_end_hide(conversion);
	evl_end_hide(r);
	send(&first);
	send(&second);
}

/* Moves the conversion of `r` to `done` and returns it, if its callback is due.  Else returns
 * NULL. */
static struct evl_request *
take_conversion(const struct evl_request *r, struct evl_link *done)
{
	struct evl_seat *seat = r->seat.ties ? r->seat.ties->conversion : NULL;

	if (!seat || seat->state != EVL_FAILED || EVL_REQUEST(seat)->lock != r->lock)
		return NULL;
	evl_list_remove(&seat->link);
	evl_list_push(done, &seat->link);
	return EVL_REQUEST(seat);
}

/* Runs the callbacks that are due, and moves the requests to `done`.  A request that is ended by
 * an earlier callback is not called back. */
static void
tell_due(struct evl_link *due, struct evl_link *done)
{
	struct evl_link *link;

	while ((link = evl_list_pop(due))) {
		struct evl_request *r = EVL_REQUEST(EVL_SEAT(link)), *conversion;

		evl_list_push(done, link);
		if (r->seat.state != EVL_FAILED)
			continue;
		conversion = take_conversion(r, done);
		if (conversion)
			tell_both(r, conversion);
		else
			tell(r);
	}
}

/* Discards the requests of a list.  Discarding a request also discards its conversion, which may be
 * in another list. */
static void
discard_list(struct evl_link *list)
{
	struct evl_link *link;

	while ((link = evl_list_pop(list)))
		evl_end_discard(EVL_REQUEST(EVL_SEAT(link)));
}

/* Makes the object refuse new requests, on the short paths too. */
static void
mark(struct evlock *lock)
{
	evl_list_init(&lock->due);
	lock->is_ending = 1;
	if (!lock->body->guard)
		evl_core_mark(evl_lock_core(lock), EVL_NEEDS_STEP);
}

/* Runs the callbacks that are still due.  A callback may end other requests that are due. */
static void
finish(struct evlock *lock)
{
	struct evl_link done;

	evl_list_init(&done);
	tell_due(&lock->due, &done);
	discard_list(&lock->due);
	discard_list(&done);
	discard_list(&lock->held);
}

void
evl_close_object(struct evlock *lock)
{
	struct evl_guard *guard;
	struct evl_step step;

	evl_step_begin(&step, lock->body);
	evl_letters_collect(lock->port);
	mark(lock);
	collect_own(&step, lock);
	clear(&step, lock);
	evl_step_touch(&step, lock->body, 1);
	evl_step_end(&step);
	guard = evl_lock_enter(lock->body);
	finish(lock);
	evl_lock_leave(guard);
}

/* Clears all objects in one step, as they belong to one table. */
static void
clear_all(struct evl_link *locks)
{
	struct evl_port *port = EVL_LOCK(locks->next)->port;
	struct evl_link *link;
	struct evl_step step;

	evl_step_begin(&step, EVL_LOCK(locks->next)->body);
	evl_letters_collect(port);
	EVL_LIST_EACH(link, locks)
		mark(EVL_LOCK(link));
	collect_all(&step, port);
	EVL_LIST_EACH(link, locks)
		clear(&step, EVL_LOCK(link));
	evl_step_end(&step);
}

void
evl_close_objects(struct evl_link *locks)
{
	struct evl_guard *guard;
	struct evl_link *link;

	if (evl_list_is_empty(locks))
		return;
	clear_all(locks);
	guard = evl_lock_enter(EVL_LOCK(locks->next)->body);
	EVL_LIST_EACH(link, locks)
		finish(EVL_LOCK(link));
	evl_lock_leave(guard);
}
