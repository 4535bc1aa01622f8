/* SPDX-License-Identifier: BSD-3-Clause */

/* evlock_base_set_priority() and evlock_base_end(): the priority of a base at which callbacks run.
 * share.c tests what other threads send. */

#include <limits.h>
#include <unistd.h>

#include "../shim.h"
#include "../util.h"

static void
set_priority(int priority)
{
	cr_assert_eq(evlock_base_set_priority(base, priority), 0, "%s", strerror(errno));
}

static void
have_priorities(int n)
{
	cr_assert_eq(event_base_priority_init(base, n), 0);
}

/* Makes `lock` again, when the base has `n` priorities. */
static void
make_lock_with(int n)
{
	evlock_free(lock);
	have_priorities(n);
	lock = evlock_new(base, NULL);
	cr_assert_not_null(lock);
}

/* Makes an active event that records its priority when it runs. */
static struct event *
activate(const char *name, int priority)
{
	struct event *ev = new_event(name);

	cr_assert_eq(event_priority_set(ev, priority), 0);
	event_active(ev, EV_TIMEOUT, 0);
	return ev;
}

/* Returns the order in which a due callback and events of the priorities 1 and 3 run. */
static const char *
order(void)
{
	struct event *one, *three;
	const char *words;

	ask_then(lock, "lock", X, note_and_drop);
	three = activate("3", 3);
	one = activate("1", 1);
	words = run();
	event_free(three);
	event_free(one);
	return words;
}

/* The order when callbacks have priority 0, 2 or 4. */
static const char highest[] = "lock 1 3", middle[] = "1 lock 3", lowest[] = "1 3 lock";

/* --- Which priority it is ---------------------------------------------------- */

LockTest(priority, is_the_middle_one_by_default)
{
	make_lock_with(5);
	cr_assert_str_eq(order(), middle);
}

LockTest(priority, is_the_default_of_the_base_as_it_is)
{
	have_priorities(5);
	cr_assert_str_eq(order(), middle);
	have_priorities(9);
	cr_assert_str_eq(order(), lowest);
}

LockTest(priority, is_the_one_that_was_set)
{
	have_priorities(5);
	set_priority(4);
	cr_assert_str_eq(order(), lowest);
	set_priority(0);
	cr_assert_str_eq(order(), highest);
	set_priority(2);
	cr_assert_str_eq(order(), middle);
	evlock_base_end(base);
}

LockTest(priority, is_set_before_the_base_has_it)
{
	set_priority(4);
	cr_assert_str_eq((ask_then(lock, "lock", X, note_and_drop), run()), "lock");
	have_priorities(5);
	cr_assert_str_eq(order(), lowest);
	evlock_base_end(base);
}

LockTest(priority, is_set_before_the_first_lock)
{
	evlock_free(lock);
	lock = NULL;
	set_priority(0);
	make_lock_with(5);
	cr_assert_str_eq(order(), highest);
	evlock_base_end(base);
}

LockTest(priority, outlives_the_locks)
{
	set_priority(4);
	make_lock_with(5);
	cr_assert_str_eq(order(), lowest);
	evlock_base_end(base);
}

LockTest(priority, is_of_one_base)
{
	struct event_base *other = event_base_new();

	cr_assert_eq(evlock_base_set_priority(other, 0), 0);
	have_priorities(5);
	set_priority(4);
	cr_assert_str_eq(order(), lowest);
	evlock_base_end(other);
	cr_assert_str_eq(order(), lowest);
	evlock_base_end(base);
	event_base_free(other);
}

LockTest(priority, too_low_is_the_lowest)
{
	set_priority(INT_MAX);
	cr_assert_str_eq((ask_then(lock, "lock", X, note_and_drop), run()), "lock");
	have_priorities(5);
	cr_assert_str_eq(order(), lowest);
	set_priority(5);
	cr_assert_str_eq(order(), lowest);
	evlock_base_end(base);
}

/* --- Ending the setting ------------------------------------------------------- */

LockTest(priority, ends_with_the_base)
{
	have_priorities(5);
	set_priority(4);
	evlock_base_end(base);
	cr_assert_str_eq(order(), middle, "for an existing lock");
	make_lock_with(5);
	cr_assert_str_eq(order(), middle, "for a new lock");
}

LockTest(priority, nothing_to_end)
{
	struct event_base *other = event_base_new();

	evlock_base_end(base);
	evlock_base_end(other);
	evlock_base_end(NULL);
	set_priority(0);
	evlock_base_end(base);
	evlock_base_end(base);
	event_base_free(other);
}

/* --- Priorities that cannot be set ---------------------------------------------- */

