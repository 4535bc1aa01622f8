/* SPDX-License-Identifier: BSD-3-Clause */

/* <evlock/etcd.h>, sentence by sentence, between two sessions on a real etcd; see locks.sh. */

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sys/wait.h>

#include <evlock/owner.h>
#include <evlock/set.h>

#include "../shim.h"
#include "scopes/etcd/clock.h"
#include "story.h"

enum { N = EVLOCK_NONE, S = EVLOCK_SHARED, U = EVLOCK_UPGRADABLE, X = EVLOCK_EXCLUSIVE };

static struct evlock *a, *b;		/* the lock "lock", by session one and by session two */

/* --- Beginning and ending --------------------------------------------------------------- */

static void
begin(void)
{
	begin_on_etcd();
	a = evlock_etcd_new(one, "lock", NULL);
	b = evlock_etcd_new(two, "lock", NULL);
	cr_assert(a && b);
	cr_assert_str_eq(run_until_all(2), "one:ready two:ready");
}

static void
end(void)
{
	cr_assert_str_eq(told(), "");
	evlock_free(a);
	evlock_free(b);
	cr_assert_str_eq(told(), "");
	end_on_etcd();
}

/* --- Asking -------------------------------------------------------------------------------- */

static const char *
error_name(int error)
{
	switch (error) {
	case 0: return "in";
	case EAGAIN: return "EAGAIN";
	case ECANCELED: return "ECANCELED";
	case ESTALE: return "ESTALE";
	case ETIMEDOUT: return "ETIMEDOUT";
	default: return strerror(error);
	}
}

static void
note(struct evlock *lock, evlock_handle handle, int error, void *who)
{
	if (!error)
		cr_assert_geq(evlock_mode_of(lock, handle), 0);
	write_down(who, error_name(error));
}

static void
note_notice(struct evlock *lock, evlock_handle handle, int error, void *who)
{
	cr_assert_eq(evlock_mode_of(lock, handle) >= 0, !error);
	write_down(who, error ? error_name(error) : "awaited");
}

/* The argument by which note() identifies the request. */
static void *
named(const char *who)
{
	return (void *)(uintptr_t)who;
}

static evlock_handle
ask(struct evlock *lock, const char *who, unsigned mode)
{
	evlock_handle handle = evlock_acquire(lock, mode, NULL, note, named(who));

	cr_assert_neq(handle, 0);
	return handle;
}

static evlock_handle
try(struct evlock *lock, const char *who, unsigned mode)
{
	evlock_handle handle = evlock_etcd_try(lock, mode, NULL, note, named(who));

	cr_assert_neq(handle, 0);
	return handle;
}

/* Acquires the lock, from the cluster if this process does not have it. */
static evlock_handle
hold(struct evlock *lock, unsigned mode)
{
	evlock_handle handle = ask(lock, "hold", mode);

	cr_assert_str_eq(run_until(1), "hold:in");
	return handle;
}

static void
drop(struct evlock *lock, evlock_handle handle)
{
	cr_assert_eq(evlock_release(lock, handle), 0);
}

/* Releases the lock, then returns the next recorded outcome. */
static const char *
let_go(struct evlock *lock, evlock_handle handle)
{
	drop(lock, handle);
	return run_until(1);
}

/* Neither this session nor another one holds the lock any more. */
static void
assert_free(struct evlock *lock)
{
	drop(lock, hold(lock, X));
}

/* --- Taking turns ---------------------------------------------------------------------------- */

EtcdTest(etcd_lock, one_at_a_time)
{
	evlock_handle x = hold(a, X), y = ask(b, "b", X);

	cr_assert_str_eq(run_for(200), "");
	cr_assert_eq(evlock_locked(a), X);
	cr_assert_eq(evlock_locked(b), N);
	cr_assert_eq(evlock_waiting(b), 1);
	cr_assert_str_eq(let_go(a, x), "b:in");
	drop(b, y);
}

