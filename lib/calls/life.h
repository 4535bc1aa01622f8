/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef EVL_LIFE_H_INCLUDED_
#define EVL_LIFE_H_INCLUDED_

/* Makes a request, finds it by its handle, and lets it hold: the parts of a request's life that
 * several calls share.  Called in a step. */

#include "loop/letters.h"
#include "lock/lock.h"
#include "requests/chosen.h"

/* --- Making and finding ---------------------------------------------------- */

/** Returns the request of `lock` that `handle` names, or NULL. */
static inline struct evl_request *
evl_life_find(const struct evlock *lock, evlock_handle handle)
{
	struct evl_request *r;

	r = handle & EVL_HIDDEN ? evl_chosen_find(lock->pool, lock->identity->scope, handle)
	    : evl_handles_find(lock->pool, handle);
	return r && (r->lock == lock || r->lock->identity == lock->identity) ? r : NULL;
}

/** Makes a request with a handle and without a callback.  `pool` is lock->pool, which the caller
 * has already loaded.  Returns NULL with errno ENOMEM. */
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

/** The same for any lock, including the lock of a table's key. */
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

/** The mode of a request.  A set whose members each have a mode of their own takes any mode, and
 * maps it to 0. */
static inline unsigned
evl_life_mode(const struct evlock *lock, unsigned mode)
{
	return mode < evl_lock_core(lock)->n_modes ? mode : 0;
}

/** The handle that the callback gets.  A conversion's callback gets the converted handle. */
static inline evlock_handle
evl_life_told_handle(const struct evl_request *r)
{
	if (r->seat.role == EVL_CONVERSION)
		r = EVL_REQUEST(r->seat.ties->of);
	return evl_lock_handle(r);
}

/* --- Holding --------------------------------------------------------------- */

/** Makes `r` HELD, as its callback runs now, or it has none.  The lock has no guard. */
static inline void
evl_life_hold_plain(struct evlock *lock, struct evl_request *r)
{
	r->seat.state = EVL_HELD;
	if (!lock->sole)
		lock->sole = r;
	else
		evl_list_push(&lock->held, &r->seat.link);
}

/** The same for any lock. */
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

/** Takes `r` out of its list.  `r` must not be QUEUED. */
static inline void
evl_life_unlink(struct evlock *lock, struct evl_request *r)
{
	if (lock->sole == r)
		lock->sole = NULL;
	else
		evl_list_remove(&r->seat.link);
}

#endif
