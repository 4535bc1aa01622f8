/* SPDX-License-Identifier: BSD-3-Clause */

/* The public calls that acquire a lock.  Each makes a request, which is granted at once or queued.
 * Called in the thread of the lock's base.  The short paths are only for locks without a
 * guard. */

#include "base/cancel.h"
#include "base/fail.h"
#include "calls/acquire.h"
#include "calls/alone.h"
#include "calls/end.h"
#include "calls/life.h"
#include "calls/owner.h"
#include "lock/check.h"
#include "lock/notify.h"
#include "lock/step.h"
#include "loop/drain.h"
#include "rules/deadlock.h"
#include "rules/grant.h"

/* --- Any lock, any request -------------------------------------------------- */

/* Queues `r`.  Fails with ENOMEM, or with EDEADLK if `r` would wait for ever. */
static int
enqueue(struct evl_step *step, struct evlock *lock, struct evl_request *r,
    const struct timeval *timeout)
{
	struct evl_core *core = evl_lock_core(lock);
	int passes_bound = r->seat.rank && core->n_bound;
	int needs_extra = timeout || passes_bound || evl_core_is(core, EVL_IS_OBSERVED);
	struct evl_extra *extra = evl_extra_of(r);
	int error = 0;

	if (needs_extra && !(extra = evl_lock_need_extra(r, lock->port)))
		return -1;
	if (passes_bound)
		extra->ties.is_bound = 1;
	evl_grant_enqueue(&step->change, core, &r->seat);
	if (evl_deadlock_is_stuck(&r->seat))
		error = EDEADLK;
	else if (timeout && evl_extra_start_timer(extra, timeout) < 0)
		error = errno;
	if (error) {
		evl_grant_withdraw(&step->change, core, &r->seat);
		return evl_fail(error);
	}
	evl_lock_await(lock);
	evl_change_record(&step->change, core, &r->seat, EVL_QUEUES, 0);
	return 0;
}

int
evl_acquire_submit(struct evl_step *step, struct evlock *lock, struct evl_request *r,
    const struct timeval *timeout)
{
	int granted = evl_grant_try(&step->change, evl_lock_core(lock), &r->seat);

	if (granted < 0)
		return evl_fail(EDEADLK);
	if (!granted)
		return enqueue(step, lock, r, timeout);
	evl_step_send(r);
	return 0;
}

/* Grants a request that is not busy.  Fails with EDEADLK if its owner would wait for ever. */
static int
submit_nowait(struct evl_step *step, struct evlock *lock, struct evl_request *r)
{
	if (evl_grant_try(&step->change, evl_lock_core(lock), &r->seat) <= 0)
		return evl_fail(EDEADLK);
	evl_life_hold(lock, r);
	if (r->seat.ties && evl_extra_of(r)->notice_cb)
		evl_notify_hold(&step->change, r);
	return 0;
}

static inline uint32_t
units_of(const struct evlock_request *q)
{
	return q->units ? q->units : 1;
}

int
evl_acquire_judge_terms(const struct evlock_request *q, int is_closed, const struct evl_pool *pool,
    uint64_t scope)
{
	if (q->priority >= EVL_PRIORITIES || (q->handle && !(q->handle & EVL_HIDDEN)))
		return EINVAL;
	if (is_closed)
		return ECANCELED;
	return q->handle && evl_chosen_find(pool, scope, q->handle) ? EEXIST : 0;
}

/* Checks a request.  Returns 0, or the first errno in the order of <evlock/evlock.h>.  Does not
 * look at the holders. */
static int
judge(const struct evlock *lock, const struct evlock_request *q)
{
	int error = evl_lock_judge(lock, q->mode, units_of(q));

	return error ? error : evl_acquire_judge_terms(q,
	    evl_core_is(evl_lock_core(lock), EVL_IS_CLOSED) || lock->is_ending, lock->pool,
	    lock->identity->scope);
}

int
evl_acquire_is_busy(const struct evlock *lock, const struct evlock_request *q)
{
	struct evl_core *core = evl_lock_core(lock);
	unsigned mode = evl_life_mode(lock, q->mode), rank = evl_core_rank(core, mode, q->priority);
	struct evl_owner *owner = q->owner ? evl_owner_core(q->owner) : NULL;

	if (lock->body->kind->bind)
		return !lock->body->kind->admits(lock, owner, q->mode, units_of(q), rank);
	return !evl_core_admits(core, mode, units_of(q), rank) &&
	    !(owner && evl_core_admits_owner(core, owner, mode, units_of(q), rank));
}

/* Lets the lock's kind make room for a request that does not wait, and let a request of a higher
 * rank pass.  Returns 0, an errno or EVL_LOOK. */
static int
approach(struct evl_step *step, struct evlock *lock, const struct evlock_request *q,
    struct evl_look *look)
{
	const struct evl_kind *kind = lock->body->kind;
	int error = 0;

