/* SPDX-License-Identifier: BSD-3-Clause */

/* Exhaustive, through the public calls: three actors, every sequence of so many
 * operations, where each may come from outside of the loop or from inside of any
 * callback that the loop or evlock_free() runs.  So a callback releases itself, withdraws
 * others, asks again, converts, closes, frees the lock that called it or another. */

#include <stdio.h>

#include <event2/event.h>

#include "../shim.h"
#include "api_pair.h"
#include "must.h"

MUST_REPORT_BY_CRITERION

#define B(kind) API_BIT(API_##kind)
#define SHARED	(1 << EVLOCK_SHARED)
#define EXCLUSIVE (1 << EVLOCK_EXCLUSIVE)

/* All runs of `depth` operations; of fewer or more on other scales. */
static void
explore(const struct api_menu *menu, unsigned depth)
{
	struct event_base *base = event_base_new();
	struct choices choices;
	unsigned long runs = 0;

	must_report = report;
	depth = depth + (unsigned)must_size() - 1;
	choices_all(&choices, depth);
	do {
		api_run(base, menu, &choices);
		runs++;
	} while (choices_again(&choices));
	event_base_free(base);
	fprintf(stderr, "# %lu runs of %u operations\n", runs, depth);
	api_print_counts();
	cr_assert(runs > 100, "%lu", runs);
}

/* What most menus have in common. */
static struct api_menu
menu_of(unsigned outside, unsigned inside)
{
	struct api_menu menu = { .n_locks = 1, .n_actors = 3, .most_units = 1, .n_priorities = 1,
	    .timeouts = 1 << API_FOR_EVER, .is_listed = 1 };

	menu.outside = outside | B(LOOP);
	menu.inside = inside | B(NOTHING);
	return menu;
}

Test(api_exhaustive, shared_and_exclusive, .timeout = 1200)
{
	struct api_menu menu = menu_of(B(ACQUIRE) | B(NOWAIT) | B(END),
	    B(ACQUIRE) | B(END) | B(FREE) | B(BREAK));

	menu.asked = SHARED | EXCLUSIVE;
	explore(&menu, 7);
}

Test(api_exhaustive, conversions, .timeout = 1200)
{
	struct api_menu menu = menu_of(B(ACQUIRE) | B(END) | B(CONVERT), B(END) | B(CONVERT));

	menu.asked = SHARED | EXCLUSIVE;
	explore(&menu, 7);
}

Test(api_exhaustive, all_modes, .timeout = 1200)
{
	struct api_menu menu = menu_of(B(ACQUIRE) | B(CONVERT) | B(CONVERT_NOWAIT) | B(END),
	    B(CONVERT) | B(END));

	explore(&menu, 5);
}

Test(api_exhaustive, closing_and_freeing, .timeout = 1200)
{
	struct api_menu menu = menu_of(B(ACQUIRE) | B(END) | B(CONVERT) | B(CLOSE) | B(FREE),
	    B(ACQUIRE) | B(END) | B(CONVERT) | B(CLOSE) | B(FREE));

	menu.asked = SHARED | EXCLUSIVE;
	explore(&menu, 6);
}

Test(api_exhaustive, timeouts, .timeout = 1200)
{
	struct api_menu menu = menu_of(B(ACQUIRE) | B(END) | B(CONVERT),
	    B(ACQUIRE) | B(END) | B(CONVERT) | B(FREE));

	menu.asked = SHARED | EXCLUSIVE;
	menu.timeouts |= 1 << API_AT_ONCE;
	explore(&menu, 5);
}

Test(api_exhaustive, with, .timeout = 1200)
{
	struct api_menu menu = menu_of(B(WITH) | B(ACQUIRE) | B(END),
	    B(WITH) | B(END) | B(CONVERT) | B(FREE) | B(NEW) | B(CLOSE));

	menu.asked = SHARED | EXCLUSIVE;
	explore(&menu, 6);
}

Test(api_exhaustive, two_locks, .timeout = 1200)
{
	struct api_menu menu = menu_of(B(ACQUIRE) | B(END) | B(FREE),
	    B(ACQUIRE) | B(END) | B(FREE) | B(NEW));

	menu.asked = EXCLUSIVE;
	menu.n_locks = 2;
	explore(&menu, 7);
}

Test(api_exhaustive, notify, .timeout = 1200)
{
	struct api_menu menu = menu_of(B(ACQUIRE) | B(END) | B(NOTIFY) | B(UNNOTIFY) | B(CLOSE),
	    B(NOWAIT) | B(END) | B(CONVERT) | B(UNNOTIFY) | B(FREE));

	menu.asked = SHARED | EXCLUSIVE;
	explore(&menu, 6);
}

Test(api_exhaustive, exclusive_preferred, .timeout = 1200)
{
	struct api_menu menu = menu_of(B(ACQUIRE) | B(NOWAIT) | B(END), B(ACQUIRE) | B(END));

	menu.asked = SHARED | EXCLUSIVE;
	menu.prefers_last[0] = 1;
	explore(&menu, 7);
}
