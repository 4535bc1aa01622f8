/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef EVL_DEADLOCK_H_INCLUDED_
#define EVL_DEADLOCK_H_INCLUDED_

/* Deadlock detection: does a waiting request wait for ever?  See deadlock.c. */

#include "rules/core.h"

/** Has a request that was just enqueued closed a wait cycle?  Assumes that there was no wait
 * cycle before. */
int evl_deadlock_is_stuck(const struct evl_seat *seat);

/** Does a bound request, or its owner if it has one, wait for ever?  Assumes nothing. */
int evl_deadlock_is_left_stuck(const struct evl_seat *seat);

/** Returns the owner's last request in the doubted cores that waits for ever, or NULL. */
struct evl_ties *evl_deadlock_last_in_vain(const struct evl_owner *owner);

#endif
