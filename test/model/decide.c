/* SPDX-License-Identifier: BSD-3-Clause */

/* Decides what to do next, and with which locks; see pair.h. */

#include <string.h>

#include <event2/event.h>

#include <evlock/set.h>

#include "../must.h"
#include "pair.h"
#include "tables.h"

#define B(kind)	PAIR_BIT(PAIR_##kind)
#define EVERY	(PAIR_BIT(PAIR_KINDS) - 1)
#define COUNT(a) (sizeof (a) / sizeof (a)[0])

/* The kinds of operations that have a timeout, or an owner. */
#define HAS_TIMEOUT (B(ACQUIRE) | B(WITH) | B(REQUEST) | B(CONVERT))
#define HAS_OWNER (B(REQUEST) | B(REQUEST_NOWAIT))

static int
is_in(unsigned kind, unsigned kinds)
{
	return kinds >> kind & 1;
}

static int
is_idle(unsigned who)
{
	return pair_model.request[who].state == MODEL_GONE;
}

static unsigned
n_modes(unsigned lock)
{
	const struct evlock_modes *modes = pair_model.lock[lock].modes;

	return modes ? modes->n_modes : 4;
}

/* --- A list of everything --------------------------------------------------- */

struct list {
	const struct pair_menu *menu;
	unsigned kinds;
	struct pair_op *op;
	unsigned n;
};

static void
add(struct list *list, struct pair_op op)
{
	if (is_in(op.kind, list->kinds) && pair_is_possible(&op) && list->n < PAIR_MOST_OPS)
		list->op[list->n++] = op;
}

/* One for each owner, number of units and priority. */
static void
add_requests(struct list *list, struct pair_op op)
{
	unsigned owner, units, priority;

	if (!is_in(op.kind, HAS_OWNER)) {
		add(list, op);
		return;
	}
	for (owner = 0; owner <= list->menu->n_owners; owner++)
		for (units = 1; units <= list->menu->most_units; units++)
			for (priority = 0; priority < list->menu->n_priorities; priority++) {
				op.owner = (uint8_t)owner;
				op.units = (uint8_t)units;
				op.priority = (uint8_t)priority;
				add(list, op);
			}
}

/* One for each mode and timeout of the menu. */
static void
add_modes(struct list *list, struct pair_op op)
{
	unsigned mode, timeout;

	for (mode = 0; mode < n_modes(op.lock); mode++)
		for (timeout = 0; timeout < PAIR_TIMEOUTS; timeout++) {
			op.mode = (uint8_t)mode;
			op.timeout = (uint8_t)timeout;
			if (list->menu->asked && !is_in(mode, list->menu->asked))
				continue;
			if (is_in(op.kind, HAS_TIMEOUT) ? is_in(timeout, list->menu->timeouts)
			    : !timeout)
				add_requests(list, op);
		}
}

static void
add_idle(struct list *list, unsigned who)
{
	struct pair_op op = { .who = (uint8_t)who, .units = 1 };

	for (op.lock = 0; op.lock < pair_model.n_locks; op.lock++)
		for (op.kind = PAIR_ACQUIRE; op.kind <= PAIR_REQUEST_NOWAIT; op.kind++)
			add_modes(list, op);
}

static void
add_busy(struct list *list, unsigned who)
{
	struct pair_op op = { .who = (uint8_t)who, .lock = pair_model.request[who].lock };

	op.kind = PAIR_END;
	add(list, op);
	op.kind = PAIR_EXPIRE;
	add(list, op);
	if (pair_model.request[who].state != MODEL_HOLDING)
		return;
	op.kind = PAIR_CONVERT;
	add_modes(list, op);
	op.kind = PAIR_CONVERT_NOWAIT;
	add_modes(list, op);
}

static void
add_others(struct list *list, unsigned lock)
{
	struct pair_op op = { .lock = (uint8_t)lock };

	op.kind = PAIR_CLOSE;
	if (!pair_model.lock[lock].is_closed)
		add(list, op);
	op.kind = PAIR_FREE;
	add(list, op);
	op.kind = PAIR_NEW;
	add(list, op);
	op.kind = PAIR_NOTIFY;
	add_modes(list, op);
}

static void
add_single(struct list *list, unsigned kind, unsigned owner)
{
	struct pair_op op = { .kind = (uint8_t)kind, .owner = (uint8_t)owner };

	add(list, op);
}

unsigned
pair_list(const struct pair_menu *menu, unsigned kinds, struct pair_op *ops)
{
	struct list list = { menu, kinds, ops, 0 };
	unsigned i, has_idle = 0;

	add_single(&list, PAIR_NOTHING, 0);
	add_single(&list, PAIR_LOOP, 0);
	add_single(&list, PAIR_BREAK, 0);
	add_single(&list, PAIR_UNNOTIFY, 0);
	for (i = 1; i <= menu->n_owners; i++)
		add_single(&list, PAIR_RELEASE_ALL, i);
	for (i = 0; i < pair_model.n_locks; i++)
		add_others(&list, i);
	for (i = 0; i < pair_model.n_requests; i++) {
		if (!is_idle(i))
			add_busy(&list, i);
		else if (!has_idle++)
			add_idle(&list, i);
	}
	return list.n;
}

