/* SPDX-License-Identifier: BSD-3-Clause */

/* The invariants of a lock; see check.h and lib/README. */

#ifdef EVLOCK_DEBUG

#undef NDEBUG
#include <assert.h>
#include <string.h>

#include "lock/check.h"

/* The waiters that are checked: enough to find an error in a test, few enough for a queue of a
 * million. */
#define MOST_LOOKED_AT 256

/* I1: what is held is within the limits. */
static void
check_limits(const struct evl_body *body)
{
	const struct evl_core *core = &body->core;
	unsigned m;

	for (m = 0; m < core->n_modes; m++) {
		int is_held = evl_core_held(core)[m] != 0;

		assert(is_held == (int)(core->held_mask >> m & 1));
		assert(body->kind->has_moving_limits || !core->mode[m].limit
		    || evl_core_held(core)[m] <= core->mode[m].limit);
	}
}

/* I2: nobody waits who could be granted. */
static void
check_promoted(const struct evl_core *core)
{
	const struct evl_seat *first = EVL_SEAT(core->queue.next);

	if (evl_list_is_empty(&core->ahead) && !evl_list_is_empty(&core->queue))
		assert(evl_ties_are_bound(first) ||
		    !evl_core_fits(core, first->mode, first->units));
}

/* GONE seats do not outnumber the waiters, and the first seat is not GONE. */
static void
check_gone(const struct evl_core *core)
{
	const struct evl_link *link;
	unsigned n = 0, n_gone = 0;

	assert(core->n_gone <= core->n_waiting);
	assert(evl_list_is_empty(&core->queue) || EVL_SEAT(core->queue.next)->state != EVL_GONE);
	EVL_LIST_EACH(link, &core->queue) {
		n_gone += EVL_SEAT(link)->state == EVL_GONE;
		if (++n == MOST_LOOKED_AT)
			return;
	}
	assert(n_gone == core->n_gone);
}

/* I3: the queue is in order, and the others in it are QUEUED. */
static void
check_queue(const struct evl_core *core)
{
	const struct evl_link *link;
	unsigned n = 0, rank = EVL_RANKS;

	EVL_WAITING_EACH(link, &core->queue) {
		assert(EVL_SEAT(link)->state == EVL_QUEUED);
		assert(EVL_SEAT(link)->rank <= rank);
		rank = EVL_SEAT(link)->rank;
		if (++n == MOST_LOOKED_AT)
			return;
	}
	EVL_LIST_EACH(link, &core->ahead) {
		assert(EVL_SEAT(link)->state == EVL_QUEUED);
		n++;
	}
	assert(n == core->n_waiting);
}

static void
count(uint32_t *held, const struct evl_seat *seat)
{
	if (seat->state != EVL_FAILED)
		held[seat->mode] += seat->units;
}

/* Is all that is held in the object's list, or on its way there? */
static int
can_be_recounted(const struct evl_body *body)
{
	return !body->guard && body->n_objects <= 1 && !evl_list_is_empty(&body->objects) &&
	    evl_list_is_empty(&body->sets);
}

/* I6: the counts are what a recount gives. */
static void
check_counts(const struct evl_body *body)
{
	const struct evl_core *core = &body->core;
	const struct evlock *lock = evl_lock_object(body);
	uint32_t held[EVLOCK_MAX_MODES] = { 0 };
	const struct evl_link *link;
	unsigned n = 0, n_over = 0;

	if (!can_be_recounted(body))
		return;
	if (lock->sole)
		count(held, &lock->sole->seat);
	EVL_LIST_EACH(link, &lock->held) {
		count(held, EVL_SEAT(link));
		if (++n == MOST_LOOKED_AT)
			return;
	}
	EVL_LIST_EACH(link, &lock->port->fifo) {
		const struct evl_seat *seat = EVL_SEAT(link);

		if (++n == MOST_LOOKED_AT)
			return;
		if (seat->role >= EVL_NOTICE || EVL_REQUEST(seat)->lock != lock)
			continue;
		n_over += (unsigned)evl_ties_are_over(seat);
		if (seat->role < EVL_CONVERSION && seat->state == EVL_GRANTED)
			count(held, seat);
	}
	assert(n_over <= core->n_over);	/* evlock_free() may be about to call some back */
	assert(!memcmp(held, evl_core_held(core), core->n_modes * sizeof *held));
}

void
evl_check_lock(const struct evl_body *body)
{
	check_limits(body);
	check_promoted(&body->core);
	check_gone(&body->core);
	check_queue(&body->core);
	check_counts(body);
}

#else

/* A translation unit holds something. */
typedef int evl_check_is_off;

#endif
