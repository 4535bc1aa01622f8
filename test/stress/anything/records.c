/* SPDX-License-Identifier: BSD-3-Clause */

/* The records of lock objects and things: finds, makes and forgets them. */

#include "anything.h"

/* --- Finding ---------------------------------------------------------------------- */

static struct object *
find_if(struct thread *t, int (*is_wanted)(const struct object *, const void *), const void *arg)
{
	unsigned i, first = t->n_objects ? draw(t, t->n_objects) : 0;

	for (i = 0; i < t->n_objects; i++) {
		struct object *o = t->object[(first + i) % t->n_objects];

		if (!o->is_dying && is_wanted(o, arg))
			return o;
	}
	return NULL;
}

static int
is_any(const struct object *o, const void *arg)
{
	(void)o;
	(void)arg;
	return 1;
}

static int
is_lock(const struct object *o, const void *arg)
{
	(void)arg;
	return o->lock != NULL;
}

static int
is_open_lock(const struct object *o, const void *arg)
{
	(void)arg;
	return o->lock && !is_closing(o->thing);
}

static int
is_of_kind(const struct object *o, const void *kind)
{
	return o->kind == *(const enum kind *)kind;
}

static int
is_twin(const struct object *o, const void *identity)
{
	unsigned i;

	for (i = 0; o->table && i < KEYS; i++)
		if (o->key[i] == identity)
			return 1;
	return o->identity == identity;
}

struct object *
find_object(struct thread *t)
{
	return find_if(t, is_any, NULL);
}

/* Prefers an object that is not closed. */
struct object *
find_lock(struct thread *t)
{
	return find_if(t, chance(t, 8) ? is_lock : is_open_lock, NULL);
}

struct object *
find_open_lock(struct thread *t)
{
	return find_if(t, is_open_lock, NULL);
}

struct object *
find_kind(struct thread *t, enum kind kind)
{
	return find_if(t, is_of_kind, &kind);
}

/* Returns an object that knows the same handles: of the same lock, or the table of a key. */
struct object *
find_twin(struct thread *t, const void *identity)
{
	return find_if(t, is_twin, identity);
}

/* --- Records ---------------------------------------------------------------------- */

static pthread_mutex_t things_mutex = PTHREAD_MUTEX_INITIALIZER;
static struct thing *things;
static struct guarded *all_guarded;
static struct thing *of_file[FILES];

struct thing *
new_thing(enum kind kind, const struct evlock_modes *modes)
{
	struct thing *thing = calloc(1, sizeof *thing);

	MUST(thing);
	thing->kind = kind;
	thing->modes = modes;
	thing->permits = PERMITS;
	pthread_mutex_lock(&things_mutex);
	thing->next = things;
	things = thing;
	pthread_mutex_unlock(&things_mutex);
	return thing;
}

struct thing *
file_thing(unsigned i)
{
	if (!of_file[i])
		of_file[i] = new_thing(FILE_LOCK, &file_modes);
	return of_file[i];
}

struct guarded *
new_guarded(void)
{
	struct guarded *guarded = calloc(1, sizeof *guarded);

	MUST(guarded);
	pthread_mutex_lock(&things_mutex);
	guarded->next = all_guarded;
	all_guarded = guarded;
	pthread_mutex_unlock(&things_mutex);
	return guarded;
}

void
on_free_value(void *value)
{
	struct guarded *guarded = value;

	MUST(__atomic_fetch_add(&guarded->n_freed, 1, __ATOMIC_RELAXED) == 0);
}

/* Called when all objects have been freed. */
void
forget_things(void)
{
	while (all_guarded) {
		struct guarded *next = all_guarded->next;

		MUST(all_guarded->n_freed == 1);
		free(all_guarded);
		all_guarded = next;
	}
	while (things) {
		struct thing *next = things->next;

		free(things);
		things = next;
	}
}

/* Adds an object record, as a copy of another or empty. */
struct object *
add_object(struct thread *t, const struct object *like)
{
	struct object *o = calloc(1, sizeof *o);

	MUST(o && t->n_objects < OBJECTS);
	if (like) {
		o->kind = like->kind;
		o->thing = like->thing;
		o->key = like->key;
		o->identity = like->identity;
		o->guarded = like->guarded;
		o->is_threadsafe = like->is_threadsafe;
	}
	o->thread = t;
	o->number = t->n_numbers++;
	o->base = draw(t, t->n_bases);
	o->next = t->made_objects;
	t->made_objects = o;
	t->object[t->n_objects++] = o;
	return o;
}

void
forget_object(struct thread *t, const struct object *o)
{
	unsigned i;

	for (i = 0; t->object[i] != o; i++)
		MUST(i < t->n_objects);
	t->object[i] = t->object[--t->n_objects];
}