EtcdTest(etcd_lock, shared_between_machines)
{
	evlock_handle x = hold(a, S), y = hold(b, S), z = ask(a, "a", X);

	cr_assert_str_eq(run_for(200), "");
	drop(a, x);
	cr_assert_str_eq(run_for(200), "");
	cr_assert_str_eq(let_go(b, y), "a:in");
	drop(a, z);
}

/* Requests of this process that waited when it got the lock are granted together.  Later requests
 * wait for the other session's turn. */
EtcdTest(etcd_lock, batches_are_bounded)
{
	evlock_handle x = hold(b, X), a1 = ask(a, "a1", X), a2 = ask(a, "a2", X), b1, a3;

	run_for(100);
	b1 = ask(b, "b1", X);
	cr_assert_str_eq(let_go(b, x), "a1:in");
	run_for(200);
	a3 = ask(a, "a3", X);
	cr_assert_str_eq(let_go(a, a1), "a2:in");
	cr_assert_str_eq(let_go(a, a2), "b1:in");
	cr_assert_str_eq(run_for(100), "");
	cr_assert_str_eq(let_go(b, b1), "a3:in");
	drop(a, a3);
}

EtcdTest(etcd_lock, priorities_hold_within_a_process)
{
	struct evlock_request high = { .mode = X, .priority = 3, .cb = note, .arg = named("high") };
	evlock_handle x = hold(b, X), low = ask(a, "low", X), other;

	other = evlock_acquire_request(a, &high);
	cr_assert_neq(other, 0);
	cr_assert_str_eq(let_go(b, x), "high:in");
	cr_assert_str_eq(let_go(a, other), "low:in");
	drop(a, low);
}

EtcdTest(etcd_lock, with_releases_when_the_callback_returns)
{
	evlock_handle y;

	cr_assert_neq(evlock_with(a, X, NULL, note, named("a")), 0);
	cr_assert_str_eq(run_until(1), "a:in");
	y = ask(b, "b", X);
	cr_assert_str_eq(run_until(1), "b:in");
	drop(b, y);
}

EtcdTest(etcd_lock, none_waits_out_an_exclusive_holder)
{
	evlock_handle x = hold(b, X), n = ask(a, "none", N);

	cr_assert_str_eq(run_for(200), "");
	cr_assert_str_eq(let_go(b, x), "none:in");
	assert_free(b);
	drop(a, n);
}

/* --- Leaving -------------------------------------------------------------------- */

EtcdTest(etcd_lock, a_timeout_gives_the_place_up)
{
	struct timeval soon = { 0, 100000 };
	evlock_handle x = hold(a, S), y;

	cr_assert_neq(evlock_acquire(b, X, &soon, note, named("b")), 0);
	cr_assert_str_eq(run_until(1), "b:ETIMEDOUT");
	y = evlock_etcd_try(a, S, NULL, note, named("a"));
	cr_assert_str_eq(run_until(1), "a:in");
	drop(a, x);
	drop(a, y);
	assert_free(a);
}

EtcdTest(etcd_lock, a_waiter_is_withdrawn)
{
	evlock_handle x = hold(a, X), y = ask(b, "b", X);

	run_for(100);
	drop(b, y);
	drop(a, x);
	cr_assert_str_eq(run_for(200), "");
	assert_free(a);
}

EtcdTest(etcd_lock, closing_ends_the_waiting)
{
	evlock_handle x = hold(a, X);

	ask(b, "b1", X);
	ask(b, "b2", S);
	run_for(100);
	evlock_close(b);
	cr_assert_str_eq(run_until(2), "b1:ECANCELED b2:ECANCELED");
	cr_assert_eq(evlock_acquire(b, X, NULL, note, NULL), 0);
	cr_assert_eq(errno, ECANCELED);
	drop(a, x);
	assert_free(a);
}

EtcdTest(etcd_lock, freeing_gives_all_back)
{
	evlock_handle x;

	hold(a, X);
	ask(a, "a", X);
	x = ask(b, "b", X);
	run_for(100);
	evlock_free(a);
	cr_assert_str_eq(told(), "a:ECANCELED");
	cr_assert_str_eq(run_until(1), "b:in");
	drop(b, x);
	a = evlock_etcd_new(one, "lock", NULL);
	assert_free(a);
}

