/* SPDX-License-Identifier: BSD-3-Clause */

/* Ends that nobody asked for by a handle: a timeout, the close of a lock, the end
 * of one of its objects.  Called in a step but for the first two, which are one. */

#include "life.h"
#include "outside.h"

void
evl_request_fail(struct evl_request *r, int error)
{
	struct evlock *lock = r->lock;
	struct evl_guard *guard = evl_body_enter(lock->body);

	if (r->seat.state == EVL_QUEUED) {
		evl_core_withdraw(evl_core_of(lock), &r->seat, evl_lock_fifo(lock));
		evl_core_conclude(evl_core_of(lock), &r->seat, error, evl_lock_fifo(lock));
		evl_lock_settle(lock, 1);
	}
	evl_body_leave(guard);
}

void
evl_request_expire(struct evl_request *r)
{
	evl_request_fail(r, ETIMEDOUT);
}

/* Moves those of `list` who were asked for through `lock`, or all if that is NULL,
 * to where their callbacks are due: `due`, or their own port. */
static void
fail_list(struct evl_step *step, struct evl_core *core, struct evl_link *list,
    const struct evlock *lock, struct evl_link *due, int error)
{
	struct evl_link *link, *after;

	evl_core_sweep(core);
	EVL_LIST_EACH_SAFE(link, after, list) {
		struct evl_request *r = EVL_REQUEST(EVL_SEAT(link));

		if (r->seat.kind == EVL_MEMBER || r->seat.kind == EVL_OUTSIDE
		    || (lock && r->lock != lock))
			continue;
		evl_step_withdraw(step, core, &r->seat);
		if (due)
			evl_lock_unawait(r->lock);
		evl_core_conclude(core, &r->seat, error, due ? due : step->out);
	}
}

void
evl_request_fail_all(struct evl_step *step, struct evlock *lock, int error)
{
	struct evl_core *core = evl_core_of(lock);

	fail_list(step, core, &core->ahead, NULL, NULL, error);
	fail_list(step, core, &core->queue, NULL, NULL, error);
}

/* --- Ending everything ---------------------------------------------------- */

/* What is converted goes, and with it a conversion that still waits, and was asked for
 * through another object: this one's fail, and are told.  One that waits no more goes when
 * its request is discarded. */
static void
drop_others_conversion(struct evl_step *step, struct evl_request *r)
{
	const struct evl_seat *c = r->seat.ties ? r->seat.ties->conversion : NULL;

	if (c && c->state == EVL_QUEUED && EVL_REQUEST(c)->lock != r->lock)
		evl_request_drop_conversion(step, r);
}

/* What a request that was not told yet is told, as `lock` is freed.  A conversion that has been
 * given stays so, if the handle was made through another object. */
static int
outcome(const struct evl_seat *seat, const struct evlock *lock)
{
	if (seat->state == EVL_FAILED)
		return (int)seat->units;
	if (seat->kind == EVL_CONVERSION && EVL_REQUEST(seat->ties->of)->lock != lock)
		return 0;
	return ECANCELED;
}

static void
let_go(struct evl_step *step, struct evl_request *r)
{
	drop_others_conversion(step, r);
	evl_outside_leave_hold(r->lock->body, &r->seat);
	evl_step_release(step, evl_core_of(r->lock), &r->seat);
}

/* Takes what the port still has to deliver, if it is of an object that ends, and puts it before
 * `place`, or if that is NULL, at the end of the object's list.  What is void stays void, and what
 * failed before keeps its errno.  Returns how much of owed() that was. */
static uint32_t
take(struct evl_step *step, struct evl_link *link, struct evl_link *place)
{
	struct evl_seat *seat = EVL_SEAT(link);
	struct evlock *lock = seat->kind < EVL_NOTICE ? EVL_REQUEST(seat)->lock : NULL;
	uint32_t weight;

	if (!lock || !lock->is_ending)
		return 0;
	evl_list_remove(link);
	lock->n_sent -= lock->body->guard != NULL;
	weight = lock->body->guard || evl_seat_is_over(seat) ? 1 : seat->units;
	place = place ? place : &lock->due;
	if (seat->state == EVL_VOID || seat->state == EVL_FAILED) {
		evl_list_push(place, link);
		return weight;
	}
	if (seat->kind != EVL_CONVERSION)
		let_go(step, EVL_REQUEST(seat));
	evl_core_conclude(evl_core_of(lock), seat, outcome(seat, lock), place);
	return weight;
}

/* How much the port has to deliver for an object, or more: requests, if it has a guard; else the
 * units that are granted, and those who failed or were converted. */
