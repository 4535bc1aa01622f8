/* SPDX-License-Identifier: BSD-3-Clause */

/* evlock_notify() and evlock_unnotify(). */

#include <unistd.h>

#include "loop/port.h"

#include "../shim.h"
#include "../util.h"

static struct event *
notify(struct evlock *l, unsigned mode, const char *who)
{
	struct event *ev = new_event(who);

	cr_assert_eq(evlock_notify(l, mode, ev), 0);
	return ev;
}

static void
unnotify(struct evlock *l, struct event *ev)
{
	cr_assert_eq(evlock_unnotify(l, ev), 0);
	event_free(ev);
}

/* --- When the event is activated ------------------------------------------ */

LockTest(notify, at_once_if_it_is_free)
{
	struct event *ev = notify(lock, X, "free");

	cr_assert_str_eq(told(), "");
	cr_assert_str_eq(run(), "free");
	cr_assert_str_eq(run(), "", "activated again, and nothing happened");
	unnotify(lock, ev);
}

LockTest(notify, not_before_it_is_free)
{
	evlock_handle held = hold(lock, X);
	struct event *ev = notify(lock, S, "free");

	cr_assert_str_eq(run(), "");
	cr_assert_str_eq(let_go(lock, held), "free");
	unnotify(lock, ev);
}

LockTest(notify, of_its_own_mode)
{
	evlock_handle held = hold(lock, S);
	struct event *s = notify(lock, S, "S"), *x = notify(lock, X, "X");
	struct event *n = notify(lock, N, "N");

	cr_assert_str_eq(run(), "S N");
	cr_assert_str_eq(let_go(lock, held), "S X N");
	unnotify(lock, s);
	unnotify(lock, x);
	unnotify(lock, n);
}

LockTest(notify, at_each_release_that_leaves_it_free)
{
	evlock_handle a = hold(lock, S), b = hold(lock, S);
	struct event *ev = notify(lock, S, "free"), *x = notify(lock, X, "X");

	cr_assert_str_eq(run(), "free");
	cr_assert_str_eq(let_go(lock, a), "free");
	cr_assert_str_eq(let_go(lock, b), "free X");
	cr_assert_str_eq(let_go(lock, hold(lock, X)), "free X");
	unnotify(lock, ev);
	unnotify(lock, x);
}

LockTest(notify, not_at_a_release_that_lets_another_in)
{
	evlock_handle held = hold(lock, X), waiting = ask(lock, "a", X);
	struct event *ev = notify(lock, S, "free");

	cr_assert_str_eq(let_go(lock, held), "a");
	cr_assert_str_eq(let_go(lock, waiting), "free");
	unnotify(lock, ev);
}

LockTest(notify, at_a_withdrawal)
{
	evlock_handle writer;
	struct event *ev;

	hold(lock, S);
	writer = ask(lock, "writer", X);
	ev = notify(lock, S, "free");
	cr_assert_str_eq(run(), "", "evlock_acquire_nowait() fails, as a writer waits");
	cr_assert_str_eq(let_go(lock, writer), "free");
	unnotify(lock, ev);
}

LockTest(notify, not_at_a_withdrawal_behind_another)
{
	evlock_handle second;
	struct event *ev;

	hold(lock, S);
	ask(lock, "writer", X);
	second = ask(lock, "second", X);
	ev = notify(lock, S, "free");
	cr_assert_str_eq(let_go(lock, second), "");
	unnotify(lock, ev);
}

LockTest(notify, at_a_withdrawal_of_what_was_granted)
{
	evlock_handle granted = ask(lock, "a", X);
	struct event *ev = notify(lock, X, "free");

	cr_assert_str_eq(let_go(lock, granted), "free");
	unnotify(lock, ev);
}

LockTest(notify, at_a_timeout)
{
	struct event *ev;

	hold(lock, S);
	ask_for(lock, "writer", X, 1);
	ev = notify(lock, S, "free");
	cr_assert_str_eq(run(), "writer:ETIMEDOUT free");
	unnotify(lock, ev);
}

LockTest(notify, at_a_conversion)
{
	evlock_handle handle = hold(lock, X);
	struct event *ev = notify(lock, S, "free");

	cr_assert_eq(evlock_convert_nowait(lock, handle, U), 0);
	cr_assert_str_eq(run(), "free");
	convert(lock, "down", handle, S);
	cr_assert_str_eq(run(), "down free");
	cr_assert_eq(evlock_convert_nowait(lock, handle, X), 0);
	cr_assert_str_eq(run(), "");
	unnotify(lock, ev);
}

LockTest(notify, at_the_end_of_a_conversion)
{
	evlock_handle a = hold(lock, S);
	struct timeval soon = milliseconds(1);
	struct event *ev;

	hold(lock, S);
	evlock_convert(lock, a, X, &soon, note, (void *)(uintptr_t)"up");
	ev = notify(lock, S, "free");
	cr_assert_str_eq(run(), "up:ETIMEDOUT free");
	unnotify(lock, ev);
}

static void
release_last(struct evlock *l, evlock_handle handle, int error, void *who)
{
	note(l, handle, error, who);
}