/* --- Now or not at all ---------------------------------------------------------- */

EtcdTest(etcd_lock, nowait_knows_what_this_process_holds)
{
	evlock_handle x, y;

	errno = 0;
	cr_assert_eq(evlock_acquire_nowait(a, S), 0);
	cr_assert_eq(errno, EAGAIN);
	x = hold(a, S);
	y = evlock_acquire_nowait(a, S);
	cr_assert_neq(y, 0);
	cr_assert_eq(evlock_acquire_nowait(a, X), 0);
	cr_assert_eq(evlock_acquire_nowait(b, S), 0);
	drop(a, x);
	drop(a, y);
}

EtcdTest(etcd_lock, try_gets_what_is_free)
{
	evlock_handle x = try(a, "a", X), y;

	cr_assert_str_eq(told(), "", "inside the call");
	cr_assert_str_eq(run_until(1), "a:in");
	y = try(b, "b", S);
	cr_assert_str_eq(run_until(1), "b:EAGAIN");
	errno = 0;
	cr_assert_eq(evlock_release(b, y), -1);
	cr_assert_eq(errno, ENOENT);
	drop(a, x);
	x = hold(a, S);
	y = try(b, "b", S);
	cr_assert_str_eq(run_until(1), "b:in");
	drop(a, x);
	drop(b, y);
}

EtcdTest(etcd_lock, try_does_not_pass_those_who_wait_here)
{
	evlock_handle x = hold(b, X), y = ask(a, "a1", X);

	try(a, "a2", X);
	cr_assert_str_eq(run_until(1), "a2:EAGAIN");
	cr_assert_str_eq(run_for(100), "");
	cr_assert_str_eq(let_go(b, x), "a1:in");
	drop(a, y);
}

EtcdTest(etcd_lock, a_try_that_fails_fails_alone)
{
	evlock_handle x = hold(b, X), y;

	try(a, "try", X);
	y = ask(a, "later", X);
	cr_assert_str_eq(run_until(1), "try:EAGAIN");
	cr_assert_str_eq(run_for(100), "");
	cr_assert_str_eq(let_go(b, x), "later:in");
	drop(a, y);
}

EtcdTest(etcd_lock, a_try_is_withdrawn)
{
	evlock_handle x = hold(b, X), y = try(a, "try", X);

	drop(a, y);
	cr_assert_str_eq(run_for(100), "");
	drop(b, x);
}

EtcdTest(etcd_lock, try_shares_what_this_process_shares)
{
	evlock_handle x = hold(a, S), y = try(a, "s", S), z = try(a, "x", X);

	(void)z;
	cr_assert_str_eq(run_until_all(2), "s:in x:EAGAIN");
	drop(a, x);
	drop(a, y);
}

EtcdTest(etcd_lock, a_try_that_was_withdrawn_is_forgotten)
{
	evlock_handle x = try(a, "first", X), y;

	drop(a, x);
	y = try(a, "second", X);
	cr_assert_str_eq(run_until(1), "second:in");
	drop(a, y);
}

EtcdTest(etcd_lock, try_does_not_wait_for_one_that_has_succeeded)
{
	evlock_handle x = try(a, "first", X);

	cr_assert_str_eq(run_until(1), "first:in");
	try(a, "second", X);
	cr_assert_str_eq(run_until(1), "second:EAGAIN");
	drop(a, x);
}

EtcdTest(etcd_lock, try_through_another_object)
{
	struct evlock *again = evlock_etcd_new(one, "lock", NULL);
	evlock_handle x = hold(b, X), y;

	try(again, "asked", X);
	cr_assert_str_eq(run_until(1), "asked:EAGAIN");
	y = ask(a, "a", X);
	try(again, "behind", X);
	cr_assert_str_eq(run_until(1), "behind:EAGAIN");
	cr_assert_str_eq(let_go(b, x), "a:in");
	drop(a, y);
	evlock_free(again);
}

