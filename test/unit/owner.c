/* SPDX-License-Identifier: BSD-3-Clause */

/* <evlock/owner.h>: what an owner may do, and what ends with it.  Deadlocks: see deadlock.c. */

#include <string.h>

#include "../shim.h"
#include "../util.h"
#include "../util3.h"
#include "../owners.h"

/* --- Making ----------------------------------------------------------------------- */

LockTest(owner, may_have_no_name)
{
	struct evlock_owner *owner = evlock_owner_new(NULL);

	cr_assert_not_null(owner);
	hold_by(owner, lock, X);
	cr_assert_str_neq(state(), "");
	evlock_owner_free(owner);
}

LockTest(owner, name_is_copied)
{
	char name[] = "connection 5";
	struct evlock_owner *owner = evlock_owner_new(name);

	name[0] = '\0';
	hold_by(owner, lock, X);
	cr_assert_not_null(strstr(state(), "connection 5"));
	evlock_owner_free(owner);
}

LockTest(owner, names_in_the_dump)
{
	struct evlock_owner *owner = new_owner("Anna"), *other = new_owner("Bert");
	evlock_handle handle = hold_by(owner, lock, S);
	const char *text, *anna, *bert;

	hold(lock, S);
	ask_by(other, lock, "bert", X);
	ask_by(owner, lock, "anna", X);
	cr_assert_eq(evlock_convert(lock, handle, N, NULL, note, NULL), 0);
	text = state();
	anna = strstr(text, "Anna");
	bert = strstr(text, "Bert");
	cr_assert_not_null(anna, "%s", text);
	cr_assert_not_null(bert, "%s", text);
	cr_assert_not_null(strstr(anna + 1, "Anna"), "holds and waits: %s", text);
	evlock_owner_free(owner);
	cr_assert_null(strstr(state(), "Anna"));
	evlock_owner_free(other);
	cr_assert_null(strstr(state(), "Bert"));
}

LockTest(owner, granted_and_not_told_is_in_the_dump)
{
	struct evlock_owner *owner = new_owner("Anna");

	ask_by(owner, lock, "anna", X);
	cr_assert_not_null(strstr(state(), "Anna"));
	evlock_owner_free(owner);
}

LockTest(owner, name_is_escaped_in_the_dump)
{
	struct evlock_owner *owner = new_owner("Anna\nlock \033[1m");

	hold_by(owner, lock, X);
	cr_assert_not_null(strstr(state(), " of Anna\\x0alock \\x1b[1m\n"), "%s", state());
	evlock_owner_free(owner);
}

LockTest(owner, without_memory)
{
	memory.first_bad = memory.made + 1;
	memory.last_bad = memory.first_bad;
	assert_refused(evlock_owner_new(NULL), ENOMEM);
	memory.first_bad = memory.made + 2;
	memory.last_bad = memory.first_bad;
	assert_refused(evlock_owner_new("name"), ENOMEM);
	memory.last_bad = 0;
}

LockTest(owner, free_of_null)
{
	evlock_owner_free(NULL);
}

LockTest(owner, that_has_nothing)
{
	struct evlock_owner *owner = new_owner("o");

	cr_assert_eq(evlock_owner_release_all(owner), 0);
	assert_fails(evlock_owner_mode(owner, lock), ENOENT);
	evlock_owner_free(owner);
}

/* Locks may be freed before an owner that uses them. */
LockTest(owner, outlives_a_lock)
{
	struct evlock_owner *owner = new_owner("o");
	struct evlock *l = new_lock("l");

	hold_by(owner, l, X);
	ask_by(owner, l, "again", S);
	hold_by(owner, lock, S);
	evlock_free(l);
	cr_assert_str_eq(told(), "again:ECANCELED");
	cr_assert_eq(evlock_owner_release_all(owner), 1);
	evlock_owner_free(owner);
}

LockTest(owner, outlives_a_base)
{
	struct evlock_owner *owner = new_owner("o");
	struct event_base *other = event_base_new();
	struct evlock *l = evlock_new(other, NULL);

	hold_by(owner, l, X);
	hold_by(owner, lock, X);
	evlock_free(l);
	event_base_free(other);
	cr_assert_eq(evlock_owner_mode(owner, lock), X);
	evlock_owner_free(owner);
}

/* --- An owner's holds do not exclude its own requests ----------------------------- */

