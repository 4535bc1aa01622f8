/* SPDX-License-Identifier: BSD-3-Clause */

/* A request from the call that makes it to its end, with its callbacks. */

#include "anything.h"

/* --- Records ---------------------------------------------------------------------- */

/* Returns a free record, or NULL if there are many already. */
struct request *
new_request(struct thread *t, struct object *o, struct thing *thing)
{
	struct request *r = t->n_live < REQUESTS ? calloc(1, sizeof *r) : NULL;

	if (!r)
		return NULL;
	r->thread = t;
	r->number = t->n_numbers++;
	r->object = o;
	r->thing = thing;
	r->was_closed = is_closed(thing);
	r->identity = o->table ? thing : o->identity;
	r->units = 1;
	r->next_made = t->made;
	t->made = r;
	return r;
}

/* Another thread may end the request at any time, so it is not known what it holds. */
int
is_loose(const struct request *r)
{
	return r->is_given || (r->owner && r->owner->is_shared);
}

/* Without a timeout or an owner, there is no wait cycle. */
static int
has_owners(const struct thing *thing)
{
	unsigned i;

	for (i = 0; i < thing->n_leaves; i++)
		if (READ(thing->leaf[i].thing->has_owners))
			return 1;
	return READ(thing->has_owners);
}

/* Which errors may this valid request give? */
static void
check_refusal(const struct request *r, evlock_cb cb, int is_bad)
{
	int may_be_invalid = is_bad || r->owner || r->thing->kind == SET;

	may_fail(r->thread, may_be_invalid ? EINVAL : ECANCELED, ECANCELED, cb ? ECANCELED : EAGAIN,
	    r->is_named ? EEXIST : ECANCELED, EDEADLK, 0);
	if (errno == ECANCELED)
		MUST(is_closing(r->thing));
	if (errno == EDEADLK)
		MUST(has_owners(r->thing));
}

void
note(struct request *r, evlock_handle handle, evlock_cb cb, int is_bad)
{
	struct thread *t = r->thread;

	trace(t, "  request %u of object %u in mode %u, %u units%s%s: %s", r->number,
	    r->object->number, r->mode, r->units, r->owner ? ", owned" : "",
	    r->is_named ? ", named" : "", handle ? "made" : "refused");
	t->sum = t->sum * 31 + (handle ? 1 : (uint64_t)errno);
	if (!handle) {
		check_refusal(r, cb, is_bad);
		return;
	}
	MUST(!r->was_closed && !is_bad);
	r->handle = handle;
	r->state = cb ? WAITING : HELD;
	t->live[t->n_live++] = r;
	t->n_asked++;
	if (!cb)
		enter(r);
}

void
end_request(struct request *r)
{
	struct thread *t = r->thread;
	unsigned i;

	leave(r);
	MUST(r->state == WAITING || r->state == HELD);
	r->state = ENDED;
	for (i = 0; t->live[i] != r; i++)
		MUST(i < t->n_live);
	t->live[i] = t->live[--t->n_live];
	t->n_ended++;
	if (!r->is_named && !is_loose(r))
		t->stale[t->n_stale++ % STALE] = r->handle;
}

/* Returns a request in this state that only this thread uses, or NULL. */
struct request *
find_request(struct thread *t, enum state state)
{
	unsigned i, first = t->n_live ? draw(t, t->n_live) : 0;

	for (i = 0; i < t->n_live; i++) {
		struct request *r = t->live[(first + i) % t->n_live];

		if (r->state == state && !r->is_given && !r->is_doomed)
			return r;
	}
	return NULL;
}

/* --- Releasing -------------------------------------------------------------------- */

static int
release_by(struct thread *t, struct object *o, evlock_handle handle)
{
	int result;

	begin_call(t, o->table ? "evlock_table_release" : "evlock_release");
	result = o->table ? evlock_table_release(o->table, handle) : evlock_release(o->lock, handle);
	end_call(t);
	return result;
}