EtcdTest(etcd_lock, a_try_that_was_passed_does_not_wait)
{
	struct evlock_request high = { .mode = X, .priority = 3, .cb = note, .arg = named("high") };
	evlock_handle x;

	try(a, "try", S);
	x = evlock_acquire_request(a, &high);
	cr_assert_str_eq(run_until(2), "try:EAGAIN high:in");
	drop(a, x);
}

EtcdTest(etcd_lock, try_of_something_else)
{
	struct evlock *plain = evlock_new(base, NULL);

	errno = 0;
	cr_assert_eq(evlock_etcd_try(plain, X, NULL, note, NULL), 0);
	cr_assert_eq(errno, EINVAL);
	errno = 0;
	cr_assert_eq(evlock_etcd_token(plain, evlock_acquire_nowait(plain, X)), 0);
	cr_assert_eq(errno, ENOENT);
	evlock_free(plain);
}

/* --- Converting ----------------------------------------------------------------- */

EtcdTest(etcd_lock, converting_down_lets_others_share)
{
	evlock_handle x = hold(a, X), y = ask(b, "b", S);

	cr_assert_str_eq(run_for(100), "");
	cr_assert_eq(evlock_convert_nowait(a, x, S), 0);
	cr_assert_str_eq(run_until(1), "b:in");
	cr_assert_eq(evlock_mode_of(a, x), S);
	drop(a, x);
	drop(b, y);
}

EtcdTest(etcd_lock, converting_up_is_not_supported)
{
	evlock_handle x = hold(a, S);

	errno = 0;
	cr_assert_eq(evlock_convert(a, x, X, NULL, note, NULL), -1);
	cr_assert_eq(errno, ENOTSUP);
	cr_assert_eq(evlock_mode_of(a, x), S);
	drop(a, x);
}

EtcdTest(etcd_lock, there_is_no_upgradable_mode)
{
	errno = 0;
	cr_assert_eq(evlock_acquire(a, U, NULL, note, NULL), 0);
	cr_assert_eq(errno, EINVAL);
}

/* --- Reports of the session ----------------------------------------------------- */

static void
on_event(evutil_socket_t fd, short what, void *who)
{
	(void)fd;
	(void)what;
	write_down(who, "told");
}

EtcdTest(etcd_lock, notify_tells_when_the_others_are_done)
{
	struct event *ev = event_new(base, -1, 0, on_event, named("ev"));
	evlock_handle x = hold(b, X), y;

	cr_assert_eq(evlock_notify(a, X, ev), 0);
	cr_assert_str_eq(run_for(200), "");
	cr_assert_str_eq(let_go(b, x), "ev:told");
	y = evlock_acquire_nowait(a, X);
	cr_assert_eq(evlock_unnotify(a, ev), 0);
	event_free(ev);
	if (y)
		drop(a, y);
	run_for(50);
	told();
}

EtcdTest(etcd_lock, a_holder_hears_of_waiters_of_its_process)
{
	struct evlock_request q = { .mode = X, .cb = note, .notice_cb = note_notice,
	    .arg = named("q") };
	evlock_handle x = evlock_acquire_request(a, &q), y;

	cr_assert_str_eq(run_until(1), "q:in");
	y = ask(b, "b", X);
	cr_assert_str_eq(run_for(200), "");
	drop(b, y);
	y = ask(a, "a", X);
	cr_assert_str_eq(run_until(1), "q:awaited");
	cr_assert_str_eq(let_go(a, x), "a:in");
	drop(a, y);
}

/* --- Tokens, and how long they are good for ------------------------------------- */

EtcdTest(etcd_lock, tokens_rise)
{
	evlock_handle x = hold(a, X), y;
	uint64_t token = evlock_etcd_token(a, x);

	cr_assert_gt(token, 0);
	y = ask(b, "b", X);
	errno = 0;
	cr_assert_eq(evlock_etcd_token(b, y), 0, "it waits");
	cr_assert_eq(errno, ENOENT);
	drop(a, x);
	errno = 0;
	cr_assert_eq(evlock_etcd_token(a, x), 0);
	cr_assert_eq(errno, ENOENT);
	cr_assert_str_eq(run_until(1), "b:in");
	cr_assert_gt(evlock_etcd_token(b, y), token);
	drop(b, y);
}