/* An owner that holds one mode acquires another, while nobody else does. */
static void
check_reentrant(unsigned first, unsigned second)
{
	evlock_handle h1 = hold_by(a, lock, first), h2 = hold_by(a, lock, second), h3;
	unsigned strongest = first > second ? first : second;

	cr_assert_neq(h1, h2);
	cr_assert_eq(evlock_mode_of(lock, h1), (int)first);
	cr_assert_eq(evlock_mode_of(lock, h2), (int)second);
	cr_assert_eq(evlock_locked(lock), strongest);
	cr_assert_eq(evlock_owner_mode(a, lock), (int)strongest);
	h3 = ask_by(a, lock, "third", first);
	cr_assert_str_eq(run(), "third");
	drop(lock, h1);
	cr_assert_eq(evlock_held(lock, first), first == second ? 2 : 1);
	drop(lock, h2);
	drop(lock, h3);
	cr_assert_eq(evlock_owner_release_all(a), 0);
	cr_assert(could_hold(lock, X));
}

OwnerTest(owner, reenters_in_any_mode)
{
	unsigned first, second;

	for (first = N; first <= X; first++)
		for (second = N; second <= X; second++)
			check_reentrant(first, second);
}

/* Only holds of other owners are checked against the lock's modes. */
OwnerTest(owner, reenters_in_modes_that_the_others_allow)
{
	evlock_handle other = hold(lock, S);

	hold_by(a, lock, S);
	cr_assert_neq(NOW(lock, .mode = U, .owner = a), 0);
	assert_refused(NOW(lock, .mode = X, .owner = a), EAGAIN);
	ask_by(a, lock, "x", X);
	cr_assert_str_eq(run(), "");
	cr_assert_eq(evlock_owner_mode(a, lock), U);
	cr_assert_str_eq(let_go(lock, other), "x");
	cr_assert_eq(evlock_owner_mode(a, lock), X);
}

OwnerTest(owner, other_owners_are_in_the_way)
{
	hold_by(a, lock, X);
	assert_refused(NOW(lock, .mode = S, .owner = b), EAGAIN);
	assert_refused(evlock_acquire_nowait(lock, S), EAGAIN);
	assert_refused(NOW(lock, .mode = N, .owner = b), EAGAIN);
}

/* A hold without an owner excludes every owner. */
OwnerTest(owner, holds_without_an_owner_are_in_the_way)
{
	hold(lock, X);
	assert_refused(NOW(lock, .mode = S, .owner = a), EAGAIN);
}

OwnerTest(owner, passes_the_queue)
{
	evlock_handle again;

	hold_by(a, lock, S);
	ask(lock, "writer", X);
	ASK(lock, "urgent", .mode = X, .priority = 3);
	cr_assert_neq(NOW(lock, .mode = S, .owner = a), 0, "nowait too");
	again = ask_by(a, lock, "reader", S);
	cr_assert_str_eq(run(), "reader");
	drop(lock, again);
	again = ask_by(a, lock, "a writes", X);
	cr_assert_str_eq(run(), "a writes");
	assert_refused(NOW(lock, .mode = S, .owner = b), EAGAIN);
	cr_assert_eq(evlock_owner_release_all(a), 3);
	cr_assert_str_eq(run(), "urgent");
}

/* A request that passes the queue and still has to wait waits ahead of the queue. */
OwnerTest(owner, waits_ahead_of_the_queue)
{
	evlock_handle other = hold(lock, S);

	hold_by(a, lock, S);
	ASK(lock, "urgent", .mode = X, .priority = 3);
	ask(lock, "reader", S);
	ask_by(a, lock, "a writes", X);
	cr_assert_eq(evlock_waiting(lock), 3);
	cr_assert_str_eq(let_go(lock, other), "a writes");
	cr_assert_eq(evlock_owner_release_all(a), 2);
	cr_assert_str_eq(run(), "urgent");
}

OwnerTest(owner, that_waits_ahead_lets_no_newcomer_pass)
{
	evlock_handle other = hold(lock, S);

	hold_by(a, lock, S);
	ask_by(a, lock, "a writes", X);
	assert_refused(evlock_acquire_nowait(lock, S), EAGAIN);
	assert_refused(NOW(lock, .mode = S, .owner = b, .priority = 3), EAGAIN);
	cr_assert_neq(NOW(lock, .mode = S, .owner = a), 0);
	cr_assert_str_eq(let_go(lock, other), "a writes");
}

