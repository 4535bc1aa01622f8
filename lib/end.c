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
		evl_core_conclude(&r->seat, error, evl_lock_fifo(lock));
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
		evl_core_conclude(&r->seat, error, due ? due : step->out);
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

/* Moves what the port still has to deliver for `lock` to `due`.  What is void stays void. */
static void
collect_undelivered(struct evl_step *step, struct evlock *lock, struct evl_link *due)
{
	struct evl_link *link, *after;

	evl_port_collect(lock->port);
	EVL_LIST_EACH_SAFE(link, after, &lock->port->fifo) {
		struct evl_seat *seat = EVL_SEAT(link);
		int is_request = seat->kind < EVL_NOTICE;

		if (!is_request || EVL_REQUEST(seat)->lock != lock)
			continue;
		evl_list_remove(link);
		if (seat->state == EVL_VOID) {
			evl_list_push(due, link);
			continue;
		}
		if (seat->state == EVL_GRANTED && seat->kind != EVL_CONVERSION) {
			drop_others_conversion(step, EVL_REQUEST(seat));
			evl_outside_leave_hold(lock->body, seat);
			evl_step_release(step, evl_core_of(lock), seat);
		}
		evl_core_conclude(seat, outcome(seat, lock), due);
	}
}

/* What is held is let go; the requests stay in `over`, as failed ones, until all is told. */
static void
release_held(struct evl_step *step, struct evlock *lock, struct evl_link *over)
{
	struct evl_link *link;

	evl_lock_gather(lock);
	while ((link = evl_list_pop(&lock->held))) {
		drop_others_conversion(step, EVL_REQUEST(EVL_SEAT(link)));
		evl_outside_leave_hold(lock->body, EVL_SEAT(link));
		evl_step_release(step, evl_core_of(lock), EVL_SEAT(link));
		evl_core_conclude(EVL_SEAT(link), ECANCELED, over);
	}
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

static void
append(struct evl_link *list, struct evl_link *more)
{
	struct evl_link *link;

	while ((link = evl_list_pop(more)))
		evl_list_push(list, link);
}

void
evl_request_end_all(struct evlock *lock, int is_told)
{
	struct evl_core *core = evl_core_of(lock);
	struct evl_link due, waited, done, over;
	struct evl_step step = { .out = evl_lock_fifo(lock) };

	evl_list_init(&due);
	evl_list_init(&waited);
	evl_list_init(&done);
	evl_list_init(&over);
	if (lock->body->guard)
		evl_guard_send(lock->body->guard);
	collect_undelivered(&step, lock, &due);
	fail_list(&step, core, &core->ahead, lock, &waited, ECANCELED);
	fail_list(&step, core, &core->queue, lock, &waited, ECANCELED);
	append(&due, &waited);
	release_held(&step, lock, &over);
	evl_step_finish(&step);
	evl_core_promote(core, step.out);	/* a set may have lost its hold with the object */
	evl_lock_settle(lock, 1);
	if (is_told)
		tell_due(&due, &done);
	discard_list(&due);
	discard_list(&done);
	discard_list(&over);
}
