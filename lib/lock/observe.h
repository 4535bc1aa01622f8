/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef EVL_OBSERVE_H_INCLUDED_
#define EVL_OBSERVE_H_INCLUDED_

/* Observing: all that happens to the requests of a lock is told to its observer, as it happens,
 * in a step: with the lock's guard entered, if it has one.  The short paths do nothing for a
 * lock that is observed.
 *
 *	EVL_QUEUES --> EVL_GAINS --> EVL_LEAVES
 *	  |              ^ at once, without EVL_QUEUES
 *	  +--> EVL_WITHDRAWS or EVL_FAILS
 *
 * A conversion (role EVL_CONVERSION) queues, gains, withdraws or fails by itself, and never leaves.
 * A request for a set is the set's alone.  `r->lock` is the object that the request was made
 * through; its caller knows it by the handle evl_lock_handle(r), a conversion by that of what it
 * converts. */

#include "lock/lock.h"
#include "rules/change.h"

/** What an observer's own structure begins with. */
struct evl_observer {
	/** `r` is as it was made but for its state, and may be gone afterwards.  One that has
	 * queued has an extra, with `observed` for the observer's use: 0 at first.  So whoever
	 * gains and has no extra, or 0 there, was granted at once or queued before. */
	void (*observe)(struct evl_observer *observer, struct evl_request *r,
	    enum evl_event event, int error);

	/** The lock is gone: frees the observer.  NULL: it is the caller's.  In no step. */
	void (*free)(struct evl_observer *observer);
};

/** Tells the observer of the lock.  For evl_change.record. */
void evl_observe(struct evl_seat *lead, enum evl_event event, int error);

/** Makes `observer` that of the lock, which has one at most; NULL: there is none any more, and
 * what it was is the caller's.  Called with the lock's guard entered. */
void evl_observe_by(struct evl_body *body, struct evl_observer *observer);

#endif