OwnerTest(owner, does_not_pass_before_it_holds)
{
	evlock_handle handle = hold(lock, S);

	ask(lock, "writer", X);
	ask_by(a, lock, "reader", S);
	cr_assert_str_eq(run(), "");
	assert_refused(NOW(lock, .mode = S, .owner = a), EAGAIN);
	cr_assert_str_eq(let_go(lock, handle), "writer");
}

/* A granted request counts as held before its callback runs. */
OwnerTest(owner, passes_when_granted_and_not_told)
{
	ask_by(a, lock, "first", S);
	ask(lock, "writer", X);
	ask_by(a, lock, "second", S);
	cr_assert_eq(evlock_waiting(lock), 1);
	cr_assert_str_eq(run(), "first second");
}

OwnerTest(owner, that_ended_passes_no_more)
{
	evlock_handle handle = hold_by(a, lock, S);

	hold(lock, S);
	ask(lock, "writer", X);
	drop(lock, handle);
	assert_refused(NOW(lock, .mode = S, .owner = a), EAGAIN);
}

OwnerTest(owner, converts_beside_its_own_holds)
{
	evlock_handle handle = hold_by(a, lock, S), other;

	hold_by(a, lock, S);
	ask(lock, "writer", X);
	convert(lock, "up", handle, X);
	cr_assert_str_eq(run(), "up");
	cr_assert_eq(evlock_owner_mode(a, lock), X);
	cr_assert_eq(evlock_convert_nowait(lock, handle, U), 0);
	other = hold_by(a, lock, X);
	cr_assert_eq(evlock_convert_nowait(lock, handle, X), 0);
	drop(lock, other);
}

/* Two handles of one owner may both be converted: they do not wait for each other. */
OwnerTest(owner, converts_two_of_its_own)
{
	evlock_handle h1 = hold_by(a, lock, S), h2 = hold_by(a, lock, S), other = hold(lock, S);

	convert(lock, "one", h1, X);
	cr_assert_eq(try_to_convert(lock, "two", h2, X), 0);
	cr_assert_str_eq(let_go(lock, other), "one two");
	cr_assert_eq(evlock_held(lock, X), 2);
}

static const struct evlock_mode limited[] = {
	{ .name = "at most two", .limit = 2 },
	{ .name = "alone", .conflicts = 3 },
};
static const struct evlock_modes limited_modes = { limited, 2, NULL };

OwnerTest(owner, limits_count_its_own_holds)
{
	struct evlock *l = evlock_new(base, &(struct evlock_options){ .modes = &limited_modes });

	hold_by(a, l, 0);
	hold_by(a, l, 0);
	assert_refused(NOW(l, .mode = 0, .owner = a), EAGAIN);
	cr_assert_neq(NOW(l, .mode = 1, .owner = a), 0, "conflicts do not count");
	assert_refused(ASK(l, "third", .mode = 0, .owner = a), EDEADLK);
	evlock_free(l);
}

static int
is_first(unsigned mode, uint32_t units, const uint32_t *held, void *arg)
{
	(void)mode;
	(void)arg;
	return held[0] + units <= 1;
}

/* held[] leaves out holds of the request's own owner. */
OwnerTest(owner, conditions_do_not_see_its_own_holds)
{
	static const struct evlock_mode mode[] = { { .name = "m", .is_compatible = is_first } };
	static const struct evlock_modes modes = { mode, 1, NULL };
	struct evlock *l = evlock_new(base, &(struct evlock_options){ .modes = &modes });

	hold_by(a, l, 0);
	cr_assert_neq(NOW(l, .mode = 0, .owner = a), 0);
	assert_refused(NOW(l, .mode = 0, .owner = b), EAGAIN);
	assert_refused(evlock_acquire_nowait(l, 0), EAGAIN);
	evlock_free(l);
}

OwnerTest(owner, of_an_upgradable_hold_may_have_another)
{
	hold_by(a, lock, U);
	cr_assert_neq(NOW(lock, .mode = U, .owner = a), 0);
	assert_refused(NOW(lock, .mode = U, .owner = b), EAGAIN);
}

/* --- Requests queued before their owner became a holder --------------------------- */

OwnerTest(owner, request_queued_before_it_held_is_treated_as_made_after)
{
	evlock_handle other = hold(lock, X);

	ask_by(a, lock, "a", X);
	ask(lock, "stranger", X);
	ask_by(a, lock, "a again", S);
	cr_assert_str_eq(let_go(lock, other), "a a again");
	cr_assert_eq(evlock_waiting(lock), 1);
	cr_assert_str_eq(let_all_go(a), "stranger");
}

