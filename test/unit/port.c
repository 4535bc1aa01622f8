/* SPDX-License-Identifier: BSD-3-Clause */

/* Delivery: the order in which one base's callbacks run, how many run between two looks at its
 * descriptors and timers, and what keeps its loop alive. */

#include <unistd.h>

#include "loop/port.h"

#include "../shim.h"
#include "../util.h"

/* --- The order ------------------------------------------------------------ */

LockTest(port, order_of_the_grants)
{
	struct evlock *other = evlock_new(base, NULL);
	evlock_handle held = hold(lock, X), other_held = hold(other, X);

	ask(lock, "waits 1", S);
	ask(other, "waits 2", S);
	ask(other, "waits 3", S);
	drop(other, other_held);
	drop(lock, held);
	ask(other, "free 4", S);
	ask(lock, "free 5", S);
	cr_assert_str_eq(run(), "waits 2 waits 3 waits 1 free 4 free 5");
	evlock_free(other);
}

LockTest(port, order_of_the_grants_in_callbacks)
{
	struct evlock *l[3];
	unsigned i;

	for (i = 0; i < 3; i++) {
		l[i] = evlock_new(base, NULL);
		hold(l[i], N);
	}
	ask_then(l[0], "a", X, note_and_drop);
	ask_then(l[0], "b", X, note_and_drop);
	ask_then(l[1], "c", X, note_and_drop);
	ask_then(l[2], "d", X, note_and_drop);
	ask_then(l[1], "e", X, note_and_drop);
	/* a, c and d were granted first; a's release granted b, and c's granted e */
	cr_assert_str_eq(run(), "a c d b e");
	for (i = 0; i < 3; i++)
		evlock_free(l[i]);
}

LockTest(port, order_of_conversions_and_acquisitions)
{
	struct evlock *other = evlock_new(base, NULL);
	evlock_handle held = hold(lock, X);

	ask(other, "1", X);
	convert(lock, "2", held, S);
	ask(lock, "3", S);
	cr_assert_str_eq(run(), "1 2 3");
	evlock_free(other);
}

LockTest(port, of_another_base_is_left_alone)
{
	struct event_base *other_base = event_base_new();
	struct evlock *other = evlock_new(other_base, NULL);

	ask(other, "there", X);
	ask(lock, "here", X);
	cr_assert_str_eq(run(), "here");
	event_base_dispatch(other_base);
	cr_assert_str_eq(told(), "there");
	evlock_free(other);
	event_base_free(other_base);
}

/* --- event_base_loopbreak() ----------------------------------------------- */

static void
break_loop(struct evlock *l, evlock_handle handle, int error, void *who)
{
	note(l, handle, error, who);
	event_base_loopbreak(evlock_get_base(l));
}

LockTest(port, loopbreak_keeps_the_next_from_running)
{
	ask(lock, "a", S);
	ask_then(lock, "b", S, break_loop);
	ask(lock, "c", S);
	ask_then(lock, "d", S, break_loop);
	ask(lock, "e", S);
	cr_assert_str_eq(run(), "a b");
	cr_assert_str_eq(run(), "c d");
	cr_assert_str_eq(run(), "e");
}

LockTest(port, loopbreak_in_each_of_many)
{
	unsigned i, n = 3 * EVL_BUDGET;

	for (i = 0; i < n; i++)
		ask_then(lock, "a", S, break_loop);
	for (i = 0; i < n; i++)
		cr_assert_str_eq(run(), "a", "turn %u", i);
	cr_assert_str_eq(run(), "");
}

LockTest(port, loopbreak_and_the_last_lock_freed)
{
	ask_then(lock, "a", S, break_loop);
	ask(lock, "b", S);
	cr_assert_str_eq(run(), "a");
	evlock_free(lock);
	cr_assert_str_eq(told(), "b:ECANCELED");
	lock = evlock_new(base, NULL);
	ask(lock, "c", S);
	cr_assert_str_eq(run(), "c");
}

static void
break_and_free(struct evlock *l, evlock_handle handle, int error, void *who)
{
	break_loop(l, handle, error, who);
	evlock_free(l);
}

