/* SPDX-License-Identifier: BSD-3-Clause */

/* Short scenes of several threads that use a lock at once.  Each scene is played once for every
 * schedule with at most two preemptions.
 *
 * One thread runs at a time.  Another thread may take over before each mutex that the library
 * locks, each event that it activates and each bell that it rings (the linker wraps these calls),
 * and where a scene says so.  In long runs it may also take over after each mutex that the library
 * unlocks.  A row of choices says which thread continues, and each play makes the next row.  A
 * thread that wants a mutex waits until it is unlocked.  If all threads wait, that is a deadlock.
 *
 * All scenes are played first without bells, as if there were no eventfd(), and then with them.
 *
 * After each play: every request has ended in exactly one way, no two holders were inside at once,
 * no loop ended before it had called back everything, nothing is held and no request waits. */

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <event2/event.h>
#include <event2/thread.h>

#include <evlock/owner.h>
#include <evlock/set.h>
#include <evlock/table.h>

#include "../must.h"
#include "../shim.h"

enum { ACTORS = 4, MOST_CHOICES = 4096, MOST_LOCKED = 16, PREEMPTIONS = 2, ASKS = 8 };

static const char *scene_name;

static void
tell_scene(void)
{
	fprintf(must_out, "  scene: %s\n", scene_name);
}

/* --- Schedules ---------------------------------------------------------------- */

enum state { READY, BLOCKED, DONE };

struct actor {
	pthread_t id;
	sem_t go;
	enum state state;
	const void *wants;		/* the mutex, while BLOCKED */
	void (*part)(void);
};

static struct actor actor[ACTORS];
static unsigned n_actors;
static __thread struct actor *me;	/* NULL: the stage is empty */
static sem_t play_is_over;
static struct { unsigned char choice, width; } row[MOST_CHOICES];
static unsigned position, length, n_preempted;
static int is_long, has_bells;
static struct { const void *mutex; const struct actor *owner; } locked[MOST_LOCKED];

/* Returns the next choice of the row, of `n`. */
static unsigned
choose(unsigned width)
{
	if (width == 1)
		return 0;
	MUST(position < MOST_CHOICES);
	if (position == length)
		row[length++].choice = 0;
	row[position].width = (unsigned char)width;
	return row[position++].choice;
}

/* Chooses the actor that continues: the same one, unless it cannot, or another preemption is
 * allowed. */
static struct actor *
choose_actor(void)
{
	struct actor *may[ACTORS];
	int can_go_on = me && me->state == READY;
	unsigned i, n = 0;

	if (can_go_on)
		may[n++] = me;
	for (i = 0; i < n_actors && (!can_go_on || n_preempted < PREEMPTIONS); i++)
		if (&actor[i] != me && actor[i].state == READY)
			may[n++] = &actor[i];
	if (!n)
		return NULL;
	i = choose(n);
	n_preempted += can_go_on && i;
	return may[i];
}

static void
go_on_with(struct actor *next)
{
	if (next == me)
		return;
	sem_post(&next->go);
	while (me && sem_wait(&me->go) < 0)
		continue;
}

/* Another actor may continue here. */
static void
point(void)
{
	struct actor *next = choose_actor();

	MUST(next);	/* otherwise all wait for a mutex */
	go_on_with(next);
}

/* An actor's part is over. */
static void
leave_stage(void)
{
	struct actor *next;
	unsigned i;

	me->state = DONE;
	next = choose_actor();
	if (next) {
		sem_post(&next->go);
		return;
	}
	for (i = 0; i < n_actors; i++)
		MUST(actor[i].state == DONE);
	sem_post(&play_is_over);
}

static void *
act(void *arg)
{
	struct actor *a = arg;

	for (;;) {
		while (sem_wait(&a->go) < 0)
			continue;
		if (!a->part)
			return NULL;
		me = a;
		a->part();
		leave_stage();
		me = NULL;
	}
}

static int
find_locked(const void *mutex)
{
	int i;

	for (i = 0; i < MOST_LOCKED; i++)
		if (locked[i].mutex == mutex)
			return i;
	return -1;
}

