/* SPDX-License-Identifier: BSD-3-Clause */

/* Several threads, each with a loop, do everything with the same locks at once.
 *
 * Each thread makes one step after another in its own loop, and keeps a row of requests.  A lock
 * guards a plain variable, so that ThreadSanitizer notices two holders at once.  Without
 * ThreadSanitizer, the values disagree.  Each request must end in exactly one way, and no callback
 * may follow.  Loops end by themselves.  At the end nothing is held and no memory is left.
 *
 * Now and then a thread releases everything that it holds and only waits for a callback.  If a
 * wake-up is lost, the thread stays there, or its loop ends early.
 *
 * Some handles are put on a tray, from which any thread takes and releases them.  That thread
 * answers with an event of the handle's thread.
 *
 * EVLOCK_TEST_SEED=n repeats the decisions, as far as threads can repeat anything. */

#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <event2/event.h>
#include <event2/thread.h>

#include <evlock/owner.h>
#include <evlock/semaphore.h>
#include <evlock/set.h>
#include <evlock/table.h>

#include "../must.h"
#include "../shim.h"

enum { THREADS = 8, LOCKS = 3, KEYS = 6, SLOTS = 20, PERMITS = 3, OWNERS = 2, WATCHES = 2 };

/* The value that a lock guards. */
struct guarded {
	long value, copy;
};

enum state { IDLE, WAITING, HELD };

/* One request. */
struct slot {
	struct thread *thread;
	struct evlock *object;		/* that it was made through; NULL: the table's */
	struct guarded *guarded[2];	/* NULL: none */
	struct evlock_owner *owner;
	evlock_handle handle;
	enum state state;
	unsigned mode;
	unsigned units;			/* of the semaphore */
	unsigned new_mode;		/* while it is converted */
	struct evlock *converter;	/* the object that converts it, or NULL */
	int is_scoped, is_timed;
	int is_given;			/* on the tray, or just taken from there */
	int is_told, error;		/* given away */
	int is_cut;			/* given away, and ended here as well */
	int answer;			/* given away: what its release returned */
	struct slot *next;		/* on the tray, or among the answers */
};

/* A lock that its thread closes after a while, and that other threads use. */
struct guest {
	pthread_mutex_t mutex;		/* protects the others */
	struct evlock *lock;
};

struct thread {
	pthread_t id, self;		/* the maker's object of it */
	unsigned number;
	uint64_t random;
	struct event_base *base;
	struct evlock *lock[LOCKS], *other[LOCKS];	/* two objects for each lock */
	struct evlock *semaphore, *set, *visit;
	struct evlock_table *table;
	struct evlock_owner *owner[OWNERS];
	struct event *step, *mail, *keep, *watch[WATCHES];
	FILE *null;			/* what a dump is written to */
	int is_watched[WATCHES];
	pthread_mutex_t mutex;		/* protects `answers` */
	struct slot *answers;
	unsigned n_given;
	int is_paused, is_ending;
	long n_left;			/* operations */
	long n_asked, n_ended;		/* requests */
	struct slot slot[SLOTS];
};

static struct thread thread[THREADS];
static unsigned n_threads;
static struct guarded of_lock[LOCKS], of_key[KEYS];
static unsigned permits_held;		/* atomic */
static struct guest guest[THREADS];
static pthread_mutex_t tray_mutex = PTHREAD_MUTEX_INITIALIZER;
static struct slot *tray;
static pthread_barrier_t all_done;
static long n_live;			/* atomic: allocations */

/* --- Deciding --------------------------------------------------------------- */

static unsigned
draw(struct thread *t, unsigned n)
{
	t->random ^= t->random << 13;
	t->random ^= t->random >> 7;
	t->random ^= t->random << 17;
	return (unsigned)((t->random * 0x9E3779B97F4A7C15u >> 33) % n);
}

static int
chance(struct thread *t, unsigned one_in)
{
	return draw(t, one_in) == 0;
}

