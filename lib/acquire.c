/* SPDX-License-Identifier: BSD-3-Clause */

/* Acquiring: the public calls that make a request, which is granted at once or waits.
 * Called in the thread of the lock's base.  What a call does quickly, without a look at
 * everything, it does for locks without a guard alone. */

#include "life.h"
#include "outside.h"
#include "owner.h"

/* Holds at once, without a callback. */
static inline evlock_handle
hold_now(struct evlock *lock, struct evl_request *r)
{
	evl_core_take(evl_core_of(lock), r->seat.mode, r->seat.units);
	evl_request_hold_plain(lock, r);
	evl_check(lock);
	return r->handle;
}

/* Holds, and will be called back. */
static inline void
grant(struct evlock *lock, struct evl_request *r)
{
	evl_core_take(evl_core_of(lock), r->seat.mode, r->seat.units);
	r->seat.state = EVL_GRANTED;
	evl_list_push(&lock->port->fifo, &r->seat.link);
}

/* The same behind what was sent as a letter, or where no drain is on its way. */
static EVL_NOINLINE evlock_handle
grant_and_wake(struct evlock *lock, struct evl_request *r)
{
	evl_port_collect(lock->port);
	grant(lock, r);
	evl_port_wake(lock->port);
	return r->handle;
}

/* Makes `r` wait: there is memory, and it does not wait for itself. */
static int
enqueue(struct evlock *lock, struct evl_request *r, const struct timeval *timeout)
{
	struct evl_core *core = evl_core_of(lock);
	int passes_bound = r->seat.rank && core->n_bound;
	struct evl_extra *extra = evl_extra_of(r);
	int error = 0;

	if ((timeout || passes_bound) && !(extra = evl_extra_need(r, lock->port)))
		return -1;
	if (passes_bound)
		extra->ties.is_bound = 1;
	evl_core_enqueue(core, &r->seat);
	if (evl_core_is_stuck(&r->seat))
		error = EDEADLK;
	else if (timeout && evl_extra_start_timer(extra, timeout) < 0)
		error = errno;
	if (error) {
		evl_core_withdraw(core, &r->seat, evl_lock_fifo(lock));
		return evl_fail(error);
	}
	evl_lock_await(lock);
	return 0;
}

/* Grants `r` at once, or makes it wait. */
int
evl_request_submit(struct evlock *lock, struct evl_request *r, const struct timeval *timeout)
{
	struct evl_link gain, *link;
	int granted;

	evl_list_init(&gain);
	granted = evl_core_try(evl_core_of(lock), &r->seat, &gain);
	if (granted < 0)
		return evl_fail(EDEADLK);
	if (!granted && enqueue(lock, r, timeout) < 0)
		return -1;
	if (granted)
		evl_request_post(r);
	while ((link = evl_list_pop(&gain)))
		evl_list_push(evl_lock_fifo(lock), link);
	evl_lock_settle(lock, granted && evl_seat_is_bound(&r->seat));
	return 0;
}

/* Holds at once, as nobody is in its way, unless its owner would wait for ever. */
static int
submit_nowait(struct evlock *lock, struct evl_request *r)
{
	if (evl_core_try(evl_core_of(lock), &r->seat, evl_lock_fifo(lock)) <= 0)
		return evl_fail(EDEADLK);
	evl_request_hold(lock, r);
	if (r->seat.ties && evl_extra_of(r)->notice_cb)
		evl_tell_holds(lock, evl_extra_of(r));
	evl_lock_settle(lock, evl_seat_is_bound(&r->seat));
	return 0;
}

/* What others outside may have to do with a lock, or with the members of a set, is looked at. */
static void
look_outside(struct evlock *lock)
{
	int error = errno;

	if (lock->body->outside)
		evl_outside_look(lock->body->outside);
	else
		evl_set_look(lock);
	evl_lock_wake(lock);
	errno = error;
}

/* A step of its own. */
static evlock_handle
ask(struct evlock *lock, const struct evlock_request *q, enum evl_kind kind)
{
	struct evl_guard *guard = lock->body->guard;
	evlock_handle handle;

	if (!evl_owner_may_ask(q->owner, guard))
		return evl_refuse(EINVAL);
	evl_body_enter(lock->body);
	handle = evl_request_ask(lock, q, kind);
	if (lock->body->outside || lock->body->set)
		look_outside(lock);
	evl_body_leave(guard);
	return handle;
}

