/* SPDX-License-Identifier: BSD-3-Clause */

/* Requests that are bound to others: how they are granted, and end.  That may concern many
 * cores, so it is done in steps: what one of them does to a core marks that, and those who wait
 * there are looked at in the end.  As core.c, called with the mutex held. */

#include <errno.h>

#include "bound.h"

/* --- Cores that have to be looked at -------------------------------------- */

void
evl_step_touch(struct evl_step *step, struct evl_core *core)
{
	struct evl_core *last = step->last_dirty;

	if (core->is_dirty || !core->n_waiting)
		return;
	core->is_dirty = 1;
	core->next_dirty = last ? last->next_dirty : core;
	if (last)
		last->next_dirty = core;
	step->last_dirty = core;
}

/* The first that was marked, or NULL. */
static struct evl_core *
next_dirty(struct evl_step *step)
{
	struct evl_core *last = step->last_dirty, *core;

	if (!last)
		return NULL;
	core = last->next_dirty;
	last->next_dirty = core->next_dirty;
	if (core == last)
		step->last_dirty = NULL;
	core->is_dirty = 0;
	return core;
}

/* --- Going ahead ---------------------------------------------------------- */

/* Does it stand in the queue of `core`, until its owner comes to hold that? */
static int
could_go_ahead(const struct evl_ties *ties, const struct evl_core *core)
{
	return ties->core == core && ties->seat->state == EVL_QUEUED && !ties->is_ahead &&
	    evl_ties_are_single(ties);
}

/* `owner` has come to hold `core`: what it has in the queue there is treated as made after
 * that.  First it is pulled out of the queue. */
static void
pull(struct evl_owner *owner, struct evl_core *core)
{
	struct evl_link *link;

	EVL_LIST_EACH(link, &owner->ties) {
		struct evl_ties *own = EVL_OWNED(link);

		if (!could_go_ahead(own, core))
			continue;
		evl_core_sweep(core);	/* so that where it stood stays there */
		own->behind = own->seat->link.prev;
		evl_ties_leave(own);
	}
}

/* The owner of `seat` holds what that asked for. */
static void
pull_own(const struct evl_seat *seat)
{
	struct evl_ties *t;

	if (!seat->ties->owner || seat->ties->of)
		return;
	EVL_TIES_EACH(t, seat->ties)
		if (t->core->n_bound)
			pull(t->owner, t->core);
}

/* Then each is made to wait anew, and denied if that would be for ever. */
static void
advance_pulled(struct evl_step *step, struct evl_owner *owner)
{
	struct evl_link *link, *after;

	EVL_LIST_EACH_SAFE(link, after, &owner->ties) {
		struct evl_ties *own = EVL_OWNED(link);

		if (!own->behind)
			continue;
		own->behind = NULL;
		evl_core_enqueue_special(own->core, own->seat);
		evl_step_touch(step, own->core);
		if (evl_core_is_left_stuck(own->seat))
			evl_step_deny(step, own);
	}
}

/* Puts a seat that was pulled back into the queue, of which nothing else has changed since. */
static void
push_back(struct evl_ties *ties)
{
	struct evl_seat *seat = ties->seat, **last = &ties->core->last[seat->rank];

	evl_list_insert_after(ties->behind, &seat->link);
	if (seat->rank && (!*last || &(*last)->link == ties->behind))
		*last = seat;
	ties->behind = NULL;
	ties->core->n_waiting++;
	ties->core->n_bound++;
	seat->state = EVL_QUEUED;
}

/* All of them, the last first. */
static void
push_back_pulled(struct evl_owner *owner)
{
	struct evl_link *link;

	for (link = owner->ties.prev; link != &owner->ties; link = link->prev)
		if (EVL_OWNED(link)->behind)
			push_back(EVL_OWNED(link));
}

/* --- Giving, and taking back ---------------------------------------------- */

