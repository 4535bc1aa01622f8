/* SPDX-License-Identifier: BSD-3-Clause */

/* The grant rule; see core.h.  Called with the lock's mutex held, if it has one. */

#include <errno.h>
#include <string.h>

#include "core.h"

static int
has_limits(const struct evlock_modes *modes)
{
	unsigned m;

	for (m = 0; m < modes->n_modes; m++)
		if (modes->mode[m].limit)
			return 1;
	return 0;
}

static int
has_conditions(const struct evlock_modes *modes)
{
	unsigned m;

	for (m = 0; m < modes->n_modes; m++)
		if (modes->mode[m].is_compatible)
			return 1;
	return 0;
}

void
evl_core_init(struct evl_core *core, const struct evlock_modes *modes, int prefers_last)
{
	memset(core, 0, evl_core_size(modes->n_modes));
	core->mode = modes->mode;
	core->n_modes = modes->n_modes;
	core->arg = modes->arg;
	core->is_conditional = (uint8_t)has_conditions(modes);
	core->is_counted = core->is_conditional || has_limits(modes);
	core->preferred = (uint8_t)(prefers_last ? modes->n_modes - 1 : EVLOCK_MAX_MODES);
	evl_list_init(&core->queue);
	evl_list_init(&core->ahead);
	evl_list_init(&core->holders);
}

/* --- Ties ----------------------------------------------------------------- */

void
evl_ties_init(struct evl_ties *ties, struct evl_seat *seat, struct evl_core *core)
{
	memset(ties, 0, sizeof *ties);
	ties->seat = ties->lead = seat;
	ties->core = core;
	ties->next = ties;
	seat->ties = ties;
}

void
evl_ties_join(struct evl_ties *ties, struct evl_ties *lead)
{
	ties->lead = lead->seat;
	ties->next = lead->next;
	lead->next = ties;
	ties->is_bound = lead->is_bound = 1;
}

void
evl_ties_own(struct evl_ties *ties, struct evl_owner *owner)
{
	ties->owner = owner;
	ties->is_bound = 1;
	evl_list_push(&owner->ties, &ties->owner_link);
}

void
evl_ties_own_held(struct evl_ties *ties, struct evl_owner *owner)
{
	evl_ties_own(ties, owner);
	evl_list_push(&ties->core->holders, &ties->holder_link);
}

void
evl_ties_disown(struct evl_ties *ties)
{
	if (ties->owner)
		evl_list_remove(&ties->owner_link);
	ties->owner = NULL;
}

#define OWNED(l) EVL_CONTAINER(l, struct evl_ties, owner_link)

static inline int
is_single(const struct evl_ties *ties)
{
	return ties->next == ties;
}

static int
owner_holds(const struct evl_owner *owner, const struct evl_core *core)
{
	struct evl_link *link;

	EVL_LIST_EACH(link, &owner->ties)
		if (OWNED(link)->core == core && evl_ties_hold(OWNED(link)))
			return 1;
	return 0;
}

/* --- Fitting -------------------------------------------------------------- */

/* Takes what the owner of `ties` holds out of the count, or puts it back. */
static void
count_own(struct evl_core *core, const struct evl_ties *ties, int is_counted)
{
	struct evl_link *link;

	EVL_LIST_EACH(link, &ties->owner->ties) {
		const struct evl_ties *own = OWNED(link);

		if (own->core != core || !evl_ties_hold(own) || own->seat == ties->of)
			continue;
		if (is_counted)
			evl_core_take(core, own->seat->mode, own->seat->units);
		else
			evl_core_drop(core, own->seat->mode, own->seat->units);
	}
}

/* Does the seat fit, if what its owner holds is only in the way of limits? */
static int
fits_beside_own(struct evl_core *core, const struct evl_seat *seat)
{
	const struct evlock_mode *m = &core->mode[seat->mode];
	uint32_t *held = evl_core_held(core);
	int fits;

	if (!evl_core_is_within(m, held[seat->mode], seat->units))
		return 0;
	count_own(core, seat->ties, 0);
	fits = evl_core_is_compatible(core, seat->mode) && (!m->is_compatible ||
	    m->is_compatible(seat->mode, seat->units, held, core->arg));
	count_own(core, seat->ties, 1);
	return fits;
}