static EVL_NOINLINE evlock_handle
acquire_any(struct evlock *lock, unsigned mode, const struct timeval *timeout,
    evlock_cb cb, void *arg, enum evl_kind kind)
{
	struct evlock_request q = { 0 };

	if (!cb)
		return evl_refuse(EINVAL);
	q.mode = mode;
	q.timeout = timeout;
	q.cb = cb;
	q.arg = arg;
	return ask(lock, &q, kind);
}

/* Will a request be granted at once, as there is nothing to look at but what is held? */
static inline int
is_granted_easily(const struct evl_core *core, unsigned mode)
{
	return !core->n_waiting && !core->is_closed && !core->is_counted &&
	    evl_core_is_compatible(core, mode);
}

/* Will a request without a timeout, that is not granted easily, be just one more in the queue? */
static inline int
is_queued_easily(const struct evl_core *core, unsigned mode)
{
	return (core->n_waiting || !core->is_counted) && !core->is_closed && !core->is_watched &&
	    mode != core->preferred;
}

static inline evlock_handle
acquire(struct evlock *lock, unsigned mode, const struct timeval *timeout,
    evlock_cb cb, void *arg, enum evl_kind kind)
{
	struct evl_core *core = evl_core_of(lock);
	struct evl_request *r;
	int is_granted;

	if (!cb || mode >= core->n_modes || !lock->quick->free)
		return acquire_any(lock, mode, timeout, cb, arg, kind);
	is_granted = is_granted_easily(core, mode);
	if (!is_granted && (timeout || !is_queued_easily(core, mode)))
		return acquire_any(lock, mode, timeout, cb, arg, kind);
	r = evl_request_begin(lock, lock->quick, mode, 1, 0, kind);
	r->cb = cb;
	r->arg = arg;
	if (is_granted && (!lock->port->is_armed || evl_port_is_posted(lock->port)))
		return grant_and_wake(lock, r);
	if (is_granted)
		grant(lock, r);
	else
		evl_core_enqueue(core, &r->seat);
	return r->handle;
}

evlock_handle
evlock_acquire(struct evlock *lock, unsigned mode, const struct timeval *timeout,
    evlock_cb cb, void *arg)
{
	return acquire(lock, mode, timeout, cb, arg, EVL_ACQUISITION);
}

evlock_handle
evlock_with(struct evlock *lock, unsigned mode, const struct timeval *timeout,
    evlock_cb cb, void *arg)
{
	return acquire(lock, mode, timeout, cb, arg, EVL_SCOPED);
}

static EVL_NOINLINE evlock_handle
acquire_nowait(struct evlock *lock, unsigned mode)
{
	struct evlock_request q = { 0 };

	q.mode = mode;
	return ask(lock, &q, EVL_ACQUISITION);
}

evlock_handle
evlock_acquire_nowait(struct evlock *lock, unsigned mode)
{
	struct evl_core *core = evl_core_of(lock);

	if (mode >= core->n_modes || !lock->quick->free || !is_granted_easily(core, mode))
		return acquire_nowait(lock, mode);
	return hold_now(lock, evl_request_begin(lock, lock->quick, mode, 1, 0, EVL_ACQUISITION));
}

int
evl_request_judge(const struct evlock *lock, unsigned mode, uint32_t units)
{
	const struct evl_core *core = evl_core_of(lock);

	if (lock->body->set)
		return evl_set_judge(lock, mode, units);
	if (!evl_lock_knows(lock, mode))
		return EINVAL;
	return core->mode[mode].limit && units > core->mode[mode].limit && !lock->body->permit
	    ? EINVAL : 0;
}

static inline uint32_t
units_of(const struct evlock_request *q)
{
	return q->units ? q->units : 1;
}

int
evl_request_judge_terms(const struct evlock_request *q, int is_closed, const struct evl_pool *pool,
    uint64_t scope)
{
	if (q->priority >= EVL_PRIORITIES || (q->handle && !(q->handle & EVL_HIDDEN)))
		return EINVAL;
	if (is_closed)
		return ECANCELED;
	return q->handle && evl_own_find(pool, scope, q->handle) ? EEXIST : 0;
}

