/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef EVL_BOUND_H_INCLUDED_
#define EVL_BOUND_H_INCLUDED_

/* Grants and ends bound requests: those that have ties to other seats.  Each call takes the seat
 * that leads the request, except evl_bound_abandon(). */

#include "rules/change.h"

/** May a waiting request be granted: does each of its seats fit, and is each next in line? */
int evl_bound_is_grantable(struct evl_seat *seat);

/** Grants a waiting request.  Denies it instead, with EDEADLK, if its owner would then wait for
 * ever. */
void evl_bound_grant(struct evl_change *change, struct evl_seat *seat);

/** As evl_grant_try(), for a bound request. */
int evl_bound_try(struct evl_change *change, struct evl_seat *seat);

/** Ends the wait, or the hold, of a request.  The caller then sets its state. */
void evl_bound_withdraw(struct evl_change *change, struct evl_seat *seat);
void evl_bound_release(struct evl_change *change, struct evl_seat *seat);

/** Ends the hold of one seat of a request, because the object of that lock is being freed. */
void evl_bound_abandon(struct evl_change *change, struct evl_ties *ties);

#endif
