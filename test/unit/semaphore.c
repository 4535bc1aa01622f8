/* SPDX-License-Identifier: BSD-3-Clause */

/* <evlock/semaphore.h>, sentence by sentence. */

#include <string.h>

#include "../shim.h"
#include "../util.h"
#include "../util3.h"

#define PERMIT EVLOCK_PERMIT

static struct evlock *
new_semaphore(uint32_t permits)
{
	struct evlock *s = evlock_semaphore_new(base, permits, NULL);

	cr_assert_not_null(s);
	return s;
}

static evlock_handle
take(struct evlock *s, unsigned units)
{
	evlock_handle handle = NOW(s, .units = units);

	cr_assert_neq(handle, 0, "%s", strerror(errno));
	return handle;
}

/* --- Making ----------------------------------------------------------------------- */

LockTest(semaphore, is_a_lock_with_one_mode)
{
	struct evlock *s = new_semaphore(3);

	cr_assert_eq(PERMIT, 0);
	assert_refused(evlock_acquire_nowait(s, 1), EINVAL);
	assert_refused(evlock_acquire(s, 1, NULL, note, NULL), EINVAL);
	cr_assert_eq(evlock_get_base(s), base);
	evlock_free(s);
}

LockTest(semaphore, may_have_a_name)
{
	struct evlock *s = evlock_semaphore_new(base, 1,
	    &(struct evlock_options){ .name = "doorman" });

	take(s, 1);
	cr_assert_not_null(strstr(state(), "lock doorman"));
	cr_assert_not_null(strstr(state(), "permit"));
	evlock_free(s);
}

LockTest(semaphore, of_bad_parameters)
{
	static const struct evlock_mode mode[1];
	struct evlock_modes modes = { mode, 1, NULL };
	struct evlock_options options = { 0 };

	assert_refused(evlock_semaphore_new(NULL, 1, NULL), EINVAL);
	options.modes = &modes;
	assert_refused(evlock_semaphore_new(base, 1, &options), EINVAL);
	options.modes = NULL;
	options.flags = 1u << 31;
	assert_refused(evlock_semaphore_new(base, 1, &options), EINVAL);
	options.flags = 1u << 2;
	assert_refused(evlock_semaphore_new(base, 1, &options), EINVAL);
}

static int n_freed;

static void
count_freed(void *value)
{
	++*(int *)value;
}

/* If the semaphore cannot be made, the caller keeps the value. */
LockTest(semaphore, of_bad_parameters_leaves_the_value)
{
	struct evlock_options options = { .flags = ~0u, .value = &n_freed,
	    .free_value = count_freed };

	assert_refused(evlock_semaphore_new(base, 1, &options), EINVAL);
	cr_assert_eq(n_freed, 0);
}

LockTest(semaphore, takes_the_flags_of_a_lock)
{
	struct evlock_options options = {
		.flags = EVLOCK_OPT_PREFER_EXCLUSIVE | EVLOCK_OPT_THREADSAFE
	};
	struct evlock *s = evlock_semaphore_new(base, 1, &options);
	evlock_handle a;

	cr_assert_not_null(s);
	a = take(s, 1);
	ask(s, "b", PERMIT);
	ask(s, "c", PERMIT);
	ASK(s, "urgent", .priority = 1);
	cr_assert_str_eq(run(), "");
	cr_assert_eq(evlock_semaphore_resize(s, 2), 0);
	cr_assert_str_eq(run(), "urgent", "with one mode, no request is preferred");
	cr_assert_str_eq(let_go(s, a), "b");
	evlock_free(s);
	cr_assert_str_eq(told(), "c:ECANCELED");
}

LockTest(semaphore, gives_no_access_to_a_value)
{
	int value = 7;
	struct evlock_options options = { .value = &value, .free_value = count_freed };
	struct evlock *s = evlock_semaphore_new(base, 2, &options);
	evlock_handle a = take(s, 2);

	assert_refused(evlock_value(s, a), EPERM);
	assert_refused(evlock_value_mut(s, a), EPERM);
	evlock_free(s);
	cr_assert_eq(value, 8, "freed with the semaphore, once");
}

