/* SPDX-License-Identifier: BSD-3-Clause */

/* The end of a step; see step.h. */

#include <errno.h>

#include "lock/check.h"
#include "lock/member.h"
#include "lock/notify.h"
#include "lock/step.h"
#include "loop/drain.h"

#define BODY(c) EVL_CONTAINER(c, struct evl_body, core)

/* --- What follows from a change ------------------------------------------- */

/* Lets a kind of lock, and those of its sets' other members, look at a change.  Returns whether
 * there was anybody to look. */
static int
look(struct evl_step *step, struct evl_body *body)
{
	int has_looked = body->kind->look != NULL;

	if (has_looked)
		body->kind->look(step, body);
	if (!evl_list_is_empty(&body->sets))
		has_looked |= evl_member_look(step, body);
	return has_looked;
}

/* Returns whether more may have changed by that. */
static int
look_at_all(struct evl_step *step)
{
	struct evl_core *core;
	int has_looked = 0;

	EVL_TOUCHED_EACH(core, &step->change) {
		if (!core->is_changed)
			continue;
		core->is_changed = 0;
		has_looked |= look(step, BODY(core));
	}
	return has_looked;
}

static void
tell_all(struct evl_step *step)
{
	struct evl_core *core;

	EVL_TOUCHED_EACH(core, &step->change)
		evl_notify_tell(&step->change, BODY(core), core->has_room);
}

/* --- Sending -------------------------------------------------------------- */

static void
push(struct evl_port *port, struct evl_seat *seat)
{
	evl_list_push(evl_drain_fifo(port), &seat->link);
	evl_drain_wake(port);
}

void
evl_step_send(struct evl_request *r)
{
	if (r->lock->body->guard)
		evl_lock_post(r->lock, &r->seat);
	else
		push(r->lock->port, &r->seat);
}

/* The object that it was made through is being freed, which tells it. */
static void
keep_for_end(struct evl_request *r)
{
	evl_lock_unawait(r->lock);
	evl_list_push(&r->lock->due, &r->seat.link);
}

/* A request in change->done has waited, or it would have been sent at once.  It counts as
 * waiting until its loop has it, so that the loop is kept alive by one or the other. */
static void
send_request(struct evl_change *change, struct evl_request *r)
{
	struct evlock *lock = r->lock;

	if (r->seat.state == EVL_GRANTED)
		evl_change_record(change, &lock->body->core, &r->seat, EVL_GAINS, 0);
	if (lock->is_ending) {
		keep_for_end(r);
		return;
	}
	lock->n_queued -= lock->body->guard != NULL;
	evl_step_send(r);
	if (lock->body->is_far)
		evl_letters_await(lock->port, (uint32_t)-1);
}

/* A notice, or an event. */
static void
send_watch(const struct evlock *lock, struct evl_seat *seat)
{
	if (lock->body->guard)
		evl_letters_post(lock->port, seat);
	else
		push(lock->port, seat);
}

static EVL_NOINLINE void
send_all(struct evl_step *step)
{
	struct evl_link *link;

	while ((link = evl_list_pop(&step->change.done))) {
		struct evl_seat *seat = EVL_SEAT(link);

		if (seat->role >= EVL_NOTICE)
			send_watch(evl_notify_lock(seat), seat);
		else
			send_request(&step->change, EVL_REQUEST(seat));
	}
}

/* Nothing of the step is left in the locks that it touched.  Those that it leaves without a
 * use are freed. */
static EVL_NOINLINE void
forget_all(struct evl_step *step)
{
	struct evl_core *core;

	while ((core = evl_change_next_touched(&step->change))) {
		struct evl_body *body = BODY(core);

		evl_check_lock(body);
		if (body->kind->retire)
			body->kind->retire(body);
	}
}

/* Somebody watches a lock that has changed. */
static EVL_NOINLINE void
settle(struct evl_step *step)
{
	if (step->change.unusual & (EVL_IS_LOOKED_AT | EVL_IS_IN_SET))
		while (look_at_all(step))
			evl_grant_finish(&step->change);
	if (step->change.unusual & (EVL_IS_TOLD | EVL_IS_IN_SET))
		tell_all(step);
}

void
evl_step_end(struct evl_step *step)
{
	int error = errno;

	if (step->change.dirty || step->change.doubted)
		evl_grant_finish(&step->change);
	if (step->change.unusual & (EVL_IS_WATCHED & ~EVL_IS_RETIRED))
		settle(step);
	if (!evl_list_is_empty(&step->change.done))
		send_all(step);
	if (step->change.touched)
		forget_all(step);
	if (step->guard)
		evl_guard_leave(step->guard);
	errno = error;
}
