/* SPDX-License-Identifier: BSD-3-Clause */

/* Operations that free, share and close lock objects. */

#include "anything.h"

/* --- Freeing ---------------------------------------------------------------------- */

/* Sets of this thread lose their member `o`. */
static void
lose_leaf(struct thread *t, const struct object *o)
{
	unsigned i, j;

	for (i = 0; i < t->n_live; i++)
		for (j = 0; j < t->live[i]->thing->n_leaves; j++)
			if (t->live[i]->thing->leaf[j].object == o)
				lose(t->live[i], j);
}

static void
doom(struct thread *t, const struct object *o)
{
	unsigned i;

	for (i = 0; i < t->n_live; i++) {
		struct request *r = t->live[i];

		if (r->object != o || r->state != HELD || r->is_given)
			continue;
		leave(r);
		r->is_doomed = 1;
	}
}

/* Requests that waited through `o` were called back inside evlock_free().  Holds have ended
 * without a callback. */
static void
bury(struct thread *t, const struct object *o)
{
	unsigned i;

	for (i = t->n_live; i-- > 0; ) {
		struct request *r = t->live[i];

		if (r->converter && (r->converter == o || r->object == o)) {
			MUST(r->converter != o || is_loose(r) || r->is_doomed);
			r->converter = NULL;
			enter(r);
		}
		if (r->object != o)
			continue;
		if (r->is_given) {
			r->is_cut = 1;
			continue;
		}
		MUST(r->is_doomed || is_loose(r));
		end_request(r);
	}
}

/* Do other threads use it, or will they? */
static int
is_pinned(struct object *o)
{
	int is;

	pthread_mutex_lock(&tray_mutex);
	is = o->n_pins > 0;
	pthread_mutex_unlock(&tray_mutex);
	return is;
}

/* A thread that may have taken permits away gives them back before it rests or ends, because no
 * other thread is sure to do so. */
static void
give_permits_of(struct thread *t, const struct object *o)
{
	if (o->kind != SEMAPHORE)
		return;
	begin_call(t, "evlock_semaphore_resize");
	MUST(evlock_semaphore_resize(o->lock, PERMITS) == 0);
	end_call(t);
}

void
give_permits(struct thread *t)
{
	unsigned i;

	for (i = 0; i < t->n_objects; i++)
		give_permits_of(t, t->object[i]);
}

int
free_object(struct thread *t, struct object *o)
{
	hide(o);
	if (is_pinned(o))
		return 0;
	give_permits_of(t, o);
	WRITE(o->is_dying, 1);
	lose_leaf(t, o);
	doom(t, o);
	begin_free(t, o);
	if (o->table)
		evlock_table_free(o->table);
	else
		evlock_free(o->lock);
	end_free(t);
	bury(t, o);
	forget_object(t, o);
	return 1;
}

void
free_all_objects(struct thread *t)
{
	while (t->n_objects)
		free_object(t, t->object[draw(t, t->n_objects)]);
}

void
free_one(struct thread *t)
{
	struct object *o = find_object(t);

	if (o)
		free_object(t, o);
}

/* --- Sharing, closing, semaphores ------------------------------------------------- */

/* Forgets what is held through a set that other threads use: the set may lose a member at any
 * time. */
void
make_far(struct thread *t, struct thing *set)
{
	unsigned i;

	if (set->kind != SET)
		return;
	for (i = 0; i < t->n_live; i++)
		if (t->live[i]->thing == set)
			leave(t->live[i]);
	WRITE(set->is_far, 1);
}

static void
share(struct thread *t)
{
	struct object *from = t->n_objects < OBJECTS ? find_object(t) : NULL, *o;

	if (!from)
		return;
	if (from->lock)
		make_far(t, from->thing);
	o = add_object(t, from);
	trace(t, "  object %u is to be object %u", from->number, o->number);
	begin_call(t, "evlock_share");
	if (from->table)
		o->table = evlock_table_share(from->table, t->base[o->base]);
	else
		o->lock = evlock_share(from->lock, t->base[o->base]);
	end_call(t);
	if (o->lock || o->table) {
		MUST(o->is_threadsafe && plan.is_threaded);
		return;
	}
	forget_object(t, o);
	may_fail(t, o->is_threadsafe ? ENOTSUP : EINVAL, plan.is_threaded ? EINVAL : ENOTSUP, 0);
}

static void
close_one(struct thread *t)
{
	struct object *o = find_lock(t);

	if (!o || ((o->kind == FILE_LOCK || o->kind == KEY) && !chance(t, 8)))
		return;
	WRITE(o->thing->is_closing, 1);
	trace(t, "  object %u", o->number);
	begin_call(t, "evlock_close");
	evlock_close(o->lock);
	end_call(t);
	WRITE(o->thing->is_closed, 1);
	if (chance(t, 2))
		free_object(t, o);
}

static void
resize(struct thread *t)
{
	struct object *o = find_lock(t);
	int result;

	if (!o)
		return;
	begin_call(t, "evlock_semaphore_resize");
	result = evlock_semaphore_resize(o->lock, draw(t, PERMITS + 1));
	end_call(t);
	MUST(result == (o->kind == SEMAPHORE ? 0 : -1));
	if (result < 0)
		may_fail(t, EINVAL, 0);
}

const struct operation freeing[] = {
	{ "free_one", 9, free_one },
	{ "share", 6, share },
	{ "close_one", 2, close_one },
	{ "resize", 5, resize },
	{ NULL, 0, NULL }
};