EtcdTest(etcd_lock, tokens_of_those_who_share_are_in_no_order)
{
	evlock_handle x = hold(a, S), y = hold(b, S), later = evlock_acquire_nowait(a, S), z;
	uint64_t first = evlock_etcd_token(a, x), second = evlock_etcd_token(b, y);

	cr_assert_lt(first, second);
	cr_assert_eq(evlock_etcd_token(a, later), first);
	drop(a, x);
	drop(a, later);
	drop(b, y);
	z = hold(a, X);
	cr_assert_gt(evlock_etcd_token(a, z), second);
	drop(a, z);
}

LeaseTest(etcd_lock, validity_is_known_and_extended)
{
	evlock_handle x = hold(a, X);
	struct timespec first, later;

	cr_assert_eq(evlock_etcd_valid_until(a, x, &first), 0);
	cr_assert_gt(first.tv_sec * EVL_SECOND + first.tv_nsec, evl_clock_now());
	cr_assert_leq(first.tv_sec * EVL_SECOND + first.tv_nsec, evl_clock_now() + ttl * EVL_SECOND);
	run_for(ttl * 500);
	cr_assert_eq(evlock_etcd_valid_until(a, x, &later), 0);
	cr_assert_gt(later.tv_sec * EVL_SECOND + later.tv_nsec,
	    first.tv_sec * EVL_SECOND + first.tv_nsec);
	drop(a, x);
	errno = 0;
	cr_assert_eq(evlock_etcd_valid_until(a, x, &later), -1);
	cr_assert_eq(errno, ENOENT);
}

LeaseTest(etcd_lock, a_loss_is_told_to_holders_and_waiters)
{
	struct evlock_request q = { .mode = S, .cb = note, .notice_cb = note_notice,
	    .arg = named("q") };
	evlock_handle x = evlock_acquire_request(a, &q), silent;

	cr_assert_str_eq(run_until(1), "q:in");
	silent = evlock_acquire_nowait(a, S);
	cr_assert_neq(silent, 0);
	ask(a, "waits", X);
	cr_assert_str_eq(run_until(1), "q:awaited");
	revoke_lease_of(one);
	cr_assert_str_eq(run_until_all(4), "one:lost one:ready q:ESTALE waits:ESTALE");
	cr_assert_eq(evlock_release(a, x), -1);
	cr_assert_eq(evlock_release(a, silent), -1);
	cr_assert_eq(evlock_locked(a), N);
	assert_free(a);
}

LeaseTest(etcd_lock, a_loss_while_waiting_is_told)
{
	evlock_handle x = hold(b, X);

	ask(a, "a", X);
	run_for(100);
	revoke_lease_of(one);
	cr_assert_str_eq(run_until_all(3), "a:ESTALE one:lost one:ready");
	drop(b, x);
	assert_free(a);
}

/* The callback runs as soon as the loop runs, however late. */
LeaseTest(etcd_lock, a_loop_that_was_stopped_tells_first_what_was_lost)
{
	struct evlock_request q = { .mode = X, .cb = note, .notice_cb = note_notice,
	    .arg = named("q") };
	evlock_handle x = evlock_acquire_request(a, &q);

	cr_assert_str_eq(run_until(1), "q:in");
	cr_assert_neq(x, 0);
	while (evl_clock_now() < one->valid_until || evl_clock_now() < two->valid_until)
		usleep(50000);
	cr_assert_str_eq(run_until_all(5), "one:lost one:ready q:ESTALE two:lost two:ready");
	cr_assert_str_eq(run_for(500), "");
}

/* --- Names, objects, sets ------------------------------------------------------- */

static void
assert_bad(const char *name, const struct evlock_options *options)
{
	errno = 0;
	cr_assert_null(evlock_etcd_new(one, name, options), "%s", name);
	cr_assert_eq(errno, EINVAL);
}