/* --- Random operations ------------------------------------------------------ */

static const uint8_t weight[PAIR_KINDS] = {
	[PAIR_LOOP] = 4, [PAIR_ACQUIRE] = 3, [PAIR_NOWAIT] = 1, [PAIR_WITH] = 2,
	[PAIR_REQUEST] = 8, [PAIR_REQUEST_NOWAIT] = 2, [PAIR_END] = 6, [PAIR_CONVERT] = 3,
	[PAIR_CONVERT_NOWAIT] = 2, [PAIR_EXPIRE] = 1, [PAIR_RELEASE_ALL] = 1, [PAIR_CLOSE] = 1,
	[PAIR_FREE] = 1, [PAIR_NEW] = 3, [PAIR_NOTIFY] = 2, [PAIR_UNNOTIFY] = 1,
	[PAIR_STRAY] = 2, [PAIR_BREAK] = 1, [PAIR_NOTHING] = 8
};

static unsigned
draw_kind(unsigned kinds, struct choices *c)
{
	unsigned k, sum = 0, i;

	for (k = 0; k < PAIR_KINDS; k++)
		sum += is_in(k, kinds) ? weight[k] : 0;
	i = choose(c, sum);
	for (k = 0; !is_in(k, kinds) || i >= weight[k]; k++)
		i -= is_in(k, kinds) ? weight[k] : 0;
	return k;
}

/* Returns the next idle request, or the next busy one, from this one on; this one if there is
 * none. */
static unsigned
next_who(unsigned who, int is_wanted_idle)
{
	unsigned i;

	for (i = 0; i < pair_model.n_requests; i++) {
		unsigned next = (who + i) % pair_model.n_requests;

		if (is_idle(next) == is_wanted_idle)
			return next;
	}
	return who;
}

static void
draw_request(struct pair_op *op, const struct pair_menu *menu, struct choices *c)
{
	op->timeout = (uint8_t)choose(c, PAIR_TIMEOUTS);
	if (!is_in(op->timeout, menu->timeouts))
		op->timeout = PAIR_FOR_EVER;
	if (!is_in(op->kind, HAS_OWNER))
		return;
	op->units = (uint8_t)choose(c, menu->most_units + 1);
	op->priority = (uint8_t)choose(c, menu->n_priorities);
	op->owner = (uint8_t)choose(c, menu->n_owners + 1);
	op->is_own = choose(c, 6) == 0;
	op->has_notice = choose(c, 3) == 0;
}

static struct pair_op
draw_op(const struct pair_menu *menu, unsigned kinds, struct choices *c)
{
	struct pair_op op;
	int is_asking;

	memset(&op, 0, sizeof op);
	op.kind = (uint8_t)draw_kind(kinds, c);
	is_asking = op.kind >= PAIR_ACQUIRE && op.kind <= PAIR_REQUEST_NOWAIT;
	op.who = (uint8_t)next_who(choose(c, pair_model.n_requests), is_asking);
	op.lock = (uint8_t)choose(c, pair_model.n_locks);
	op.mode = (uint8_t)choose(c, n_modes(op.lock));
	if (menu->asked && op.kind != PAIR_LOOP && !is_in(op.mode, menu->asked))
		op.mode = (uint8_t)(n_modes(op.lock) - 1);
	if (is_in(op.kind, HAS_TIMEOUT | HAS_OWNER))
		draw_request(&op, menu, c);
	if (op.kind == PAIR_RELEASE_ALL)
		op.owner = (uint8_t)choose(c, menu->n_owners + 1);
	if (!pair_is_possible(&op))
		op.kind = PAIR_NOTHING;
	return op;
}

struct pair_op
pair_decide(const struct pair_menu *menu, unsigned kinds, struct choices *c)
{
	static struct pair_op ops[PAIR_MOST_OPS];

	if (!menu->is_listed)
		return draw_op(menu, kinds, c);
	return ops[choose(c, pair_list(menu, kinds, ops))];
}

void
pair_run(struct event_base *base, const struct pair_menu *menu, struct choices *choices)
{
	pair_begin(base, menu, choices);
	while (!choices_are_over(choices) && !pair_is_unsure()) {
		struct pair_op op = pair_decide(menu, menu->outside, choices);

		pair_step(&op);
	}
	pair_finish();
}

/* --- Locks ------------------------------------------------------------------ */

/* Three may read, or two may write.  Reading and writing exclude each other, and the last mode
 * excludes all. */
