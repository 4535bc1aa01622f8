/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef EVL_END_H_INCLUDED_
#define EVL_END_H_INCLUDED_

/* Ends one request.  Called in a step, except evl_end_fail() and evl_end_expire(). */

#include "lock/step.h"

/** Ends a request in any state, together with its conversion.  Its handle is unknown from now
 * on. */
void evl_end_request(struct evl_step *step, struct evl_request *r);

/** Ends the conversion of `r` without a callback. */
void evl_end_conversion(struct evl_step *step, struct evl_request *r);

/** Takes a request and its conversion out of their lists, and ends their holds, but keeps the
 * request's memory.  `error`: 0, or the errno if the request has lost the lock. */
void evl_end_leave(struct evl_step *step, struct evl_request *r, int error);

/** Ends the hold of `r`.  `error`: as above. */
void evl_end_let_go(struct evl_step *step, struct evl_request *r, int error);

/** Gives back the memory of a request that has left, at once or later in the thread of its
 * base. */
void evl_end_dismiss(struct evl_request *r);

/** Makes the handle of `r`, which has left, unknown, and keeps its memory.  Ends the conversion of
 * `r`, which must not be QUEUED. */
void evl_end_hide(struct evl_request *r);

/** Frees the extra of `r`.  Ends the conversion of `r`, which must not be QUEUED. */
void evl_end_discard_extra(struct evl_request *r);

/** Gives back the memory of `r`, which must be in no list and hold nothing.  Called in the thread
 * of its base. */
static inline void
evl_end_discard(struct evl_request *r)
{
	struct evlock *lock = r->lock;

	evl_lock_core(lock)->n_over -= (uint32_t)evl_ties_are_over(&r->seat);
	if (r->seat.ties)
		evl_end_discard_extra(r);
	if (lock->table)
		lock->body->kind->unuse(lock->body);
	evl_handles_put(lock->pool, r);
}

/** Fails `r` with `error`, if it still waits.  Makes a step. */
void evl_end_fail(struct evl_request *r, int error);

/** Fails `r` with ETIMEDOUT, if it still waits.  Makes a step. */
void evl_end_expire(struct evl_request *r);

#endif
