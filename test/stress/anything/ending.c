/* SPDX-License-Identifier: BSD-3-Clause */

/* Operations that release, convert, and end owners. */

#include "anything.h"

struct owner shared_owner[SHARED_OWNERS];

/* --- Releasing -------------------------------------------------------------------- */

static void
release_held(struct thread *t)
{
	struct request *r = find_request(t, HELD);

	if (r)
		release(r);
}

static void
withdraw(struct thread *t)
{
	struct request *r = find_request(t, WAITING);

	if (r)
		release(r);
}

void
release_all_held(struct thread *t)
{
	unsigned i;

	for (i = t->n_live; i-- > 0; ) {
		struct request *r = t->live[i];

		if (!r->is_given && !r->is_doomed && (r->state == HELD || is_loose(r)))
			release(r);
	}
}

/* Handles that have ended are unknown for ever, and so are values that never were handles. */
static void
release_stale(struct thread *t)
{
	evlock_handle handle = chance(t, 4) || !t->n_stale ? (evlock_handle)draw(t, 100)
	    : t->stale[draw(t, t->n_stale < STALE ? t->n_stale : STALE)];
	struct object *o = find_object(t);
	int result;

	if (!o)
		return;
	begin_call(t, "release of a stale handle");
	result = o->table ? evlock_table_release(o->table, handle)
	    : evlock_release(o->lock, handle);
	end_call(t);
	MUST(result == -1 && errno == ENOENT);
}

/* Uses a handle of another lock. */
static void
release_strangers(struct thread *t)
{
	struct request *r = find_request(t, chance(t, 2) ? HELD : WAITING);
	struct object *o = find_lock(t);
	int result;

	if (!r || !o || r->is_named || is_loose(r) || o->identity == r->identity)
		return;
	trace(t, "request of kind %d through kind %d", (int)r->thing->kind, (int)o->kind);
	begin_call(t, "release of another lock's handle");
	result = evlock_release(o->lock, r->handle);
	end_call(t);
	MUST(result == -1 && errno == ENOENT);
}

/* --- Converting ------------------------------------------------------------------- */

/* Returns the object and the lock for converting `r`, or NULL. */
static struct evlock *
converter(struct request *r, struct object **o)
{
	*o = find_twin(r->thread, r->identity);
	if (*o && !(*o)->table)
		return (*o)->lock;
	*o = r->object;
	if (r->object->is_dying || (r->object->table && is_loose(r)))
		return NULL;	/* the lock of a key is valid as long as the handle */
	return r->object->table ? r->key_lock : r->object->lock;
}

static void
refused(struct request *r, int is_nowait)
{
	may_fail(r->thread, r->converter || is_loose(r) ? EBUSY : EDEADLK, EDEADLK, ECANCELED,
	    EINVAL, ENOTSUP, is_loose(r) ? ENOENT : EDEADLK, is_nowait ? EAGAIN : EDEADLK, 0);
	if (errno == ECANCELED)
		MUST(is_closing(r->thing));
	if (errno == ENOTSUP)
		MUST(r->thing->kind == FILE_LOCK || r->thing->kind == SET);
}

static void
convert_nowait(struct request *r, struct evlock *lock, unsigned mode)
{
	struct thread *t = r->thread;
	int result;

	begin_call(t, "evlock_convert_nowait");
	result = evlock_convert_nowait(lock, r->handle, mode);
	end_call(t);
	if (result < 0)
		refused(r, 1);
	else
		r->mode = mode;
	if (!r->converter)
		enter(r);
}

static void
convert_later(struct request *r, struct evlock *lock, struct object *o, unsigned mode)
{
	struct thread *t = r->thread;
	int is_timed, result;
	const struct timeval *timeout = draw_timeout(t, o->base, &is_timed);

	begin_call(t, "evlock_convert");
	result = evlock_convert(lock, r->handle, mode, timeout, on_conversion, r);
	end_call(t);
	if (result < 0) {
		refused(r, 0);
		if (!r->converter)
			enter(r);
		return;
	}
	MUST(!r->converter);
	r->converter = o;
	r->new_mode = mode;
	r->is_conversion_timed = is_timed;
}

/* While a request is converted, it is not known what it holds. */
static void
convert(struct thread *t)
{
	struct request *r = find_request(t, HELD);
	struct object *o;
	struct evlock *lock = r && !r->is_scoped ? converter(r, &o) : NULL;
	unsigned mode;

	if (!lock)
		return;
	mode = draw_mode(t, r->thing);
	trace(t, "  request %u to mode %u by object %u", r->number, mode, o->number);
	leave(r);
	if (chance(t, 3))
		convert_nowait(r, lock, mode);
	else
		convert_later(r, lock, o, mode);
}

