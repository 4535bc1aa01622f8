/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef EVL_CLOSE_H_INCLUDED_
#define EVL_CLOSE_H_INCLUDED_

/* Ends many requests at once, when a lock is closed or one of its objects is freed. */

#include "lock/lock.h"

/** Fails all waiters of a lock with `error`, as part of a step. */
void evl_close_fail_all(struct evl_step *step, struct evl_body *body, int error);

/** Fails all waiters of each set that has the lock as a member, as part of a step. */
void evl_close_fail_sets(struct evl_step *step, struct evl_body *body, int error);

/** Closes the sets that have `lock` as a member, and releases it in them, before `lock` is freed.
 * Makes a step. */
void evl_close_sets_of(struct evlock *lock);

/** Ends all requests made through a lock object.  Runs the callbacks that are still due, with
 * ECANCELED.  Called in no step. */
void evl_close_object(struct evlock *lock);

/** The same for all objects of a list, linked by evlock.link: the locks of a table's keys. */
void evl_close_objects(struct evl_link *locks);

#endif
