/* SPDX-License-Identifier: BSD-3-Clause */

/* A deadlock generator: owners acquire, convert and release at random, one request at a time.  A
 * search of the test's own for wait cycles checks the library: a request gets EDEADLK exactly if
 * it would close a cycle.  Every run ends.
 *
 * EVLOCK_TEST_SEED=n repeats a run. */

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <event2/event.h>

#include <evlock/owner.h>

#include "../must.h"
#include "../shim.h"

#define OWNERS	6
#define LOCKS	4
#define HOLDS	8	/* the most for one owner */

/* Row m: the modes that exclude m, as in the table of evlock.h. */
static const unsigned conflicts[4] = { 1 << 3, 1 << 3, 1 << 2 | 1 << 3, 1 << 1 | 1 << 2 | 1 << 3 };

struct hold {
	unsigned lock, mode;
	evlock_handle handle;
};

/* The lock, or the conversion of a hold, that an owner waits for. */
struct wait {
	int is_waiting;
	struct hold want;
	int converts;		/* the number of the hold, or -1 */
	int is_ahead;		/* ahead of the queue */
	long order;		/* of arrival */
};

struct actor {
	struct evlock_owner *owner;
	struct hold hold[HOLDS];
	int n_holds;
	struct wait wait;
};

static struct event_base *base;
static struct evlock *lock[LOCKS];
static struct actor actor[OWNERS];
static long arrivals, n_refused, n_waited;
static uint64_t random_state;

static unsigned
draw(unsigned n)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return (unsigned)(random_state >> 33) % n;
}

static void
ignore(struct evlock *l, evlock_handle handle, int error, void *arg)
{
	(void)l;
	(void)handle;
	(void)arg;
	cr_assert_eq(error, 0);
}

/* --- Which owner waits for which, found without the library ----------------------- */

static int
holds_lock(const struct actor *a, unsigned l)
{
	int i;

	for (i = 0; i < a->n_holds; i++)
		if (a->hold[i].lock == l)
			return 1;
	return 0;
}

static int
is_kept_out_by(const struct actor *waiter, const struct actor *other)
{
	int i;

	for (i = 0; i < other->n_holds; i++)
		if (other->hold[i].lock == waiter->wait.want.lock &&
		    conflicts[waiter->wait.want.mode] >> other->hold[i].mode & 1)
			return 1;
	return 0;
}

static int
stands_behind(const struct actor *waiter, const struct actor *other)
{
	const struct wait *w = &waiter->wait, *o = &other->wait;

	if (!o->is_waiting || o->want.lock != w->want.lock || w->is_ahead)
		return 0;
	return o->is_ahead || o->order < w->order;
}

static int
waits_for(unsigned from, unsigned to)
{
	const struct actor *waiter = &actor[from], *other = &actor[to];

	return from != to && waiter->wait.is_waiting &&
	    (is_kept_out_by(waiter, other) || stands_behind(waiter, other));
}

static int
reaches(unsigned from, unsigned to, unsigned *seen)
{
	unsigned next;

	*seen |= 1u << from;
	for (next = 0; next < OWNERS; next++)
		if (waits_for(from, next) &&
		    (next == to || (!(*seen >> next & 1) && reaches(next, to, seen))))
			return 1;
	return 0;
}

static int
is_in_cycle(unsigned who)
{
	unsigned seen = 0;

	return reaches(who, who, &seen);
}

static void
check_no_cycle(void)
{
	unsigned who;

	for (who = 0; who < OWNERS; who++)
		cr_assert(!is_in_cycle(who), "owner %u waits for itself", who);
}

/* --- Results of the library --------------------------------------------------------- */

/* A grant is decided before its callback runs; the handle shows it. */
static int
is_granted(const struct wait *w)
{
	return evlock_mode_of(lock[w->want.lock], w->want.handle) == (int)w->want.mode;
}

static void
note_grants(void)
{
	unsigned who;

	for (who = 0; who < OWNERS; who++) {
		struct actor *a = &actor[who];

		if (!a->wait.is_waiting || !is_granted(&a->wait))
			continue;
		if (a->wait.converts >= 0)
			a->hold[a->wait.converts].mode = a->wait.want.mode;
		else
			a->hold[a->n_holds++] = a->wait.want;
		a->wait.is_waiting = 0;
	}
}

