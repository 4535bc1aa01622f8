/* SPDX-License-Identifier: BSD-3-Clause */

/* Operations that make lock objects. */

#include "anything.h"

/* --- Making: plain, custom, semaphores, files ------------------------------------- */

static struct evlock_options
draw_options(struct thread *t, struct object *o)
{
	static const char *const name[] = { NULL, "", "a lock", "new\nline \x1b[1m \xff" };
	struct evlock_options options = { .name = name[draw(t, 4)] };

	o->guarded = new_guarded();
	o->identity = o->guarded;
	options.value = o->guarded;
	options.free_value = on_free_value;
	o->is_threadsafe = draw(t, plan.n_threads + 1) > 0;
	options.flags = o->is_threadsafe ? EVLOCK_OPT_THREADSAFE : 0;
	options.flags |= chance(t, 4) ? EVLOCK_OPT_PREFER_EXCLUSIVE : 0;
	return options;
}

static int
make_plain(struct thread *t, struct object *o)
{
	struct evlock_options options = draw_options(t, o);

	o->kind = PLAIN;
	o->thing = new_thing(PLAIN, &standard_modes);
	begin_call(t, "evlock_new");
	o->lock = evlock_new(t->base[o->base], &options);
	end_call(t);
	return o->lock ? 0 : -1;
}

static int
make_custom(struct thread *t, struct object *o)
{
	struct evlock_options options = draw_options(t, o);

	options.modes = custom_modes[draw(t, n_custom_modes)];
	o->kind = CUSTOM;
	o->thing = new_thing(CUSTOM, options.modes);
	begin_call(t, "evlock_new, with modes");
	o->lock = evlock_new(t->base[o->base], &options);
	end_call(t);
	return o->lock ? 0 : -1;
}

static int
make_semaphore(struct thread *t, struct object *o)
{
	struct evlock_options options = draw_options(t, o);

	o->kind = SEMAPHORE;
	o->thing = new_thing(SEMAPHORE, &semaphore_modes);
	begin_call(t, "evlock_semaphore_new");
	o->lock = evlock_semaphore_new(t->base[o->base], draw(t, PERMITS + 1), &options);
	end_call(t);
	return o->lock ? 0 : -1;
}

void
file_path(unsigned i, char *path, size_t size)
{
	snprintf(path, size, "%s/%u", folder, i);
}

/* A file is locked only by fcntl(), or only by flock(), during a round. */
int
file_flags(unsigned i)
{
	return plan.seed >> (8 + i) & 1 ? (int)EVLOCK_FILE_FLOCK : 0;
}

static int
make_file(struct thread *t, struct object *o)
{
	struct evlock_options options = draw_options(t, o);
	unsigned i = draw(t, FILES);
	char path[200];

	file_path(i, path, sizeof path);
	o->kind = FILE_LOCK;
	o->thing = file_thing(i);
	o->is_threadsafe = 1;
	options.flags |= (unsigned)file_flags(i) | (chance(t, 4) ? EVLOCK_FILE_MKDIR : 0);
	begin_call(t, "evlock_file_new");
	o->lock = evlock_file_new(t->base[o->base], path, &options);
	end_call(t);
	return o->lock ? 0 : -1;
}

/* --- Making: tables, keys, sets --------------------------------------------------- */

static int
make_table(struct thread *t, struct object *o)
{
	struct evlock_options options = draw_options(t, o);
	const struct evlock_modes *modes = chance(t, 3) ? custom_modes[draw(t, n_custom_modes)]
	    : NULL;
	unsigned i;

	on_free_value(o->guarded);	/* a table has none */
	options.value = NULL;
	options.free_value = NULL;
	options.modes = modes;
	o->guarded = NULL;
	o->kind = TABLE;
	o->key = new_thing(TABLE, NULL)->key;
	o->identity = o->key;
	for (i = 0; i < KEYS; i++)
		o->key[i] = new_thing(KEY, modes ? modes : &standard_modes);
	begin_call(t, "evlock_table_new");
	o->table = evlock_table_new(t->base[o->base], &options);
	end_call(t);
	return o->table ? 0 : -1;
}

static int
make_key(struct thread *t, struct object *o)
{
	struct object *table = find_kind(t, TABLE);
	unsigned key = draw(t, KEYS);

	if (!table)
		return -1;
	o->kind = KEY;
	o->base = table->base;
	o->thing = table->key[key];
	o->identity = o->thing;
	o->is_threadsafe = table->is_threadsafe;
	begin_call(t, "evlock_table_lock");
	o->lock = evlock_table_lock(table->table, &key, sizeof key);
	end_call(t);
	return o->lock ? 0 : -1;
}

