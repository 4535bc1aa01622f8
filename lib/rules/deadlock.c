/* SPDX-License-Identifier: BSD-3-Clause */

/* Deadlock detection: would a request that now waits wait for ever?
 *
 * A search for a cycle is not enough: a request for one of several permits waits
 * for any one of their holders, not for all of them.  This file reduces the graph
 * instead, as Holt does (R. C. Holt, Some Deadlock Properties of Computer Systems,
 * ACM Computing Surveys 4 (1972), section 4).  An owner that can get all that it
 * waits for ends some day and releases all that it holds.  That may let others get
 * what they wait for, and so on.  The owners and requests that remain are stuck.
 *
 * Only what the request could wait for is looked at: the locks that it waits for,
 * the owners that hold them or wait for them, the locks that those owners wait for,
 * and so on.  A holder without an owner and without a conversion waits for nothing
 * and ends by itself.  So does a waiter without an owner, once it can be granted.
 *
 * Pure, like core.h: the caller serializes all locks involved.  Allocates nothing:
 * cores, ties and owners have the scratch fields.
 */

#include <string.h>

#include "rules/deadlock.h"

#define HOLDER(l) EVL_CONTAINER(l, struct evl_ties, holder_link)

/* --- Cores and owners to look at ------------------------------------------- */

struct look {
	struct evl_core *cores, **last_core;
	struct evl_owner *owners;
};

static void
see_core(struct look *look, struct evl_core *core)
{
	if (core->is_seen)
		return;
	core->is_seen = 1;
	core->next_seen = NULL;
	*look->last_core = core;
	look->last_core = &core->next_seen;
}

/* Adds an owner, and the locks that it waits for.  An owner that waits counts as stuck until
 * reduce() finds otherwise. */
static void
see_owner(struct look *look, struct evl_owner *owner)
{
	struct evl_link *link;

	if (!owner || owner->is_seen)
		return;
	owner->is_seen = 1;
	owner->is_stuck = 0;
	owner->next_seen = look->owners;
	look->owners = owner;
	EVL_LIST_EACH(link, &owner->ties)
		if (EVL_OWNED(link)->seat->state == EVL_QUEUED) {
			owner->is_stuck = 1;
			see_core(look, EVL_OWNED(link)->core);
		}
}

static void
see_waiters(struct look *look, struct evl_link *list)
{
	struct evl_link *link;
	struct evl_ties *t;

	EVL_WAITING_EACH(link, list) {
		struct evl_seat *seat = EVL_SEAT(link);

		if (!evl_ties_are_bound(seat))
			continue;
		seat->ties->passes = 0;
		see_owner(look, seat->ties->owner);
		EVL_TIES_EACH(t, seat->ties)
			see_core(look, t->core);
	}
}

static void
see_all(struct look *look, const struct evl_seat *seat)
{
	struct evl_core *core;
	struct evl_ties *t;
	struct evl_link *link;

	EVL_TIES_EACH(t, seat->ties)
		see_core(look, t->core);
	see_owner(look, seat->ties->owner);
	for (core = look->cores; core; core = core->next_seen) {
		EVL_LIST_EACH(link, &core->holders)
			see_owner(look, HOLDER(link)->owner);
		see_waiters(look, &core->ahead);
		see_waiters(look, &core->queue);
	}
}

static void
forget_all(struct look *look)
{
	for (; look->cores; look->cores = look->cores->next_seen)
		look->cores->is_seen = 0;
	for (; look->owners; look->owners = look->owners->next_seen)
		look->owners->is_seen = 0;
}

/* --- One lock, after all that can end has ended ---------------------------- */

/* A copy of a core that counts only the stuck holders. */
struct rest {
	struct evl_core core;
	uint32_t held[EVLOCK_MAX_MODES];
};

static int
request_passes(const struct evl_seat *seat)
{
	const struct evl_ties *t;

	EVL_TIES_EACH(t, (const struct evl_ties *)seat->ties)
		if (!t->passes)
			return 0;
	return 1;
}

/* Is the request stuck, or its owner if it has one? */
static int
stays(const struct evl_ties *ties)
{
	return ties->owner ? ties->owner->is_stuck : !request_passes(ties->seat);
}

/* Marks all seats of the core as not settled. */
static void
unsettle(struct evl_core *core)
{
	struct evl_link *link;

	EVL_LIST_EACH(link, &core->holders)
		HOLDER(link)->is_settled = 0;
	EVL_LIST_EACH(link, &core->ahead)
		EVL_SEAT(link)->ties->is_settled = 0;
	EVL_WAITING_EACH(link, &core->queue)
		if (EVL_SEAT(link)->ties)
			EVL_SEAT(link)->ties->is_settled = 0;
}