static const struct timeval *
draw_timeout(struct thread *t)
{
	static const struct timeval timeout[] = { { 0, 0 }, { 0, 50 }, { 0, 1000 }, { -1, 0 } };

	return chance(t, 4) ? &timeout[draw(t, 4)] : NULL;
}

static unsigned
draw_mode(struct thread *t)
{
	static const unsigned mode[] = { EVLOCK_NONE, EVLOCK_SHARED, EVLOCK_SHARED, EVLOCK_SHARED,
	    EVLOCK_UPGRADABLE, EVLOCK_EXCLUSIVE, EVLOCK_EXCLUSIVE };

	return mode[draw(t, 7)];
}

/* --- Guarded values ---------------------------------------------------------- */

static void
touch(const struct slot *s)
{
	int i;

	for (i = 0; i < 2; i++) {
		struct guarded *g = s->guarded[i];

		if (!g || s->mode == EVLOCK_NONE)
			continue;
		MUST(g->value == g->copy);
		if (s->mode == EVLOCK_EXCLUSIVE) {
			g->value++;
			g->copy++;
		}
	}
}

static void
take_permits(const struct slot *s)
{
	if (s->units && !s->is_given)
		MUST(__atomic_add_fetch(&permits_held, s->units, __ATOMIC_RELAXED) <= PERMITS);
}

static void
give_permits_back(const struct slot *s)
{
	if (s->units && !s->is_given)
		__atomic_sub_fetch(&permits_held, s->units, __ATOMIC_RELAXED);
}

/* --- Slots -------------------------------------------------------------------- */

static void
forget(struct slot *s)
{
	struct thread *t = s->thread;

	MUST(s->state != IDLE);
	memset(s, 0, sizeof *s);
	s->thread = t;
	t->n_ended++;
}

static struct slot *
find_idle(struct thread *t)
{
	unsigned i;

	for (i = 0; i < SLOTS; i++)
		if (t->slot[i].state == IDLE)
			return &t->slot[i];
	return NULL;
}

/* Returns a slot in this state that only this thread uses, or NULL. */
static struct slot *
find(struct thread *t, enum state state)
{
	unsigned i, first = draw(t, SLOTS);

	for (i = 0; i < SLOTS; i++) {
		struct slot *s = &t->slot[(first + i) % SLOTS];

		if (s->state == state && !s->is_given)
			return s;
	}
	return NULL;
}

/* Returns some object of the same lock that belongs to this thread. */
static struct evlock *
any_object(struct slot *s)
{
	struct thread *t = s->thread;
	int i;

	for (i = 0; i < LOCKS; i++)
		if (s->object == t->lock[i] || s->object == t->other[i])
			return chance(t, 2) ? t->lock[i] : t->other[i];
	return s->object;
}

static int
release_by(struct slot *s, struct evlock *object, struct evlock_table *table)
{
	return object ? evlock_release(object, s->handle) : evlock_table_release(table, s->handle);
}

/* Withdraws or releases in its own thread: no callback of it runs any more. */
static void
release(struct slot *s)
{
	if (s->state == HELD)
		give_permits_back(s);
	MUST(release_by(s, any_object(s), s->thread->table) == 0);
	forget(s);
}

static void
go_on(struct thread *t)
{
	static const struct timeval now = { 0, 0 };

	t->is_paused = 0;
	MUST(event_add(t->step, &now) == 0);
}

/* --- Callbacks ----------------------------------------------------------------- */

static void
on_end(struct slot *s, int error)
{
	MUST(error != ETIMEDOUT || s->is_timed);
	MUST(error != EDEADLK || s->owner);
	MUST(error == ETIMEDOUT || error == EDEADLK || error == ECANCELED);
	s->error = error;
	if (!s->is_given)
		forget(s);
}

static void
on_grant(struct slot *s)
{
	s->state = HELD;
	if (s->is_given)
		return;		/* may have ended already */
	take_permits(s);
	touch(s);
	if (!s->is_scoped && (s->thread->is_ending || s->thread->is_paused || chance(s->thread, 3)))
		release(s);
	else if (s->is_scoped) {
		give_permits_back(s);
		forget(s);
	}
}

