/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef EVL_GRANT_H_INCLUDED_
#define EVL_GRANT_H_INCLUDED_

/* Grants requests, queues them, and ends them.  Each call takes the seat that leads a request,
 * and applies to all seats of the request.  No call grants another request, except
 * evl_grant_finish() and evl_grant_promote(). */

#include "rules/bound.h"

/** Grants a newcomer at once, if the rules allow it.  Does not append it to change->done: the
 * caller delivers the grant.  Returns 1 if the request was granted, 0 if it has to wait, -1 if
 * its owner would wait for ever after the grant. */
static inline int
evl_grant_try(struct evl_change *change, struct evl_core *core, struct evl_seat *seat)
{
	if (evl_ties_are_bound(seat))
		return evl_bound_try(change, seat);
	if (!evl_core_admits(core, seat->mode, seat->units, seat->rank))
		return 0;
	evl_core_take(core, seat->mode, seat->units);
	seat->state = EVL_GRANTED;
	evl_change_note(change, core, 0);
	evl_change_record(change, core, seat, EVL_GAINS, 0);
	return 1;
}

/** Puts a request into the queue. */
void evl_grant_enqueue(struct evl_change *change, struct evl_core *core, struct evl_seat *seat);

/** Ends the wait of a QUEUED request or conversion.  The caller then sets its state. */
void evl_grant_withdraw(struct evl_change *change, struct evl_core *core, struct evl_seat *seat);

/** Ends the hold of a GRANTED or HELD request.  The caller then unlinks it and sets its state.
 * `error`: 0, or the errno if the request has lost the lock. */
void evl_grant_release(struct evl_change *change, struct evl_core *core, struct evl_seat *seat,
    int error);

/** Grants every request that may be granted now, in each core that the step has touched. */
void evl_grant_finish(struct evl_change *change);

/** The same in one core, in which no waiter is bound and no mode has a predicate.  Appends the
 * granted requests to `out`. */
void evl_grant_promote(struct evl_core *core, struct evl_link *out);

#endif
