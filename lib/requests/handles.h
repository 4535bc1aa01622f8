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
 * A pool keeps requests in slots.  Slot numbers come from one range for the
 * whole process, so no two pools make the same handle; a slot adds one to its
 * generation at each use, and is retired when that would wrap, so no handle is
 * made twice.  A slot that nobody uses has the handle of its next use, and does not
 * answer to it.  A request that answers to another handle, or to none, has EVL_HIDDEN
 * set in `request->handle`, which is bit 63: that of callers' own handles.
 *
 * A pool keeps its memory for the next requests until it is cleared.
 *
 * A pool belongs to whoever serializes its use: a port (its base's thread) or
 * a shared lock (its mutex).  The ranges are under a mutex of their own.
 */

#include "requests/request.h"

struct evl_extra;

#define EVL_HIDDEN	((evlock_handle)1 << 63)
#define EVL_GENERATION	((evlock_handle)1 << 32)	/* one generation */

#define EVL_CHUNK_SHIFT	10
#define EVL_CHUNK_SLOTS	(1u << EVL_CHUNK_SHIFT)

/** So many slots of a region, allocated together. */
struct evl_chunk {
	struct evl_request *slot;
	void *memory;
};

/** A run of slot numbers. */
struct evl_region {
	struct evl_region *older;
	uint32_t base, n;
	uint32_t n_made;		/**< slots that have been used at all */
	uint32_t generation;		/**< that they started from */
	struct evl_chunk chunk[];
};

struct evl_pool {
	struct evl_link *free;		/**< a stack of requests, by link.next; also the cores' */
	struct evl_request *top, *end;	/**< slots that were made, and not used yet */
	struct evl_region *newest;
	uint32_t n_retired;
	uint32_t n_at_first;		/**< slots of the first region, once there is one */
	struct evl_extra *own;		/**< callers' own handles, see chosen.c */
	struct evl_extra *own_keeper;
	uint64_t n_scopes;		/**< that were numbered, see evl_body.scope */
};

/** Makes a pool that begins with `n` slots, at most EVL_CHUNK_SLOTS, once it is used. */
void evl_handles_init(struct evl_pool *pool, uint32_t n);

/** Frees the memory; requests in it are gone. */
void evl_handles_clear(struct evl_pool *pool);

/** Calls `visit` for each request that has begun, and not ended. */
void evl_handles_visit(const struct evl_pool *pool, void (*visit)(struct evl_request *));

/** Before and after fork(): no other thread is about to take a range. */
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

/** What the handle of a slot becomes after this one; with EVL_HIDDEN: none, it is worn out. */
static inline evlock_handle
evl_handles_after(evlock_handle handle)
{
	return (handle & ~EVL_HIDDEN) + EVL_GENERATION;
}

/** Ends the life of a request and of its handle; `after` is what its slot has from now on. */
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

/** Returns what is, or was, in slot number `slot` of a region that has it. */
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

/** Returns the request that `handle`, one without EVL_HIDDEN, names, or NULL. */
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