static void
on_outcome(struct evlock *object, evlock_handle handle, int error, void *arg)
{
	struct slot *s = arg;
	struct thread *t = s->thread;

	MUST(pthread_equal(pthread_self(), t->self));
	MUST(handle == s->handle && s->state == WAITING && !s->is_told && !s->is_cut);
	MUST(!s->object || s->object == object);
	s->is_told = s->is_given;
	if (error)
		on_end(s, error);
	else
		on_grant(s);
	if (t->is_paused)
		go_on(t);
}

static void
on_conversion(struct evlock *object, evlock_handle handle, int error, void *arg)
{
	struct slot *s = arg;

	MUST(handle == s->handle && s->state == HELD && s->converter == object && !s->is_cut);
	MUST(!error || error == ETIMEDOUT || error == ECANCELED || error == EDEADLK);
	s->converter = NULL;
	if (error || s->is_given)
		return;
	s->mode = s->new_mode;
	touch(s);
}

static void
on_notice(struct evlock *object, evlock_handle handle, int error, void *arg)
{
	struct slot *s = arg;

	(void)object;
	MUST(!error && handle == s->handle && s->state == HELD && !s->is_cut);
	if (!s->is_given && chance(s->thread, 2))
		release(s);
}

/* --- Acquiring ------------------------------------------------------------------- */

/* The request in `s` has this handle, or 0. */
static void
note(struct slot *s, evlock_handle handle, const struct evlock_request *q)
{
	s->thread->n_left--;
	if (!handle) {
		MUST(errno == EDEADLK || errno == ECANCELED || (errno == EAGAIN && !q->cb));
		memset(s->guarded, 0, sizeof s->guarded);
		s->units = 0;
		return;
	}
	s->thread->n_asked++;
	s->handle = handle;
	s->mode = q->mode;
	s->owner = q->owner;
	s->is_timed = q->timeout != NULL;
	s->state = q->cb ? WAITING : HELD;
	if (q->cb)
		return;
	take_permits(s);
	touch(s);
}

static struct evlock_request
draw_request(struct thread *t, struct slot *s)
{
	static uint64_t n_own;
	struct evlock_request q = { .mode = draw_mode(t), .timeout = draw_timeout(t), .arg = s };

	if (!chance(t, 4))
		q.cb = on_outcome;
	if (chance(t, 8))
		q.priority = draw(t, 4);
	if (chance(t, 8))
		q.notice_cb = on_notice;
	if (chance(t, 8))
		q.owner = t->owner[draw(t, OWNERS)];
	if (chance(t, 8))
		q.handle = __atomic_add_fetch(&n_own, 1, __ATOMIC_RELAXED) | (evlock_handle)1 << 63;
	return q;
}

static void
ask_lock(struct thread *t, struct slot *s)
{
	struct evlock_request q = draw_request(t, s);
	unsigned i = draw(t, LOCKS);

	s->object = chance(t, 3) ? t->other[i] : t->lock[i];
	s->guarded[0] = &of_lock[i];
	note(s, evlock_acquire_request(s->object, &q), &q);
}

static void
ask_plainly(struct thread *t, struct slot *s)
{
	struct evlock_request q = { .mode = draw_mode(t), .timeout = draw_timeout(t), .cb = on_outcome };
	unsigned i = draw(t, LOCKS);

	s->object = t->lock[i];
	s->guarded[0] = &of_lock[i];
	s->is_scoped = chance(t, 2);
	note(s, (s->is_scoped ? evlock_with : evlock_acquire)(s->object, q.mode, q.timeout, q.cb, s), &q);
}

static void
ask_semaphore(struct thread *t, struct slot *s)
{
	struct evlock_request q = draw_request(t, s);

	q.mode = EVLOCK_PERMIT;
	q.owner = NULL;
	q.units = 1 + draw(t, PERMITS);
	s->object = t->semaphore;
	s->units = q.units;
	note(s, evlock_acquire_request(s->object, &q), &q);
}

