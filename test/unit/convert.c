/* SPDX-License-Identifier: BSD-3-Clause */

/* evlock_convert() and evlock_convert_nowait(). */

#include <limits.h>

#include "../shim.h"
#include "../util.h"

/* --- Down ----------------------------------------------------------------- */

LockTest(convert, down_at_once)
{
	evlock_handle handle = hold(lock, X);

	ask(lock, "a", S);
	ask(lock, "b", X);
	convert(lock, "down", handle, S);
	cr_assert_eq(evlock_mode_of(lock, handle), S);
	cr_assert_eq(evlock_held(lock, S), 2, "granted before evlock_convert() returned");
	cr_assert_str_eq(told(), "", "called back inside evlock_convert()");
	cr_assert_str_eq(run(), "down a");
	drop(lock, handle);
}

LockTest(convert, down_to_none_lets_a_writer_in)
{
	evlock_handle handle = hold(lock, X);

	ask(lock, "writer", X);
	convert(lock, "down", handle, N);
	cr_assert_str_eq(run(), "down writer");
	drop(lock, handle);
}

LockTest(convert, down_nowait)
{
	evlock_handle handle = hold(lock, X);

	ask(lock, "a", S);
	cr_assert_eq(evlock_convert_nowait(lock, handle, U), 0);
	cr_assert_eq(evlock_mode_of(lock, handle), U);
	cr_assert_str_eq(run(), "a");
}

LockTest(convert, to_the_same_mode)
{
	evlock_handle handle = hold(lock, X);

	ask(lock, "a", X);
	convert(lock, "same", handle, X);
	cr_assert_str_eq(run(), "same");
	cr_assert_eq(evlock_convert_nowait(lock, handle, X), 0);
	cr_assert_eq(evlock_mode_of(lock, handle), X);
}

/* --- Up ------------------------------------------------------------------- */

LockTest(convert, up_at_once_if_the_others_allow_it)
{
	evlock_handle handle = hold(lock, S);

	hold(lock, N);
	convert(lock, "up", handle, X);
	cr_assert_eq(evlock_mode_of(lock, handle), X);
	cr_assert_str_eq(told(), "");
	cr_assert_str_eq(run(), "up");
	assert_refused(evlock_acquire_nowait(lock, S), EAGAIN);
	drop(lock, handle);
	cr_assert_eq(evlock_held(lock, X), 0);
	cr_assert_eq(evlock_held(lock, S), 0);
}

LockTest(convert, up_waits_for_the_other_holders)
{
	evlock_handle a = hold(lock, S), b = hold(lock, S), c = hold(lock, S);

	convert(lock, "up", a, X);
	cr_assert_eq(evlock_waiting(lock), 1);
	cr_assert_str_eq(let_go(lock, b), "");
	drop(lock, c);
	cr_assert_eq(evlock_mode_of(lock, a), X, "converted before evlock_release() returned");
	cr_assert_eq(evlock_waiting(lock), 0);
	cr_assert_str_eq(run(), "up");
}

LockTest(convert, up_holds_what_it_held_until_then)
{
	evlock_handle a = hold(lock, S), b = hold(lock, S);

	convert(lock, "up", a, X);
	cr_assert_eq(evlock_mode_of(lock, a), S);
	cr_assert_eq(evlock_held(lock, S), 2);
	cr_assert_str_eq(let_go(lock, b), "up");
}

LockTest(convert, up_goes_ahead_of_the_queue)
{
	evlock_handle a = hold(lock, S), b = hold(lock, S);

	ask(lock, "writer", X);
	ASK(lock, "urgent", .mode = X, .priority = 3);
	convert(lock, "up", a, X);
	cr_assert_str_eq(let_go(lock, b), "up");
	cr_assert_str_eq(let_go(lock, a), "urgent");
}

LockTest(convert, up_at_once_goes_ahead_of_the_queue)
{
	evlock_handle a = hold(lock, S);

	ask(lock, "writer", X);
	cr_assert_eq(evlock_convert_nowait(lock, a, X), 0);
	cr_assert_str_eq(run(), "");
	cr_assert_eq(evlock_convert_nowait(lock, a, S), 0);
	convert(lock, "up", a, X);
	cr_assert_str_eq(run(), "up");
}

