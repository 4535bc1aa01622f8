/* SPDX-License-Identifier: BSD-3-Clause */

/* Every sequence of so many operations on two locks and a set of both, by two owners and
 * by nobody, beside the model of bound_model.h: five, and six at scale "large".
 *
 * States of the model stand for the sequences that lead to them: of those that lead to the
 * same one, only the first is gone on with.  Owners and the two locks are told apart by
 * what they do, not by their numbers. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <event2/event.h>

#include <evlock/set.h>

#include "../shim.h"
#include "bound_pair.h"
#include "must.h"

MUST_REPORT_BY_CRITERION

#define MOST_OPS	8	/* of a sequence, those for the loop not counted */
#define OWNERS		2
#define LOCKS		3	/* the third is the set */

/* What may be done. */
struct menu {
	unsigned kinds;		/* bit k: kind k */
	unsigned modes;
	int member_mode[2];
	int is_lazy;		/* the loop is an operation like others; else it follows each */
	unsigned depth;
};

/* A state, and how it came about. */
struct node {
	uint8_t n;
	struct bound_op op[MOST_OPS];
};

struct layer {
	struct node *node;
	size_t n, room;
};

static uint64_t *seen;		/* hashes of states; 0: none */
static size_t n_seen, seen_room;
static unsigned long n_steps, n_sequences;

/* --- States ------------------------------------------------------------------- */

static void
mix(uint64_t *hash, uint64_t value)
{
	*hash = (*hash ^ value) * 0x9e3779b97f4a7c15u;
	*hash ^= *hash >> 29;
}

/* What a state looks like under other names: names of owners, and of locks. */
struct names {
	uint8_t owner[1 + OWNERS], lock[LOCKS];
};

/* Of requests in line, what counts is who came first; of holders, who they are. */
static uint64_t
sort_key(unsigned who, const struct names *names)
{
	const struct bound_request *r = &bound_model.request[who];

	if (r->state == BOUND_WAITING)
		return (uint64_t)1 << 62 | r->arrival;
	return names->lock[r->lock] | (uint64_t)names->owner[r->owner] << 8 |
	    (uint64_t)r->conversion << 16 | (uint64_t)r->conversion_mode << 24 |
	    (uint64_t)r->seat[0].mode << 32 | (uint64_t)r->conversion_arrival << 40;
}

/* The places that are in use, in an order that does not depend on their numbers. */
static unsigned
sort(uint8_t *place, const struct names *names)
{
	uint64_t key[BOUND_REQUESTS];
	unsigned who, i, n = 0;

	for (who = 0; who < bound_model.n_requests; who++) {
		if (bound_model.request[who].state == BOUND_GONE)
			continue;
		key[who] = sort_key(who, names);
		for (i = n++; i > 0 && key[place[i - 1]] > key[who]; i--)
			place[i] = place[i - 1];
		place[i] = (uint8_t)who;
	}
	return n;
}

static unsigned
outcome_of(unsigned who, int is_conversion)
{
	unsigned i;

	for (i = 0; i < bound_model.n_outcomes; i++)
		if (bound_model.outcome[i].who == who &&
		    bound_model.outcome[i].is_conversion == is_conversion)
			return i + 1;
	return 0;
}

/* How many conversions came earlier. */
static unsigned
conversion_rank(const struct bound_request *r)
{
	unsigned who, rank = 0;

	for (who = 0; who < bound_model.n_requests; who++)
		if (bound_model.request[who].conversion == BOUND_WAITING &&
		    bound_model.request[who].conversion_arrival < r->conversion_arrival)
			rank++;
	return r->conversion == BOUND_WAITING ? 1 + rank : 0;
}

/* Those ahead of the queue came before or after each conversion. */
static unsigned
rank_among_conversions(const struct bound_request *r)
{
	unsigned who, rank = 0;

	if (!r->is_ahead)
		return 0;
	for (who = 0; who < bound_model.n_requests; who++)
		if (bound_model.request[who].conversion == BOUND_WAITING &&
		    bound_model.request[who].conversion_arrival < r->arrival)
			rank++;
	return 1 + rank;
}

