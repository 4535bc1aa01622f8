/* SPDX-License-Identifier: BSD-3-Clause */

/* notice_cb: a holder is notified that a request waits for it. */

#include <stdio.h>

#include "../shim.h"
#include "../util.h"

static struct evlock *lock_told;
static evlock_handle told_handle;

static void
on_notice(struct evlock *l, evlock_handle handle, int error, void *who)
{
	char text[40];

	cr_assert_eq(error, 0);
	cr_assert_geq(evlock_mode_of(l, handle), 0, "a notice for a request that holds nothing");
	lock_told = l;
	told_handle = handle;
	snprintf(text, sizeof text, "%s!", (const char *)who);
	write_down(text);
}

static evlock_handle
hold_noticing(struct evlock *l, const char *who, unsigned mode)
{
	struct evlock_request request = {
		.mode = mode, .notice_cb = on_notice, .arg = (void *)(uintptr_t)who
	};
	evlock_handle handle = evlock_acquire_request(l, &request);

	cr_assert_neq(handle, 0);
	return handle;
}

LockTest(notice, when_the_first_waiter_comes)
{
	evlock_handle handle = hold_noticing(lock, "holder", X);

	cr_assert_str_eq(run(), "");
	ask(lock, "a", S);
	cr_assert_str_eq(told(), "", "a notice inside evlock_acquire()");
	cr_assert_str_eq(run(), "holder!");
	cr_assert_eq(lock_told, lock);
	cr_assert_eq(told_handle, handle);
	ask(lock, "b", X);
	cr_assert_str_eq(run(), "", "a second notice");
	cr_assert_str_eq(let_go(lock, handle), "a");
}

LockTest(notice, after_the_callback_if_one_is_there_by_then)
{
	evlock_handle held = hold(lock, X);

	ASK(lock, "holder", .mode = X, .notice_cb = on_notice);
	ask(lock, "a", X);
	cr_assert_str_eq(run(), "");
	cr_assert_str_eq(let_go(lock, held), "holder holder!");
}

LockTest(notice, not_before_the_callback)
{
	ASK(lock, "holder", .mode = X, .notice_cb = on_notice);
	ask(lock, "a", X);
	cr_assert_str_eq(run(), "holder holder!");
}

LockTest(notice, after_the_callback_if_one_comes_in_it)
{
	ASK(lock, "holder", .mode = X, .notice_cb = on_notice);
	cr_assert_str_eq(run(), "holder");
	ask(lock, "a", X);
	cr_assert_str_eq(run(), "holder!");
}

LockTest(notice, again_only_after_none_was_left)
{
	evlock_handle a, b;

	hold_noticing(lock, "holder", X);
	a = ask(lock, "a", X);
	cr_assert_str_eq(run(), "holder!");
	b = ask(lock, "b", X);
	cr_assert_str_eq(let_go(lock, a), "");
	cr_assert_str_eq(let_go(lock, b), "");
	ask(lock, "c", X);
	cr_assert_str_eq(run(), "holder!");
}

LockTest(notice, not_of_a_waiter_that_went_away)
{
	hold_noticing(lock, "holder", X);
	cr_assert_str_eq(let_go(lock, ask(lock, "a", X)), "");
	ask_for(lock, "b", X, 0);
	cr_assert_str_eq(run(), "holder! b:ETIMEDOUT");
	ask(lock, "c", X);
	cr_assert_str_eq(run(), "holder!");
}

LockTest(notice, not_when_it_is_released_meanwhile)
{
	evlock_handle handle = hold_noticing(lock, "holder", X);

	ask(lock, "a", X);
	cr_assert_str_eq(let_go(lock, handle), "a");
}

LockTest(notice, of_what_it_keeps_from_others)
{
	hold_noticing(lock, "none", N);
	hold_noticing(lock, "reader", S);
	ask(lock, "writer", X);
	cr_assert_str_eq(run(), "reader!");
}

LockTest(notice, not_of_those_kept_out_by_others)
{
	evlock_handle reader = hold(lock, S);

	hold_noticing(lock, "reader", S);
	drop(lock, reader);
	hold_noticing(lock, "none", N);
	ask(lock, "a", S);
	cr_assert_str_eq(run(), "a");
}

/* The waiter is excluded by another request, and the waiter that the holder would exclude has
 * withdrawn. */
LockTest(notice, not_of_those_who_are_gone)
{
	evlock_handle held = hold(lock, X), writer;

	ASK(lock, "reader", .mode = S, .notice_cb = on_notice);
	ask(lock, "upgradable", U);
	ask(lock, "next", U);
	writer = ask(lock, "writer", X);
	drop(lock, writer);
	cr_assert_str_eq(let_go(lock, held), "reader upgradable");
}

LockTest(notice, to_each_holder_in_the_way)
{
	evlock_handle a = hold_noticing(lock, "a", S);

	hold_noticing(lock, "b", S);
	hold(lock, S);
	ask(lock, "writer", X);
	cr_assert_str_eq(run(), "a! b!");
	cr_assert_str_eq(let_go(lock, a), "");
}

LockTest(notice, of_a_limit)
{
	static const struct evlock_mode mode[] = { { .limit = 3 }, { .name = "free" } };
	static const struct evlock_modes modes = { .mode = mode, .n_modes = 2 };
	struct evlock *l = evlock_new(base, &(struct evlock_options){ .modes = &modes });

	hold_noticing(l, "a", 0);
	hold_noticing(l, "other mode", 1);
	ASK(l, "fits", .units = 2);
	cr_assert_str_eq(run(), "fits");
	ASK(l, "waits", .units = 1);
	cr_assert_str_eq(run(), "a!");
	evlock_free(l);
	cr_assert_str_eq(told(), "waits:ECANCELED");
}