LockTest(convert, up_lets_no_newcomer_pass)
{
	evlock_handle a = hold(lock, S), b = hold(lock, S);

	convert(lock, "up", a, X);
	assert_refused(evlock_acquire_nowait(lock, S), EAGAIN);
	assert_refused(evlock_acquire_nowait(lock, N), EAGAIN);
	ASK(lock, "urgent", .mode = S, .priority = 3);
	cr_assert_str_eq(let_go(lock, b), "up");
	cr_assert_str_eq(let_go(lock, a), "urgent");
}

LockTest(convert, up_nowait)
{
	evlock_handle a = hold(lock, S), b = hold(lock, S);

	assert_fails(evlock_convert_nowait(lock, a, X), EAGAIN);
	cr_assert_eq(evlock_waiting(lock), 0);
	drop(lock, b);
	cr_assert_eq(evlock_convert_nowait(lock, a, X), 0);
	cr_assert_eq(evlock_mode_of(lock, a), X);
	cr_assert_str_eq(run(), "");
}

LockTest(convert, up_from_none)
{
	evlock_handle a = hold(lock, N), b = hold(lock, X);

	convert(lock, "up", a, S);
	cr_assert_str_eq(run(), "");
	cr_assert_str_eq(let_go(lock, b), "up");
	cr_assert_eq(evlock_mode_of(lock, a), S);
}

LockTest(convert, up_several_that_can_all_succeed)
{
	evlock_handle a = hold(lock, N), b = hold(lock, N), c = hold(lock, N), d = hold(lock, X);

	ask(lock, "queued", S);
	convert(lock, "a", a, S);
	convert(lock, "b", b, U);
	convert(lock, "c", c, S);
	cr_assert_str_eq(let_go(lock, d), "a b c queued");
}

LockTest(convert, up_each_as_soon_as_it_fits)
{
	evlock_handle none = hold(lock, N), other = hold(lock, N);
	evlock_handle up = hold(lock, U), s = hold(lock, S);

	convert(lock, "up", up, X);
	convert(lock, "other", other, U);	/* waits until `up` has held and released */
	cr_assert_eq(evlock_convert_nowait(lock, none, S), 0, "the other holders allow it");
	cr_assert_str_eq(run(), "");
	cr_assert_str_eq(let_go(lock, up), "other");
	drop(lock, s);
}

/* --- The second of two upgraders ------------------------------------------ */

LockTest(convert, second_upgrader_is_refused)
{
	evlock_handle a = hold(lock, S), b = hold(lock, S);

	convert(lock, "a", a, X);
	assert_fails(evlock_convert(lock, b, X, NULL, note, NULL), EDEADLK);
	cr_assert_eq(evlock_mode_of(lock, b), S);
	cr_assert_eq(evlock_waiting(lock), 1);
	cr_assert_str_eq(let_go(lock, b), "a");
}

LockTest(convert, second_upgrader_is_refused_with_a_timeout_too)
{
	evlock_handle a = hold(lock, S), b = hold(lock, S);
	struct timeval soon = milliseconds(1);

	convert(lock, "a", a, X);
	assert_fails(evlock_convert(lock, b, X, &soon, note, NULL), EDEADLK);
	cr_assert_str_eq(let_go(lock, a), "");
	convert(lock, "b", b, X);
	cr_assert_str_eq(run(), "b");
}

LockTest(convert, second_upgrader_nowait)
{
	evlock_handle a = hold(lock, S), b = hold(lock, S);

	convert(lock, "a", a, X);
	assert_fails(evlock_convert_nowait(lock, b, X), EAGAIN);
	cr_assert_str_eq(let_go(lock, b), "a");
}

LockTest(convert, reader_may_not_upgrade_beside_an_upgradable)
{
	evlock_handle up = hold(lock, U), reader = hold(lock, S);

	convert(lock, "up", up, X);
	assert_fails(evlock_convert(lock, reader, X, NULL, note, NULL), EDEADLK);
	assert_fails(evlock_convert(lock, reader, U, NULL, note, NULL), EDEADLK);
	cr_assert_str_eq(let_go(lock, reader), "up");
}

