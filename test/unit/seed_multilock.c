/* SPDX-License-Identifier: BSD-3-Clause */

/* The cases of asyncio-multilock's tests, one test for each, mode by mode. */

#include "../shim.h"
#include "../util.h"

#define MINE EVLOCK_HANDLE_FROM(&base)

#define InEachMode(name) TestInEachMode(LockTestInMode, multilock, name)
#define InSharedAndExclusive(name) TestInSharedAndExclusive(LockTestInMode, multilock, name)

LockTest(multilock, release_of_what_was_not_acquired)
{
	assert_fails(evlock_release(lock, MINE), ENOENT);
	assert_fails(evlock_release(lock, 1), ENOENT);
	cr_assert_eq(evlock_locked(lock), N);
}

/* --- Without waiting ------------------------------------------------------ */

InEachMode(nowait_when_unlocked)
{
	evlock_handle handle;

	cr_assert_eq(evlock_locked(lock), N);
	handle = hold(lock, mode);
	cr_assert_eq(evlock_locked(lock), mode);
	drop(lock, handle);
	cr_assert_eq(evlock_locked(lock), N);
}

static void
check_refused(unsigned held, unsigned mode)
{
	evlock_handle handle = hold(lock, held);

	assert_refused(evlock_acquire_nowait(lock, mode), EAGAIN);
	cr_assert_eq(evlock_locked(lock), held);
	drop(lock, handle);
	cr_assert_eq(evlock_locked(lock), N);
}

InEachMode(nowait_fails_under_exclusive)
{
	check_refused(X, mode);
}

InSharedAndExclusive(nowait_exclusive_fails_when_locked)
{
	check_refused(mode, X);
}

LockTest(multilock, nowait_shared_under_shared)
{
	evlock_handle first = hold(lock, S), second = hold(lock, S);

	cr_assert_eq(evlock_locked(lock), S);
	drop(lock, first);
	cr_assert_eq(evlock_locked(lock), S);
	drop(lock, second);
	cr_assert_eq(evlock_locked(lock), N);
}

/* --- With waiting --------------------------------------------------------- */

InEachMode(acquire_is_immediate_when_unlocked)
{
	evlock_handle handle = ask(lock, "a", mode);

	cr_assert_eq(evlock_locked(lock), mode);
	cr_assert_str_eq(run(), "a");
	drop(lock, handle);
	cr_assert_eq(evlock_locked(lock), N);
}

/* The handle is the caller's own, and the callback gets it. */
static void
check_waits(unsigned held, unsigned mode)
{
	evlock_handle handle = hold(lock, held);

	cr_assert_eq(ASK(lock, "a", .mode = mode, .handle = MINE), MINE);
	cr_assert_str_eq(run(), "");
	drop(lock, handle);
	cr_assert_eq(evlock_locked(lock), mode);
	cr_assert_str_eq(run(), "a");
	drop(lock, MINE);
	cr_assert_eq(evlock_locked(lock), N);
}

InEachMode(acquire_waits_under_exclusive)
{
	check_waits(X, mode);
}

InSharedAndExclusive(acquire_exclusive_waits_when_locked)
{
	check_waits(mode, X);
}

LockTest(multilock, acquire_is_immediate_shared_under_shared)
{
	evlock_handle first = ask(lock, "a", S), second;

	cr_assert_str_eq(run(), "a");
	second = ask(lock, "b", S);
	cr_assert_str_eq(run(), "b");
	cr_assert_eq(evlock_locked(lock), S);
	drop(lock, first);
	cr_assert_eq(evlock_locked(lock), S);
	drop(lock, second);
	cr_assert_eq(evlock_locked(lock), N);
}

LockTest(multilock, a_handle_in_use_is_an_error)
{
	ASK(lock, "a", .mode = S, .handle = MINE);
	assert_refused(ASK(lock, "b", .mode = S, .handle = MINE), EEXIST);
	cr_assert_str_eq(run(), "a");
}

/* --- Notifications -------------------------------------------------------- */

static void
check_told_after_release(unsigned held, unsigned mode)
{
	evlock_handle handle = hold(lock, held);
	struct event *ev = new_event("free");

	cr_assert_eq(evlock_notify(lock, mode, ev), 0);
	cr_assert_str_eq(run(), "");
	cr_assert_str_eq(let_go(lock, handle), "free");
	cr_assert_eq(evlock_unnotify(lock, ev), 0);
	event_free(ev);
}

static void
check_told_at_once(unsigned mode)
{
	struct event *ev = new_event("free");

	cr_assert_eq(evlock_notify(lock, mode, ev), 0);
	cr_assert_str_eq(run(), "free");
	cr_assert_eq(evlock_unnotify(lock, ev), 0);
	event_free(ev);
}

InEachMode(notify_is_immediate_when_unlocked)
{
	check_told_at_once(mode);
}

InEachMode(notify_waits_under_exclusive)
{
	check_told_after_release(X, mode);
}

InSharedAndExclusive(notify_of_exclusive_waits_when_locked)
{
	check_told_after_release(mode, X);
}

LockTest(multilock, notify_is_immediate_shared_under_shared)
{
	hold(lock, S);
	check_told_at_once(S);
}

LockTest(multilock, an_event_in_use_is_an_error)
{
	struct event *ev = new_event("free");

	hold(lock, X);
	cr_assert_eq(evlock_notify(lock, S, ev), 0);
	assert_fails(evlock_notify(lock, S, ev), EEXIST);
	cr_assert_eq(evlock_unnotify(lock, ev), 0);
	event_free(ev);
}

/* --- context() ------------------------------------------------------------ */

static unsigned held_inside;

static void
look_inside(struct evlock *l, evlock_handle handle, int error, void *who)
{
	note(l, handle, error, who);
	held_inside = evlock_locked(l);
}

InEachMode(context)
{
	held_inside = 99;
	evlock_with(lock, mode, NULL, look_inside, (void *)(uintptr_t)"a");
	cr_assert_str_eq(run(), "a");
	cr_assert_eq(held_inside, mode);
	cr_assert_eq(evlock_locked(lock), N);
}

/* --- Defects of asyncio-multilock ----------------------------------------- */

/* There, readers that keep arriving starve a writer. */
LockTest(multilock, newcomers_do_not_pass_a_writer)
{
	hold(lock, S);
	ask(lock, "writer", X);
	ask(lock, "reader", S);
	assert_refused(evlock_acquire_nowait(lock, S), EAGAIN);
	cr_assert_str_eq(run(), "");
}

/* There, each release wakes all waiters: 100 writers, 5050 wake-ups. */
LockTest(multilock, each_release_wakes_one)
{
	unsigned i, n = 0;

	for (i = 0; i < 100; i++)
		ask_then(lock, "a", X, note_and_drop);
	for (const char *c = run(); *c; c++)
		n += *c == 'a';
	cr_assert_eq(n, 100);
}
