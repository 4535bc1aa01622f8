/* SPDX-License-Identifier: BSD-3-Clause */

/* What the random and the fuzz runs do; see api_pair.h. */

#include <string.h>

#include "api_pair.h"
#include "tables.h"

#define EVERY	(API_BIT(API_KINDS) - 1)

static struct table table[API_LOCKS];

static const struct evlock_modes *
draw_table(unsigned lock, struct choices *c)
{
	static const struct evlock_modes *const some[] = {
		NULL, &table_semaphore, &table_intention, &table_limits, &table_weights
	};
	unsigned i = choose(c, 6);

	if (i < sizeof some / sizeof some[0])
		return some[i];
	table_draw(&table[lock], c);
	return &table[lock].modes;
}

/* Closing and freeing now and then only: a closed lock is a dull one. */
static unsigned
draw_kinds(struct choices *c)
{
	unsigned kinds = EVERY;

	if (choose(c, 4))
		kinds &= ~API_BIT(API_CLOSE);
	if (choose(c, 3))
		kinds &= ~API_BIT(API_FREE);
	return kinds;
}

void
api_draw(struct api_menu *menu, struct choices *c, unsigned timeouts)
{
	unsigned i;

	memset(menu, 0, sizeof *menu);
	menu->n_locks = 1 + choose(c, API_LOCKS);
	for (i = 0; i < menu->n_locks; i++) {
		menu->modes[i] = draw_table(i, c);
		menu->prefers_last[i] = choose(c, 3) == 0;
	}
	menu->n_actors = 2 + choose(c, API_ACTORS - 1);
	menu->outside = draw_kinds(c);
	menu->inside = draw_kinds(c);
	menu->timeouts = timeouts;
	menu->most_units = 1 + choose(c, 4);
	menu->n_priorities = 1 + choose(c, 4);
	menu->most_inside = 200;
}
