/* SPDX-License-Identifier: BSD-3-Clause */

/* Deadlocks of owners, conversions and sets.  EDEADLK goes to the request that closes the wait
 * cycle, and to no other. */

#include <string.h>

#include "../shim.h"
#include "../util.h"
#include "../util3.h"

/** A test with owners a to d and locks x, y, z and w, which are freed before it ends. */
#define DeadlockTest(suite, name) \
	static void suite##_##name##_with_owners(void); \
	LockTest(suite, name) \
	{ \
		make(); \
		suite##_##name##_with_owners(); \
		unmake(); \
	} \
	static void \
	suite##_##name##_with_owners(void)

/** The same with a set of x and y. */
#define SetTest(suite, name) \
	static void suite##_##name##_with_set(void); \
	DeadlockTest(suite, name) \
	{ \
		set = SET(x, y); \
		suite##_##name##_with_set(); \
		end_set(""); \
	} \
	static void \
	suite##_##name##_with_set(void)

static struct evlock_owner *a, *b, *c, *d;
static struct evlock *x, *y, *z, *w, *set;

static void
make(void)
{
	a = new_owner("a");
	b = new_owner("b");
	c = new_owner("c");
	d = new_owner("d");
	x = new_lock("x");
	y = new_lock("y");
	z = new_lock("z");
	w = new_lock("w");
}

static void
unmake(void)
{
	told();
	evlock_owner_free(a);
	evlock_owner_free(b);
	evlock_owner_free(c);
	evlock_owner_free(d);
	evlock_free(x);
	evlock_free(y);
	evlock_free(z);
	evlock_free(w);
	told();
}

/* Frees the set.  The requests that still wait for it are called back. */
static void
end_set(const char *who_is_told)
{
	evlock_free(set);
	set = NULL;
	cr_assert_str_eq(told(), who_is_told);
}

/* a holds x, b holds y. */
static evlock_handle
a_waits_for_b(void)
{
	hold_by(a, x, X);
	hold_by(b, y, X);
	return ask_by(a, y, "a", X);
}

static void
a_waits_for_b_which_waits_for_x(void)
{
	hold_by(b, y, X);
	ask_by(b, x, "b", X);
	ask_by(a, y, "a", X);
}

/* The same, and d holds nothing. */
static void
each_holds_one(void)
{
	hold_by(a, x, X);
	hold_by(b, y, X);
	hold_by(c, z, X);
}

/* --- Two and more owners ---------------------------------------------------------- */

DeadlockTest(deadlock, of_two)
{
	a_waits_for_b();
	assert_refused(ASK(x, "b", .mode = X, .owner = b), EDEADLK);
	assert_refused(ASK(x, "b", .mode = N, .owner = b), EDEADLK);
	cr_assert_eq(evlock_owner_mode(b, y), X, "holds what it held");
	cr_assert_str_eq(let_all_go(b), "a");
}

DeadlockTest(deadlock, nowait_does_not_wait)
{
	a_waits_for_b();
	assert_refused(NOW(x, .mode = X, .owner = b), EAGAIN);
}

/* The caller's handle of a refused request can be used again. */
DeadlockTest(deadlock, refused_request_leaves_nothing)
{
	evlock_handle mine = EVLOCK_HANDLE_FROM(&a), b_handle;
	struct timeval late = { 3600, 0 };

	hold_by(a, x, X);
	b_handle = hold_by(b, y, X);
	ask_by(a, y, "a", X);
	assert_refused(ASK(x, "b", .mode = X, .owner = b, .handle = mine, .timeout = &late,
	    .notice_cb = note), EDEADLK);
	cr_assert_eq(evlock_waiting(x), 0);
	cr_assert_str_eq(let_go(y, b_handle), "a", "and no timer is left");
	cr_assert_eq(ASK(x, "b", .mode = X, .owner = b, .handle = mine), mine);
	cr_assert_eq(evlock_owner_release_all(b), 1);
}

DeadlockTest(deadlock, timeouts_are_not_counted_on)
{
	struct timeval soon = milliseconds(1);

	hold_by(a, x, X);
	hold_by(b, y, X);
	ASK(y, "a", .mode = X, .owner = a, .timeout = &soon);
	assert_refused(ASK(x, "b", .mode = X, .owner = b, .timeout = &soon), EDEADLK);
	cr_assert_str_eq(run(), "a:ETIMEDOUT");
	ask_by(b, x, "b", X);
	cr_assert_str_eq(let_all_go(a), "b");
}

DeadlockTest(deadlock, withdrawn_wait_is_no_deadlock)
{
	drop(y, a_waits_for_b());
	ask_by(b, x, "b", X);
	assert_refused(ASK(y, "a", .mode = X, .owner = a), EDEADLK);
}

DeadlockTest(deadlock, of_readers_and_writers)
{
	hold_by(a, x, S);
	hold_by(b, y, S);
	ask_by(a, y, "a", X);
	ask_by(b, x, "b reads", S);
	cr_assert_str_eq(run(), "b reads");
	assert_refused(ASK(x, "b", .mode = X, .owner = b), EDEADLK);
	cr_assert_str_eq(let_all_go(b), "a");
}

/* A reader in the queue behind a writer waits for that writer. */
DeadlockTest(deadlock, behind_someone_in_a_queue)
{
	hold(x, S);
	hold_by(b, y, X);
	ask_by(a, x, "a", X);
	ask_by(a, y, "a too", S);
	assert_refused(ASK(x, "b", .mode = S, .owner = b), EDEADLK);
	evlock_owner_release_all(a);
	cr_assert_neq(ASK(x, "b", .mode = S, .owner = b), 0);
	cr_assert_str_eq(run(), "b");
}