LockTest(notify, at_the_release_by_with)
{
	struct event *ev;

	evlock_with(lock, X, NULL, release_last, (void *)(uintptr_t)"a");
	ev = notify(lock, X, "free");
	cr_assert_str_eq(run(), "a free");
	unnotify(lock, ev);
}

LockTest(notify, when_nowait_would_succeed_and_only_then)
{
	struct event *ev;
	evlock_handle held = hold(lock, S), writer = ask(lock, "writer", X);

	ask(lock, "reader", S);
	ev = notify(lock, S, "free");
	assert_refused(evlock_acquire_nowait(lock, S), EAGAIN);
	cr_assert_str_eq(run(), "");
	cr_assert_str_eq(let_go(lock, writer), "reader free");
	cr_assert_str_eq(let_go(lock, hold(lock, S)), "free");
	cr_assert_str_eq(let_go(lock, held), "free");
	unnotify(lock, ev);
}

LockTest(notify, of_the_preferred_mode)
{
	struct evlock *l = evlock_new(base,
	    &(struct evlock_options){ .flags = EVLOCK_OPT_PREFER_EXCLUSIVE });
	evlock_handle held = hold(l, N), up;
	struct event *s, *x;

	up = hold(l, U);
	ask(l, "waits", U);
	s = notify(l, S, "S");
	x = notify(l, X, "X");
	cr_assert_str_eq(run(), "");
	cr_assert_str_eq(let_go(l, held), "");
	cr_assert_str_eq(let_go(l, up), "waits S");
	unnotify(l, s);
	unnotify(l, x);
	evlock_free(l);
}

/* --- What a notification is not ------------------------------------------- */

LockTest(notify, reserves_nothing)
{
	struct event *ev = notify(lock, X, "free");
	evlock_handle held = hold(lock, X);

	cr_assert_str_eq(run(), "free", "it was free when the watch began");
	drop(lock, held);
	hold(lock, X);
	cr_assert_str_eq(run(), "free");
	cr_assert_eq(evlock_held(lock, X), 1);
	unnotify(lock, ev);
}

LockTest(notify, many_times_is_once)
{
	struct event *ev = notify(lock, X, "free");
	unsigned i;

	for (i = 0; i < 10; i++)
		drop(lock, hold(lock, X));
	cr_assert_str_eq(run(), "free");
	for (i = 0; i < 10; i++)
		drop(lock, hold(lock, X));
	cr_assert_str_eq(run(), "free");
	unnotify(lock, ev);
}

static void
acquire_and_release(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
	drop(lock, hold(lock, X));
	write_down("used");
}

/* The second notification comes while the event is active and waits because of its lower
 * priority. */
LockTest(notify, many_times_is_once_while_the_event_is_active)
{
	struct event *use = event_new(base, -1, 0, acquire_and_release, NULL), *ev;

	event_base_priority_init(base, 2);
	ev = new_event("free");
	event_priority_set(ev, 1);
	cr_assert_eq(evlock_notify(lock, X, ev), 0);
	event_priority_set(use, 0);
	event_active(use, EV_TIMEOUT, 0);
	cr_assert_str_eq(run(), "used free");
	event_free(use);
	unnotify(lock, ev);
}

LockTest(notify, several_events)
{
	struct event *ev[5];
	unsigned i;

	for (i = 0; i < 5; i++)
		ev[i] = notify(lock, X, "a");
	cr_assert_str_eq(run(), "a a a a a");
	for (i = 0; i < 5; i++)
		unnotify(lock, ev[i]);
}

LockTest(notify, one_event_of_two_locks)
{
	struct evlock *other = evlock_new(base, NULL);
	evlock_handle a = hold(lock, X), b = hold(other, X);
	struct event *ev = notify(lock, X, "one of them");

	cr_assert_eq(evlock_notify(other, X, ev), 0);
	cr_assert_str_eq(let_go(lock, a), "one of them");
	cr_assert_str_eq(let_go(other, b), "one of them");
	cr_assert_eq(evlock_unnotify(other, ev), 0);
	unnotify(lock, ev);
	evlock_free(other);
}

LockTest(notify, event_of_another_base)
{
	struct event_base *here = base, *there = event_base_new();
	evlock_handle held = hold(lock, X);
	struct event *ev;

	base = there;
	ev = notify(lock, X, "free");
	base = here;
	cr_assert_str_eq(let_go(lock, held), "");
	event_base_dispatch(there);
	cr_assert_str_eq(told(), "free");
	unnotify(lock, ev);
	event_base_free(there);
}

static void
note_what(evutil_socket_t fd, short what, void *arg)
{
	char c;

	(void)arg;
	if (what == EV_READ)
		cr_assert_eq(read(fd, &c, 1), 1);
	write_down(what == EV_TIMEOUT ? "timeout" : what == EV_READ ? "read" : "?");
}