static void
ask_key(struct thread *t, struct slot *s)
{
	struct evlock_request q = draw_request(t, s);
	unsigned key = draw(t, KEYS);

	s->object = NULL;
	s->guarded[0] = &of_key[key];
	note(s, evlock_table_acquire_request(t->table, &key, sizeof key, &q), &q);
}

static void
ask_set(struct thread *t, struct slot *s)
{
	struct evlock_request q = draw_request(t, s);

	s->object = t->set;
	s->guarded[0] = &of_lock[0];
	s->guarded[1] = &of_lock[1];
	note(s, evlock_acquire_request(s->object, &q), &q);
}

static void
ask_guest(struct thread *t, struct slot *s)
{
	struct evlock_request q = draw_request(t, s);

	if (!t->visit)
		return;
	q.owner = NULL;
	s->object = t->visit;
	note(s, evlock_acquire_request(s->object, &q), &q);
}

static void
ask(struct thread *t)
{
	static void (*const ask_any[])(struct thread *, struct slot *) = { ask_lock, ask_lock,
	    ask_plainly, ask_plainly, ask_plainly, ask_semaphore, ask_key, ask_key, ask_set, ask_guest };
	struct slot *s = find_idle(t);

	if (s)
		ask_any[draw(t, 10)](t, s);
	if (s && s->state == IDLE)
		s->is_scoped = 0;
}

static void
convert(struct thread *t)
{
	struct slot *s = find(t, HELD);
	unsigned mode = 1 + draw(t, 3);
	struct evlock *object;

	if (!s || !s->object || s->units)
		return;
	object = any_object(s);
	t->n_left--;
	if (chance(t, 2)) {
		if (evlock_convert_nowait(object, s->handle, mode) == 0) {
			s->mode = mode;
			touch(s);
		}
		return;
	}
	if (evlock_convert(object, s->handle, mode, draw_timeout(t), on_conversion, s) < 0)
		return;
	MUST(!s->converter);
	s->converter = object;
	s->new_mode = mode;
}

static void
end_one(struct thread *t)
{
	struct slot *s = find(t, chance(t, 2) ? WAITING : HELD);

	if (!s)
		return;
	t->n_left--;
	release(s);
}

/* --- Objects that are made and freed ---------------------------------------------- */

/* Requests that waited through `object` were called back inside evlock_free().  Holds have ended
 * without a callback. */
static void
cut(struct slot *s)
{
	if (s->is_given)
		s->is_cut = 1;
	else if (s->state == HELD)
		forget(s);
	else
		MUST(s->state == IDLE);
}

static void
free_object(struct thread *t, struct evlock *object)
{
	unsigned i;

	evlock_free(object);
	for (i = 0; i < SLOTS; i++) {
		struct slot *s = &t->slot[i];

		MUST(s->converter != object || s->is_given);
		if (s->object == object)
			cut(s);
	}
}

/* May another thread use the object, because one of its handles is on the tray? */
static int
is_on_tray(const struct thread *t, const struct evlock *object)
{
	unsigned i;

	for (i = 0; i < SLOTS; i++)
		if (t->slot[i].is_given && t->slot[i].object == object)
			return 1;
	return 0;
}

static void
replace_object(struct thread *t)
{
	unsigned i = draw(t, LOCKS);

	t->n_left--;
	free_object(t, t->other[i]);
	t->other[i] = NULL;
	t->other[i] = evlock_share(t->lock[i], t->base);
	MUST(t->other[i]);
}

/* --- Guests -------------------------------------------------------------------------- */

static void
end_visit(struct thread *t)
{
	struct evlock *visit = t->visit;

	if (!visit || is_on_tray(t, visit))
		return;
	free_object(t, visit);
	t->visit = NULL;
}

static void
visit(struct thread *t)
{
	struct guest *g = &guest[draw(t, n_threads)];

	end_visit(t);
	if (t->visit)
		return;
	pthread_mutex_lock(&g->mutex);
	if (g->lock)
		t->visit = evlock_share(g->lock, t->base);
	pthread_mutex_unlock(&g->mutex);
	t->n_left--;
}

