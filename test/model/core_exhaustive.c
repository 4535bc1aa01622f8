/* SPDX-License-Identifier: BSD-3-Clause */

/* Exhaustive: three and four actors, every sequence of operations, and after each
 * operation the core (lib/rules/core.h) is compared with the model.
 *
 * explore_states() finds every state that can come about, however long it takes, and
 * tries every operation in each of them: so all sequences of 7 operations are among
 * those covered, and all longer ones. */

#include <stdio.h>

#include "explore.h"
#include "must.h"
#include "../shim.h"
#include "tables.h"

MUST_REPORT_BY_CRITERION

/* With `n_actors`; three of them on the "small" scale. */
static void
explore(const char *name, const struct evlock_modes *modes, int prefers_last, unsigned n_units,
    unsigned n_priorities, unsigned n_actors)
{
	struct pair_menu menu = { modes, prefers_last, n_actors, n_units, n_priorities };
	struct explored e;

	must_report = report;
	if (must_size() == 0 && menu.n_actors > 3)
		menu.n_actors = 3;
	e = explore_states(&menu);
	fprintf(stderr, "# %s, %u actors: %lu states, %lu steps, complete after %u operations\n",
	    name, menu.n_actors, e.states, e.steps, e.depth);
	cr_assert(e.depth >= 7 || n_units > 1, "%u", e.depth);
}

Test(core_exhaustive, standard)
{
	explore("standard", NULL, 0, 1, 1, 4);
}

Test(core_exhaustive, prefer_exclusive)
{
	explore("exclusive preferred", NULL, 1, 1, 1, 4);
}

Test(core_exhaustive, priorities)
{
	explore("two priorities", NULL, 0, 1, 2, 3);
	explore("two priorities, exclusive preferred", NULL, 1, 1, 2, 3);
}

Test(core_exhaustive, semaphore)
{
	explore("semaphore", &table_semaphore, 0, 2, 1, 4);
	explore("semaphore, two priorities", &table_semaphore, 0, 2, 2, 4);
}

Test(core_exhaustive, limits)
{
	explore("limits", &table_limits, 0, 2, 1, 3);
	explore("limits, the last mode preferred", &table_limits, 1, 2, 1, 3);
}

Test(core_exhaustive, intention)
{
	explore("intention", &table_intention, 0, 1, 1, 3);
}

Test(core_exhaustive, one_way_conflicts)
{
	explore("one-way conflicts", &table_oneway, 0, 1, 1, 4);
}

Test(core_exhaustive, conditions)
{
	explore("conditions", &table_weights, 0, 2, 1, 4);
}

/* The same without the argument that equal states have equal futures. */
Test(core_exhaustive, sequences, .timeout = 1200)
{
	static const unsigned depth[] = { 4, 5, 7 };
	struct pair_menu menu = { NULL, 0, 3, 1, 1 };
	struct explored e;

	must_report = report;
	e = explore_sequences(&menu, depth[must_size()]);
	fprintf(stderr, "# 3 actors, each sequence of %u operations by itself: %lu steps\n",
	    e.depth, e.steps);
	cr_assert(e.steps > 10000, "%lu", e.steps);
}
