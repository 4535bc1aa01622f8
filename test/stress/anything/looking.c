/* SPDX-License-Identifier: BSD-3-Clause */

/* Operations that look at locks, and those of evlock_notify(). */

#include "anything.h"

/* --- Looking at a lock ------------------------------------------------------------ */

static void
look_at_lock(struct thread *t)
{
	struct object *o = find_lock(t);
	unsigned strongest;

	if (!o)
		return;
	begin_call(t, "evlock_locked, _held, _waiting, _get_base");
	strongest = evlock_locked(o->lock);
	(void)evlock_held(o->lock, draw(t, 6));
	(void)evlock_held(o->lock, UINT32_MAX);
	(void)evlock_waiting(o->lock);
	MUST(evlock_get_base(o->lock) == t->base[o->base]);
	end_call(t);
	if (o->thing->modes)
		MUST(strongest < o->thing->modes->n_modes);
}

/* Has the set a member with EVLOCK_SAME_MODE, or is this no set? */
static int
knows_its_mode(const struct thing *thing)
{
	unsigned i;

	for (i = 0; i < thing->n_leaves; i++)
		if (thing->leaf[i].mode == EVLOCK_SAME_MODE)
			return 1;
	return thing->kind != SET;
}

static void
check_access(const struct request *r, const struct object *o, const void *value, int is_writable)
{
	const struct evlock_modes *modes = r->thing->modes;
	enum evlock_access needed = is_writable ? EVLOCK_WRITE : EVLOCK_READ;
	int is_held = r->state == HELD && modes && modes->mode[r->mode].access >= needed;

	if (r->converter || is_loose(r) || r->thing->kind == SET)
		return;
	if (is_held)
		MUST(value == o->guarded && (!value || !READ(o->guarded->n_freed)));
	else if (r->state == HELD)
		MUST(!value);
}

static void
look_at_value(struct thread *t)
{
	struct request *r = find_request(t, chance(t, 4) ? WAITING : HELD);
	struct object *o = r ? find_twin(t, r->identity) : NULL;
	const void *value, *mut;

	if (!o || o->table)
		return;
	begin_call(t, "evlock_value");
	value = evlock_value(o->lock, r->handle);
	end_call(t);
	check_access(r, o, value, 0);
	begin_call(t, "evlock_value_mut");
	mut = evlock_value_mut(o->lock, r->handle);
	end_call(t);
	check_access(r, o, mut, 1);
}

static void
look_at_mode(struct thread *t)
{
	struct request *r = find_request(t, chance(t, 4) ? WAITING : HELD);
	struct object *o = r ? find_twin(t, r->identity) : NULL;
	int mode;

	if (!o || o->table)
		return;
	begin_call(t, "evlock_mode_of");
	mode = evlock_mode_of(o->lock, r->handle);
	end_call(t);
	trace(t, "  request %u has mode %d", r->number, mode);
	if (mode < 0)
		may_fail(t, ENOENT, 0);
	if (r->state == HELD && !r->converter && !is_loose(r) && knows_its_mode(r->thing))
		MUST(mode == (int)r->mode);
}

/* Looks at a member with a set's handle. */
static void
look_through_set(struct thread *t)
{
	struct request *r = find_request(t, HELD);
	struct object *o;
	int mode;

	if (!r || r->thing->kind != SET)
		return;
	o = r->thing->leaf[draw(t, r->thing->n_leaves)].object;
	if (o->thread != t || READ(o->is_dying))
		return;
	begin_call(t, "evlock_mode_of a member");
	mode = evlock_mode_of(o->lock, r->handle);
	(void)evlock_value(o->lock, r->handle);
	end_call(t);
	if (!is_loose(r) && !r->is_named && !READ(r->thing->is_far))
		MUST(mode >= 0);
}

static void
look_at_table(struct thread *t)
{
	struct object *o = find_kind(t, TABLE);
	struct request *r = find_request(t, chance(t, 2) ? HELD : WAITING);
	const void *key;
	size_t len = 0;

	if (!o)
		return;
	begin_call(t, "evlock_table_count, _key");
	(void)evlock_table_count(o->table);
	key = r ? evlock_table_key(o->table, r->handle, &len) : NULL;
	end_call(t);
	if (r && r->object == o && !is_loose(r))
		MUST(key && len == sizeof(unsigned));
}

