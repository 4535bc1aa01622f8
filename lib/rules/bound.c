/* SPDX-License-Identifier: BSD-3-Clause */

/* Grants and ends requests that are bound to others.  One call may change many cores.  It
 * touches each of them, so that the end of the step looks at their waiters.  The caller must
 * hold the mutex of each lock involved. */

#include <errno.h>

#include "rules/bound.h"
#include "rules/deadlock.h"

/* --- Going ahead ---------------------------------------------------------- */

/* Would the seat go ahead of the queue of `core`, in which it waits, if its owner came to hold
 * the lock? */
static int
could_go_ahead(const struct evl_ties *ties, const struct evl_core *core)
{
	return ties->core == core && ties->seat->state == EVL_QUEUED && !ties->is_ahead &&
	    evl_ties_are_single(ties);
}

/* Pulls the requests of `owner` out of the queue of `core`, which the owner has come to hold.
 * From now on they are treated as if the owner had made them as a holder. */
static void
pull(struct evl_owner *owner, struct evl_core *core)
{
	struct evl_link *link;

	EVL_LIST_EACH(link, &owner->ties) {
		struct evl_ties *own = EVL_OWNED(link);

		if (!could_go_ahead(own, core))
			continue;
		evl_core_sweep(core);	/* so that the link in `behind` stays in the queue */
		own->behind = own->seat->link.prev;
		evl_core_leave_bound(core, own);
	}
}

/* Pulls the other requests of the owner of `seat`, which holds its locks now. */
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

/* Queues each pulled request again, ahead of the queue.  Denies it if it would wait for ever. */
static void
advance_pulled(struct evl_change *change, struct evl_owner *owner)
{
	struct evl_link *link, *after;

	EVL_LIST_EACH_SAFE(link, after, &owner->ties) {
		struct evl_ties *own = EVL_OWNED(link);

		if (!own->behind)
			continue;
		own->behind = NULL;
		evl_core_enqueue_special(own->core, own->seat);
		evl_change_touch(change, own->core, 0);
		if (evl_deadlock_is_left_stuck(own->seat))
			evl_change_deny(change, own);
	}
}

/* Undoes pull() for one seat.  The queue must be otherwise unchanged since. */
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

/* In reverse order, as one pulled seat may have stood behind another. */
static void
push_back_pulled(struct evl_owner *owner)
{
	struct evl_link *link;

	for (link = owner->ties.prev; link != &owner->ties; link = link->prev)
		if (EVL_OWNED(link)->behind)
			push_back(EVL_OWNED(link));
}

/* --- Giving, and taking back ---------------------------------------------- */

/* Makes a seat hold its units.  A conversion changes the mode of the seat that it converts. */
static void
give(struct evl_ties *ties)
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

/* Does the owner of `seat` wait for ever, now that it has this grant?  An owner that waits for
 * nothing cannot deadlock. */
static int
is_harmful(const struct evl_seat *seat)
{
	struct evl_link *link;

	if (!seat->ties->owner)
		return 0;
	EVL_LIST_EACH(link, &seat->ties->owner->ties)
		if (EVL_OWNED(link)->seat->state == EVL_QUEUED)
			return evl_deadlock_is_left_stuck(seat);
	return 0;
}

/* Undoes give(), before the end of the step has looked at any waiter. */
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

/* Undoes a grant that was not recorded and not delivered. */
static void
take_all_back(struct evl_seat *seat)
{
	struct evl_ties *t;

	if (seat->ties->owner)
		push_back_pulled(seat->ties->owner);
	EVL_TIES_EACH(t, seat->ties)
		take_back(t);
}

/* Makes a grant final. */
static void
settle_grant(struct evl_change *change, struct evl_seat *seat)
{
	struct evl_seat *lead = seat->ties->lead;
	struct evl_ties *t;

	EVL_TIES_EACH(t, seat->ties)
		evl_change_touch(change, t->core, t->of != NULL);
	if (seat->ties->owner)
		advance_pulled(change, seat->ties->owner);
	if (!seat->ties->of)
		return;
	lead->ties->core->n_over++;
	evl_ties_part(lead->ties);
}

/* --- Granting ------------------------------------------------------------- */

/* Is a newcomer next in line, or does it stand ahead of the queue? */
static int
may_enter(const struct evl_ties *ties)
{
	return evl_core_is_next(ties->core, ties->seat->rank) || evl_core_is_privileged(ties);
}

static int
is_turn(const struct evl_ties *ties)
{
	const struct evl_core *core = ties->core;

	return ties->is_ahead || (evl_list_is_empty(&core->ahead) &&
	    core->queue.next == &ties->seat->link);
}

int
evl_bound_is_grantable(struct evl_seat *seat)
{
	struct evl_ties *t;

	EVL_TIES_EACH(t, seat->ties)
		if (!is_turn(t) || !evl_core_seat_fits(t->core, t->seat))
			return 0;
	return 1;
}

/* Takes a grant back that makes its owner wait for ever; see change.c. */
static void
deny_granted(struct evl_change *change, struct evl_seat *seat)
{
	struct evl_seat *lead = seat->ties->lead;
	struct evl_ties *t;

	take_all_back(seat);
	EVL_TIES_EACH(t, seat->ties) {
		evl_change_touch(change, t->core, 1);
		evl_change_doubt(change, t);
	}
	evl_change_fail(change, lead->ties->core, lead, EDEADLK);
}

void
evl_bound_grant(struct evl_change *change, struct evl_seat *seat)
{
	struct evl_ties *t;

	EVL_TIES_EACH(t, seat->ties)
		evl_core_leave_bound(t->core, t);
	EVL_TIES_EACH(t, seat->ties)
		give(t);
	pull_own(seat);
	if (is_harmful(seat)) {
		deny_granted(change, seat);
		return;
	}
	settle_grant(change, seat);
	evl_list_push(&change->done, &seat->ties->lead->link);
}

/* --- Beginning and ending ------------------------------------------------- */

int
evl_bound_try(struct evl_change *change, struct evl_seat *seat)
{
	struct evl_ties *t;

	EVL_TIES_EACH(t, seat->ties)
		if (!may_enter(t) || !evl_core_seat_fits(t->core, t->seat))
			return 0;
	EVL_TIES_EACH(t, seat->ties)
		give(t);
	pull_own(seat);
	if (is_harmful(seat)) {
		take_all_back(seat);
		return -1;
	}
	settle_grant(change, seat);
	evl_change_record(change, seat->ties->core, seat, EVL_GAINS, 0);
	return 1;
}

void
evl_bound_withdraw(struct evl_change *change, struct evl_seat *seat)
{
	struct evl_ties *t;

	EVL_TIES_EACH(t, seat->ties)
		evl_change_give_up(change, t);
}

void
evl_bound_release(struct evl_change *change, struct evl_seat *seat)
{
	struct evl_ties *t;

	EVL_TIES_EACH(t, seat->ties) {
		let_go(t);
		evl_change_touch(change, t->core, 1);
		evl_change_doubt(change, t);
	}
}

void
evl_bound_abandon(struct evl_change *change, struct evl_ties *ties)
{
	struct evl_ties *before = ties;

	while (before->next != ties)
		before = before->next;
	before->next = ties->next;
	ties->next = ties;
	let_go(ties);
	evl_change_touch(change, ties->core, 1);
	evl_ties_disown(ties);
}
