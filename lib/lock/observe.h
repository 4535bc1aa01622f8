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
 * A conversion queues, gains, withdraws or fails by itself, and never leaves.  A request for a
 * set is the set's alone. */

#include "requests/request.h"
#include "rules/change.h"

struct evl_body;

/** What an observer's own structure begins with. */
struct evl_observer {
	/** `r` is as it was made but for its state, and may be gone afterwards. */
	void (*observe)(struct evl_observer *observer, const struct evl_request *r,
	    enum evl_event event, int error);
};

/** Tells the observer of the lock.  For evl_change.record. */
void evl_observe(const struct evl_seat *lead, enum evl_event event, int error);

/** Makes `observer`, which stays the caller's, that of the lock; NULL: there is none any more.
 * Called with the lock's guard entered. */
void evl_observe_by(struct evl_body *body, struct evl_observer *observer);

#endif