/* Makes a lock for guests, or ends it.  Guests are other threads. */
static void
change_guest(struct thread *t)
{
	static const struct evlock_options shared = { .flags = EVLOCK_OPT_THREADSAFE };
	struct guest *g = &guest[t->number];
	struct evlock *lock;

	pthread_mutex_lock(&g->mutex);
	lock = g->lock;
	g->lock = lock ? NULL : evlock_new(t->base, &shared);
	pthread_mutex_unlock(&g->mutex);
	t->n_left--;
	if (lock && chance(t, 2))
		evlock_close(lock);
	evlock_free(lock);
}

/* --- Owners ---------------------------------------------------------------------------- */

static void
end_owner(struct thread *t)
{
	struct evlock_owner *owner = t->owner[draw(t, OWNERS)];
	size_t n = 0, n_given = 0, n_ended;
	unsigned i;

	for (i = 0; i < SLOTS; i++) {
		struct slot *s = &t->slot[i];

		if (s->state == IDLE || s->owner != owner)
			continue;
		if (s->is_given)
			n_given += s->is_cut = 1;
		else
			n++, forget(s);
	}
	t->n_left--;
	n_ended = evlock_owner_release_all(owner);
	MUST(n_ended >= n && n_ended <= n + n_given);
}

/* --- Notify ------------------------------------------------------------------------------ */

static void
on_watch(evutil_socket_t fd, short what, void *arg)
{
	struct thread *t = arg;
	evlock_handle handle = evlock_acquire_nowait(t->lock[0], EVLOCK_SHARED);

	(void)fd;
	MUST(what == EV_TIMEOUT);
	if (handle)
		MUST(evlock_release(t->lock[0], handle) == 0);
}

static void
watch(struct thread *t)
{
	unsigned i = draw(t, WATCHES);

	t->n_left--;
	if (t->is_watched[i])
		MUST(evlock_unnotify(t->lock[i], t->watch[i]) == 0);
	else
		MUST(evlock_notify(t->lock[i], draw_mode(t), t->watch[i]) == 0);
	t->is_watched[i] = !t->is_watched[i];
}

/* --- Dumping -------------------------------------------------------------------------------- */

static void
dump(struct thread *t)
{
	t->n_left--;
	evlock_dump(t->base, t->null);
}

/* --- The tray ------------------------------------------------------------------------------ */

static void
give(struct thread *t)
{
	struct slot *s = find(t, chance(t, 2) ? WAITING : HELD);

	if (!s || s->is_scoped || t->is_ending)
		return;
	if (s->state == HELD)
		give_permits_back(s);
	s->is_given = 1;
	if (!t->n_given++)
		MUST(event_add(t->keep, NULL) == 0);
	pthread_mutex_lock(&tray_mutex);
	s->next = tray;
	tray = s;
	pthread_mutex_unlock(&tray_mutex);
}

static struct slot *
take_one(void)
{
	struct slot *s;

	pthread_mutex_lock(&tray_mutex);
	s = tray;
	if (s)
		tray = s->next;
	pthread_mutex_unlock(&tray_mutex);
	return s;
}

/* Returns any object of the same lock: one of this thread, or one that exists while a handle of it
 * is on the tray.  NULL: the table's. */
static struct evlock *
object_here(struct thread *t, const struct slot *s)
{
	int i;

	for (i = 0; i < LOCKS; i++)
		if (s->guarded[0] == &of_lock[i] && !s->guarded[1])
			return t->lock[i];
	return s->units ? t->semaphore : s->object;
}

/* Returns 0 if there is none. */
static int
take(struct thread *t)
{
	struct slot *s = take_one();
	struct thread *theirs;

	if (!s)
		return 0;
	theirs = s->thread;
	s->answer = release_by(s, object_here(t, s), t->table) == 0 ? 0 : errno;
	pthread_mutex_lock(&theirs->mutex);
	s->next = theirs->answers;
	theirs->answers = s;
	event_active(theirs->mail, EV_TIMEOUT, 0);
	pthread_mutex_unlock(&theirs->mutex);
	return 1;
}

