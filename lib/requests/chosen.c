/* SPDX-License-Identifier: BSD-3-Clause */

/* Handles that callers make from their own pointers.  Each pool has a hash table from
 * (lock, handle) to the request's extra, protected like the pool.  uthash frees its
 * table with the last entry.  One entry that stays, the keeper, avoids allocating the
 * table again for the next request. */

#include <string.h>

#include "base/mem.h"

static void
free_sized(void *ptr, size_t size)
{
	(void)size;
	evl_mem_free(ptr);
}

#define HASH_NONFATAL_OOM 1
#define uthash_malloc(size) evl_mem_new(size)
#define uthash_free(ptr, size) free_sized(ptr, size)
#define uthash_nonfatal_oom(extra) ((extra)->own.handle = 0)

#include "requests/chosen.h"

/* Returns -1 with errno ENOMEM. */
static int
insert(struct evl_pool *pool, struct evl_extra *extra, uint64_t scope,
    evlock_handle handle)
{
	memset(&extra->own, 0, sizeof extra->own);
	extra->own.scope = scope;
	extra->own.handle = handle;
	HASH_ADD(hh, pool->own, own, sizeof extra->own, extra);
	return extra->own.handle ? 0 : -1;
}

static int
add_keeper(struct evl_pool *pool)
{
	pool->own_keeper = evl_mem_zalloc(sizeof *pool->own_keeper);
	if (!pool->own_keeper)
		return -1;
	if (insert(pool, pool->own_keeper, 0, EVL_HIDDEN) == 0)
		return 0;
	evl_mem_free(pool->own_keeper);
	pool->own_keeper = NULL;
	return -1;
}

int
evl_chosen_add(struct evl_pool *pool, struct evl_extra *extra, uint64_t scope,
    evlock_handle handle)
{
	if (!pool->own_keeper && add_keeper(pool) < 0)
		return -1;
	return insert(pool, extra, scope, handle);
}

void
evl_chosen_remove(struct evl_pool *pool, struct evl_extra *extra)
{
	HASH_DELETE(hh, pool->own, extra);
	extra->own.handle = 0;
}

struct evl_request *
evl_chosen_find(const struct evl_pool *pool, uint64_t scope, evlock_handle handle)
{
	struct evl_own_key key;
	struct evl_extra *extra;

	memset(&key, 0, sizeof key);
	key.scope = scope;
	key.handle = handle;
	HASH_FIND(hh, pool->own, &key, sizeof key, extra);
	return extra ? extra->request : NULL;
}

void
evl_chosen_forget(struct evl_pool *pool)
{
	HASH_CLEAR(hh, pool->own);
	evl_mem_free(pool->own_keeper);
	pool->own_keeper = NULL;
}

void
evl_chosen_clear(struct evl_pool *pool)
{
	if (pool->own_keeper)
		HASH_DELETE(hh, pool->own, pool->own_keeper);
	evl_mem_free(pool->own_keeper);
	pool->own_keeper = NULL;
}
