/* SPDX-License-Identifier: BSD-3-Clause */

/* Slots for requests; see handles.h.  A region maps slot numbers to memory.  Numbers
 * are cheap, so a region takes a long run of them.  Memory is not, so a region
 * allocates one chunk at a time.  `ranges.mutex` protects the ranges. */

#include <errno.h>
#include <pthread.h>
#include <string.h>

#include "requests/handles.h"
#include "base/mem.h"

#define SLOT_ALIGN	64	/* a cache line */
#define MADE_AT_ONCE	64	/* slots: a page */
#define SECOND_REGION	(1u << 14)
#define LARGEST_REGION	(1u << 26)	/* SECOND_REGION times a power of 2^6 */
#define LAST_GENERATION	0x7fffffffu
#define N_RETURNED	256

/* --- Slot numbers of the process ------------------------------------------ */

/* A run of slot numbers that no pool uses, and a generation that none of them has
 * reached yet. */
struct range {
	uint32_t base, n, generation;
};

static struct {
	pthread_mutex_t mutex;
	uint32_t next;
	unsigned n_returned;
	struct range returned[N_RETURNED];	/* when it is full, further ranges are leaked */
} ranges = { PTHREAD_MUTEX_INITIALIZER, 0, 0, { { 0, 0, 0 } } };

static int
take_returned(struct range *range, uint32_t n)
{
	unsigned i = ranges.n_returned;

	while (i-- > 0)
		if (ranges.returned[i].n == n) {
			*range = ranges.returned[i];
			ranges.returned[i] = ranges.returned[--ranges.n_returned];
			return 0;
		}
	return -1;
}

static int
take_new(struct range *range, uint32_t n)
{
	if (n > UINT32_MAX - ranges.next) {
		errno = ENOMEM;
		return -1;
	}
	range->base = ranges.next;
	range->n = n;
	range->generation = 1;
	ranges.next += n;
	return 0;
}

static int
take_range(struct range *range, uint32_t n)
{
	int result;

	pthread_mutex_lock(&ranges.mutex);
	result = take_returned(range, n);
	if (result < 0)
		result = take_new(range, n);
	pthread_mutex_unlock(&ranges.mutex);
	return result;
}

static void
return_range(const struct range *range)
{
	pthread_mutex_lock(&ranges.mutex);
	if (ranges.n_returned < N_RETURNED)
		ranges.returned[ranges.n_returned++] = *range;
	pthread_mutex_unlock(&ranges.mutex);
}

void
evl_handles_hold_ranges(void)
{
	pthread_mutex_lock(&ranges.mutex);
}

void
evl_handles_let_go_of_ranges(void)
{
	pthread_mutex_unlock(&ranges.mutex);
}

/* --- Regions -------------------------------------------------------------- */

static uint32_t
chunk_slots(uint32_t region_n)
{
	return region_n < EVL_CHUNK_SLOTS ? region_n : EVL_CHUNK_SLOTS;
}

static uint32_t
next_size(const struct evl_pool *pool)
{
	if (!pool->newest->n)
		return pool->n_at_first;
	if (pool->newest->n < SECOND_REGION)
		return SECOND_REGION;
	return pool->newest->n < LARGEST_REGION ? pool->newest->n << 6 : LARGEST_REGION;
}

static int
add_region(struct evl_pool *pool)
{
	uint32_t n = next_size(pool);
	struct evl_region *region;
	struct range range;

	region = evl_mem_zalloc(sizeof *region + n / chunk_slots(n) * sizeof region->chunk[0]);
	if (!region)
		return -1;
	if (take_range(&range, n) < 0) {
		evl_mem_free(region);
		return -1;
	}
	region->base = range.base;
	region->n = n;
	region->generation = range.generation;
	region->older = pool->newest;
	pool->newest = region;
	return 0;
}

