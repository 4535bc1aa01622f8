/* SPDX-License-Identifier: BSD-3-Clause */

/* evlock_with(): acquires, runs a callback, releases. */

#include "../shim.h"
#include "../util.h"

static evlock_handle
use(struct evlock *l, const char *who, unsigned mode, evlock_cb cb)
{
	evlock_handle handle = evlock_with(l, mode, NULL, cb, (void *)(uintptr_t)who);

	cr_assert_neq(handle, 0);
	return handle;
}

static void
note_mode(struct evlock *l, evlock_handle handle, int error, void *who)
{
	note(l, handle, error, who);
	cr_assert_eq(evlock_mode_of(l, handle), X);
}

LockTest(with, releases_when_the_callback_returns)
{
	evlock_handle handle = use(lock, "a", X, note_mode);

	use(lock, "b", X, note);
	ask(lock, "c", X);
	cr_assert_eq(evlock_mode_of(lock, handle), X);
	cr_assert_str_eq(told(), "");
	cr_assert_str_eq(run(), "a b c");
	assert_fails(evlock_release(lock, handle), ENOENT);
}

LockTest(with, waits_its_turn)
{
	evlock_handle held = hold(lock, S);

	use(lock, "writer", X, note_mode);
	use(lock, "reader", S, note);
	cr_assert_str_eq(run(), "");
	cr_assert_str_eq(let_go(lock, held), "writer reader");
	cr_assert_eq(evlock_locked(lock), N);
}

LockTest(with, times_out)
{
	evlock_handle held = hold(lock, S);
	struct timeval now = { 0, 0 };

	evlock_with(lock, X, &now, note, (void *)(uintptr_t)"a");
	cr_assert_str_eq(run(), "a:ETIMEDOUT");
	cr_assert_eq(evlock_mode_of(lock, held), S);
	cr_assert_eq(evlock_waiting(lock), 0);
}

LockTest(with, is_withdrawn)
{
	evlock_handle held = hold(lock, X), handle = use(lock, "a", X, note);

	drop(lock, handle);
	handle = use(lock, "b", X, note);
	drop(lock, held);
	cr_assert_str_eq(let_go(lock, handle), "");
	cr_assert_eq(evlock_locked(lock), N);
}

LockTest(with, fails_as_acquire_does)
{
	assert_refused(evlock_with(lock, 4, NULL, note, NULL), EINVAL);
	assert_refused(evlock_with(lock, X, NULL, NULL, NULL), EINVAL);
	evlock_close(lock);
	assert_refused(evlock_with(lock, X, NULL, note, NULL), ECANCELED);
}

/* --- What the callback may do --------------------------------------------- */

static void
drop_and_hold(struct evlock *l, evlock_handle handle, int error, void *who)
{
	note_and_drop(l, handle, error, who);
	hold(l, X);
}

LockTest(with, callback_releases_itself)
{
	use(lock, "a", X, drop_and_hold);
	cr_assert_str_eq(run(), "a");
	cr_assert_eq(evlock_held(lock, X), 1, "another holder's lock was released");
}

LockTest(with, callback_releases_itself_and_the_next_goes_on)
{
	use(lock, "a", X, note_and_drop);
	use(lock, "b", X, note_and_drop);
	ask(lock, "c", X);
	cr_assert_str_eq(run(), "a b c");
	cr_assert_eq(evlock_held(lock, X), 1);
}

static void
convert_down(struct evlock *l, evlock_handle handle, int error, void *who)
{
	note(l, handle, error, who);
	cr_assert_eq(evlock_convert_nowait(l, handle, S), 0);
}

LockTest(with, callback_converts)
{
	use(lock, "a", X, convert_down);
	ask(lock, "b", S);
	cr_assert_str_eq(run(), "a b");
	cr_assert_eq(evlock_held(lock, S), 1);
}

static void
convert_up(struct evlock *l, evlock_handle handle, int error, void *who)
{
	note(l, handle, error, who);
	convert(l, "up", handle, X);
	cr_assert_eq(evlock_waiting(l), 1);
}

LockTest(with, release_ends_a_conversion_that_the_callback_began)
{
	hold(lock, S);
	use(lock, "a", S, convert_up);
	cr_assert_str_eq(run(), "a");
	cr_assert_eq(evlock_waiting(lock), 0);
	cr_assert_eq(evlock_held(lock, S), 1);
}

static void
break_loop(struct evlock *l, evlock_handle handle, int error, void *who)
{
	note(l, handle, error, who);
	event_base_loopbreak(base);
}

LockTest(with, callback_breaks_the_loop)
{
	use(lock, "a", X, break_loop);
	use(lock, "b", X, note);
	cr_assert_str_eq(run(), "a");
	cr_assert_eq(evlock_waiting(lock), 0, "not released");
	cr_assert_str_eq(run(), "b");
}

static void
close_it(struct evlock *l, evlock_handle handle, int error, void *who)
{
	note(l, handle, error, who);
	evlock_close(l);
}

LockTest(with, callback_closes_the_lock)
{
	use(lock, "a", X, close_it);
	use(lock, "b", X, note);
	cr_assert_str_eq(run(), "a b:ECANCELED");
	cr_assert_eq(evlock_locked(lock), N);
}

static void
free_it(struct evlock *l, evlock_handle handle, int error, void *who)
{
	note(l, handle, error, who);
	evlock_free(l);
}

LockTest(with, callback_frees_the_lock)
{
	struct evlock *l = evlock_new(base, NULL);

	use(l, "a", X, free_it);
	use(l, "b", X, note);
	ask(lock, "c", X);
	cr_assert_str_eq(run(), "a b:ECANCELED c");
}

/* A new lock may have the address of the freed one. */
static void
free_and_make(struct evlock *l, evlock_handle handle, int error, void *who)
{
	free_it(l, handle, error, who);
	lock = evlock_new(base, NULL);
	hold(lock, X);
}

LockTest(with, callback_frees_the_lock_and_makes_another)
{
	use(lock, "a", X, free_and_make);
	cr_assert_str_eq(run(), "a");
	cr_assert_eq(evlock_held(lock, X), 1);
}

static struct evlock *other;

static void
free_other(struct evlock *l, evlock_handle handle, int error, void *who)
{
	note(l, handle, error, who);
	evlock_free(other);
}

LockTest(with, callback_frees_another_lock)
{
	other = evlock_new(base, NULL);
	use(lock, "a", X, free_other);
	use(other, "b", X, note);
	cr_assert_str_eq(run(), "a b:ECANCELED");
	cr_assert_eq(evlock_locked(lock), N);
}

/* A callback of evlock_with() frees the lock of the callback that is running outside it. */
static void
free_lock(struct evlock *l, evlock_handle handle, int error, void *who)
{
	note(l, handle, error, who);
	evlock_free(lock);
	lock = NULL;
}

LockTest(with, callback_frees_another_lock_whose_callback_frees_this_one)
{
	other = evlock_new(base, NULL);
	use(lock, "a", X, free_other);
	use(other, "b", X, free_lock);
	use(lock, "c", X, note);
	cr_assert_str_eq(run(), "a b:ECANCELED c:ECANCELED");
}

static void
use_again(struct evlock *l, evlock_handle handle, int error, void *who)
{
	note(l, handle, error, who);
	use(l, "again", X, note);
	assert_refused(evlock_acquire_nowait(l, X), EAGAIN);
}

LockTest(with, callback_uses_it_again)
{
	use(lock, "a", X, use_again);
	cr_assert_str_eq(run(), "a again");
	cr_assert_eq(evlock_locked(lock), N);
}
