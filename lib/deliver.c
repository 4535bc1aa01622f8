/* SPDX-License-Identifier: BSD-3-Clause */

/* Delivering: what a port does for a seat that comes out of its FIFO.  Called from
 * the loop, with no mutex held: the step that a request takes is over, and its guard
 * left, before its callback runs. */

#include "life.h"
#include "outside.h"

/** What is to be called when the step is over. */
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
	call->handle = evl_request_told_handle(r);
	call->error = error;
	call->arg = r->arg;
}

static inline void
make(const struct call *call)
{
	call->cb(call->lock, call->handle, call->error, call->arg);
}

/* The step that granted or ended it has told those around the locks that it began with; the
 * request may have had others, and stood before somebody there. */
static inline void
tell_around(struct evl_request *r)
{
	if (r->seat.ties && evl_core_of(r->lock)->is_watched)
		evl_tell(r->lock, 0);
}

/* --- A request, or a conversion, that is gone when it is told ----------------- */

static void
end_use(struct evl_body *body)
{
	struct evl_guard *guard = evl_body_enter(body);

	if (body->keyed)
		evl_keyed_drop(body);
	evl_body_leave(guard);
}

/* That of a key: its lock stays until the callback has run, or frees the table.  Until then
 * the callback is one more user, but not in a child that it has forked. */
static void
deliver_keyed_end(struct evl_request *r, struct evl_guard *guard, int error)
{
	struct evl_body *body = r->lock->body;
	unsigned n_forks = evl_port_n_forks;
	struct call call;

	prepare(&call, r, error);
	evl_body_keep(body);
	evl_keyed_use(body);
	evl_request_discard(r);
	evl_body_leave(guard);
	make(&call);
	if (n_forks == evl_port_n_forks)
		end_use(body);
	evl_body_drop(body);
}

static void
deliver_end(struct evl_request *r, struct evl_guard *guard, int error)
{
	struct call call;

	tell_around(r);
	if (r->lock->body->keyed) {
		deliver_keyed_end(r, guard, error);
		return;
	}
	prepare(&call, r, error);
	evl_request_discard(r);
	evl_body_leave(guard);
	make(&call);
}

/* --- One that holds ----------------------------------------------------------- */

/* The wait is over: gives back what only the wait needed. */
static void
deliver_extra(struct evlock *lock, struct evl_request *r)
{
	struct evl_extra *extra = evl_extra_of(r);

	evl_extra_stop_timer(extra);
	if (extra->notice_cb)
		evl_tell_holds(lock, extra);
	else if (!extra->own.handle && !extra->ties.conversion && !extra->ties.is_bound)
		evl_extra_drop(lock->port, r);
}

/* Releases what the callback of evlock_with() may have released itself, or freed the
 * lock of. */
static void
end_scope(const struct evl_pool *pool, struct evl_guard *guard, evlock_handle handle)
{
	struct evl_request *r;

	if (guard)
		evl_guard_enter(guard);
	r = evl_pool_find(pool, handle);
	if (r)
		evl_request_end(r);
	evl_body_leave(guard);
}

/* A child that the callback has forked has nothing to release. */
static void
deliver_scoped(struct evl_request *r, struct evl_guard *guard)
{
	const struct evl_pool *pool = r->lock->pool;
	unsigned n_forks = evl_port_n_forks;
	struct call call;

	prepare(&call, r, 0);
	if (guard)
		evl_guard_keep(guard);
	evl_body_leave(guard);
	make(&call);
	if (n_forks == evl_port_n_forks)
		end_scope(pool, guard, call.handle);
	if (guard)
		evl_guard_drop(guard);
}

static EVL_NOINLINE void
deliver_hold(struct evl_request *r, struct evl_guard *guard)
{
	struct call call;

	evl_request_hold(r->lock, r);
	tell_around(r);
	if (r->seat.ties)
		deliver_extra(r->lock, r);
	if (r->seat.kind == EVL_SCOPED) {
		deliver_scoped(r, guard);
		return;
	}
	prepare(&call, r, 0);
	evl_body_leave(guard);
	make(&call);
}

/* --- Any ---------------------------------------------------------------------- */

/* A request that has ended on its way. */
static void
deliver_nothing(struct evl_request *r, struct evl_guard *guard)
{
	struct evl_body *body = r->lock->body;

	evl_request_discard(r);
	evl_lock_retire(body);
	evl_body_leave(guard);
}

static EVL_NOINLINE void
deliver_special(struct evl_seat *seat)
{
	struct evl_request *r = EVL_REQUEST(seat);
	struct evl_guard *guard;

	if (seat->kind == EVL_OUTSIDE) {
		evl_outside_deliver(seat);
		return;
	}
	if (seat->kind >= EVL_NOTICE) {
		evl_tell_deliver(seat);
		return;
	}
	guard = evl_body_enter(r->lock->body);
	if (guard)
		r->lock->n_sent--;
	if (seat->state == EVL_VOID)
		deliver_nothing(r, guard);
	else if (seat->state == EVL_FAILED)
		deliver_end(r, guard, (int)seat->units);
	else if (seat->kind == EVL_CONVERSION)
		deliver_end(r, guard, 0);
	else
		deliver_hold(r, guard);
}

void
evl_deliver(struct evl_seat *seat)
{
	struct evl_request *r = EVL_REQUEST(seat);

	if (seat->kind != EVL_ACQUISITION)
		deliver_special(seat);
	else if (seat->state == EVL_FAILED)
		deliver_end(r, NULL, (int)seat->units);
	else if (seat->ties)
		deliver_hold(r, NULL);
	else {
		evl_request_hold_plain(r->lock, r);
		r->cb(r->lock, r->handle, 0, r->arg);
	}
}
