/* SPDX-License-Identifier: BSD-3-Clause */

/* The holders and the queue of one lock; see core.h.  If the lock has a mutex, the caller must
 * hold it. */

#include <string.h>

#include "rules/core.h"

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
	if (core->is_conditional || has_limits(modes))
		evl_core_mark(core, EVL_IS_COUNTED);
	core->preferred = (uint8_t)(prefers_last ? modes->n_modes - 1 : EVLOCK_MAX_MODES);
	if (prefers_last)
		evl_core_mark(core, EVL_PREFERS);
	evl_list_init(&core->queue);
	evl_list_init(&core->ahead);
	evl_list_init(&core->holders);
}

void
evl_core_conclude(struct evl_core *core, struct evl_seat *lead, int error, struct evl_link *out)
{
	core->n_over += !evl_ties_are_over(lead);
	lead->state = EVL_FAILED;
	lead->units = (uint32_t)error;
	if (lead->ties)
		evl_ties_part(lead->ties);
	evl_list_push(out, &lead->link);
}

void
evl_core_own_held(struct evl_ties *ties, struct evl_owner *owner)
{
	evl_ties_own(ties, owner);
	evl_list_push(&ties->core->holders, &ties->holder_link);
}

/* --- Fitting -------------------------------------------------------------- */

/* Removes what the owner of `ties` holds from the counts, or adds it again. */
static void
count_own(struct evl_core *core, const struct evl_ties *ties, int is_counted)
{
	struct evl_link *link;

	EVL_LIST_EACH(link, &ties->owner->ties) {
		const struct evl_ties *own = EVL_OWNED(link);

		if (own->core != core || !evl_ties_hold(own) || own->seat == ties->of)
			continue;
		if (is_counted)
			evl_core_take(core, own->seat->mode, own->seat->units);
		else
			evl_core_drop(core, own->seat->mode, own->seat->units);
	}
}

/* Does the seat fit, if its owner's holds count against limits but conflict with nothing? */
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

/* Returns the link after which a newcomer of `rank` is queued. */
static struct evl_link *
place(struct evl_core *core, unsigned rank)
{
	for (; rank < EVL_RANKS; rank++)
		if (core->last[rank])
			return &core->last[rank]->link;
	return &core->queue;
}

static int
owner_holds(const struct evl_owner *owner, const struct evl_core *core)
{
	struct evl_link *link;

	EVL_LIST_EACH(link, &owner->ties)
		if (EVL_OWNED(link)->core == core && evl_ties_hold(EVL_OWNED(link)))
			return 1;
	return 0;
}

int
evl_core_is_privileged(const struct evl_ties *ties)
{
	return ties->of || (ties->owner && evl_ties_are_single(ties)
	    && owner_holds(ties->owner, ties->core));
}

int
evl_core_could_hold(struct evl_core *core, struct evl_owner *owner, unsigned mode, uint32_t units,
    struct evl_seat *of)
{
	struct evl_seat seat = { .mode = (uint8_t)mode, .units = units };
	struct evl_ties ties;

	evl_ties_init(&ties, &seat, core);
	ties.owner = owner;
	ties.of = of;
	return evl_core_seat_fits(core, &seat);
}

int
evl_core_admits_owner(struct evl_core *core, struct evl_owner *owner, unsigned mode,
    uint32_t units, unsigned rank)
{
	return (evl_core_is_next(core, rank) || owner_holds(owner, core))
	    && evl_core_could_hold(core, owner, mode, units, NULL);
}

static void
enqueue_seat(struct evl_core *core, struct evl_seat *seat)
{
	core->n_waiting++;
	core->n_bound += (uint32_t)evl_ties_are_bound(seat);
	if (seat->ties && (seat->ties->is_ahead = (uint8_t)evl_core_is_privileged(seat->ties))) {
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

void
evl_core_sweep(struct evl_core *core)
{
	struct evl_link *link = core->queue.next;

	while (core->n_gone)
		link = EVL_SEAT(link)->state == EVL_GONE ? evl_core_bury(core, EVL_SEAT(link))
		    : link->next;
}

void
evl_core_tidy(struct evl_core *core)
{
	while (core->n_gone && EVL_SEAT(core->queue.next)->state == EVL_GONE)
		evl_core_bury(core, EVL_SEAT(core->queue.next));
	if (core->n_gone > core->n_waiting)
		evl_core_sweep(core);
}

unsigned
evl_core_strongest(const struct evl_core *core)
{
	unsigned mode = core->n_modes - 1;

	while (mode && !(core->held_mask >> mode & 1))
		mode--;
	return mode;
}
