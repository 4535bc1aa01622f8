/* SPDX-License-Identifier: BSD-3-Clause */

/* Ends one request by a release, a withdrawal, a timeout or a failure.  Called in a step, in the
 * thread of the lock's base or, if the lock has a guard, in any thread. */

#include <errno.h>

#include "calls/end.h"
#include "calls/life.h"
#include "lock/notify.h"
#include "lock/step.h"
#include "rules/grant.h"

/* Has the wait of a request ended in a guarded lock, and has the thread of its base not yet
 * delivered that? */
static inline int
is_in_transit(const struct evl_request *r)
{
	return r->lock->body->guard && (r->seat.state == EVL_GRANTED ||
	    r->seat.state == EVL_FAILED || r->seat.state == EVL_VOID);
}

/* --- Its memory -------------------------------------------------------------- */

static void
dismiss_conversion(struct evl_seat *conversion)
{
	struct evl_request *r = EVL_REQUEST(conversion);

	if (conversion->state != EVL_FREE && !is_in_transit(r))
		evl_list_remove(&conversion->link);
	evl_end_dismiss(r);
}

/* Detaches a request from its conversion, its owner, its set, and its handle and notice.
 * Idempotent. */
static void
detach(struct evl_request *r)
{
	struct evl_extra *extra = evl_extra_of(r);

	if (extra->ties.conversion)
		dismiss_conversion(extra->ties.conversion);
	if (extra->ties.of)
		extra->ties.of->ties->conversion = NULL;
	extra->ties.of = NULL;
	if (extra->group)
		r->lock->body->kind->unbind(r->lock, extra);
	evl_ties_disown(&extra->ties);
	if (extra->own.handle)
		evl_chosen_remove(r->lock->pool, extra);
	if (extra->notice_cb)
		evl_notify_release(r);
	extra->notice_cb = NULL;
}

void
evl_end_discard_extra(struct evl_request *r)
{
	struct evl_extra *extra = evl_extra_of(r);

	detach(r);
	if (extra->notice.state == EVL_VOID) {
		evl_letters_collect(r->lock->port);
		evl_list_remove(&extra->notice.link);
	}
	evl_extra_drop(r);
}

void
evl_end_hide(struct evl_request *r)
{
	r->handle |= EVL_HIDDEN;
	if (r->seat.ties)
		detach(r);
}

/* Makes `r` VOID.  The thread of its base frees it later. */
static void
void_request(struct evl_request *r)
{
	evl_lock_core(r->lock)->n_over -= (uint32_t)evl_ties_are_over(&r->seat);
	r->seat.state = EVL_VOID;
	evl_end_hide(r);
}

void
evl_end_dismiss(struct evl_request *r)
{
	if (is_in_transit(r)) {
		void_request(r);
	} else if (!r->lock->body->guard || !r->seat.ties || evl_letters_is_home(r->lock->port)) {
		evl_end_discard(r);
	} else {
		void_request(r);
		evl_lock_post(r->lock, &r->seat);
	}
}

/* --- Leaving ------------------------------------------------------------------ */

void
evl_end_let_go(struct evl_step *step, struct evl_request *r, int error)
{
	evl_lock_let_go(step, r->lock->body, &r->seat);
	evl_grant_release(&step->change, evl_lock_core(r->lock), &r->seat, error);
}

static void
withdraw(struct evl_step *step, struct evl_request *r)
{
	struct evl_core *core = evl_lock_core(r->lock);

	evl_change_record(&step->change, core, &r->seat, EVL_WITHDRAWS, 0);
	evl_grant_withdraw(&step->change, core, &r->seat);
	evl_lock_unawait(r->lock);
}

/* A request in transit stays in its list, and becomes VOID. */
static void
leave_transit(struct evl_step *step, struct evl_request *r, int error)
{
	if (r->seat.state == EVL_GRANTED && r->seat.role != EVL_CONVERSION)
		evl_end_let_go(step, r, error);
	r->seat.state = EVL_VOID;
}

/* Takes `r` out of its list and ends its hold, if it has not left yet. */
static void
leave(struct evl_step *step, struct evl_request *r, int error)
{
	evl_lock_core(r->lock)->n_over -= (uint32_t)evl_ties_are_over(&r->seat);
	if (is_in_transit(r)) {
		leave_transit(step, r, error);
		return;
	}
	if (r->seat.state == EVL_QUEUED) {
		withdraw(step, r);
	} else if (r->seat.state != EVL_FREE) {
		evl_life_unlink(r->lock, r);
		if (evl_ties_are_held(&r->seat) && r->seat.role != EVL_CONVERSION)
			evl_end_let_go(step, r, error);
	}
	r->seat.state = EVL_FREE;
}

void
evl_end_leave(struct evl_step *step, struct evl_request *r, int error)
{
	if (r->seat.ties && r->seat.ties->conversion)
		leave(step, EVL_REQUEST(r->seat.ties->conversion), 0);
	leave(step, r, error);
}

void
evl_end_conversion(struct evl_step *step, struct evl_request *r)
{
	struct evl_seat *conversion = r->seat.ties->conversion;

	leave(step, EVL_REQUEST(conversion), 0);
	dismiss_conversion(conversion);
}

void
evl_end_request(struct evl_step *step, struct evl_request *r)
{
	evl_end_leave(step, r, 0);
	evl_step_note(step, r->lock->body, 0);
	evl_end_dismiss(r);
}

/* --- Failing ------------------------------------------------------------------ */

/* Grants those requests first that `r` has blocked, so their callbacks run before its own. */
static void
fail(struct evl_step *step, struct evl_request *r, int error)
{
	struct evl_core *core = evl_lock_core(r->lock);

	evl_grant_withdraw(&step->change, core, &r->seat);
	evl_grant_finish(&step->change);
	evl_change_fail(&step->change, core, &r->seat, error);
}

void
evl_end_fail(struct evl_request *r, int error)
{
	struct evl_step step;

	evl_step_begin(&step, r->lock->body);
	if (r->seat.state == EVL_QUEUED)
		fail(&step, r, error);
	evl_step_end(&step);
}

void
evl_end_expire(struct evl_request *r)
{
	evl_end_fail(r, ETIMEDOUT);
}