/* The same where the owner becomes a holder by a request that is granted at once. */
OwnerTest(owner, request_queued_before_it_held_goes_ahead_when_it_holds)
{
	evlock_handle other = hold(lock, S);

	ask(lock, "stranger", X);
	ask_by(a, lock, "a writes", X);
	cr_assert_neq(NOW(lock, .mode = S, .owner = a, .priority = 3), 0, "%s", strerror(errno));
	cr_assert_str_eq(let_go(lock, other), "a writes");
	cr_assert_str_eq(let_all_go(a), "stranger");
}

OwnerTest(owner, request_queued_before_is_granted_in_the_same_step)
{
	evlock_handle other = hold(lock, S);

	ask(lock, "stranger", X);
	ask_by(a, lock, "a reads", S);
	cr_assert_neq(NOW(lock, .mode = S, .owner = a, .priority = 3), 0);
	cr_assert_eq(evlock_waiting(lock), 1);
	cr_assert_str_eq(run(), "a reads");
	drop(lock, other);
}

/* --- The modes that it holds: evlock_owner_mode() --------------------------------- */

OwnerTest(owner, mode_is_the_strongest)
{
	evlock_handle n, s, x;

	assert_fails(evlock_owner_mode(a, lock), ENOENT);
	n = hold_by(a, lock, N);
	cr_assert_eq(evlock_owner_mode(a, lock), N);
	x = hold_by(a, lock, X);
	s = hold_by(a, lock, S);
	cr_assert_eq(evlock_owner_mode(a, lock), X);
	assert_fails(evlock_owner_mode(b, lock), ENOENT);
	drop(lock, x);
	cr_assert_eq(evlock_owner_mode(a, lock), S);
	drop(lock, s);
	drop(lock, n);
	assert_fails(evlock_owner_mode(a, lock), ENOENT);
}

OwnerTest(owner, mode_of_who_waits)
{
	evlock_handle other = hold(lock, X), mine = ask_by(a, lock, "a", S);

	assert_fails(evlock_owner_mode(a, lock), ENOENT);
	drop(lock, other);
	cr_assert_eq(evlock_owner_mode(a, lock), S, "before its callback");
	cr_assert_str_eq(run(), "a");
	other = hold(lock, S);
	convert(lock, "up", mine, X);
	cr_assert_eq(evlock_owner_mode(a, lock), S);
	drop(lock, other);
	cr_assert_eq(evlock_owner_mode(a, lock), X);
	cr_assert_str_eq(run(), "up");
}

OwnerTest(owner, mode_is_of_one_lock)
{
	struct evlock *l = new_lock("l");

	hold_by(a, lock, X);
	hold_by(a, l, S);
	cr_assert_eq(evlock_owner_mode(a, lock), X);
	cr_assert_eq(evlock_owner_mode(a, l), S);
	evlock_free(l);
}

OwnerTest(owner, mode_in_a_set_and_its_members)
{
	struct evlock *l = new_lock("l"), *set = new_set(lock, EVLOCK_SAME_MODE, l, S);

	hold_by(a, set, X);
	cr_assert_eq(evlock_owner_mode(a, set), X);
	cr_assert_eq(evlock_owner_mode(a, lock), X);
	cr_assert_eq(evlock_owner_mode(a, l), S);
	evlock_free(set);
	assert_fails(evlock_owner_mode(a, l), ENOENT);
	evlock_free(l);
}

OwnerTest(owner, mode_of_one_that_timed_out)
{
	struct timeval soon = milliseconds(1);

	hold(lock, X);
	ASK(lock, "a", .mode = S, .owner = a, .timeout = &soon);
	cr_assert_str_eq(run(), "a:ETIMEDOUT");
	assert_fails(evlock_owner_mode(a, lock), ENOENT);
	cr_assert_eq(evlock_owner_release_all(a), 0);
}

/* --- Ending everything ------------------------------------------------------------ */