DeadlockTest(deadlock, behind_someone_without_an_owner_in_a_queue)
{
	hold_by(a, x, S);
	ask(x, "writer", X);
	hold_by(b, y, X);
	ask_by(a, y, "a", X);
	assert_refused(ASK(x, "b", .mode = S, .owner = b), EDEADLK);
	cr_assert_str_eq(let_all_go(b), "a");
}

/* A writer would have made b wait for a, but it has withdrawn. */
DeadlockTest(deadlock, not_behind_someone_who_is_gone)
{
	evlock_handle upgradable = hold(x, U);

	hold_by(a, x, S);
	hold_by(b, y, X);
	ask_by(a, y, "a", X);
	ask(x, "first", U);
	drop(x, ask(x, "writer", X));
	ask_by(b, x, "b", S);
	cr_assert_str_eq(run(), "");
	cr_assert_str_eq(let_go(x, upgradable), "first b");
}

/* c's request is compatible with the holders, but it must wait behind b, which waits ahead of the
 * queue. */
DeadlockTest(deadlock, behind_someone_ahead_of_the_queue)
{
	hold_by(a, x, S);
	hold_by(b, x, S);
	hold_by(c, z, X);
	ask_by(b, x, "b", X);
	ask_by(a, z, "a", X);
	assert_refused(ASK(x, "c", .mode = S, .owner = c), EDEADLK);
	cr_assert_str_eq(let_all_go(c), "a");
	cr_assert_str_eq(let_all_go(a), "b");
}

/* A holder without an owner is assumed to release. */
DeadlockTest(deadlock, of_holders_without_an_owner_is_none)
{
	evlock_handle handle = hold(x, X);

	hold_by(a, y, X);
	ask(y, "plain", X);
	ask_by(a, x, "a", X);
	cr_assert_str_eq(run(), "");
	cr_assert_str_eq(let_go(x, handle), "a");
}

DeadlockTest(deadlock, of_three)
{
	each_holds_one();
	ask_by(a, y, "a", X);
	ask_by(b, z, "b", X);
	assert_refused(ASK(x, "c", .mode = X, .owner = c), EDEADLK);
	ask_by(d, x, "d", X);
	cr_assert_str_eq(let_all_go(c), "b");
	cr_assert_str_eq(let_all_go(b), "a");
	cr_assert_str_eq(let_all_go(a), "d");
}

DeadlockTest(deadlock, chain_of_four_is_none)
{
	each_holds_one();
	hold_by(d, w, X);
	ask_by(c, w, "c", X);
	ask_by(b, z, "b", X);
	ask_by(a, y, "a", X);
	assert_refused(ASK(x, "d", .mode = S, .owner = d), EDEADLK);
	assert_refused(ASK(y, "d", .mode = S, .owner = d), EDEADLK);
	assert_refused(ASK(z, "d", .mode = S, .owner = d), EDEADLK);
	cr_assert_str_eq(let_all_go(d), "c");
}

/* Only the owner that closes the cycle is refused.  An owner that waits outside the cycle is
 * not. */
DeadlockTest(deadlock, bystander_may_wait)
{
	a_waits_for_b();
	hold_by(c, z, X);
	ask_by(c, x, "c", X);
	ask_by(d, z, "d", X);
	cr_assert_str_eq(run(), "");
	cr_assert_str_eq(let_all_go(b), "a");
	cr_assert_str_eq(let_all_go(a), "c");
}

/* An owner may wait for several locks at once.  One of them closes the cycle. */
DeadlockTest(deadlock, of_an_owner_that_waits_twice)
{
	each_holds_one();
	ask_by(a, y, "a", X);
	ask_by(a, z, "a too", X);
	assert_refused(ASK(x, "c", .mode = X, .owner = c), EDEADLK);
	assert_refused(ASK(x, "b", .mode = X, .owner = b), EDEADLK);
	cr_assert_str_eq(let_all_go(c), "a too");
	cr_assert_str_eq(let_all_go(b), "a");
}

DeadlockTest(deadlock, of_two_readers_that_write)
{
	hold_by(a, x, S);
	hold_by(b, x, S);
	ask_by(a, x, "a", X);
	assert_refused(ASK(x, "b", .mode = X, .owner = b), EDEADLK);
	assert_refused(NOW(x, .mode = X, .owner = b), EAGAIN);
	cr_assert_str_eq(let_all_go(b), "a");
}

/* --- Conversions ------------------------------------------------------------------ */

DeadlockTest(deadlock, of_two_conversions)
{
	evlock_handle a_handle = hold_by(a, x, S), b_handle = hold_by(b, x, S);

	convert(x, "a", a_handle, X);
	assert_fails(try_to_convert(x, "b", b_handle, X), EDEADLK);
	cr_assert_eq(evlock_mode_of(x, b_handle), S);
	cr_assert_str_eq(let_go(x, b_handle), "a");
}

DeadlockTest(deadlock, of_a_conversion_and_a_request)
{
	evlock_handle a_handle = hold_by(a, x, S);

	hold_by(b, x, S);
	convert(x, "a", a_handle, X);
	assert_refused(ASK(x, "b", .mode = X, .owner = b), EDEADLK);
	cr_assert_neq(NOW(x, .mode = S, .owner = b), 0);
	cr_assert_str_eq(let_all_go(b), "a");
}

