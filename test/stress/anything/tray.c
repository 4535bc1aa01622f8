/* SPDX-License-Identifier: BSD-3-Clause */

/* Objects that pass between threads: handles on a tray, which other threads take and release, and
 * lock objects in a window, which other threads share. */

#include "anything.h"

enum { WINDOW = 8 };

pthread_mutex_t tray_mutex = PTHREAD_MUTEX_INITIALIZER;
static struct request *tray;
static struct object *window[WINDOW];

static void
pin(struct object *o, int n)
{
	pthread_mutex_lock(&tray_mutex);
	o->n_pins += n;
	pthread_mutex_unlock(&tray_mutex);
}

/* --- Giving handles away ---------------------------------------------------------- */

static void
give(struct thread *t)
{
	struct request *r = find_request(t, chance(t, 2) ? WAITING : HELD);

	if (!r || r->is_scoped || r->is_named || r->converter || r->object->is_dying ||
	    !r->object->is_threadsafe)
		return;
	leave(r);
	r->is_given = 1;
	r->pinned = chance(t, 2) ? r->object : NULL;
	t->n_given++;
	pthread_mutex_lock(&tray_mutex);
	if (r->pinned)
		r->pinned->n_pins++;
	r->next = tray;
	tray = r;
	pthread_mutex_unlock(&tray_mutex);
}

/* Takes the first handle off the tray that belongs to this thread, or to another. */
static struct request *
take_off(struct thread *t, int is_own)
{
	struct request **at, *r;

	pthread_mutex_lock(&tray_mutex);
	for (at = &tray; (r = *at) && (r->thread == t) != is_own; at = &r->next)
		continue;
	if (r)
		*at = r->next;
	pthread_mutex_unlock(&tray_mutex);
	return r;
}

static void
put_on(struct request *r)
{
	pthread_mutex_lock(&tray_mutex);
	r->next = tray;
	tray = r;
	pthread_mutex_unlock(&tray_mutex);
}

/* No callback of the request can run any more. */
static void
answered(struct request *r)
{
	int may_be_gone = r->is_cut || (r->owner && r->owner->is_shared);

	if (!may_be_gone)
		MUST(r->error ? r->answer == ENOENT : r->answer == 0);
	r->thread->n_given--;
	end_request(r);
}

static int
release_by(struct thread *t, const struct object *o, evlock_handle handle)
{
	int result;

	begin_call(t, "release for another thread");
	result = o->table ? evlock_table_release(o->table, handle)
	    : evlock_release(o->lock, handle);
	end_call(t);
	return result == 0 ? 0 : errno;
}

/* A thread ends what it gave away if no other thread has taken it. */
void
take_everything_back(struct thread *t)
{
	struct request *r;

	while ((r = take_off(t, 1))) {
		struct object *o = r->object->is_dying ? find_twin(t, r->identity) : r->object;

		if (r->pinned)
			pin(r->pinned, -1);
		r->answer = o ? release_by(t, o, r->handle) : ENOENT;
		answered(r);
	}
}

/* --- Handles of other threads ----------------------------------------------------- */

static void
answer(struct request *r)
{
	struct thread *theirs = r->thread;

	if (r->pinned)
		pin(r->pinned, -1);
	pthread_mutex_lock(&theirs->mutex);
	r->next = theirs->answers;
	theirs->answers = r;
	event_active(theirs->mail, EV_TIMEOUT, 0);
	pthread_mutex_unlock(&theirs->mutex);
}

/* First another thread converts it, or tries to. */
static void
convert_theirs(struct thread *t, const struct object *o, const struct request *r)
{
	int result;

	if (!o->lock || !chance(t, 4))
		return;
	begin_call(t, "evlock_convert_nowait for another thread");
	result = evlock_convert_nowait(o->lock, r->handle, draw_mode(t, o->thing));
	end_call(t);
	if (result < 0)
		may_fail(t, ENOENT, EINVAL, EBUSY, EAGAIN, ECANCELED, EDEADLK, ENOTSUP, 0);
}

static void
take(struct thread *t)
{
	struct request *r = take_off(t, 0);
	struct object *o = r ? find_twin(t, r->identity) : NULL;

	if (!r)
		return;
	if (o)
		convert_theirs(t, o, r);
	else
		o = r->pinned;
	if (!o) {
		put_on(r);
		return;
	}
	r->answer = release_by(t, o, r->handle);
	answer(r);
}

void
on_mail(evutil_socket_t fd, short what, void *arg)
{
	struct thread *t = arg;
	struct request *r, *next;

	(void)fd;
	(void)what;
	begin_event(t, 0);
	pthread_mutex_lock(&t->mutex);
	r = t->answers;
	t->answers = NULL;
	pthread_mutex_unlock(&t->mutex);
	for (; r; r = next) {
		next = r->next;
		answered(r);
	}
	end_callback(t);
}

/* --- Lock objects ----------------------------------------------------------------- */

void
show(struct object *o)
{
	struct object **at = &window[draw(o->thread, WINDOW)];

	if (!o->is_threadsafe || plan.n_threads == 1)
		return;
	if (o->lock)
		make_far(o->thread, o->thing);
	pthread_mutex_lock(&tray_mutex);
	if (!o->is_shown) {
		if (*at)
			(*at)->is_shown = 0;
		*at = o;
		o->is_shown = 1;
	}
	pthread_mutex_unlock(&tray_mutex);
}

void
hide(struct object *o)
{
	unsigned i;

	pthread_mutex_lock(&tray_mutex);
	for (i = 0; o->is_shown && i < WINDOW; i++)
		if (window[i] == o)
			window[i] = NULL;
	o->is_shown = 0;
	pthread_mutex_unlock(&tray_mutex);
}

static void
show_one(struct thread *t)
{
	struct object *o = find_object(t);

	if (o)
		show(o);
}

static struct object *
pick(unsigned i)
{
	struct object *o;

	pthread_mutex_lock(&tray_mutex);
	o = window[i];
	if (o)
		o->n_pins++;
	pthread_mutex_unlock(&tray_mutex);
	return o;
}

/* Shares a lock of another thread. */
void
visit(struct thread *t)
{
	struct object *from = t->n_objects < OBJECTS ? pick(draw(t, WINDOW)) : NULL, *o;

	if (!from)
		return;
	o = add_object(t, from);
	begin_call(t, "evlock_share from another thread");
	if (from->table)
		o->table = evlock_table_share(from->table, t->base[o->base]);
	else
		o->lock = evlock_share(from->lock, t->base[o->base]);
	end_call(t);
	pin(from, -1);
	if (o->lock || o->table)
		return;
	may_fail(t, 0);
	forget_object(t, o);
}

const struct operation passing[] = {
	{ "give", 6, give },
	{ "take", 8, take },
	{ "show_one", 3, show_one },
	{ "visit", 6, visit },
	{ NULL, 0, NULL }
};
