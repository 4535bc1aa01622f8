/* SPDX-License-Identifier: BSD-3-Clause */

/* evlock_release() of a handle in each state that it can have.  Every way of leaving grants the
 * waiters whose turn it then is. */

#include <stdio.h>

#include "../shim.h"
#include "../util.h"

/* --- While the request waits ---------------------------------------------- */

LockTest(withdraw, waiting_writer_lets_the_readers_behind_it_in)
{
	evlock_handle reader = hold(lock, S), writer = ask(lock, "writer", X);

	ask(lock, "a", S);
	ask(lock, "b", S);
	cr_assert_str_eq(run(), "", "readers passed a writer");
	drop(lock, writer);
	cr_assert_eq(evlock_held(lock, S), 3, "granted after evlock_release() returned");
	cr_assert_str_eq(run(), "a b");
	drop(lock, reader);
}

LockTest(withdraw, waiting_writer_lets_no_one_pass_a_writer_behind_it)
{
	evlock_handle reader = hold(lock, S), first = ask(lock, "first", X);

	ask(lock, "a", S);
	ask(lock, "second", X);
	ask(lock, "b", S);
	cr_assert_str_eq(let_go(lock, first), "a");
	cr_assert_str_eq(let_go(lock, reader), "");
}

LockTest(withdraw, last_waiting)
{
	evlock_handle held = hold(lock, X), last;

	ask(lock, "a", X);
	last = ask(lock, "last", X);
	drop(lock, last);
	cr_assert_eq(evlock_waiting(lock), 1);
	ask(lock, "b", X);
	cr_assert_str_eq(let_go(lock, held), "a");
}

LockTest(withdraw, middle_waiting)
{
	evlock_handle held = hold(lock, X), middle;

	ask(lock, "a", S);
	middle = ask(lock, "middle", S);
	ask(lock, "b", S);
	drop(lock, middle);
	cr_assert_str_eq(let_go(lock, held), "a b");
}

LockTest(withdraw, only_waiting)
{
	evlock_handle held = hold(lock, X), only = ask(lock, "only", X);

	drop(lock, only);
	cr_assert_eq(evlock_waiting(lock), 0);
	cr_assert_str_eq(let_go(lock, held), "");
	hold(lock, X);
}

LockTest(withdraw, with_a_timeout)
{
	evlock_handle held = hold(lock, X), waiting = ask_for(lock, "a", X, 1);

	cr_assert_str_eq(let_go(lock, waiting), "");
	drop(lock, held);
}

LockTest(withdraw, waiting_lets_those_with_too_few_units_in)
{
	static const struct evlock_mode mode = { .name = "unit", .limit = 4 };
	static const struct evlock_modes modes = { .mode = &mode, .n_modes = 1 };
	struct evlock *pool = evlock_new(base, &(struct evlock_options){ .modes = &modes });
	evlock_handle large;

	ASK(pool, "first", .units = 3);
	large = ASK(pool, "large", .units = 2);
	ASK(pool, "small", .units = 1);
	cr_assert_str_eq(run(), "first");
	cr_assert_str_eq(let_go(pool, large), "small");
	evlock_free(pool);
}

/* --- While the request waits behind others, where its seat may stay --------- */

/* Six requests in these modes wait behind `held`.  Those of `leavers` withdraw. */
static void
queue_up(const unsigned mode[6], const char *leavers)
{
	static const char *const name[] = { "a", "b", "c", "d", "e", "f" };
	evlock_handle handle[6];

	for (int i = 0; i < 6; i++)
		handle[i] = ask(lock, name[i], mode[i]);
	for (; *leavers; leavers++)
		drop(lock, handle[*leavers - 'a']);
}

static const unsigned all_shared[6] = { S, S, S, S, S, S };
static const unsigned writers_among[6] = { S, X, S, S, X, S };

LockTest(withdraw, those_behind_are_passed_over)
{
	evlock_handle held = hold(lock, X);

	queue_up(all_shared, "bce");
	cr_assert_eq(evlock_waiting(lock), 3);
	cr_assert_str_eq(let_go(lock, held), "a d f");
	cr_assert_eq(evlock_held(lock, S), 3);
}

LockTest(withdraw, those_behind_keep_nobody_out)
{
	evlock_handle held = hold(lock, X);

	queue_up(writers_among, "be");
	cr_assert_str_eq(let_go(lock, held), "a c d f");
}