DeadlockTest(deadlock, of_a_conversion_over_two_locks)
{
	evlock_handle a_handle = hold_by(a, x, S);

	hold_by(b, x, S);
	hold_by(a, y, X);
	ask_by(b, y, "b", S);
	assert_fails(try_to_convert(x, "a", a_handle, X), EDEADLK);
	evlock_owner_release_all(b);
	convert(x, "a", a_handle, X);
	cr_assert_str_eq(run(), "a");
}

DeadlockTest(deadlock, of_a_request_and_a_conversion_over_two_locks)
{
	evlock_handle a_handle = hold_by(a, x, S);

	hold_by(b, x, S);
	hold_by(a, y, X);
	convert(x, "a", a_handle, X);
	assert_refused(ASK(y, "b", .mode = S, .owner = b), EDEADLK);
	cr_assert_str_eq(let_all_go(b), "a");
}

/* The conversion of a handle without an owner would wait for a request that waits for that
 * handle. */
DeadlockTest(deadlock, of_a_plain_conversion_and_an_owner)
{
	evlock_handle plain = hold(x, S), a_handle = hold_by(a, x, S);

	convert(x, "plain", plain, X);
	assert_fails(try_to_convert(x, "a", a_handle, X), EDEADLK);
	assert_refused(ASK(x, "a", .mode = X, .owner = a), EDEADLK);
	cr_assert_str_eq(let_all_go(a), "plain");
}

DeadlockTest(deadlock, conversion_that_waits_for_a_free_holder_is_none)
{
	evlock_handle a_handle = hold_by(a, x, S);

	hold_by(b, x, S);
	hold_by(c, y, X);
	ask_by(c, x, "c", X);
	convert(x, "a", a_handle, X);
	ask_by(b, z, "b", X);
	cr_assert_str_eq(run(), "b");
	cr_assert_str_eq(let_all_go(b), "a");
	cr_assert_str_eq(let_all_go(a), "c");
}

/* --- Sets ------------------------------------------------------------------------- */

SetTest(deadlock, of_a_set_and_a_lock)
{
	hold_by(a, z, X);
	hold_by(b, y, X);
	ask_by(b, z, "b", X);
	assert_refused(ASK(set, "a", .mode = X, .owner = a), EDEADLK);
	cr_assert_eq(evlock_waiting(x), 0);
	cr_assert_eq(evlock_waiting(y), 0);
	evlock_owner_release_all(b);
	cr_assert_neq(ASK(set, "a", .mode = X, .owner = a), 0);
	cr_assert_str_eq(run(), "a");
}

SetTest(deadlock, of_a_lock_and_a_set)
{
	hold_by(a, z, X);
	hold_by(b, y, X);
	ask_by(a, set, "a", X);
	assert_refused(ASK(z, "b", .mode = X, .owner = b), EDEADLK);
	cr_assert_str_eq(let_all_go(b), "a");
}

DeadlockTest(deadlock, of_two_sets_held)
{
	struct evlock *xy = SET(x, y), *zw = SET(z, w);

	hold_by(a, xy, X);
	hold_by(b, zw, X);
	ask_by(a, zw, "a", X);
	assert_refused(ASK(xy, "b", .mode = X, .owner = b), EDEADLK);
	cr_assert_str_eq(let_all_go(b), "a");
	evlock_free(xy);
	evlock_free(zw);
}

/* A set that waits holds its places in the queues. */
SetTest(deadlock, behind_a_set_in_a_queue)
{
	hold_by(b, y, X);
	ask_by(a, set, "a", X);
	assert_refused(ASK(x, "b", .mode = X, .owner = b), EDEADLK);
	assert_refused(NOW(x, .mode = X, .owner = b), EAGAIN);
	cr_assert_str_eq(let_all_go(b), "a");
}

SetTest(deadlock, behind_a_set_without_an_owner)
{
	hold_by(b, y, X);
	ask(set, "plain", X);
	assert_refused(ASK(x, "b", .mode = X, .owner = b), EDEADLK);
	cr_assert_str_eq(let_all_go(b), "plain");
}

/* A set does not pass the queue, even if its owner holds a member.  Its owner would wait for
 * itself. */
SetTest(deadlock, of_a_set_behind_someone_who_waits_for_its_owner)
{
	hold_by(a, x, S);
	ask(x, "writer", X);
	assert_refused(ASK(set, "a", .mode = S, .owner = a), EDEADLK);
	cr_assert_str_eq(let_all_go(a), "writer");
}

/* A set may be granted to an owner that holds a member of it, if nobody waits. */
SetTest(deadlock, of_a_set_with_a_member_of_its_own_is_none)
{
	evlock_handle other = hold(y, X);

	hold_by(a, x, X);
	ask_by(a, set, "a", X);
	cr_assert_str_eq(run(), "");
	cr_assert_str_eq(let_go(y, other), "a");
}

SetTest(deadlock, of_set_conversions)
{
	evlock_handle one = NOW(set, .mode = S, .owner = a), two = NOW(set, .mode = S, .owner = b);

	convert(set, "one", one, X);
	assert_fails(try_to_convert(set, "two", two, X), EDEADLK);
	cr_assert_str_eq(let_go(set, two), "one");
}