LockTest(convert, third_upgrader_is_refused)
{
	evlock_handle a = hold(lock, S), b = hold(lock, S), c = hold(lock, S);

	convert(lock, "a", a, X);
	assert_fails(evlock_convert(lock, b, X, NULL, note, NULL), EDEADLK);
	assert_fails(evlock_convert(lock, c, X, NULL, note, NULL), EDEADLK);
	drop(lock, b);
	cr_assert_str_eq(let_go(lock, c), "a");
}

LockTest(convert, upgrader_after_the_first_has_given_up)
{
	evlock_handle a = hold(lock, S), b = hold(lock, S);

	convert(lock, "a", a, X);
	drop(lock, a);
	convert(lock, "b", b, X);
	cr_assert_str_eq(run(), "b");
}

LockTest(convert, two_that_wait_for_a_third_are_no_deadlock)
{
	evlock_handle a = hold(lock, N), b = hold(lock, N), c = hold(lock, X);

	convert(lock, "a", a, X);
	convert(lock, "b", b, X);
	cr_assert_str_eq(let_go(lock, c), "a");
	cr_assert_str_eq(let_go(lock, a), "b");
}

/* Three holders in a ring: each waits for the old mode of the next one. */
LockTest(convert, ring_of_three)
{
	static const struct evlock_mode mode[] = {
		{ .name = "a" }, { .name = "b" }, { .name = "c" },
		{ .name = "not b", .conflicts = 1u << 1 },
		{ .name = "not c", .conflicts = 1u << 2 },
		{ .name = "not a", .conflicts = 1u << 0 },
	};
	static const struct evlock_modes modes = { .mode = mode, .n_modes = 6 };
	struct evlock *l = evlock_new(base, &(struct evlock_options){ .modes = &modes });
	evlock_handle a = hold(l, 0), b = hold(l, 1), c = hold(l, 2);

	convert(l, "a", a, 3);
	convert(l, "b", b, 4);
	assert_fails(evlock_convert(l, c, 5, NULL, note, NULL), EDEADLK);
	cr_assert_str_eq(let_go(l, c), "b a");
	evlock_free(l);
}

LockTest(convert, chain_of_three_is_no_deadlock)
{
	static const struct evlock_mode mode[] = {
		{ .name = "a" }, { .name = "b" }, { .name = "c" }, { .name = "d" },
		{ .name = "not b", .conflicts = 1u << 1 },
		{ .name = "not c", .conflicts = 1u << 2 },
		{ .name = "not d", .conflicts = 1u << 3 },
	};
	static const struct evlock_modes modes = { .mode = mode, .n_modes = 7 };
	struct evlock *l = evlock_new(base, &(struct evlock_options){ .modes = &modes });
	evlock_handle a = hold(l, 0), b = hold(l, 1), c = hold(l, 2), d = hold(l, 3);

	convert(l, "a", a, 4);
	convert(l, "b", b, 5);
	convert(l, "c", c, 6);
	cr_assert_str_eq(let_go(l, d), "c b a");
	evlock_free(l);
}

LockTest(convert, upgradable_is_never_refused)
{
	evlock_handle up = hold(lock, U), reader[10];
	unsigned i;

	for (i = 0; i < 10; i++)
		reader[i] = hold(lock, S);
	ask(lock, "writer", X);
	ask(lock, "reader", S);
	convert(lock, "up", up, X);
	for (i = 0; i < 10; i++) {
		cr_assert_str_eq(run(), "");
		drop(lock, reader[i]);
	}
	cr_assert_str_eq(run(), "up");
}

/* --- Conversions that fail ------------------------------------------------ */

LockTest(convert, timed_out_keeps_the_former_mode)
{
	evlock_handle a = hold(lock, S), b = hold(lock, S);
	struct timeval soon = milliseconds(2);

	cr_assert_eq(evlock_convert(lock, a, X, &soon, note, (void *)(uintptr_t)"a"), 0);
	ask(lock, "reader", S);
	cr_assert_eq(evlock_waiting(lock), 2);
	cr_assert_str_eq(run(), "reader a:ETIMEDOUT");
	cr_assert_eq(evlock_mode_of(lock, a), S);
	cr_assert_eq(evlock_held(lock, S), 3);
	drop(lock, b);
	drop(lock, a);
}