/* The first request leaves last, when the requests behind it have gone. */
LockTest(withdraw, those_behind_go_with_the_first)
{
	evlock_handle held = hold(lock, S), first = ask(lock, "first", X);

	queue_up(writers_among, "abe");
	cr_assert_str_eq(let_go(lock, first), "c d f");
	drop(lock, held);
	hold(lock, S);
}

LockTest(withdraw, those_behind_are_unknown_at_once)
{
	evlock_handle middle;

	hold(lock, X);
	ask(lock, "first", X);
	middle = ask(lock, "middle", X);
	ask(lock, "last", X);
	drop(lock, middle);
	cr_assert_null(strstr(state(), "3 waiting"));
	assert_fails(evlock_release(lock, middle), ENOENT);
	assert_fails(evlock_mode_of(lock, middle), ENOENT);
	assert_fails(evlock_convert_nowait(lock, middle, S), ENOENT);
}

LockTest(withdraw, those_behind_are_not_dumped)
{
	char before[4096];

	hold(lock, X);
	ask(lock, "first", X);
	ask(lock, "last", X);
	snprintf(before, sizeof before, "%s", state());
	drop(lock, ask(lock, "gone", X));
	cr_assert_str_eq(state(), before);
}

LockTest(withdraw, those_behind_are_not_told_of_the_end)
{
	struct evlock *l = evlock_new(base, NULL);

	hold(lock, X);
	queue_up(all_shared, "bcf");
	evlock_close(lock);
	cr_assert_str_eq(run(), "a:ECANCELED d:ECANCELED e:ECANCELED");
	hold(l, X);
	ask(l, "first", S);
	ask(l, "second", S);
	drop(l, ask(l, "gone", S));
	evlock_free(l);
	cr_assert_str_eq(told(), "first:ECANCELED second:ECANCELED");
}

LockTest(withdraw, priorities_are_queued_among_those_who_are_gone)
{
	evlock_handle held = hold(lock, X);

	queue_up(all_shared, "bcf");
	ASK(lock, "urgent", .mode = X, .priority = 1);
	ask(lock, "g", S);
	cr_assert_str_eq(let_go(lock, held), "urgent");
}

/* Three requests withdraw and two wait.  Withdrawn requests may not outnumber the waiters, so their
 * slots are freed. */
LockTest(withdraw, slots_of_those_behind_are_used_again)
{
	evlock_handle gone[3];

	hold(lock, X);
	ask(lock, "first", X);
	ask(lock, "second", X);
	for (int i = 0; i < 3; i++)
		gone[i] = ask(lock, "gone", X);
	for (int i = 0; i < 3; i++)
		drop(lock, gone[i]);
	for (int i = 3; i-- > 0; )
		cr_assert_eq((uint32_t)ask(lock, "again", X), (uint32_t)gone[i]);
}

/* The same happens when fewer than three waiters are left. */
LockTest(withdraw, slots_are_used_again_when_others_are_granted)
{
	evlock_handle held = hold(lock, X), gone[3];

	if (is_threadsafe())	/* slots are used in another order */
		return;
	ask(lock, "a", S);
	ask(lock, "b", S);
	ask(lock, "c", X);
	for (int i = 0; i < 3; i++)
		gone[i] = ask(lock, "gone", X);
	ask(lock, "d", X);
	for (int i = 0; i < 3; i++)
		drop(lock, gone[i]);
	drop(lock, held);
	for (int i = 3; i-- > 0; )
		cr_assert_eq((uint32_t)ask(lock, "again", X), (uint32_t)gone[i]);
	cr_assert_str_eq(run(), "a b");
}

/* --- Granted, before its callback ----------------------------------------- */

LockTest(withdraw, granted_is_not_called_back)
{
	evlock_handle granted = ask(lock, "granted", X);

	drop(lock, granted);
	cr_assert_eq(evlock_locked(lock), N);
	cr_assert_str_eq(run(), "");
}

LockTest(withdraw, granted_lets_the_next_in)
{
	evlock_handle granted = ask(lock, "granted", X);

	ask(lock, "a", S);
	ask(lock, "b", S);
	ask(lock, "c", X);
	cr_assert_str_eq(let_go(lock, granted), "a b");
}

LockTest(withdraw, granted_by_a_release_lets_the_next_in)
{
	evlock_handle held = hold(lock, X), granted = ask(lock, "granted", X);

	ask(lock, "next", X);
	drop(lock, held);
	cr_assert_str_eq(let_go(lock, granted), "next");
}