int __wrap_pthread_mutex_lock(pthread_mutex_t *mutex);
int __wrap_pthread_mutex_unlock(pthread_mutex_t *mutex);

int
__wrap_pthread_mutex_lock(pthread_mutex_t *mutex)
{
	int i;

	if (!me)
		return 0;
	point();
	while ((i = find_locked(mutex)) >= 0) {
		MUST(locked[i].owner != me);
		me->state = BLOCKED;
		me->wants = mutex;
		point();
	}
	i = find_locked(NULL);
	MUST(i >= 0);
	locked[i].mutex = mutex;
	locked[i].owner = me;
	return 0;
}

int
__wrap_pthread_mutex_unlock(pthread_mutex_t *mutex)
{
	unsigned n;
	int i = me ? find_locked(mutex) : -1;

	if (!me)
		return 0;
	MUST(i >= 0 && locked[i].owner == me);
	locked[i].mutex = NULL;
	for (n = 0; n < n_actors; n++)
		if (actor[n].state == BLOCKED && actor[n].wants == mutex)
			actor[n].state = READY;
	if (is_long)
		point();
	return 0;
}

void __wrap_event_active(struct event *ev, int what, short n_calls);
void __real_event_active(struct event *ev, int what, short n_calls);

void
__wrap_event_active(struct event *ev, int what, short n_calls)
{
	if (me)
		point();
	__real_event_active(ev, what, n_calls);
}

ssize_t __wrap_write(int fd, const void *bytes, size_t n);
ssize_t __real_write(int fd, const void *bytes, size_t n);

ssize_t
__wrap_write(int fd, const void *bytes, size_t n)
{
	if (me)
		point();
	return __real_write(fd, bytes, n);
}

int __wrap_eventfd(unsigned value, int flags);
int __real_eventfd(unsigned value, int flags);

int
__wrap_eventfd(unsigned value, int flags)
{
	return has_bells ? __real_eventfd(value, flags) : -1;
}

/* Plays a scene once. */
static void
play(void)
{
	unsigned i;

	position = n_preempted = 0;
	for (i = 0; i < n_actors; i++)
		actor[i].state = READY;
	sem_post(&choose_actor()->go);
	while (sem_wait(&play_is_over) < 0)
		continue;
}

/* Makes the next row of choices.  Returns 0 after the last. */
static int
next_row(void)
{
	length = position;
	while (length && row[length - 1].choice + 1 == row[length - 1].width)
		length--;
	if (!length)
		return 0;
	row[length - 1].choice++;
	return 1;
}

/* --- The stage ------------------------------------------------------------------ */

/* A request, and how it ended. */
struct ask {
	evlock_handle handle;		/* 0: it was refused or not made */
	unsigned base;
	int is_withdrawn, by_another;	/* released before its callback; in whose thread */
	int n_told, error;
	int is_cut;			/* may have ended with an owner or object, without a
					     callback */
};

static struct event_base *base[ACTORS];
static struct evlock *lock[ACTORS], *other[ACTORS], *set;
static struct evlock_table *table[ACTORS];
static struct evlock_owner *owner;
static struct event *watch;
static struct ask asked[ASKS];
static evlock_handle held;
static int n_in[2], n_watched;		/* in `lock` or a key's, in `other` */

static const struct evlock_options shared = { .flags = EVLOCK_OPT_THREADSAFE };

static int
is_in_other(const struct evlock *l)
{
	unsigned i;

	for (i = 0; i < 3; i++)
		if (l && (l == other[i] || l == set))
			return 1;
	return 0;
}

/* No other holder is inside. */
static void
be_in(const struct evlock *l)
{
	int in_other = is_in_other(l), in_lock = !in_other || l == set;

	MUST(!in_lock || !n_in[0]++);
	MUST(!in_other || !n_in[1]++);
	if (me)
		point();
	n_in[0] -= in_lock;
	n_in[1] -= in_other;
}