static void
mix_request(uint64_t *hash, unsigned who, const struct names *names)
{
	const struct bound_request *r = &bound_model.request[who];
	uint64_t modes = 0;
	unsigned i;

	for (i = 0; i < r->n_seats; i++)
		modes |= (uint64_t)r->seat[i].mode << (4 * names->lock[r->seat[i].lock]);
	mix(hash, r->state | (uint64_t)names->owner[r->owner] << 4 |
	    (uint64_t)names->lock[r->lock] << 8 | (uint64_t)r->conversion << 12 |
	    (uint64_t)r->conversion_mode << 16 | (uint64_t)conversion_rank(r) << 20 |
	    (uint64_t)rank_among_conversions(r) << 24 | (uint64_t)outcome_of(who, 0) << 28 |
	    (uint64_t)outcome_of(who, 1) << 36 | modes << 44);
}

static uint64_t
hash_as(const struct names *names)
{
	uint8_t place[BOUND_REQUESTS];
	unsigned i, n = sort(place, names);
	uint64_t hash = 0x243f6a8885a308d3u + n;

	for (i = 0; i < n; i++)
		mix_request(&hash, place[i], names);
	return hash ? hash : 1;
}

/* The least hash under all names; it is for the two locks to be alike. */
static uint64_t
hash_state(int is_symmetric)
{
	static const struct names names[] = {
		{ { 0, 1, 2 }, { 0, 1, 2 } }, { { 0, 2, 1 }, { 0, 1, 2 } },
		{ { 0, 1, 2 }, { 1, 0, 2 } }, { { 0, 2, 1 }, { 1, 0, 2 } }
	};
	uint64_t least = hash_as(&names[0]);
	unsigned i;

	for (i = 1; i < (is_symmetric ? 4 : 2); i++) {
		uint64_t hash = hash_as(&names[i]);

		if (hash < least)
			least = hash;
	}
	return least;
}

static int is_new(uint64_t hash);

static void
grow_seen(void)
{
	uint64_t *old = seen;
	size_t i, room = seen_room;

	seen_room = room ? 2 * room : 1024;
	seen = calloc(seen_room, sizeof *seen);
	n_seen = 0;
	for (i = 0; i < room; i++)
		if (old[i])
			(void)is_new(old[i]);
	free(old);
}

static int
is_new(uint64_t hash)
{
	size_t i;

	if (2 * n_seen >= seen_room)
		grow_seen();
	for (i = hash & (seen_room - 1); seen[i]; i = (i + 1) & (seen_room - 1))
		if (seen[i] == hash)
			return 0;
	seen[i] = hash;
	n_seen++;
	return 1;
}

static struct node *
add_node(struct layer *layer)
{
	if (layer->n == layer->room) {
		layer->room = layer->room ? 2 * layer->room : 256;
		layer->node = realloc(layer->node, layer->room * sizeof *layer->node);
	}
	return &layer->node[layer->n++];
}

/* --- Operations ----------------------------------------------------------------- */

#define MOST	512

static unsigned
list_asking(const struct menu *menu, unsigned kind, struct bound_op *ops)
{
	unsigned owner, lock, mode, n = 0;

	for (owner = 0; owner <= OWNERS; owner++)
		for (lock = 0; lock < LOCKS; lock++)
			for (mode = 0; mode < 4; mode++)
				if (menu->modes >> mode & 1)
					ops[n++] = (struct bound_op){ .kind = (uint8_t)kind,
					    .who = (uint8_t)bound_place(), .owner = (uint8_t)owner,
					    .lock = (uint8_t)lock, .mode = (uint8_t)mode };
	return n;
}