/* Gives a seat what it asks for. */
static void
give(struct evl_step *step, struct evl_ties *ties)
{
	struct evl_seat *seat = ties->seat, *of = ties->of;
	struct evl_core *core = ties->core;

	if (of) {
		evl_core_drop(core, of->mode, of->units);
		ties->mode_before = of->mode;
		of->mode = seat->mode;
	}
	evl_core_take(core, seat->mode, seat->units);
	seat->state = EVL_GRANTED;
	evl_step_touch(step, core);
	if (ties->owner && !of)
		evl_list_push(&core->holders, &ties->holder_link);
}

static void
let_go(struct evl_ties *ties)
{
	evl_core_drop(ties->core, ties->seat->mode, ties->seat->units);
	if (ties->owner)
		evl_list_remove(&ties->holder_link);
	ties->seat->state = EVL_FREE;
}

/* Was the grant given to an owner who waits for something else, in vain from now on?
 * Who waits for nothing ends by himself, and harms nobody. */
static int
is_harmful(const struct evl_seat *seat)
{
	struct evl_link *link;

	if (!seat->ties->owner)
		return 0;
	EVL_LIST_EACH(link, &seat->ties->owner->ties)
		if (EVL_OWNED(link)->seat->state == EVL_QUEUED)
			return evl_core_is_left_stuck(seat);
	return 0;
}

/* Undoes give(), which nobody has gained by yet. */
static void
take_back(struct evl_ties *ties)
{
	struct evl_seat *of = ties->of;

	if (!of) {
		let_go(ties);
		return;
	}
	ties->seat->state = EVL_FREE;
	evl_core_drop(ties->core, of->mode, of->units);
	of->mode = ties->mode_before;
	evl_core_take(ties->core, of->mode, of->units);
}

/* Undoes a grant, of which nobody was told. */
static void
take_all_back(struct evl_seat *seat)
{
	struct evl_ties *t;

	if (seat->ties->owner)
		push_back_pulled(seat->ties->owner);
	EVL_TIES_EACH(t, seat->ties)
		take_back(t);
}

/* --- Granting ------------------------------------------------------------- */

/* Could a newcomer pass all who wait, or does nobody wait ahead of it? */
static int
may_enter(const struct evl_ties *ties)
{
	return evl_core_is_next(ties->core, ties->seat->rank) || evl_ties_are_privileged(ties);
}

static int
is_turn(const struct evl_ties *ties)
{
	const struct evl_core *core = ties->core;

	return ties->is_ahead || (evl_list_is_empty(&core->ahead) &&
	    core->queue.next == &ties->seat->link);
}

/* May a request be granted: does each of its seats fit, and is it its turn? */
static int
is_grantable(struct evl_seat *seat)
{
	struct evl_ties *t;

	EVL_TIES_EACH(t, seat->ties)
		if (!is_turn(t) || !evl_core_seat_fits(t->core, t->seat))
			return 0;
	return 1;
}

/* By the grant its owner would wait for ever; see giving_up.c. */
static void
deny_granted(struct evl_step *step, struct evl_seat *seat)
{
	struct evl_seat *lead = seat->ties->lead;
	struct evl_ties *t;

	take_all_back(seat);
	EVL_TIES_EACH(t, seat->ties) {
		evl_step_touch(step, t->core);
		evl_step_doubt(step, t);
	}
	evl_core_conclude(lead->ties->core, lead, EDEADLK, step->out);
}

/* Nobody can take the grant back any more. */
static void
settle_grant(struct evl_step *step, struct evl_seat *seat)
{
	struct evl_seat *lead = seat->ties->lead;

	if (seat->ties->owner)
		advance_pulled(step, seat->ties->owner);
	if (!seat->ties->of)
		return;
	lead->ties->core->n_over++;
	evl_ties_part(lead->ties);
}

static void
grant_bound(struct evl_step *step, struct evl_seat *seat)
{
	struct evl_ties *t;

	EVL_TIES_EACH(t, seat->ties)
		evl_ties_leave(t);
	EVL_TIES_EACH(t, seat->ties)
		give(step, t);
	pull_own(seat);
	if (is_harmful(seat)) {
		deny_granted(step, seat);
		return;
	}
	settle_grant(step, seat);
	evl_list_push(step->out, &seat->ties->lead->link);
}