/* --- Owners ----------------------------------------------------------------------- */

struct owner *
draw_owner(struct thread *t, int is_threadsafe)
{
	if (is_threadsafe && plan.n_threads > 1 && chance(t, 3))
		return &shared_owner[draw(t, SHARED_OWNERS)];
	return &t->owner[draw(t, OWNERS)];
}

/* Takes a shared owner, which one thread at a time uses.  NULL: another thread uses it, or there
 * is no memory. */
struct evlock_owner *
borrow(struct owner *o)
{
	if (o->is_shared && pthread_mutex_trylock(&o->mutex) != 0)
		return NULL;
	if (!o->owner)
		o->owner = evlock_owner_new(NULL);
	if (!o->owner && o->is_shared)
		pthread_mutex_unlock(&o->mutex);
	return o->owner;
}

void
give_back(struct owner *o)
{
	if (o->is_shared)
		pthread_mutex_unlock(&o->mutex);
}

/* Ends everything of an owner of this thread.  Returns the least number of acquisitions that
 * evlock must count, and adds to `most` those that it may count too. */
static size_t
end_requests_of(struct thread *t, const struct owner *o, size_t *most)
{
	size_t n = 0;
	unsigned i;

	for (i = t->n_live; i-- > 0; ) {
		struct request *r = t->live[i];

		if (r->owner != o)
			continue;
		++*most;
		n += !r->is_given && !r->is_doomed && !r->object->is_dying;
		if (r->is_given)
			r->is_cut = 1;
		else if (!r->is_doomed)
			end_request(r);
	}
	return n;
}

/* Frees the owner, or releases everything that it has. */
static size_t
end_owner_now(struct thread *t, struct owner *o)
{
	size_t n = 0;

	WRITE(o->generation, o->generation + 1);
	if (chance(t, 2)) {
		begin_call(t, "evlock_owner_release_all");
		n = evlock_owner_release_all(o->owner);
	} else {
		begin_call(t, "evlock_owner_free");
		evlock_owner_free(o->owner);
		o->owner = NULL;
	}
	end_call(t);
	return n;
}

static void
end_owner(struct thread *t)
{
	struct owner *o = &t->owner[draw(t, OWNERS)];
	size_t least, most = 0, n;

	if (!borrow(o))
		return;
	least = end_requests_of(t, o, &most);
	n = end_owner_now(t, o);
	trace(t, "  %zu ended, of %zu to %zu", n, least, most);
	MUST(!o->owner || (n >= least && n <= most));
}

static void
end_shared_owner(struct thread *t)
{
	struct owner *o = &shared_owner[draw(t, SHARED_OWNERS)];

	if (plan.n_threads == 1 || !borrow(o))
		return;
	end_owner_now(t, o);
	give_back(o);
}

static void
look_at_owner(struct thread *t)
{
	struct object *o = find_lock(t);
	struct owner *owner = o ? draw_owner(t, o->is_threadsafe) : NULL;
	int mode;

	if (!owner || !borrow(owner))
		return;
	begin_call(t, "evlock_owner_mode");
	mode = evlock_owner_mode(owner->owner, o->lock);
	end_call(t);
	give_back(owner);
	if (mode < 0)
		may_fail(t, ENOENT, 0);
}

static void
name_owner(struct thread *t)
{
	struct owner *o = &t->owner[draw(t, OWNERS)];
	size_t unused = 0;

	end_requests_of(t, o, &unused);
	begin_call(t, "evlock_owner_free");
	evlock_owner_free(o->owner);
	end_call(t);
	begin_call(t, "evlock_owner_new");
	o->owner = evlock_owner_new("owner\n\x1b[1m");
	end_call(t);
	if (!o->owner)
		may_fail(t, 0);
}

const struct operation ending[] = {
	{ "release_held", 40, release_held },
	{ "withdraw", 20, withdraw },
	{ "release_stale", 4, release_stale },
	{ "release_strangers", 3, release_strangers },
	{ "convert", 25, convert },
	{ "end_owner", 5, end_owner },
	{ "end_shared_owner", 4, end_shared_owner },
	{ "look_at_owner", 4, look_at_owner },
	{ "name_owner", 1, name_owner },
	{ NULL, 0, NULL }
};