/* The bits of held_mask for what other processes and machines hold; see outside.h. */
static uint32_t
held_beyond(const struct evl_core *core)
{
	return core->n_modes < EVLOCK_MAX_MODES ? core->held_mask & ~(uint32_t)0 << core->n_modes : 0;
}

/* Other processes give the lock back only after every holder in this process has released it.
 * So what they hold stays in the rest if one of those holders is stuck. */
static void
leave_beyond(struct rest *rest, uint32_t held)
{
	unsigned m;

	for (m = 0; held && m < rest->core.n_modes; m++)
		if (evl_core_held(&rest->core)[m] && rest->core.mode[m].access)
			rest->core.held_mask |= held;
}

static void
leave_rest(struct rest *rest, struct evl_core *core)
{
	struct evl_link *link;

	unsettle(core);
	memset(rest, 0, sizeof *rest);
	rest->core.mode = core->mode;
	rest->core.n_modes = core->n_modes;
	evl_core_mark(&rest->core, EVL_IS_COUNTED);
	rest->core.arg = core->arg;
	EVL_LIST_EACH(link, &core->holders)
		if (HOLDER(link)->owner->is_stuck)
			evl_core_take(&rest->core, HOLDER(link)->seat->mode,
			    HOLDER(link)->seat->units);
	EVL_LIST_EACH(link, &core->ahead) {
		const struct evl_ties *ties = EVL_SEAT(link)->ties;

		if (ties->of && !ties->owner && stays(ties))
			evl_core_take(&rest->core, ties->of->mode, ties->of->units);
	}
	leave_beyond(rest, held_beyond(core));
}

/* Does the rest count the seat?  A settled conversion replaces the seat that it converts. */
static int
is_in_rest(const struct evl_ties *ties)
{
	if (ties->seat->state == EVL_QUEUED)
		return ties->is_settled;
	return evl_ties_hold(ties) && !ties->is_settled;
}

/* Removes what the seat's owner holds from the rest, or adds it again. */
static void
count_own(struct rest *rest, struct evl_core *core, const struct evl_ties *ties, int is_counted)
{
	struct evl_link *link;

	if (!ties->owner->is_stuck)
		return;
	EVL_LIST_EACH(link, &ties->owner->ties) {
		const struct evl_ties *own = EVL_OWNED(link);

		if (own->core != core || own->seat == ties->of || !is_in_rest(own))
			continue;
		if (is_counted)
			evl_core_take(&rest->core, own->seat->mode, own->seat->units);
		else
			evl_core_drop(&rest->core, own->seat->mode, own->seat->units);
	}
}

static int
fits_beside_own(struct rest *rest, struct evl_core *core, const struct evl_seat *seat)
{
	const struct evlock_mode *m = &core->mode[seat->mode];
	uint32_t *held = evl_core_held(&rest->core);
	int fits = evl_core_is_within(m, held[seat->mode], seat->units);

	count_own(rest, core, seat->ties, 0);
	fits = fits && evl_core_is_compatible(&rest->core, seat->mode) && (!m->is_compatible ||
	    m->is_compatible(seat->mode, seat->units, held, core->arg));
	count_own(rest, core, seat->ties, 1);
	return fits;
}

/* Is the seat refused even if nothing is held?  Then it waits for no holder, and only a
 * withdrawal ends its wait. */
static int
is_hopeless(const struct evl_core *core, const struct evl_seat *seat)
{
	static const uint32_t nothing[EVLOCK_MAX_MODES];
	const struct evlock_mode *m = &core->mode[seat->mode];

	return (m->limit && seat->units > m->limit) || (m->is_compatible &&
	    !m->is_compatible(seat->mode, seat->units, nothing, core->arg));
}

/* Returns the units that other waiting requests of the same owner will take in the same mode,
 * because they can be granted. */
static uint32_t
reserved(const struct evl_core *core, const struct evl_seat *seat)
{
	struct evl_link *link;
	uint32_t units = 0;

	EVL_LIST_EACH(link, &seat->ties->owner->ties) {
		const struct evl_ties *own = EVL_OWNED(link);

		if (own->core == core && own->seat != seat && own->seat->mode == seat->mode &&
		    own->seat->state == EVL_QUEUED && own->passes && !own->is_settled)
			units += own->seat->units;
	}
	return units;
}

