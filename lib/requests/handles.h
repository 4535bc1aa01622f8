/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef EVL_HANDLES_H_INCLUDED_
#define EVL_HANDLES_H_INCLUDED_

/* Handles, and the memory of the requests that they name.
 *
 *	63       62         32 31          0
 *	+-------+-------------+-------------+
 *	| own=0 | generation  | slot number |
 *	+-------+-------------+-------------+
 *
 * A pool keeps requests in slots.  Slot numbers come from one range for the whole
 * process, so no two pools make the same handle.  A slot adds one to its generation
 * at each use.  It is retired before the generation wraps, so no handle is made twice.
 * A free slot has the handle of its next use, which evl_handles_find() does not find
 * yet.  A request with a chosen handle, or without a handle, has EVL_HIDDEN set in
 * `request->handle`.  That is bit 63, which every chosen handle has.
 *
 * A pool keeps its memory for the next requests until it is cleared.
 *
 * A pool belongs to a port, whose base's thread serializes its use, or to a guard,
 * whose mutex does.  The ranges have a separate mutex.
 */

#include "requests/request.h"

struct evl_extra;

#define EVL_HIDDEN	((evlock_handle)1 << 63)
#define EVL_GENERATION	((evlock_handle)1 << 32)	/* one generation */

#define EVL_CHUNK_SHIFT	10
#define EVL_CHUNK_SLOTS	(1u << EVL_CHUNK_SHIFT)

/** EVL_CHUNK_SLOTS slots of a region, allocated together; fewer in a smaller region. */
struct evl_chunk {
	struct evl_request *slot;
	void *memory;
};

/** A run of slot numbers. */
struct evl_region {
	struct evl_region *older;
	uint32_t base, n;
	uint32_t n_made;		/**< slots that are ready, or in use */
	uint32_t generation;		/**< the first generation of its slots */
	struct evl_chunk chunk[];
};

struct evl_pool {
	struct evl_link *free;		/**< a stack of free slots, by link.next; cores push, too */
	struct evl_request *top, *end;	/**< slots that are ready and were never used */
	struct evl_region *newest;
	uint32_t n_retired;
	uint32_t n_at_first;		/**< slots of the first region */
	struct evl_extra *own;		/**< chosen handles, see chosen.c */
	struct evl_extra *own_keeper;
	uint64_t n_scopes;		/**< the last evl_identity.scope that was given out */
};

/** Makes an empty pool.  Its first region will have `n` slots, at most EVL_CHUNK_SLOTS. */
void evl_handles_init(struct evl_pool *pool, uint32_t n);

/** Frees the memory of a pool, with all its requests. */
void evl_handles_clear(struct evl_pool *pool);

/** Calls `visit` for each request that has not ended. */
void evl_handles_visit(const struct evl_pool *pool, void (*visit)(struct evl_request *));

/** Called before and after fork(), so that no other thread is taking a range meanwhile. */
void evl_handles_hold_ranges(void);
void evl_handles_let_go_of_ranges(void);

/** Makes more slots ready.  Returns one, or NULL with errno ENOMEM. */
struct evl_request *evl_handles_grow(struct evl_pool *pool);

/** Returns a request with a new handle and nothing else set, or NULL with errno ENOMEM. */
static inline struct evl_request *
evl_handles_get(struct evl_pool *pool)
{
	struct evl_link *free = pool->free;
	struct evl_request *r;

	if (free) {
		pool->free = free->next;
		r = EVL_REQUEST(EVL_SEAT(free));
	} else if (pool->top != pool->end) {
		r = pool->top++;
	} else if (!(r = evl_handles_grow(pool))) {
		return NULL;
	}
	return r;
}

/** Returns the next handle of a slot.  If EVL_HIDDEN is set in it, the slot has none left. */
static inline evlock_handle
evl_handles_after(evlock_handle handle)
{
	return (handle & ~EVL_HIDDEN) + EVL_GENERATION;
}

/** Ends a request and its handle.  `after` is the next handle of its slot. */
static inline void
evl_handles_put_as(struct evl_pool *pool, struct evl_request *r, evlock_handle after)
{
	r->handle = after;
	r->seat.state = EVL_FREE;
	if (after & EVL_HIDDEN) {
		pool->n_retired++;
	} else {
		r->seat.link.next = pool->free;
		pool->free = &r->seat.link;
	}
}

static inline void
evl_handles_put(struct evl_pool *pool, struct evl_request *r)
{
	evl_handles_put_as(pool, r, evl_handles_after(r->handle));
}

/** Returns the slot with number `slot`, which must be in `region`. */
static inline struct evl_request *
evl_handles_slot(const struct evl_region *region, uint32_t slot)
{
	uint32_t i = slot - region->base;

	return &region->chunk[i >> EVL_CHUNK_SHIFT].slot[i & (EVL_CHUNK_SLOTS - 1)];
}

static inline int
evl_handles_has(const struct evl_region *region, uint32_t slot)
{
	return slot - region->base < region->n_made;
}

/** Returns the request that `handle` names, or NULL.  EVL_HIDDEN must not be set in `handle`. */
static inline struct evl_request *
evl_handles_find(const struct evl_pool *pool, evlock_handle handle)
{
	const struct evl_region *region = pool->newest;
	struct evl_request *r;

	while (region && !evl_handles_has(region, (uint32_t)handle))
		region = region->older;
	if (!region)
		return NULL;
	r = evl_handles_slot(region, (uint32_t)handle);
	return r->handle == handle && r->seat.state > EVL_GONE ? r : NULL;
}

#endif
