/* SPDX-License-Identifier: BSD-3-Clause */

/* Owners, sets and conversions, long random runs through the public calls beside the
 * model of bound_model.h: up to four owners, four locks, three sets, one of them with a
 * set in it, priorities, timeouts, locks that are closed, tables with limits.
 *
 * EVLOCK_TEST_SEED=n repeats a run. */

#include <errno.h>
#include <stdio.h>

#include <event2/event.h>

#include <evlock/set.h>

#include "../shim.h"
#include "bound_pair.h"
#include "choices.h"
#include "must.h"

MUST_REPORT_BY_CRITERION

#define STEPS	300	/* with the same locks */
#define PLACES	10

/* Two may write, three read; reading and writing exclude each other, and the last all. */
static const struct evlock_mode limited_mode[] = {
	{ .limit = 3, .conflicts = 1 << 1 | 1 << 3 },
	{ .limit = 2, .conflicts = 1 << 0 | 1 << 3 },
	{ .limit = 1, .conflicts = 1 << 3 },
	{ .conflicts = 1 << 0 | 1 << 1 | 1 << 2 | 1 << 3 }
};
static const struct evlock_modes limited = { limited_mode, 4, NULL };

/* What may be done in a run. */
struct menu {
	unsigned n_owners, n_places, n_modes, n_priorities, n_sets;
	int has_limits, closes, is_brief, is_lazy;
};

static unsigned long n_unsure;	/* runs that were not gone on with */

static unsigned
draw_locks(struct bound_model *plan, const struct menu *menu, struct choices *c)
{
	unsigned i, n = 2 + choose(c, 3);

	for (i = 0; i < n; i++)
		bound_add_lock(plan, menu->has_limits && choose(c, 2) ? &limited
		    : &bound_standard_modes);
	return n;
}

static int
draw_member_mode(struct choices *c)
{
	return choose(c, 2) ? EVLOCK_SAME_MODE : (int)choose(c, 4);
}

/* A set of at least one of the locks. */
static unsigned
draw_set(struct bound_model *plan, unsigned n_locks, struct choices *c)
{
	unsigned set = bound_add_set(plan), from = choose(c, n_locks), i;

	for (i = 0; i < n_locks; i++)
		if (!i || (choose(c, 2) && plan->lock[set].n_members < 3))
			bound_add_member(plan, set, (from + i) % n_locks, draw_member_mode(c));
	return set;
}

/* A set of the first set, and of a lock that is not in it, if there is one. */
static void
draw_outer(struct bound_model *plan, unsigned n_locks, unsigned inner, struct choices *c)
{
	const struct bound_lock *l = &plan->lock[inner];
	unsigned outer = bound_add_set(plan), i, k;

	bound_add_member(plan, outer, inner, draw_member_mode(c));
	for (i = 0; i < n_locks; i++) {
		for (k = 0; k < l->n_members && l->member[k] != i; k++)
			;
		if (k == l->n_members)
			break;
	}
	if (i < n_locks)
		bound_add_member(plan, outer, i, draw_member_mode(c));
}

static void
draw_plan(struct bound_model *plan, const struct menu *menu, struct choices *c)
{
	unsigned n_locks, first = 0;

	bound_init(plan, menu->n_places);
	n_locks = draw_locks(plan, menu, c);
	if (menu->n_sets > 0)
		first = draw_set(plan, n_locks, c);
	if (menu->n_sets > 1)
		draw_set(plan, n_locks, c);
	if (menu->n_sets > 2)
		draw_outer(plan, n_locks, first, c);
}

static struct menu
draw_menu(struct choices *c)
{
	struct menu menu;

	menu.n_owners = choose(c, BOUND_OWNERS + 1);
	menu.n_places = 3 + choose(c, PLACES - 2);
	menu.n_modes = choose(c, 2) ? 4 : 0;	/* 0: shared and exclusive */
	menu.n_priorities = choose(c, 3) ? 1 : 4;
	menu.n_sets = choose(c, 4);
	menu.has_limits = choose(c, 3) == 0;
	menu.closes = choose(c, 2) == 0;
	menu.is_brief = choose(c, 3) == 0;
	menu.is_lazy = choose(c, 2) == 0;
	return menu;
}

static uint8_t
draw_mode(const struct menu *menu, struct choices *c)
{
	return (uint8_t)(menu->n_modes ? choose(c, 4)
	    : choose(c, 2) ? EVLOCK_SHARED : EVLOCK_EXCLUSIVE);
}

static uint8_t
draw_kind(const struct menu *menu, struct choices *c)
{
	static const uint8_t kind[] = {
		BOUND_ACQUIRE, BOUND_ACQUIRE, BOUND_ACQUIRE, BOUND_ACQUIRE, BOUND_ACQUIRE,
		BOUND_NOWAIT, BOUND_CONVERT, BOUND_CONVERT, BOUND_CONVERT_NOWAIT, BOUND_END,
		BOUND_END, BOUND_END, BOUND_END, BOUND_STRAY
	};

	if (choose(c, menu->is_lazy ? 8 : 3) == 0)
		return BOUND_LOOP;
	if (choose(c, 25) == 0)
		return BOUND_RELEASE_ALL;
	if (menu->closes && choose(c, 60) == 0)
		return BOUND_CLOSE;
	return kind[choose(c, sizeof kind)];
}

/* Returns 0 if there is nobody to do it with. */
static int
draw_op(struct bound_op *op, const struct menu *menu, struct choices *c)
{
	op->kind = draw_kind(menu, c);
	op->owner = (uint8_t)choose(c, menu->n_owners + 1);
	op->lock = (uint8_t)choose(c, bound_model.n_locks);
	op->mode = draw_mode(menu, c);
	op->priority = (uint8_t)choose(c, menu->n_priorities);
	op->is_brief = menu->is_brief && choose(c, 6) == 0;
	op->who = (uint8_t)choose(c, bound_model.n_requests);
	if (op->kind <= BOUND_NOWAIT)
		op->who = (uint8_t)bound_place();
	if (op->who == bound_model.n_requests || (op->kind == BOUND_RELEASE_ALL && !op->owner))
		return 0;
	return op->kind == BOUND_LOOP || op->kind <= BOUND_NOWAIT
	    || op->kind >= BOUND_RELEASE_ALL
	    || bound_model.request[op->who].state != BOUND_GONE;
}

static void
run_once(struct event_base *base, uint64_t seed)
{
	struct bound_model plan;
	struct choices c;
	struct menu menu;
	struct bound_op op;
	unsigned i;

	must_note = seed;
	choices_random(&c, seed, ~0ul);
	menu = draw_menu(&c);
	draw_plan(&plan, &menu, &c);
	bound_begin(base, &plan);
	for (i = 0; i < STEPS && !bound_is_unsure(); i++)
		if (draw_op(&op, &menu, &c))
			bound_step(&op);
	n_unsure += (unsigned)bound_is_unsure();
	bound_clear();
	bound_finish();
}

Test(bound_random, model, .timeout = 1200)
{
	struct event_base *base = event_base_new();
	uint64_t seed = must_seed();
	unsigned long runs = must_scale(2000), i;

	must_report = report;
	for (i = 0; i < runs; i++)
		run_once(base, seed + i);
	event_base_free(base);
	fprintf(stderr, "# %lu runs of %d steps, %lu of them cut short\n", runs, STEPS, n_unsure);
	bound_print_counts();
	cr_assert_eq(i, runs);
}
