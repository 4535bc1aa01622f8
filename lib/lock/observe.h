/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef EVL_OBSERVE_H_INCLUDED_
#define EVL_OBSERVE_H_INCLUDED_

/* Observing a lock's requests: the lock's observer is called for each event of each request, at
 * the moment of the event.  It is called in a step, with the lock's guard entered if the lock has
 * one.  The short paths do not handle an observed lock.
 *
 *	EVL_QUEUES --> EVL_GAINS --> EVL_LEAVES
 *	    |
 *	    +--> EVL_WITHDRAWS or EVL_FAILS
 *
 * A request that is granted at once begins with EVL_GAINS.  A conversion is a request of its own
 * (role EVL_CONVERSION) and never leaves: the request that it converts does.  A request for a set
 * is reported by the set, not by the members.
 *
 * The observer finds in the request
 *
 *	r->lock			the lock object that the request was made through
 *	evl_lock_handle(r)	the handle that the caller knows; a conversion's caller knows the
 *				handle of the request r->seat.ties->of
 *	evl_extra_of(r)		for a request that has queued: `observed` is the observer's own, and
 *				0 at EVL_QUEUES.  A request that queued before the lock was
 *				observed, or was granted at once, has no extra, or 0 there.
 *
 * An observer must not keep the pointer to a request: once the guard is left, any thread may end
 * the request. */

#include "lock/lock.h"

/** Calls the observer of the lock.  For evl_change.record. */
void evl_observe(struct evl_seat *lead, enum evl_event event, int error);

/** Sets the lock's observer; a lock has one at most.  NULL: the lock is observed no longer, and
 * the caller owns the former observer.  The caller must have entered the lock's guard. */
void evl_observe_by(struct evl_body *body, struct evl_observer *observer);

#endif