static unsigned
list_converting(const struct menu *menu, unsigned kind, struct bound_op *ops)
{
	unsigned who, mode, n = 0;

	for (who = 0; who < bound_model.n_requests; who++)
		for (mode = 0; mode < 4; mode++)
			if (bound_model.request[who].state == BOUND_HOLDING
			    && menu->modes >> mode & 1)
				ops[n++] = (struct bound_op){ .kind = (uint8_t)kind,
				    .who = (uint8_t)who, .mode = (uint8_t)mode };
	return n;
}

static unsigned
list_ending(struct bound_op *ops)
{
	unsigned who, n = 0;

	for (who = 0; who < bound_model.n_requests; who++)
		if (bound_model.request[who].state != BOUND_GONE)
			ops[n++] = (struct bound_op){ .kind = BOUND_END, .who = (uint8_t)who };
	return n;
}

static unsigned
list_kind(const struct menu *menu, unsigned kind, struct bound_op *ops)
{
	unsigned i;

	switch (kind) {
	case BOUND_ACQUIRE:
	case BOUND_NOWAIT:
		return list_asking(menu, kind, ops);
	case BOUND_CONVERT:
	case BOUND_CONVERT_NOWAIT:
		return list_converting(menu, kind, ops);
	case BOUND_END:
		return list_ending(ops);
	case BOUND_RELEASE_ALL:
		for (i = 0; i < OWNERS; i++)
			ops[i] = (struct bound_op){ .kind = BOUND_RELEASE_ALL,
			    .owner = (uint8_t)(1 + i) };
		return OWNERS;
	default:
		ops[0] = (struct bound_op){ .kind = (uint8_t)kind };
		return bound_model.n_outcomes > 0;
	}
}

static unsigned
list_ops(const struct menu *menu, struct bound_op *ops)
{
	unsigned kind, n = 0;

	for (kind = 0; kind < BOUND_KINDS; kind++)
		if (menu->kinds >> kind & 1)
			n += list_kind(menu, kind, ops + n);
	return n;
}

/* --- Going through them ----------------------------------------------------------- */

static const struct bound_op loop_op = { .kind = BOUND_LOOP };

static void
replay(const struct menu *menu, const struct node *node)
{
	unsigned i;

	bound_clear();
	for (i = 0; i < node->n; i++) {
		bound_repeat(&node->op[i]);
		if (!menu->is_lazy)
			bound_repeat(&loop_op);
	}
}

static uint64_t
take(const struct menu *menu, const struct bound_op *op)
{
	bound_step(op);
	n_steps++;
	if (!menu->is_lazy)
		bound_step(&loop_op);
	return hash_state(menu->member_mode[0] == menu->member_mode[1]);
}

/* An acquisition is undone by its end, if nobody else gained or lost by it. */
static int
is_undone(const struct menu *menu, const struct bound_op *op, uint64_t before)
{
	struct bound_op end = { .kind = BOUND_END, .who = op->who };

	if (op->kind > BOUND_NOWAIT || bound_model.request[op->who].state == BOUND_GONE)
		return 0;
	return take(menu, &end) == before;
}

/* Tries all that can be done in a state; what is new goes into `next`. */
static void
expand(const struct menu *menu, const struct node *node, struct layer *next)
{
	static struct bound_op ops[MOST];
	int is_symmetric = menu->member_mode[0] == menu->member_mode[1], is_there = 1;
	uint64_t before, after;
	unsigned i, n;

	replay(menu, node);
	before = hash_state(is_symmetric);
	n = list_ops(menu, ops);
	for (i = 0; i < n; i++) {
		if (!is_there)
			replay(menu, node);
		after = take(menu, &ops[i]);
		n_sequences++;
		is_there = after == before;
		if (!is_there && node->n + 1u < menu->depth && !bound_is_unsure()
		    && is_new(after)) {
			struct node *new = add_node(next);

			*new = *node;
			new->op[new->n++] = ops[i];
		}
		is_there = is_there || is_undone(menu, &ops[i], before);
	}
}

