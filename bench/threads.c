/* SPDX-License-Identifier: BSD-3-Clause */

/* What a lock of two threads costs, each with a loop of its own, beside what threads
 * have without loops: pthread_rwlock, pthread_mutex, and eventfds to wake each other by;
 * and beside loops without a lock.  main() sets up and joins; the threads share the lock,
 * and what it guards.
 *
 * usage: bench/threads evlock|rwlock|mutex|eventfd|libevent [W6[:TIMES]]
 */

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <event2/event.h>
#include <event2/thread.h>
#include <evlock/evlock.h>

#include "bench.h"

#define MOST_AT_ONCE 64		/* requests of each thread */

/** One request after the other. */
struct slot {
	struct side *side;
	unsigned mode;
	uint64_t asked;
};

/** One of the two threads, and what it alone uses. */
struct side {
	pthread_t thread;
	uint64_t random;
	long left;		/* requests to be made */
	uint64_t begun;
	uint64_t longest;	/* wait */
	int wakes;		/* the eventfd that it reads */
	struct side *other;
	struct event_base *base;
	struct evlock *lock;
	struct slot slot[MOST_AT_ONCE];
};

static struct side sides[2];
static pthread_barrier_t start;
static int is_timed;		/* are the waits measured? */

/** Guarded: they differ while somebody writes. */
static volatile long first, second;

static void
touch(unsigned mode)
{
	if (mode == EVLOCK_EXCLUSIVE) {
		first = first + 1;
		second = second + 1;
	} else
		bench_require(first == second, "W6: a reader saw a writer at work");
}

static unsigned
draw(struct side *side)
{
	return bench_is_tenth(&side->random) ? EVLOCK_EXCLUSIVE : EVLOCK_SHARED;
}

static uint64_t
look_at_clock(void)
{
	return is_timed ? bench_now() : 0;
}

static void
note_wait(struct side *side, uint64_t asked)
{
	uint64_t wait = look_at_clock() - asked;

	if (wait > side->longest)
		side->longest = wait;
}


/* --- Both threads, from one start ------------------------------------------ */

static void
begin(struct side *side)
{
	pthread_barrier_wait(&start);
	side->begun = bench_now();
}

/** Returns the nanoseconds by the piece, when both have done `n` pieces. */
static double
run_both(void *(*fn)(void *), long n)
{
	first = second = 0;
	for (int i = 0; i < 2; i++) {
		sides[i].left = n;
		sides[i].longest = 0;
		sides[i].random = (uint64_t)i + 6;
		bench_require(!pthread_create(&sides[i].thread, NULL, fn, &sides[i]), "no threads");
	}
	for (int i = 0; i < 2; i++)
		pthread_join(sides[i].thread, NULL);
	return (double)(bench_now() - sides[0].begun) / (2.0 * (double)n);
}

static void
measure(const char *param, void *(*fn)(void *), long n)
{
	bench_line("W6", param, run_both(fn, n), "ns/acq");
}

static void
measure_longest(void *(*fn)(void *), long n)
{
	is_timed = 1;
	run_both(fn, n);
	is_timed = 0;
	bench_line("W6longest", "wait", (double)(sides[0].longest > sides[1].longest
	    ? sides[0].longest : sides[1].longest), "ns");
}


/* --- evlock ------------------------------------------------------------------ */

static void
ask(struct slot *slot, unsigned mode, evlock_cb cb)
{
	slot->side->left--;
	slot->mode = mode;
	slot->asked = look_at_clock();
	bench_require(evlock_acquire(slot->side->lock, mode, NULL, cb, slot) != 0,
	    "W6: evlock_acquire");
}

static void
on_granted(struct evlock *lock, evlock_handle handle, int error, void *arg)
{
	struct slot *slot = arg;

	bench_require(!error, "W6: not granted");
	note_wait(slot->side, slot->asked);
	touch(slot->mode);
	evlock_release(lock, handle);
	if (slot->side->left > 0)
		ask(slot, draw(slot->side), on_granted);
}

static void
run_loop(struct side *side, unsigned at_once)
{
	begin(side);
	for (unsigned i = 0; i < at_once && side->left > 0; i++)
		ask(&side->slot[i], draw(side), on_granted);
	event_base_dispatch(side->base);
}