/* --- Acquiring -------------------------------------------------------------------- */

LockTest(semaphore, has_so_many_permits)
{
	struct evlock *s = new_semaphore(3);
	evlock_handle a[3];
	unsigned i;

	for (i = 0; i < 3; i++) {
		cr_assert_eq(evlock_semaphore_available(s), 3 - i);
		a[i] = take(s, 1);
		cr_assert_eq(evlock_held(s, PERMIT), i + 1);
	}
	cr_assert_eq(evlock_semaphore_available(s), 0);
	assert_refused(evlock_acquire_nowait(s, PERMIT), EAGAIN);
	drop(s, a[1]);
	cr_assert_eq(evlock_semaphore_available(s), 1);
	cr_assert_eq(evlock_mode_of(s, take(s, 1)), PERMIT);
	cr_assert_eq(evlock_locked(s), PERMIT);
	assert_fails(evlock_release(s, a[1]), ENOENT);
	evlock_free(s);
}

LockTest(semaphore, waits_in_order)
{
	struct evlock *s = new_semaphore(2);
	evlock_handle a = take(s, 1), b = take(s, 1);

	ask(s, "c", PERMIT);
	ask(s, "d", PERMIT);
	ask(s, "e", PERMIT);
	cr_assert_eq(evlock_waiting(s), 3);
	cr_assert_str_eq(let_go(s, b), "c");
	cr_assert_str_eq(let_go(s, a), "d");
	evlock_free(s);
	cr_assert_str_eq(told(), "e:ECANCELED");
}

LockTest(semaphore, several_units_at_once)
{
	struct evlock *s = new_semaphore(5);
	evlock_handle a = take(s, 3);

	cr_assert_eq(evlock_semaphore_available(s), 2);
	assert_refused(NOW(s, .units = 3), EAGAIN);
	take(s, 2);
	ASK(s, "three", .units = 3);
	cr_assert_str_eq(run(), "");
	cr_assert_str_eq(let_go(s, a), "three");
	cr_assert_eq(evlock_semaphore_available(s), 0);
	evlock_free(s);
}

LockTest(semaphore, no_units_are_one)
{
	struct evlock *s = new_semaphore(5);

	take(s, 0);
	cr_assert_eq(evlock_semaphore_available(s), 4);
	evlock_free(s);
}

LockTest(semaphore, large_request_is_not_passed_by_small_ones)
{
	struct evlock *s = new_semaphore(4);
	evlock_handle a = take(s, 2), b = take(s, 1);

	ASK(s, "large", .units = 3);
	ask(s, "small", PERMIT);
	assert_refused(evlock_acquire_nowait(s, PERMIT), EAGAIN);
	cr_assert_str_eq(run(), "");
	cr_assert_eq(evlock_semaphore_available(s), 1, "counts as if no request waited");
	cr_assert_str_eq(let_go(s, b), "");
	cr_assert_str_eq(let_go(s, a), "large small");
	evlock_free(s);
}

/* The most basic defect of semaphores: a waiter that withdraws must let the waiters behind it go
 * on. */
LockTest(semaphore, large_request_that_is_withdrawn_lets_small_ones_pass)
{
	struct evlock *s = new_semaphore(4);
	evlock_handle large;

	take(s, 2);
	large = ASK(s, "large", .units = 3);
	ask(s, "small", PERMIT);
	ask(s, "small too", PERMIT);
	cr_assert_str_eq(let_go(s, large), "small small too");
	evlock_free(s);
}

