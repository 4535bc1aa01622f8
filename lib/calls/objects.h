/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef EVL_OBJECTS_H_INCLUDED_
#define EVL_OBJECTS_H_INCLUDED_

/* Lock objects: each stands for a body, on an event_base. */

#include "lock/lock.h"

/** Makes a lock with the modes given, and what else `options` has, which is valid.
 * NULL with errno ENOMEM. */
struct evlock *evl_objects_create_lock(struct event_base *base,
    const struct evlock_options *options, const struct evlock_modes *modes);

/** Makes one more object for a body, on the port of `table`.  In a step. */
struct evlock *evl_objects_create(struct evl_body *body, struct evl_port *port,
    struct evl_identity *identity, struct evlock_table *table);

/** The same for the caller, on `base`, with an identity of its own. */
struct evlock *evl_objects_attach(struct evl_body *body, struct event_base *base,
    const struct evlock_options *options);

/** The same, with the identity of `lock`. */
struct evlock *evl_objects_add(struct evlock *lock, struct event_base *base);

/** Frees an object, without a callback; it has no requests.  In a step. */
void evl_objects_destroy(struct evlock *lock);

#endif