LockTest(port, loopbreak_and_free_in_one_callback)
{
	struct evlock *other = evlock_new(base, NULL);

	ask_then(other, "a", S, break_and_free);
	ask(lock, "b", S);
	cr_assert_str_eq(run(), "a");
	cr_assert_str_eq(run(), "b");
}

/* --- What keeps the loop alive -------------------------------------------- */

LockTest(port, waiting_does_not_keep_the_loop_alive)
{
	hold(lock, X);
	ask(lock, "a", X);
	cr_assert_eq(event_base_dispatch(base), 1, "1: no events");
	cr_assert_eq(evlock_waiting(lock), 1);
}

LockTest(port, holding_does_not_keep_the_loop_alive)
{
	ask(lock, "a", X);
	cr_assert_eq(event_base_dispatch(base), 1);
	cr_assert_eq(event_base_dispatch(base), 1);
	cr_assert_str_eq(told(), "a");
}

LockTest(port, a_timeout_keeps_the_loop_alive)
{
	hold(lock, X);
	ask_for(lock, "a", X, 20);
	cr_assert_str_eq(run(), "a:ETIMEDOUT");
}

LockTest(port, a_lock_does_not_keep_the_loop_alive)
{
	cr_assert_eq(event_base_dispatch(base), 1);
}

LockTest(port, a_callback_that_is_due_keeps_the_loop_alive)
{
	unsigned i;

	for (i = 0; i < 10 * EVL_BUDGET; i++)
		ask(lock, "a", S);
	run();
	cr_assert_eq(evlock_held(lock, S), 10 * EVL_BUDGET);
	ask(lock, "last", S);
	cr_assert_str_eq(run(), "last");
}

/* --- The budget ----------------------------------------------------------- */

static unsigned n_counted;

static void
count(struct evlock *l, evlock_handle handle, int error, void *arg)
{
	(void)l;
	(void)handle;
	(void)arg;
	n_counted += !error;
}

