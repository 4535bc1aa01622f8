/* SPDX-License-Identifier: BSD-3-Clause */

/* Random: long runs of the core beside the model, over random mode tables, with up to
 * twelve actors.  EVLOCK_TEST_SEED=n repeats them. */

#include <stdio.h>

#include "choices.h"
#include "core_pair.h"
#include "must.h"
#include "../shim.h"
#include "tables.h"

MUST_REPORT_BY_CRITERION

#define STEPS	400	/* with one table */
#define LATEST	32	/* steps that a story tells */

static struct pair pair;
static struct table table;
static struct pair_menu menu;
static struct pair_op latest[LATEST];
static unsigned long n_steps;

static void
tell_latest(void)
{
	unsigned long i = n_steps > LATEST ? n_steps - LATEST : 0;

	fprintf(must_out, "  after %lu steps:\n", i);
	for (; i < n_steps; i++)
		pair_print(&latest[i % LATEST]);
}

/* One of all that can be done, but half the time one that ends something. */
static struct pair_op
draw_op(struct choices *c)
{
	static struct pair_op ops[PAIR_MOST_OPS];
	unsigned n = pair_list(&pair, &menu, ops), i = choose(c, n), left = n;

	if (choose(c, 2) == 0)
		while (left-- > 0 && ops[i].kind != PAIR_END)
			i = (i + 1) % n;
	if (ops[i].kind == PAIR_DISMISS && choose(c, 8))
		i = choose(c, n);
	return ops[i];
}

static void
draw_menu(struct choices *c)
{
	table_draw(&table, c);
	menu.modes = &table.modes;
	menu.prefers_last = choose(c, 2) == 0;
	menu.n_actors = 2 + choose(c, PAIR_ACTORS - 1);
	menu.n_units = 1 + choose(c, 3);
	menu.n_priorities = choose(c, 2) ? 1 : EVL_PRIORITIES;
}

static void
run_once(uint64_t seed)
{
	struct choices c;

	must_note = seed;
	choices_random(&c, seed, ~0ul);
	draw_menu(&c);
	pair_init(&pair, &menu);
	for (n_steps = 0; n_steps < STEPS; n_steps++) {
		struct pair_op op = draw_op(&c);

		latest[n_steps % LATEST] = op;
		pair_step(&pair, &op);
	}
}

Test(core_random, model, .timeout = 1200)
{
	uint64_t seed = must_seed();
	unsigned long runs = must_scale(1000), i;

	must_report = report;
	must_tell_story = tell_latest;
	for (i = 0; i < runs; i++)
		run_once(seed + i);
	must_tell_story = NULL;
	fprintf(stderr, "# %lu tables, %d steps with each\n", runs, STEPS);
	cr_assert_eq(i, runs);
}