/* The errno that a request deserves, or 0: the first in the order of <evlock/evlock.h>, up to
 * those for which others' holds are looked at. */
static int
judge(const struct evlock *lock, const struct evlock_request *q)
{
	int error = evl_request_judge(lock, q->mode, units_of(q));

	return error ? error : evl_request_judge_terms(q,
	    evl_core_of(lock)->is_closed || lock->is_ending, lock->pool, lock->identity->scope);
}

int
evl_request_is_busy(const struct evlock *lock, const struct evlock_request *q)
{
	struct evl_core *core = evl_core_of(lock);
	unsigned mode = evl_request_mode(lock, q->mode), rank = evl_core_rank(core, mode, q->priority);
	struct evl_owner *owner = q->owner ? evl_owner_core(q->owner) : NULL;

	if (lock->body->set)
		return !evl_set_admits(lock, owner, q->mode, units_of(q), rank);
	return !evl_core_admits(core, mode, units_of(q), rank) &&
	    !(owner && evl_core_admits_owner(core, owner, mode, units_of(q), rank));
}

/* Where others outside may hold the lock, or members of it: makes room for a request that does
 * not wait, or shows that there is none.  Returns an errno or 0. */
static int
approach(struct evlock *lock, const struct evlock_request *q)
{
	struct evl_outside *o = lock->body->outside;
	int error = 0;

	if (!q->cb)
		error = o ? evl_outside_try(o, q->mode) : evl_set_try(lock, q->mode);
	if (o && evl_core_rank(evl_core_of(lock), q->mode, q->priority))
		evl_outside_pass(o);
	return error;
}

/* Sets what few requests ask for. */
static int
equip(struct evlock *lock, struct evl_request *r, const struct evlock_request *q)
{
	struct evl_extra *extra;

	if (!q->handle && !q->notice_cb && !q->owner && !lock->body->set)
		return 0;
	extra = evl_extra_need(r, lock->port);
	if (!extra)
		return -1;
	evl_list_init(&extra->notice_link);
	extra->notice_cb = q->notice_cb;
	if (q->handle) {
		if (evl_own_add(lock->pool, extra, lock->identity->scope, q->handle) < 0)
			return -1;
		r->handle |= EVL_HIDDEN;
	}
	if (q->owner)
		evl_ties_own(&extra->ties, evl_owner_core(q->owner));
	return lock->body->set ? evl_set_bind(lock, r) : 0;
}

/* A set that asks all its members for modes of their own takes any mode. */
unsigned
evl_request_mode(const struct evlock *lock, unsigned mode)
{
	return mode < evl_core_of(lock)->n_modes ? mode : 0;
}

evlock_handle
evl_request_make(struct evlock *lock, const struct evlock_request *q, enum evl_kind kind)
{
	struct evl_core *core = evl_core_of(lock);
	unsigned mode = evl_request_mode(lock, q->mode);
	struct evl_request *r;
	int error;

	if (kind == EVL_ACQUISITION && lock->body->guard)
		kind = EVL_GUARDED;
	core->is_counted |= units_of(q) > 1;
	r = evl_request_begin_any(lock, mode, units_of(q), evl_core_rank(core, mode, q->priority), kind);
	if (!r)
		return 0;
	r->cb = q->cb;
	r->arg = q->arg;
	if (equip(lock, r, q) == 0 &&
	    (q->cb ? evl_request_submit(lock, r, q->timeout) : submit_nowait(lock, r)) == 0)
		return evl_request_handle(r);
	error = errno;
	evl_request_discard(r);
	return evl_refuse(error);
}

evlock_handle
evl_request_ask(struct evlock *lock, const struct evlock_request *q, enum evl_kind kind)
{
	int error = judge(lock, q);

	if (!error && (lock->body->outside || lock->body->set))
		error = approach(lock, q);
	if (!error && !q->cb && evl_request_is_busy(lock, q))
		error = EAGAIN;
	return error ? evl_refuse(error) : evl_request_make(lock, q, kind);
}

evlock_handle
evlock_acquire_request(struct evlock *lock, const struct evlock_request *q)
{
	return ask(lock, q, EVL_ACQUISITION);
}
