/* SPDX-License-Identifier: BSD-3-Clause */

/* evlock_acquire(), evlock_acquire_nowait() and evlock_acquire_request(): what the caller gets, and
 * which arguments the callback gets. */

#include "../shim.h"
#include "../util.h"

/* The arguments of the last callback. */
static struct {
	struct evlock *lock;
	evlock_handle handle;
	int error;
	void *arg;
	int n;
} last;

static void
remember(struct evlock *l, evlock_handle handle, int error, void *arg)
{
	last.lock = l;
	last.handle = handle;
	last.error = error;
	last.arg = arg;
	last.n++;
}

LockTest(acquire, callback_is_told_everything)
{
	int mine;
	evlock_handle handle = evlock_acquire(lock, X, NULL, remember, &mine);

	cr_assert_neq(handle, 0);
	run();
	cr_assert_eq(last.lock, lock);
	cr_assert_eq(last.handle, handle);
	cr_assert_eq(last.error, 0);
	cr_assert_eq(last.arg, &mine);
}

LockTest(acquire, callback_is_told_of_failure)
{
	int mine;
	struct timeval now = { 0, 0 };
	evlock_handle handle;

	hold(lock, X);
	handle = evlock_acquire(lock, X, &now, remember, &mine);
	run();
	cr_assert_eq(last.lock, lock);
	cr_assert_eq(last.handle, handle);
	cr_assert_eq(last.error, ETIMEDOUT);
	cr_assert_eq(last.arg, &mine);
}

LockTest(acquire, callback_runs_once)
{
	evlock_handle handle = evlock_acquire(lock, X, NULL, remember, NULL);

	run();
	run();
	drop(lock, handle);
	run();
	cr_assert_eq(last.n, 1);
}

LockTest(acquire, callback_is_never_inside_the_call)
{
	evlock_handle held;

	held = ask(lock, "free", X);
	ask(lock, "waiting", X);
	cr_assert_str_eq(told(), "");
	drop(lock, held);
	ask_for(lock, "timed out", X, 0);
	cr_assert_str_eq(told(), "");
	cr_assert_str_eq(run(), "waiting timed out:ETIMEDOUT");
}

static void
ask_in_callback(struct evlock *l, evlock_handle handle, int error, void *who)
{
	note(l, handle, error, who);
	ask(l, "inner", N);
	write_down("end");
}

LockTest(acquire, callback_is_never_inside_the_call_from_a_callback)
{
	ask_then(lock, "outer", N, ask_in_callback);
	cr_assert_str_eq(run(), "outer end inner");
}

static void
ask_from_an_event(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
	ask(lock, "a", X);
	write_down("end");
}

LockTest(acquire, callback_is_never_inside_the_call_from_an_event)
{
	event_base_once(base, -1, EV_TIMEOUT, ask_from_an_event, NULL, NULL);
	cr_assert_str_eq(run(), "end a");
}

/* --- When the request holds the lock -------------------------------------- */

LockTest(acquire, holds_from_the_grant_on)
{
	evlock_handle handle = ask(lock, "a", X);

	cr_assert_eq(evlock_mode_of(lock, handle), X);
	cr_assert_eq(evlock_locked(lock), X);
	cr_assert_eq(evlock_held(lock, X), 1);
	cr_assert_eq(evlock_waiting(lock), 0);
	assert_refused(evlock_acquire_nowait(lock, S), EAGAIN);
	cr_assert_str_eq(run(), "a");
	cr_assert_eq(evlock_mode_of(lock, handle), X);
}

LockTest(acquire, holds_nothing_while_it_waits)
{
	evlock_handle held = hold(lock, S), handle = ask(lock, "a", X);

	assert_fails(evlock_mode_of(lock, handle), ENOENT);
	assert_refused(evlock_value(lock, handle), EPERM);
	assert_fails(evlock_convert_nowait(lock, handle, S), ENOENT);
	cr_assert_eq(evlock_held(lock, X), 0);
	drop(lock, held);
	cr_assert_eq(evlock_mode_of(lock, handle), X, "granted, and not called back");
	cr_assert_str_eq(run(), "a");
}

LockTest(acquire, holds_until_released)
{
	evlock_handle handle = ask(lock, "a", S);

	cr_assert_str_eq(run(), "a");
	run();
	cr_assert_eq(evlock_mode_of(lock, handle), S);
	drop(lock, handle);
	assert_fails(evlock_mode_of(lock, handle), ENOENT);
}

LockTest(acquire, is_not_reentrant)
{
	hold(lock, X);
	assert_refused(evlock_acquire_nowait(lock, X), EAGAIN);
	ask(lock, "a", S);
	cr_assert_str_eq(run(), "");
}

LockTest(acquire, locks_are_independent)
{
	struct evlock *other = evlock_new(base, NULL);

	hold(lock, X);
	ask(lock, "waits", X);
	hold(other, X);
	cr_assert_eq(evlock_waiting(other), 0);
	cr_assert_str_eq(run(), "");
	evlock_free(other);
}

/* --- evlock_acquire_nowait() ---------------------------------------------- */

LockTest(acquire, nowait)
{
	evlock_handle handle = evlock_acquire_nowait(lock, X);

	cr_assert_eq(evlock_mode_of(lock, handle), X);
	assert_refused(evlock_acquire_nowait(lock, N), EAGAIN);
	drop(lock, handle);
	hold(lock, N);
}

/* --- evlock_acquire_request() --------------------------------------------- */

LockTest(acquire, request_of_zeros_is_nowait)
{
	static const struct evlock_request zeros;
	evlock_handle handle = evlock_acquire_request(lock, &zeros);

	cr_assert_eq(evlock_mode_of(lock, handle), N);
	drop(lock, handle);
	hold(lock, X);
	assert_refused(evlock_acquire_request(lock, &zeros), EAGAIN);
}

LockTest(acquire, request_with_a_callback_waits)
{
	struct evlock_request request = { .mode = X, .cb = remember, .arg = &request };
	evlock_handle held = hold(lock, X), handle = evlock_acquire_request(lock, &request);

	run();
	cr_assert_eq(last.n, 0);
	drop(lock, held);
	run();
	cr_assert_eq(last.n, 1);
	cr_assert_eq(last.handle, handle);
	cr_assert_eq(last.arg, &request);
}

LockTest(acquire, request_is_copied)
{
	struct timeval timeout = { 0, 0 };
	struct evlock_request request = { .mode = X, .cb = remember, .timeout = &timeout };

	hold(lock, X);
	evlock_acquire_request(lock, &request);
	request.cb = NULL;
	timeout.tv_sec = 3600;
	run();
	cr_assert_eq(last.error, ETIMEDOUT);
}
