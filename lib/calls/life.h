/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef EVL_LIFE_H_INCLUDED_
#define EVL_LIFE_H_INCLUDED_

/* The life of a request until it ends, as far as several of the calls share it: it is made,
 * found by its handle, and held.  Called in a step. */

#include "loop/letters.h"
#include "lock/lock.h"
#include "requests/chosen.h"

/* --- Making and finding ---------------------------------------------------- */

/** The request of `lock` that `handle` names, or NULL. */
static inline struct evl_request *
evl_life_find(const struct evlock *lock, evlock_handle handle)
{
	struct evl_request *r;

	r = handle & EVL_HIDDEN ? evl_chosen_find(lock->pool, lock->identity->scope, handle)
	    : evl_handles_find(lock->pool, handle);
	return r && (r->lock == lock || r->lock->identity == lock->identity) ? r : NULL;
}

/** A request with a handle, and nobody to call back.  `pool` is that of the lock, by the
 * name that whoever calls has looked at it already.  NULL with errno ENOMEM. */
static inline struct evl_request *
evl_life_begin(struct evlock *lock, struct evl_pool *pool, unsigned mode, uint32_t units,
    unsigned rank, enum evl_role role)
{
	struct evl_request *r = evl_handles_get(pool);

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
evl_life_begin_any(struct evlock *lock, unsigned mode, uint32_t units, unsigned rank,
    enum evl_role role)
{
	struct evl_request *r = evl_life_begin(lock, lock->pool, mode, units, rank, role);

	evl_letters_use(lock->port);
	if (r && lock->table)
		lock->body->kind->use(lock->body);
	return r;
}

/** The mode of a request: a set that asks all its members for modes of their own takes any. */
static inline unsigned
evl_life_mode(const struct evlock *lock, unsigned mode)
{
	return mode < evl_lock_core(lock)->n_modes ? mode : 0;
}

/** The handle that a callback is given: of a conversion, that of what it converts. */
static inline evlock_handle
evl_life_told_handle(const struct evl_request *r)
{
	if (r->seat.role == EVL_CONVERSION)
		r = EVL_REQUEST(r->seat.ties->of);
	return evl_lock_handle(r);
}

/* --- Holding --------------------------------------------------------------- */

/** The callback runs, or there is none: `r` is HELD.  Of a lock without a guard. */
static inline void
evl_life_hold_plain(struct evlock *lock, struct evl_request *r)
{
	r->seat.state = EVL_HELD;
	if (!lock->sole)
		lock->sole = r;
	else
		evl_list_push(&lock->held, &r->seat.link);
}

/** The same of any lock. */
static inline void
evl_life_hold(struct evlock *lock, struct evl_request *r)
{
	if (!lock->body->guard) {
		evl_life_hold_plain(lock, r);
		return;
	}
	r->seat.state = EVL_HELD;
	evl_list_push(&lock->held, &r->seat.link);
}

/** Takes `r`, which is not QUEUED, out of the list that it is in. */
static inline void
evl_life_unlink(struct evlock *lock, struct evl_request *r)
{
	if (lock->sole == r)
		lock->sole = NULL;
	else
		evl_list_remove(&r->seat.link);
}

#endif