/* Has its shared owner ended since? */
static int
was_ended(const struct request *r)
{
	return r->owner && r->owner->is_shared && READ(r->owner->generation) != r->generation;
}

/* Releases through any object that knows the handle.  Returns -1 if there is none because the
 * object that it was made through is being freed. */
int
release(struct request *r)
{
	struct thread *t = r->thread;
	struct object *o = chance(t, 2) && !r->object->is_dying ? r->object
	    : find_twin(t, r->identity);
	int result;

	if (!o)
		return -1;
	trace(t, "  request %u by object %u", r->number, o->number);
	leave(r);
	result = release_by(t, o, r->handle);
	if (result < 0) {
		MUST(errno == ENOENT);
		MUST(was_ended(r));
	}
	end_request(r);
	return 0;
}

/* --- Callbacks -------------------------------------------------------------------- */

static void
check_error(const struct request *r, int error, int is_timed)
{
	int has_file = r->thing->kind == FILE_LOCK;
	unsigned i;

	for (i = 0; i < r->thing->n_leaves; i++)
		has_file |= r->thing->leaf[i].thing->kind == FILE_LOCK;
	if (error == ENOMEM)
		MUST(has_file && plan.has_failures);
	else if (error == ETIMEDOUT)
		MUST(is_timed);
	else if (error == ECANCELED)
		MUST(is_closing(r->thing) || r->object->is_dying ||
		    (r->converter && r->converter->is_dying));
	else
		MUST(error == EDEADLK && (r->owner || r->converter));
}

static void
granted(struct request *r)
{
	struct thread *t = r->thread;

	r->state = HELD;
	enter(r);
	if (!r->is_given)
		operate_in_callback(t);
	if (r->state != HELD || r->is_given)
		return;		/* a nested operation has ended it or given it away */
	if (r->is_scoped)
		end_request(r);
	else if (t->is_ending || t->is_resting || chance(t, 3))
		release(r);
}

static void
failed(struct request *r, int error)
{
	check_error(r, error, r->is_timed);
	r->error = error;
	if (r->is_given)
		return;
	end_request(r);
	operate_in_callback(r->thread);
}

void
on_outcome(struct evlock *lock, evlock_handle handle, int error, void *arg)
{
	struct request *r = arg;
	struct thread *t = r->thread;

	begin_callback(t, r->object, error);
	trace(t, "  request %u", r->number);
	MUST(handle == r->handle && r->state == WAITING && !r->is_told && !r->is_cut);
	MUST(r->object->table || lock == r->object->lock);
	MUST(error || !READ(r->object->is_dying));
	r->is_told = 1;
	if (r->object->table && !error)
		r->key_lock = lock;
	if (error)
		failed(r, error);
	else
		granted(r);
	t->is_told = 1;
	end_callback(t);
}

void
on_conversion(struct evlock *lock, evlock_handle handle, int error, void *arg)
{
	struct request *r = arg;
	struct thread *t = r->thread;

	begin_callback(t, r->converter, error);
	trace(t, "  conversion of request %u", r->number);
	MUST(handle == r->handle && r->state == HELD && !r->is_cut);
	MUST(r->converter->table ? lock == r->key_lock : lock == r->converter->lock);
	if (error)
		check_error(r, error, r->is_conversion_timed);
	else
		r->mode = r->new_mode;
	r->converter = NULL;
	enter(r);
	operate_in_callback(t);
	end_callback(t);
}

void
on_notice(struct evlock *lock, evlock_handle handle, int error, void *arg)
{
	struct request *r = arg;
	struct thread *t = r->thread;

	begin_callback(t, r->object, error);
	trace(t, "  request %u", r->number);
	MUST(!error && r->has_notice && handle == r->handle && !r->is_cut);
	MUST(r->state == HELD && (r->object->table || lock == r->object->lock));
	if (!r->is_given && chance(t, 2))
		release(r);
	operate_in_callback(t);
	end_callback(t);
}
