/* SPDX-License-Identifier: BSD-3-Clause */

/* See explore.h.  To continue from a state, all requests are ended, and the operations that led to
 * the state are done again. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <event2/event.h>

#include "explore.h"
#include "../must.h"

#define MOST_OPS	24	/* in a sequence, without those for the loop */

/* A state, and how it came about. */
struct node {
	uint8_t n;
	struct pair_op op[MOST_OPS];
};

struct layer {
	struct node *node;
	size_t n, room;
};

static const struct pair_menu *menu;
static unsigned n_names;
static uint64_t *seen;		/* hashes of states; 0: none */
static size_t n_seen, seen_room;
static struct explored result;

static void *
need(void *ptr)
{
	MUST(ptr, "no memory");
	return ptr;
}

/* --- States ----------------------------------------------------------------- */

static void
mix(uint64_t *hash, uint64_t value)
{
	*hash = (*hash ^ value) * 0x9e3779b97f4a7c15u;
	*hash ^= *hash >> 29;
}

/* Other numbers for owners and locks, under which a state may equal another. */
struct names {
	uint8_t owner[3], lock[3];
};

/* Waiting requests are sorted by their order, holders by what they hold. */
static uint64_t
sort_key(unsigned who, const struct names *names)
{
	const struct model_request *r = &pair_model.request[who];

	if (r->state == MODEL_WAITING)
		return (uint64_t)1 << 62 | r->arrival;
	return names->lock[r->lock] | (uint64_t)names->owner[r->owner] << 4 |
	    (uint64_t)r->conversion << 8 | (uint64_t)r->conversion_mode << 12 |
	    (uint64_t)r->seat[0].mode << 20 | (uint64_t)r->seat[0].units << 28 |
	    (uint64_t)r->conversion_arrival << 40;
}

/* The requests that are not gone, in an order that does not depend on their numbers. */
static unsigned
sort(uint8_t *sorted, const struct names *names)
{
	uint64_t key[MODEL_REQUESTS];
	unsigned who, i, n = 0;

	for (who = 0; who < pair_model.n_requests; who++) {
		if (pair_model.request[who].state == MODEL_GONE)
			continue;
		key[who] = sort_key(who, names);
		for (i = n++; i > 0 && key[sorted[i - 1]] > key[who]; i--)
			sorted[i] = sorted[i - 1];
		sorted[i] = (uint8_t)who;
	}
	return n;
}

static unsigned
outcome_of(unsigned who, int is_conversion)
{
	unsigned i;

	for (i = 0; i < pair_model.n_outcomes; i++)
		if (pair_model.outcome[i].who == who &&
		    pair_model.outcome[i].is_conversion == is_conversion)
			return i + 1;
	return 0;
}

/* Returns how many waiting conversions arrived earlier. */
static unsigned
rank_among_conversions(unsigned arrival)
{
	unsigned who, rank = 0;

	for (who = 0; who < pair_model.n_requests; who++)
		rank += pair_model.request[who].conversion == MODEL_WAITING &&
		    pair_model.request[who].conversion_arrival < arrival;
	return rank;
}

static void
mix_request(uint64_t *hash, unsigned who, const struct names *names)
{
	const struct model_request *r = &pair_model.request[who];
	int waits = r->state == MODEL_WAITING, converts = r->conversion == MODEL_WAITING;
	uint64_t modes = 0;
	unsigned i;

	for (i = 0; i < r->n_seats; i++)
		modes |= (uint64_t)r->seat[i].mode << (5 * names->lock[r->seat[i].lock]);
	mix(hash, r->state | (uint64_t)names->owner[r->owner] << 4 |
	    (uint64_t)names->lock[r->lock] << 8 | (uint64_t)r->conversion << 12 |
	    (uint64_t)(converts ? 1 + rank_among_conversions(r->conversion_arrival) : 0) << 16 |
	    (uint64_t)(r->is_ahead ? 1 + rank_among_conversions(r->arrival) : 0) << 20 |
	    (uint64_t)outcome_of(who, 0) << 24 | (uint64_t)outcome_of(who, 1) << 32 |
	    (uint64_t)(waits ? r->priority : 0) << 40 | (uint64_t)r->seat[0].units << 44 |
	    (uint64_t)r->conversion_mode << 56);
	mix(hash, modes);
}

