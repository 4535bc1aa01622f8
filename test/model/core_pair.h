/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CORE_PAIR_H_INCLUDED_
#define CORE_PAIR_H_INCLUDED_

/* A core (lib/rules/core.h) and a model of it that go through the same steps.  Each step
 * ends with a comparison of all that can be seen of both, and with the invariants I1
 * to I6 of the design, by a recount of the test's own.  What differs ends the program.
 *
 * Actors stand for requests.  All is in one piece of memory without pointers out of it,
 * so that a state can be kept aside with memcpy() and put back into its place. */

#include "rules/deadlock.h"
#include "rules/grant.h"
#include "model.h"

#define PAIR_ACTORS 12

struct pair_actor {
	struct evl_seat seat;
	struct evl_ties ties;
	struct evl_seat conversion;
	struct evl_ties conversion_ties;
};

struct pair {
	struct evl_core core;
	uint32_t held[EVLOCK_MAX_MODES];	/* evl_core_held() */
	uint32_t recount[EVLOCK_MAX_MODES];	/* what was given and not yet given back */
	struct evl_link *free;			/* evl_core.free: actors' seats, during a step */
	struct pair_actor actor[PAIR_ACTORS];
	struct model model;
};

enum pair_kind {
	PAIR_ACQUIRE,
	PAIR_NOWAIT,
	PAIR_END,		/* release or withdraw */
	PAIR_EXPIRE,
	PAIR_CONVERT,
	PAIR_CONVERT_NOWAIT,
	PAIR_EXPIRE_CONVERSION,
	PAIR_DISMISS		/* nobody waits any more */
};

struct pair_op {
	uint8_t kind;
	uint8_t who;
	uint8_t mode;
	uint8_t priority;
	uint32_t units;
};

/* What there is to choose from. */
struct pair_menu {
	const struct evlock_modes *modes;	/* NULL: the standard ones */
	int prefers_last;
	unsigned n_actors;
	unsigned n_units;			/* 1 to so many */
	unsigned n_priorities;
};

#define PAIR_MOST_OPS 2048

void pair_init(struct pair *p, const struct pair_menu *menu);

/* Lists what can be done now.  Those who do nothing are all alike: only the first
 * of them is listed. */
unsigned pair_list(const struct pair *p, const struct pair_menu *menu, struct pair_op *ops);

void pair_step(struct pair *p, const struct pair_op *op);

/* For stories. */
void pair_print(const struct pair_op *op);

#endif