int
evl_core_seat_fits(struct evl_core *core, const struct evl_seat *seat)
{
	const struct evl_seat *of = seat->ties ? seat->ties->of : NULL;
	int fits;

	if (of && of->mode == seat->mode)
		return 1;
	if (of)
		evl_core_drop(core, of->mode, of->units);
	fits = evl_core_fits(core, seat->mode, seat->units);
	if (!fits && seat->ties && seat->ties->owner)
		fits = fits_beside_own(core, seat);
	if (of)
		evl_core_take(core, of->mode, of->units);
	return fits;
}

int
evl_core_is_allowed(struct evl_core *core, const struct evl_seat *seat)
{
	const struct evlock_mode *m = &core->mode[seat->mode];
	const struct evl_ties *ties = seat->ties;
	int is_allowed;

	if (!m->is_compatible)
		return 1;
	if (ties && ties->of)
		evl_core_drop(core, ties->of->mode, ties->of->units);
	if (ties && ties->owner)
		count_own(core, ties, 0);
	is_allowed = m->is_compatible(seat->mode, seat->units, evl_core_held(core), core->arg);
	if (ties && ties->owner)
		count_own(core, ties, 1);
	if (ties && ties->of)
		evl_core_take(core, ties->of->mode, ties->of->units);
	return is_allowed;
}

/* --- The queue ------------------------------------------------------------ */

/* The link that a newcomer of `rank` is queued behind. */
static struct evl_link *
place(struct evl_core *core, unsigned rank)
{
	for (; rank < EVL_RANKS; rank++)
		if (core->last[rank])
			return &core->last[rank]->link;
	return &core->queue;
}

/* Need the seat not stand in the queue? */
static int
is_privileged(const struct evl_ties *ties)
{
	return ties->of || (ties->owner && is_single(ties) && owner_holds(ties->owner, ties->core));
}

static void
enqueue_seat(struct evl_core *core, struct evl_seat *seat)
{
	core->n_waiting++;
	core->n_bound += (uint32_t)evl_seat_is_bound(seat);
	if (seat->ties && (seat->ties->is_ahead = (uint8_t)is_privileged(seat->ties))) {
		evl_list_push(&core->ahead, &seat->link);
	} else if (seat->rank) {
		evl_list_insert_after(place(core, seat->rank), &seat->link);
		core->last[seat->rank] = seat;
	} else {
		evl_list_push(&core->queue, &seat->link);
	}
	seat->state = EVL_QUEUED;
}

void
evl_core_enqueue_special(struct evl_core *core, struct evl_seat *seat)
{
	struct evl_ties *t;

	if (!seat->ties) {
		enqueue_seat(core, seat);
		return;
	}
	EVL_TIES_EACH(t, seat->ties)
		enqueue_seat(t->core, t->seat);
}

void
evl_core_forget_last(struct evl_core *core, struct evl_seat *seat)
{
	struct evl_link *before = seat->link.prev;
	int is_same = before != &core->queue && EVL_SEAT(before)->rank == seat->rank;

	core->last[seat->rank] = is_same ? EVL_SEAT(before) : NULL;
}

/* Takes one who is gone out of the queue; its memory goes back.  Returns the next. */
static inline struct evl_link *
bury(struct evl_core *core, struct evl_seat *seat)
{
	struct evl_link *next = seat->link.next;

	evl_list_remove(&seat->link);
	seat->state = EVL_FREE;
	seat->link.next = *core->free;
	*core->free = &seat->link;
	core->n_gone--;
	return next;
}

void
evl_core_sweep(struct evl_core *core)
{
	struct evl_link *link = core->queue.next;

	while (core->n_gone)
		link = EVL_SEAT(link)->state == EVL_GONE ? bury(core, EVL_SEAT(link)) : link->next;
}

void
evl_core_tidy(struct evl_core *core)
{
	while (core->n_gone && EVL_SEAT(core->queue.next)->state == EVL_GONE)
		bury(core, EVL_SEAT(core->queue.next));
	if (core->n_gone > core->n_waiting)
		evl_core_sweep(core);
}

static void
leave_bound(struct evl_ties *ties)
{
	evl_core_leave(ties->core, ties->seat);
	ties->core->n_bound--;
	ties->seat->state = EVL_FREE;
}

/* Does it stand in the queue of `core`, until its owner comes to hold that? */
static int
could_go_ahead(const struct evl_ties *ties, const struct evl_core *core)
{
	return ties->core == core && ties->seat->state == EVL_QUEUED && !ties->is_ahead &&
	    is_single(ties);
}

/* --- Cores that have to be looked at -------------------------------------- */