static uint64_t
hash_as(const struct names *names)
{
	uint8_t sorted[MODEL_REQUESTS];
	unsigned i, n = sort(sorted, names);
	uint64_t hash = 0x243f6a8885a308d3u + n, shapes = 0;

	for (i = 0; i < n; i++)
		mix_request(&hash, sorted[i], names);
	for (i = 0; i < pair_model.n_locks; i++)
		shapes |= pair_shape(i) << (20 * names->lock[i]);
	mix(&hash, shapes);
	return hash ? hash : 1;
}

/* Returns the least hash under all names. */
static uint64_t
hash_state(void)
{
	static const struct names names[] = {
		{ { 0, 1, 2 }, { 0, 1, 2 } }, { { 0, 2, 1 }, { 0, 1, 2 } },
		{ { 0, 1, 2 }, { 1, 0, 2 } }, { { 0, 2, 1 }, { 1, 0, 2 } }
	};
	uint64_t least = hash_as(&names[0]);
	unsigned i;

	for (i = 1; i < n_names; i++) {
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
	seen = need(calloc(seen_room, sizeof *seen));
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
		layer->node = need(realloc(layer->node, layer->room * sizeof *layer->node));
	}
	return &layer->node[layer->n++];
}

/* --- Exploring -------------------------------------------------------------- */

static const struct pair_op loop_op = { .kind = PAIR_LOOP };

/* Does `op`, and then runs the loop if a callback is due, by `how`. */
static void
take(const struct pair_op *op, void (*how)(const struct pair_op *))
{
	how(op);
	if (!(menu->outside & PAIR_BIT(PAIR_LOOP)) && pair_is_due())
		how(&loop_op);
}

static void
replay(const struct node *node)
{
	unsigned i;

	pair_clear();
	for (i = 0; i < node->n; i++)
		take(&node->op[i], pair_repeat);
}

static uint64_t
try(const struct pair_op *op)
{
	take(op, pair_step);
	result.steps++;
	return hash_state();
}

/* Ends the request that `op` made.  Returns whether that leads back to the state before. */
static int
is_undone(const struct pair_op *op, uint64_t before)
{
	struct pair_op end = { .kind = PAIR_END, .who = op->who };

	if (op->kind > PAIR_REQUEST_NOWAIT || !pair_is_possible(&end))
		return 0;
	return try(&end) == before;
}

/* Tries every operation in a state, and puts new states into `next` unless this is the last
 * layer. */
static void
expand(const struct node *node, struct layer *next, int is_last)
{
	static struct pair_op ops[PAIR_MOST_OPS];
	uint64_t before, after;
	unsigned i, n;
	int is_there = 1;

	replay(node);
	before = hash_state();
	n = pair_list(menu, menu->outside, ops);
	for (i = 0; i < n; i++) {
		if (!is_there)
			replay(node);
		after = try(&ops[i]);
		is_there = after == before;
		if (!is_there && !is_last && !pair_is_unsure() && is_new(after)) {
			struct node *new = add_node(next);

			MUST(node->n < MOST_OPS, "a long way");
			*new = *node;
			new->op[new->n++] = ops[i];
		}
		is_there = is_there || is_undone(&ops[i], before);
	}
}

static void
explore_layers(unsigned depth)
{
	struct layer now = { NULL, 0, 0 }, next;
	unsigned n;
	size_t i;

	memset(add_node(&now), 0, sizeof *now.node);
	(void)is_new(hash_state());
	for (n = 0; now.n && (!depth || n < depth); n++) {
		memset(&next, 0, sizeof next);
		for (i = 0; i < now.n; i++)
			expand(&now.node[i], &next, n + 1 == depth);
		free(now.node);
		now = next;
		if (now.n)
			result.depth = n + 1;
	}
	free(now.node);
}

struct explored
explore(const struct pair_menu *menu_, unsigned depth, int is_symmetric)
{
	struct event_base *base = event_base_new();

	menu = menu_;
	n_names = is_symmetric ? 4 : menu->n_owners ? 2 : 1;
	seen = NULL;
	n_seen = seen_room = 0;
	memset(&result, 0, sizeof result);
	pair_begin(base, menu, NULL);
	explore_layers(depth);
	pair_clear();
	pair_finish();
	event_base_free(base);
	result.states = n_seen;
	free(seen);
	return result;
}
