/* SPDX-License-Identifier: BSD-3-Clause */

/* Handles that callers make from pointers of their own. */

#include "../shim.h"
#include "../util.h"

static int mine, yours;

#define MINE EVLOCK_HANDLE_FROM(&mine)
#define YOURS EVLOCK_HANDLE_FROM(&yours)

LockTest(own, handle_is_returned_and_told)
{
	evlock_handle held = ASK(lock, "a", .mode = X, .handle = MINE);

	cr_assert_eq(held, MINE);
	cr_assert_eq(evlock_mode_of(lock, MINE), X);
	cr_assert_str_eq(run(), "a");
	drop(lock, MINE);
	cr_assert_eq(evlock_locked(lock), N);
}

static void
remember(struct evlock *l, evlock_handle handle, int error, void *arg)
{
	(void)l;
	cr_assert_eq(error, 0);
	*(evlock_handle *)arg = handle;
}

LockTest(own, handle_is_told)
{
	evlock_handle heard = 0;
	struct evlock_request request = { .handle = MINE, .cb = remember, .arg = &heard };

	evlock_acquire_request(lock, &request);
	run();
	cr_assert_eq(heard, MINE);
}

LockTest(own, handle_at_once)
{
	struct evlock_request request = { .mode = X, .handle = MINE };

	cr_assert_eq(evlock_acquire_request(lock, &request), MINE);
	assert_refused(evlock_acquire_request(lock, &request), EEXIST);
	request.handle = YOURS;
	assert_refused(evlock_acquire_request(lock, &request), EAGAIN);
	drop(lock, MINE);
	cr_assert_eq(evlock_acquire_request(lock, &request), YOURS);
}

LockTest(own, handle_waits_and_is_withdrawn)
{
	evlock_handle held = hold(lock, X);

	cr_assert_eq(ASK(lock, "mine", .mode = X, .handle = MINE), MINE);
	ask(lock, "next", X);
	assert_fails(evlock_mode_of(lock, MINE), ENOENT);
	drop(lock, MINE);
	assert_fails(evlock_release(lock, MINE), ENOENT);
	cr_assert_str_eq(let_go(lock, held), "next");
}

LockTest(own, handle_times_out)
{
	struct timeval now = { 0, 0 };

	hold(lock, X);
	ASK(lock, "mine", .mode = X, .handle = MINE, .timeout = &now);
	cr_assert_str_eq(run(), "mine:ETIMEDOUT");
	assert_fails(evlock_release(lock, MINE), ENOENT);
	cr_assert_eq(ASK(lock, "again", .mode = X, .handle = MINE), MINE);
}

LockTest(own, handle_names_one_at_a_time)
{
	ASK(lock, "held", .mode = S, .handle = MINE);
	assert_refused(ASK(lock, "again", .mode = S, .handle = MINE), EEXIST);
	cr_assert_str_eq(run(), "held");
	assert_refused(ASK(lock, "again", .mode = S, .handle = MINE), EEXIST);
	ASK(lock, "waits", .mode = X, .handle = YOURS);
	assert_refused(ASK(lock, "again", .mode = S, .handle = YOURS), EEXIST);
	assert_refused(evlock_acquire_request(lock,
	    &(struct evlock_request){ .handle = YOURS, .priority = 3 }), EEXIST);
}

LockTest(own, handle_is_in_use_until_its_failure_is_told)
{
	hold(lock, X);
	ASK(lock, "mine", .mode = X, .handle = MINE);
	evlock_close(lock);
	drop(lock, MINE);
	assert_fails(evlock_release(lock, MINE), ENOENT);
	cr_assert_str_eq(run(), "");
}

static void
ask_again(struct evlock *l, evlock_handle handle, int error, void *who)
{
	note(l, handle, error, who);
	cr_assert_eq(ASK(l, "again", .mode = X, .handle = MINE), MINE);
}

LockTest(own, handle_may_be_used_again_in_the_callback_that_tells_its_failure)
{
	struct timeval now = { 0, 0 };
	evlock_handle held = hold(lock, X);

	ASK(lock, "mine", .mode = X, .handle = MINE, .timeout = &now, .cb = ask_again);
	cr_assert_str_eq(run(), "mine:ETIMEDOUT");
	cr_assert_str_eq(let_go(lock, held), "again");
}

LockTest(own, handle_may_be_used_again)
{
	unsigned i;

	for (i = 0; i < 100; i++) {
		cr_assert_eq(ASK(lock, "a", .mode = X, .handle = MINE), MINE);
		cr_assert_str_eq(run(), "a");
		drop(lock, MINE);
	}
}

