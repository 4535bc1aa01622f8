/* SPDX-License-Identifier: BSD-3-Clause */

/* After fork(): the parent continues.  The child frees its locks and disturbs nothing. */

#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../shim.h"
#include "../util.h"

static void
free_value(void *value)
{
	*(int *)value = 1;
}

/* In a child: frees `l`, and its base as well if it is the last one.  Checks that no
 * callback runs there, and that no memory is left. */
static void
check_child_frees(struct evlock *l, int is_last)
{
	int status;
	pid_t pid = fork();

	cr_assert_geq(pid, 0);
	if (pid == 0) {
		told();
		evlock_free(l);
		if (is_last)
			event_base_free(base);
		_exit(told()[0] ? 1 : is_last && memory.live ? 2 : 0);
	}
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_assert_neq(status, 1 << 8, "a callback ran");
	cr_assert_neq(status, 2 << 8, "memory is left");
	cr_assert_eq(status, 0);
}

LockTest(fork, child_frees_what_waits)
{
	evlock_handle held = hold(lock, X), a;

	a = ask(lock, "a", S);
	ask_for(lock, "b", S, 3600 * 1000);
	ASK(lock, "c", .mode = S, .handle = EVLOCK_HANDLE_FROM(&held));
	check_child_frees(lock, 1);
	cr_assert_str_eq(let_go(lock, held), "a b c");
	cr_assert_eq(evlock_mode_of(lock, a), S);
}

LockTest(fork, child_frees_what_was_granted)
{
	ask(lock, "a", S);
	ask(lock, "b", S);
	check_child_frees(lock, 1);
	cr_assert_str_eq(run(), "a b");
}

LockTest(fork, child_frees_what_failed)
{
	hold(lock, X);
	ask(lock, "a", X);
	ask(lock, "b", X);
	evlock_close(lock);
	check_child_frees(lock, 1);
	cr_assert_str_eq(run(), "a:ECANCELED b:ECANCELED");
}

LockTest(fork, child_frees_what_is_converted)
{
	evlock_handle a = hold(lock, S), b = hold(lock, S);

	convert(lock, "up", a, X);
	check_child_frees(lock, 1);
	cr_assert_str_eq(let_go(lock, b), "up");
}

LockTest(fork, child_frees_what_is_notified)
{
	struct event *ev = new_event("free");

	cr_assert_eq(evlock_notify(lock, X, ev), 0);
	check_child_frees(lock, 0);
	cr_assert_str_eq(run(), "free");
	cr_assert_eq(evlock_unnotify(lock, ev), 0);
	event_free(ev);
}

LockTest(fork, child_frees_one_of_two)
{
	struct evlock *other = evlock_new(base, NULL);

	hold(lock, X);
	ask(other, "a", X);
	ask_for(lock, "b", X, 1);
	check_child_frees(lock, 0);
	cr_assert_str_eq(run(), "a b:ETIMEDOUT");
	evlock_free(other);
}

LockTest(fork, child_frees_the_value_of_its_own)
{
	int value = 0;
	struct evlock *l = evlock_new(base,
	    &(struct evlock_options){ .value = &value, .free_value = free_value });

	hold(l, X);
	check_child_frees(l, 0);
	cr_assert_eq(value, 0);
	cr_assert_eq(evlock_locked(l), X);
	evlock_free(l);
	cr_assert_eq(value, 1);
}

static void
fork_in_callback(struct evlock *l, evlock_handle handle, int error, void *who)
{
	check_child_frees(l, 0);
	note(l, handle, error, who);
}

LockTest(fork, in_a_callback)
{
	ask_then(lock, "a", S, fork_in_callback);
	ask(lock, "b", S);
	evlock_with(lock, S, NULL, fork_in_callback, (void *)(uintptr_t)"c");
	cr_assert_str_eq(run(), "a b c");
}

/* A child whose base and locks are its own is a process like any other. */
LockTest(fork, child_makes_its_own)
{
	int status;
	pid_t pid;

	hold(lock, X);
	pid = fork();
	if (pid == 0) {
		evlock_free(lock);
		event_base_free(base);
		base = event_base_new();
		lock = evlock_new(base, NULL);
		ask(lock, "a", X);
		ask(lock, "b", X);
		if (strcmp(run(), "a"))
			_exit(1);
		evlock_free(lock);
		event_base_free(base);
		_exit(strcmp(told(), "b:ECANCELED") != 0);
	}
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_assert_eq(status, 0);
}