/* Returns how many of `n` callbacks run in a loop that looks at its descriptors once. */
static unsigned
count_of_one_look(unsigned n)
{
	n_counted = 0;
	while (n-- > 0)
		evlock_acquire(lock, N, NULL, count, NULL);
	event_base_loop(base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
	return n_counted;
}

/* Little of the budget is left when a look brings a new one.  What is left is part of the new
 * budget. */
LockTest(port, budget_that_is_left_is_part_of_the_new_one)
{
	cr_assert_eq(count_of_one_look(EVL_BUDGET - 4), EVL_BUDGET - 4);
	cr_assert_eq(count_of_one_look(3 * EVL_BUDGET), EVL_BUDGET);
	evlock_free(lock);
	lock = evlock_new(base, NULL);
	cr_assert_eq(count_of_one_look(1), 1);
}

/* Counts the callbacks of a chain that goes on for ever. */
static unsigned n_run, n_when_due, longest;
static unsigned due_at;
static int ends[2];
static struct event *due;

static int
is_counted(int error)
{
	if (error == ECANCELED)	/* evlock_free() cancels it at the end */
		return 0;
	n_run++;
	if (n_run == due_at) {
		n_when_due = n_run;
		if (ends[1])
			cr_assert_eq(write(ends[1], "x", 1), 1);
		else
			event_add(due, &(struct timeval){ 0, 0 });
	}
	cr_assert(!due_at || n_run <= due_at + 10 * EVL_BUDGET, "starved");
	return 1;
}

/* Every so often, at a different point of the budget. */
static void
on_due(evutil_socket_t fd, short what, void *arg)
{
	char c;

	(void)arg;
	if (what & EV_READ)
		cr_assert_eq(read(fd, &c, 1), 1);
	if (n_run - n_when_due > longest)
		longest = n_run - n_when_due;
	due_at = n_run + 1 + n_run % 7 * 31;
	if (n_run > scaled(20000))
		event_base_loopbreak(base);
}

/* A callback is always due.  How many callbacks run before the next due event? */
static void
check_longest_wait(const char *what)
{
	due_at = 1;
	event_base_dispatch(base);
	cr_assert_gt(n_run, scaled(20000));
	cr_assert_leq(longest, EVL_BUDGET, "%u callbacks ahead of %s", longest, what);
	cr_assert_geq(longest, EVL_BUDGET / 2, "is this test one of a busy loop?");
	event_free(due);
}

static void
check_descriptor_is_served(void)
{
	cr_assert_eq(pipe(ends), 0);
	due = event_new(base, ends[0], EV_READ | EV_PERSIST, on_due, NULL);
	event_add(due, NULL);
	check_longest_wait("a descriptor");
	close(ends[0]);
	close(ends[1]);
}

static void
check_timer_is_served(void)
{
	ends[1] = 0;
	due = event_new(base, -1, 0, on_due, NULL);
	check_longest_wait("a timer");
}

static void
release_and_acquire(struct evlock *l, evlock_handle handle, int error, void *arg)
{
	if (!is_counted(error))
		return;
	drop(l, handle);
	evlock_acquire(l, X, NULL, release_and_acquire, arg);
}

LockTest(port, chain_lets_a_descriptor_in)
{
	evlock_acquire(lock, X, NULL, release_and_acquire, NULL);
	check_descriptor_is_served();
}

LockTest(port, chain_lets_a_timer_in)
{
	evlock_acquire(lock, X, NULL, release_and_acquire, NULL);
	check_timer_is_served();
}

LockTest(port, chain_of_many_waiters_lets_a_descriptor_in)
{
	unsigned i;

	for (i = 0; i < 1000; i++)
		evlock_acquire(lock, X, NULL, release_and_acquire, NULL);
	check_descriptor_is_served();
}

LockTest(port, chains_on_many_locks_let_a_descriptor_in)
{
	struct evlock *l[50];
	unsigned i;

	for (i = 0; i < 50; i++) {
		l[i] = evlock_new(base, NULL);
		evlock_acquire(l[i], X, NULL, release_and_acquire, NULL);
	}
	check_descriptor_is_served();
	for (i = 0; i < 50; i++)
		evlock_free(l[i]);
}

static void
use_and_ask_again(struct evlock *l, evlock_handle handle, int error, void *arg)
{
	(void)handle;
	if (is_counted(error))
		evlock_with(l, X, NULL, use_and_ask_again, arg);
}

LockTest(port, chain_of_with_lets_a_descriptor_in)
{
	evlock_with(lock, X, NULL, use_and_ask_again, NULL);
	check_descriptor_is_served();
}

static void
convert_again(struct evlock *l, evlock_handle handle, int error, void *arg)
{
	unsigned mode;

	if (!is_counted(error))
		return;
	mode = evlock_mode_of(l, handle) == X ? S : X;
	evlock_convert(l, handle, mode, NULL, convert_again, arg);
}

LockTest(port, chain_of_conversions_lets_a_descriptor_in)
{
	evlock_convert(lock, hold(lock, X), S, NULL, convert_again, NULL);
	check_descriptor_is_served();
}

static void
release_and_share(struct evlock *l, evlock_handle handle, int error, void *arg)
{
	if (!is_counted(error))
		return;
	drop(l, handle);
	evlock_acquire(l, S, NULL, release_and_share, arg);
}

/* When the writer has released, all readers are granted together. */
LockTest(port, herd_lets_a_descriptor_in)
{
	unsigned i;

	evlock_acquire(lock, X, NULL, release_and_acquire, NULL);
	for (i = 0; i < 500; i++)
		evlock_acquire(lock, S, NULL, release_and_share, NULL);
	check_descriptor_is_served();
}

static void
count_failure(struct evlock *l, evlock_handle handle, int error, void *arg)
{
	(void)l;
	(void)handle;
	(void)arg;
	cr_assert_eq(error, ECANCELED);
	is_counted(0);
}

LockTest(port, many_failures_let_a_descriptor_in)
{
	struct evlock *l = evlock_new(base, NULL);
	unsigned i;

	hold(l, X);
	for (i = 0; i < scaled(20000) + 10 * EVL_BUDGET; i++)
		evlock_acquire(l, X, NULL, count_failure, NULL);
	evlock_close(l);
	check_descriptor_is_served();
	due_at = 0;
	evlock_free(l);
}