	if (!kind->make_room)
		return 0;
	evl_step_note(step, lock->body, 0);	/* the kind looks at the end, even if this fails */
	if (!q->cb)
		error = kind->make_room(step, lock, q->mode, look);
	if (kind->pass && evl_core_rank(evl_lock_core(lock), q->mode, q->priority))
		kind->pass(step, lock->body);
	return error;
}

/* Returns the errno of a request whose checks ended with `error`.  A refusal by the lock's kind
 * comes before any other errno but EINVAL. */
static int
or_refused(const struct evlock *lock, unsigned mode, int error)
{
	const struct evl_kind *kind = lock->body->kind;
	int refused = error == EINVAL || !kind->refuses ? 0 : kind->refuses(lock, mode);

	return refused ? refused : error;
}

/* Gives a request the extra parts that it needs: a chosen handle, a notice, an owner, members. */
static int
equip(struct evlock *lock, struct evl_request *r, const struct evlock_request *q)
{
	struct evl_extra *extra;

	if (!q->handle && !q->notice_cb && !q->owner && !lock->body->kind->bind)
		return 0;
	extra = evl_lock_need_extra(r, lock->port);
	if (!extra)
		return -1;
	evl_list_init(&extra->notice_link);
	extra->notice_cb = q->notice_cb;
	if (q->handle) {
		if (evl_chosen_add(lock->pool, extra, lock->identity->scope, q->handle) < 0)
			return -1;
		r->handle |= EVL_HIDDEN;
	}
	if (q->owner)
		evl_ties_own(&extra->ties, evl_owner_core(q->owner));
	return lock->body->kind->bind ? lock->body->kind->bind(lock, r) : 0;
}

evlock_handle
evl_acquire_make(struct evl_step *step, struct evlock *lock, const struct evlock_request *q,
    enum evl_role role)
{
	struct evl_core *core = evl_lock_core(lock);
	unsigned mode = evl_life_mode(lock, q->mode);
	struct evl_request *r;
	int error;

	if (role == EVL_ACQUISITION && lock->body->guard)
		role = EVL_GUARDED;
	if (units_of(q) > 1)
		evl_core_mark(core, EVL_IS_COUNTED);
	r = evl_life_begin_any(lock, mode, units_of(q), evl_core_rank(core, mode, q->priority),
	    role);
	if (!r)
		return 0;
	r->cb = q->cb;
	r->arg = q->arg;
	if (equip(lock, r, q) == 0 && (q->cb ? evl_acquire_submit(step, lock, r, q->timeout)
	    : submit_nowait(step, lock, r)) == 0)
		return evl_lock_handle(r);
	error = errno;
	evl_end_discard(r);
	return evl_fail_handle(error);
}

/* Keeps the locks until look_and_ask() has looked.  The lock to look at may be a member of a set,
 * and another thread may free it before the look. */
static evlock_handle
put_off(struct evl_step *step, struct evlock *lock, const struct evl_look *look)
{
	evl_lock_keep(look->body);
	lock->body->kind->keep_room(step, lock, 1);
	return 0;
}

/* If a look is needed first, sets look->body and returns 0. */
static evlock_handle
judge_and_make(struct evl_step *step, struct evlock *lock, const struct evlock_request *q,
    enum evl_role role, struct evl_look *look)
{
	int error = judge(lock, q);

	look->body = NULL;
	if (!error)
		error = approach(step, lock, q, look);
	if (error == EVL_LOOK)
		return put_off(step, lock, look);
	error = or_refused(lock, q->mode, error);
	if (!error && !q->cb && evl_acquire_is_busy(lock, q))
		error = EAGAIN;
	return error ? evl_fail_handle(error) : evl_acquire_make(step, lock, q, role);
}

/* Looks, outside any step because the look may block, and asks again. */
static EVL_NOINLINE evlock_handle
look_and_ask(struct evlock *lock, const struct evlock_request *q, enum evl_role role,
    struct evl_look *look)
{
	struct evl_body *body = look->body;
	int state = evl_cancel_disable(), error;
	evlock_handle handle;
	struct evl_step step;

	body->kind->examine(look);
	evl_step_begin(&step, lock->body);
	lock->body->kind->keep_room(&step, lock, 0);
	error = body->kind->examined(&step, look);
	look->body = NULL;
	handle = error ? evl_fail_handle(or_refused(lock, q->mode, error))
	    : judge_and_make(&step, lock, q, role, look);
	evl_step_end(&step);
	evl_lock_drop(body);
	evl_cancel_restore(state);
	return handle;
}

static evlock_handle
ask(struct evlock *lock, const struct evlock_request *q, enum evl_role role)
{
	struct evl_look look;
	struct evl_step step;
	evlock_handle handle;

	if (!evl_owner_may_ask(q->owner, lock->body->guard))
		return evl_fail_handle(EINVAL);
	evl_step_begin(&step, lock->body);
	handle = judge_and_make(&step, lock, q, role, &look);
	evl_step_end(&step);
	while (look.body)
		handle = look_and_ask(lock, q, role, &look);
	return handle;
}