EtcdTest(etcd_lock, names)
{
	static const char *const good[] = { "x", "a b", "\xc3\xa4", "\xe2\x82\xac",
	    "\xf0\x9f\x94\x92", "a/b%" };
	static const char *const bad[] = { "", "a\n", "\x7f", "\x01", "\xc2\x85", "\xff", "\xc3",
	    "\xc0\xaf", "\xed\xa0\x80", "\xf4\x90\x80\x80", "a\xe2\x82" };
	struct evlock_modes modes = { NULL, 0, NULL };
	struct evlock_options with_modes = { .modes = &modes },
	    for_threads = { .flags = EVLOCK_OPT_THREADSAFE };
	char longest[300];
	unsigned i;

	for (i = 0; i < sizeof good / sizeof *good; i++) {
		struct evlock *lock = evlock_etcd_new(one, good[i], NULL);

		cr_assert_not_null(lock);
		assert_free(lock);
		evlock_free(lock);
	}
	for (i = 0; i < sizeof bad / sizeof *bad; i++)
		assert_bad(bad[i], NULL);
	memset(longest, 'n', sizeof longest);
	longest[256] = '\0';
	assert_bad(longest, NULL);
	longest[255] = '\0';
	evlock_free(evlock_etcd_new(one, longest, NULL));
	assert_bad(NULL, NULL);
	assert_bad("x", &with_modes);
	assert_bad("x", &for_threads);
}

EtcdTest(etcd_lock, objects_of_one_session_are_one_lock)
{
	struct evlock *again = evlock_etcd_new(one, "lock", NULL);
	evlock_handle x = hold(a, X), y;

	cr_assert_not_null(again);
	y = ask(again, "again", X);
	cr_assert_str_eq(run_for(100), "");
	cr_assert_eq(evlock_waiting(a), 1);
	cr_assert_str_eq(let_go(a, x), "again:in");
	evlock_free(again);
	(void)y;
	assert_free(b);
}

/* --- Made again, by a callback that runs inside evlock_free() ------------------- */

static struct evlock *again;

static void
make_again(void *session)
{
	cr_assert_null(again);
	again = evlock_etcd_new(session, "again", NULL);
	cr_assert_not_null(again);
}

static void
make_again_for_request(struct evlock *lock, evlock_handle handle, int error, void *session)
{
	(void)lock;
	(void)handle;
	cr_assert_eq(error, ECANCELED);
	make_again(session);
}

/* It is a lock like any other, and the session lists it only once. */
static void
assert_again(void)
{
	struct evlock *of_two = evlock_etcd_new(two, "again", NULL);
	evlock_handle x = hold(again, X), y = ask(of_two, "two", X);

	cr_assert_str_eq(run_for(200), "");
	cr_assert_str_eq(let_go(again, x), "two:in");
	drop(of_two, y);
	evlock_free(of_two);
	evlock_free(again);
	again = NULL;
}

EtcdTest(etcd_lock, a_waiter_that_is_cancelled_makes_the_lock_again)
{
	struct evlock *lock = evlock_etcd_new(one, "again", NULL);

	hold(lock, X);
	cr_assert_neq(evlock_acquire(lock, X, NULL, make_again_for_request, one), 0);
	evlock_free(lock);
	assert_again();
}

/* A request to the cluster is in progress. */
EtcdTest(etcd_lock, the_first_that_is_cancelled_makes_the_lock_again)
{
	struct evlock *lock = evlock_etcd_new(one, "again", NULL);

	cr_assert_neq(evlock_acquire(lock, X, NULL, make_again_for_request, one), 0);
	evlock_free(lock);
	assert_again();
}

EtcdTest(etcd_lock, a_value_that_is_freed_makes_the_lock_again)
{
	struct evlock_options options = { .value = one, .free_value = make_again };
	struct evlock *lock = evlock_etcd_new(one, "again", &options);

	hold(lock, X);
	evlock_free(lock);
	assert_again();
	lock = evlock_etcd_new(one, "again", &options);
	evlock_free(lock);
	assert_again();
}

/* --- What other sessions see ---------------------------------------------------- */

EtcdTest(etcd_lock, the_dump_has_the_name)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	evlock_dump(base, out);
	fclose(out);
	cr_assert_not_null(strstr(text, "lock"));
	free(text);
}