LockTest(semaphore, large_request_that_times_out_lets_small_ones_pass)
{
	struct evlock *s = new_semaphore(4);
	struct timeval soon = milliseconds(1);

	take(s, 2);
	ASK(s, "large", .units = 3, .timeout = &soon);
	ask(s, "small", PERMIT);
	cr_assert_str_eq(run(), "small large:ETIMEDOUT");
	evlock_free(s);
}

LockTest(semaphore, one_release_grants_several)
{
	struct evlock *s = new_semaphore(3);
	evlock_handle a = take(s, 3);

	ask(s, "b", PERMIT);
	ASK(s, "c", .units = 2);
	ask(s, "d", PERMIT);
	drop(s, a);
	cr_assert_eq(evlock_semaphore_available(s), 0);
	cr_assert_eq(evlock_waiting(s), 1);
	cr_assert_str_eq(run(), "b c");
	evlock_free(s);
	cr_assert_str_eq(told(), "d:ECANCELED");
}

LockTest(semaphore, priorities)
{
	struct evlock *s = new_semaphore(1);
	evlock_handle a = take(s, 1);

	ASK(s, "low", .cb = note_and_drop);
	ASK(s, "high", .priority = 3, .cb = note_and_drop);
	ASK(s, "middle", .priority = 1, .cb = note_and_drop);
	cr_assert_str_eq(let_go(s, a), "high middle low");
	evlock_free(s);
}

LockTest(semaphore, with)
{
	struct evlock *s = new_semaphore(1);

	evlock_with(s, PERMIT, NULL, note, (void *)(uintptr_t)"a");
	evlock_with(s, PERMIT, NULL, note, (void *)(uintptr_t)"b");
	cr_assert_str_eq(run(), "a b");
	cr_assert_eq(evlock_semaphore_available(s), 1);
	evlock_free(s);
}

LockTest(semaphore, own_handles)
{
	struct evlock *s = new_semaphore(2);
	evlock_handle mine = EVLOCK_HANDLE_FROM(&s);

	cr_assert_eq(NOW(s, .handle = mine, .units = 2), mine);
	assert_refused(NOW(s, .handle = mine), EEXIST);
	cr_assert_eq(evlock_semaphore_resize(s, 3), 0);
	assert_refused(NOW(s, .handle = mine), EEXIST);
	drop(s, mine);
	cr_assert_eq(evlock_semaphore_available(s), 3);
	evlock_free(s);
}

/* A conversion to the same mode waits for nothing. */
LockTest(semaphore, convert_is_idle)
{
	struct evlock *s = new_semaphore(2);
	evlock_handle a = take(s, 2);

	ask(s, "b", PERMIT);
	convert(s, "same", a, PERMIT);
	cr_assert_eq(evlock_convert_nowait(s, a, PERMIT), -1);
	cr_assert_eq(errno, EBUSY);
	cr_assert_str_eq(run(), "same");
	cr_assert_eq(evlock_semaphore_available(s), 0);
	cr_assert_eq(evlock_semaphore_resize(s, 1), 0);
	convert(s, "same again", a, PERMIT);
	cr_assert_str_eq(run(), "same again");
	cr_assert_eq(evlock_held(s, PERMIT), 2);
	assert_fails(try_to_convert(s, "", a, 1), EINVAL);
	evlock_free(s);
	cr_assert_str_eq(told(), "b:ECANCELED");
}

LockTest(semaphore, notice)
{
	struct evlock *s = new_semaphore(2);
	evlock_handle b;

	NOW(s, .notice_cb = note, .arg = (void *)(uintptr_t)"wanted");
	cr_assert_str_eq(run(), "");
	take(s, 1);
	cr_assert_str_eq(run(), "");
	b = ask(s, "b", PERMIT);
	cr_assert_str_eq(run(), "wanted");
	ask(s, "c", PERMIT);
	cr_assert_str_eq(run(), "");
	drop(s, b);
	cr_assert_eq(evlock_semaphore_resize(s, 3), 0);
	cr_assert_str_eq(run(), "c");
	ask(s, "d", PERMIT);
	cr_assert_str_eq(run(), "wanted", "again, after none was left");
	evlock_free(s);
	cr_assert_str_eq(told(), "d:ECANCELED");
}

