/* SPDX-License-Identifier: BSD-3-Clause */

/* Long random runs over locks, sets and owners on one base, beside the model.  Operations come
 * from outside the loop and from inside callbacks.  EVLOCK_TEST_SEED=n repeats the decisions, but
 * not the moments at which timers of 1 ms expire. */

#include <stdio.h>

#include <event2/event.h>

#include "../shim.h"
#include "../must.h"
#include "pair.h"

MUST_REPORT_BY_CRITERION

#define DECISIONS	2000	/* in one run; an operation takes about five */

static void
run(long runs, unsigned timeouts, int has_ties)
{
	struct event_base *base = event_base_new();
	uint64_t seed = must_seed();
	struct pair_menu menu;
	struct choices choices;

	must_report = report;
	for (; runs-- > 0; seed++) {
		must_note = seed;
		choices_random(&choices, seed, ~0ul);
		pair_draw(&menu, &choices, timeouts, has_ties);
		choices_random(&choices, seed, DECISIONS);
		pair_run(base, &menu, &choices);
	}
	event_base_free(base);
	pair_print_counts();
	cr_assert(pair_callbacks > 0);
}

#define ALL		((1 << PAIR_TIMEOUTS) - 1)
#define PREDICTABLE	(ALL - (1 << PAIR_BRIEFLY))

Test(random, plain_locks, .timeout = 1200)
{
	run(must_times(200, 2000, 40000), PREDICTABLE, 0);
}

Test(random, owners_and_sets, .timeout = 1200)
{
	run(must_times(200, 2000, 40000), PREDICTABLE, 1);
}

Test(random, with_timers, .timeout = 1200)
{
	run(must_times(50, 500, 10000), ALL, 0);
}
