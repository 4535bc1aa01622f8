/* SPDX-License-Identifier: BSD-3-Clause */

/* Behaviours that asyncio-multilock's tests of MultiLockSet check, in evlock's terms: single locks,
 * sets of three, with the members asserted as well.  Some tests start from one member held
 * alone. */

#include <string.h>

#include "../shim.h"
#include "../util.h"
#include "../util3.h"

static struct evlock *member[3], *set;

#define SetTest(suite, name) \
	static void suite##_##name##_with_set(void); \
	LockTest(suite, name) \
	{ \
		make_set(); \
		suite##_##name##_with_set(); \
		free_set(); \
	} \
	static void \
	suite##_##name##_with_set(void)

/** One test for each mode. */
#define SetTestInMode(suite, name, mode_) \
	SetTest(suite, name##_##mode_) { suite##_##name(mode_); }

#define InEachMode(name) TestInEachMode(SetTestInMode, seed_multilock_set, name)
#define InSharedAndExclusive(name) \
	TestInSharedAndExclusive(SetTestInMode, seed_multilock_set, name)

static void
make_set(void)
{
	unsigned i;

	for (i = 0; i < 3; i++)
		member[i] = new_lock("member");
	set = set_of(member, 3);
}

static void
free_set(void)
{
	unsigned i;

	evlock_free(set);
	for (i = 0; i < 3; i++)
		evlock_free(member[i]);
	told();
}

static void
assert_locked(unsigned mode)
{
	unsigned i;

	cr_assert_eq(evlock_locked(set), mode);
	for (i = 0; i < 3; i++)
		cr_assert_eq(evlock_locked(member[i]), mode, "member %u", i);
}

static void
assert_nobody_waits(void)
{
	unsigned i;

	cr_assert_eq(evlock_waiting(set), 0);
	for (i = 0; i < 3; i++)
		cr_assert_eq(evlock_waiting(member[i]), 0);
}

/* --- Releasing -------------------------------------------------------------------- */

SetTest(seed_multilock_set, unknown_release_is_harmless)
{
	static int mine;
	evlock_handle handle = hold(set, X);

	assert_fails(evlock_release(set, EVLOCK_HANDLE_FROM(&mine)), ENOENT);
	assert_fails(evlock_release(set, handle + 1), ENOENT);
	assert_locked(X);
	drop(set, handle);
	assert_fails(evlock_release(set, handle), ENOENT);
	assert_locked(N);
}

/* In MultiLockSet, rolling back a failed acquisition released a stranger's hold. */
SetTest(seed_multilock_set, failed_acquisition_releases_nobody)
{
	evlock_handle handle = hold(member[1], S);

	assert_refused(evlock_acquire_nowait(set, X), EAGAIN);
	cr_assert_eq(evlock_mode_of(member[1], handle), S);
	cr_assert_eq(evlock_held(member[1], S), 1);
	cr_assert_eq(evlock_held(member[0], X), 0);
	assert_nobody_waits();
}

/* --- Without waiting -------------------------------------------------------------- */

InEachMode(nowait_when_unlocked)
{
	evlock_handle handle = evlock_acquire_nowait(set, mode);

	cr_assert_neq(handle, 0);
	assert_locked(mode);
	drop(set, handle);
	assert_locked(N);
}

InEachMode(nowait_fails_under_exclusive)
{
	hold(set, X);
	assert_refused(evlock_acquire_nowait(set, mode), EAGAIN);
	assert_locked(X);
}

InSharedAndExclusive(nowait_exclusive_fails_under)
{
	hold(set, mode);
	assert_refused(evlock_acquire_nowait(set, X), EAGAIN);
	assert_locked(mode);
}

SetTest(seed_multilock_set, shared_with_shared_and_the_state_steps_down)
{
	evlock_handle none = hold(set, N), one = hold(set, S), two = hold(set, S);

	assert_locked(S);
	drop(set, one);
	assert_locked(S);
	drop(set, two);
	assert_locked(N);
	cr_assert_eq(evlock_held(set, N), 1);
	cr_assert_eq(evlock_held(member[2], N), 1);
	drop(set, none);
	cr_assert_eq(evlock_held(member[2], N), 0);
}

/* --- From one member held alone --------------------------------------------------- */

InEachMode(nowait_fails_with_a_member_exclusive)
{
	hold(member[2], X);
	cr_assert_eq(evlock_locked(set), X);
	assert_refused(evlock_acquire_nowait(set, mode), EAGAIN);
	cr_assert_eq(evlock_locked(member[0]), N);
	cr_assert_eq(evlock_held(member[0], mode), 0);
	cr_assert_eq(evlock_held(member[1], mode), 0);
}

SetTest(seed_multilock_set, nowait_with_a_member_shared)
{
	evlock_handle alone = hold(member[0], S), handle;

	cr_assert_eq(evlock_locked(set), S);
	assert_refused(evlock_acquire_nowait(set, X), EAGAIN);
	handle = hold(set, S);
	assert_locked(S);
	drop(member[0], alone);
	assert_locked(S);
	drop(set, handle);
	assert_locked(N);
}

InEachMode(waits_for_a_member)
{
	evlock_handle alone = hold(member[1], X), handle = ask(set, "set", mode);

	cr_assert_str_eq(run(), "");
	cr_assert_eq(evlock_locked(member[0]), N);
	cr_assert_eq(evlock_locked(member[2]), N);
	cr_assert_str_eq(let_go(member[1], alone), "set");
	assert_locked(mode);
	assert_nobody_waits();
	drop(set, handle);
	assert_locked(N);
}

/* --- Waiting ---------------------------------------------------------------------- */

InEachMode(acquire_is_immediate_when_unlocked)
{
	evlock_handle handle = ask(set, "set", mode);

	cr_assert_eq(evlock_mode_of(set, handle), (int)mode);
	assert_locked(mode);
	cr_assert_str_eq(run(), "set");
}

static evlock_handle got;

static void
get(struct evlock *l, evlock_handle handle, int error, void *who)
{
	note(l, handle, error, who);
	got = handle;
}

InEachMode(waits_under_exclusive_and_returns_the_handle)
{
	static int mine;
	evlock_handle first = hold(set, X);

	cr_assert_eq(ASK(set, "set", .mode = mode, .handle = EVLOCK_HANDLE_FROM(&mine), .cb = get),
	    EVLOCK_HANDLE_FROM(&mine));
	cr_assert_str_eq(run(), "");
	cr_assert_str_eq(let_go(set, first), "set");
	cr_assert_eq(got, EVLOCK_HANDLE_FROM(&mine));
	assert_locked(mode);
}

InSharedAndExclusive(exclusive_waits_under)
{
	evlock_handle first = hold(set, mode);

	ask(set, "exclusive", X);
	cr_assert_str_eq(run(), "");
	assert_locked(mode);
	cr_assert_str_eq(let_go(set, first), "exclusive");
	assert_locked(X);
}

SetTest(seed_multilock_set, own_handle_twice_at_a_time_is_an_error)
{
	static int mine;
	evlock_handle handle = EVLOCK_HANDLE_FROM(&mine);

	cr_assert_eq(NOW(set, .mode = S, .handle = handle), handle);
	assert_refused(NOW(set, .mode = S, .handle = handle), EEXIST);
	drop(set, handle);
	cr_assert_eq(NOW(set, .mode = S, .handle = handle), handle);
}

/* In MultiLockSet, the wait polled while a member was held, and did not keep its turn. */
SetTest(seed_multilock_set, waits_without_running)
{
	hold(member[0], X);
	ask(set, "set", S);
	cr_assert_str_eq(run(), "", "the loop ends: nothing is left to run");
}

/* --- Notify ----------------------------------------------------------------------- */

SetTest(seed_multilock_set, notify_is_set_when_unlocked)
{
	struct event *ev = new_event("set");
	unsigned mode;

	for (mode = N; mode <= X; mode++) {
		cr_assert_eq(evlock_notify(set, mode, ev), 0);
		cr_assert_str_eq(run(), "set");
		assert_locked(N);
		cr_assert_eq(evlock_unnotify(set, ev), 0);
	}
	event_free(ev);
}

InEachMode(notify_is_unset_under_exclusive)
{
	struct event *ev = new_event("set");
	evlock_handle handle = hold(set, X);

	evlock_notify(set, mode, ev);
	cr_assert_str_eq(run(), "");
	cr_assert_str_eq(let_go(set, handle), "set");
	evlock_unnotify(set, ev);
	event_free(ev);
}

SetTest(seed_multilock_set, notify_of_shared_is_set_under_shared)
{
	struct event *ev = new_event("set");

	hold(set, S);
	evlock_notify(set, S, ev);
	cr_assert_str_eq(run(), "set");
	evlock_unnotify(set, ev);
	event_free(ev);
}

/* There, one free member was enough. */
SetTest(seed_multilock_set, notify_means_all_members)
{
	struct event *ev = new_event("set");
	evlock_handle a = hold(member[0], X), b = hold(member[2], S);

	evlock_notify(set, X, ev);
	cr_assert_str_eq(run(), "");
	cr_assert_str_eq(let_go(member[0], a), "");
	cr_assert_str_eq(let_go(member[2], b), "set");
	evlock_unnotify(set, ev);
	event_free(ev);
}

/* --- Contexts --------------------------------------------------------------------- */

static void
look(struct evlock *l, evlock_handle handle, int error, void *who)
{
	note(l, handle, error, who);
	assert_locked(X);
}

SetTest(seed_multilock_set, context_holds_then_frees)
{
	evlock_with(set, X, NULL, look, (void *)(uintptr_t)"context");
	cr_assert_str_eq(run(), "context");
	assert_locked(N);
}

SetTest(seed_multilock_set, context_that_has_to_wait)
{
	evlock_handle alone = hold(member[1], S);

	evlock_with(set, X, NULL, look, (void *)(uintptr_t)"context");
	cr_assert_str_eq(run(), "");
	cr_assert_str_eq(let_go(member[1], alone), "context");
	assert_locked(N);
}