LockTest(withdraw, granted_leaves_other_grants_in_order)
{
	evlock_handle granted;

	ask(lock, "a", S);
	granted = ask(lock, "granted", S);
	ask(lock, "b", S);
	cr_assert_str_eq(let_go(lock, granted), "a b");
}

LockTest(withdraw, granted_with_a_timeout)
{
	evlock_handle held = hold(lock, X), granted = ask_for(lock, "a", X, 1);

	drop(lock, held);
	cr_assert_str_eq(let_go(lock, granted), "");
}

/* --- While the request holds ---------------------------------------------- */

LockTest(withdraw, held_lets_the_next_in)
{
	evlock_handle held = ask(lock, "a", X);

	ask(lock, "b", X);
	cr_assert_str_eq(run(), "a");
	drop(lock, held);
	cr_assert_eq(evlock_locked(lock), X, "granted after evlock_release() returned");
	cr_assert_str_eq(run(), "b");
}

LockTest(withdraw, held_lets_all_readers_in_up_to_a_writer)
{
	evlock_handle held = hold(lock, X);

	ask(lock, "a", S);
	ask(lock, "b", N);
	ask(lock, "c", U);
	ask(lock, "d", X);
	ask(lock, "e", S);
	cr_assert_str_eq(let_go(lock, held), "a b c");
}

static void
drop_and_ask(struct evlock *l, evlock_handle handle, int error, void *who)
{
	note(l, handle, error, who);
	drop(l, handle);
	ask(l, "again", X);
}

LockTest(withdraw, held_in_its_callback)
{
	ask_then(lock, "a", X, drop_and_ask);
	ask(lock, "b", X);
	cr_assert_str_eq(run(), "a b");
}

/* --- Failed, before its callback ------------------------------------------ */

LockTest(withdraw, cancelled_is_not_called_back)
{
	evlock_handle held = hold(lock, X), waiting = ask(lock, "a", X);

	evlock_close(lock);
	drop(lock, waiting);
	assert_fails(evlock_release(lock, waiting), ENOENT);
	cr_assert_str_eq(run(), "");
	drop(lock, held);
}

static evlock_handle other;

static void
drop_other(struct evlock *l, evlock_handle handle, int error, void *who)
{
	note(l, handle, error, who);
	drop(l, other);
}

LockTest(withdraw, timed_out_is_not_called_back)
{
	struct timeval now = { 0, 0 };

	hold(lock, X);
	ASK(lock, "first", .mode = X, .timeout = &now, .cb = drop_other);
	other = ask_for(lock, "other", X, 0);	/* both timers expire in one pass */
	cr_assert_str_eq(run(), "first:ETIMEDOUT");
}

/* --- While the request is converted --------------------------------------- */

LockTest(withdraw, converting_ends_the_conversion_too)
{
	evlock_handle a = hold(lock, S), b = hold(lock, S);

	convert(lock, "b", b, X);
	ask(lock, "next", S);
	drop(lock, b);
	cr_assert_eq(evlock_waiting(lock), 0);
	cr_assert_str_eq(run(), "next");
	drop(lock, a);
}

LockTest(withdraw, converted_is_not_called_back)
{
	evlock_handle held = hold(lock, S);

	convert(lock, "up", held, X);
	ask(lock, "next", X);
	cr_assert_str_eq(let_go(lock, held), "next");
}

LockTest(withdraw, conversion_cancelled_is_not_called_back)
{
	evlock_handle a = hold(lock, S), b = hold(lock, S);

	convert(lock, "b", b, X);
	evlock_close(lock);
	cr_assert_str_eq(let_go(lock, b), "");
	drop(lock, a);
}

/* --- A second time -------------------------------------------------------- */

LockTest(withdraw, again_is_an_error)
{
	evlock_handle held = hold(lock, X), waiting = ask(lock, "a", X);

	drop(lock, waiting);
	assert_fails(evlock_release(lock, waiting), ENOENT);
	drop(lock, held);
	assert_fails(evlock_release(lock, held), ENOENT);
}

LockTest(withdraw, after_it_failed_is_an_error)
{
	evlock_handle waiting;

	hold(lock, X);
	waiting = ask_for(lock, "a", X, 0);
	cr_assert_str_eq(run(), "a:ETIMEDOUT");
	assert_fails(evlock_release(lock, waiting), ENOENT);
}