/* No callback of the request can run any more. */
static void
check_answer(struct slot *s)
{
	if (!s->is_cut)
		MUST(s->error ? s->answer == ENOENT : s->answer == 0);
	forget(s);
}

static void
on_mail(evutil_socket_t fd, short what, void *arg)
{
	struct thread *t = arg;
	struct slot *s, *next;

	(void)fd;
	(void)what;
	pthread_mutex_lock(&t->mutex);
	s = t->answers;
	t->answers = NULL;
	pthread_mutex_unlock(&t->mutex);
	for (; s; s = next) {
		next = s->next;
		check_answer(s);
		if (!--t->n_given)
			MUST(event_del(t->keep) == 0);
	}
}

/* --- Steps ---------------------------------------------------------------------------------- */

static void
release_all(struct thread *t)
{
	struct slot *s;

	while ((s = find(t, HELD)))
		release(s);
}

/* Waits for a callback if one is sure to come. */
static int
pause_(struct thread *t)
{
	struct slot *s;

	release_all(t);
	while (take(t))
		continue;
	s = find(t, WAITING);
	t->is_paused = s != NULL;
	return t->is_paused;
}

static void
wind_down(struct thread *t)
{
	unsigned i;

	t->is_ending = 1;
	release_all(t);
	for (i = 0; i < WATCHES; i++)
		if (t->is_watched[i])
			MUST(evlock_unnotify(t->lock[i], t->watch[i]) == 0);
	if (guest[t->number].lock)
		change_guest(t);
	while (take(t))
		continue;
}

static void
act(struct thread *t)
{
	unsigned what = draw(t, 65);

	if (what < 34)
		ask(t);
	else if (what < 48)
		end_one(t);
	else if (what < 53)
		convert(t);
	else if (what < 57)
		give(t);
	else if (what < 60)
		take(t);
	else if (what == 60)
		watch(t);
	else if (what == 61)
		end_owner(t);
	else if (what == 62)
		replace_object(t);
	else if (what == 63)
		dump(t);
	else if (chance(t, 2))
		visit(t);
	else
		change_guest(t);
}

static void
on_step(evutil_socket_t fd, short what, void *arg)
{
	struct thread *t = arg;
	unsigned n = 1 + draw(t, 16);

	(void)fd;
	(void)what;
	while (n-- && t->n_left > 0)
		act(t);
	if (t->n_left <= 0)
		wind_down(t);
	else if (!chance(t, 4) || !pause_(t))
		go_on(t);
}

/* --- Threads ------------------------------------------------------------------- */

static void
free_all(struct thread *t)
{
	unsigned i;

	end_visit(t);
	evlock_free(t->set);
	evlock_free(t->semaphore);
	evlock_table_free(t->table);
	for (i = 0; i < LOCKS; i++) {
		evlock_free(t->other[i]);
		evlock_free(t->lock[i]);
	}
	for (i = 0; i < OWNERS; i++)
		evlock_owner_free(t->owner[i]);
	for (i = 0; i < WATCHES; i++)
		event_free(t->watch[i]);
	event_free(t->step);
	event_free(t->mail);
	event_free(t->keep);
	fclose(t->null);
}

static void *
run(void *arg)
{
	struct thread *t = arg;
	unsigned i;

	t->self = pthread_self();
	go_on(t);
	MUST(event_base_dispatch(t->base) == 1);
	MUST(t->n_left <= 0 && t->n_asked == t->n_ended && !t->n_given);
	for (i = 0; i < SLOTS; i++)
		MUST(t->slot[i].state == IDLE);
	pthread_barrier_wait(&all_done);
	MUST(event_base_dispatch(t->base) == 1);	/* for evlock_notify() of other threads */
	for (i = 0; i < LOCKS; i++)
		MUST(evlock_locked(t->lock[i]) == EVLOCK_NONE && evlock_waiting(t->lock[i]) == 0 &&
		    evlock_held(t->lock[i], EVLOCK_NONE) == 0);
	MUST(evlock_table_count(t->table) == 0);
	MUST(evlock_semaphore_available(t->semaphore) == PERMITS);
	pthread_barrier_wait(&all_done);
	free_all(t);
	return NULL;
}