LockTest(semaphore, close)
{
	struct evlock *s = new_semaphore(1);
	evlock_handle a = take(s, 1);

	ask(s, "b", PERMIT);
	evlock_close(s);
	cr_assert_str_eq(run(), "b:ECANCELED");
	assert_refused(evlock_acquire_nowait(s, PERMIT), ECANCELED);
	cr_assert_eq(evlock_semaphore_resize(s, 2), 0);
	assert_refused(evlock_acquire_nowait(s, PERMIT), ECANCELED);
	cr_assert_eq(evlock_held(s, PERMIT), 1);
	drop(s, a);
	cr_assert_eq(evlock_semaphore_available(s), 2);
	evlock_free(s);
}

/* --- More permits than the semaphore has ------------------------------------------ */

LockTest(semaphore, without_permits)
{
	struct evlock *s = new_semaphore(0);

	cr_assert_eq(evlock_semaphore_available(s), 0);
	assert_refused(evlock_acquire_nowait(s, PERMIT), EAGAIN);
	ask(s, "a", PERMIT);
	ask_for(s, "b", PERMIT, 1);
	cr_assert_str_eq(run(), "b:ETIMEDOUT");
	cr_assert_eq(evlock_semaphore_resize(s, 1), 0);
	cr_assert_str_eq(run(), "a");
	evlock_free(s);
}

LockTest(semaphore, more_than_there_are_waits_for_a_resize)
{
	struct evlock *s = new_semaphore(2);

	assert_refused(NOW(s, .units = 3), EAGAIN);
	cr_assert_neq(ASK(s, "three", .units = 3), 0);
	ask(s, "one", PERMIT);
	cr_assert_str_eq(run(), "");
	cr_assert_eq(evlock_waiting(s), 2);
	cr_assert_eq(evlock_semaphore_available(s), 2);
	cr_assert_eq(evlock_semaphore_resize(s, 3), 0);
	cr_assert_eq(evlock_waiting(s), 1, "granted before evlock_semaphore_resize() returned");
	cr_assert_str_eq(run(), "three");
	cr_assert_eq(evlock_semaphore_resize(s, 4), 0);
	cr_assert_str_eq(run(), "one");
	evlock_free(s);
}

LockTest(semaphore, as_many_as_can_be_counted)
{
	struct evlock *s = new_semaphore(UINT32_MAX);
	evlock_handle a = take(s, UINT32_MAX);

	cr_assert_eq(evlock_semaphore_available(s), 0);
	cr_assert_eq(evlock_held(s, PERMIT), UINT32_MAX);
	assert_refused(evlock_acquire_nowait(s, PERMIT), EAGAIN);
	ASK(s, "b", .units = UINT32_MAX);
	cr_assert_str_eq(run(), "");
	cr_assert_str_eq(let_go(s, a), "b");
	evlock_free(s);
}

/* --- Resizing --------------------------------------------------------------------- */

LockTest(semaphore, resize_of_another_lock)
{
	struct evlock *set = SET(lock), *key;
	struct evlock_table *table = evlock_table_new(base, NULL);

	key = evlock_table_lock(table, "k", 1);
	assert_fails(evlock_semaphore_resize(lock, 1), EINVAL);
	assert_fails(evlock_semaphore_resize(set, 1), EINVAL);
	assert_fails(evlock_semaphore_resize(key, 1), EINVAL);
	evlock_free(set);
	evlock_free(key);
	evlock_table_free(table);
}