static uint64_t
owed(struct evlock *lock)
{
	const struct evl_core *core = evl_core_of(lock);
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

/* What is owed to one object.  The FIFO is looked through from both its ends: locks are often freed
 * in the order in which they were granted, or the other way round. */
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

/* What is owed to all objects that end, in one pass. */
static void
collect_all(struct evl_step *step, struct evl_port *port)
{
	struct evl_link *link, *after;

	EVL_LIST_EACH_SAFE(link, after, &port->fifo)
		take(step, link, NULL);
}

/* Those who wait fail, and what is held is let go.  The holders stay, as requests that have failed,
 * until all is told. */
static void
clear(struct evl_step *step, struct evlock *lock)
{
	struct evl_core *core = evl_core_of(lock);
	struct evl_link *link, over;

	fail_list(step, core, &core->ahead, lock, &lock->due, ECANCELED);
	fail_list(step, core, &core->queue, lock, &lock->due, ECANCELED);
	evl_list_init(&over);
	evl_lock_gather(lock);
	while ((link = evl_list_pop(&lock->held))) {
		let_go(step, EVL_REQUEST(EVL_SEAT(link)));
		evl_core_conclude(core, EVL_SEAT(link), ECANCELED, &over);
	}
	if (!evl_list_is_empty(&over))
		evl_list_move(&over, &lock->held);
}

/* Tells one who is due, in no step; the callback may end the request. */
static void
tell(const struct evl_request *r)
{
	const struct evl_body *body = r->lock->body;
	evlock_handle handle = evl_request_told_handle(r);
	evlock_cb cb = r->cb;
	int error = (int)r->seat.units;
	void *arg = r->arg;

	evl_body_leave(body->guard);
	cb(r->lock, handle, error, arg);
	evl_body_enter(body);
}

/* Runs the callbacks of those who are due, and moves them to `done`. */
static void
tell_due(struct evl_link *due, struct evl_link *done)
{
	struct evl_link *link;

	while ((link = evl_list_pop(due))) {
		struct evl_request *r = EVL_REQUEST(EVL_SEAT(link));

		evl_list_push(done, link);
		if (r->seat.state == EVL_FAILED)
			tell(r);
	}
}

/* Discards the requests of a list.  One may take its conversion along, out of
 * whatever list that is in. */
static void
discard_list(struct evl_link *list)
{
	struct evl_link *link;

	while ((link = evl_list_pop(list)))
		evl_request_discard(EVL_REQUEST(EVL_SEAT(link)));
}

/* The object takes no more requests, by short cuts neither. */
static void
mark(struct evlock *lock)
{
	evl_list_init(&lock->due);
	lock->is_ending = 1;
	lock->quick = &evl_no_pool;
}

/* All that is on its way to the port is in its FIFO then. */
static void
begin(struct evl_step *step, struct evlock *lock)
{
	*step = (struct evl_step){ .out = evl_lock_fifo(lock) };
	if (lock->body->guard)
		evl_guard_send(lock->body->guard);
	evl_port_collect(lock->port);
}

/* The callbacks that are still due run.  They may end requests that are due, too. */
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

static int
has_ended_any(const struct evlock *lock)
{
	return !evl_list_is_empty(&lock->due) || !evl_list_is_empty(&lock->held);
}

void
evl_request_end_all(struct evlock *lock)
{
	struct evl_step step;

	begin(&step, lock);
	mark(lock);
	collect_own(&step, lock);
	clear(&step, lock);
	evl_step_finish(&step);
	evl_core_promote(evl_core_of(lock), step.out);	/* a set may have lost its hold with the object */
	if (!lock->body->set || has_ended_any(lock))	/* nobody gains by the end of an idle set */
		evl_lock_settle(lock, 1);
	finish(lock);
}

void
evl_request_end_each(struct evl_link *locks)
{
	struct evl_link *link;
	struct evl_step step;

	if (evl_list_is_empty(locks))
		return;
	begin(&step, EVL_LOCK(locks->next));
	EVL_LIST_EACH(link, locks)
		mark(EVL_LOCK(link));
	collect_all(&step, EVL_LOCK(locks->next)->port);
	EVL_LIST_EACH(link, locks)
		clear(&step, EVL_LOCK(link));
	evl_step_finish(&step);
	EVL_LIST_EACH(link, locks)
		evl_lock_settle(EVL_LOCK(link), 1);
	EVL_LIST_EACH(link, locks)
		finish(EVL_LOCK(link));
}