/* Would the seat's owner then hold more units of the mode than its limit? */
static int
is_beyond_limit(const struct rest *rest, const struct evl_core *core, const struct evl_seat *seat)
{
	const struct evlock_mode *m = &core->mode[seat->mode];
	uint32_t units;

	if (!m->limit || !seat->ties || !seat->ties->owner || !seat->ties->owner->is_stuck)
		return 0;
	units = reserved(core, seat);
	return units
	    && !evl_core_is_within(m, evl_core_held(&rest->core)[seat->mode] + units, seat->units);
}

/* Does a seat fit beside the stuck holders? */
static int
fits(struct rest *rest, struct evl_core *core, const struct evl_seat *seat)
{
	const struct evl_ties *ties = seat->ties;
	const struct evl_seat *of = ties ? ties->of : NULL;
	int is_left = of && stays(ties), result;

	if (of && of->mode == seat->mode)
		return 1;
	if (is_beyond_limit(rest, core, seat))
		return 0;
	if (is_left)
		evl_core_drop(&rest->core, of->mode, of->units);
	result = evl_core_fits(&rest->core, seat->mode, seat->units) ||
	    (ties && ties->owner && fits_beside_own(rest, core, seat)) ||
	    is_hopeless(core, seat);
	if (is_left)
		evl_core_take(&rest->core, of->mode, of->units);
	return result;
}

/* Grants `seat` in the rest.  If its owner is not stuck, the seat is released again, and leaves
 * no trace. */
static void
settle(struct rest *rest, const struct evl_seat *seat)
{
	const struct evl_ties *ties = seat->ties;

	if (!ties->owner || !ties->owner->is_stuck)
		return;
	if (ties->of)
		evl_core_drop(&rest->core, ties->of->mode, ties->of->units);
	evl_core_take(&rest->core, seat->mode, seat->units);
	seat->ties->is_settled = 1;
	if (ties->of)
		ties->of->ties->is_settled = 1;
}

/* Settles the requests ahead of the queue that pass.  They go first, because they may have been
 * granted before earlier ones that do not pass. */
static void
settle_ahead(struct rest *rest, struct evl_core *core)
{
	struct evl_link *link;

	EVL_LIST_EACH(link, &core->ahead)
		if (request_passes(EVL_SEAT(link)))
			settle(rest, EVL_SEAT(link));
}

/* Does a seat fit into its lock, if pass_core() works on another lock? */
static int
fits_elsewhere(const struct evl_ties *ties)
{
	struct rest rest;

	leave_rest(&rest, ties->core);
	settle_ahead(&rest, ties->core);
	return fits(&rest, ties->core, ties->seat);
}

/* Does a request ahead of the queue fit?  The conversion of a set's handle must fit in all its
 * locks at once.  Until then it excludes no other request from any of them. */
static int
fits_everywhere(struct rest *rest, struct evl_core *core, const struct evl_seat *seat)
{
	const struct evl_ties *t;

	if (!fits(rest, core, seat))
		return 0;
	EVL_TIES_EACH(t, (const struct evl_ties *)seat->ties)
		if (t->seat != seat && !fits_elsewhere(t))
			return 0;
	return 1;
}

/* Lets requests ahead of the queue pass if they fit.  Returns how many did not pass before. */
static int
pass_ahead(struct rest *rest, struct evl_core *core, int *is_blocked)
{
	struct evl_link *link;
	struct evl_ties *t;
	int n = 0;

	settle_ahead(rest, core);
	EVL_LIST_EACH(link, &core->ahead) {
		struct evl_seat *seat = EVL_SEAT(link);

		if (request_passes(seat))
			continue;
		if (!fits_everywhere(rest, core, seat)) {
			*is_blocked = 1;
			continue;
		}
		EVL_TIES_EACH(t, seat->ties)
			t->passes = 1;
		settle(rest, seat);
		n++;
	}
	return n;
}

/* Does the seat go ahead of the queue, because another request of its owner was settled here? */
static int
is_advanced(const struct evl_core *core, const struct evl_seat *seat)
{
	struct evl_link *link;

	if (!seat->ties || !seat->ties->owner || seat->ties->next != seat->ties)
		return 0;
	EVL_LIST_EACH(link, &seat->ties->owner->ties) {
		const struct evl_ties *own = EVL_OWNED(link);

		if (own->core == core && own->seat->state == EVL_QUEUED && own->is_settled
		    && !own->of)
			return 1;
	}
	return 0;
}

/* Lets the advanced requests from `link` on pass if they fit.  One that does not fit blocks the
 * queue. */
static int
pass_advanced(struct rest *rest, struct evl_core *core, struct evl_link *link, int *is_blocked)
{
	int n = 0;

	for (; link != &core->queue; link = link->next) {
		struct evl_seat *seat = EVL_SEAT(link);

		if (!is_advanced(core, seat) || seat->ties->is_settled)
			continue;
		if (!fits(rest, core, seat)) {
			*is_blocked = 1;
			continue;
		}
		n += !seat->ties->passes;
		seat->ties->passes = 1;
		settle(rest, seat);
	}
	return n;
}