LockTest(notify, event_with_a_descriptor)
{
	int fd[2];
	struct event *ev;

	cr_assert_eq(pipe(fd), 0);
	ev = event_new(base, fd[0], EV_READ | EV_PERSIST, note_what, NULL);
	event_add(ev, NULL);
	cr_assert_eq(evlock_notify(lock, X, ev), 0);
	cr_assert_str_eq(turn(), "timeout");
	cr_assert_str_eq(turn(), "");
	cr_assert_eq(write(fd[1], "x", 1), 1);
	cr_assert_str_eq(turn(), "read");
	unnotify(lock, ev);
	close(fd[0]);
	close(fd[1]);
}

/* --- Ending it ------------------------------------------------------------ */

LockTest(notify, not_after_unnotify)
{
	struct event *ev = notify(lock, X, "free");

	cr_assert_eq(evlock_unnotify(lock, ev), 0);
	cr_assert_str_eq(run(), "", "it was on its way");
	cr_assert_str_eq(let_go(lock, hold(lock, X)), "");
	assert_fails(evlock_unnotify(lock, ev), ENOENT);
	event_free(ev);
}

LockTest(notify, again_after_unnotify)
{
	struct event *ev = notify(lock, X, "free");

	cr_assert_eq(evlock_unnotify(lock, ev), 0);
	cr_assert_eq(evlock_notify(lock, X, ev), 0);
	cr_assert_str_eq(run(), "free");
	unnotify(lock, ev);
}

LockTest(notify, ends_with_the_lock)
{
	struct evlock *l = evlock_new(base, NULL);
	struct event *ev = notify(l, X, "free");

	evlock_free(l);
	cr_assert_str_eq(run(), "");
	event_free(ev);
}

LockTest(notify, not_when_it_is_closed)
{
	evlock_handle held = hold(lock, X);
	struct event *ev = notify(lock, X, "free");

	evlock_close(lock);
	cr_assert_str_eq(let_go(lock, held), "");
	unnotify(lock, ev);
}

static struct event *self;

static void
unnotify_self(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
	unnotify(lock, self);
	write_down("gone");
}

LockTest(notify, unnotify_in_its_callback)
{
	self = event_new(base, -1, 0, unnotify_self, NULL);
	cr_assert_eq(evlock_notify(lock, X, self), 0);
	cr_assert_str_eq(run(), "gone");
}

static void
unnotify_in_callback(struct evlock *l, evlock_handle handle, int error, void *who)
{
	note_and_drop(l, handle, error, who);
	unnotify(l, self);
}

LockTest(notify, unnotify_between_the_release_and_the_event)
{
	ask_then(lock, "a", X, unnotify_in_callback);
	self = notify(lock, X, "free");
	cr_assert_str_eq(run(), "a");
}

/* --- Errors --------------------------------------------------------------- */

LockTest(notify, twice_is_an_error)
{
	struct event *ev = notify(lock, X, "free");

	assert_fails(evlock_notify(lock, X, ev), EEXIST);
	assert_fails(evlock_notify(lock, S, ev), EEXIST);
	cr_assert_str_eq(run(), "free");
	unnotify(lock, ev);
}

LockTest(notify, badly)
{
	struct event *ev = new_event("a");

	assert_fails(evlock_notify(lock, 4, ev), EINVAL);
	assert_fails(evlock_notify(lock, UINT32_MAX, ev), EINVAL);
	assert_fails(evlock_notify(lock, X, NULL), EINVAL);
	assert_fails(evlock_unnotify(lock, ev), ENOENT);
	assert_fails(evlock_unnotify(lock, NULL), ENOENT);
	cr_assert_str_eq(run(), "");
	event_free(ev);
}

/* --- It does not starve the loop ------------------------------------------ */

static unsigned n_run;
static int ends[2];

static void
use_it(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
	if (++n_run == 1000)
		cr_assert_eq(write(ends[1], "x", 1), 1);
	cr_assert_leq(n_run, 1000 + 2 * EVL_BUDGET, "a readable descriptor is starved");
	drop(lock, hold(lock, X));
}

static void
on_readable(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
	write_down("read");
	event_base_loopbreak(base);
}

/* Each event uses the lock, which activates all events again. */
static void
check_descriptor_is_served(unsigned n)
{
	struct event *ev[100], *readable;
	unsigned i;

	cr_assert_eq(pipe(ends), 0);
	readable = event_new(base, ends[0], EV_READ, on_readable, NULL);
	event_add(readable, NULL);
	for (i = 0; i < n; i++) {
		ev[i] = event_new(base, -1, 0, use_it, NULL);
		cr_assert_eq(evlock_notify(lock, X, ev[i]), 0);
	}
	cr_assert_str_eq(run(), "read");
	cr_assert_geq(n_run, 1000);
	for (i = 0; i < n; i++)
		unnotify(lock, ev[i]);
	event_free(readable);
	close(ends[0]);
	close(ends[1]);
}

LockTest(notify, one_that_activates_itself_lets_a_descriptor_in)
{
	check_descriptor_is_served(1);
}

LockTest(notify, two_that_activate_each_other_let_a_descriptor_in)
{
	check_descriptor_is_served(2);
}

LockTest(notify, many_that_activate_each_other_let_a_descriptor_in)
{
	check_descriptor_is_served(100);
}
