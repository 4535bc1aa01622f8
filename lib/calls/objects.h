/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef EVL_OBJECTS_H_INCLUDED_
#define EVL_OBJECTS_H_INCLUDED_

/* Makes and frees lock objects.  Each object stands for one body on one event_base. */

#include "lock/lock.h"

/** Makes a lock with `modes`, and with the rest of `options`, which must be valid.  Returns NULL
 * with errno ENOMEM. */
struct evlock *evl_objects_create_lock(struct event_base *base,
    const struct evlock_options *options, const struct evlock_modes *modes);

/** Makes one more object for a body, on `port`, for a table.  Called in a step. */
struct evlock *evl_objects_create(struct evl_body *body, struct evl_port *port,
    struct evl_identity *identity, struct evlock_table *table);

/** The same for a caller of the library, on `base`, with a new identity. */
struct evlock *evl_objects_attach(struct evl_body *body, struct event_base *base,
    const struct evlock_options *options);

/** The same, with the identity of `lock`. */
struct evlock *evl_objects_add(struct evlock *lock, struct event_base *base);

/** Frees an object without requests.  Called in a step. */
void evl_objects_destroy(struct evlock *lock);

#endif