LockTest(semaphore, resize_to_more_grants_those_whose_turn_it_is)
{
	struct evlock *s = new_semaphore(1);

	take(s, 1);
	ask(s, "b", PERMIT);
	ASK(s, "c", .units = 2);
	ask(s, "d", PERMIT);
	cr_assert_eq(evlock_semaphore_resize(s, 3), 0);
	cr_assert_eq(evlock_waiting(s), 2);
	cr_assert_eq(evlock_semaphore_available(s), 1);
	cr_assert_str_eq(run(), "b");
	cr_assert_eq(evlock_semaphore_resize(s, 100), 0);
	cr_assert_str_eq(run(), "c d");
	cr_assert_eq(evlock_semaphore_available(s), 95);
	evlock_free(s);
}

LockTest(semaphore, resize_to_less_leaves_what_is_held)
{
	struct evlock *s = new_semaphore(4);
	evlock_handle a[4];
	unsigned i;

	for (i = 0; i < 4; i++)
		a[i] = take(s, 1);
	cr_assert_eq(evlock_semaphore_resize(s, 2), 0);
	cr_assert_eq(evlock_held(s, PERMIT), 4);
	cr_assert_eq(evlock_semaphore_available(s), 0);
	ask(s, "b", PERMIT);
	for (i = 0; i < 2; i++) {
		cr_assert_str_eq(let_go(s, a[i]), "");
		cr_assert_eq(evlock_semaphore_available(s), 0);
	}
	cr_assert_eq(evlock_held(s, PERMIT), 2, "the number is reached");
	cr_assert_str_eq(let_go(s, a[2]), "b");
	drop(s, a[3]);
	cr_assert_eq(evlock_semaphore_available(s), 1);
	evlock_free(s);
}

LockTest(semaphore, resize_to_none_and_back)
{
	struct evlock *s = new_semaphore(2);
	evlock_handle a = take(s, 2);

	cr_assert_eq(evlock_semaphore_resize(s, 0), 0);
	ask(s, "b", PERMIT);
	cr_assert_str_eq(let_go(s, a), "");
	cr_assert_eq(evlock_semaphore_available(s), 0);
	cr_assert_eq(evlock_semaphore_resize(s, 0), 0);
	cr_assert_str_eq(run(), "");
	cr_assert_eq(evlock_semaphore_resize(s, UINT32_MAX), 0);
	cr_assert_str_eq(run(), "b");
	cr_assert_eq(evlock_semaphore_available(s), UINT32_MAX - 1);
	evlock_free(s);
}

/* A permit that was granted before its callback ran is also held. */
LockTest(semaphore, resize_to_less_leaves_what_is_granted)
{
	struct evlock *s = new_semaphore(1);

	ask(s, "a", PERMIT);
	cr_assert_eq(evlock_semaphore_resize(s, 0), 0);
	cr_assert_str_eq(run(), "a");
	cr_assert_eq(evlock_held(s, PERMIT), 1);
	evlock_free(s);
}

static void
resize_to_three(struct evlock *s, evlock_handle handle, int error, void *who)
{
	note(s, handle, error, who);
	cr_assert_eq(evlock_semaphore_resize(s, 3), 0);
}

LockTest(semaphore, resize_in_a_callback)
{
	struct evlock *s = new_semaphore(1);

	ask_then(s, "a", PERMIT, resize_to_three);
	ask(s, "b", PERMIT);
	ask(s, "c", PERMIT);
	ask(s, "d", PERMIT);
	cr_assert_str_eq(run(), "a b c");
	evlock_free(s);
	cr_assert_str_eq(told(), "d:ECANCELED");
}

LockTest(semaphore, notify_is_told_of_a_resize)
{
	struct evlock *s = new_semaphore(0);
	struct event *ev = new_event("room");

	cr_assert_eq(evlock_notify(s, PERMIT, ev), 0);
	cr_assert_str_eq(run(), "");
	cr_assert_eq(evlock_semaphore_resize(s, 1), 0);
	cr_assert_str_eq(run(), "room");
	take(s, 1);
	cr_assert_eq(evlock_semaphore_resize(s, 1), 0);
	cr_assert_str_eq(run(), "", "there is none left");
	ask(s, "b", PERMIT);
	cr_assert_eq(evlock_semaphore_resize(s, 2), 0);
	cr_assert_str_eq(run(), "b", "the permit went to the waiter");
	cr_assert_eq(evlock_semaphore_resize(s, 3), 0);
	cr_assert_str_eq(run(), "room");
	cr_assert_eq(evlock_unnotify(s, ev), 0);
	event_free(ev);
	evlock_free(s);
}

