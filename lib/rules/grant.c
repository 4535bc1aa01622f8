/* SPDX-License-Identifier: BSD-3-Clause */

/* The grant rule; see core.h.  The caller must hold the mutex of each lock involved. */

#include "rules/grant.h"

void
evl_grant_enqueue(struct evl_change *change, struct evl_core *core, struct evl_seat *seat)
{
	struct evl_ties *t;

	evl_core_enqueue(core, seat);
	if (!seat->ties) {
		evl_change_note(change, core, 0);
		return;
	}
	EVL_TIES_EACH(t, seat->ties)
		evl_change_note(change, t->core, 0);
}

void
evl_grant_withdraw(struct evl_change *change, struct evl_core *core, struct evl_seat *seat)
{
	if (evl_ties_are_bound(seat)) {
		evl_bound_withdraw(change, seat);
		return;
	}
	evl_core_leave(core, seat);
	evl_change_touch(change, core, 1);
}

void
evl_grant_release(struct evl_change *change, struct evl_core *core, struct evl_seat *seat,
    int error)
{
	evl_change_record(change, core, seat, EVL_LEAVES, error);
	if (evl_ties_are_bound(seat)) {
		evl_bound_release(change, seat);
		return;
	}
	evl_core_drop(core, seat->mode, seat->units);
	evl_change_touch(change, core, 1);
}

/* --- Plain runs ------------------------------------------------------------ */

/* Does a seat without ties fit, in a core without predicates? */
static inline int
fits_plainly(const struct evl_core *core, const struct evl_seat *seat, int is_counted)
{
	const struct evlock_mode *m = &core->mode[seat->mode];

	return !(m->conflicts & core->held_mask) && (!is_counted ||
	    evl_core_is_within(m, evl_core_held(core)[seat->mode], seat->units));
}

/* Grants requests from the front of the queue as long as they fit.  No waiter may be bound. */
static inline void
promote_run(struct evl_core *core, struct evl_link *out, int is_counted)
{
	struct evl_link *link;

	while ((link = core->queue.next) != &core->queue) {
		struct evl_seat *seat = EVL_SEAT(link);

		if (seat->state == EVL_GONE) {
			evl_core_bury(core, seat);
			continue;
		}
		if (!fits_plainly(core, seat, is_counted))
			break;
		if (seat->rank && core->last[seat->rank] == seat)
			core->last[seat->rank] = NULL;
		core->n_waiting--;
		evl_core_take(core, seat->mode, seat->units);
		seat->state = EVL_GRANTED;
		evl_list_remove(link);
		evl_list_push(out, link);
	}
	if (core->n_gone > core->n_waiting)
		evl_core_tidy(core);
}

static EVL_NOINLINE void
promote_counted(struct evl_core *core, struct evl_link *out)
{
	promote_run(core, out, 1);
}

void
evl_grant_promote(struct evl_core *core, struct evl_link *out)
{
	if (evl_core_is(core, EVL_IS_COUNTED))
		promote_counted(core, out);
	else
		promote_run(core, out, 0);
}

/* --- Any run ---------------------------------------------------------------- */

/* Grants the first waiter ahead of the queue that fits. */
static int
grant_one_ahead(struct evl_change *change, struct evl_core *core)
{
	struct evl_link *link;

	EVL_LIST_EACH(link, &core->ahead)
		if (evl_bound_is_grantable(EVL_SEAT(link))) {
			evl_bound_grant(change, EVL_SEAT(link));
			return 1;
		}
	return 0;
}

static int
grant_plain(struct evl_change *change, struct evl_core *core, struct evl_seat *seat)
{
	if (!evl_core_fits(core, seat->mode, seat->units))
		return 0;
	evl_core_leave(core, seat);
	evl_core_take(core, seat->mode, seat->units);
	seat->state = EVL_GRANTED;
	evl_list_push(&change->done, &seat->link);
	return 1;
}

/* Grants the first request of the queue, if it fits. */
static int
grant_one_queued(struct evl_change *change, struct evl_core *core)
{
	struct evl_seat *seat = EVL_SEAT(core->queue.next);

	if (!evl_ties_are_bound(seat))
		return grant_plain(change, core, seat);
	if (!evl_bound_is_grantable(seat))
		return 0;
	evl_bound_grant(change, seat);
	return 1;
}

static void
promote_one_by_one(struct evl_change *change, struct evl_core *core)
{
	for (;;) {
		if (!evl_list_is_empty(&core->ahead)) {
			if (!grant_one_ahead(change, core))
				return;
		} else if (evl_list_is_empty(&core->queue) || !grant_one_queued(change, core)) {
			return;
		}
	}
}

static void
promote(struct evl_change *change, struct evl_core *core)
{
	if (evl_core_is(core, EVL_IS_CLOSED))
		return;
	if (core->is_conditional || core->n_bound)
		promote_one_by_one(change, core);
	else
		evl_grant_promote(core, &change->done);
}

void
evl_grant_finish(struct evl_change *change)
{
	struct evl_core *core;

	do {
		evl_change_deny_doubted(change);
		core = evl_change_next_dirty(change);
		if (core)
			promote(change, core);
	} while (core || change->doubted);
}
