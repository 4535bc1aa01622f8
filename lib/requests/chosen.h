/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef EVL_CHOSEN_H_INCLUDED_
#define EVL_CHOSEN_H_INCLUDED_

/* Requests whose handles callers have chosen.  The caller serializes the calls, as for the
 * pool. */

#include "requests/extra.h"

/** Gives a request `handle`, which must be unused in `scope`.  Returns 0, or -1 with errno
 * ENOMEM. */
int evl_chosen_add(struct evl_pool *pool, struct evl_extra *extra, uint64_t scope,
    evlock_handle handle);
void evl_chosen_remove(struct evl_pool *pool, struct evl_extra *extra);
struct evl_request *evl_chosen_find(const struct evl_pool *pool, uint64_t scope,
    evlock_handle handle);

/** Frees the pool's table.  No request may have a chosen handle any more. */
void evl_chosen_clear(struct evl_pool *pool);

/** Forgets all chosen handles at once, and frees the table. */
void evl_chosen_forget(struct evl_pool *pool);

#endif