static void
check_no_patience(long sec, long usec)
{
	struct timeval timeout = { .tv_sec = sec, .tv_usec = usec };
	evlock_handle a = hold(lock, S), b = hold(lock, S);

	cr_assert_eq(evlock_convert(lock, a, X, &timeout, note, (void *)(uintptr_t)"a"), 0);
	cr_assert_str_eq(told(), "");
	cr_assert_str_eq(run(), "a:ETIMEDOUT");
	drop(lock, b);
	cr_assert_eq(evlock_convert(lock, a, X, &timeout, note, (void *)(uintptr_t)"a"), 0);
	cr_assert_str_eq(run(), "a", "no holder excludes it");
	drop(lock, a);
}

LockTest(convert, without_patience)
{
	check_no_patience(0, 0);
	check_no_patience(-1, 0);
	check_no_patience(0, -1);
	check_no_patience(1, -2000000);
}

LockTest(convert, with_a_timeout_too_long_for_the_clock)
{
	evlock_handle a = hold(lock, S), b = hold(lock, S);
	struct timeval timeout = { LONG_MAX, 0 };

	cr_assert_eq(evlock_convert(lock, a, X, &timeout, note, (void *)(uintptr_t)"a"), 0);
	cr_assert_str_eq(run(), "");
	cr_assert_str_eq(let_go(lock, b), "a");
}

LockTest(convert, again_after_a_timeout)
{
	evlock_handle a = hold(lock, S), b = hold(lock, S);
	struct timeval now = { 0, 0 };

	evlock_convert(lock, a, X, &now, note, (void *)(uintptr_t)"a");
	cr_assert_str_eq(run(), "a:ETIMEDOUT");
	convert(lock, "again", a, X);
	cr_assert_str_eq(let_go(lock, b), "again");
}

LockTest(convert, cancelled_keeps_the_former_mode)
{
	evlock_handle a = hold(lock, U);

	hold(lock, S);
	convert(lock, "a", a, X);
	evlock_close(lock);
	cr_assert_str_eq(run(), "a:ECANCELED");
	cr_assert_eq(evlock_mode_of(lock, a), U);
	drop(lock, a);
}

/* --- Ended by a release --------------------------------------------------- */

LockTest(convert, release_ends_it)
{
	evlock_handle a = hold(lock, S), b = hold(lock, S);

	convert(lock, "a", a, X);
	ask(lock, "reader", S);
	drop(lock, a);
	cr_assert_eq(evlock_waiting(lock), 0);
	cr_assert_str_eq(run(), "reader");
	drop(lock, b);
}

LockTest(convert, release_ends_it_when_it_is_done_and_not_told)
{
	evlock_handle a = hold(lock, S);

	convert(lock, "a", a, X);
	ask(lock, "writer", X);
	cr_assert_str_eq(let_go(lock, a), "writer");
}

/* --- Which handle it is --------------------------------------------------- */

static evlock_handle told_handle;

static void
remember(struct evlock *l, evlock_handle handle, int error, void *arg)
{
	cr_assert_eq(l, lock);
	cr_assert_eq(error, 0);
	cr_assert_eq(arg, &told_handle);
	told_handle = handle;
}

LockTest(convert, callback_is_told_the_handle)
{
	evlock_handle a = hold(lock, S);

	evlock_convert(lock, a, X, NULL, remember, &told_handle);
	run();
	cr_assert_eq(told_handle, a);
	told_handle = 0;
	evlock_convert(lock, a, S, NULL, remember, &told_handle);
	run();
	cr_assert_eq(told_handle, a);
}

LockTest(convert, granted_and_not_called_back)
{
	evlock_handle a = ask(lock, "a", S);

	convert(lock, "up", a, X);
	ask(lock, "b", S);
	cr_assert_eq(evlock_mode_of(lock, a), X);
	cr_assert_str_eq(run(), "a up");
	cr_assert_str_eq(let_go(lock, a), "b");
}

LockTest(convert, granted_and_not_called_back_waits)
{
	evlock_handle b = hold(lock, S), a = ask(lock, "a", S);

	convert(lock, "up", a, X);
	cr_assert_str_eq(run(), "a");
	cr_assert_str_eq(let_go(lock, b), "up");
}

LockTest(convert, granted_and_not_called_back_nowait)
{
	evlock_handle a = ask(lock, "a", S);

	cr_assert_eq(evlock_convert_nowait(lock, a, X), 0);
	cr_assert_str_eq(run(), "a");
	cr_assert_eq(evlock_mode_of(lock, a), X);
}