/* Two sets overlap: {x, y} and {y, z} meet in y. */
DeadlockTest(deadlock, of_conversions_of_crossing_sets)
{
	struct evlock *xy = SET(x, y), *yz = SET(y, z);
	evlock_handle one = hold(xy, S), two = hold(yz, S);

	convert(xy, "one", one, X);
	assert_fails(try_to_convert(yz, "two", two, X), EDEADLK);
	cr_assert_str_eq(let_go(yz, two), "one");
	evlock_free(xy);
	evlock_free(yz);
}

SetTest(deadlock, of_a_set_conversion_and_a_members)
{
	evlock_handle one = hold(set, S), two = hold(y, S);

	convert(y, "two", two, X);
	assert_fails(try_to_convert(set, "one", one, X), EDEADLK);
	cr_assert_str_eq(let_go(set, one), "two");
}

/* {x, y}, {y, x} and single locks: no combination of waiters is a deadlock. */
DeadlockTest(deadlock, of_sets_in_opposite_orders_is_none)
{
	struct evlock *xy = SET(x, y), *yx = SET(y, x);
	evlock_handle hx = hold(x, X), hy = hold(y, X);

	ASK(xy, "a", .mode = X, .owner = a, .cb = note_and_drop);
	ASK(yx, "b", .mode = X, .owner = b, .cb = note_and_drop);
	ASK(xy, "plain", .mode = S, .cb = note_and_drop);
	ASK(yx, "c", .mode = S, .owner = c, .cb = note_and_drop);
	drop(y, hy);
	cr_assert_str_eq(let_go(x, hx), "a b plain c");
	evlock_free(xy);
	evlock_free(yx);
}

/* --- Queue-jumpers ---------------------------------------------------------------- */

/* b has a set in the queue of x, and holds y.  An owner that passes the set in that queue, and
 * waits for y, closes a wait cycle. */
DeadlockTest(deadlock, of_a_jumper_without_an_owner)
{
	struct evlock *xz = SET(x, z);
	evlock_handle hz = hold(z, X);

	hold_by(b, x, S);
	cr_assert_neq(ASK(xz, "b", .mode = S, .owner = b), 0);
	assert_refused(ASK(x, "urgent", .mode = X, .priority = 3), EDEADLK);
	cr_assert_neq(ASK(x, "patient", .mode = X), 0);
	cr_assert_str_eq(let_go(z, hz), "b");
	cr_assert_str_eq(let_all_go(b), "patient");
	evlock_free(xz);
}

DeadlockTest(deadlock, of_a_preferred_jumper)
{
	struct evlock_options options = { .flags = EVLOCK_OPT_PREFER_EXCLUSIVE };
	struct evlock *p = evlock_new(base, &options), *pz = SET(p, z);
	evlock_handle hz = hold(z, X);

	hold_by(b, p, S);
	cr_assert_neq(ASK(pz, "b", .mode = S, .owner = b), 0);
	assert_refused(evlock_acquire(p, X, NULL, note, NULL), EDEADLK);
	cr_assert_str_eq(let_go(z, hz), "b");
	evlock_free(pz);
	evlock_free(p);
}

/* The request would be granted at once.  It would then exclude a request that is allowed to
 * wait. */
DeadlockTest(deadlock, of_a_jumper_that_is_granted_at_once)
{
	evlock_handle other = hold(x, S);

	a_waits_for_b_which_waits_for_x();
	assert_refused(ASK(x, "a too", .mode = S, .owner = a, .priority = 3), EDEADLK);
	assert_refused(NOW(x, .mode = S, .owner = a, .priority = 3), EDEADLK);
	cr_assert_str_eq(let_go(x, other), "b");
	cr_assert_str_eq(let_all_go(b), "a");
}

/* A refused jump does not change the places of its owner's waiting requests. */
SetTest(deadlock, refused_jumper_leaves_its_owners_places)
{
	evlock_handle reader = hold(x, S), writer = ASK(x, "writer", .mode = X, .priority = 1);

	ASK(x, "a", .mode = S, .owner = a, .priority = 1);
	ask_by(a, x, "a too", S);
	ask_by(a, set, "a set", S);
	assert_refused(NOW(x, .mode = S, .owner = a, .priority = 3), EDEADLK);
	assert_refused(ASK(x, "jumper", .mode = S, .owner = a, .priority = 3), EDEADLK);
	ASK(x, "a last", .mode = S, .owner = a, .priority = 1);
	cr_assert_str_eq(let_go(x, reader), "writer");
	cr_assert_str_eq(let_go(x, writer), "a a too a last a set");
	evlock_owner_release_all(a);
}

DeadlockTest(deadlock, of_a_jumper_that_keeps_nobody_out_is_none)
{
	evlock_handle other = hold(x, S);

	a_waits_for_b_which_waits_for_x();
	cr_assert_neq(NOW(x, .mode = N, .owner = a, .priority = 3), 0, "%s", strerror(errno));
	cr_assert_str_eq(let_go(x, other), "b");
}

/* The same with a conversion and a reentrant request, which pass the queue. */
DeadlockTest(deadlock, of_a_conversion_given_at_once)
{
	evlock_handle other = hold(x, S), mine = hold_by(a, x, N);

	a_waits_for_b_which_waits_for_x();
	assert_fails(try_to_convert(x, "up", mine, S), EDEADLK);
	cr_assert_eq(evlock_mode_of(x, mine), N);
	cr_assert_str_eq(let_go(x, other), "b");
}

