/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef EVL_LIFE_H_INCLUDED_
#define EVL_LIFE_H_INCLUDED_

/* The steps of a request's life that acquire.c, release.c, convert.c, deliver.c
 * and end.c share.  All of them are called in a step: in the thread of the lock's base
 * or, if it has a guard, with that entered. */

#include <errno.h>

#include "lock.h"

/** Set errno, and return what a failed call returns. */
int evl_fail(int error);
evlock_handle evl_refuse(int error);

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
    unsigned rank, enum evl_kind kind)
{
	struct evl_request *r = evl_pool_get(pool);

	if (!r)
		return NULL;
	r->seat.units = units;
	r->seat.mode = (uint8_t)mode;
	r->seat.rank = (uint8_t)rank;
	r->seat.kind = (uint8_t)kind;
	r->seat.ties = NULL;
	r->lock = lock;
	return r;
}

/** The same of any lock, which may be a key's. */
static inline struct evl_request *
evl_request_begin_any(struct evlock *lock, unsigned mode, uint32_t units, unsigned rank,
    enum evl_kind kind)
{
	struct evl_request *r = evl_request_begin(lock, lock->pool, mode, units, rank, kind);

	evl_port_use(lock->port);
	if (r && lock->table)
		evl_keyed_use(lock->body);
	return r;
}

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

/** Takes a request and its conversion out of whatever they are in, as part of a step. */
void evl_request_leave(struct evl_step *step, struct evl_request *r);

/** Ends the conversion that `r` has, and that nobody is to be told of, as part of a step. */
void evl_request_drop_conversion(struct evl_step *step, struct evl_request *r);

/** After that step: its memory is given back, and whom its end concerns is told. */
void evl_request_bury(struct evl_request *r);

/** Undoes what few requests have, but for the memory, which belongs to the port; ends a
 * conversion, which waits no more. */
void evl_request_detach(struct evl_request *r);

/** Gives the memory back; `r` is in no list and holds nothing.  In its base's thread. */
static inline void
evl_request_discard(struct evl_request *r)
{
	struct evlock *lock = r->lock;

	evl_core_of(lock)->n_over -= (uint32_t)evl_seat_is_over(&r->seat);
	if (r->seat.ties) {
		evl_request_detach(r);
		evl_extra_drop(lock->port, r);
	}
	if (lock->table)
		evl_keyed_unuse(lock->body);
	evl_pool_put(lock->pool, r);
}

/** Sends a request that was granted as soon as it was made. */
static inline void
evl_request_post(struct evl_request *r)
{
	if (r->lock->body->guard)
		evl_lock_post(r->lock, &r->seat);
	else
		evl_list_push(evl_port_fifo(r->lock->port), &r->seat.link);
}

/** Frees the lock of a key that nobody needs any more. */
static inline void
evl_lock_retire(struct evl_body *body)
{
	if (body->keyed)
		evl_keyed_retire(body);
}

/** The handle that a callback is given: of a conversion, that of what it converts. */
static inline evlock_handle
evl_request_told_handle(const struct evl_request *r)
{
	if (r->seat.kind == EVL_CONVERSION)
		r = EVL_REQUEST(r->seat.ties->of);
	return evl_request_handle(r);
}

/** Ends the waiting of `r`, if it still waits, with `error`; in end.c. */
void evl_request_fail(struct evl_request *r, int error);

/* In acquire.c. */

/** The errno that a request for so much deserves, or 0. */
int evl_request_judge(const struct evlock *lock, unsigned mode, uint32_t units);

/** The mode that it then has: a set that asks all its members for modes of their own
 * takes any. */
unsigned evl_request_mode(const struct evlock *lock, unsigned mode);

/** Grants `r` at once, or makes it wait.  Returns -1 with errno ENOMEM or EDEADLK. */
int evl_request_submit(struct evlock *lock, struct evl_request *r, const struct timeval *timeout);

#endif
