/* SPDX-License-Identifier: BSD-3-Clause */

/* Finds watches by number; see slots.h. */

#include <string.h>

#include "scopes/etcd/memory.h"
#include "scopes/etcd/slots.h"

#define MOST_SLOTS	(1u << 24)	/* id = count * MOST_SLOTS + slot */

static int
grow(struct evl_slots *slots)
{
	unsigned n = slots->n ? 2 * slots->n : 16;
	void **items = n <= MOST_SLOTS ? evl_memory_alloc(n * sizeof *items) : NULL;

	if (!items)
		return -1;
	if (slots->n)
		memcpy(items, slots->items, slots->n * sizeof *items);
	evl_memory_free(slots->items);
	slots->items = items;
	slots->n = n;
	return 0;
}

/* The search is short: at most half of the slots are used, and it starts where the last one
 * ended. */
int
evl_slots_take(struct evl_slots *slots, void *item)
{
	if (2 * slots->n_used >= slots->n && grow(slots) < 0)
		return -1;
	do
		slots->cursor = (slots->cursor + 1) % slots->n;
	while (slots->items[slots->cursor]);
	slots->items[slots->cursor] = item;
	slots->n_used++;
	return (int)slots->cursor;
}

void
evl_slots_give(struct evl_slots *slots, unsigned slot)
{
	slots->items[slot] = NULL;
	slots->n_used--;
}

int64_t
evl_slots_new_id(struct evl_slots *slots, unsigned slot)
{
	return ++slots->n_ids * MOST_SLOTS + slot;
}

void *
evl_slots_at(const struct evl_slots *slots, int64_t id)
{
	uint64_t slot = (uint64_t)id % MOST_SLOTS;

	return id > 0 && slot < slots->n ? slots->items[slot] : NULL;
}

void
evl_slots_clear(struct evl_slots *slots)
{
	evl_memory_free(slots->items);
	slots->items = NULL;
}