static void
on_told(struct evlock *l, evlock_handle handle, int error, void *arg)
{
	struct ask *a = arg;

	MUST(handle == a->handle && !a->n_told);
	MUST(!a->is_withdrawn || a->by_another);
	a->n_told++;
	a->error = error;
	if (error)
		return;
	if (!a->by_another)	/* may have been withdrawn just now */
		be_in(l);
	if (evlock_release(l, handle) < 0)
		MUST(a->by_another || a->is_cut);
}

static void
ask(unsigned i, struct evlock *l, unsigned number, const struct evlock_request *more)
{
	struct evlock_request q = *more;
	struct ask *a = &asked[number];

	q.cb = on_told;
	q.arg = a;
	a->base = i;
	a->handle = evlock_acquire_request(l, &q);
	MUST(a->handle || errno == ECANCELED || errno == EDEADLK);
}

#define ASK(i, l, number, ...) \
	ask(i, l, number, &(struct evlock_request){ .mode = EVLOCK_EXCLUSIVE, __VA_ARGS__ })

/* Runs what is ready.  If the loop would end now, every callback has run. */
static void
turn(unsigned i)
{
	int is_over = event_base_loop(base[i], EVLOOP_NONBLOCK);
	unsigned n;

	MUST(is_over >= 0);
	for (n = 0; is_over && n < ASKS; n++)
		if (asked[n].handle && asked[n].base == i)
			MUST(asked[n].n_told || asked[n].is_withdrawn || asked[n].is_cut || asked[n].by_another);
}

static void
withdraw(struct evlock *l, unsigned number, int by_another)
{
	struct ask *a = &asked[number];

	a->by_another = by_another;
	if (evlock_release(l, a->handle) == 0)
		a->is_withdrawn = 1;
	else
		MUST(errno == ENOENT && (a->n_told || a->is_cut || by_another));
}

static void
release(struct evlock *l, evlock_handle handle)
{
	MUST(evlock_release(l, handle) == 0);
}

/* --- The scenes: what exists before, and the parts ----------------------------------- */

static void let_go(void) { release(lock[0], held); turn(0); }
static void ask_2(void) { ASK(2, lock[2], 2); turn(2); turn(2); }
static void ask_1(void) { ASK(1, lock[1], 1); turn(1); turn(1); }
static void turn_1(void) { turn(1); turn(1); }

static void held_and_one_waits(void)
{
	held = evlock_acquire_nowait(lock[0], EVLOCK_EXCLUSIVE);
	ASK(1, lock[1], 1);
}

static void withdraw_own(void) { withdraw(lock[1], 1, 0); turn(1); }
static void withdraw_anothers(void) { withdraw(lock[2], 1, 1); turn(2); }

static void
free_1(void)
{
	evlock_free(lock[1]);
	lock[1] = NULL;
	MUST(!asked[1].handle || asked[1].n_told);
	turn(1);
}

/* The base has no objects left. */
static void
free_both_1(void)
{
	evlock_free(other[1]);
	other[1] = NULL;
	free_1();
}

static void close_0(void) { evlock_close(lock[0]); turn(0); }
static void nowait_2(void)
{
	evlock_handle handle = evlock_acquire_nowait(lock[2], EVLOCK_EXCLUSIVE);

	if (!handle) {
		MUST(errno == EAGAIN || errno == ECANCELED);
		return;
	}
	be_in(lock[2]);
	release(lock[2], handle);
}

static void held_and_one_with_a_timeout(void)
{
	static const struct timeval now = { 0, 0 };

	held = evlock_acquire_nowait(lock[0], EVLOCK_EXCLUSIVE);
	ASK(1, lock[1], 1, .timeout = &now);
}

static void only_held(void) { held = evlock_acquire_nowait(lock[0], EVLOCK_EXCLUSIVE); }
static void free_0(void) { evlock_free(lock[0]); lock[0] = NULL; turn(0); }
static void share_and_free_1(void)
{
	struct evlock *more = evlock_share(lock[1], base[1]);

	MUST(more);
	ASK(1, more, 1);
	turn(1);
	evlock_free(more);
	turn(1);
}

static void on_watch(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what, (void)arg;
	MUST(watch);
	n_watched++;
}

