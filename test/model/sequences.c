/* SPDX-License-Identifier: BSD-3-Clause */

/* Every sequence of a number of operations with three requests, by the public calls.  Each
 * operation may come from outside the loop, or from inside any callback that the loop or
 * evlock_free() runs.  So callbacks release themselves, withdraw other requests, make new ones,
 * convert, close, and free the lock that called them or another. */

#include <stdio.h>

#include <event2/event.h>

#include "../shim.h"
#include "pair.h"
#include "../must.h"

MUST_REPORT_BY_CRITERION

#define B(kind) PAIR_BIT(PAIR_##kind)
#define SHARED	(1 << EVLOCK_SHARED)
#define EXCLUSIVE (1 << EVLOCK_EXCLUSIVE)

/* Runs all sequences of `depth` operations, one less or more at other scales. */
static void
explore(const struct pair_menu *menu, unsigned depth)
{
	struct event_base *base = event_base_new();
	struct choices choices;
	unsigned long runs = 0;

	must_report = report;
	depth = depth + (unsigned)must_size() - 1;
	choices_all(&choices, depth);
	do {
		pair_run(base, menu, &choices);
		runs++;
	} while (choices_again(&choices));
	event_base_free(base);
	fprintf(stderr, "# %lu runs of %u operations\n", runs, depth);
	pair_print_counts();
	cr_assert(runs > 100, "%lu", runs);
}

/* Common to most menus. */
static struct pair_menu
menu_of(unsigned outside, unsigned inside)
{
	struct pair_menu menu = { .outside = outside | B(LOOP), .inside = inside | B(NOTHING),
	    .most_units = 1, .n_priorities = 1, .timeouts = 1 << PAIR_FOR_EVER, .is_listed = 1 };

	model_init(&menu.plan, 3);
	model_add_lock(&menu.plan, NULL, 0);
	return menu;
}

Test(sequences, shared_and_exclusive, .timeout = 1200)
{
	struct pair_menu menu = menu_of(B(ACQUIRE) | B(NOWAIT) | B(END),
	    B(ACQUIRE) | B(END) | B(FREE) | B(BREAK));

	menu.asked = SHARED | EXCLUSIVE;
	explore(&menu, 7);
}

Test(sequences, conversions, .timeout = 1200)
{
	struct pair_menu menu = menu_of(B(ACQUIRE) | B(END) | B(CONVERT), B(END) | B(CONVERT));

	menu.asked = SHARED | EXCLUSIVE;
	explore(&menu, 7);
}

Test(sequences, all_modes, .timeout = 1200)
{
	struct pair_menu menu = menu_of(B(ACQUIRE) | B(CONVERT) | B(CONVERT_NOWAIT) | B(END),
	    B(CONVERT) | B(END));

	explore(&menu, 5);
}

Test(sequences, closing_and_freeing, .timeout = 1200)
{
	struct pair_menu menu = menu_of(B(ACQUIRE) | B(END) | B(CONVERT) | B(CLOSE) | B(FREE),
	    B(ACQUIRE) | B(END) | B(CONVERT) | B(CLOSE) | B(FREE));

	menu.asked = SHARED | EXCLUSIVE;
	explore(&menu, 6);
}

Test(sequences, timeouts, .timeout = 1200)
{
	struct pair_menu menu = menu_of(B(ACQUIRE) | B(END) | B(CONVERT),
	    B(ACQUIRE) | B(END) | B(CONVERT) | B(FREE));

	menu.asked = SHARED | EXCLUSIVE;
	menu.timeouts |= 1 << PAIR_AT_ONCE;
	explore(&menu, 5);
}

Test(sequences, with, .timeout = 1200)
{
	struct pair_menu menu = menu_of(B(WITH) | B(ACQUIRE) | B(END),
	    B(WITH) | B(END) | B(CONVERT) | B(FREE) | B(NEW) | B(CLOSE));

	menu.asked = SHARED | EXCLUSIVE;
	explore(&menu, 6);
}

Test(sequences, two_locks, .timeout = 1200)
{
	struct pair_menu menu = menu_of(B(ACQUIRE) | B(END) | B(FREE),
	    B(ACQUIRE) | B(END) | B(FREE) | B(NEW));

	menu.asked = EXCLUSIVE;
	model_add_lock(&menu.plan, NULL, 0);
	explore(&menu, 7);
}

Test(sequences, notify, .timeout = 1200)
{
	struct pair_menu menu = menu_of(B(ACQUIRE) | B(END) | B(NOTIFY) | B(UNNOTIFY) | B(CLOSE),
	    B(NOWAIT) | B(END) | B(CONVERT) | B(UNNOTIFY) | B(FREE));

	menu.asked = SHARED | EXCLUSIVE;
	explore(&menu, 6);
}

Test(sequences, exclusive_preferred, .timeout = 1200)
{
	struct pair_menu menu = menu_of(B(ACQUIRE) | B(NOWAIT) | B(END), B(ACQUIRE) | B(END));

	menu.asked = SHARED | EXCLUSIVE;
	menu.plan.lock[0].prefers_last = 1;
	explore(&menu, 7);
}