/* Allocates a chunk, aligned to cache lines. */
static int
allocate(struct evl_chunk *chunk, uint32_t n)
{
	uintptr_t start;

	chunk->memory = evl_mem_new(n * sizeof *chunk->slot + SLOT_ALIGN - 1);
	if (!chunk->memory)
		return -1;
	start = ((uintptr_t)chunk->memory + SLOT_ALIGN - 1) & ~(uintptr_t)(SLOT_ALIGN - 1);
	chunk->slot = (struct evl_request *)start;
	return 0;
}

/* Returns a generation that none of the first `n` slots of a chunk has reached. */
static uint32_t
generation_after(const struct evl_chunk *chunk, uint32_t n)
{
	uint32_t highest = 0;

	while (n-- > 0) {
		uint32_t generation = (uint32_t)(chunk->slot[n].handle >> 32 & LAST_GENERATION);

		if (generation > highest)
			highest = generation;
	}
	return highest + 1;
}

static void
free_region(struct evl_region *region, int is_reusable)
{
	struct range range = { region->base, region->n, region->generation };
	uint32_t i, n = chunk_slots(region->n), left = region->n_made;

	for (i = 0; i < region->n / n && region->chunk[i].slot; i++) {
		uint32_t n_made = left < n ? left : n;
		uint32_t generation = generation_after(&region->chunk[i], n_made);

		if (generation > range.generation)
			range.generation = generation;
		left -= n_made;
		evl_mem_free(region->chunk[i].memory);
	}
	if (is_reusable && range.generation <= LAST_GENERATION)
		return_range(&range);
	evl_mem_free(region);
}

/* --- Pools ---------------------------------------------------------------- */

/* The region of a pool that has none yet. */
static struct evl_region no_region;

void
evl_handles_init(struct evl_pool *pool, uint32_t n)
{
	memset(pool, 0, sizeof *pool);
	pool->n_at_first = n;
	pool->newest = &no_region;
}

void
evl_handles_clear(struct evl_pool *pool)
{
	while (pool->newest != &no_region) {
		struct evl_region *region = pool->newest;

		pool->newest = region->older;
		free_region(region, !pool->n_retired);
	}
	evl_handles_init(pool, pool->n_at_first);
}

void
evl_handles_visit(const struct evl_pool *pool, void (*visit)(struct evl_request *))
{
	const struct evl_region *region;
	uint32_t i;

	for (region = pool->newest; region; region = region->older)
		for (i = 0; i < region->n_made; i++) {
			struct evl_request *r = evl_handles_slot(region, region->base + i);

			if (r->seat.state > EVL_GONE)
				visit(r);
		}
}

/* Makes more slots of a chunk, of which `made` slots are ready. */
static void
make_slots(struct evl_pool *pool, struct evl_chunk *chunk, uint32_t made)
{
	struct evl_region *region = pool->newest;
	uint32_t i, n = chunk_slots(region->n);

	if (n > made + MADE_AT_ONCE)
		n = made + MADE_AT_ONCE;
	pool->top = &chunk->slot[made];
	pool->end = &chunk->slot[n];
	for (i = made; i < n; i++) {
		chunk->slot[i].handle = region->generation * EVL_GENERATION |
		    (region->base + region->n_made + i - made);
		chunk->slot[i].seat.state = EVL_FREE;
	}
	region->n_made += n - made;	/* last: a forked child may visit that many */
}

struct evl_request *
evl_handles_grow(struct evl_pool *pool)
{
	struct evl_region *region;
	struct evl_chunk *chunk;

	if (pool->newest->n_made == pool->newest->n && add_region(pool) < 0)
		return NULL;
	region = pool->newest;
	chunk = &region->chunk[region->n_made >> EVL_CHUNK_SHIFT];
	if (!chunk->slot && allocate(chunk, chunk_slots(region->n)) < 0)
		return NULL;
	make_slots(pool, chunk, region->n_made & (EVL_CHUNK_SLOTS - 1));
	return pool->top++;
}
