/* SPDX-License-Identifier: BSD-3-Clause */

/* evlock_release().  Called in the thread of the lock's base or, if the lock has a guard, in any
 * thread. */

#include "base/fail.h"
#include "calls/alone.h"
#include "calls/end.h"
#include "calls/life.h"
#include "lock/check.h"
#include "lock/step.h"
#include "loop/drain.h"
#include "rules/grant.h"

static EVL_NOINLINE int
end(struct evlock *lock, struct evl_request *r)
{
	struct evl_step step;

	evl_step_begin(&step, lock->body);
	evl_end_request(&step, r);
	evl_step_end(&step);
	return 0;
}

static EVL_NOINLINE int
find_and_end(struct evlock *lock, evlock_handle handle)
{
	struct evl_step step;
	struct evl_request *r;

	evl_step_begin(&step, lock->body);
	r = evl_life_find(lock, handle);
	if (r)
		evl_end_request(&step, r);
	evl_step_end(&step);
	return r ? 0 : evl_fail(ENOENT);
}

/* --- The short paths: a lock of one loop, a request without ties ---------------- */

/* Grants the next requests in a step. */
static int
promote_any(struct evlock *lock)
{
	struct evl_step step;

	evl_step_begin(&step, lock->body);
	evl_step_touch(&step, lock->body, 1);
	evl_step_end(&step);
	return 0;
}

/* Grants the next requests if letters come before them, or if the port's event is not active
 * yet. */
static EVL_NOINLINE int
promote_and_wake(struct evlock *lock)
{
	evl_letters_collect(lock->port);
	evl_grant_promote(evl_lock_core(lock), &lock->port->fifo);
	evl_drain_wake(lock->port);
	evl_check_lock(lock->body);
	return 0;
}

/* Grants the next requests after a plain hold in `mode` has ended.  While others hold in the same
 * mode, the first waiter still conflicts with them, so there is nothing to grant.  Where units are
 * counted, there may be. */
static EVL_NOINLINE int
pass_on(struct evlock *lock, unsigned mode)
{
	struct evl_core *core = evl_lock_core(lock);

	if (core->is_conditional || core->n_bound)
		return promote_any(lock);
	if (evl_core_held(core)[mode] && !evl_core_is(core, EVL_IS_COUNTED))
		return 0;
	if (!lock->port->is_armed || evl_port_is_posted(lock->port))
		return promote_and_wake(lock);
	evl_grant_promote(core, &lock->port->fifo);
	evl_check_lock(lock->body);
	return 0;
}

/* Has the request no ties, and the lock nothing that watches it? */
static inline int
is_plain(const struct evlock *lock, const struct evl_request *r)
{
	return !r->seat.ties && !evl_core_is(evl_lock_core(lock), EVL_IS_WATCHED);
}

/* Ends a plain hold that was taken out of its list. */
static inline int
end_hold(struct evlock *lock, struct evl_request *r)
{
	struct evl_core *core = evl_lock_core(lock);
	unsigned mode = r->seat.mode;

	evl_core_drop(core, mode, r->seat.units);
	evl_handles_put_as(lock->pool, r, r->handle + EVL_GENERATION);	/* EVL_HIDDEN is not set */
	return core->n_waiting ? pass_on(lock, mode) : 0;
}

/* Ends the wait of a request without ties.  The seat may stay in the queue, but the slot gets its
 * next handle at once.  A slot without a next handle has to leave the queue. */
static inline int
end_wait(struct evlock *lock, struct evl_request *r)
{
	evlock_handle next = evl_handles_after(r->handle);

	if (!evl_core_may_mark_gone(evl_lock_core(lock), &r->seat) || next & EVL_HIDDEN)
		return end(lock, r);
	r->handle = next;
	evl_core_mark_gone(evl_lock_core(lock), &r->seat);
	evl_check_lock(lock->body);
	return 0;
}

static EVL_NOINLINE int
release_other(struct evlock *lock, evlock_handle handle)
{
	unsigned unusual = evl_core_unusual(evl_lock_core(lock));
	struct evl_request *r;

	if (unusual & EVL_NEEDS_STEP)
		return evl_alone_release(lock, handle) ? 0 : find_and_end(lock, handle);
	r = evl_handles_find(lock->pool, handle);
	if (!r || handle & EVL_HIDDEN || r->lock != lock || !is_plain(lock, r))
		return find_and_end(lock, handle);
	if (r->seat.state == EVL_QUEUED)
		return end_wait(lock, r);
	if (r->seat.state != EVL_HELD)
		return end(lock, r);
	evl_life_unlink(lock, r);
	return end_hold(lock, r);
}

int
evlock_release(struct evlock *lock, evlock_handle handle)
{
	struct evl_request *r = lock->sole;

	if (!r || r->handle != handle || !is_plain(lock, r))
		return release_other(lock, handle);
	lock->sole = NULL;
	return end_hold(lock, r);
}
