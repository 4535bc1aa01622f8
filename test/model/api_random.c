/* SPDX-License-Identifier: BSD-3-Clause */

/* Random, through the public calls: long runs over several locks on one base, with all
 * that can be done to them, from outside and from inside of callbacks.
 * EVLOCK_TEST_SEED=n repeats the decisions (though not the moments at which timers of
 * 1 ms go off). */

#include <stdio.h>

#include <event2/event.h>

#include "../shim.h"
#include "api_pair.h"
#include "must.h"

MUST_REPORT_BY_CRITERION

#define STEPS	600	/* of one run, about */

static void
run(unsigned long runs, unsigned timeouts)
{
	struct event_base *base = event_base_new();
	uint64_t seed = must_seed();
	struct api_menu menu;
	struct choices choices;

	must_report = report;
	for (; runs-- > 0; seed++) {
		choices_random(&choices, seed, ~0ul);
		api_draw(&menu, &choices, timeouts);
		choices_random(&choices, seed, 8 * STEPS);
		must_note = seed;
		api_run(base, &menu, &choices);
	}
	event_base_free(base);
	api_print_counts();
	cr_assert(api_counts.callbacks > 0);
}

Test(api_random, model, .timeout = 1200)
{
	run(must_scale(2000), 1 << API_FOR_EVER | 1 << API_AN_HOUR | 1 << API_AT_ONCE |
	    1 << API_NEGATIVE);
}

Test(api_random, model_with_timers, .timeout = 1200)
{
	run(must_scale(500), (1 << API_TIMEOUTS) - 1);
}