evlock_handle
evlock_acquire_request(struct evlock *lock, const struct evlock_request *q)
{
	return ask(lock, q, EVL_ACQUISITION);
}

static EVL_NOINLINE evlock_handle
acquire_any(struct evlock *lock, unsigned mode, const struct timeval *timeout,
    evlock_cb cb, void *arg, enum evl_role role)
{
	struct evlock_request q = { 0 };

	if (!cb)
		return evl_fail_handle(EINVAL);
	q.mode = mode;
	q.timeout = timeout;
	q.cb = cb;
	q.arg = arg;
	return ask(lock, &q, role);
}

/* --- The short paths ---------------------------------------------------------- */

/* Grants a request that has no callback. */
static inline evlock_handle
hold_now(struct evlock *lock, struct evl_core *core, struct evl_request *r)
{
	evl_core_take(core, r->seat.mode, r->seat.units);
	evl_life_hold_plain(lock, r);
	evl_check_lock(lock->body);
	return r->handle;
}

/* Grants a request whose callback runs later. */
static inline void
grant(struct evlock *lock, struct evl_core *core, struct evl_request *r)
{
	evl_core_take(core, r->seat.mode, r->seat.units);
	r->seat.state = EVL_GRANTED;
	evl_list_push(&lock->port->fifo, &r->seat.link);
}

/* The same if letters come before it, or if the port's event is not active yet. */
static EVL_NOINLINE evlock_handle
grant_and_wake(struct evlock *lock, struct evl_request *r)
{
	evl_letters_collect(lock->port);
	grant(lock, evl_lock_core(lock), r);
	evl_drain_wake(lock->port);
	return r->handle;
}

/* May a request be made without a step, because only the holders and the waiters matter?  If so,
 * only one loop uses the lock. */
static inline int
is_easy(const struct evlock *lock, const struct evl_core *core)
{
	return !(evl_core_unusual(core) & (EVL_NEEDS_STEP | EVL_IS_CLOSED | EVL_IS_COUNTED |
	    EVL_IS_OBSERVED)) && lock->pool->free;
}

static inline int
is_granted_easily(const struct evl_core *core, unsigned mode)
{
	return !core->n_waiting && evl_core_is_compatible(core, mode);
}

static inline struct evl_request *
begin(struct evlock *lock, unsigned mode, evlock_cb cb, void *arg, enum evl_role role)
{
	struct evl_request *r = evl_life_begin(lock, lock->pool, mode, 1, 0, role);

	r->cb = cb;
	r->arg = arg;
	return r;
}

/* Will a request without a timeout simply join the queue, though is_easy() is false? */
static int
is_queued_easily(const struct evlock *lock, const struct evl_core *core, unsigned mode)
{
	return !(evl_core_unusual(core) & (EVL_NEEDS_STEP | EVL_IS_CLOSED | EVL_IS_WATCHED)) &&
	    core->n_waiting && mode != core->preferred && mode < core->n_modes && lock->pool->free;
}

static EVL_NOINLINE evlock_handle
acquire_other(struct evlock *lock, unsigned mode, const struct timeval *timeout,
    evlock_cb cb, void *arg, enum evl_role role)
{
	struct evl_request *r;

	if (!cb || timeout || !is_queued_easily(lock, evl_lock_core(lock), mode))
		return acquire_any(lock, mode, timeout, cb, arg, role);
	r = begin(lock, mode, cb, arg, role);
	evl_core_enqueue(evl_lock_core(lock), &r->seat);
	return r->handle;
}

static EVL_INLINE evlock_handle
acquire(struct evlock *lock, unsigned mode, const struct timeval *timeout,
    evlock_cb cb, void *arg, enum evl_role role)
{
	struct evl_core *core = evl_lock_core(lock);
	struct evl_request *r;
	int is_granted;

	if (!cb || mode >= core->n_modes || !is_easy(lock, core))
		return acquire_other(lock, mode, timeout, cb, arg, role);
	is_granted = is_granted_easily(core, mode);
	if (!is_granted && (timeout || evl_core_is(core, EVL_IS_WATCHED | EVL_PREFERS)))
		return acquire_other(lock, mode, timeout, cb, arg, role);
	r = begin(lock, mode, cb, arg, role);
	if (is_granted && (!lock->port->is_armed || evl_port_is_posted(lock->port)))
		return grant_and_wake(lock, r);
	if (is_granted)
		grant(lock, core, r);
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
	evlock_handle handle;

	if (evl_alone_acquire(lock, mode, &handle))
		return handle;
	q.mode = mode;
	return ask(lock, &q, EVL_ACQUISITION);
}

evlock_handle
evlock_acquire_nowait(struct evlock *lock, unsigned mode)
{
	struct evl_core *core = evl_lock_core(lock);

	if (mode >= core->n_modes || !is_easy(lock, core) || !is_granted_easily(core, mode))
		return acquire_nowait(lock, mode);
	return hold_now(lock, core, evl_life_begin(lock, lock->pool, mode, 1, 0, EVL_ACQUISITION));
}