static void *
wait_for_one(void *arg)
{
	run_loop(arg, 1);
	return NULL;
}

static void *
wait_for_many(void *arg)
{
	run_loop(arg, MOST_AT_ONCE);
	return NULL;
}

static void *
try_evlock(void *arg)
{
	struct side *side = arg;

	begin(side);
	while (side->left-- > 0) {
		unsigned mode = draw(side);
		evlock_handle handle;

		while (!(handle = evlock_acquire_nowait(side->lock, mode)))
			sched_yield();
		touch(mode);
		evlock_release(side->lock, handle);
	}
	return NULL;
}

/** It asks again before it lets go, so that the other is always the next. */
static void
hand_over(struct evlock *lock, evlock_handle handle, int error, void *arg)
{
	struct slot *slot = arg;

	bench_require(!error, "W6: not handed over");
	touch(EVLOCK_EXCLUSIVE);
	if (slot->side->left > 0)
		ask(slot, EVLOCK_EXCLUSIVE, hand_over);
	evlock_release(lock, handle);
}

static void *
take_turns(void *arg)
{
	struct side *side = arg;

	ask(&side->slot[0], EVLOCK_EXCLUSIVE, hand_over);
	begin(side);	/* both are in the queue */
	event_base_dispatch(side->base);
	return NULL;
}

static void
open_lock(void)
{
	const struct evlock_options options = { .flags = EVLOCK_OPT_THREADSAFE };

	bench_require(!evthread_use_pthreads(), "evthread_use_pthreads");
	for (int i = 0; i < 2; i++) {
		sides[i].base = event_base_new();
		bench_require(sides[i].base != NULL, "event_base_new");
		sides[i].lock = i ? evlock_share(sides[0].lock, sides[i].base)
		    : evlock_new(sides[i].base, &options);
		bench_require(sides[i].lock != NULL, "no lock");
	}
}

static void
close_lock(void)
{
	bench_require(!evlock_locked(sides[0].lock) && !evlock_waiting(sides[0].lock),
	    "W6: the lock was not left free");
	for (int i = 0; i < 2; i++) {
		evlock_free(sides[i].lock);
		event_base_free(sides[i].base);
	}
}

static void
run_evlock(long n)
{
	open_lock();
	measure("try", try_evlock, n);
	measure("wait", wait_for_one, n / 10 + 1);
	measure("wait64", wait_for_many, n / 2 + 1);
	measure_longest(wait_for_many, n / 2 + 1);
	bench_line("W6handover", "2threads", run_both(take_turns, n / 20 + 1), "ns");
	close_lock();
}


/* --- pthread_rwlock and pthread_mutex ---------------------------------------- */

static pthread_rwlock_t rwlock = PTHREAD_RWLOCK_INITIALIZER;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

static int
lock_rwlock(unsigned mode)
{
	return mode == EVLOCK_EXCLUSIVE ? pthread_rwlock_wrlock(&rwlock)
	    : pthread_rwlock_rdlock(&rwlock);
}

static int
try_rwlock(unsigned mode)
{
	return mode == EVLOCK_EXCLUSIVE ? pthread_rwlock_trywrlock(&rwlock)
	    : pthread_rwlock_tryrdlock(&rwlock);
}

static int
unlock_rwlock(void)
{
	return pthread_rwlock_unlock(&rwlock);
}

static int
lock_mutex(unsigned mode)
{
	(void)mode;
	return pthread_mutex_lock(&mutex);
}

static int
try_mutex(unsigned mode)
{
	(void)mode;
	return pthread_mutex_trylock(&mutex);
}

static int
unlock_mutex(void)
{
	return pthread_mutex_unlock(&mutex);
}

static struct peer {
	int (*lock)(unsigned mode), (*try)(unsigned mode), (*unlock)(void);
} peer;

static void *
lock_peer(void *arg)
{
	struct side *side = arg;

	begin(side);
	while (side->left-- > 0) {
		unsigned mode = draw(side);
		uint64_t asked = look_at_clock();

		peer.lock(mode);
		note_wait(side, asked);
		touch(mode);
		peer.unlock();
	}
	return NULL;
}