DeadlockTest(deadlock, of_a_reentrant_request_given_at_once)
{
	evlock_handle other = hold(x, S);

	hold_by(a, x, N);
	a_waits_for_b_which_waits_for_x();
	assert_refused(ASK(x, "again", .mode = S, .owner = a), EDEADLK);
	assert_refused(NOW(x, .mode = S, .owner = a), EDEADLK);
	cr_assert_str_eq(let_go(x, other), "b");
}

/* A request ahead of the queue would wait for ever. */
DeadlockTest(deadlock, of_a_grant_that_blocks_somebody_ahead)
{
	evlock_handle up = hold_by(b, x, S), other = hold(x, S);

	hold_by(a, x, N);
	hold_by(b, y, X);
	convert(x, "b", up, X);
	ask_by(a, y, "a", X);
	assert_refused(NOW(x, .mode = S, .owner = a), EDEADLK);
	assert_refused(ASK(x, "again", .mode = S, .owner = a), EDEADLK);
	cr_assert_str_eq(let_go(x, other), "b");
}

/* --- Semaphores, and limits ------------------------------------------------------- */

DeadlockTest(deadlock, any_of_two_holders_may_be_waited_for)
{
	struct evlock *s = evlock_semaphore_new(base, 2, NULL);

	hold_by(a, s, 0);
	hold_by(b, s, 0);
	hold_by(c, x, X);
	ask_by(a, x, "a", X);
	ask_by(c, s, "c", 0);
	assert_refused(ASK(x, "b", .mode = X, .owner = b), EDEADLK);
	cr_assert_str_eq(let_all_go(b), "c");
	cr_assert_str_eq(let_all_go(c), "a");
	evlock_free(s);
}

DeadlockTest(deadlock, of_two_who_want_both_permits)
{
	struct evlock *s = evlock_semaphore_new(base, 2, NULL);

	hold_by(a, s, 0);
	hold_by(b, s, 0);
	ask_by(a, s, "a", 0);
	assert_refused(ASK(s, "b", .owner = b), EDEADLK);
	cr_assert_str_eq(let_all_go(b), "a");
	evlock_free(s);
}

/* One unit would be available, but the request needs two. */
DeadlockTest(deadlock, of_units)
{
	struct evlock *s = evlock_semaphore_new(base, 3, NULL);

	hold_by(a, s, 0);
	hold_by(b, s, 0);
	hold_by(c, x, X);
	ask_by(a, x, "a", X);
	assert_refused(ASK(s, "c", .owner = c, .units = 3), EDEADLK);
	cr_assert_neq(ASK(s, "c", .owner = c, .units = 2), 0);
	cr_assert_str_eq(run(), "");
	cr_assert_str_eq(let_all_go(b), "c");
	evlock_free(s);
}

/* "late" will make b a holder again, so that "one" goes ahead of the queue.  Then "two" comes too
 * late.  If "two" came first, "one" would come too late. */
DeadlockTest(deadlock, of_units_that_go_ahead_and_others_of_the_same_owner)
{
	enum { GUEST, PERMIT, GATE, LATE };
	static const struct evlock_mode mode[] = {
		[GUEST] = { .name = "guest" },
		[PERMIT] = { .name = "permit", .limit = 2 },
		[GATE] = { .name = "gate", .conflicts = 1 << LATE },
		[LATE] = { .name = "late", .conflicts = 1 << GATE },
	};
	static const struct evlock_modes modes = { mode, 4, NULL };
	struct evlock *p = evlock_new(base, &(struct evlock_options){ .modes = &modes });
	evlock_handle gate = hold(p, GATE), guest = hold_by(b, p, GUEST), other = hold(x, X);

	hold_by(c, p, PERMIT);
	ask_by(c, x, "c", X);
	ask_by(b, p, "late", LATE);
	cr_assert_neq(ASK(p, "two", .mode = PERMIT, .owner = b, .units = 2), 0);
	drop(p, guest);
	assert_refused(ASK(p, "one", .mode = PERMIT, .owner = b), EDEADLK);
	cr_assert_str_eq(let_go(p, gate), "late");
	cr_assert_str_eq(let_go(x, other), "c");
	cr_assert_str_eq(let_all_go(c), "two");
	evlock_free(p);
}

/* --- Tables ----------------------------------------------------------------------- */

DeadlockTest(deadlock, over_keys_of_a_table)
{
	struct evlock_table *table = evlock_table_new(base, NULL);
	struct evlock_request q = { .mode = X, .owner = a };

	cr_assert_neq(evlock_table_acquire_request(table, "1", 1, &q), 0);
	q.owner = b;
	cr_assert_neq(evlock_table_acquire_request(table, "2", 1, &q), 0);
	q.owner = a;
	q.cb = note;
	q.arg = (void *)(uintptr_t)"a";
	cr_assert_neq(evlock_table_acquire_request(table, "2", 1, &q), 0);
	q.owner = b;
	assert_refused(evlock_table_acquire_request(table, "1", 1, &q), EDEADLK);
	evlock_owner_free(b);
	cr_assert_str_eq(run(), "a");
	b = NULL;
	evlock_table_free(table);
}

/* --- A granted request cannot be refused afterwards ------------------------------- */

/* An owner that waits for nothing will release, so waiting for it is no deadlock. */
DeadlockTest(deadlock, waiting_for_a_runner_is_none)
{
	unsigned i;

	hold_by(a, x, X);
	hold_by(a, y, X);
	for (i = 0; i < 100; i++) {
		ask_by(b, x, "b", X);
		ask_by(b, y, "b", S);
		ask_by(c, y, "c", X);
		ask_by(d, x, "d", S);
	}
	cr_assert_eq(evlock_waiting(x), 200);
}

