/* SPDX-License-Identifier: BSD-3-Clause */

/* See tables.h. */

#include <string.h>

#include "tables.h"

#define READ	EVLOCK_READ
#define WRITE	EVLOCK_WRITE
#define COUNT(a) (sizeof (a) / sizeof (a)[0])

static const struct evlock_mode semaphore[] = {
	{ "unit", 0, 2, WRITE, NULL },
};
const struct evlock_modes table_semaphore = { semaphore, COUNT(semaphore), NULL };

static const struct evlock_mode limits[] = {
	{ "two", 1 << 2, 2, READ, NULL },
	{ "one", 1 << 2, 1, READ, NULL },
	{ "all", 1 << 0 | 1 << 1 | 1 << 2, 0, WRITE, NULL },
};
const struct evlock_modes table_limits = { limits, COUNT(limits), NULL };

enum { IS, IX, S, SIX, X };
static const struct evlock_mode intention[] = {
	{ "IS", 1 << X, 0, EVLOCK_NO_ACCESS, NULL },
	{ "IX", 1 << S | 1 << SIX | 1 << X, 0, EVLOCK_NO_ACCESS, NULL },
	{ "S", 1 << IX | 1 << SIX | 1 << X, 0, READ, NULL },
	{ "SIX", 1 << IX | 1 << S | 1 << SIX | 1 << X, 0, READ, NULL },
	{ "X", 1 << IS | 1 << IX | 1 << S | 1 << SIX | 1 << X, 0, WRITE, NULL },
};
const struct evlock_modes table_intention = { intention, COUNT(intention), NULL };

static const struct evlock_mode oneway[] = {
	{ "shy", 1 << 1, 0, READ, NULL },
	{ "bold", 0, 0, READ, NULL },
	{ "alone", 1 << 0 | 1 << 2, 0, WRITE, NULL },
};
const struct evlock_modes table_oneway = { oneway, COUNT(oneway), NULL };

/* Three light holders fit, or a heavy and a light one. */
static int
weighs_enough_for_three(unsigned mode, uint32_t units, const uint32_t *held, void *arg)
{
	uint32_t asked = mode == 1 ? 2 * units : units;

	(void)arg;
	return held[0] + 2 * held[1] + asked <= 3;
}

static const struct evlock_mode weights[] = {
	{ "light", 0, 0, READ, weighs_enough_for_three },
	{ "heavy", 0, 0, WRITE, weighs_enough_for_three },
};
const struct evlock_modes table_weights = { weights, COUNT(weights), NULL };

/* --- Random tables -------------------------------------------------------------- */

static int
is_light_enough(unsigned mode, uint32_t units, const uint32_t *held, void *arg)
{
	const struct table *t = arg;
	uint64_t sum = (uint64_t)units * t->weight[mode][mode];
	unsigned k;

	for (k = 0; k < t->modes.n_modes; k++)
		sum += (uint64_t)held[k] * t->weight[mode][k];
	return sum <= t->most[mode];
}

static void
draw_condition(struct table *t, unsigned mode, struct choices *c)
{
	unsigned k;

	for (k = 0; k < t->modes.n_modes; k++)
		t->weight[mode][k] = (uint8_t)choose(c, 3);
	t->most[mode] = 1 + choose(c, 6);
	t->mode[mode].is_compatible = is_light_enough;
}

/* A few modes conflict with all, and a few with none. */
static uint32_t
draw_conflicts(unsigned n_modes, struct choices *c)
{
	unsigned k, density = choose(c, 5);
	uint32_t mask = 0;

	for (k = 0; k < n_modes; k++)
		if (choose(c, 4) < density)
			mask |= (uint32_t)1 << k;
	return mask;
}

void
table_draw(struct table *t, struct choices *c)
{
	unsigned n = choose(c, 8) ? 1 + choose(c, 6) : EVLOCK_MAX_MODES - choose(c, 2), k;

	memset(t, 0, sizeof *t);
	t->modes.mode = t->mode;
	t->modes.n_modes = n;
	t->modes.arg = t;
	for (k = 0; k < n; k++) {
		t->mode[k].conflicts = draw_conflicts(n, c);
		t->mode[k].access = (enum evlock_access)choose(c, 3);
		if (choose(c, 3) == 0)
			t->mode[k].limit = 1 + choose(c, 4);
		if (choose(c, 4) == 0)
			draw_condition(t, k, c);
	}
}