LockTest(own, handle_on_two_locks)
{
	struct evlock *other = evlock_new(base, NULL);

	ASK(lock, "a", .mode = X, .handle = MINE);
	cr_assert_eq(ASK(other, "b", .mode = S, .handle = MINE), MINE);
	cr_assert_str_eq(run(), "a b");
	drop(lock, MINE);
	cr_assert_eq(evlock_mode_of(other, MINE), S);
	assert_fails(evlock_release(lock, MINE), ENOENT);
	drop(other, MINE);
	evlock_free(other);
}

LockTest(own, handle_of_another_lock)
{
	struct evlock *other = evlock_new(base, NULL);

	ASK(lock, "a", .mode = X, .handle = MINE);
	assert_fails(evlock_release(other, MINE), ENOENT);
	assert_fails(evlock_mode_of(other, MINE), ENOENT);
	cr_assert_str_eq(run(), "a");
	evlock_free(other);
}

LockTest(own, handle_of_null)
{
	evlock_handle null = EVLOCK_HANDLE_FROM(NULL);

	cr_assert_neq(null, 0);
	assert_fails(evlock_release(lock, null), ENOENT);
	cr_assert_eq(ASK(lock, "a", .mode = X, .handle = null), null);
	assert_refused(ASK(lock, "b", .mode = X, .handle = null), EEXIST);
	cr_assert_str_eq(run(), "a");
	drop(lock, null);
	assert_fails(evlock_release(lock, null), ENOENT);
}

LockTest(own, handle_of_another_form)
{
	evlock_handle theirs = hold(lock, S);

	assert_refused(ASK(lock, "a", .handle = 1), EINVAL);
	assert_refused(ASK(lock, "a", .handle = ((evlock_handle)1 << 63) - 1), EINVAL);
	assert_refused(ASK(lock, "a", .handle = theirs), EINVAL);
}

LockTest(own, handle_is_not_the_one_that_the_lock_made)
{
	evlock_handle theirs = hold(lock, S);

	assert_fails(evlock_release(lock, theirs | (evlock_handle)1 << 63), ENOENT);
	cr_assert_eq(ASK(lock, "a", .mode = S, .handle = theirs | (evlock_handle)1 << 63),
	    theirs | (evlock_handle)1 << 63);
	cr_assert_str_eq(run(), "a");
	drop(lock, theirs);
	assert_fails(evlock_release(lock, theirs), ENOENT);
	drop(lock, theirs | (evlock_handle)1 << 63);
}

LockTest(own, handle_is_converted)
{
	evlock_handle other = hold(lock, S);

	ASK(lock, "a", .mode = S, .handle = MINE);
	cr_assert_str_eq(run(), "a");
	convert(lock, "up", MINE, X);
	assert_refused(ASK(lock, "b", .mode = S, .handle = MINE), EEXIST);
	drop(lock, other);
	cr_assert_eq(evlock_mode_of(lock, MINE), X);
	cr_assert_str_eq(run(), "up");
	drop(lock, MINE);
	cr_assert_eq(evlock_locked(lock), N);
}

LockTest(own, many_handles)
{
	static char pointed_at[3000];
	unsigned i, n = scaled(3000);

	for (i = 0; i < n; i++)
		cr_assert_eq(evlock_acquire_request(lock, &(struct evlock_request){
		    .mode = S, .handle = EVLOCK_HANDLE_FROM(&pointed_at[i]) }),
		    EVLOCK_HANDLE_FROM(&pointed_at[i]));
	for (i = 0; i < n; i += 2)
		drop(lock, EVLOCK_HANDLE_FROM(&pointed_at[i]));
	cr_assert_eq(evlock_held(lock, S), n / 2);
	for (i = 1; i < n; i += 2)
		cr_assert_eq(evlock_mode_of(lock, EVLOCK_HANDLE_FROM(&pointed_at[i])), S);
}

LockTest(own, handles_go_with_the_lock)
{
	struct evlock *other = evlock_new(base, NULL);

	ASK(other, "held", .mode = X, .handle = MINE);
	ASK(other, "waits", .mode = X, .handle = YOURS);
	cr_assert_str_eq(run(), "held");
	evlock_free(other);
	cr_assert_str_eq(told(), "waits:ECANCELED");
	other = evlock_new(base, NULL);
	cr_assert_eq(ASK(other, "again", .mode = X, .handle = MINE), MINE);
	cr_assert_str_eq(run(), "again");
	evlock_free(other);
}
