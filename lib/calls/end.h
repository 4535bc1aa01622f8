/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef EVL_END_H_INCLUDED_
#define EVL_END_H_INCLUDED_

/* How one request ends.  Called in a step. */

#include "lock/step.h"

/** Ends a request, whatever its state, and its conversion: it is unknown from now on. */
void evl_end_request(struct evl_step *step, struct evl_request *r);

/** Ends the conversion that `r` has, and that nobody is to be told of. */
void evl_end_conversion(struct evl_step *step, struct evl_request *r);

/** Takes a request and its conversion out of the queue or list that they are in.  The request's
 * memory stays.  `error`: 0, or the errno by which the request lost the lock that it holds. */
void evl_end_leave(struct evl_step *step, struct evl_request *r, int error);

/** Ends the hold of `r`.  `error` as above. */
void evl_end_let_go(struct evl_step *step, struct evl_request *r, int error);

/** Gives the memory back of a request that has left, at once or in its base's thread. */
void evl_end_dismiss(struct evl_request *r);

/** The request has left, and its handle is unknown from now on, while its memory stays; ends its
 * conversion, which waits no more. */
void evl_end_hide(struct evl_request *r);

/** Undoes what few requests have; ends a conversion, which waits no more. */
void evl_end_discard_extra(struct evl_request *r);

/** Gives the memory back; `r` is in no list and holds nothing.  In its base's thread. */
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

/** Ends the waiting of `r`, if it still waits, with `error`: a step. */
void evl_end_fail(struct evl_request *r, int error);

/** The same, as its timer went off. */
void evl_end_expire(struct evl_request *r);

#endif
