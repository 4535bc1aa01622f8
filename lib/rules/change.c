/* SPDX-License-Identifier: BSD-3-Clause */

/* What one step changes; see change.h.  And giving up:
 *
 * A request is refused if it would wait for ever though everyone who can ends.  What was let
 * wait may come to do so for three reasons, and is then denied; nobody ever waits for ever
 * without being told.
 *
 *  - It waits behind others who wait for its owner, and was to go ahead of them as soon as
 *    another one of its owner is granted, since what an owner queued before it came to hold
 *    is treated as made after.  That other one leaves instead.  (Were it refused from the
 *    start, in case that the other leaves, it would not have been treated so.)
 *  - Its owner releases something, by which others are granted before it.
 *  - Others end in an order in which somebody is granted before another who came earlier,
 *    and who keeps the owner of the former waiting: bound.c, deny_granted().
 *
 * For the first two, those of the owner that wait for that lock are doubted, and looked at
 * once the step has done all that it has to do. */

#include <errno.h>

#include "rules/change.h"
#include "rules/deadlock.h"

/* --- Cores that have to be looked at -------------------------------------- */

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

/* An owner that is a handle by itself has nothing else there. */
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

/* The last first: those before it may then no longer be in vain. */
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