/* --- First found by the model tests -------------------------------------------------- */

/* The set's conversion does not change its mode in y, for which a waits. */
DeadlockTest(deadlock, of_a_conversion_that_leaves_a_member_alone)
{
	struct evlock *partly = new_set(x, EVLOCK_SAME_MODE, y, S);
	evlock_handle handle = hold(partly, S);

	hold_by(a, x, S);
	ask_by(a, y, "a", X);
	assert_fails(try_to_convert(partly, "up", handle, X), EDEADLK);
	cr_assert_str_eq(let_go(partly, handle), "a");
	evlock_free(partly);
}

/* A request that goes ahead may be granted before another owner becomes a holder. */
SetTest(deadlock, of_one_that_waits_behind_two_of_another_is_none)
{
	evlock_handle other = hold(x, S);

	ask_by(a, x, "a", X);
	ask_by(b, x, "b", S);
	ask_by(a, x, "a again", X);
	cr_assert_neq(ASK(set, "b set", .mode = S, .owner = b), 0, "%s", strerror(errno));
	cr_assert_str_eq(let_go(x, other), "a a again");
	cr_assert_str_eq(let_all_go(a), "b b set");
}

/* The newcomer would be granted some day, and after that another request of its owner never could
 * be. */
SetTest(deadlock, of_a_jumper_that_has_to_wait)
{
	evlock_handle other = hold(x, S);

	ask_by(a, x, "a", X);
	cr_assert_neq(ASK(set, "b", .mode = S, .owner = b), 0);
	assert_refused(ASK(x, "b jumps", .mode = X, .owner = b, .priority = 2), EDEADLK);
	cr_assert_str_eq(let_go(x, other), "a");
	cr_assert_str_eq(let_all_go(a), "b");
}

SetTest(deadlock, of_a_set_behind_one_that_is_passed)
{
	hold(x, X);
	ask_by(a, x, "a", S);
	ask(x, "plain", S);
	ask_by(a, x, "a again", X);
	assert_refused(ASK(set, "a set", .mode = S, .owner = a), EDEADLK);
}

SetTest(deadlock, of_one_that_passes_somebody_before_its_owners_set)
{
	hold(x, X);
	ask_by(a, x, "a", S);
	ask(x, "plain", S);
	cr_assert_neq(ASK(set, "a set", .mode = S, .owner = a), 0);
	assert_refused(ASK(x, "a again", .mode = X, .owner = a), EDEADLK);
	end_set("a set:ECANCELED");
}

SetTest(deadlock, of_a_reentrant_request_that_keeps_a_set_out)
{
	hold(x, X);
	hold_by(a, y, S);
	ask(set, "plain", S);
	ask_by(a, x, "a", S);
	assert_refused(ASK(y, "a again", .mode = X, .owner = a), EDEADLK);
	cr_assert_neq(ASK(y, "a again", .mode = S, .owner = a), 0);
	cr_assert_str_eq(run(), "a again");
	end_set("plain:ECANCELED");
}

/* "b" makes b hold x again, and "b too" then goes ahead of the queue, although a waits there. */
DeadlockTest(deadlock, of_one_that_goes_ahead_while_others_wait_ahead_is_none)
{
	evlock_handle b_handle;

	hold_by(a, x, N);
	b_handle = hold_by(b, x, N);
	hold_by(c, x, X);
	ask_by(b, x, "b", U);
	drop(x, b_handle);
	ask_by(a, x, "a", X);
	ask_by(b, x, "b too", X);
	cr_assert_str_eq(let_all_go(c), "b b too");
	cr_assert_str_eq(let_all_go(b), "a");
}

static const struct evlock_mode permit_mode[] = {
	{ .name = "visitor" }, { .name = "permit", .limit = 1 }
};
static const struct evlock_modes permit_modes = { permit_mode, 2, NULL };

/* The conversion also waits for z.  It takes the one permit of p. */
DeadlockTest(deadlock, of_a_conversion_and_its_owners_request_for_the_same_permit)
{
	struct evlock_options options = { .modes = &permit_modes };
	struct evlock *p = evlock_new(base, &options), *q = evlock_new(base, &options);
	struct evlock *pq = SET(p, q);
	evlock_handle handle = NOW(pq, .mode = 0, .owner = b);

	hold_by(a, p, 1);
	hold_by(a, q, 1);
	cr_assert_eq(try_to_convert(pq, "up", handle, 1), 0);
	assert_refused(ASK(p, "b", .mode = 1, .owner = b), EDEADLK);
	cr_assert_neq(ASK(p, "b", .mode = 0, .owner = b), 0);
	cr_assert_str_eq(let_all_go(a), "b up");
	evlock_free(pq);
	evlock_free(p);
	evlock_free(q);
}

/* A conversion is granted when it fits.  a's conversion arrived later, but makes room for the
 * guest's, which then makes room for a's request. */
DeadlockTest(deadlock, of_a_conversion_that_lets_an_earlier_one_go_on_is_none)
{
	static const struct evlock_mode mode[] = {
		{ .name = "guest" },
		{ .name = "reader", .conflicts = 1 << 2 },
		{ .name = "writer", .conflicts = 1 << 1 },
		{ .name = "alone", .conflicts = 0xf },
	};
	static const struct evlock_modes modes = { mode, 4, NULL };
	struct evlock *l = evlock_new(base, &(struct evlock_options){ .modes = &modes });
	evlock_handle guest = hold(l, 0), mine = hold_by(a, l, 2);

	hold_by(b, l, 2);
	convert(l, "guest", guest, 1);
	cr_assert_eq(try_to_convert(l, "a reads", mine, 1), 0);
	cr_assert_neq(ASK(l, "a alone", .mode = 3, .owner = a), 0, "%s", strerror(errno));
	cr_assert_str_eq(let_all_go(b), "a reads guest");
	cr_assert_str_eq(let_go(l, guest), "a alone");
	evlock_free(l);
}