/* Gives an owner acquisitions in every state, on several locks.  Returns their number. */
static size_t
fill(struct evlock_owner *owner, struct evlock **l, struct evlock *set, struct evlock_table *table)
{
	static int mine;
	struct timeval past = { 0, 0 }, late = { 3600, 0 };
	evlock_handle up, given;

	hold_by(owner, l[0], X);					/* held */
	ask_by(owner, l[0], "granted", S);				/* granted, pending */
	up = hold_by(owner, l[1], S);
	hold(l[1], S);
	convert(l[1], "converting", up, X);				/* one with a conversion */
	given = hold_by(owner, l[2], U);
	convert(l[2], "converted", given, S);			/* this callback has not run yet */
	hold(l[3], X);
	ask_by(owner, l[3], "waiting", S);				/* queued */
	ASK(l[3], "timed", .mode = X, .owner = owner, .timeout = &late);
	ASK(l[3], "own", .mode = X, .owner = owner, .handle = EVLOCK_HANDLE_FROM(&mine),
	    .notice_cb = note);
	hold_by(owner, l[4], S);
	ask_by(owner, set, "set", X);					/* queued in several */
	cr_assert_neq(evlock_table_acquire_request(table, "k", 1,
	    &(struct evlock_request){ .mode = X, .owner = owner }), 0);
	cr_assert_neq(evlock_table_acquire_request(table, "k", 1,
	    &(struct evlock_request){ .mode = X, .owner = owner, .cb = note }), 0);
	hold(l[5], X);
	ASK(l[5], "failed", .mode = X, .owner = owner, .timeout = &past);
	evlock_close(l[5]);						/* failed, pending */
	return 12;
}

static void
check_nothing_left(struct evlock **l, struct evlock_table *table)
{
	unsigned i;

	for (i = 0; i < 6; i++)
		cr_assert_eq(evlock_waiting(l[i]), 0, "%u", i);
	cr_assert(could_hold(l[0], X));
	cr_assert_eq(evlock_held(l[1], S), 1);
	cr_assert(could_hold(l[2], X));
	cr_assert_eq(evlock_held(l[3], X), 1);
	cr_assert(could_hold(l[4], X));
	settle();
	cr_assert_eq(evlock_table_count(table), 0);
}

static struct evlock *all[6];
static struct evlock *all_set;
static struct evlock_table *table;

static void
make_all(void)
{
	unsigned i;

	for (i = 0; i < 6; i++)
		all[i] = new_lock("l");
	all_set = new_set(all[3], EVLOCK_SAME_MODE, all[4], EVLOCK_SAME_MODE);
	table = evlock_table_new(base, NULL);
}

static void
free_all(void)
{
	unsigned i;

	evlock_free(all_set);
	for (i = 0; i < 6; i++)
		evlock_free(all[i]);
	evlock_table_free(table);
}

LockTest(owner, release_all_ends_everything_and_counts)
{
	struct evlock_owner *owner = new_owner("o");
	size_t n;

	make_all();
	n = fill(owner, all, all_set, table);
	cr_assert_eq(evlock_owner_release_all(owner), n, "the failed one, too");
	check_nothing_left(all, table);
	cr_assert_str_eq(run(), "", "no callback runs");
	cr_assert_eq(evlock_owner_release_all(owner), 0);
	hold_by(owner, lock, X);
	evlock_owner_free(owner);
	cr_assert(could_hold(lock, X));
	free_all();
}

/* Others gain only when the whole step is done.  After half of it, "third" would fit and "second"
 * would not. */
OwnerTest(owner, release_all_is_one_step)
{
	struct evlock *other = new_lock("other"), *both = SET(lock, other);

	hold_by(a, lock, X);
	cr_assert_neq(NOW(both, .mode = S, .owner = a), 0);
	ask_by(b, lock, "first", S);
	ask_by(b, lock, "second", X);
	ask_by(b, lock, "third", S);
	cr_assert_eq(evlock_owner_release_all(a), 2);
	cr_assert_str_eq(run(), "first second third");
	evlock_free(both);
	evlock_free(other);
}

OwnerTest(owner, release_all_on_several_bases)
{
	struct event_base *there = event_base_new();
	struct evlock *other = evlock_new(there, NULL);

	hold_by(a, lock, X);
	hold_by(a, other, X);
	ask(lock, "here", X);
	ask(other, "there", X);
	cr_assert_eq(evlock_owner_release_all(a), 2);
	cr_assert_str_eq(run(), "here");
	event_base_loop(there, EVLOOP_NONBLOCK);
	cr_assert_str_eq(told(), "there");
	evlock_free(other);
	event_base_free(there);
}

LockTest(owner, free_ends_everything)
{
	struct evlock_owner *owner = new_owner("o");

	make_all();
	fill(owner, all, all_set, table);
	evlock_owner_free(owner);
	check_nothing_left(all, table);
	cr_assert_str_eq(run(), "");
	free_all();
}

