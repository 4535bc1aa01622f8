/* SPDX-License-Identifier: BSD-3-Clause */

/* See explore.h.  States are kept as copies of the pair, which goes back to its place
 * before it goes on, as there are pointers in it. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "explore.h"
#include "must.h"

static struct pair pair;	/* the only one that is stepped */

static void *
need(void *ptr)
{
	MUST(ptr, "no memory");
	return ptr;
}

/* --- What tells states apart -------------------------------------------------- */

struct digest {
	uint64_t a, b;
};

/* The time of arrival matters as an order only. */
static void
renumber(struct model *m)
{
	unsigned who, arrival = 0, next = 0;

	for (; arrival < m->next_arrival; arrival++)
		for (who = 0; who < PAIR_ACTORS; who++) {
			struct model_request *r = &m->request[who];

			if (r->state == MODEL_WAITING && r->arrival == arrival)
				r->arrival = next++;
			else if (r->conversion.state == MODEL_WAITING
			    && r->conversion.arrival == arrival)
				r->conversion.arrival = next++;
		}
	m->next_arrival = next;
	for (who = 0; who < PAIR_ACTORS; who++)
		if (m->request[who].state != MODEL_WAITING)
			m->request[who].arrival = 0;
	memset(m->outcome, 0, sizeof m->outcome);	/* all of them were told */
}

static struct digest
digest_of(const struct pair *p)
{
	struct digest d = { 0x9e3779b97f4a7c15u, 0xc2b2ae3d27d4eb4fu };
	const char *bytes = (const char *)p;
	uint64_t word;
	size_t i;

	for (i = 0; i + sizeof word <= sizeof *p; i += sizeof word) {
		memcpy(&word, bytes + i, sizeof word);
		d.a = (d.a ^ word) * 0xff51afd7ed558ccdu;
		d.a ^= d.a >> 32;
		d.b = (d.b + word) * 0xc4ceb9fe1a85ec53u;
		d.b ^= d.b >> 29;
	}
	return d;
}

/* --- The states that were found ------------------------------------------------- */

/* How a state came about, for stories. */
struct node {
	struct digest digest;
	uint32_t parent;
	uint32_t depth;
	struct pair_op op;
};

static struct {
	struct node *node;
	uint32_t n, room;
	uint32_t *slot;		/* a hash table of node numbers; 0: none */
	uint32_t n_slots;	/* a power of two */
} found;

static uint32_t *
slot_of(const struct digest *d)
{
	uint32_t i = (uint32_t)d->a & (found.n_slots - 1);

	while (found.slot[i] && memcmp(&found.node[found.slot[i]].digest, d, sizeof *d))
		i = (i + 1) & (found.n_slots - 1);
	return &found.slot[i];
}

static void
grow(void)
{
	uint32_t i;

	found.room = found.room ? 2 * found.room : 1024;
	found.n_slots = 4 * found.room;
	found.node = need(realloc(found.node, found.room * sizeof *found.node));
	free(found.slot);
	found.slot = need(calloc(found.n_slots, sizeof *found.slot));
	for (i = 1; i < found.n; i++)
		*slot_of(&found.node[i].digest) = i;
}

/* Returns its number, or 0 if it is known already. */
static uint32_t
note(const struct pair *p, uint32_t parent, const struct pair_op *op)
{
	struct digest d = digest_of(p);
	struct node *node;
	uint32_t *slot;

	if (found.n >= found.room)
		grow();
	slot = slot_of(&d);
	if (*slot)
		return 0;
	*slot = found.n;
	node = &found.node[found.n];
	node->digest = d;
	node->parent = parent;
	node->depth = parent ? found.node[parent].depth + 1 : 0;
	node->op = *op;
	return found.n++;
}

/* --- Those to go on from ---------------------------------------------------------- */

struct waiting {
	struct waiting *next;
	uint32_t node;
	struct pair pair;
};

static struct waiting *first, **last = &first;

static void
put(uint32_t node)
{
	struct waiting *w = need(malloc(sizeof *w));

	w->next = NULL;
	w->node = node;
	w->pair = pair;
	*last = w;
	last = &w->next;
}

static struct waiting *
get(void)
{
	struct waiting *w = first;

	if (w && !(first = w->next))
		last = &first;
	return w;
}

/* --- Any length ------------------------------------------------------------------- */

static struct {
	uint32_t node;
	struct pair_op op;
} now;

static void
print_path(uint32_t node)
{
	if (!found.node[node].parent)
		return;
	print_path(found.node[node].parent);
	pair_print(&found.node[node].op);
}

static void
tell_path(void)
{
	print_path(now.node);
	pair_print(&now.op);
}

/* Every operation on one state. */
static unsigned
expand(const struct pair_menu *menu, const struct waiting *w)
{
	static struct pair_op ops[PAIR_MOST_OPS];
	unsigned n = pair_list(&w->pair, menu, ops), i;
	uint32_t node;

	now.node = w->node;
	for (i = 0; i < n; i++) {
		pair = w->pair;
		now.op = ops[i];
		pair_step(&pair, &ops[i]);
		renumber(&pair.model);
		if ((node = note(&pair, w->node, &ops[i])))
			put(node);
	}
	return n;
}

static void
begin(const struct pair_menu *menu)
{
	static const struct pair_op none;

	memset(&found, 0, sizeof found);
	found.n = 1;	/* 0 is nobody */
	must_tell_story = tell_path;
	pair_init(&pair, menu);
	put(note(&pair, 0, &none));
}

struct explored
explore_states(const struct pair_menu *menu)
{
	struct explored e = { 0, 0, 0 };
	struct waiting *w;

	begin(menu);
	while ((w = get())) {
		e.steps += expand(menu, w);
		free(w);
	}
	e.states = found.n - 1;
	e.depth = found.node[found.n - 1].depth;
	free(found.node);
	free(found.slot);
	must_tell_story = NULL;
	return e;
}

/* --- Each by itself ---------------------------------------------------------------- */

static struct pair_op path[64];
static unsigned path_length;

static void
tell_sequence(void)
{
	unsigned i;

	for (i = 0; i < path_length; i++)
		pair_print(&path[i]);
}

static void
descend(const struct pair_menu *menu, unsigned depth, struct explored *e)
{
	struct pair_op ops[256];
	unsigned n = depth ? pair_list(&pair, menu, ops) : 0, i;
	struct pair here = pair;

	for (i = 0; i < n; i++) {
		path[path_length++] = ops[i];
		pair_step(&pair, &ops[i]);
		renumber(&pair.model);
		e->steps++;
		if (memcmp(&pair, &here, sizeof pair))
			descend(menu, depth - 1, e);
		pair = here;
		path_length--;
	}
}

struct explored
explore_sequences(const struct pair_menu *menu, unsigned depth)
{
	struct explored e = { 0, 0, depth };

	path_length = 0;
	must_tell_story = tell_sequence;
	pair_init(&pair, menu);
	descend(menu, depth, &e);
	must_tell_story = NULL;
	return e;
}