static const struct evlock_mode limited_mode[] = {
	{ .limit = 3, .conflicts = 1 << 1 | 1 << 3 },
	{ .limit = 2, .conflicts = 1 << 0 | 1 << 3 },
	{ .limit = 1, .conflicts = 1 << 3 },
	{ .conflicts = 1 << 0 | 1 << 1 | 1 << 2 | 1 << 3 }
};
static const struct evlock_modes limited = { limited_mode, 4, NULL };

static struct table table[MODEL_LOCKS];

static const struct evlock_modes *
draw_table(unsigned lock, struct choices *c)
{
	static const struct evlock_modes *const some[] = {
		NULL, NULL, NULL, &limited, &table_semaphore, &table_intention, &table_limits,
		&table_weights
	};
	unsigned i = choose(c, COUNT(some) + 1);

	if (i < COUNT(some))
		return some[i];
	table_draw(&table[lock], c);
	return &table[lock].modes;
}

static int
draw_member_mode(const struct model *plan, unsigned lock, struct choices *c)
{
	unsigned mode = choose(c, 6);

	return choose(c, 2) && model_has_mode(plan, lock, mode) ? (int)mode : EVLOCK_SAME_MODE;
}

/* A set of up to three of the locks. */
static unsigned
draw_set(struct model *plan, unsigned n_locks, struct choices *c)
{
	unsigned set = model_add_set(plan), from = choose(c, n_locks), i;

	for (i = 0; i < n_locks; i++) {
		unsigned lock = (from + i) % n_locks;

		if (!i || (choose(c, 2) && plan->lock[set].n_members < 3))
			model_add_member(plan, set, lock, draw_member_mode(plan, lock, c));
	}
	return set;
}

/* A set of the first set, and of a lock that is not in it, if there is one. */
static void
draw_outer(struct model *plan, unsigned n_locks, unsigned inner, struct choices *c)
{
	const struct model_lock *l = &plan->lock[inner];
	unsigned outer = model_add_set(plan), i, k;

	model_add_member(plan, outer, inner, draw_member_mode(plan, inner, c));
	for (i = 0; i < n_locks; i++) {
		for (k = 0; k < l->n_members && l->member[k] != i; k++)
			;
		if (k == l->n_members)
			break;
	}
	if (i < n_locks)
		model_add_member(plan, outer, i, draw_member_mode(plan, i, c));
}

static void
draw_locks(struct model *plan, unsigned n_sets, struct choices *c)
{
	unsigned i, first = 0, n = 1 + choose(c, 4);

	for (i = 0; i < n; i++)
		model_add_lock(plan, draw_table(i, c), choose(c, 3) == 0);
	if (n_sets > 0)
		first = draw_set(plan, n, c);
	if (n_sets > 1)
		draw_set(plan, n, c);
	if (n_sets > 2)
		draw_outer(plan, n, first, c);
}

/* Locks are closed and freed in some runs only, because little happens in a closed lock.  The
 * model could not follow the free of a set, or evlock_with() on one, in any order of the locks. */
static unsigned
draw_kinds(int has_sets, struct choices *c)
{
	unsigned kinds = EVERY;

	if (choose(c, 4))
		kinds &= ~B(CLOSE);
	if (choose(c, 3) || has_sets)
		kinds &= ~(B(FREE) | B(NEW));
	if (has_sets)
		kinds &= ~B(WITH);
	return kinds;
}

/* Mostly requests of owners and for sets. */
static void
draw_ties(struct pair_menu *menu, struct choices *c)
{
	menu->outside = B(LOOP) | B(REQUEST) | B(REQUEST_NOWAIT) | B(END) | B(CONVERT) |
	    B(CONVERT_NOWAIT) | B(EXPIRE) | B(RELEASE_ALL) | B(STRAY);
	if (choose(c, 5) == 0)
		menu->outside |= B(CLOSE);
	menu->inside = 0;
	menu->timeouts = 1u << PAIR_FOR_EVER | (choose(c, 3) ? 0 : 1u << PAIR_AT_ONCE);
	menu->most_units = 1;
}

void
pair_draw(struct pair_menu *menu, struct choices *c, unsigned timeouts, int has_ties)
{
	unsigned n_sets = has_ties ? choose(c, 4) : 0;

	memset(menu, 0, sizeof *menu);
	model_init(&menu->plan, 2 + choose(c, 11));
	menu->n_owners = has_ties ? choose(c, MODEL_OWNERS + 1) : 0;
	draw_locks(&menu->plan, n_sets, c);
	menu->outside = draw_kinds(n_sets > 0, c);
	menu->inside = draw_kinds(n_sets > 0, c);
	menu->timeouts = timeouts;
	menu->asked = choose(c, 2) ? 0 : 1u << EVLOCK_SHARED | 1u << EVLOCK_EXCLUSIVE;
	menu->most_units = 1 + choose(c, 4);
	menu->n_priorities = choose(c, 2) ? 1 : 4;
	menu->most_inside = 200;
	menu->is_threadsafe = choose(c, 4) == 0;
	if (has_ties && choose(c, 4))
		draw_ties(menu, c);
}