static int
is_alone(unsigned mode, uint32_t units, const uint32_t *held, void *arg)
{
	(void)mode;
	(void)units;
	(void)arg;
	return held[0] == 0;
}

LockTest(notice, of_a_predicate)
{
	static const struct evlock_mode mode = { .name = "mutex", .is_compatible = is_alone };
	static const struct evlock_modes modes = { .mode = &mode, .n_modes = 1 };
	struct evlock *l = evlock_new(base, &(struct evlock_options){ .modes = &modes });

	hold_noticing(l, "holder", 0);
	ask(l, "waits", 0);
	cr_assert_str_eq(run(), "holder!");
	evlock_free(l);
	cr_assert_str_eq(told(), "waits:ECANCELED");
}

static int
is_at_most_three(unsigned mode, uint32_t units, const uint32_t *held, void *arg)
{
	(void)mode;
	(void)arg;
	return held[0] + held[1] + units <= 3;
}

/* The conversion waits only for the third holder.  The predicate does not count the units that the
 * converting handle holds. */
LockTest(notice, not_of_a_predicate_that_counts_the_converting_handle)
{
	static const struct evlock_mode mode[] = {
		{ .name = "a", .is_compatible = is_at_most_three },
		{ .name = "b", .is_compatible = is_at_most_three, .conflicts = 1u << 2 },
		{ .name = "c" },
	};
	static const struct evlock_modes modes = { .mode = mode, .n_modes = 3 };
	struct evlock *l = evlock_new(base, &(struct evlock_options){ .modes = &modes });
	evlock_handle two = ASK(l, "two", .mode = 0, .units = 2), third;

	hold_noticing(l, "one", 0);
	third = hold(l, 2);
	convert(l, "converted", two, 1);
	cr_assert_str_eq(run(), "two");
	cr_assert_str_eq(let_go(l, third), "converted");
	evlock_free(l);
}

/* --- Conversions ---------------------------------------------------------- */

LockTest(notice, of_a_conversion)
{
	evlock_handle a = hold(lock, S);

	hold_noticing(lock, "holder", S);
	convert(lock, "up", a, X);
	cr_assert_str_eq(run(), "holder!");
}

LockTest(notice, not_of_its_own_conversion)
{
	evlock_handle a = hold_noticing(lock, "a", S), b = hold_noticing(lock, "b", S);

	convert(lock, "up", a, X);
	cr_assert_str_eq(run(), "b!");
	cr_assert_str_eq(let_go(lock, b), "up");
}

LockTest(notice, when_it_converts_into_the_way)
{
	evlock_handle handle = hold_noticing(lock, "holder", S), other;

	cr_assert_eq(evlock_convert_nowait(lock, handle, N), 0);
	other = hold(lock, X);
	ask(lock, "a", X);
	cr_assert_str_eq(run(), "");
	cr_assert_str_eq(let_go(lock, other), "a");
}

LockTest(notice, again_after_it_converted_out_of_the_way)
{
	evlock_handle handle = hold_noticing(lock, "holder", X), a = ask(lock, "a", S);

	cr_assert_str_eq(run(), "holder!");
	cr_assert_eq(evlock_convert_nowait(lock, handle, S), 0);
	cr_assert_str_eq(run(), "a");
	drop(lock, a);
	ask(lock, "b", X);
	cr_assert_str_eq(run(), "holder!");
}

LockTest(notice, to_a_handle_of_the_callers)
{
	int mine;
	evlock_handle handle = ASK(lock, "holder", .mode = X, .handle = EVLOCK_HANDLE_FROM(&mine),
	    .notice_cb = on_notice);

	ask(lock, "a", X);
	cr_assert_str_eq(run(), "holder holder!");
	cr_assert_eq(told_handle, handle);
	cr_assert_str_eq(let_go(lock, handle), "a");
}

/* --- What a notice callback may do ---------------------------------------- */

static void
give_way(struct evlock *l, evlock_handle handle, int error, void *who)
{
	on_notice(l, handle, error, who);
	drop(l, handle);
}

LockTest(notice, callback_gives_way)
{
	ASK(lock, "a", .mode = X, .notice_cb = give_way);
	ASK(lock, "b", .mode = X, .notice_cb = give_way);
	ASK(lock, "c", .mode = X, .notice_cb = give_way);
	cr_assert_str_eq(run(), "a a! b b! c");
}

static void
free_lock(struct evlock *l, evlock_handle handle, int error, void *who)
{
	on_notice(l, handle, error, who);
	evlock_free(l);
}

LockTest(notice, callback_frees_the_lock)
{
	struct evlock *l = evlock_new(base, NULL);

	ASK(l, "a", .mode = X, .notice_cb = free_lock);
	ask(l, "b", X);
	cr_assert_str_eq(run(), "a a! b:ECANCELED");
}

LockTest(notice, on_its_way_when_the_lock_is_freed)
{
	struct evlock *l = evlock_new(base, NULL);

	hold_noticing(l, "a", X);
	ask(l, "b", X);
	evlock_free(l);
	cr_assert_str_eq(told(), "b:ECANCELED");
	cr_assert_str_eq(run(), "");
}

LockTest(notice, on_its_way_when_the_lock_is_closed)
{
	evlock_handle handle = hold_noticing(lock, "a", X);

	ask(lock, "b", X);
	evlock_close(lock);
	cr_assert_str_eq(run(), "b:ECANCELED");
	drop(lock, handle);
}