LockTest(semaphore, available_of_another_lock)
{
	cr_assert_eq(evlock_semaphore_available(lock), 0);
	hold(lock, X);
	cr_assert_eq(evlock_semaphore_available(lock), 0);
}

/* --- With owners ------------------------------------------------------------------ */

LockTest(semaphore, limit_counts_the_owners_own_holds)
{
	struct evlock *s = new_semaphore(2);
	struct evlock_owner *owner = new_owner("o");

	hold_by(owner, s, PERMIT);
	hold_by(owner, s, PERMIT);
	assert_refused(NOW(s, .owner = owner), EAGAIN);
	cr_assert_eq(evlock_semaphore_available(s), 0);
	cr_assert_eq(evlock_owner_mode(owner, s), PERMIT);
	evlock_owner_free(owner);
	cr_assert_eq(evlock_semaphore_available(s), 2);
	evlock_free(s);
}

LockTest(semaphore, owner_of_all_permits_waits_for_itself)
{
	struct evlock *s = new_semaphore(2);
	struct evlock_owner *owner = new_owner("o");
	evlock_handle a;

	hold_by(owner, s, PERMIT);
	a = hold_by(owner, s, PERMIT);
	assert_refused(ASK(s, "c", .owner = owner), EDEADLK);
	drop(s, a);
	assert_refused(ASK(s, "c", .owner = owner, .units = 2), EDEADLK);
	cr_assert_neq(ASK(s, "c", .owner = owner), 0);
	cr_assert_str_eq(run(), "c");
	evlock_owner_free(owner);
	evlock_free(s);
}

LockTest(semaphore, owner_of_a_permit_goes_ahead)
{
	struct evlock *s = new_semaphore(3);
	struct evlock_owner *owner = new_owner("o");
	evlock_handle a;

	hold_by(owner, s, PERMIT);
	a = take(s, 2);
	ASK(s, "large", .units = 2);
	ask_by(owner, s, "mine", PERMIT);
	cr_assert_str_eq(run(), "");
	cr_assert_str_eq(let_go(s, a), "mine");
	evlock_owner_free(owner);
	cr_assert_str_eq(run(), "large");
	evlock_free(s);
}

LockTest(semaphore, owner_waits_for_one_of_two_holders)
{
	struct evlock *s = new_semaphore(2);
	struct evlock_owner *a = new_owner("a"), *b = new_owner("b"), *c = new_owner("c");
	evlock_handle b_handle;

	hold_by(c, lock, X);
	hold_by(a, s, PERMIT);
	b_handle = hold_by(b, s, PERMIT);
	ask_by(a, lock, "a", X);
	ask_by(c, s, "c", PERMIT);
	cr_assert_str_eq(run(), "");
	cr_assert_str_eq(let_go(s, b_handle), "c");
	evlock_owner_free(c);
	cr_assert_str_eq(run(), "a");
	evlock_owner_free(b);
	evlock_owner_free(a);
	evlock_free(s);
}

LockTest(semaphore, owner_waits_for_two_holders_who_wait_for_it)
{
	struct evlock *s = new_semaphore(2);
	struct evlock_owner *a = new_owner("a"), *b = new_owner("b"), *c = new_owner("c");

	hold_by(c, lock, X);
	hold_by(a, s, PERMIT);
	hold_by(b, s, PERMIT);
	ask_by(a, lock, "a", S);
	ask_by(b, lock, "b", S);
	assert_refused(ASK(s, "c", .owner = c), EDEADLK);
	evlock_owner_free(c);
	cr_assert_str_eq(run(), "a b");
	evlock_owner_free(b);
	evlock_owner_free(a);
	evlock_free(s);
}