static void
mark_dirty(struct evl_step *step, struct evl_core *core)
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

/* --- Giving up ------------------------------------------------------------ */

/* A request is refused if it would wait for ever though everyone who can ends.  What was let
 * wait may come to do so for three reasons, and is then denied; nobody ever waits for ever
 * without being told.
 *
 *  - It waits behind others who wait for its owner, and was to go ahead of them as soon as
 *    another one of its owner is granted, since what an owner queued before it came to hold
 *    is treated as made after.  That other one leaves instead.  (Were it refused from the
 *    start, in case that the other leaves, it would not have been treated so.)
 *  - Its owner releases something, by which others are granted before it.
 *  - Others end in an order in which somebody is granted before another who came earlier,
 *    and who keeps the owner of the former waiting: deny_granted().
 *
 * For the first two, here are looked at, once the step has done all that it has to do, those
 * of the owner that wait for that lock. */
static void
doubt_own(struct evl_step *step, const struct evl_ties *ties)
{
	struct evl_owner *owner = ties->owner;
	struct evl_link *link;

	if (!owner || !ties->core->n_bound)
		return;
	EVL_LIST_EACH(link, &owner->ties) {
		struct evl_ties *own = OWNED(link);

		if (own->core != ties->core || own->seat->state != EVL_QUEUED)
			continue;
		own->is_doubted = 1;
		if (!owner->is_doubted) {
			owner->is_doubted = 1;
			owner->next_doubted = step->doubted;
			step->doubted = owner;
		}
	}
}

static void
trust(struct evl_owner *owner)
{
	struct evl_link *link;

	owner->is_doubted = 0;
	EVL_LIST_EACH(link, &owner->ties)
		OWNED(link)->is_doubted = 0;
}

/* A seat leaves the queue, and its owner does not come to hold the lock by it. */
static void
give_up(struct evl_step *step, struct evl_ties *ties)
{
	leave_bound(ties);
	mark_dirty(step, ties->core);
	doubt_own(step, ties);
}

/* A request, which is in no list any more, is told that it would have waited for ever. */
static void
conclude(struct evl_step *step, struct evl_seat *lead)
{
	lead->state = EVL_FAILED;
	lead->units = EDEADLK;
	evl_list_push(step->out, &lead->link);
}

static void
deny(struct evl_step *step, struct evl_ties *ties)
{
	struct evl_ties *t;

	EVL_TIES_EACH(t, ties)
		give_up(step, t);
	conclude(step, ties->lead);
}

/* The last first: those before it may then no longer be in vain. */
static void
deny_doubted(struct evl_step *step)
{
	struct evl_owner *owner;
	struct evl_ties *ties;

	while ((owner = step->doubted)) {
		while ((ties = evl_core_last_in_vain(owner)))
			deny(step, ties);
		step->doubted = owner->next_doubted;
		trust(owner);
	}
}

/* --- Granting ------------------------------------------------------------- */

static inline void
grant(struct evl_seat *seat, struct evl_link *out)
{
	seat->state = EVL_GRANTED;
	evl_list_push(out, &seat->link);
}

/* `owner` has come to hold `core`: what it has in the queue there is treated as made after
 * that.  First it is pulled out of the queue. */