static void held_and_watched(void)
{
	held = evlock_acquire_nowait(lock[0], EVLOCK_EXCLUSIVE);
	watch = event_new(base[1], -1, 0, on_watch, NULL);
	MUST(evlock_notify(lock[1], EVLOCK_SHARED, watch) == 0);
}

static void unwatch_1(void)
{
	turn(1);
	MUST(evlock_unnotify(lock[1], watch) == 0);
	event_free(watch);
	watch = NULL;
	turn(1);
}

static void held_and_owner_waits(void)
{
	owner = evlock_owner_new(NULL);
	held = evlock_acquire_nowait(lock[0], EVLOCK_EXCLUSIVE);
	ASK(1, lock[1], 1, .owner = owner);
	ASK(1, other[1], 3, .owner = owner);
}

static void end_owner_1(void)
{
	asked[1].is_cut = asked[3].is_cut = 1;
	turn(1);
	evlock_owner_release_all(owner);
	asked[1].is_withdrawn = !asked[1].n_told;
	asked[3].is_withdrawn = !asked[3].n_told;
	turn(1);
}

static void held_and_a_set(void)
{
	struct evlock_set_member member[] = { { lock[1], EVLOCK_EXCLUSIVE }, { other[1], EVLOCK_EXCLUSIVE } };

	set = evlock_set_new(member, 2, NULL);
	held = evlock_acquire_nowait(lock[0], EVLOCK_EXCLUSIVE);
}

static void ask_set_1(void) { ASK(1, set, 1); turn(1); turn(1); }
static void ask_other_2(void) { ASK(2, other[2], 2); turn(2); turn(2); }
static void free_member_1(void)
{
	evlock_free(other[1]);
	other[1] = NULL;
	turn(1);
}

static void held_key(void) { held = evlock_table_acquire_nowait(table[0], "k", 1, EVLOCK_EXCLUSIVE); }
static void let_key_go(void) { MUST(evlock_table_release(table[0], held) == 0); turn(0); }

static void
ask_key(unsigned i, unsigned number)
{
	asked[number].base = i;
	asked[number].handle = evlock_table_acquire(table[i], "k", 1, EVLOCK_EXCLUSIVE, NULL, on_told,
	    &asked[number]);
	MUST(asked[number].handle);
	turn(i);
	turn(i);
}

static void ask_key_1(void) { ask_key(1, 1); }
static void ask_key_2(void) { ask_key(2, 2); }
static void free_table_2(void)
{
	evlock_table_free(table[2]);
	table[2] = NULL;
	turn(2);
}

static evlock_handle reader[2];

static void two_readers(void)
{
	reader[0] = evlock_acquire_nowait(lock[0], EVLOCK_SHARED);
	reader[1] = evlock_acquire_nowait(lock[1], EVLOCK_SHARED);
	asked[1].base = 1;
	asked[1].handle = reader[1];
}

static void on_converted(struct evlock *l, evlock_handle handle, int error, void *arg)
{
	struct ask *a = arg;

	MUST(handle == a->handle && !error && !a->n_told++);
	be_in(l);
	release(l, handle);
}

static void convert_1(void)
{
	MUST(evlock_convert(lock[1], reader[1], EVLOCK_EXCLUSIVE, NULL, on_converted, &asked[1]) == 0);
	turn(1);
	turn(1);
}

static void let_reader_go(void) { release(lock[0], reader[0]); turn(0); }

/* A conversion through another object ends with that object. */
static void convert_anothers(void)
{
	asked[2].base = 2;
	asked[2].handle = reader[1];
	asked[2].is_cut = 1;
	evlock_convert(lock[2], reader[1], EVLOCK_EXCLUSIVE, NULL, on_told, &asked[2]);
	turn(2);
	turn(2);
}

static void free_1_with_reader(void)
{
	asked[1].is_cut = 1;
	evlock_free(lock[1]);
	lock[1] = NULL;
	asked[2].by_another = 1;
	turn(1);
}