LockTest(convert, one_at_a_time)
{
	evlock_handle a = hold(lock, S), b = hold(lock, S);

	convert(lock, "a", a, X);
	assert_fails(evlock_convert(lock, a, N, NULL, note, NULL), EBUSY);
	assert_fails(evlock_convert(lock, a, X, NULL, note, NULL), EBUSY);
	assert_fails(evlock_convert_nowait(lock, a, N), EBUSY);
	cr_assert_str_eq(let_go(lock, b), "a");
	convert(lock, "down", a, S);
	cr_assert_str_eq(run(), "down");
}

static void
convert_down(struct evlock *l, evlock_handle handle, int error, void *who)
{
	note(l, handle, error, who);
	convert(l, "down", handle, S);
	cr_assert_eq(evlock_mode_of(l, handle), S);
}

LockTest(convert, in_its_callback)
{
	evlock_handle a = hold(lock, S);

	evlock_convert(lock, a, X, NULL, convert_down, (void *)(uintptr_t)"up");
	ask(lock, "b", S);
	cr_assert_str_eq(run(), "up down b");
}

LockTest(convert, unknown)
{
	evlock_handle stale = hold(lock, S), waiting, held;

	drop(lock, stale);
	held = hold(lock, X);
	waiting = ask(lock, "a", S);
	assert_fails(evlock_convert(lock, 0, X, NULL, note, NULL), ENOENT);
	assert_fails(evlock_convert(lock, stale, X, NULL, note, NULL), ENOENT);
	assert_fails(evlock_convert(lock, waiting, X, NULL, note, NULL), ENOENT);
	assert_fails(evlock_convert_nowait(lock, waiting, X), ENOENT);
	evlock_close(lock);
	assert_fails(evlock_convert(lock, waiting, X, NULL, note, NULL), ENOENT);
	cr_assert_str_eq(run(), "a:ECANCELED");
	drop(lock, held);
}

LockTest(convert, badly)
{
	evlock_handle a = hold(lock, S);

	assert_fails(evlock_convert(lock, a, 4, NULL, note, NULL), EINVAL);
	assert_fails(evlock_convert(lock, a, UINT32_MAX, NULL, note, NULL), EINVAL);
	assert_fails(evlock_convert(lock, a, X, NULL, NULL, NULL), EINVAL);
	assert_fails(evlock_convert_nowait(lock, a, 4), EINVAL);
	evlock_close(lock);
	assert_fails(evlock_convert(lock, a, X, NULL, note, NULL), ECANCELED);
	assert_fails(evlock_convert_nowait(lock, a, N), ECANCELED);
	drop(lock, a);
}

/* --- Units ---------------------------------------------------------------- */

LockTest(convert, units)
{
	static const struct evlock_mode mode[] = {
		{ .name = "few", .limit = 3 }, { .name = "many", .limit = 5 },
	};
	static const struct evlock_modes modes = { .mode = mode, .n_modes = 2 };
	struct evlock *l = evlock_new(base, &(struct evlock_options){ .modes = &modes });
	evlock_handle two = ASK(l, "two", .mode = 0, .units = 2);
	evlock_handle four = ASK(l, "four", .mode = 1, .units = 4);

	cr_assert_str_eq(run(), "two four");
	assert_fails(evlock_convert_nowait(l, four, 0), EINVAL);
	assert_fails(evlock_convert(l, four, 0, NULL, note, NULL), EINVAL);
	assert_fails(evlock_convert_nowait(l, two, 1), EAGAIN);
	convert(l, "up", two, 1);
	cr_assert_str_eq(let_go(l, four), "up");
	cr_assert_eq(evlock_held(l, 0), 0);
	cr_assert_eq(evlock_held(l, 1), 2);
	evlock_free(l);
}

LockTest(convert, with_preference)
{
	struct evlock *l = evlock_new(base,
	    &(struct evlock_options){ .flags = EVLOCK_OPT_PREFER_EXCLUSIVE });
	evlock_handle a = hold(l, S), b = hold(l, S);

	ask(l, "writer", X);
	convert(l, "up", a, X);
	cr_assert_str_eq(let_go(l, b), "up");
	cr_assert_str_eq(let_go(l, a), "writer");
	evlock_free(l);
}