/* Two sessions have sets of "lock" and "other", and name the members in opposite orders. */
static struct evlock *other_a, *other_b, *set_a, *set_b;

static void
new_sets(int mode)
{
	other_a = evlock_etcd_new(one, "other", NULL);
	other_b = evlock_etcd_new(two, "other", NULL);
	set_a = evlock_set_new((struct evlock_set_member[]){ { a, mode }, { other_a, mode } },
	    2, NULL);
	set_b = evlock_set_new((struct evlock_set_member[]){ { other_b, mode }, { b, mode } },
	    2, NULL);
	cr_assert(set_a && set_b);
}

static void
free_sets(void)
{
	evlock_free(set_a);
	evlock_free(set_b);
	evlock_free(other_a);
	evlock_free(other_b);
}

EtcdTest(etcd_lock, sets_do_not_wait_for_each_other_for_ever)
{
	evlock_handle x, y;
	unsigned i;

	new_sets(EVLOCK_SAME_MODE);
	for (i = 0; i < 10; i++) {
		x = ask(set_a, "x", X);
		y = ask(set_b, "y", X);
		if (!strcmp(run_until(1), "x:in")) {
			cr_assert_str_eq(let_go(set_a, x), "y:in");
			drop(set_b, y);
		} else {
			cr_assert_str_eq(let_go(set_b, y), "x:in");
			drop(set_a, x);
		}
	}
	free_sets();
}

/* A set loses a member when one session fails.  It gives back the member that it has from the other
 * session. */
static void
lose_a_set(evlock_cb notice_cb, const char *story)
{
	struct evlock_etcd *three = open_on_etcd("three");
	struct evlock *other = evlock_etcd_new(three, "other", NULL);
	struct evlock_request q = { .cb = note, .notice_cb = notice_cb, .arg = named("set") };

	cr_assert_str_eq(run_until(1), "three:ready");
	other_b = evlock_etcd_new(two, "other", NULL);
	set_a = evlock_set_new((struct evlock_set_member[]){ { a, X }, { other_b, X } }, 2, NULL);
	cr_assert_neq(evlock_acquire_request(set_a, &q), 0);
	cr_assert_str_eq(run_until(1), "set:in");
	cr_assert_neq(ask(other, "waits", X), 0);
	cr_assert_str_eq(run_for(200), "");
	revoke_lease_of(one);
	cr_assert_str_eq(run_until_all(notice_cb ? 4 : 3), story);
	evlock_free(set_a);
	evlock_free(other_b);
	evlock_free(other);
	evlock_etcd_close(three);
	cr_assert_str_eq(run_until(1), "three:closed");
}

LeaseTest(etcd_lock, a_set_that_is_lost_gives_back_the_rest)
{
	lose_a_set(note_notice, "one:lost one:ready set:ESTALE waits:in");
}

LeaseTest(etcd_lock, a_set_that_is_lost_unseen_gives_back_the_rest)
{
	lose_a_set(NULL, "one:lost one:ready waits:in");
}

/* Modes that exclude nothing never wait. */
EtcdTest(etcd_lock, sets_in_none_wait_for_nobody)
{
	evlock_handle x, y;
	unsigned i;

	new_sets(N);
	for (i = 0; i < 10; i++) {
		x = ask(set_a, "x", X);
		y = ask(set_b, "y", X);
		cr_assert_str_eq(run_until_all(2), "x:in y:in");
		drop(set_a, x);
		drop(set_b, y);
	}
	free_sets();
}

LeaseTest(etcd_lock, a_child_disturbs_nothing)
{
	evlock_handle x = hold(a, X);
	int status;
	pid_t pid = fork();

	if (pid == 0) {	/* otherwise its messages would go out on the parent's connections */
		evlock_free(a);
		assert_bad("lock", NULL);
		assert_bad("new", NULL);
		_exit(one->calls.n_open != 0);
	}
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_assert_eq(status, 0);
	cr_assert_str_eq(run_for(ttl * 1000 + 500), "", "the parent has lost it");
	cr_assert_eq(evlock_mode_of(a, x), X);
	drop(a, x);
}