static inline void
grant_plain(struct evl_core *core, struct evl_seat *seat, struct evl_link *out)
{
	evl_core_leave(core, seat);
	evl_core_take(core, seat->mode, seat->units);
	seat->state = EVL_GRANTED;
	evl_list_push(out, &seat->link);
}

/* Grants the first of those ahead of the queue that can be. */
static int
grant_one_ahead(struct evl_step *step, struct evl_core *core)
{
	struct evl_link *link;

	EVL_LIST_EACH(link, &core->ahead)
		if (is_grantable(EVL_SEAT(link))) {
			grant_bound(step, EVL_SEAT(link));
			return 1;
		}
	return 0;
}

/* Grants the first of the queue, if it can be. */
static int
grant_one_queued(struct evl_step *step, struct evl_core *core)
{
	struct evl_seat *seat = EVL_SEAT(core->queue.next);

	if (!evl_seat_is_bound(seat)) {
		if (!evl_core_fits(core, seat->mode, seat->units))
			return 0;
		grant_plain(core, seat, step->out);
		return 1;
	}
	if (!is_grantable(seat))
		return 0;
	grant_bound(step, seat);
	return 1;
}

static void
promote_one(struct evl_step *step, struct evl_core *core)
{
	if (core->is_closed)
		return;
	for (;;) {
		if (!evl_list_is_empty(&core->ahead)) {
			if (!grant_one_ahead(step, core))
				return;
		} else if (evl_list_is_empty(&core->queue) || !grant_one_queued(step, core)) {
			return;
		}
	}
}

void
evl_step_finish(struct evl_step *step)
{
	struct evl_core *core;

	do {
		evl_step_deny_doubted(step);
		core = next_dirty(step);
		if (core)
			promote_one(step, core);
	} while (core || step->doubted);
}

/* --- Beginning and ending ------------------------------------------------- */

int
evl_core_try_bound(struct evl_core *core, struct evl_seat *seat, struct evl_link *out)
{
	struct evl_step step = { .out = out };
	struct evl_ties *t;

	(void)core;
	EVL_TIES_EACH(t, seat->ties)
		if (!may_enter(t) || !evl_core_seat_fits(t->core, t->seat))
			return 0;
	EVL_TIES_EACH(t, seat->ties)
		give(&step, t);
	pull_own(seat);
	if (is_harmful(seat)) {
		take_all_back(seat);
		while (next_dirty(&step))
			;
		return -1;
	}
	settle_grant(&step, seat);
	evl_step_finish(&step);
	return 1;
}

void
evl_step_withdraw(struct evl_step *step, struct evl_core *core, struct evl_seat *seat)
{
	struct evl_ties *t;

	if (!evl_seat_is_bound(seat)) {
		evl_core_leave(core, seat);
		evl_step_touch(step, core);
		return;
	}
	EVL_TIES_EACH(t, seat->ties)
		evl_step_give_up(step, t);
}

void
evl_step_release(struct evl_step *step, struct evl_core *core, struct evl_seat *seat)
{
	struct evl_ties *t;

	if (!evl_seat_is_bound(seat)) {
		evl_core_drop(core, seat->mode, seat->units);
		evl_step_touch(step, core);
		return;
	}
	EVL_TIES_EACH(t, seat->ties) {
		let_go(t);
		evl_step_touch(step, t->core);
		evl_step_doubt(step, t);
	}
}

void
evl_core_withdraw_bound(struct evl_seat *seat, struct evl_link *out)
{
	struct evl_step step = { .out = out };

	evl_step_withdraw(&step, seat->ties->core, seat);
	evl_step_finish(&step);
}

void
evl_core_abandon(struct evl_ties *ties)
{
	struct evl_ties *before = ties;

	while (before->next != ties)
		before = before->next;
	before->next = ties->next;
	ties->next = ties;
	let_go(ties);
	evl_ties_disown(ties);
}
