/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef EVL_ACQUIRE_H_INCLUDED_
#define EVL_ACQUIRE_H_INCLUDED_

/* How a request is judged, made, and granted or made to wait.  Called in a step. */

#include "lock/step.h"

/** The errno that a request deserves for what it is, or 0, in the order of <evlock/evlock.h>:
 * EINVAL (its mode and units are judged by others), ECANCELED, EEXIST. */
int evl_acquire_judge_terms(const struct evlock_request *q, int is_closed,
    const struct evl_pool *pool, uint64_t scope);

/** Would a request that has been judged, and does not wait, fail with EAGAIN? */
int evl_acquire_is_busy(const struct evlock *lock, const struct evlock_request *q);

/** Makes a request that has been judged, and is not busy, for one of the roles that acquire. */
evlock_handle evl_acquire_make(struct evl_step *step, struct evlock *lock,
    const struct evlock_request *q, enum evl_role role);

/** Grants `r` at once, or makes it wait.  Returns -1 with errno ENOMEM or EDEADLK. */
int evl_acquire_submit(struct evl_step *step, struct evlock *lock, struct evl_request *r,
    const struct timeval *timeout);

#endif
