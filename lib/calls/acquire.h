/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef EVL_ACQUIRE_H_INCLUDED_
#define EVL_ACQUIRE_H_INCLUDED_

/* Checks a request, makes it, and grants or queues it.  Called in a step. */

#include "lock/step.h"

/** Checks the fields of a request, except its mode and units.  Returns 0 or an errno, in the order
 * of <evlock/evlock.h>: EINVAL, ECANCELED, EEXIST. */
int evl_acquire_judge_terms(const struct evlock_request *q, int is_closed,
    const struct evl_pool *pool, uint64_t scope);

/** Would a valid request that does not wait fail with EAGAIN? */
int evl_acquire_is_busy(const struct evlock *lock, const struct evlock_request *q);

/** Makes a request that is valid and not busy.  `role` must be one of those that acquire. */
evlock_handle evl_acquire_make(struct evl_step *step, struct evlock *lock,
    const struct evlock_request *q, enum evl_role role);

/** Grants `r` at once, or queues it.  Returns 0, or -1 with errno ENOMEM or EDEADLK. */
int evl_acquire_submit(struct evl_step *step, struct evlock *lock, struct evl_request *r,
    const struct timeval *timeout);

#endif