/* The first thread makes the locks, and the others share them. */
static void
make_locks(struct thread *t)
{
	static const struct evlock_options shared = { .flags = EVLOCK_OPT_THREADSAFE };
	struct thread *first = &thread[0];
	unsigned i;

	for (i = 0; i < LOCKS; i++) {
		t->lock[i] = t == first ? evlock_new(t->base, &shared)
		    : evlock_share(first->lock[i], t->base);
		t->other[i] = evlock_share(t->lock[i], t->base);
		MUST(t->lock[i] && t->other[i]);
	}
	t->semaphore = t == first ? evlock_semaphore_new(t->base, PERMITS, &shared)
	    : evlock_share(first->semaphore, t->base);
	t->table = t == first ? evlock_table_new(t->base, &shared)
	    : evlock_table_share(first->table, t->base);
	MUST(t->semaphore && t->table);
}

static void
make_set(struct thread *t)
{
	struct evlock_set_member member[] = {
		{ t->lock[0], EVLOCK_SAME_MODE }, { t->lock[1], EVLOCK_SAME_MODE },
	};

	t->set = evlock_set_new(member, 2, NULL);
	MUST(t->set);
}

static void
make_thread(struct thread *t, unsigned number, uint64_t seed)
{
	unsigned i;

	memset(t, 0, sizeof *t);
	t->number = number;
	t->random = (seed + number + 1) * 0x9E3779B97F4A7C15u;
	pthread_mutex_init(&t->mutex, NULL);
	pthread_mutex_init(&guest[number].mutex, NULL);
	t->base = event_base_new();
	t->null = fopen("/dev/null", "w");
	MUST(t->null);
	make_locks(t);
	make_set(t);
	t->step = event_new(t->base, -1, 0, on_step, t);
	t->mail = event_new(t->base, -1, 0, on_mail, t);
	t->keep = event_new(t->base, -1, EV_READ, on_mail, t);
	for (i = 0; i < WATCHES; i++)
		t->watch[i] = event_new(t->base, -1, 0, on_watch, t);
	for (i = 0; i < OWNERS; i++)
		t->owner[i] = evlock_owner_new(NULL);
	for (i = 0; i < SLOTS; i++)
		t->slot[i].thread = t;
}

/* --- Memory ---------------------------------------------- */

static void *
counting_malloc(size_t size)
{
	void *p = malloc(size);

	if (p)
		__atomic_add_fetch(&n_live, 1, __ATOMIC_RELAXED);
	return p;
}

static void
counting_free(void *p)
{
	if (p)
		__atomic_sub_fetch(&n_live, 1, __ATOMIC_RELAXED);
	free(p);
}

static void
stress(unsigned n, long n_operations)
{
	uint64_t seed = must_seed();
	unsigned i;

	evlock_set_mem_functions(counting_malloc, NULL, counting_free);
	MUST(evthread_use_pthreads() == 0);
	n_threads = n;
	pthread_barrier_init(&all_done, NULL, n);
	for (i = 0; i < n; i++) {
		make_thread(&thread[i], i, seed);
		thread[i].n_left = n_operations;
	}
	for (i = 0; i < n; i++)
		MUST(pthread_create(&thread[i].id, NULL, run, &thread[i]) == 0);
	for (i = 0; i < n; i++)
		MUST(pthread_join(thread[i].id, NULL) == 0);
	for (i = 0; i < n; i++)
		event_base_free(thread[i].base);
	cr_assert_eq(n_live, 0, "%ld allocations are left", n_live);
}

Test(threads, two, .timeout = 3600) { stress(2, must_times(5000, 50000, 1000000)); }
Test(threads, four, .timeout = 3600) { stress(4, must_times(1000, 10000, 1000000)); }
Test(threads, eight, .timeout = 3600) { stress(8, must_times(500, 5000, 1000000)); }
