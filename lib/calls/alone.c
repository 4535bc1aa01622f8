/* SPDX-License-Identifier: BSD-3-Clause */

/* Short paths of locks that are shared with other processes; see alone.h.  They leave the lock in
 * the same state as a step would. */

#include <errno.h>

#include "calls/alone.h"
#include "calls/life.h"
#include "lock/check.h"

/* Is there nothing unusual about the lock but its guard and its kind? */
static int
is_usual(const struct evl_core *core)
{
	return !(evl_core_unusual(core) & ~(unsigned)(EVL_NEEDS_STEP | EVL_IS_LOOKED_AT));
}

/* Returns 0 if the kind has taken the lock, EAGAIN if it is busy, or EVL_LOOK if the caller must
 * begin a step. */
static int
take(struct evlock *lock, unsigned mode)
{
	struct evl_core *core = evl_lock_core(lock);

	if (!is_usual(core) || core->n_waiting || lock->is_ending || !lock->pool->free)
		return EVL_LOOK;
	return lock->body->kind->take(lock->body, mode);
}

/* Makes the request that holds the lock, which the kind has taken. */
static evlock_handle
hold(struct evlock *lock, unsigned mode)
{
	struct evl_request *r = evl_life_begin_any(lock, mode, 1, 0, EVL_GUARDED);

	evl_core_take(evl_lock_core(lock), mode, 1);
	evl_life_hold(lock, r);
	return r->handle;
}

int
evl_alone_acquire(struct evlock *lock, unsigned mode, evlock_handle *handle)
{
	struct evl_guard *guard = lock->body->guard;
	int error;

	if (!guard || !lock->body->kind->take)
		return 0;
	evl_guard_enter(guard);
	error = take(lock, mode);
	*handle = error ? 0 : hold(lock, mode);
	evl_check_lock(lock->body);
	evl_guard_leave(guard);
	if (error == EAGAIN)
		errno = EAGAIN;
	return error != EVL_LOOK;
}

/* Is `r` the only request that holds the lock in its mode, without ties? */
static int
is_alone(const struct evlock *lock, const struct evl_request *r)
{
	const struct evl_core *core = evl_lock_core(lock);

	return r && r->lock == lock && r->seat.state == EVL_HELD && !r->seat.ties &&
	    is_usual(core) && evl_core_held(core)[r->seat.mode] == 1;
}

static int
release(struct evlock *lock, struct evl_request *r)
{
	if (!is_alone(lock, r) || !lock->body->kind->give(lock->body, r->seat.mode))
		return 0;
	evl_life_unlink(lock, r);
	evl_handles_put(lock->pool, r);
	evl_check_lock(lock->body);
	return 1;
}

int
evl_alone_release(struct evlock *lock, evlock_handle handle)
{
	struct evl_guard *guard = lock->body->guard;
	int is_done;

	if (!guard || !lock->body->kind->give || handle & EVL_HIDDEN)
		return 0;
	evl_guard_enter(guard);
	is_done = release(lock, evl_handles_find(lock->pool, handle));
	evl_guard_leave(guard);
	return is_done;
}