/* The set's conversion will be granted first and will exclude b. */
DeadlockTest(deadlock, of_a_request_behind_the_conversion_of_a_set)
{
	struct evlock *xz = SET(x, z);
	evlock_handle handle = NOW(xz, .mode = N, .owner = a);

	hold_by(c, x, U);
	hold_by(b, x, N);
	hold_by(b, y, X);
	cr_assert_eq(try_to_convert(xz, "up", handle, U), 0);
	ask_by(a, y, "a", X);
	assert_refused(ASK(x, "b", .mode = X, .owner = b), EDEADLK);
	cr_assert_str_eq(let_all_go(c), "up");
	cr_assert_str_eq(let_all_go(b), "a");
	evlock_free(xz);
}

/* --- A request that goes ahead because its owner holds the lock ------------------- */

/* b would have been granted before "a writes", which now excludes it. */
DeadlockTest(deadlock, of_one_that_goes_ahead)
{
	evlock_handle other = hold(x, U);

	hold_by(b, y, X);
	ask_by(a, y, "a", X);
	ask_by(b, x, "b", U);
	ask_by(a, x, "a writes", X);
	ask_by(a, x, "a reads", S);
	cr_assert_neq(NOW(x, .mode = S, .owner = a, .priority = 3), 0);
	cr_assert_str_eq(run(), "a writes:EDEADLK a reads");
	cr_assert_str_eq(let_go(x, other), "b");
	cr_assert_str_eq(let_all_go(b), "a");
}

/* Queues requests of a behind a set, which waits behind a.  They may wait, because they will go
 * ahead once "first" is granted. */
static evlock_handle
wait_behind_first(const struct timeval *timeout)
{
	evlock_handle first = ASK(x, "first", .mode = S, .owner = a, .timeout = timeout);

	ask_by(a, y, "other", S);
	ask(set, "set", X);
	ask_by(a, x, "second", S);
	ask_by(a, x, "third", S);
	return first;
}

SetTest(deadlock, of_those_who_counted_on_one_that_is_withdrawn)
{
	evlock_handle hx = hold(x, X), hy = hold(y, X);

	cr_assert_str_eq(let_go(x, wait_behind_first(NULL)), "third:EDEADLK second:EDEADLK");
	drop(x, hx);
	cr_assert_str_eq(let_go(y, hy), "other");
	cr_assert_str_eq(let_all_go(a), "set");
}

SetTest(deadlock, of_those_who_counted_on_one_that_times_out)
{
	static const struct timeval soon = { 0, 1000 };

	hold(x, X);
	hold(y, X);
	wait_behind_first(&soon);
	cr_assert_str_eq(run(), "third:EDEADLK second:EDEADLK first:ETIMEDOUT");
	end_set("set:ECANCELED");
}

SetTest(deadlock, of_those_who_counted_on_a_set_that_is_closed)
{
	struct evlock *xz = SET(x, z);

	hold(x, X);
	hold(y, X);
	cr_assert_neq(ASK(xz, "first", .mode = S, .owner = a), 0);
	cr_assert_str_eq(let_go(x, wait_behind_first(NULL)), "");
	evlock_close(xz);
	cr_assert_str_eq(run(), "first:ECANCELED third:EDEADLK second:EDEADLK");
	evlock_free(xz);
	end_set("set:ECANCELED");
}

/* Only one of two kinds of holders may be inside at a time. */
static const struct evlock_mode side[] = {
	{ .name = "left", .conflicts = 1 << 1 }, { .name = "right", .conflicts = 1 << 0 }
};
static const struct evlock_modes sides = { side, 2, NULL };
enum { LEFT, RIGHT };

/* b waits for a to enter on the right, and a waits for b. */
DeadlockTest(deadlock, of_one_that_counted_on_a_conversion_that_times_out)
{
	static const struct timeval soon = { 0, 1000 };
	struct evlock *l = evlock_new(base, &(struct evlock_options){ .modes = &sides });
	evlock_handle held = hold_by(a, l, LEFT);

	hold_by(b, y, X);
	hold(l, LEFT);
	cr_assert_eq(evlock_convert(l, held, RIGHT, &soon, note, (void *)(uintptr_t)"up"), 0);
	ask_by(b, l, "b", RIGHT);
	ask_by(a, y, "a", X);
	cr_assert_str_eq(run(), "a:EDEADLK up:ETIMEDOUT");
	evlock_free(l);
	cr_assert_str_eq(told(), "b:ECANCELED");
}

/* The requests that can still be granted are granted. */
SetTest(deadlock, of_none_who_may_count_on_another)
{
	evlock_handle hx = hold(x, X), first, another;

	hold(y, X);
	another = ASK(x, "another", .mode = S, .owner = a, .priority = 1);
	first = wait_behind_first(NULL);
	cr_assert_str_eq(let_go(x, first), "");
	cr_assert_str_eq(let_go(x, hx), "another second third");
	drop(x, another);
	end_set("set:ECANCELED");
}