LockTest(priority, bad)
{
	have_priorities(5);
	set_priority(4);
	assert_fails(evlock_base_set_priority(base, -1), EINVAL);
	assert_fails(evlock_base_set_priority(base, INT_MIN), EINVAL);
	assert_fails(evlock_base_set_priority(NULL, 0), EINVAL);
	cr_assert_str_eq(order(), lowest);
	evlock_base_end(base);
}

LockTest(priority, without_memory)
{
	have_priorities(5);
	memory.first_bad = memory.last_bad = memory.made + 1;
	assert_fails(evlock_base_set_priority(base, 4), ENOMEM);
	cr_assert_str_eq(order(), middle);
	set_priority(4);
	memory.first_bad = memory.made + 1;
	memory.last_bad = LONG_MAX;
	set_priority(0);
	memory.last_bad = 0;
	cr_assert_str_eq(order(), highest);
	evlock_base_end(base);
}

/* --- Fewer priorities than before ------------------------------------------------- */

LockTest(priority, fewer_before_a_callback)
{
	make_lock_with(8);
	have_priorities(2);
	ask_then(lock, "lock", X, note_and_drop);
	cr_assert_str_eq(run(), "lock");
	set_priority(7);
	have_priorities(8);
	ask_then(lock, "lock", X, note_and_drop);
	cr_assert_str_eq(run(), "lock");
	have_priorities(1);
	ask_then(lock, "lock", X, note_and_drop);
	cr_assert_str_eq(run(), "lock");
	evlock_base_end(base);
}

LockTest(priority, fewer_before_a_timeout)
{
	make_lock_with(8);
	hold(lock, X);
	ask_for(lock, "a", X, 1);
	have_priorities(1);
	cr_assert_str_eq(run(), "a:ETIMEDOUT");
	ask_for(lock, "b", X, 1);
	cr_assert_str_eq(run(), "b:ETIMEDOUT");
}

/* --- The events behind the callbacks ----------------------------------------------- */

static unsigned n_told;

static void
count(struct evlock *l, evlock_handle handle, int error, void *arg)
{
	(void)l;
	(void)handle;
	(void)error;
	(void)arg;
	n_told++;
}

static void
ask_many(void)
{
	unsigned i;

	n_told = 0;
	for (i = 0; i < 300; i++)
		ask_then(lock, "", S, count);
}

/* More callbacks than one budget allows: the next budget arrives at priority 0, and the callbacks
 * run at theirs. */
static void
check_many(int priority, int n_priorities)
{
	make_lock_with(n_priorities);
	set_priority(priority);
	ask_many();
	cr_assert_str_eq(run(), "");
	cr_assert_eq(n_told, 300);
	evlock_base_end(base);
}

LockTest(priority, of_many) { check_many(2, 3); }
LockTest(priority, of_many_at_the_highest) { check_many(0, 3); }
LockTest(priority, of_many_in_a_base_with_one) { check_many(2, 1); }

LockTest(priority, fewer_before_a_new_budget)
{
	make_lock_with(8);
	ask_many();
	cr_assert_eq(event_base_loop(base, EVLOOP_ONCE), 0);
	cr_assert(n_told && n_told < 300);
	event_base_priority_init(base, 1);	/* may fail: an event is active */
	cr_assert_str_eq(run(), "");
	cr_assert_eq(n_told, 300);
}

static void
see_count(evutil_socket_t fd, short what, void *n)
{
	(void)fd;
	(void)what;
	*(unsigned *)n = n_told;
}

/* A timer of a higher priority does not wait for all due callbacks. */
LockTest(priority, higher_ones_come_in_between)
{
	unsigned n = UINT_MAX;
	struct event *between = event_new(base, -1, 0, see_count, &n);
	struct timeval now = { 0, 0 };

	make_lock_with(3);
	event_priority_set(between, 1);
	set_priority(2);
	ask_many();
	event_base_loop(base, EVLOOP_ONCE);
	event_add(between, &now);
	cr_assert_str_eq(run(), "");
	cr_assert_lt(n, 300);
	cr_assert_eq(n_told, 300);
	event_free(between);
	evlock_base_end(base);
}

static evlock_handle to_be_released;

static void
release_it(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
	drop(lock, to_be_released);
}

/* An expired timeout is noticed before an event of the callbacks' priority.  That event became
 * active earlier, and would grant the request. */
LockTest(priority, of_timeouts_is_the_highest)
{
	struct event *releaser = event_new(base, -1, 0, release_it, NULL);

	make_lock_with(3);
	event_priority_set(releaser, 1);
	to_be_released = hold(lock, X);
	ask_for(lock, "a", X, 1);
	usleep(5000);
	event_active(releaser, EV_TIMEOUT, 0);
	cr_assert_str_eq(run(), "a:ETIMEDOUT");
	event_free(releaser);
}
