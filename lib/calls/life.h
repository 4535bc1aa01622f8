/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef EVL_LIFE_H_INCLUDED_
#define EVL_LIFE_H_INCLUDED_

/* The life of a request, as far as several of the calls share it: it is made, found by its
 * handle, held, and ended.  Called in a step. */

#include "base/fail.h"
#include "lock/notify.h"

/* --- Making and finding ---------------------------------------------------- */

/** The request of `lock` that `handle` names, or NULL. */
static inline struct evl_request *
evl_request_find(const struct evlock *lock, evlock_handle handle)
{
	struct evl_request *r;

	r = handle & EVL_HIDDEN ? evl_own_find(lock->pool, lock->identity->scope, handle)
	    : evl_pool_find(lock->pool, handle);
	return r && (r->lock == lock || r->lock->identity == lock->identity) ? r : NULL;
}

/** A request with a handle, and nobody to call back.  `pool` is that of the lock, by the
 * name that whoever calls has looked at it already.  NULL with errno ENOMEM. */
static inline struct evl_request *
evl_request_begin(struct evlock *lock, struct evl_pool *pool, unsigned mode, uint32_t units,
    unsigned rank, enum evl_role role)
{
	struct evl_request *r = evl_pool_get(pool);

	if (!r)
		return NULL;
	r->seat.units = units;
	r->seat.mode = (uint8_t)mode;
	r->seat.rank = (uint8_t)rank;
	r->seat.role = (uint8_t)role;
	r->seat.ties = NULL;
	r->lock = lock;
	return r;
}

/** The same of any lock, which may be a key's. */
static inline struct evl_request *
evl_request_begin_any(struct evlock *lock, unsigned mode, uint32_t units, unsigned rank,
    enum evl_role role)
{
	struct evl_request *r = evl_request_begin(lock, lock->pool, mode, units, rank, role);

	evl_port_use(lock->port);
	if (r && lock->table)
		lock->body->kind->use(lock->body);
	return r;
}

/** The mode of a request: a set that asks all its members for modes of their own takes any. */
static inline unsigned
evl_request_mode(const struct evlock *lock, unsigned mode)
{
	return mode < evl_core_of(lock)->n_modes ? mode : 0;
}

/** The handle that a callback is given: of a conversion, that of what it converts. */
static inline evlock_handle
evl_request_told_handle(const struct evl_request *r)
{
	if (r->seat.role == EVL_CONVERSION)
		r = EVL_REQUEST(r->seat.ties->of);
	return evl_request_handle(r);
}

/* --- Holding --------------------------------------------------------------- */

/** The callback runs, or there is none: `r` is HELD.  Of a lock without a guard. */
static inline void
evl_request_hold_plain(struct evlock *lock, struct evl_request *r)
{
	r->seat.state = EVL_HELD;
	if (!lock->sole)
		lock->sole = r;
	else
		evl_list_push(&lock->held, &r->seat.link);
}

/** The same of any lock. */
static inline void
evl_request_hold(struct evlock *lock, struct evl_request *r)
{
	if (!lock->body->guard) {
		evl_request_hold_plain(lock, r);
		return;
	}
	r->seat.state = EVL_HELD;
	evl_list_push(&lock->held, &r->seat.link);
}

/** Takes `r`, which is not QUEUED, out of the list that it is in. */
static inline void
evl_request_unlink(struct evlock *lock, struct evl_request *r)
{
	if (lock->sole == r)
		lock->sole = NULL;
	else
		evl_list_remove(&r->seat.link);
}

/* --- Ending: end.c ---------------------------------------------------------- */

/** Ends a request, whatever its state, and its conversion: it is unknown from now on. */
void evl_request_end(struct evl_step *step, struct evl_request *r);

/** Ends the conversion that `r` has, and that nobody is to be told of. */
void evl_request_end_conversion(struct evl_step *step, struct evl_request *r);

/** Takes a request and its conversion out of whatever they are in; the request stays. */
void evl_request_leave(struct evl_step *step, struct evl_request *r);

/** Gives the memory back of a request that has left, at once or in its base's thread. */
void evl_request_dismiss(struct evl_request *r);

/** Undoes what few requests have; ends a conversion, which waits no more. */
void evl_request_discard_extra(struct evl_request *r);

/** Gives the memory back; `r` is in no list and holds nothing.  In its base's thread. */
static inline void
evl_request_discard(struct evl_request *r)
{
	struct evlock *lock = r->lock;

	evl_core_of(lock)->n_over -= (uint32_t)evl_seat_is_over(&r->seat);
	if (r->seat.ties)
		evl_request_discard_extra(r);
	if (lock->table)
		lock->body->kind->unuse(lock->body);
	evl_pool_put(lock->pool, r);
}

/** Ends the waiting of `r`, if it still waits, with `error`: a step. */
void evl_request_fail(struct evl_request *r, int error);

/** The same, as its timer went off. */
void evl_request_expire(struct evl_request *r);

/* --- Asking: acquire.c ------------------------------------------------------ */

/** The errno that a request deserves for what it is, or 0, in the order of <evlock/evlock.h>:
 * EINVAL (its mode and units are judged by others), ECANCELED, EEXIST. */
int evl_request_judge_terms(const struct evlock_request *q, int is_closed,
    const struct evl_pool *pool, uint64_t scope);

/** Would a request that has been judged, and does not wait, fail with EAGAIN? */
int evl_request_is_busy(const struct evlock *lock, const struct evlock_request *q);

/** Makes a request that has been judged, and is not busy, for one of the roles that acquire. */
evlock_handle evl_request_make(struct evl_step *step, struct evlock *lock,
    const struct evlock_request *q, enum evl_role role);

/** Grants `r` at once, or makes it wait.  Returns -1 with errno ENOMEM or EDEADLK. */
int evl_request_submit(struct evl_step *step, struct evlock *lock, struct evl_request *r,
    const struct timeval *timeout);

#endif