/* a's "writes" arrived before b's "upgradable", and also waits for the reader.  When the upgradable
 * hold ends first, granting b would make a wait for b, whose set waits behind a. */
SetTest(deadlock, of_one_that_is_granted_before_another)
{
	evlock_handle reader = hold(x, S), upgradable = hold(x, U);

	hold_by(a, x, N);
	hold_by(b, x, N);
	ask_by(a, x, "writes", X);
	ask_by(b, x, "upgradable", U);
	cr_assert_neq(ASK(set, "set", .mode = X, .owner = b), 0);
	cr_assert_str_eq(let_go(x, upgradable), "upgradable:EDEADLK");
	cr_assert_str_eq(let_go(x, reader), "writes");
	cr_assert_str_eq(let_all_go(a), "set");
}

/* The same with the conversion of a set, behind which a request waits in the other member. */
SetTest(deadlock, of_a_conversion_that_is_granted_before_another)
{
	struct evlock *xz = SET(x, z);
	evlock_handle reader = hold(x, S), upgradable = hold(x, U), up = hold_by(b, xz, N);

	hold_by(a, x, N);
	ask_by(a, x, "writes", X);
	convert(xz, "up", up, U);
	ask(z, "behind", S);
	cr_assert_neq(ASK(set, "set", .mode = X, .owner = b), 0);
	cr_assert_str_eq(let_go(x, upgradable), "up:EDEADLK behind");
	cr_assert_str_eq(let_go(x, reader), "writes");
	cr_assert_str_eq(let_all_go(a), "set");
	evlock_free(xz);
}

/* If a released its upgradable hold, b's "upgradable" would be granted before a's "writes". */
SetTest(deadlock, of_one_whose_owner_lets_go_of_something)
{
	evlock_handle reader = hold(x, S), upgradable = hold_by(a, x, U);

	hold_by(b, x, N);
	cr_assert_neq(ASK(set, "set", .mode = X, .owner = b), 0);
	ask_by(b, x, "upgradable", U);
	ask_by(a, x, "writes", X);
	cr_assert_str_eq(let_go(x, upgradable), "writes:EDEADLK upgradable");
	cr_assert_str_eq(let_go(x, reader), "set");
}

/* --- At random --------------------------------------------------------------------
 * Owners hold many locks, always exclusively, and wait for one at a time.  Each owner waits for at
 * most one other, so a simple walk finds a wait cycle. */

#define N_OWNERS 6
#define N_LOCKS 6

static int holder[N_LOCKS];		/* the owner, or -1 */
static int wants[N_OWNERS];		/* the lock, or -1 */
static int queue[N_LOCKS][N_OWNERS], n_queued[N_LOCKS];

static int
closes_cycle(int who, int l)
{
	int steps;

	for (steps = 0; steps <= N_OWNERS; steps++) {
		int next = holder[l];

		if (next < 0)
			return 0;
		if (next == who)
			return 1;
		if (wants[next] < 0)
			return 0;
		l = wants[next];
	}
	cr_assert(0, "a cycle that was not refused");
	return 1;
}

static void
granted(struct evlock *l, evlock_handle handle, int error, void *arg)
{
	int who = (int)(intptr_t)arg;

	(void)l;
	(void)handle;
	cr_assert_eq(error, 0);
	cr_assert_eq(wants[who], -1, "it has been granted in the model");
}

static void
grant_next(int l)
{
	int i;

	holder[l] = -1;
	if (!n_queued[l])
		return;
	holder[l] = queue[l][0];
	wants[queue[l][0]] = -1;
	for (i = 1; i < n_queued[l]; i++)
		queue[l][i - 1] = queue[l][i];
	n_queued[l]--;
}

static void
step_at_random(struct evlock **l, struct evlock_owner **o)
{
	int who = rand() % N_OWNERS, k = rand() % N_LOCKS, i;
	evlock_handle handle;

	if (wants[who] >= 0)
		return;
	if (rand() % 6 == 0) {
		evlock_owner_release_all(o[who]);
		for (i = 0; i < N_LOCKS; i++)
			if (holder[i] == who)
				grant_next(i);
		return;
	}
	if (holder[k] == who)
		return;
	errno = 0;
	handle = evlock_acquire_request(l[k], &(struct evlock_request){ .mode = X, .owner = o[who],
	    .cb = granted, .arg = (void *)(intptr_t)who });
	if (closes_cycle(who, k)) {
		cr_assert_eq(handle, 0, "a cycle was not refused");
		cr_assert_eq(errno, EDEADLK);
		return;
	}
	cr_assert_neq(handle, 0, "no cycle was refused: %s", strerror(errno));
	if (holder[k] < 0) {
		holder[k] = who;
		return;
	}
	queue[k][n_queued[k]++] = who;
	wants[who] = k;
}

LockTest(deadlock, at_random)
{
	struct evlock *l[N_LOCKS];
	struct evlock_owner *o[N_OWNERS];
	unsigned i, n = scaled(20000);

	srand(1);
	for (i = 0; i < N_LOCKS; i++) {
		l[i] = new_lock("l");
		holder[i] = -1;
	}
	for (i = 0; i < N_OWNERS; i++) {
		o[i] = new_owner("o");
		wants[i] = -1;
	}
	for (i = 0; i < n; i++) {
		step_at_random(l, o);
		turn();
	}
	for (i = 0; i < N_OWNERS; i++)
		evlock_owner_free(o[i]);
	for (i = 0; i < N_LOCKS; i++)
		evlock_free(l[i]);
}