static void
pull(struct evl_owner *owner, struct evl_core *core)
{
	struct evl_link *link;

	EVL_LIST_EACH(link, &owner->ties) {
		struct evl_ties *own = OWNED(link);

		if (!could_go_ahead(own, core))
			continue;
		evl_core_sweep(core);	/* so that where it stood stays there */
		own->behind = own->seat->link.prev;
		leave_bound(own);
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
	struct evl_link *link;

	EVL_LIST_EACH(link, &owner->ties) {
		struct evl_ties *own = OWNED(link);

		if (!own->behind)
			continue;
		own->behind = NULL;
		enqueue_seat(own->core, own->seat);
		mark_dirty(step, own->core);
		if (evl_core_is_left_stuck(own->seat))
			deny(step, own);
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
		if (OWNED(link)->behind)
			push_back(OWNED(link));
}

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
	mark_dirty(step, core);
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
		if (OWNED(link)->seat->state == EVL_QUEUED)
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

/* Could a newcomer pass all who wait, or does nobody wait ahead of it? */
static int
may_enter(const struct evl_ties *ties)
{
	return evl_core_is_next(ties->core, ties->seat->rank) || is_privileged(ties);
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

/* By the grant its owner would wait for ever; see "Giving up". */
static void
deny_granted(struct evl_step *step, struct evl_seat *seat)
{
	struct evl_ties *t;

	take_all_back(seat);
	EVL_TIES_EACH(t, seat->ties) {
		mark_dirty(step, t->core);
		doubt_own(step, t);
	}
	conclude(step, seat->ties->lead);
}

static void
grant_bound(struct evl_step *step, struct evl_seat *seat)
{
	struct evl_ties *t;

	EVL_TIES_EACH(t, seat->ties)
		leave_bound(t);
	EVL_TIES_EACH(t, seat->ties)
		give(step, t);
	pull_own(seat);
	if (is_harmful(seat)) {
		deny_granted(step, seat);
		return;
	}
	if (seat->ties->owner)
		advance_pulled(step, seat->ties->owner);
	evl_list_push(step->out, &seat->ties->lead->link);
}

static inline void
grant_plain(struct evl_core *core, struct evl_seat *seat, struct evl_link *out)
{
	evl_core_leave(core, seat);
	evl_core_take(core, seat->mode, seat->units);
	grant(seat, out);
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
		deny_doubted(step);
		core = next_dirty(step);
		if (core)
			promote_one(step, core);
	} while (core || step->doubted);
}

/* As evl_core_promote(), with everything there is to think of. */
static EVL_NOINLINE void
promote_any(struct evl_core *core, struct evl_link *out)
{
	struct evl_step step = { .out = out };

	mark_dirty(&step, core);
	evl_step_finish(&step);
}

/* Does a seat without ties fit, where no condition is asked? */
static inline int
fits_plainly(const struct evl_core *core, const struct evl_seat *seat, int is_counted)
{
	const struct evlock_mode *m = &core->mode[seat->mode];

	return !(m->conflicts & core->held_mask) && (!is_counted ||
	    evl_core_is_within(m, evl_core_held(core)[seat->mode], seat->units));
}

/* Grants those at the front of the queue who fit, where nobody is bound. */
static inline void
promote_run(struct evl_core *core, struct evl_link *out, int is_counted)
{
	struct evl_link *first = core->queue.next, *link = first;

	while (link != &core->queue) {
		struct evl_seat *seat = EVL_SEAT(link);

		if (seat->state == EVL_GONE) {
			link = bury(core, seat);
			continue;
		}
		if (!fits_plainly(core, seat, is_counted))
			break;
		if (seat->rank && core->last[seat->rank] == seat)
			core->last[seat->rank] = NULL;
		core->n_waiting--;
		evl_core_take(core, seat->mode, seat->units);
		seat->state = EVL_GRANTED;
		link = link->next;
	}
	if (link != first)
		evl_list_move_front(&core->queue, link, out);
	if (core->n_gone > core->n_waiting)
		evl_core_tidy(core);
}

static EVL_NOINLINE void
promote_counted(struct evl_core *core, struct evl_link *out)
{
	promote_run(core, out, 1);
}

void
evl_core_promote(struct evl_core *core, struct evl_link *out)
{
	if (core->is_conditional || core->n_bound)
		promote_any(core, out);
	else if (core->is_counted)
		promote_counted(core, out);
	else
		promote_run(core, out, 0);
}

/* --- Requests that are bound ---------------------------------------------- */

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
	if (seat->ties->owner)
		advance_pulled(&step, seat->ties->owner);
	evl_step_finish(&step);
	return 1;
}

void
evl_step_withdraw(struct evl_step *step, struct evl_core *core, struct evl_seat *seat)
{
	struct evl_ties *t;

	if (!evl_seat_is_bound(seat)) {
		evl_core_leave(core, seat);
		mark_dirty(step, core);
		return;
	}
	EVL_TIES_EACH(t, seat->ties)
		give_up(step, t);
}

void
evl_step_release(struct evl_step *step, struct evl_core *core, struct evl_seat *seat)
{
	struct evl_ties *t;

	if (!evl_seat_is_bound(seat)) {
		evl_core_drop(core, seat->mode, seat->units);
		mark_dirty(step, core);
		return;
	}
	EVL_TIES_EACH(t, seat->ties) {
		let_go(t);
		mark_dirty(step, t->core);
		doubt_own(step, t);
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

unsigned
evl_core_strongest(const struct evl_core *core)
{
	unsigned mode = core->n_modes - 1;

	while (mode && !(core->held_mask >> mode & 1))
		mode--;
	return mode;
}
