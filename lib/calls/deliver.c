/* SPDX-License-Identifier: BSD-3-Clause */

/* Delivers the seats that a port takes out of its FIFO.  Called from the loop, with no mutex held.
 * The step of a delivery ends, and leaves the guard, before the callback runs. */

#include <event2/event.h>

#include "base/cancel.h"
#include "calls/deliver.h"
#include "calls/end.h"
#include "calls/life.h"
#include "lock/notify.h"
#include "lock/step.h"
#include "loop/ports.h"

/** A callback to run after the end of the step. */
struct call {
	evlock_cb cb;
	struct evlock *lock;
	evlock_handle handle;
	int error;
	void *arg;
};

static inline void
prepare(struct call *call, const struct evl_request *r, int error)
{
	call->cb = r->cb;
	call->lock = r->lock;
	call->handle = evl_life_told_handle(r);
	call->error = error;
	call->arg = r->arg;
}

static inline void
make(const struct call *call)
{
	call->cb(call->lock, call->handle, call->error, call->arg);
}

/* --- A failed request, or a conversion: ends when its callback runs ----------- */

static void
end_use(struct evl_body *body)
{
	struct evl_step step;

	evl_step_begin(&step, body);
	if (body->kind->unuse)
		body->kind->unuse(body);
	evl_step_note(&step, body, 0);
	evl_step_end(&step);
}

/* Delivers the end of a request for a key.  The callback counts as a user of the key's lock, so
 * the lock stays until the callback returns or frees the table.  If the callback forks, it does
 * not count in the child. */
static void
deliver_keyed_end(struct evl_step *step, struct evl_request *r, int error)
{
	struct evl_body *body = r->lock->body;
	unsigned n_forks = evl_ports_n_forks;
	struct call call;

	prepare(&call, r, error);
	evl_lock_keep(body);
	body->kind->use(body);
	evl_end_discard(r);
	evl_step_end(step);
	make(&call);
	if (n_forks == evl_ports_n_forks)
		end_use(body);
	evl_lock_drop(body);
}

static void
deliver_end(struct evl_step *step, struct evl_request *r, int error)
{
	struct call call;

	if (r->lock->body->kind->use) {
		deliver_keyed_end(step, r, error);
		return;
	}
	prepare(&call, r, error);
	evl_end_discard(r);
	evl_step_end(step);
	make(&call);
}

/* --- A request that holds ----------------------------------------------------- */

/* Gives back the parts of the extra that only a waiting request needs. */
static void
deliver_extra(struct evl_step *step, struct evl_request *r)
{
	struct evl_extra *extra = evl_extra_of(r);

	evl_extra_stop_timer(extra);
	if (extra->notice_cb)
		evl_notify_hold(&step->change, r);
	else if (!extra->own.handle && !extra->ties.conversion && !extra->ties.is_bound)
		evl_extra_drop(r);
}

/* Releases the request after the callback of evlock_with().  The callback may have released it, or
 * freed the lock. */
static void
end_scope(const struct evl_pool *pool, struct evl_guard *guard, evlock_handle handle)
{
	struct evl_request *r;
	struct evl_step step;

	evl_step_begin_in(&step, guard);
	r = evl_handles_find(pool, handle);
	if (r)
		evl_end_request(&step, r);
	evl_step_end(&step);
}

/* If the callback forks, the child has nothing to release. */
static void
deliver_scoped(struct evl_step *step, struct evl_request *r)
{
	const struct evl_pool *pool = r->lock->pool;
	unsigned n_forks = evl_ports_n_forks;
	struct evl_guard *guard = step->guard;
	struct call call;

	prepare(&call, r, 0);
	if (guard)
		evl_guard_keep(guard);
	evl_step_end(step);
	make(&call);
	if (n_forks == evl_ports_n_forks)
		end_scope(pool, guard, call.handle);
	if (guard)
		evl_guard_drop(guard);
}

static void
deliver_hold(struct evl_step *step, struct evl_request *r)
{
	struct call call;

	evl_life_hold(r->lock, r);
	if (r->seat.ties)
		deliver_extra(step, r);
	if (r->seat.role == EVL_SCOPED) {
		deliver_scoped(step, r);
		return;
	}
	prepare(&call, r, 0);
	evl_step_end(step);
	make(&call);
}

/* --- A notice, or an event ---------------------------------------------------- */

static void
deliver_notice(struct evl_step *step, const struct evl_request *r)
{
	struct call call;

	prepare(&call, r, 0);
	call.cb = evl_extra_of(r)->notice_cb;
	evl_step_end(step);
	make(&call);
}

/* event_active() may wake a loop of another thread, even if only one thread uses the lock. */
static void
activate(const struct evl_watch *watch)
{
	int state = evl_cancel_disable();

	event_active(watch->ev, EV_TIMEOUT, 0);
	evl_cancel_restore(state);
}

static void
deliver_watch(struct evl_step *step, struct evl_seat *seat)
{
	int is_void = seat->state == EVL_VOID;

	seat->state = EVL_FREE;
	if (!is_void && seat->role == EVL_NOTICE) {
		deliver_notice(step, EVL_CONTAINER(seat, struct evl_extra, notice)->request);
		return;
	}
	if (!is_void)
		activate(EVL_CONTAINER(seat, struct evl_watch, seat));
	evl_step_end(step);
}

/* --- Any seat ----------------------------------------------------------------- */

/* Discards a request that ended before its delivery. */
static void
deliver_nothing(struct evl_step *step, struct evl_request *r)
{
	evl_step_note(step, r->lock->body, 0);
	evl_end_discard(r);
	evl_step_end(step);
}

static void
deliver_request(struct evl_step *step, struct evl_request *r)
{
	if (r->seat.state == EVL_VOID)
		deliver_nothing(step, r);
	else if (r->seat.state == EVL_FAILED)
		deliver_end(step, r, (int)r->seat.units);
	else if (r->seat.role == EVL_CONVERSION)
		deliver_end(step, r, 0);
	else
		deliver_hold(step, r);
}

static EVL_NOINLINE void
deliver_any(struct evl_seat *seat)
{
	struct evl_step step;

	if (seat->role >= EVL_NOTICE) {
		evl_step_begin(&step, evl_notify_lock(seat)->body);
		deliver_watch(&step, seat);
	} else {
		evl_step_begin(&step, EVL_REQUEST(seat)->lock->body);
		if (step.guard)
			EVL_REQUEST(seat)->lock->n_sent--;
		deliver_request(&step, EVL_REQUEST(seat));
	}
}

/* A request without ties, in a lock without a guard, is delivered without a step. */
static void
deliver(struct evl_seat *seat)
{
	struct evl_request *r = EVL_REQUEST(seat);

	if (seat->role != EVL_ACQUISITION || seat->state == EVL_FAILED || seat->ties) {
		deliver_any(seat);
		return;
	}
	evl_life_hold_plain(r->lock, r);
	r->cb(r->lock, r->handle, 0, r->arg);
}

static void
expire(struct evl_request *r)
{
	if (!r->lock->port->is_inherited)
		evl_end_expire(r);
}

const struct evl_port_calls evl_deliver_calls = { deliver, expire };