static void
look_at_semaphore(struct thread *t)
{
	struct object *o = find_kind(t, SEMAPHORE);
	uint32_t available;

	if (!o)
		return;
	begin_call(t, "evlock_semaphore_available");
	available = evlock_semaphore_available(o->lock);
	end_call(t);
	MUST(available <= PERMITS);
}

static void
dump(struct thread *t)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	MUST(out);
	begin_call(t, "evlock_dump");
	evlock_dump(t->base[draw(t, t->n_bases)], out);
	end_call(t);
	MUST(fclose(out) == 0);
	free(text);
}

/* --- evlock_notify() -------------------------------------------------------------- */

static struct watcher watchers[THREADS][BASES];

static void
on_watch(evutil_socket_t fd, short what, void *arg)
{
	const struct watcher *w = arg;

	(void)fd;
	begin_event(w->thread, w->base);
	MUST(what == EV_TIMEOUT);
	operate_in_callback(w->thread);
	end_callback(w->thread);
}

void
make_events(struct thread *t, unsigned base)
{
	struct watcher *w = &watchers[t->number][base];
	static const struct timeval common = { 0, 300 };
	unsigned i;

	w->thread = t;
	w->base = base;
	for (i = 0; i < WATCHES; i++)
		t->watch[base][i] = event_new(t->base[base], -1, 0, on_watch, w);
	t->poke[base] = event_new(t->base[base], -1, 0, on_poke, w);
	t->common[base] = event_base_init_common_timeout(t->base[base], &common);
	if (base == 0)
		t->mail = event_new(t->base[0], -1, 0, on_mail, t);
}

void
free_events(struct thread *t, unsigned base)
{
	unsigned i;

	for (i = 0; i < WATCHES; i++)
		event_free(t->watch[base][i]);
	event_free(t->poke[base]);
	if (base == 0)
		event_free(t->mail);
}

/* Only the first base of a thread lasts to the end, so other threads may use only its events. */
static struct event *
draw_watch(struct thread *t)
{
	struct thread *whose = chance(t, 3) ? &thread[draw(t, plan.n_threads)] : t;
	unsigned base = whose == t ? draw(t, t->n_bases) : 0;

	return whose->watch[base][draw(t, WATCHES)];
}

static void
notify(struct thread *t)
{
	struct object *o = find_lock(t);
	int result;

	if (!o)
		return;
	begin_call(t, "evlock_notify");
	result = evlock_notify(o->lock, draw_mode(t, o->thing), draw_watch(t));
	end_call(t);
	if (result < 0)
		may_fail(t, EEXIST, o->kind == SET ? EINVAL : EEXIST, 0);
}

static void
unnotify(struct thread *t)
{
	struct object *o = find_lock(t);
	int result;

	if (!o)
		return;
	begin_call(t, "evlock_unnotify");
	result = evlock_unnotify(o->lock, draw_watch(t));
	end_call(t);
	if (result < 0)
		may_fail(t, ENOENT, 0);
}

/* The lock that a callback of a table gets can be neither watched nor put into a set. */
static void
use_key_lock(struct thread *t)
{
	struct request *r = find_request(t, HELD);
	struct evlock_set_member member;

	if (!r || is_loose(r) || !r->object->table || !r->key_lock || r->object->is_dying)
		return;
	begin_call(t, "evlock_notify of a key");
	MUST(evlock_notify(r->key_lock, draw_mode(t, r->thing), t->watch[0][0]) == -1);
	MUST(errno == ENOTSUP);
	member.lock = r->key_lock;
	member.mode = EVLOCK_SAME_MODE;
	MUST(!evlock_set_new(&member, 1, NULL) && errno == EINVAL);
	MUST(r->converter || evlock_mode_of(r->key_lock, r->handle) == (int)r->mode);
	end_call(t);
}

const struct operation looking[] = {
	{ "look_at_lock", 6, look_at_lock },
	{ "look_at_value", 4, look_at_value },
	{ "look_at_mode", 4, look_at_mode },
	{ "look_through_set", 4, look_through_set },
	{ "look_at_table", 3, look_at_table },
	{ "look_at_semaphore", 2, look_at_semaphore },
	{ "dump", 2, dump },
	{ "notify", 8, notify },
	{ "unnotify", 4, unnotify },
	{ "use_key_lock", 2, use_key_lock },
	{ NULL, 0, NULL }
};
