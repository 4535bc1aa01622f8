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

	if ((timeout || passes_bound) && !(extra = evl_extra_need(r, lock->port)))
		return -1;
	if (timeout && evl_extra_start_timer(extra, timeout) < 0)
		return -1;
	if (passes_bound)
		extra->ties.is_bound = 1;
	evl_core_enqueue(core, &r->seat);
	if (evl_core_is_stuck(&r->seat)) {
		evl_core_withdraw(core, &r->seat, evl_lock_fifo(lock));
		return evl_fail(EDEADLK);
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

/* Holds at once, or not at all. */
static int
submit_nowait(struct evlock *lock, struct evl_request *r)
{
	int granted = evl_core_try(evl_core_of(lock), &r->seat, evl_lock_fifo(lock));

	if (granted <= 0)
		return evl_fail(granted ? EDEADLK : EAGAIN);
	evl_request_hold(lock, r);
	if (r->seat.ties && evl_extra_of(r)->notice_cb)
		evl_tell_holds(lock, evl_extra_of(r));
	evl_lock_settle(lock, evl_seat_is_bound(&r->seat));
	return 0;
}

/* Makes room for a request that does not wait. */
static int
try_outside(struct evlock *lock, const struct evlock_request *q)
{
	if (q->cb || evl_request_judge(lock, q->mode, 1))
		return 0;
	return lock->body->set ? evl_set_try(lock, q->mode)
	    : evl_outside_try(lock->body->outside, q->mode);
}

/* For a lock that others outside may hold, or a set, whose members may be such. */
static evlock_handle
ask_outside(struct evlock *lock, const struct evlock_request *q, enum evl_kind kind)
{
	struct evl_outside *o = lock->body->outside;
	int error = try_outside(lock, q);
	evlock_handle handle;

	if (o && evl_core_rank(&lock->body->core, q->mode, q->priority))
		evl_outside_pass(o);
	handle = error && error != EAGAIN ? evl_refuse(error) : evl_request_ask(lock, q, kind);
	error = errno;
	if (o)
		evl_outside_look(o);
	else
		evl_set_look(lock);
	evl_lock_wake(lock);
	errno = error;
	return handle;
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
	handle = lock->body->outside || lock->body->set ? ask_outside(lock, q, kind)
	    : evl_request_ask(lock, q, kind);
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

/* Is there no need to make a request that will not wait, to see that it would have to? */
static int
is_busy(const struct evlock *lock, const struct evlock_request *q, uint32_t units)
{
	const struct evl_core *core = evl_core_of(lock);

	return !q->owner && !lock->body->set && !evl_core_admits(core, q->mode, units,
	    evl_core_rank(core, q->mode, q->priority));
}

/* The errno that a request deserves before anything is made for it, or 0. */
static int
judge(const struct evlock *lock, const struct evlock_request *q, uint32_t units)
{
	int error = evl_request_judge(lock, q->mode, units);

	if (error)
		return error;
	if (q->priority >= EVL_PRIORITIES || (q->handle && !(q->handle & EVL_HIDDEN)))
		return EINVAL;
	if (evl_core_of(lock)->is_closed || lock->is_ending)
		return ECANCELED;
	return !q->cb && is_busy(lock, q, units) ? EAGAIN : 0;
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
evl_request_ask(struct evlock *lock, const struct evlock_request *q, enum evl_kind kind)
{
	struct evl_core *core = evl_core_of(lock);
	uint32_t units = q->units ? q->units : 1;
	unsigned mode = evl_request_mode(lock, q->mode);
	int error = judge(lock, q, units);
	struct evl_request *r;

	if (error)
		return evl_refuse(error);
	if (kind == EVL_ACQUISITION && lock->body->guard)
		kind = EVL_GUARDED;
	core->is_counted |= units > 1;
	r = evl_request_begin_any(lock, mode, units, evl_core_rank(core, mode, q->priority), kind);
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
evlock_acquire_request(struct evlock *lock, const struct evlock_request *q)
{
	return ask(lock, q, EVL_ACQUISITION);
}
