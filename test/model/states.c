/* SPDX-License-Identifier: BSD-3-Clause */

/* Every operation in every state that a few requests can reach, beside the model.  For a single
 * lock, the exploration ends when there is no new state, so it covers sequences of any length.
 * For two locks and a set of both, used by two owners and without one, it covers sequences of a
 * fixed length: one more at scale "large", one less at scale "small". */

#include <stdio.h>

#include <evlock/set.h>

#include "../shim.h"
#include "explore.h"
#include "../must.h"
#include "tables.h"

MUST_REPORT_BY_CRITERION

#define B(kind) PAIR_BIT(PAIR_##kind)
#define SHARED_OR_EXCLUSIVE (1u << EVLOCK_SHARED | 1u << EVLOCK_EXCLUSIVE)

static void
run(const char *name, struct pair_menu *menu, unsigned depth, int is_symmetric)
{
	struct explored e;

	must_report = report;
	menu->timeouts = 1u << PAIR_FOR_EVER;
	e = explore(menu, depth, is_symmetric);
	fprintf(stderr, "# %s, %u requests: %lu states, %lu steps, the last new state after %u"
	    " operations\n", name, menu->plan.n_requests, e.states, e.steps, e.depth);
	cr_assert(e.steps > 100 && (depth || e.depth >= 7 || menu->most_units > 1), "%lu, %u",
	    e.steps, e.depth);
}

/* --- One lock --------------------------------------------------------------- */

/* At scale "small": three requests and eight operations. */
static void
one_lock(const char *name, const struct evlock_modes *modes, int prefers_last, unsigned n_units,
    unsigned n_priorities, unsigned n_requests)
{
	int is_plain = n_units == 1 && n_priorities == 1;
	struct pair_menu menu = { .outside = B(END) | B(CONVERT) | B(CONVERT_NOWAIT) | B(EXPIRE)
	    | (is_plain ? B(ACQUIRE) | B(NOWAIT) : B(REQUEST) | B(REQUEST_NOWAIT)),
	    .most_units = n_units, .n_priorities = n_priorities };

	model_init(&menu.plan, must_size() == 0 && n_requests > 3 ? 3 : n_requests);
	model_add_lock(&menu.plan, modes, prefers_last);
	run(name, &menu, must_size() == 0 ? 8 : 0, 0);
}

Test(states, standard, .timeout = 1200)
{
	one_lock("standard", NULL, 0, 1, 1, 4);
}

Test(states, prefer_exclusive, .timeout = 1200)
{
	one_lock("exclusive preferred", NULL, 1, 1, 1, 4);
}

Test(states, priorities, .timeout = 1200)
{
	one_lock("two priorities", NULL, 0, 1, 2, 3);
	one_lock("two priorities, exclusive preferred", NULL, 1, 1, 2, 3);
}

Test(states, semaphore, .timeout = 1200)
{
	one_lock("semaphore", &table_semaphore, 0, 2, 1, 4);
	one_lock("semaphore, two priorities", &table_semaphore, 0, 2, 2, 4);
}

Test(states, limits, .timeout = 1200)
{
	one_lock("limits", &table_limits, 0, 2, 1, 3);
	one_lock("limits, the last mode preferred", &table_limits, 1, 2, 1, 3);
}

Test(states, intention, .timeout = 1200)
{
	one_lock("intention", &table_intention, 0, 1, 1, 3);
}

Test(states, one_way_conflicts, .timeout = 1200)
{
	one_lock("one-way conflicts", &table_oneway, 0, 1, 1, 4);
}

Test(states, conditions, .timeout = 1200)
{
	one_lock("conditions", &table_weights, 0, 2, 1, 4);
}

/* --- Two locks, a set of both, and two owners ------------------------------- */

static void
set_of_two(unsigned kinds, unsigned modes, int second_mode, unsigned depth)
{
	struct pair_menu menu = { .outside = kinds, .asked = modes, .n_owners = 2,
	    .most_units = 1, .n_priorities = 1 };
	unsigned set;

	depth = depth + (unsigned)must_size() - 2;	/* the caller's is that at scale "large" */
	model_init(&menu.plan, depth);
	model_add_lock(&menu.plan, NULL, 0);
	model_add_lock(&menu.plan, NULL, 0);
	set = model_add_set(&menu.plan);
	model_add_member(&menu.plan, set, 0, EVLOCK_SAME_MODE);
	model_add_member(&menu.plan, set, 1, second_mode);
	run("a set of two locks", &menu, depth, second_mode == EVLOCK_SAME_MODE);
	pair_print_counts();
}

Test(states, set_and_owners, .timeout = 1200)
{
	set_of_two(B(REQUEST) | B(END) | B(CONVERT) | B(RELEASE_ALL), SHARED_OR_EXCLUSIVE,
	    EVLOCK_SAME_MODE, 6);
}

Test(states, set_now_or_not_at_all, .timeout = 1200)
{
	set_of_two(B(REQUEST) | B(REQUEST_NOWAIT) | B(END) | B(CONVERT_NOWAIT),
	    SHARED_OR_EXCLUSIVE, EVLOCK_SAME_MODE, 5);
}

Test(states, set_with_modes_of_its_own, .timeout = 1200)
{
	set_of_two(B(REQUEST) | B(REQUEST_NOWAIT) | B(END) | B(CONVERT) | B(RELEASE_ALL),
	    SHARED_OR_EXCLUSIVE, EVLOCK_SHARED, 5);
}

Test(states, set_called_back_later, .timeout = 1200)
{
	set_of_two(B(REQUEST) | B(END) | B(CONVERT) | B(CONVERT_NOWAIT) | B(RELEASE_ALL) |
	    B(LOOP), SHARED_OR_EXCLUSIVE, EVLOCK_SAME_MODE, 5);
}

Test(states, set_in_all_modes, .timeout = 1200)
{
	set_of_two(B(REQUEST) | B(END) | B(CONVERT) | B(CONVERT_NOWAIT), 0, EVLOCK_SAME_MODE, 4);
}
