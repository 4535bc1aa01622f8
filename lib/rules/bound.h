/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef EVL_BOUND_H_INCLUDED_
#define EVL_BOUND_H_INCLUDED_

/* Requests that are bound to others by their ties: how they are granted, and end.  All are
 * given the seat that leads the request. */

#include "rules/change.h"

/** May a request that waits be granted: does each of its seats fit, and is it its turn? */
int evl_bound_is_grantable(struct evl_seat *seat);

/** Grants it; or denies it, if its owner would then wait for ever. */
void evl_bound_grant(struct evl_change *change, struct evl_seat *seat);

/** As evl_grant_try(), of a bound request. */
int evl_bound_try(struct evl_change *change, struct evl_seat *seat);

/** Ends its waiting, and its hold; the caller sets its state. */
void evl_bound_withdraw(struct evl_change *change, struct evl_seat *seat);
void evl_bound_release(struct evl_change *change, struct evl_seat *seat);

/** Ends the hold of one of its seats, whose lock's object is no more. */
void evl_bound_abandon(struct evl_change *change, struct evl_ties *ties);

#endif