/* The request that `a->wait` describes has been made; this is its result. */
static void
note_answer(struct actor *a, int is_refused)
{
	a->wait.order = arrivals++;
	a->wait.is_waiting = 1;
	if (is_refused) {
		cr_assert_eq(errno, EDEADLK);
		cr_assert(is_in_cycle((unsigned)(a - actor)), "refused, and there is no cycle");
		a->wait.is_waiting = 0;
		n_refused++;
	}
	note_grants();
	n_waited += a->wait.is_waiting;
	check_no_cycle();
}

/* --- Operations of owners ------------------------------------------------------------- */

static void
acquire(struct actor *a)
{
	struct evlock_request q = { 0 };
	unsigned l = draw(LOCKS);

	if (a->n_holds == HOLDS)
		return;
	q.mode = draw(4);
	q.owner = a->owner;
	q.cb = ignore;
	a->wait.want.lock = l;
	a->wait.want.mode = q.mode;
	a->wait.converts = -1;
	a->wait.is_ahead = holds_lock(a, l);
	a->wait.want.handle = evlock_acquire_request(lock[l], &q);
	note_answer(a, !a->wait.want.handle);
}

static void
convert(struct actor *a)
{
	int i, error;

	if (!a->n_holds)
		return;
	i = (int)draw((unsigned)a->n_holds);
	a->wait.want = a->hold[i];
	a->wait.want.mode = draw(4);
	a->wait.converts = i;
	a->wait.is_ahead = 1;
	error = evlock_convert(lock[a->wait.want.lock], a->wait.want.handle, a->wait.want.mode,
	    NULL, ignore, NULL);
	if (!error || errno != EBUSY)
		note_answer(a, error);
}

static void
release(struct actor *a)
{
	struct hold h;
	int i;

	if (!a->n_holds)
		return;
	i = (int)draw((unsigned)a->n_holds);
	h = a->hold[i];
	a->hold[i] = a->hold[--a->n_holds];
	cr_assert_eq(evlock_release(lock[h.lock], h.handle), 0);
	note_grants();
}

static void
step(struct actor *a)
{
	if (a->wait.is_waiting)
		return;
	switch (draw(8)) {
	case 0: case 1: case 2: case 3:
		acquire(a);
		break;
	case 4:
		convert(a);
		break;
	case 5: case 6:
		release(a);
		break;
	default:
		event_base_loop(base, EVLOOP_NONBLOCK);
	}
}

/* Owners that wait for nothing release everything, until no owner waits. */
static void
end_run(void)
{
	unsigned who, round;

	for (round = 0; round <= OWNERS; round++)
		for (who = 0; who < OWNERS; who++) {
			if (actor[who].wait.is_waiting)
				continue;
			evlock_owner_release_all(actor[who].owner);
			actor[who].n_holds = 0;
			note_grants();
		}
	for (who = 0; who < OWNERS; who++)
		cr_assert(!actor[who].wait.is_waiting, "owner %u waits for ever", who);
	for (who = 0; who < LOCKS; who++)
		cr_assert(!evlock_locked(lock[who]) && !evlock_waiting(lock[who]));
}

static void
start(void)
{
	unsigned i;

	random_state = must_seed() * 2862933555777941757u + 1;
	base = event_base_new();
	for (i = 0; i < LOCKS; i++)
		lock[i] = evlock_new(base, NULL);
	for (i = 0; i < OWNERS; i++)
		actor[i].owner = evlock_owner_new(NULL);
}

static void
stop(void)
{
	unsigned i;

	for (i = 0; i < OWNERS; i++)
		evlock_owner_free(actor[i].owner);
	for (i = 0; i < LOCKS; i++)
		evlock_free(lock[i]);
	event_base_free(base);
}

Test(deadlocks, are_found_and_no_others, .timeout = 150)
{
	int run, i, n_runs = (int)must_times(100, 5000, 5000);

	start();
	for (run = 0; run < n_runs; run++) {
		for (i = 0; i < 100; i++)
			step(&actor[draw(OWNERS)]);
		end_run();
	}
	event_base_loop(base, EVLOOP_NONBLOCK);
	stop();
	fprintf(stderr, "# %ld requests waited, %ld were refused\n", n_waited, n_refused);
	cr_assert(n_refused > n_runs / 10 && n_waited > n_runs);
}