static void *
try_peer(void *arg)
{
	struct side *side = arg;

	begin(side);
	while (side->left-- > 0) {
		unsigned mode = draw(side);

		while (peer.try(mode))
			sched_yield();
		touch(mode);
		peer.unlock();
	}
	return NULL;
}

static void
run_peer(long n)
{
	measure("try", try_peer, n);
	measure("wait", lock_peer, n);
	measure_longest(lock_peer, n);
}


/* --- An eventfd ---------------------------------------------------------------- */

static void
send_wake(struct side *side)
{
	const uint64_t one = 1;

	bench_require(write(side->wakes, &one, sizeof(one)) == sizeof(one), "W6: write");
}

static void *
wake_each_other(void *arg)
{
	struct side *side = arg;
	uint64_t n;

	begin(side);
	if (side == &sides[0])
		send_wake(side);
	while (side->left-- > 0) {
		bench_require(read(side->wakes, &n, sizeof(n)) == sizeof(n), "W6: read");
		send_wake(side->other);
	}
	return NULL;
}

static void
run_eventfd(long n)
{
	for (int i = 0; i < 2; i++)
		bench_require((sides[i].wakes = eventfd(0, 0)) >= 0, "eventfd");
	bench_line("W6handover", "2threads", run_both(wake_each_other, n / 20 + 1), "ns");
	close(sides[0].wakes);
	close(sides[1].wakes);
}


/* --- libevent, and no lock ------------------------------------------------------- */

static struct event *turn[2];

static void
on_turn(evutil_socket_t fd, short what, void *arg)
{
	struct side *side = arg;

	(void)fd;
	(void)what;
	if (side->left-- > 0)
		event_active(turn[side == &sides[0]], EV_TIMEOUT, 0);
	if (side->left <= 0)
		event_base_loopbreak(side->base);
}

static void *
turn_loop(void *arg)
{
	struct side *side = arg;

	begin(side);
	if (side == &sides[0])
		event_active(turn[0], EV_TIMEOUT, 0);
	event_base_loop(side->base, EVLOOP_NO_EXIT_ON_EMPTY);
	return NULL;
}

static void
run_libevent(long n)
{
	bench_require(!evthread_use_pthreads(), "evthread_use_pthreads");
	for (int i = 0; i < 2; i++) {
		sides[i].base = event_base_new();
		turn[i] = event_new(sides[i].base, -1, EV_PERSIST, on_turn, &sides[i]);
		bench_require(turn[i] != NULL, "event_new");
	}
	bench_line("W6handover", "2threads", run_both(turn_loop, n / 20 + 1), "ns");
	for (int i = 0; i < 2; i++) {
		event_free(turn[i]);
		event_base_free(sides[i].base);
	}
}


/* --- Which of them -------------------------------------------------------------- */

static const struct {
	const char *name, *full_name;
	struct bench_workload workload[2];
	struct peer peer;
} peers[] = {
	{ "evlock", "evlock", { { "W6", 2000000, run_evlock } }, { NULL, NULL, NULL } },
	{ "eventfd", "eventfd", { { "W6", 2000000, run_eventfd } }, { NULL, NULL, NULL } },
	{ "libevent", "libevent", { { "W6", 2000000, run_libevent } }, { NULL, NULL, NULL } },
	{ "rwlock", "pthread_rwlock", { { "W6", 2000000, run_peer } },
	  { lock_rwlock, try_rwlock, unlock_rwlock } },
	{ "mutex", "pthread_mutex", { { "W6", 2000000, run_peer } },
	  { lock_mutex, try_mutex, unlock_mutex } }
};

static void
set_up(void)
{
	pthread_barrier_init(&start, NULL, 2);
	for (int i = 0; i < 2; i++) {
		sides[i].other = &sides[!i];
		for (unsigned j = 0; j < MOST_AT_ONCE; j++)
			sides[i].slot[j].side = &sides[i];
	}
}

int
main(int argc, char **argv)
{
	set_up();
	for (size_t i = 0; argc > 1 && i < sizeof(peers) / sizeof(peers[0]); i++)
		if (!strcmp(argv[1], peers[i].name)) {
			peer = peers[i].peer;
			return bench_run(peers[i].full_name, peers[i].workload, argv + 2);
		}
	bench_die("usage: bench/threads evlock|rwlock|mutex|eventfd|libevent [W6[:TIMES]]");
	return 2;
}