static void
plan_locks(struct bound_model *plan, const struct menu *menu)
{
	unsigned i, set;

	bound_init(plan, menu->depth);
	bound_add_lock(plan, &bound_standard_modes);
	bound_add_lock(plan, &bound_standard_modes);
	set = bound_add_set(plan);
	for (i = 0; i < 2; i++)
		bound_add_member(plan, set, i, menu->member_mode[i]);
}

static void
explore_layers(const struct menu *menu)
{
	struct layer now = { NULL, 0, 0 }, next;
	unsigned depth;
	size_t i;

	memset(add_node(&now), 0, sizeof *now.node);
	for (depth = 1; depth <= menu->depth; depth++) {
		memset(&next, 0, sizeof next);
		for (i = 0; i < now.n; i++)
			expand(menu, &now.node[i], &next);
		free(now.node);
		now = next;
		fprintf(stderr, "# %u operations: %lu continuations, %zu states\n", depth,
		    n_sequences, n_seen);
	}
	free(now.node);
}

static void
explore(struct menu menu)
{
	struct event_base *base = event_base_new();
	struct bound_model plan;

	must_report = report;
	menu.depth = menu.depth + (unsigned)must_size() - 2;	/* that at scale "large" */
	plan_locks(&plan, &menu);
	bound_begin(base, &plan);
	explore_layers(&menu);
	bound_clear();
	bound_finish();
	event_base_free(base);
	free(seen);
	bound_print_counts();
	cr_assert(n_steps > 1000, "%lu", n_steps);
}

#define B(kind) (1u << BOUND_##kind)
#define MODE(mode) (1u << EVLOCK_##mode)

Test(bound_exhaustive, shared_and_exclusive, .timeout = 1200)
{
	explore((struct menu){ .kinds = B(ACQUIRE) | B(END) | B(CONVERT) | B(RELEASE_ALL),
	    .modes = MODE(SHARED) | MODE(EXCLUSIVE),
	    .member_mode = { EVLOCK_SAME_MODE, EVLOCK_SAME_MODE }, .depth = 6 });
}

Test(bound_exhaustive, now_or_not_at_all, .timeout = 1200)
{
	explore((struct menu){ .kinds = B(ACQUIRE) | B(NOWAIT) | B(END) | B(CONVERT_NOWAIT),
	    .modes = MODE(SHARED) | MODE(EXCLUSIVE),
	    .member_mode = { EVLOCK_SAME_MODE, EVLOCK_SAME_MODE }, .depth = 5 });
}

Test(bound_exhaustive, modes_of_their_own, .timeout = 1200)
{
	explore((struct menu){
	    .kinds = B(ACQUIRE) | B(NOWAIT) | B(END) | B(CONVERT) | B(RELEASE_ALL),
	    .modes = MODE(SHARED) | MODE(EXCLUSIVE),
	    .member_mode = { EVLOCK_SAME_MODE, EVLOCK_SHARED }, .depth = 5 });
}

Test(bound_exhaustive, told_later, .timeout = 1200)
{
	explore((struct menu){ .kinds = B(ACQUIRE) | B(END) | B(CONVERT) | B(CONVERT_NOWAIT) |
	    B(RELEASE_ALL) | B(LOOP), .modes = MODE(SHARED) | MODE(EXCLUSIVE), .is_lazy = 1,
	    .member_mode = { EVLOCK_SAME_MODE, EVLOCK_SAME_MODE }, .depth = 5 });
}

Test(bound_exhaustive, all_modes, .timeout = 1200)
{
	explore((struct menu){ .kinds = B(ACQUIRE) | B(END) | B(CONVERT) | B(CONVERT_NOWAIT),
	    .modes = 0xf, .member_mode = { EVLOCK_SAME_MODE, EVLOCK_SAME_MODE }, .depth = 4 });
}
