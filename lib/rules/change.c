/* SPDX-License-Identifier: BSD-3-Clause */

/* The changes of one step; see change.h.  This file also denies requests that would wait for ever.
 *
 * A new request is refused if it would wait for ever even after all others that can end have
 * ended.  A request that already waits may come to wait for ever for one of three reasons.  It is
 * then denied: its callback gets EDEADLK.
 *
 *  - It stands behind waiters that wait for its own owner.  It was queued all the same, because
 *    it goes ahead of them as soon as another request of its owner is granted: what an owner
 *    queues before it holds a lock is treated as queued afterwards.  But that other request
 *    leaves the queue without a grant.
 *  - Its owner releases a lock, and requests of others are granted before it.
 *  - Requests end in such an order that a later request is granted before an earlier one, for
 *    which the owner of the later one then waits: deny_granted() in bound.c.
 *
 * In the first two cases, the owner's requests for that lock are doubted, and the end of the step
 * looks at them. */

#include <errno.h>

#include "rules/change.h"
#include "rules/deadlock.h"

/* --- Cores to look at ------------------------------------------------------ */

static void
mark_dirty(struct evl_change *change, struct evl_core *core)
{
	struct evl_core *last = change->dirty;

	core->is_dirty = 1;
	core->next_dirty = last ? last->next_dirty : core;
	if (last)
		last->next_dirty = core;
	change->dirty = core;
}

static void
mark_touched(struct evl_change *change, struct evl_core *core)
{
	struct evl_core *last = change->touched;

	core->is_touched = 1;
	core->has_room = 0;
	core->next_touched = last ? last->next_touched : core;
	if (last)
		last->next_touched = core;
	change->touched = core;
}

void
evl_change_note_watched(struct evl_change *change, struct evl_core *core, int has_room)
{
	if (!core->is_touched)
		mark_touched(change, core);
	change->unusual |= core->unusual;
	core->is_changed = 1;
	core->has_room |= (uint8_t)has_room;
}

void
evl_change_touch(struct evl_change *change, struct evl_core *core, int has_room)
{
	if (core->n_waiting && !core->is_dirty)
		mark_dirty(change, core);
	evl_change_note(change, core, has_room);
}

struct evl_core *
evl_change_next_dirty(struct evl_change *change)
{
	struct evl_core *last = change->dirty, *core;

	if (!last)
		return NULL;
	core = last->next_dirty;
	last->next_dirty = core->next_dirty;
	if (core == last)
		change->dirty = NULL;
	core->is_dirty = 0;
	return core;
}

struct evl_core *
evl_change_next_touched(struct evl_change *change)
{
	struct evl_core *last = change->touched, *core;

	if (!last)
		return NULL;
	core = last->next_touched;
	last->next_touched = core->next_touched;
	if (core == last)
		change->touched = NULL;
	core->is_touched = core->is_changed = 0;
	return core;
}

/* --- Giving up ------------------------------------------------------------ */

void
evl_change_fail(struct evl_change *change, struct evl_core *core, struct evl_seat *lead, int error)
{
	evl_change_record(change, core, lead, EVL_FAILS, error);
	evl_core_conclude(core, lead, error, &change->done);
}

/* An owner that stands for a single handle has no other request in the lock. */
void
evl_change_doubt(struct evl_change *change, const struct evl_ties *ties)
{
	struct evl_owner *owner = ties->owner;
	struct evl_core *core = ties->core;

	if (!owner || owner->is_self || !core->n_bound)
		return;
	if (!owner->is_doubted) {
		owner->is_doubted = 1;
		owner->next_doubted = change->doubted;
		change->doubted = owner;
	}
	if (!core->is_doubted) {
		core->is_doubted = 1;
		core->next_doubted = change->doubted_cores;
		change->doubted_cores = core;
	}
}

/* A conversion that is not granted leaves its owner with the former mode.  That mode may exclude
 * waiters whose locks other requests of the owner wait for. */
static void
doubt_all(struct evl_change *change, const struct evl_owner *owner)
{
	struct evl_link *link;

	EVL_LIST_EACH(link, &owner->ties)
		if (EVL_OWNED(link)->seat->state == EVL_QUEUED)
			evl_change_doubt(change, EVL_OWNED(link));
}

void
evl_change_give_up(struct evl_change *change, struct evl_ties *ties)
{
	evl_core_leave_bound(ties->core, ties);
	evl_change_touch(change, ties->core, 1);
	evl_change_doubt(change, ties);
	if (ties->of && ties->owner)
		doubt_all(change, ties->owner);
}

void
evl_change_deny(struct evl_change *change, struct evl_ties *ties)
{
	struct evl_ties *t;

	EVL_TIES_EACH(t, ties)
		evl_change_give_up(change, t);
	evl_change_fail(change, ties->lead->ties->core, ties->lead, EDEADLK);
}

/* Denies the last request first: without it, earlier ones may no longer wait for ever. */
void
evl_change_deny_doubted(struct evl_change *change)
{
	struct evl_owner *owner;
	struct evl_ties *ties;

	while ((owner = change->doubted)) {
		while ((ties = evl_deadlock_last_in_vain(owner)))
			evl_change_deny(change, ties);
		change->doubted = owner->next_doubted;
		owner->is_doubted = 0;
	}
	for (; change->doubted_cores; change->doubted_cores = change->doubted_cores->next_doubted)
		change->doubted_cores->is_doubted = 0;
}