/* Is the request no longer in the way: has its owner ended, or did the request go ahead? */
static int
is_over(const struct evl_seat *seat)
{
	return seat->ties->is_settled || (request_passes(seat) &&
	    (!seat->ties->owner || !seat->ties->owner->is_stuck));
}

/* Lets requests of the queue pass, up to the first that does not fit.  After a grant, other
 * requests of the same owner may go ahead of the requests in between. */
static int
pass_queue(struct rest *rest, struct evl_core *core)
{
	struct evl_link *link;
	int n = 0, is_blocked = 0;

	EVL_WAITING_EACH(link, &core->queue) {
		struct evl_seat *seat = EVL_SEAT(link);

		if (evl_ties_are_bound(seat) && is_over(seat))
			continue;
		if (is_blocked || !fits(rest, core, seat))
			break;
		if (!evl_ties_are_bound(seat))
			continue;
		n += !seat->ties->passes;
		seat->ties->passes = 1;
		if (!request_passes(seat))
			break;
		settle(rest, seat);
		n += pass_advanced(rest, core, link->next, &is_blocked);
	}
	return n + pass_advanced(rest, core, link, &is_blocked);
}

static int
pass_core(struct evl_core *core)
{
	struct rest rest;
	int n, is_blocked = 0;

	leave_rest(&rest, core);
	n = pass_ahead(&rest, core, &is_blocked);
	n += pass_advanced(&rest, core, core->queue.next, &is_blocked);
	return is_blocked ? n : n + pass_queue(&rest, core);
}

/* Does everything pass that the owner waits for? */
static int
is_freed(const struct evl_owner *owner)
{
	struct evl_link *link;

	EVL_LIST_EACH(link, &owner->ties)
		if (EVL_OWNED(link)->seat->state == EVL_QUEUED && !EVL_OWNED(link)->passes)
			return 0;
	return 1;
}

/* Makes one round over all cores and owners.  Returns how many seats now pass and how many
 * owners are no longer stuck. */
static int
reduce(const struct look *look)
{
	struct evl_core *core;
	struct evl_owner *owner;
	int n = 0;

	for (core = look->cores; core; core = core->next_seen)
		n += pass_core(core);
	for (owner = look->owners; owner; owner = owner->next_seen)
		if (owner->is_stuck && is_freed(owner)) {
			owner->is_stuck = 0;
			n++;
		}
	return n;
}

/* --- The public checks ------------------------------------------------------ */

/* Could any waiter wait for the owner of this request, or for the request itself?  If not, there
 * is no wait cycle.  n_waiting includes the seats of the request. */
static int
is_waited_for(const struct evl_seat *seat)
{
	const struct evl_owner *owner = seat->ties->owner;
	const struct evl_ties *t;
	struct evl_link *link;

	EVL_TIES_EACH(t, (const struct evl_ties *)seat->ties)
		if (t->core->n_waiting > 1 && (t->of || seat->rank || t->is_ahead))
			return 1;
	if (!owner)
		return 0;
	EVL_LIST_EACH(link, &owner->ties) {
		t = EVL_OWNED(link);
		if (t->lead != seat->ties->lead && !t->of && t->core->n_waiting)
			return 1;
	}
	return 0;
}

int
evl_deadlock_is_left_stuck(const struct evl_seat *seat)
{
	struct look look = { NULL, &look.cores, NULL };
	int is_stuck;

	see_all(&look, seat);
	while (reduce(&look))
		;
	is_stuck = stays(seat->ties);
	forget_all(&look);
	return is_stuck;
}

int
evl_deadlock_is_stuck(const struct evl_seat *seat)
{
	return evl_ties_are_bound(seat) && is_waited_for(seat) && evl_deadlock_is_left_stuck(seat);
}

struct evl_ties *
evl_deadlock_last_in_vain(const struct evl_owner *owner)
{
	struct evl_link *link;
	int is_looked_at = 0;

	for (link = owner->ties.prev; link != &owner->ties; link = link->prev) {
		struct evl_ties *ties = EVL_OWNED(link);

		if (ties->seat->state != EVL_QUEUED || !ties->core->is_doubted)
			continue;
		if (!is_looked_at && !evl_deadlock_is_left_stuck(ties->seat))
			return NULL;
		is_looked_at = 1;
		if (!request_passes(ties->seat))
			return ties;
	}
	return NULL;
}
