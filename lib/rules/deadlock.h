/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef EVL_DEADLOCK_H_INCLUDED_
#define EVL_DEADLOCK_H_INCLUDED_

/* Would a request that waits wait for ever?  See deadlock.c. */

#include "rules/core.h"

/** Has a request that waits now closed a wait cycle, of those who hold and wait for each
 * other for ever?  Of a newcomer, so there was none before. */
int evl_deadlock_is_stuck(const struct evl_seat *seat);

/** The same of any bound request, or of the owner that it has, without short cuts. */
int evl_deadlock_is_left_stuck(const struct evl_seat *seat);

/** The last of an owner's requests in the doubted cores that waits for ever, or NULL. */
struct evl_ties *evl_deadlock_last_in_vain(const struct evl_owner *owner);

#endif