/* The lock begins to share the common mutex. */
static void first_owner_0(void)
{
	owner = evlock_owner_new(NULL);
	ASK(0, lock[0], 0, .owner = owner);
	turn(0);
	turn(0);
}

/* Another event makes the loop look whether anything is still waited for. */
static void ask_another_1(void) { ASK(1, other[1], 3); turn(1); turn(1); }

static void ask_another_watching_1(void) { ask_another_1(); unwatch_1(); }

static void held_by_one_of_two(void)
{
	evlock_free(lock[2]);
	lock[2] = NULL;
	held_and_one_waits();
}

static evlock_handle held_other;
static void let_other_go(void) { release(other[2], held_other); turn(2); }

/* The loop is no longer kept alive when a letter for it arrives. */
static void watched_and_one_waits_for_another(void)
{
	held_and_watched();
	held_other = evlock_acquire_nowait(other[2], EVLOCK_EXCLUSIVE);
	ASK(1, other[1], 1);
}

static void turn_and_ask_another_watching_1(void) { turn(1); ask_another_watching_1(); }

/* The loop is woken for another lock, while that lock stops being shared. */
static void held_by_one_of_two_and_another_watched(void)
{
	held_by_one_of_two();
	held_other = evlock_acquire_nowait(other[2], EVLOCK_EXCLUSIVE);
	watch = event_new(base[1], -1, 0, on_watch, NULL);
	MUST(evlock_notify(other[1], EVLOCK_SHARED, watch) == 0);
}

static void unwatch_another_1(void)
{
	turn(1);
	MUST(evlock_unnotify(other[1], watch) == 0);
	event_free(watch);
	watch = NULL;
	turn(1);
}

static void turn_2(void) { turn(2); }
static void nothing(void) {}

static const struct scene {
	const char *name;
	void (*before)(void);
	void (*part[ACTORS])(void);
} scene[] = {
	{ "release against withdraw", held_and_one_waits, { let_go, withdraw_own, ask_2 } },
	{ "release against another's withdraw", held_and_one_waits, { let_go, turn_1, withdraw_anothers } },
	{ "free against grant", held_and_one_waits, { let_go, free_1, ask_2 } },
	{ "end of all objects against grant", held_and_one_waits, { let_go, free_both_1, ask_2 } },
	{ "end of a loop against grant", held_and_one_waits, { let_go, ask_another_1, ask_2 } },
	{ "end of a loop against a foreign letter", held_and_watched, { let_go,
	    ask_another_watching_1, nothing } },
	{ "end of a loop's wait against a foreign letter", watched_and_one_waits_for_another, {
	    let_go, turn_and_ask_another_watching_1, let_other_go } },
	{ "end of a loop against a letter and the end of sharing", held_by_one_of_two_and_another_watched, {
	    free_0, unwatch_another_1, let_other_go } },
	{ "end of a loop against the end of sharing", held_by_one_of_two, { free_0, turn_1, turn_2 } },
	{ "close against acquire", only_held, { close_0, ask_1, nowait_2 } },
	{ "timeout against grant", held_and_one_with_a_timeout, { let_go, turn_1, ask_2 } },
	{ "share against free", only_held, { free_0, share_and_free_1, ask_2 } },
	{ "notify against unnotify", held_and_watched, { let_go, unwatch_1, nowait_2 } },
	{ "end of an owner against grant", held_and_owner_waits, { let_go, end_owner_1, ask_other_2 } },
	{ "set against single", held_and_a_set, { let_go, ask_set_1, ask_other_2 } },
	{ "end of a member against grant", held_and_a_set, { let_go, free_member_1, ask_other_2 } },
	{ "retired key against acquire", held_key, { let_key_go, ask_key_1, ask_key_2 } },
	{ "end of a table against acquire", held_key, { let_key_go, ask_key_1, free_table_2 } },
	{ "convert against release", two_readers, { let_reader_go, convert_1, ask_2 } },
	{ "convert against the end of the handle", two_readers, { let_reader_go, free_1_with_reader,
	    convert_anothers } },
	{ "first owner against acquire", nothing, { first_owner_0, ask_1, ask_2 } },
	{ "four that acquire and leave", held_and_one_waits, { let_go, withdraw_own, ask_2, close_0 } },
};

