/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef EVL_CLOSE_H_INCLUDED_
#define EVL_CLOSE_H_INCLUDED_

/* Ends of many requests at once: a lock is closed, an object of it freed. */

#include "lock/lock.h"

/** Ends every wait for a lock with `error`, as part of a step. */
void evl_close_fail_all(struct evl_step *step, struct evl_body *body, int error);

/** The same for those who wait for a set that has the lock as a member. */
void evl_close_fail_sets(struct evl_step *step, struct evl_body *body, int error);

/** One of a lock's objects is about to be freed: the sets that have it as a member are closed,
 * and hold it no longer.  A step. */
void evl_close_sets_of(struct evlock *lock);

/** Ends everything made through a lock object.  Runs the callbacks that are still due, with
 * ECANCELED.  In no step. */
void evl_close_object(struct evlock *lock);

/** The same for all objects of a list, by evlock.link: those that a table has for its keys. */
void evl_close_objects(struct evl_link *locks);

#endif