/* The other order: the locks are freed first, and call their waiters back. */
LockTest(owner, everything_ends_with_the_locks)
{
	struct evlock_owner *owner = new_owner("o");

	make_all();
	fill(owner, all, all_set, table);
	free_all();
	cr_assert_not_null(strstr(told(), "set:ECANCELED"));
	run();
	cr_assert_eq(evlock_owner_release_all(owner), 0);
	evlock_owner_free(owner);
}

OwnerTest(owner, release_all_lets_the_others_go_on)
{
	struct evlock *l = new_lock("l");

	hold_by(a, lock, X);
	hold_by(a, l, X);
	ask(lock, "one", S);
	ask_by(b, l, "two", X);
	cr_assert_eq(evlock_owner_release_all(a), 2);
	cr_assert_eq(evlock_owner_mode(b, l), X, "before evlock_owner_release_all() returned");
	cr_assert_str_eq(run(), "one two");
	evlock_free(l);
}

OwnerTest(owner, release_all_withdraws_who_is_first_in_line)
{
	hold(lock, S);
	ask_by(a, lock, "a", X);
	ask(lock, "reader", S);
	cr_assert_eq(evlock_owner_release_all(a), 1);
	cr_assert_str_eq(run(), "reader");
}

/* A waiting request of the owner is not granted in between. */
OwnerTest(owner, release_all_of_holder_and_waiter_of_one_lock)
{
	struct evlock *l = new_lock("l");

	hold_by(a, lock, X);
	hold_by(b, l, X);
	ask_by(b, lock, "b", X);
	ask(lock, "stranger", X);
	cr_assert_eq(evlock_owner_release_all(a), 1);
	cr_assert_eq(evlock_owner_release_all(b), 2, "one held, one granted but not called back");
	cr_assert_str_eq(run(), "stranger");
	evlock_free(l);
}

OwnerTest(owner, release_of_one_handle_leaves_the_rest)
{
	evlock_handle h1 = hold_by(a, lock, X), h2 = hold_by(a, lock, S);

	drop(lock, h1);
	cr_assert_eq(evlock_mode_of(lock, h2), S);
	assert_fails(evlock_release(lock, h1), ENOENT);
	cr_assert_eq(evlock_owner_release_all(a), 1);
	assert_fails(evlock_release(lock, h2), ENOENT);
}

OwnerTest(owner, with_ends_by_itself)
{
	ask_by(a, lock, "a", X);
	evlock_with(lock, X, NULL, note, (void *)(uintptr_t)"with");
	cr_assert_str_eq(let_all_go(a), "with");
	cr_assert(could_hold(lock, X));
}

/* --- From callbacks --------------------------------------------------------------- */

static struct evlock_owner *mortal;

static void
free_mortal(struct evlock *l, evlock_handle handle, int error, void *who)
{
	note(l, handle, error, who);
	evlock_owner_free(mortal);
	mortal = NULL;
}

LockTest(owner, free_in_its_own_callback)
{
	mortal = new_owner("m");
	ASK(lock, "mine", .mode = X, .owner = mortal, .cb = free_mortal);
	ask_by(mortal, lock, "more", S);
	ask(lock, "next", X);
	cr_assert_str_eq(run(), "mine next");
}

LockTest(owner, free_in_anothers_callback)
{
	mortal = new_owner("m");
	ask_then(lock, "other", S, free_mortal);
	ask_by(mortal, lock, "never told", S);
	ask(lock, "writer", X);
	cr_assert_str_eq(run(), "other");
	cr_assert_eq(evlock_held(lock, S), 1);
}

LockTest(owner, free_in_the_callback_of_a_timeout)
{
	struct timeval soon = milliseconds(1);

	mortal = new_owner("m");
	hold(lock, X);
	ASK(lock, "late", .mode = X, .owner = mortal, .cb = free_mortal, .timeout = &soon);
	ASK(lock, "late too", .mode = X, .owner = mortal, .timeout = &soon);
	ask_by(mortal, lock, "never told", X);
	cr_assert_str_eq(run(), "late:ETIMEDOUT");
	cr_assert_eq(evlock_waiting(lock), 0);
}

LockTest(owner, free_in_the_callback_of_a_conversion)
{
	evlock_handle handle;

	mortal = new_owner("m");
	handle = hold_by(mortal, lock, S);
	cr_assert_eq(evlock_convert(lock, handle, X, NULL, free_mortal, (void *)(uintptr_t)"up"),
	    0);
	ask(lock, "next", X);
	cr_assert_str_eq(run(), "up next");
}

