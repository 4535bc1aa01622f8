/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef EVL_GRANT_H_INCLUDED_
#define EVL_GRANT_H_INCLUDED_

/* How requests are granted, wait, and end.  All are given the seat that leads a request, and
 * do as they say for all its seats.  Those who gain by it are granted by evl_grant_finish(). */

#include "rules/bound.h"

/** Grants a newcomer at once, if it may be, other than through change->done: whoever calls
 * tells.  1: it was granted; 0: it may not be; -1: somebody who waits would be stuck. */
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

/** Makes a request wait. */
void evl_grant_enqueue(struct evl_change *change, struct evl_core *core, struct evl_seat *seat);

/** Ends the waiting of a QUEUED request, a conversion's too; the caller sets its state. */
void evl_grant_withdraw(struct evl_change *change, struct evl_core *core, struct evl_seat *seat);

/** Ends the hold of a GRANTED or HELD request; the caller unlinks it and sets its state.
 * `error`: 0, or the errno by which the lock was lost. */
void evl_grant_release(struct evl_change *change, struct evl_core *core, struct evl_seat *seat,
    int error);

/** Grants all whose turn it is, in every core that was touched. */
void evl_grant_finish(struct evl_change *change);

/** The same in one core where nobody who waits is bound and no condition is asked: those
 * granted come in `out`. */
void evl_grant_promote(struct evl_core *core, struct evl_link *out);

#endif