/* --- Playing ---------------------------------------------------------------------------- */

static void
set_stage(const struct scene *s)
{
	unsigned i;

	memset(asked, 0, sizeof asked);
	held = 0;
	n_in[0] = n_in[1] = n_watched = 0;
	for (i = 0; i < 3; i++) {
		lock[i] = i ? evlock_share(lock[0], base[i]) : evlock_new(base[0], &shared);
		other[i] = i ? evlock_share(other[0], base[i]) : evlock_new(base[0], &shared);
		MUST(lock[i] && other[i]);
	}
	for (i = 0; i < 3 && s->before == held_key; i++)
		table[i] = i ? evlock_table_share(table[0], base[i]) : evlock_table_new(base[0], &shared);
	s->before();
}

/* An exclusive hold ended when its object was freed, or lasts to the end. */
static void
check_lock(struct evlock *l)
{
	unsigned m;

	if (!l)
		return;
	MUST(evlock_waiting(l) == 0);
	for (m = 0; m < 4; m++)
		MUST(evlock_held(l, m) == 0);
}

static void
check_asks(void)
{
	unsigned i;

	for (i = 0; i < ASKS; i++) {
		const struct ask *a = &asked[i];

		if (!a->handle || a->is_cut)
			continue;
		if (!a->is_withdrawn)
			MUST(a->n_told == 1);
		else if (a->by_another)
			MUST(!a->n_told || !a->error);
		else
			MUST(!a->n_told);
	}
}

static void
clear_stage(const struct scene *s)
{
	unsigned i, n;

	if (s->part[0] == close_0 || s->part[0] == let_go || s->part[0] == free_0)
		if (lock[0] && evlock_mode_of(lock[0], held) >= 0)
			release(lock[0], held);
	for (n = 0; n < 4; n++)
		for (i = 0; i < 3; i++)
			turn(i);
	for (i = 0; i < 3; i++)
		MUST(event_base_loop(base[i], EVLOOP_NONBLOCK) == 1);
	check_asks();
	for (i = 0; i < 3; i++) {
		check_lock(lock[i]);
		check_lock(other[i]);
		MUST(!table[i] || evlock_table_count(table[i]) == 0);
	}
	evlock_owner_free(owner);
	owner = NULL;
	evlock_free(set);
	set = NULL;
	for (i = 0; i < 3; i++) {
		evlock_free(lock[i]);
		evlock_free(other[i]);
		evlock_table_free(table[i]);
		table[i] = NULL;
	}
}

static void
perform(const struct scene *s)
{
	unsigned long n = 0;
	unsigned i;

	scene_name = s->name;
	n_actors = s->part[3] ? 4 : 3;
	for (i = 0; i < n_actors; i++)
		actor[i].part = s->part[i];
	length = 0;
	do {
		set_stage(s);
		play();
		clear_stage(s);
		n++;
	} while (next_row());
	fprintf(stderr, "# %s: %lu schedules\n", s->name, n);
}

static void
perform_all(void)
{
	unsigned i;

	is_long = must_size() == 2;
	must_tell_story = tell_scene;
	MUST(evthread_use_pthreads() == 0);
	sem_init(&play_is_over, 0, 0);
	for (i = 0; i < ACTORS; i++) {
		base[i] = event_base_new();
		sem_init(&actor[i].go, 0, 0);
		MUST(pthread_create(&actor[i].id, NULL, act, &actor[i]) == 0);
	}
	for (has_bells = 0; has_bells < 2; has_bells++)
		for (i = 0; i < sizeof scene / sizeof scene[0]; i++)
			perform(&scene[i]);
	for (i = 0; i < ACTORS; i++) {
		actor[i].part = NULL;
		sem_post(&actor[i].go);
		pthread_join(actor[i].id, NULL);
		event_base_free(base[i]);
	}
}

Test(schedules, all, .timeout = 3600)
{
	perform_all();
	cr_assert_eq(n_in[0] + n_in[1], 0);
}
