/* SPDX-License-Identifier: BSD-3-Clause */

/* evlock_close(). */

#include "../shim.h"
#include "../util.h"

LockTest(close, cancels_those_who_wait)
{
	hold(lock, S);
	ask(lock, "a", X);
	ask_for(lock, "b", S, 3600 * 1000);
	ASK(lock, "c", .mode = S, .handle = EVLOCK_HANDLE_FROM(lock));
	evlock_with(lock, S, NULL, note, (void *)(uintptr_t)"d");
	evlock_close(lock);
	cr_assert_str_eq(told(), "", "called back inside evlock_close()");
	cr_assert_eq(evlock_waiting(lock), 0);
	cr_assert_str_eq(run(), "a:ECANCELED b:ECANCELED c:ECANCELED d:ECANCELED");
}

LockTest(close, cancels_conversions_that_wait)
{
	evlock_handle a = hold(lock, S), b = hold(lock, S);

	convert(lock, "up", a, X);
	ask(lock, "reader", S);
	evlock_close(lock);
	cr_assert_str_eq(run(), "up:ECANCELED reader:ECANCELED");
	cr_assert_eq(evlock_mode_of(lock, a), S);
	drop(lock, a);
	drop(lock, b);
}

LockTest(close, disturbs_no_holder)
{
	evlock_handle a = hold(lock, S), b = ask(lock, "granted", S);

	evlock_close(lock);
	cr_assert_eq(evlock_held(lock, S), 2);
	cr_assert_str_eq(run(), "granted");
	cr_assert_eq(evlock_mode_of(lock, b), S);
	drop(lock, a);
	drop(lock, b);
	assert_fails(evlock_release(lock, b), ENOENT);
	cr_assert_eq(evlock_locked(lock), N);
}

LockTest(close, disturbs_no_conversion_that_is_done)
{
	evlock_handle a = hold(lock, S);

	convert(lock, "up", a, X);
	evlock_close(lock);
	cr_assert_str_eq(run(), "up");
	cr_assert_eq(evlock_mode_of(lock, a), X);
}

LockTest(close, refuses_what_comes_later)
{
	static const struct evlock_request nowait = { .mode = S };
	evlock_handle held = hold(lock, S);
	struct timeval now = { 0, 0 };

	evlock_close(lock);
	assert_refused(evlock_acquire(lock, S, NULL, note, NULL), ECANCELED);
	assert_refused(evlock_acquire(lock, S, &now, note, NULL), ECANCELED);
	assert_refused(evlock_acquire(lock, X, NULL, note, NULL), ECANCELED);
	assert_refused(evlock_acquire_nowait(lock, S), ECANCELED);
	assert_refused(evlock_with(lock, S, NULL, note, NULL), ECANCELED);
	assert_refused(ASK(lock, "a", .mode = S), ECANCELED);
	assert_refused(evlock_acquire_request(lock, &nowait), ECANCELED);
	assert_fails(evlock_convert(lock, held, N, NULL, note, NULL), ECANCELED);
	assert_fails(evlock_convert_nowait(lock, held, N), ECANCELED);
	cr_assert_str_eq(run(), "");
}

LockTest(close, twice)
{
	hold(lock, X);
	ask(lock, "a", X);
	evlock_close(lock);
	evlock_close(lock);
	cr_assert_str_eq(run(), "a:ECANCELED");
	evlock_close(lock);
	cr_assert_str_eq(run(), "");
}

LockTest(close, of_a_lock_never_used)
{
	evlock_close(lock);
	cr_assert_str_eq(run(), "");
	assert_refused(evlock_acquire_nowait(lock, N), ECANCELED);
}

LockTest(close, leaves_other_locks_alone)
{
	struct evlock *other = evlock_new(base, NULL);
	evlock_handle held = hold(other, X);

	ask(other, "a", X);
	evlock_close(lock);
	cr_assert_str_eq(let_go(other, held), "a");
	evlock_free(other);
}

static void
close_it(struct evlock *l, evlock_handle handle, int error, void *who)
{
	note(l, handle, error, who);
	evlock_close(l);
}

LockTest(close, in_a_callback)
{
	ask_then(lock, "a", S, close_it);
	ask(lock, "b", S);
	ask(lock, "c", X);
	cr_assert_str_eq(run(), "a b c:ECANCELED");
}

LockTest(close, in_the_callback_of_a_timeout)
{
	struct timeval now = { 0, 0 };

	hold(lock, X);
	ASK(lock, "a", .mode = X, .timeout = &now, .cb = close_it);
	ask(lock, "b", X);
	cr_assert_str_eq(run(), "a:ETIMEDOUT b:ECANCELED");
}

/* When the callback of a cancelled request runs, its handle is already unknown. */
static void
look_for_handle(struct evlock *l, evlock_handle handle, int error, void *who)
{
	note(l, handle, error, who);
	assert_fails(evlock_release(l, handle), ENOENT);
	assert_fails(evlock_mode_of(l, handle), ENOENT);
}

LockTest(close, the_handles_are_gone)
{
	evlock_handle handle;

	hold(lock, X);
	handle = ask_then(lock, "a", X, look_for_handle);
	evlock_close(lock);
	assert_fails(evlock_mode_of(lock, handle), ENOENT);
	assert_refused(evlock_value(lock, handle), EPERM);
	cr_assert_str_eq(run(), "a:ECANCELED");
}
