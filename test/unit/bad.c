/* SPDX-License-Identifier: BSD-3-Clause */

/* Bad input for every parameter of every public function that documents it.  The call sets errno,
 * changes nothing and calls nothing back. */

#include <limits.h>

#include "../shim.h"
#include "../util.h"

static const unsigned bad_mode[] = { 4, 5, 31, 32, 33, 255, 256, 1u << 16, INT_MAX, UINT_MAX };

#define EACH_BAD_MODE(i) ((i) = 0; (i) < sizeof bad_mode / sizeof bad_mode[0]; (i)++)

/* Checks with the lock free, held, and waited for.  Bad input fails in each of these states. */
static void
in_each_state(void (*check)(void))
{
	evlock_handle held;

	check();
	held = hold(lock, S);
	check();
	ask(lock, "a", X);
	check();
	cr_assert_str_eq(let_go(lock, held), "a");
	check();
	cr_assert_str_eq(run(), "");
}

static void
check_acquire(void)
{
	struct timeval now = { 0, 0 };
	unsigned i;

	for EACH_BAD_MODE(i) {
		assert_refused(evlock_acquire(lock, bad_mode[i], NULL, note, NULL), EINVAL);
		assert_refused(evlock_acquire(lock, bad_mode[i], &now, note, NULL), EINVAL);
	}
	assert_refused(evlock_acquire(lock, S, NULL, NULL, NULL), EINVAL);
	assert_refused(evlock_acquire(lock, S, &now, NULL, NULL), EINVAL);
}

LockTest(bad, acquire)
{
	in_each_state(check_acquire);
}

static void
check_nowait(void)
{
	unsigned i;

	for EACH_BAD_MODE(i)
		assert_refused(evlock_acquire_nowait(lock, bad_mode[i]), EINVAL);
}

LockTest(bad, acquire_nowait)
{
	in_each_state(check_nowait);
}

static void
check_with(void)
{
	unsigned i;

	for EACH_BAD_MODE(i)
		assert_refused(evlock_with(lock, bad_mode[i], NULL, note, NULL), EINVAL);
	assert_refused(evlock_with(lock, S, NULL, NULL, NULL), EINVAL);
}

LockTest(bad, with)
{
	in_each_state(check_with);
}

/* Checks with a callback and without one. */
static void
check_bad_request(struct evlock_request request)
{
	request.cb = NULL;
	assert_refused(evlock_acquire_request(lock, &request), EINVAL);
	request.notice_cb = note;
	assert_refused(evlock_acquire_request(lock, &request), EINVAL);
	request.cb = note;
	assert_refused(evlock_acquire_request(lock, &request), EINVAL);
}

static void
check_request(void)
{
	unsigned i;

	for EACH_BAD_MODE(i)
		check_bad_request((struct evlock_request){ .mode = bad_mode[i] });
	for (i = 4; i; i <<= 1)
		check_bad_request((struct evlock_request){ .priority = i });
	check_bad_request((struct evlock_request){ .priority = UINT_MAX });
	for (i = 0; i < 63; i++)
		check_bad_request((struct evlock_request){ .handle = (evlock_handle)1 << i });
}

LockTest(bad, acquire_request)
{
	in_each_state(check_request);
}

LockTest(bad, acquire_request_units)
{
	static const struct evlock_mode mode[] = { { .name = "a", .limit = 3 }, { .limit = 1 } };
	static const struct evlock_modes modes = { .mode = mode, .n_modes = 2 };
	struct evlock *plain = lock;

	lock = evlock_new(base, &(struct evlock_options){ .modes = &modes });
	check_bad_request((struct evlock_request){ .mode = 0, .units = 4 });
	check_bad_request((struct evlock_request){ .mode = 0, .units = UINT32_MAX });
	check_bad_request((struct evlock_request){ .mode = 1, .units = 2 });
	evlock_free(lock);
	lock = plain;
}

static void
check_convert(void)
{
	unsigned i;

	assert_fails(evlock_convert(lock, 0, X, NULL, note, NULL), ENOENT);
	assert_fails(evlock_convert(lock, ~(evlock_handle)0, X, NULL, note, NULL), ENOENT);
	assert_fails(evlock_convert_nowait(lock, 0, X), ENOENT);
	assert_fails(evlock_convert_nowait(lock, ~(evlock_handle)0, X), ENOENT);
	for EACH_BAD_MODE(i)
		assert_fails(evlock_convert_nowait(lock, 0, bad_mode[i]), ENOENT);
}

LockTest(bad, convert)
{
	in_each_state(check_convert);
}

LockTest(bad, convert_mode)
{
	evlock_handle handle = hold(lock, S);
	unsigned i;

	for EACH_BAD_MODE(i) {
		assert_fails(evlock_convert(lock, handle, bad_mode[i], NULL, note, NULL), EINVAL);
		assert_fails(evlock_convert_nowait(lock, handle, bad_mode[i]), EINVAL);
	}
	assert_fails(evlock_convert(lock, handle, S, NULL, NULL, NULL), EINVAL);
}

static void
check_release(void)
{
	assert_fails(evlock_release(lock, 0), ENOENT);
	assert_fails(evlock_release(lock, ~(evlock_handle)0), ENOENT);
	assert_fails(evlock_release(lock, EVLOCK_HANDLE_FROM(NULL)), ENOENT);
	assert_fails(evlock_release(lock, EVLOCK_HANDLE_FROM(lock)), ENOENT);
}

LockTest(bad, release)
{
	in_each_state(check_release);
}

static void
check_notify(void)
{
	struct event *ev = new_event("never");
	unsigned i;

	for EACH_BAD_MODE(i)
		assert_fails(evlock_notify(lock, bad_mode[i], ev), EINVAL);
	assert_fails(evlock_notify(lock, S, NULL), EINVAL);
	assert_fails(evlock_unnotify(lock, NULL), ENOENT);
	assert_fails(evlock_unnotify(lock, ev), ENOENT);
	event_free(ev);
}

LockTest(bad, notify)
{
	in_each_state(check_notify);
}

static void
check_look(void)
{
	unsigned i;

	for EACH_BAD_MODE(i)
		cr_assert_eq(evlock_held(lock, bad_mode[i]), 0);
	assert_fails(evlock_mode_of(lock, 0), ENOENT);
	assert_fails(evlock_mode_of(lock, ~(evlock_handle)0), ENOENT);
	assert_refused(evlock_value(lock, 0), EPERM);
	assert_refused(evlock_value(lock, ~(evlock_handle)0), EPERM);
	assert_refused(evlock_value_mut(lock, 0), EPERM);
	assert_refused(evlock_value_mut(lock, ~(evlock_handle)0), EPERM);
}

LockTest(bad, look)
{
	in_each_state(check_look);
}

LockTest(bad, dump_of_a_base_without_locks)
{
	struct event_base *here = base;

	base = event_base_new();
	cr_assert_str_eq(state(), "");
	event_base_free(base);
	base = here;
}
