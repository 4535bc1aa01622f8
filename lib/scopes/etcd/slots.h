/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef EVL_SLOTS_H_INCLUDED_
#define EVL_SLOTS_H_INCLUDED_

/* Finds a watch by the number that etcd knows it by.  The number contains the watch's slot, and is
 * never used again.  Pure; called by watches. */

#include <stdint.h>

struct evl_slots {
	void **items;			/**< NULL: the slot is free */
	unsigned n, n_used;
	unsigned cursor;		/**< the slot that was taken last */
	int64_t n_ids;			/**< number of ids given so far */
};

/** Puts `item` in a free slot.  Returns the slot, or -1 if there is no memory. */
int evl_slots_take(struct evl_slots *slots, void *item);
void evl_slots_give(struct evl_slots *slots, unsigned slot);

/** Returns a new positive number that leads to the slot. */
int64_t evl_slots_new_id(struct evl_slots *slots, unsigned slot);

/** Returns the item in the slot that `id` leads to, or NULL.  `id` may be any number. */
void *evl_slots_at(const struct evl_slots *slots, int64_t id);

void evl_slots_clear(struct evl_slots *slots);

#endif