LockTest(owner, free_in_a_notice)
{
	mortal = new_owner("m");
	NOW(lock, .mode = X, .owner = mortal, .notice_cb = free_mortal,
	    .arg = (void *)(uintptr_t)"wanted");
	ask(lock, "next", X);
	cr_assert_str_eq(run(), "wanted next");
}

/* evlock_free() of a lock runs callbacks.  The owner has requests in every state on that lock. */
static void
check_free_inside_free(struct evlock_owner *owner_of_first)
{
	struct evlock *l = new_lock("l");
	evlock_handle up;

	up = hold_by(mortal, l, S);
	hold(l, S);
	ASK(l, "first", .mode = S, .owner = owner_of_first, .cb = free_mortal);
	ask_by(mortal, l, "second", S);
	hold_by(mortal, lock, X);
	convert(l, "up", up, X);
	ask_by(mortal, l, "third", X);
	ask(l, "stranger", X);
	ask(lock, "next", X);
	evlock_free(l);
	cr_assert_str_eq(told(), "first:ECANCELED stranger:ECANCELED");
	cr_assert_str_eq(run(), "next");
}

LockTest(owner, free_in_its_own_callback_inside_evlock_free)
{
	mortal = new_owner("m");
	check_free_inside_free(mortal);
}

LockTest(owner, free_in_anothers_callback_inside_evlock_free)
{
	mortal = new_owner("m");
	check_free_inside_free(NULL);
}

static void
release_all_of_mortal(struct evlock *l, evlock_handle handle, int error, void *who)
{
	note(l, handle, error, who);
	evlock_owner_release_all(mortal);
	ask_by(mortal, lock, "again", S);
}

LockTest(owner, release_all_inside_evlock_free)
{
	struct evlock *l = new_lock("l");

	mortal = new_owner("m");
	hold(l, X);
	hold_by(mortal, lock, X);
	ASK(l, "first", .mode = S, .owner = mortal, .cb = release_all_of_mortal);
	ask_by(mortal, l, "second", S);
	evlock_free(l);
	cr_assert_str_eq(told(), "first:ECANCELED");
	cr_assert_str_eq(run(), "again");
	evlock_owner_free(mortal);
}

static void
count_all_of_mortal(struct evlock *l, evlock_handle handle, int error, void *who)
{
	note(l, handle, error, who);
	cr_assert_eq(evlock_owner_release_all(mortal), 2, "the second, and what it holds");
}

LockTest(owner, release_all_inside_evlock_free_counts_nothing_that_was_told)
{
	struct evlock *l = new_lock("l");

	mortal = new_owner("m");
	hold(l, X);
	hold_by(mortal, lock, X);
	ASK(l, "first", .mode = S, .owner = mortal, .cb = count_all_of_mortal);
	ask_by(mortal, l, "second", S);
	evlock_free(l);
	cr_assert_str_eq(told(), "first:ECANCELED");
	evlock_owner_free(mortal);
}

/* The memory of the callback's own request is used by another lock, which is then freed. */
static void
release_all_and_reuse(struct evlock *l, evlock_handle handle, int error, void *who)
{
	struct evlock *other = new_lock("other");

	note(l, handle, error, who);
	evlock_owner_release_all(mortal);
	hold(other, X);
	evlock_free(other);
}

LockTest(owner, release_all_and_reuse_inside_evlock_free)
{
	struct evlock *l = new_lock("l");

	mortal = new_owner("m");
	hold(l, X);
	ASK(l, "first", .mode = S, .owner = mortal, .cb = release_all_and_reuse);
	ask(l, "second", S);
	evlock_free(l);
	cr_assert_str_eq(told(), "first:ECANCELED second:ECANCELED");
	evlock_owner_free(mortal);
}

static struct evlock *mortal_lock;

static void
free_lock_and_owner(struct evlock *l, evlock_handle handle, int error, void *who)
{
	note(l, handle, error, who);
	evlock_free(mortal_lock);
	evlock_owner_free(mortal);
}

LockTest(owner, free_of_lock_and_owner_in_a_callback)
{
	mortal = new_owner("m");
	mortal_lock = new_lock("l");
	ASK(mortal_lock, "a", .mode = X, .owner = mortal, .cb = free_lock_and_owner);
	ask_by(mortal, mortal_lock, "b", S);
	hold_by(mortal, lock, X);
	cr_assert_str_eq(run(), "a b:ECANCELED");
	cr_assert(could_hold(lock, X));
}

