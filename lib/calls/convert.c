/* SPDX-License-Identifier: BSD-3-Clause */

/* evlock_convert() and evlock_convert_nowait().  A conversion is a separate request, tied to the
 * request that it converts.  Called in the thread of the lock's base.  The converted request may
 * belong to the base of another thread. */

#include "base/fail.h"
#include "calls/acquire.h"
#include "calls/end.h"
#include "calls/life.h"
#include "lock/step.h"
#include "rules/grant.h"

/* Checks the new mode.  Returns 0 or an errno. */
static int
judge(const struct evlock *lock, unsigned mode, const struct evl_request *r)
{
	int error = evl_lock_judge(lock, mode, r->seat.units);

	if (error || mode <= r->seat.mode)
		return error;
	return lock->body->kind->is_fixed && lock->body->kind->is_fixed(lock->body) ? ENOTSUP : 0;
}

/* Finds the request to convert.  Returns NULL with the first errno in the order of
 * <evlock/evlock.h>.  `is_valid`: the other arguments of the call are valid. */
static struct evl_request *
find_holder(struct evlock *lock, evlock_handle handle, unsigned mode, int is_valid)
{
	struct evl_request *r = evl_life_find(lock, handle);
	int error = 0;

	if (!r || !evl_ties_are_held(&r->seat))
		error = ENOENT;
	else if (!is_valid)
		error = EINVAL;
	else if ((error = judge(lock, mode, r)))
		;
	else if (evl_core_is(evl_lock_core(lock), EVL_IS_CLOSED))
		error = ECANCELED;
	else if (r->seat.ties && r->seat.ties->conversion)
		error = EBUSY;
	if (!error)
		return r;
	errno = error;
	return NULL;
}

/* Gives the holder of a set an owner that stands for its handle.  Its conversion waits in some
 * members only, and deadlock detection finds the others through the owner. */
static void
own_self(struct evl_request *r)
{
	struct evl_extra *extra = evl_extra_of(r);
	struct evl_ties *t;

	evl_ties_init_owner(&extra->self);
	extra->self.is_self = 1;
	EVL_TIES_EACH(t, &extra->ties)
		evl_core_own_held(t, &extra->self);
}

/* Ties the conversion `c` to `r`, which it converts. */
static int
tie_conversion(struct evlock *lock, struct evl_request *c, struct evl_request *r)
{
	struct evl_extra *extra = evl_lock_need_extra(c, lock->port);

	if (!extra)
		return -1;
	extra->ties.of = &r->seat;
	extra->ties.is_bound = 1;
	r->seat.ties->conversion = &c->seat;
	if (lock->body->kind->bind && !r->seat.ties->owner)
		own_self(r);
	if (r->seat.ties->owner)
		evl_ties_own(&extra->ties, r->seat.ties->owner);
	return lock->body->kind->bind ? lock->body->kind->bind(lock, c) : 0;
}

/* Makes the request that converts `r`. */
static struct evl_request *
begin_conversion(struct evlock *lock, struct evl_request *r, unsigned mode, evlock_cb cb, void *arg)
{
	struct evl_request *c;

	if (!evl_lock_need_extra(r, lock->port))
		return NULL;
	c = evl_life_begin_any(lock, evl_life_mode(lock, mode), r->seat.units, 0,
	    EVL_CONVERSION);
	if (!c)
		return NULL;
	c->handle |= EVL_HIDDEN;
	c->cb = cb;
	c->arg = arg;
	if (tie_conversion(lock, c, r) == 0)
		return c;
	evl_end_discard(c);
	errno = ENOMEM;
	return NULL;
}

/* Returns 0 or an errno. */
static int
convert(struct evl_step *step, struct evlock *lock, evlock_handle handle, unsigned mode,
    const struct timeval *timeout, evlock_cb cb, void *arg)
{
	struct evl_request *r = find_holder(lock, handle, mode, cb != NULL), *c;
	int error;

	if (!r || !(c = begin_conversion(lock, r, mode, cb, arg)))
		return errno;
	if (evl_acquire_submit(step, lock, c, timeout) == 0)
		return 0;
	error = errno;
	evl_end_discard(c);
	return error;
}

/* Would the new mode be granted at once? */
static int
could_convert(const struct evlock *lock, struct evl_request *r, unsigned mode)
{
	struct evl_owner *owner = r->seat.ties ? r->seat.ties->owner : NULL;

	return lock->body->kind->bind ? lock->body->kind->admits_conversion(lock, r, mode)
	    : evl_core_could_hold(evl_lock_core(lock), owner, mode, r->seat.units, &r->seat);
}

static int
convert_nowait(struct evl_step *step, struct evlock *lock, evlock_handle handle, unsigned mode)
{
	struct evl_request *r = find_holder(lock, handle, mode, 1), *c;
	int granted;

	if (!r)
		return errno;
	if (!could_convert(lock, r, mode))
		return EAGAIN;
	if (!(c = begin_conversion(lock, r, mode, NULL, NULL)))
		return errno;
	granted = evl_grant_try(&step->change, evl_lock_core(lock), &c->seat) > 0;
	evl_end_discard(c);
	return granted ? 0 : EDEADLK;
}

int
evlock_convert(struct evlock *lock, evlock_handle handle, unsigned mode,
    const struct timeval *timeout, evlock_cb cb, void *arg)
{
	struct evl_step step;
	int error;

	evl_step_begin(&step, lock->body);
	error = convert(&step, lock, handle, mode, timeout, cb, arg);
	evl_step_end(&step);
	return error ? evl_fail(error) : 0;
}

int
evlock_convert_nowait(struct evlock *lock, evlock_handle handle, unsigned mode)
{
	struct evl_step step;
	int error;

	evl_step_begin(&step, lock->body);
	error = convert_nowait(&step, lock, handle, mode);
	evl_step_end(&step);
	return error ? evl_fail(error) : 0;
}
