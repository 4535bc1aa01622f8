/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef EVL_CHOSEN_H_INCLUDED_
#define EVL_CHOSEN_H_INCLUDED_

/* The requests that callers have given handles of their own choice.  Serialized as the pool
 * is. */

#include "requests/extra.h"

/** A handle that is not used yet.  Returns -1 with errno ENOMEM. */
int evl_chosen_add(struct evl_pool *pool, struct evl_extra *extra, uint64_t scope,
    evlock_handle handle);
void evl_chosen_remove(struct evl_pool *pool, struct evl_extra *extra);
struct evl_request *evl_chosen_find(const struct evl_pool *pool, uint64_t scope,
    evlock_handle handle);

/** Frees what the pool keeps for such handles, of which there are none left. */
void evl_chosen_clear(struct evl_pool *pool);

/** Forgets all of them at once, and frees the table. */
void evl_chosen_forget(struct evl_pool *pool);

#endif
