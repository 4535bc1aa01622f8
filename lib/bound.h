/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef EVL_BOUND_H_INCLUDED_
#define EVL_BOUND_H_INCLUDED_

/* What core.c, bound.c, giving_up.c and deadlock.c tell each other of requests that are bound
 * to others by their ties. */

#include "core.h"

#define EVL_OWNED(l) EVL_CONTAINER(l, struct evl_ties, owner_link)

static inline int
evl_ties_are_single(const struct evl_ties *ties)
{
	return ties->next == ties;
}

/** Need the seat not stand in the queue? */
int evl_ties_are_privileged(const struct evl_ties *ties);

/** Takes a seat out of its queue. */
static inline void
evl_ties_leave(struct evl_ties *ties)
{
	evl_core_leave(ties->core, ties->seat);
	ties->core->n_bound--;
	ties->seat->state = EVL_FREE;
}

/** A lock in which something has ended or been granted: those who wait there are looked at when
 * the step is finished. */
void evl_step_touch(struct evl_step *step, struct evl_core *core);

/** A seat leaves the queue, and its owner does not come to hold the lock by it. */
void evl_step_give_up(struct evl_step *step, struct evl_ties *ties);

/** Whoever else of the owner waits there may do so in vain now. */
void evl_step_doubt(struct evl_step *step, const struct evl_ties *ties);

/** A request that waits gives up, and is told. */
void evl_step_deny(struct evl_step *step, struct evl_ties *ties);

/** The same for those who are doubted, and do wait in vain. */
void evl_step_deny_doubted(struct evl_step *step);

#endif