static void
give_back(struct evlock *l, evlock_handle handle, int error, void *who)
{
	note(l, handle, error, who);
	if (evlock_owner_release_all(mortal) < 2)
		return;
	ASK(l, "again", .mode = X, .owner = mortal, .cb = give_back);
	ASK(l, "and again", .mode = X, .owner = mortal, .cb = give_back);
}

LockTest(owner, release_all_and_acquire_in_its_own_callback)
{
	mortal = new_owner("m");
	hold_by(mortal, lock, S);
	ASK(lock, "first", .mode = X, .owner = mortal, .cb = give_back);
	ask(lock, "stranger", X);
	cr_assert_str_eq(run(), "first stranger");
	cr_assert_eq(evlock_waiting(lock), 2);
	evlock_owner_free(mortal);
}

/* --- Requests that fail ----------------------------------------------------------- */

OwnerTest(owner, request_that_fails_leaves_nothing)
{
	static int some;
	evlock_handle mine = EVLOCK_HANDLE_FROM(&some);

	hold(lock, X);
	assert_refused(ASK(lock, "", .mode = 4, .owner = a), EINVAL);
	assert_refused(ASK(lock, "", .mode = S, .priority = 4, .owner = a), EINVAL);
	assert_refused(ASK(lock, "", .mode = S, .handle = 5, .owner = a), EINVAL);
	assert_refused(NOW(lock, .mode = S, .owner = a), EAGAIN);
	ASK(lock, "", .mode = S, .handle = mine);
	assert_refused(ASK(lock, "", .mode = S, .handle = mine, .owner = a), EEXIST);
	evlock_close(lock);
	assert_refused(ASK(lock, "", .mode = S, .owner = a), ECANCELED);
	cr_assert_eq(evlock_owner_release_all(a), 0);
	cr_assert_str_eq(run(), ":ECANCELED");
}

/* --- Notices and callbacks -------------------------------------------------------- */

OwnerTest(owner, is_not_told_that_it_waits_for_itself)
{
	evlock_handle other;

	NOW(lock, .mode = S, .owner = a, .notice_cb = note, .arg = (void *)(uintptr_t)"wanted");
	other = hold(lock, S);
	ask_by(a, lock, "mine", X);
	cr_assert_str_eq(run(), "");
	ask_by(b, lock, "b", X);
	cr_assert_str_eq(run(), "wanted");
	cr_assert_str_eq(let_go(lock, other), "mine");
	evlock_owner_release_all(b);
}

/* The request waits only for the third holder.  The condition does not count what its owner
 * holds. */
OwnerTest(owner, is_not_told_of_a_condition_that_counts_the_waiters_own_holds)
{
	static const struct evlock_mode mode[] = {
		{ .name = "first" },
		{ .name = "as first", .is_compatible = is_first, .conflicts = 1 << 2 },
		{ .name = "third" },
	};
	static const struct evlock_modes modes = { mode, 3, NULL };
	struct evlock *l = evlock_new(base, &(struct evlock_options){ .modes = &modes });
	evlock_handle third;

	NOW(l, .mode = 1, .notice_cb = note, .arg = (void *)(uintptr_t)"wanted");
	hold_by(a, l, 0);
	third = hold(l, 2);
	ask_by(a, l, "a", 1);
	cr_assert_str_eq(run(), "");
	cr_assert_str_eq(let_go(l, third), "a");
	evlock_free(l);
}

/* --- On many locks ---------------------------------------------------------------- */

#define MANY 200

LockTest(owner, of_many_locks)
{
	struct evlock_owner *owner = new_owner("o");
	struct evlock *l[MANY];
	unsigned i;

	for (i = 0; i < MANY; i++) {
		l[i] = new_lock(NULL);
		if (i % 2)
			hold_by(owner, l[i], X);
		else
			hold(l[i], X);
		ask(l[i], "next", X);
	}
	for (i = 0; i < MANY; i += 2)
		ask_by(owner, l[i], "waits", X);
	cr_assert_eq(evlock_owner_release_all(owner), MANY);
	cr_assert_eq(strlen(run()), MANY / 2 * strlen("next ") - 1);
	for (i = 0; i < MANY; i++) {
		cr_assert_eq(evlock_waiting(l[i]), i % 2 ? 0 : 1);
		evlock_free(l[i]);
	}
	told();
	evlock_owner_free(owner);
}
