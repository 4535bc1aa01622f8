/* SPDX-License-Identifier: BSD-3-Clause */

/* Operations that acquire. */

#include <limits.h>

#include "anything.h"

/* --- Arguments of requests -------------------------------------------------------- */

/* Timeouts that may expire during a round come first.  The others never do. */
static const struct timeval timeouts[] = {
	{ 0, 0 }, { 0, 0 }, { 0, 1 }, { 0, 100 }, { -1, 0 }, { 3600, 0 }, { 0, -5 }, { 1, -2000000 },
	{ 3600, 1500000 }, { LONG_MAX, 0 }, { 0, LONG_MAX }, { LONG_MAX, LONG_MAX },
};

const struct timeval *
draw_timeout(struct thread *t, unsigned base, int *is_timed)
{
	unsigned i = draw(t, sizeof timeouts / sizeof *timeouts);

	*is_timed = 0;
	if (!chance(t, 3))
		return NULL;
	if (chance(t, 16)) {
		*is_timed = 1;
		return t->common[base];
	}
	*is_timed = timeouts[i].tv_sec < 3600 && timeouts[i].tv_usec < 3600;
	return &timeouts[i];
}

/* Draws a mode of the thing, or any mode for a set. */
unsigned
draw_mode(struct thread *t, const struct thing *thing)
{
	static const unsigned standard[] = { EVLOCK_NONE, EVLOCK_SHARED, EVLOCK_SHARED,
	    EVLOCK_UPGRADABLE, EVLOCK_EXCLUSIVE, EVLOCK_EXCLUSIVE };
	static const unsigned file[] = { EVLOCK_NONE, EVLOCK_SHARED, EVLOCK_EXCLUSIVE };

	if (thing->modes == &file_modes)
		return file[draw(t, 3)];
	if (thing->modes == &standard_modes || thing->kind == SET)
		return standard[draw(t, 6)];
	return draw(t, thing->modes->n_modes);
}

static unsigned
draw_units(struct thread *t, const struct thing *thing, unsigned mode)
{
	uint32_t limit = thing->modes ? thing->modes->mode[mode].limit : 1;

	return limit && chance(t, 2) ? 1 + draw(t, limit) : 1;
}

/* Handles that a thread makes from its own pointers and uses again. */
static evlock_handle
draw_own_handle(struct thread *t, const struct request *r)
{
	static char name[THREADS][4];

	return EVLOCK_HANDLE_FROM(is_loose(r) ? (const void *)r
	    : (const void *)&name[t->number][draw(t, 4)]);
}

static void
draw_owner_of(struct thread *t, struct request *r)
{
	unsigned i;

	r->owner = draw_owner(t, r->object->is_threadsafe);
	WRITE(r->thing->has_owners, 1);
	for (i = 0; i < r->thing->n_leaves; i++)
		WRITE(r->thing->leaf[i].thing->has_owners, 1);
}

static struct evlock_request
draw_request(struct thread *t, struct request *r)
{
	struct evlock_request q = { .mode = r->mode, .units = r->units, .arg = r };

	q.timeout = draw_timeout(t, r->object->base, &r->is_timed);
	if (!chance(t, 4))
		q.cb = on_outcome;
	if (chance(t, 6))
		q.priority = draw(t, 4);
	if ((r->has_notice = chance(t, 4)))
		q.notice_cb = on_notice;
	if (chance(t, 3))
		draw_owner_of(t, r);
	if ((r->is_named = chance(t, 6)))
		q.handle = draw_own_handle(t, r);
	return q;
}

/* Makes a record for a request through `o`, for a key if `o` is a table. */
static struct request *
begin_request(struct thread *t, struct object *o, struct thing *thing)
{
	struct request *r = new_request(t, o, thing);

	if (!r)
		return NULL;
	r->mode = draw_mode(t, thing);
	r->units = 1;
	return r;
}

/* --- Locks ------------------------------------------------------------------------ */

static void
ask_plainly(struct thread *t)
{
	struct object *o = find_lock(t);
	struct request *r = o ? begin_request(t, o, o->thing) : NULL;
	const struct timeval *timeout;
	evlock_handle handle;

	if (!r)
		return;
	timeout = draw_timeout(t, o->base, &r->is_timed);
	r->is_scoped = chance(t, 2);
	begin_call(t, r->is_scoped ? "evlock_with" : "evlock_acquire");
	handle = (r->is_scoped ? evlock_with : evlock_acquire)(o->lock, r->mode, timeout,
	    on_outcome, r);
	end_call(t);
	note(r, handle, on_outcome, 0);
}

