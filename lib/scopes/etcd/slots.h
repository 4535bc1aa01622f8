/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef EVL_SLOTS_H_INCLUDED_
#define EVL_SLOTS_H_INCLUDED_

/* From the number that etcd knows a watch by to the watch: the number has the watch's slot in it, and
 * is never used again.  Pure; called by watches. */

#include <stdint.h>

struct evl_slots {
	void **items;			/**< NULL: that slot is free */
	unsigned n, n_used;
	unsigned cursor;		/**< the slot that was taken last */
	int64_t n_ids;			/**< given so far */
};

/** Returns the slot, or -1 if there is no memory. */
int evl_slots_take(struct evl_slots *slots, void *item);
void evl_slots_give(struct evl_slots *slots, unsigned slot);

/** A positive number that leads to the slot. */
int64_t evl_slots_new_id(struct evl_slots *slots, unsigned slot);

/** What is in the slot that the number leads to, or NULL; the number may be anything. */
void *evl_slots_at(const struct evl_slots *slots, int64_t id);

void evl_slots_clear(struct evl_slots *slots);

#endif