/* A request for more permits than there are waits for a resize, not for an owner. */
LockTest(semaphore, waiting_for_a_resize_is_no_deadlock)
{
	struct evlock *s = new_semaphore(2);
	struct evlock_owner *owner = new_owner("o");

	hold_by(owner, lock, X);
	ask(lock, "x", X);
	cr_assert_neq(ASK(s, "three", .units = 3, .owner = owner), 0, "%s", strerror(errno));
	cr_assert_str_eq(run(), "");
	cr_assert_eq(evlock_semaphore_resize(s, 3), 0);
	cr_assert_str_eq(run(), "three");
	evlock_owner_free(owner);
	cr_assert_str_eq(run(), "x");
	evlock_free(s);
}

LockTest(semaphore, waiting_for_a_resize_of_none_is_no_deadlock)
{
	struct evlock *s = new_semaphore(0);
	struct evlock_owner *a = new_owner("a"), *b = new_owner("b");

	hold_by(a, lock, X);
	ask_by(b, lock, "b", X);
	cr_assert_neq(ASK(s, "a", .owner = a), 0, "%s", strerror(errno));
	cr_assert_neq(ASK(s, "b too", .owner = b), 0, "%s", strerror(errno));
	cr_assert_eq(evlock_semaphore_resize(s, 1), 0);
	cr_assert_str_eq(run(), "a");
	evlock_owner_free(a);
	cr_assert_str_eq(run(), "b b too");
	evlock_owner_free(b);
	evlock_free(s);
}

/* The limit went down, so the second request waits for the first, which belongs to the same
 * owner. */
LockTest(semaphore, own_request_that_a_resize_makes_wait_for_itself)
{
	struct evlock *s = new_semaphore(2);
	struct evlock_owner *owner = new_owner("o");
	evlock_handle a = take(s, 2);

	ask_by(owner, s, "first", PERMIT);
	ask_by(owner, s, "second", PERMIT);
	ask(s, "other", PERMIT);
	cr_assert_eq(evlock_semaphore_resize(s, 1), 0);
	cr_assert_str_eq(let_go(s, a), "second:EDEADLK first");
	cr_assert_eq(evlock_owner_release_all(owner), 1);
	cr_assert_str_eq(run(), "other");
	evlock_owner_free(owner);
	evlock_free(s);
}

/* --- In sets ---------------------------------------------------------------------- */

LockTest(semaphore, in_a_set)
{
	struct evlock *s = new_semaphore(2), *set = new_set(s, PERMIT, lock, X);
	evlock_handle a = take(s, 2), b;

	b = ask(set, "set", 0);
	cr_assert_eq(evlock_locked(lock), N);
	cr_assert_eq(evlock_semaphore_resize(s, 3), 0);
	cr_assert_str_eq(run(), "set");
	cr_assert_eq(evlock_mode_of(s, b), PERMIT);
	cr_assert_eq(evlock_mode_of(lock, b), X);
	drop(set, b);
	drop(s, a);
	cr_assert_eq(evlock_semaphore_available(s), 3);
	evlock_free(set);
	evlock_free(s);
}

LockTest(semaphore, units_of_a_set)
{
	struct evlock *s = new_semaphore(4), *set = new_set(s, EVLOCK_SAME_MODE, lock, X);
	evlock_handle a = NOW(set, .units = 3);

	cr_assert_neq(a, 0);
	cr_assert_eq(evlock_semaphore_available(s), 1);
	cr_assert_eq(evlock_held(lock, X), 1);
	drop(set, a);
	cr_assert_eq(evlock_semaphore_available(s), 4);
	evlock_free(set);
	evlock_free(s);
}