static void
ask_nowait(struct thread *t)
{
	struct object *o = find_lock(t);
	struct request *r = o ? begin_request(t, o, o->thing) : NULL;
	evlock_handle handle;

	if (!r)
		return;
	begin_call(t, "evlock_acquire_nowait");
	handle = evlock_acquire_nowait(o->lock, r->mode);
	end_call(t);
	note(r, handle, NULL, 0);
}

/* Returns 0 if another thread uses its shared owner. */
static int
with_owner(struct request *r, struct evlock_request *q)
{
	if (r->owner && !(q->owner = borrow(r->owner)))
		return 0;
	if (r->owner)
		r->generation = r->owner->generation;
	return 1;
}

static void
ask_request(struct thread *t)
{
	struct object *o = find_lock(t);
	struct request *r = o ? begin_request(t, o, o->thing) : NULL;
	struct evlock_request q;
	evlock_handle handle;

	if (!r)
		return;
	r->units = draw_units(t, o->thing, r->mode);
	q = draw_request(t, r);
	if (!with_owner(r, &q))
		return;
	begin_call(t, "evlock_acquire_request");
	handle = evlock_acquire_request(o->lock, &q);
	end_call(t);
	if (r->owner)
		give_back(r->owner);
	note(r, handle, q.cb, 0);
}

/* --- Tables ----------------------------------------------------------------------- */

static evlock_handle
ask_key_plainly(struct object *o, unsigned key, struct request *r, evlock_cb *cb)
{
	struct thread *t = r->thread;
	const struct timeval *timeout = draw_timeout(t, o->base, &r->is_timed);

	if (chance(t, 2)) {
		*cb = NULL;
		begin_call(t, "evlock_table_acquire_nowait");
		return evlock_table_acquire_nowait(o->table, &key, sizeof key, r->mode);
	}
	*cb = on_outcome;
	begin_call(t, "evlock_table_acquire");
	return evlock_table_acquire(o->table, &key, sizeof key, r->mode, timeout, on_outcome, r);
}

static void
ask_key(struct thread *t)
{
	struct object *o = find_kind(t, TABLE);
	unsigned key = draw(t, KEYS);
	struct request *r = o ? begin_request(t, o, o->key[key]) : NULL;
	evlock_handle handle;
	evlock_cb cb;

	if (!r)
		return;
	handle = ask_key_plainly(o, key, r, &cb);
	end_call(t);
	note(r, handle, cb, 0);
}

static void
ask_key_request(struct thread *t)
{
	struct object *o = find_kind(t, TABLE);
	unsigned key = draw(t, KEYS);
	struct request *r = o ? begin_request(t, o, o->key[key]) : NULL;
	struct evlock_request q;
	evlock_handle handle;

	if (!r)
		return;
	r->units = draw_units(t, r->thing, r->mode);
	q = draw_request(t, r);
	if (!with_owner(r, &q))
		return;
	begin_call(t, "evlock_table_acquire_request");
	handle = evlock_table_acquire_request(o->table, &key, sizeof key, &q);
	end_call(t);
	if (r->owner)
		give_back(r->owner);
	note(r, handle, q.cb, 0);
}

/* --- Nonsense --------------------------------------------------------------------- */

/* Makes one field of the request invalid.  Returns 0 if that would be valid for this lock. */
static int
spoil(struct thread *t, const struct thing *thing, struct evlock_request *q)
{
	switch (draw(t, 5)) {
	case 0:
		q->mode = chance(t, 2) ? thing->modes->n_modes : UINT32_MAX;
		return 1;
	case 1:
		q->priority = 4;
		return 1;
	case 2:
		q->handle = 7;
		return 1;
	case 3:
		q->units = UINT32_MAX;
		return thing->kind != SEMAPHORE && thing->modes->mode[0].limit;
	default:
		q->cb = NULL;
		return 1;
	}
}

static void
ask_badly(struct thread *t)
{
	struct object *o = find_lock(t);
	struct evlock_request q = { .cb = on_outcome };
	evlock_handle handle;

	if (!o || o->kind == SET || !spoil(t, o->thing, &q))
		return;
	begin_call(t, "evlock_acquire_request, badly");
	handle = q.cb ? evlock_acquire_request(o->lock, &q)
	    : evlock_acquire(o->lock, 0, NULL, NULL, NULL);
	end_call(t);
	MUST(!handle);
	may_fail(t, EINVAL, 0);
}

const struct operation asking[] = {
	{ "ask_plainly", 30, ask_plainly },
	{ "ask_nowait", 12, ask_nowait },
	{ "ask_request", 45, ask_request },
	{ "ask_key", 10, ask_key },
	{ "ask_key_request", 15, ask_key_request },
	{ "ask_badly", 2, ask_badly },
	{ NULL, 0, NULL }
};