static void
add_leaf(struct thing *set, struct thing *thing, struct object *o, int mode)
{
	set->leaf[set->n_leaves++] = (struct leaf){ thing, o, mode };
	if (o->thread != set->maker)
		WRITE(set->is_far, 1);
}

/* Returns 0 if there are too many already. */
static int
add_leaves(struct thing *set, struct object *o, int mode)
{
	unsigned i, n = o->kind == SET ? o->thing->n_leaves : 1;

	if (set->n_leaves + n > LEAVES || set->n_parts == LEAVES)
		return 0;
	if (o->kind != SET) {
		add_leaf(set, o->thing, o, mode);
		return 1;
	}
	set->part[set->n_parts++] = o;
	if (READ(o->thing->is_far))
		WRITE(set->is_far, 1);
	for (i = 0; i < n; i++) {
		const struct leaf *leaf = &o->thing->leaf[i];

		add_leaf(set, leaf->thing, leaf->object,
		    leaf->mode == EVLOCK_SAME_MODE ? mode : leaf->mode);
	}
	return 1;
}

static int
has_twins(const struct thing *set)
{
	unsigned i, j;

	for (i = 0; i < set->n_leaves; i++)
		for (j = 0; j < i; j++)
			if (set->leaf[i].thing == set->leaf[j].thing &&
			    set->leaf[i].thing->kind != FILE_LOCK)
				return 1;
	return 0;
}

/* Chooses one or a few members.  Returns their number. */
static unsigned
draw_members(struct thread *t, struct object *set, struct evlock_set_member *member, unsigned most)
{
	unsigned n = 0;

	while (n < most && !(n && chance(t, 3))) {
		struct object *o = find_open_lock(t);
		int is_same = chance(t, 2);

		if (!o || (n && (o->base != set->base ||
		    o->is_threadsafe != set->is_threadsafe)))
			break;
		member[n].lock = o->lock;
		trace(t, "  member: object %u", o->number);
		member[n].mode = is_same ? EVLOCK_SAME_MODE : (int)draw_mode(t, o->thing);
		if (!add_leaves(set->thing, o, member[n].mode))
			break;
		set->base = o->base;
		set->is_threadsafe = o->is_threadsafe;
		n++;
	}
	return n;
}

static int
make_set(struct thread *t, struct object *o)
{
	struct evlock_options options = { .name = "a set" };
	struct evlock_set_member member[5];
	unsigned n;

	o->kind = SET;
	o->thing = new_thing(SET, NULL);
	o->thing->maker = t;
	o->identity = o->thing;
	n = draw_members(t, o, member, 5);
	if (!n)
		return -1;
	begin_call(t, "evlock_set_new");
	o->lock = evlock_set_new(member, n, chance(t, 2) ? &options : NULL);
	end_call(t);
	if (o->lock)
		MUST(!has_twins(o->thing));
	else
		may_fail(t, EINVAL, 0);
	return o->lock ? 0 : -1;
}

/* --- Making an object ------------------------------------------------------------- */

/* The call that makes the object has failed. */
static void
give_object_up(struct thread *t, struct object *o)
{
	forget_object(t, o);
	if (o->guarded)
		WRITE(o->guarded->n_freed, 1);	/* no object would free it */
}

typedef int make(struct thread *t, struct object *o);

static void
make_by(struct thread *t, make *how)
{
	struct object *o = add_object(t, NULL);

	if (how(t, o) == 0) {
		trace(t, "  object %u of kind %d", o->number, (int)o->kind);
		return;
	}
	if (o->thing && o->kind != SET)
		may_fail(t, o->kind == FILE_LOCK && !plan.is_threaded ? ENOTSUP : 0, 0);
	give_object_up(t, o);
}

static void
make_one(struct thread *t)
{
	static make *const how[] = { make_plain, make_plain, make_custom, make_semaphore, make_file,
	    make_table, make_key, make_key, make_set, make_set, make_set };

	if (t->n_objects < OBJECTS)
		make_by(t, how[draw(t, sizeof how / sizeof *how)]);
	else
		free_one(t);
}

/* The objects that all threads share. */
void
make_common_objects(struct thread *t)
{
	static make *const how[] = { make_plain, make_plain, make_custom, make_semaphore, make_file,
	    make_table };
	unsigned i;

	for (i = 0; i < sizeof how / sizeof *how; i++)
		make_by(t, how[i]);
	for (i = 0; i < t->n_objects; i++)
		if (t->object[i]->is_threadsafe)
			show(t->object[i]);
}

const struct operation making[] = {
	{ "make_one", 14, make_one },
	{ NULL, 0, NULL }
};
