/* SPDX-License-Identifier: BSD-3-Clause */

/* <evlock/set.h>, sentence by sentence. */

#include <stdlib.h>
#include <string.h>

#include "../shim.h"
#include "../util.h"
#include "../util3.h"

#define SAME EVLOCK_SAME_MODE

static struct evlock *x, *y, *z, *set;	/* {x, y}, in the mode of the set's request */

/** A test with three locks, and a set of the first two, which are freed before it ends. */
#define SetTest(suite, name) \
	static void suite##_##name##_with_set(void); \
	LockTest(suite, name) \
	{ \
		make(); \
		suite##_##name##_with_set(); \
		unmake(); \
	} \
	static void \
	suite##_##name##_with_set(void)

static void
make(void)
{
	x = new_lock("x");
	y = new_lock("y");
	z = new_lock("z");
	set = SET(x, y);
}

/* A test that frees one of these itself sets it to NULL. */
static void
unmake(void)
{
	evlock_free(set);
	evlock_free(x);
	evlock_free(y);
	evlock_free(z);
	told();
}

/* Returns what is held of x and y, and the number of waiters: "x:3 y:0+1". */
static const char *
members(void)
{
	static char text[80];
	int n;

	n = snprintf(text, sizeof text, "x:%u", evlock_locked(x));
	if (evlock_waiting(x))
		n += snprintf(text + n, sizeof text - (size_t)n, "+%zu", evlock_waiting(x));
	n += snprintf(text + n, sizeof text - (size_t)n, " y:%u", evlock_locked(y));
	if (evlock_waiting(y))
		snprintf(text + n, sizeof text - (size_t)n, "+%zu", evlock_waiting(y));
	return text;
}

static struct evlock *
try_to_make(struct evlock *a, int a_mode, struct evlock *b, int b_mode)
{
	struct evlock_set_member member[] = { { a, a_mode }, { b, b_mode } };

	return evlock_set_new(member, 2, NULL);
}

/* --- Making ----------------------------------------------------------------------- */

SetTest(set, is_a_lock)
{
	evlock_handle handle = hold(set, X);

	cr_assert_eq(evlock_get_base(set), base);
	cr_assert_str_eq(members(), "x:3 y:3");
	cr_assert_eq(evlock_mode_of(set, handle), X);
	cr_assert_eq(evlock_locked(set), X);
	cr_assert_eq(evlock_held(set, X), 1);
	drop(set, handle);
	cr_assert_str_eq(members(), "x:0 y:0");
	cr_assert_eq(evlock_held(set, X), 0);
	assert_fails(evlock_release(set, handle), ENOENT);
}

#define assert_options_refused(member, ...) \
	assert_refused(evlock_set_new(member, 2, &(struct evlock_options){ __VA_ARGS__ }), EINVAL)

LockTest(set, of_bad_parameters)
{
	struct event_base *other = event_base_new();
	struct evlock *foreign = evlock_new(other, NULL), *l = new_lock("l");
	struct evlock_set_member m[] = { { lock, SAME }, { l, SAME } };
	static const struct evlock_mode mode[1];
	struct evlock_modes modes = { mode, 1, NULL };
	int value;

	assert_refused(evlock_set_new(m, 0, NULL), EINVAL);
	assert_refused(evlock_set_new(NULL, 0, NULL), EINVAL);
	assert_refused(try_to_make(lock, SAME, NULL, SAME), EINVAL);
	assert_refused(try_to_make(NULL, SAME, lock, SAME), EINVAL);
	assert_refused(try_to_make(lock, SAME, foreign, SAME), EINVAL);
	assert_refused(try_to_make(foreign, SAME, lock, SAME), EINVAL);
	assert_refused(try_to_make(lock, SAME, l, 4), EINVAL);
	assert_refused(try_to_make(lock, -2, l, X), EINVAL);
	assert_refused(try_to_make(lock, 1000000, l, X), EINVAL);
	assert_options_refused(m, .flags = EVLOCK_OPT_THREADSAFE);
	assert_options_refused(m, .flags = EVLOCK_OPT_PREFER_EXCLUSIVE);
	assert_options_refused(m, .modes = &modes);
	assert_options_refused(m, .value = &value);
	assert_options_refused(m, .free_value = free);
	evlock_free(foreign);
	evlock_free(l);
	event_base_free(other);
}

SetTest(set, of_a_lock_that_is_reached_twice)
{
	struct evlock *outer = SET(set, z);

	assert_refused(try_to_make(x, SAME, x, SAME), EINVAL);
	assert_refused(try_to_make(x, S, x, X), EINVAL);
	assert_refused(try_to_make(set, SAME, x, SAME), EINVAL);
	assert_refused(try_to_make(y, SAME, set, SAME), EINVAL);
	assert_refused(try_to_make(set, SAME, set, SAME), EINVAL);
	assert_refused(try_to_make(outer, SAME, set, SAME), EINVAL);
	assert_refused(try_to_make(outer, SAME, y, SAME), EINVAL);
	evlock_free(outer);
}

/* Two objects of one key are one lock. */
LockTest(set, of_two_objects_of_a_key)
{
	struct evlock_table *table = evlock_table_new(base, NULL);
	struct evlock *one = evlock_table_lock(table, "k", 1),
	    *two = evlock_table_lock(table, "k", 1);

	assert_refused(try_to_make(one, SAME, two, SAME), EINVAL);
	evlock_free(one);
	evlock_free(two);
	evlock_table_free(table);
}

/* A refused request has no effect on the locks. */
SetTest(set, refused_is_not_there)
{
	assert_refused(try_to_make(x, SAME, x, SAME), EINVAL);
	assert_refused(try_to_make(x, SAME, y, 9), EINVAL);
	hold(set, X);
	cr_assert_str_eq(members(), "x:3 y:3");
	evlock_free(set);
	set = NULL;
	cr_assert(could_hold(x, X));
}

SetTest(set, may_be_in_several_sets)
{
	struct evlock *yz = SET(y, z);
	evlock_handle handle = hold(set, S);

	cr_assert_neq(evlock_acquire_nowait(yz, S), 0);
	assert_refused(evlock_acquire_nowait(yz, X), EAGAIN);
	drop(set, handle);
	cr_assert_str_eq(members(), "x:0 y:1");
	evlock_free(yz);
}

SetTest(set, of_one)
{
	struct evlock *one = SET(z);

	hold(one, X);
	cr_assert_eq(evlock_locked(z), X);
	evlock_free(one);
	cr_assert_eq(evlock_locked(z), N);
}

LockTest(set, of_many)
{
	struct evlock *l[50], *all;
	evlock_handle handle;
	unsigned i;

	for (i = 0; i < 50; i++)
		l[i] = new_lock(NULL);
	all = set_of(l, 50);
	handle = hold(l[37], S);
	ask(all, "all", X);
	for (i = 0; i < 50; i++)
		cr_assert_eq(evlock_waiting(l[i]), 1);
	cr_assert_str_eq(let_go(l[37], handle), "all");
	for (i = 0; i < 50; i++)
		assert_errno(evlock_acquire_nowait(l[i], S), 0, EAGAIN);
	evlock_free(all);
	for (i = 0; i < 50; i++) {
		cr_assert(could_hold(l[i], X));
		evlock_free(l[i]);
	}
}

/* --- Holding nothing until all members are held ----------------------------------- */

SetTest(set, holds_nothing_before)
{
	evlock_handle hx = hold(x, X), handle = ask(set, "set", X);

	cr_assert_str_eq(members(), "x:3+1 y:0+1");
	assert_fails(evlock_mode_of(set, handle), ENOENT);
	assert_fails(evlock_mode_of(y, handle), ENOENT);
	cr_assert_eq(evlock_waiting(set), 1);
	cr_assert_eq(evlock_held(set, X), 0);
	drop(x, hx);
	cr_assert_str_eq(members(), "x:3 y:3");
	cr_assert_eq(evlock_mode_of(set, handle), X, "before its callback");
	cr_assert_eq(evlock_waiting(set), 0);
	cr_assert_str_eq(run(), "set");
}

SetTest(set, waits_for_all_members)
{
	evlock_handle hx = hold(x, X), hy = hold(y, X);

	ask(set, "set", X);
	cr_assert_str_eq(let_go(x, hx), "");
	cr_assert_str_eq(members(), "x:0+1 y:3+1");
	cr_assert_str_eq(let_go(y, hy), "set");
}

SetTest(set, nowait_is_all_or_nothing)
{
	evlock_handle hy = hold(y, S);

	assert_refused(evlock_acquire_nowait(set, X), EAGAIN);
	cr_assert_str_eq(members(), "x:0 y:1");
	cr_assert_neq(evlock_acquire_nowait(set, S), 0);
	drop(y, hy);
	assert_refused(evlock_acquire_nowait(set, X), EAGAIN);
}

SetTest(set, nowait_does_not_pass_who_waits_for_a_member)
{
	hold(y, S);
	ask(y, "writer", X);
	assert_refused(evlock_acquire_nowait(set, S), EAGAIN);
	assert_refused(evlock_acquire_nowait(set, N), EAGAIN);
	cr_assert_str_eq(members(), "x:0 y:1+1");
}

/* A set has a place in each queue: earlier requests are granted first, later ones after it. */
SetTest(set, stands_in_every_queue)
{
	evlock_handle hx = hold(x, X), hy = hold(y, X);

	ask_then(x, "x1", X, note_and_drop);
	ask_then(y, "y1", S, note_and_drop);
	ask_then(set, "set", X, note_and_drop);
	ask_then(x, "x2", S, note_and_drop);
	ask_then(y, "y2", X, note_and_drop);
	cr_assert_str_eq(members(), "x:3+3 y:3+3");
	cr_assert_str_eq(let_go(y, hy), "y1");
	cr_assert_str_eq(let_go(x, hx), "x1 set x2 y2");
}

/* When a set is first in the queue of a free lock, it reserves that lock. */
SetTest(set, first_in_a_queue_holds_it_back)
{
	evlock_handle hy = hold(y, X);

	ask(set, "set", S);
	assert_refused(evlock_acquire_nowait(x, S), EAGAIN);
	assert_refused(evlock_acquire_nowait(x, N), EAGAIN);
	ask(x, "x", S);
	cr_assert_str_eq(run(), "");
	cr_assert_str_eq(let_go(y, hy), "set x");
}

SetTest(set, with)
{
	evlock_handle hy = hold(y, X);

	evlock_with(set, X, NULL, note, (void *)(uintptr_t)"with");
	ask(x, "x", X);
	cr_assert_str_eq(let_go(y, hy), "with x");
	cr_assert_str_eq(members(), "x:3 y:0");
}

SetTest(set, priority)
{
	evlock_handle hx = hold(x, X);

	ask_then(x, "x", X, note_and_drop);
	ask_then(set, "low", X, note_and_drop);
	ASK(set, "high", .mode = X, .priority = 2, .cb = note_and_drop);
	ASK(y, "highest", .mode = X, .priority = 3, .cb = note_and_drop);
	cr_assert_str_eq(run(), "highest");
	cr_assert_str_eq(let_go(x, hx), "high x low");
	assert_refused(ASK(set, "", .mode = X, .priority = 4), EINVAL);
}

/* A mode's preference lets single requests pass, and no others. */
LockTest(set, preferred_single_requests_pass)
{
	struct evlock_options options = { .flags = EVLOCK_OPT_PREFER_EXCLUSIVE };
	struct evlock *p = evlock_new(base, &options), *q = evlock_new(base, &options);
	struct evlock *one = new_set(p, X, q, S), *two = new_set(q, X, p, S);
	evlock_handle hp = hold(p, X), hq = hold(q, X);

	ask_then(one, "one", 0, note_and_drop);
	ask_then(two, "two", 0, note_and_drop);
	ask_then(p, "p", X, note_and_drop);
	cr_assert_str_eq(let_go(p, hp), "p");
	cr_assert_str_eq(let_go(q, hq), "one two");
	evlock_free(one);
	evlock_free(two);
	evlock_free(p);
	evlock_free(q);
}

/* --- No deadlock, no starvation --------------------------------------------------- */

SetTest(set, opposite_orders_do_not_deadlock)
{
	struct evlock *yx = SET(y, x);
	evlock_handle hx = hold(x, X), hy = hold(y, X);

	ask_then(set, "xy", X, note_and_drop);
	ask_then(yx, "yx", X, note_and_drop);
	ask_then(set, "xy again", S, note_and_drop);
	ask_then(yx, "yx again", S, note_and_drop);
	drop(y, hy);
	cr_assert_str_eq(let_go(x, hx), "xy yx xy again yx again");
	evlock_free(yx);
}

SetTest(set, ring_of_three_does_not_deadlock)
{
	struct evlock *yz = SET(y, z), *zx = SET(z, x);
	evlock_handle hx = hold(x, X), hy = hold(y, X), hz = hold(z, X);

	ask_then(set, "xy", X, note_and_drop);
	ask_then(yz, "yz", X, note_and_drop);
	ask_then(zx, "zx", X, note_and_drop);
	drop(z, hz);
	drop(y, hy);
	cr_assert_str_eq(let_go(x, hx), "xy yz zx");
	evlock_free(yz);
	evlock_free(zx);
}

static unsigned n_single;

static void
again(struct evlock *l, evlock_handle handle, int error, void *arg)
{
	if (error)
		return;
	n_single++;
	drop(l, handle);
	if (n_single < 100000)
		evlock_acquire(l, X, NULL, again, arg);
}

static void
stop(struct evlock *l, evlock_handle handle, int error, void *who)
{
	note(l, handle, error, who);
	event_base_loopbreak(base);
}

/* At each moment, one request waits for x and another for y. */
SetTest(set, stream_of_single_requests_does_not_starve_it)
{
	unsigned i;

	for (i = 0; i < 3; i++) {
		evlock_acquire(x, X, NULL, again, NULL);
		evlock_acquire(y, X, NULL, again, NULL);
	}
	evlock_acquire(set, X, NULL, stop, (void *)(uintptr_t)"set");
	cr_assert_str_eq(run(), "set");
	cr_assert_leq(n_single, 6);
}

#define N_PHILOSOPHERS 7

static unsigned n_meals[N_PHILOSOPHERS], most_meals, n_eating;
static struct evlock *fork_[N_PHILOSOPHERS], *place[N_PHILOSOPHERS];

static void
eat(struct evlock *l, evlock_handle handle, int error, void *arg)
{
	unsigned *meals = arg;

	cr_assert_eq(error, 0);
	++*meals;
	drop(l, handle);
	if (*meals < most_meals)
		cr_assert_neq(evlock_acquire(l, X, NULL, eat, meals), 0);
	n_eating++;
}

LockTest(set, philosophers_eat_their_share)
{
	unsigned i;

	most_meals = scaled(1000);
	for (i = 0; i < N_PHILOSOPHERS; i++)
		fork_[i] = new_lock(NULL);
	for (i = 0; i < N_PHILOSOPHERS; i++) {
		place[i] = SET(fork_[i], fork_[(i + 1) % N_PHILOSOPHERS]);
		evlock_acquire(place[i], X, NULL, eat, &n_meals[i]);
	}
	run();
	for (i = 0; i < N_PHILOSOPHERS; i++) {
		cr_assert_eq(n_meals[i], most_meals);
		evlock_free(place[i]);
	}
	for (i = 0; i < N_PHILOSOPHERS; i++)
		evlock_free(fork_[i]);
}

/* --- Modes ------------------------------------------------------------------------ */

SetTest(set, members_in_modes_of_their_own)
{
	struct evlock *mixed = new_set(x, S, y, X);
	evlock_handle handle = hold(mixed, 0);

	cr_assert_str_eq(members(), "x:1 y:3");
	cr_assert_eq(evlock_mode_of(x, handle), S);
	cr_assert_eq(evlock_mode_of(y, handle), X);
	cr_assert_neq(evlock_acquire_nowait(x, S), 0);
	evlock_free(mixed);
}

SetTest(set, mode_is_not_looked_at_without_a_member_in_it)
{
	struct evlock *fixed = new_set(x, S, y, X);
	struct event *ev = new_event("fixed");
	evlock_handle handle;

	cr_assert_neq(handle = evlock_acquire_nowait(fixed, 4711), 0);
	cr_assert_str_eq(members(), "x:1 y:3");
	drop(fixed, handle);
	handle = ask(fixed, "ask", UINT32_MAX);
	cr_assert_str_eq(run(), "ask");
	cr_assert_eq(evlock_convert_nowait(fixed, handle, 99), 0, "nothing to convert");
	drop(fixed, handle);
	cr_assert_eq(evlock_notify(fixed, 99, ev), 0);
	cr_assert_str_eq(run(), "fixed");
	evlock_free(fixed);
	event_free(ev);
}

SetTest(set, mode_must_be_one_of_every_member_in_it)
{
	static const struct evlock_mode mode[] = { { .name = "0" },
	    { .name = "1", .conflicts = 2 } };
	static const struct evlock_modes modes = { mode, 2, NULL };
	struct evlock *two = evlock_new(base, &(struct evlock_options){ .modes = &modes });
	struct evlock *mixed = new_set(x, SAME, two, SAME), *ok = new_set(x, SAME, two, 1);
	struct event *ev = new_event("");
	evlock_handle handle;

	assert_refused(evlock_acquire_nowait(mixed, 2), EINVAL);
	assert_refused(evlock_acquire(mixed, 3, NULL, note, NULL), EINVAL);
	assert_fails(evlock_notify(mixed, 2, ev), EINVAL);
	handle = hold(mixed, 1);
	assert_fails(try_to_convert(mixed, "", handle, 2), EINVAL);
	assert_refused(evlock_acquire_nowait(ok, 4), EINVAL);
	evlock_free(mixed);
	hold(ok, 3);
	evlock_free(ok);
	evlock_free(two);
	event_free(ev);
	assert_refused(evlock_acquire_nowait(set, 4), EINVAL);
	assert_refused(evlock_acquire(set, 1u << 31, NULL, note, NULL), EINVAL);
}

/* Each member has a mode of its own table, with its own limit. */
SetTest(set, limits_of_members)
{
	static const struct evlock_mode mode[] = { { .name = "two", .limit = 2 } };
	static const struct evlock_modes modes = { mode, 1, NULL };
	struct evlock *two = evlock_new(base, &(struct evlock_options){ .modes = &modes });
	struct evlock *mixed = new_set(x, SAME, two, SAME), *fixed = new_set(x, S, two, 0);

	assert_refused(ASK(mixed, "", .mode = 0, .units = 3), EINVAL);
	cr_assert_neq(NOW(mixed, .mode = 0, .units = 2), 0);
	cr_assert_eq(evlock_held(two, 0), 2);
	assert_refused(evlock_acquire_nowait(fixed, 0), EAGAIN);
	evlock_free(mixed);
	cr_assert_neq(NOW(fixed, .units = 2), 0);
	cr_assert_eq(evlock_held(two, 0), 1, "units are of the mode that is asked for");
	evlock_free(fixed);
	evlock_free(two);
}

SetTest(set, shared_by_many)
{
	evlock_handle one = hold(set, S), two = hold(set, S);

	cr_assert_eq(evlock_held(set, S), 2);
	cr_assert_eq(evlock_held(x, S), 2);
	ask(set, "writer", X);
	cr_assert_str_eq(let_go(set, one), "");
	cr_assert_str_eq(let_go(set, two), "writer");
}

/* --- Sets in sets ----------------------------------------------------------------- */

SetTest(set, in_a_set)
{
	struct evlock *outer = new_set(set, SAME, z, S);
	evlock_handle handle = hold(outer, X);

	cr_assert_str_eq(members(), "x:3 y:3");
	cr_assert_eq(evlock_locked(z), S);
	cr_assert_eq(evlock_locked(set), X);
	cr_assert_eq(evlock_locked(outer), X);
	cr_assert_eq(evlock_held(set, X), 0, "the set's own holds");
	assert_refused(evlock_acquire_nowait(set, S), EAGAIN);
	cr_assert_eq(evlock_mode_of(x, handle), X);
	drop(outer, handle);
	handle = hold(set, X);
	ask(outer, "outer", S);
	cr_assert_str_eq(run(), "");
	cr_assert_str_eq(let_go(set, handle), "outer");
	evlock_free(outer);
}

SetTest(set, in_a_set_in_a_mode_of_its_own)
{
	struct evlock *mixed = new_set(x, SAME, y, S), *outer = new_set(mixed, X, z, SAME);
	evlock_handle handle = hold(outer, U);

	cr_assert_str_eq(members(), "x:3 y:1");
	cr_assert_eq(evlock_locked(z), U);
	drop(outer, handle);
	assert_refused(try_to_make(mixed, 4, z, S), EINVAL);
	evlock_free(outer);
	evlock_free(mixed);
}

SetTest(set, three_deep)
{
	struct evlock *two = SET(set, z), *three = SET(two, lock);
	evlock_handle handle = hold(three, S);

	cr_assert_str_eq(members(), "x:1 y:1");
	cr_assert_eq(evlock_mode_of(z, handle), S);
	cr_assert_eq(evlock_mode_of(lock, handle), S);
	drop(three, handle);
	evlock_free(three);
	evlock_free(two);
}

/* The outer set has the same members, so it does not matter which set is freed first. */
SetTest(set, inner_set_ends_before_the_outer)
{
	struct evlock *outer = new_set(set, SAME, z, SAME);
	evlock_handle handle = hold(outer, S);

	ask(outer, "outer", X);
	evlock_free(set);
	set = NULL;
	cr_assert_str_eq(run(), "outer:ECANCELED");
	assert_refused(evlock_acquire_nowait(outer, S), ECANCELED);
	drop(outer, handle);
	cr_assert(could_hold(x, X));
	cr_assert(could_hold(z, X));
	evlock_free(outer);
}

SetTest(set, close_of_the_inner_set)
{
	struct evlock *outer = new_set(set, SAME, z, SAME);

	hold(z, X);
	ask(outer, "outer", X);
	evlock_close(set);
	cr_assert_str_eq(run(), "outer:ECANCELED");
	cr_assert(could_hold(x, X));
	evlock_free(outer);
}

/* --- Looking ---------------------------------------------------------------------- */

SetTest(set, locked_is_the_strongest_of_the_members)
{
	evlock_handle hx, hy;

	cr_assert_eq(evlock_locked(set), N);
	hx = hold(x, S);
	cr_assert_eq(evlock_locked(set), S, "by whomever");
	hy = hold(y, X);
	cr_assert_eq(evlock_locked(set), X);
	cr_assert_eq(evlock_held(set, X), 0);
	drop(y, hy);
	cr_assert_eq(evlock_locked(set), S);
	drop(x, hx);
	hold(z, X);
	cr_assert_eq(evlock_locked(set), N);
}

SetTest(set, waiting_counts_its_own)
{
	hold(x, X);
	ask(x, "x", S);
	cr_assert_eq(evlock_waiting(set), 0);
	ask(set, "set", S);
	cr_assert_eq(evlock_waiting(set), 1);
	cr_assert_str_eq(members(), "x:3+2 y:0+1");
}

SetTest(set, handle_is_good_for_the_members_to_look_at)
{
	int value = 5;
	struct evlock_options options = { .value = &value };
	struct evlock *v = evlock_new(base, &options), *w = evlock_new(base, &options);
	struct evlock *both = new_set(v, X, w, S);
	evlock_handle handle = hold(both, 0);

	cr_assert_eq(evlock_value(v, handle), &value);
	cr_assert_eq(evlock_value_mut(v, handle), &value);
	cr_assert_eq(evlock_value(w, handle), &value);
	assert_refused(evlock_value_mut(w, handle), EPERM);
	assert_fails(evlock_mode_of(x, handle), ENOENT);
	assert_refused(evlock_value(x, handle), EPERM);
	assert_refused(evlock_value(both, handle), EPERM);
	drop(both, handle);
	assert_refused(evlock_value(v, handle), EPERM);
	assert_fails(evlock_mode_of(v, handle), ENOENT);
	evlock_free(both);
	evlock_free(v);
	evlock_free(w);
}

/* ... and to no other lock. */
SetTest(set, handle_is_not_good_for_the_members_to_change)
{
	evlock_handle handle = hold(set, X);

	assert_fails(evlock_release(x, handle), ENOENT);
	assert_fails(try_to_convert(x, "", handle, S), ENOENT);
	assert_fails(evlock_convert_nowait(y, handle, S), ENOENT);
	cr_assert_str_eq(members(), "x:3 y:3");
}

SetTest(set, handle_of_a_member_is_not_the_sets)
{
	evlock_handle hx = hold(x, S);

	assert_fails(evlock_release(set, hx), ENOENT);
	assert_fails(evlock_mode_of(set, hx), ENOENT);
	assert_fails(evlock_mode_of(y, hx), ENOENT);
	assert_fails(try_to_convert(set, "", hx, X), ENOENT);
}

SetTest(set, handles_of_crossing_sets)
{
	struct evlock *yz = SET(y, z);
	evlock_handle one = hold(set, S), two = hold(yz, S);

	cr_assert_eq(evlock_mode_of(y, one), S);
	cr_assert_eq(evlock_mode_of(y, two), S);
	assert_fails(evlock_mode_of(x, two), ENOENT);
	assert_fails(evlock_release(yz, one), ENOENT);
	assert_fails(evlock_release(set, two), ENOENT);
	evlock_free(yz);
}

SetTest(set, own_handles)
{
	evlock_handle mine = EVLOCK_HANDLE_FROM(&set);

	cr_assert_eq(NOW(set, .mode = X, .handle = mine), mine);
	cr_assert_eq(evlock_mode_of(set, mine), X);
	cr_assert_eq(evlock_mode_of(x, mine), X);
	assert_fails(evlock_release(x, mine), ENOENT);
	assert_refused(ASK(set, "", .mode = X, .handle = mine), EEXIST);
	cr_assert_eq(evlock_waiting(set), 0);
	drop(set, mine);
	assert_fails(evlock_mode_of(x, mine), ENOENT);
	cr_assert_eq(ASK(set, "mine", .mode = X, .handle = mine), mine);
	cr_assert_str_eq(run(), "mine");
}

/* --- Owners ----------------------------------------------------------------------- */

SetTest(set, of_an_owner_that_holds_a_member)
{
	struct evlock_owner *owner = new_owner("o");

	hold_by(owner, x, X);
	cr_assert_neq(NOW(set, .mode = X, .owner = owner), 0);
	cr_assert_str_eq(members(), "x:3 y:3");
	cr_assert_neq(NOW(y, .mode = S, .owner = owner), 0);
	cr_assert_eq(evlock_owner_release_all(owner), 3);
	cr_assert_str_eq(members(), "x:0 y:0");
	evlock_owner_free(owner);
}

SetTest(set, owner_ends_with_a_set_that_waits)
{
	struct evlock_owner *owner = new_owner("o");

	hold(x, X);
	ask_by(owner, set, "set", X);
	ask(y, "y", X);
	cr_assert_str_eq(run(), "");
	evlock_owner_free(owner);
	cr_assert_str_eq(run(), "y");
}

/* --- Timeouts and withdrawals ----------------------------------------------------- */

SetTest(set, times_out)
{
	hold(x, X);
	ask_for(set, "set", X, 1);
	ask(y, "y", X);
	cr_assert_str_eq(run(), "y set:ETIMEDOUT");
	cr_assert_str_eq(members(), "x:3 y:3");
}

SetTest(set, withdrawn_while_it_waits)
{
	evlock_handle hx = hold(x, S), hy = hold(y, S), handle;

	handle = ask(set, "set", X);
	ask(x, "x", S);
	ask(y, "y", S);
	cr_assert_str_eq(run(), "");
	drop(set, handle);
	cr_assert_eq(evlock_waiting(x) + evlock_waiting(y) + evlock_waiting(set), 0,
	    "those behind it in each queue");
	cr_assert_str_eq(run(), "x y");
	drop(x, hx);
	drop(y, hy);
	assert_fails(evlock_release(set, handle), ENOENT);
}

/* The set is first in one queue but not in the other. */
SetTest(set, withdrawn_while_it_waits_lets_another_set_go_on)
{
	struct evlock *yz = SET(y, z);
	evlock_handle handle;

	hold(x, S);
	handle = ask(set, "set", X);
	ask(yz, "yz", X);
	ask(z, "z", X);
	cr_assert_str_eq(let_go(set, handle), "yz");
	evlock_free(yz);
	cr_assert_str_eq(run(), "z");
}

SetTest(set, withdrawn_when_granted)
{
	evlock_handle handle = ask(set, "set", X);

	ask(x, "x", X);
	ask(y, "y", X);
	drop(set, handle);
	cr_assert_str_eq(members(), "x:3 y:3");
	cr_assert_str_eq(run(), "x y");
}

SetTest(set, withdrawn_when_failed)
{
	struct timeval now = { 0, 0 };
	evlock_handle handle;

	hold(x, X);
	handle = evlock_acquire(set, X, &now, note, NULL);
	evlock_close(set);
	cr_assert_str_eq(let_go(set, handle), "");
}

SetTest(set, release_lets_those_behind_it_in_each_queue_go_on)
{
	struct evlock *yz = SET(y, z);
	evlock_handle handle = hold(set, X);

	ask(x, "x", X);
	ask(yz, "yz", X);
	ask(y, "y", X);
	cr_assert_str_eq(let_go(set, handle), "x yz");
	evlock_free(yz);
	cr_assert_str_eq(run(), "y");
}

static void
drop_and_ask(struct evlock *l, evlock_handle handle, int error, void *who)
{
	note_and_drop(l, handle, error, who);
	ask(set, "again", X);
}

SetTest(set, released_and_acquired_in_its_callback)
{
	ask_then(set, "set", X, drop_and_ask);
	ask(y, "y", X);
	cr_assert_str_eq(run(), "set y");
	cr_assert_str_eq(members(), "x:0+1 y:3+1");
}

/* --- Converting ------------------------------------------------------------------- */

SetTest(set, converts_down)
{
	evlock_handle handle = hold(set, X);

	ask(x, "x", S);
	ask(y, "y", S);
	ask(y, "y writes", X);
	convert(set, "down", handle, S);
	cr_assert_eq(evlock_mode_of(set, handle), S);
	cr_assert_str_eq(members(), "x:1 y:1+1");
	cr_assert_eq(evlock_held(set, S), 1);
	cr_assert_eq(evlock_held(set, X), 0);
	cr_assert_str_eq(run(), "down x y");
}

SetTest(set, converts_up)
{
	evlock_handle handle = hold(set, S);

	convert(set, "up", handle, X);
	cr_assert_str_eq(members(), "x:3 y:3");
	cr_assert_str_eq(run(), "up");
}

SetTest(set, converts_up_when_all_members_allow_it)
{
	evlock_handle handle = hold(set, S), hx = hold(x, S), hy = hold(y, S);

	ask(x, "x", X);
	convert(set, "up", handle, X);
	cr_assert_str_eq(members(), "x:1+2 y:1+1");
	cr_assert_str_eq(let_go(x, hx), "");
	cr_assert_eq(evlock_mode_of(set, handle), S);
	cr_assert_eq(evlock_mode_of(x, handle), S);
	drop(y, hy);
	cr_assert_eq(evlock_mode_of(set, handle), X);
	cr_assert_str_eq(members(), "x:3+1 y:3");
	cr_assert_str_eq(run(), "up");
	cr_assert_str_eq(let_go(set, handle), "x");
}

SetTest(set, converts_only_members_in_its_mode)
{
	struct evlock *mixed = new_set(x, SAME, y, S);
	evlock_handle handle = hold(mixed, S);

	hold(y, S);
	convert(mixed, "up", handle, X);
	cr_assert_str_eq(members(), "x:3 y:1");
	cr_assert_str_eq(run(), "up");
	drop(mixed, handle);
	cr_assert_str_eq(members(), "x:0 y:1");
	evlock_free(mixed);
}

SetTest(set, converts_nowait)
{
	evlock_handle handle = hold(set, S), hy = hold(y, S);

	assert_fails(evlock_convert_nowait(set, handle, X), EAGAIN);
	cr_assert_str_eq(members(), "x:1 y:1");
	drop(y, hy);
	cr_assert_eq(evlock_convert_nowait(set, handle, X), 0);
	cr_assert_str_eq(members(), "x:3 y:3");
	cr_assert_eq(evlock_convert_nowait(set, handle, N), 0);
	cr_assert_str_eq(members(), "x:0 y:0");
	cr_assert_str_eq(let_go(set, handle), "");
}

SetTest(set, conversion_that_times_out_keeps_the_old_mode)
{
	evlock_handle handle = hold(set, S);
	struct timeval soon = milliseconds(1);

	hold(y, S);
	cr_assert_eq(evlock_convert(set, handle, X, &soon, note, (void *)(uintptr_t)"up"), 0);
	assert_fails(try_to_convert(set, "", handle, X), EBUSY);
	ask(x, "x", S);
	ask(y, "y", S);
	cr_assert_str_eq(run(), "x y up:ETIMEDOUT");
	cr_assert_eq(evlock_mode_of(set, handle), S);
	cr_assert_str_eq(members(), "x:1 y:1");
	cr_assert_eq(evlock_held(x, S), 2);
}

SetTest(set, conversion_that_would_deadlock_keeps_the_old_mode)
{
	evlock_handle one = hold(set, S), two = hold(set, S);

	convert(set, "one", one, X);
	assert_fails(try_to_convert(set, "two", two, X), EDEADLK);
	cr_assert_eq(evlock_mode_of(set, two), S);
	cr_assert_eq(evlock_held(y, S), 2);
	cr_assert_str_eq(let_go(set, two), "one");
}

SetTest(set, release_ends_a_conversion)
{
	evlock_handle handle = hold(set, S);

	hold(y, S);
	convert(set, "up", handle, X);
	ask(x, "x", S);
	drop(set, handle);
	cr_assert_eq(evlock_waiting(y), 0);
	cr_assert_str_eq(run(), "x");
	cr_assert_str_eq(members(), "x:1 y:1");
}

SetTest(set, convert_of_who_holds_nothing)
{
	evlock_handle handle;

	hold(x, X);
	handle = ask(set, "set", S);
	assert_fails(try_to_convert(set, "", handle, X), ENOENT);
	assert_fails(try_to_convert(set, "", 5, X), ENOENT);
}

/* --- Notifications ---------------------------------------------------------------- */

SetTest(set, notify)
{
	struct event *ev = new_event("free");
	evlock_handle hx, handle;

	cr_assert_eq(evlock_notify(set, X, ev), 0);
	assert_fails(evlock_notify(set, S, ev), EEXIST);
	assert_fails(evlock_notify(set, X, NULL), EINVAL);
	cr_assert_str_eq(run(), "free");
	hx = hold(x, S);
	handle = hold(y, S);
	cr_assert_str_eq(run(), "");
	cr_assert_str_eq(let_go(x, hx), "", "y is held: any member is not enough");
	cr_assert_str_eq(let_go(y, handle), "free");
	handle = hold(set, X);
	cr_assert_str_eq(let_go(set, handle), "free");
	cr_assert_eq(evlock_unnotify(set, ev), 0);
	assert_fails(evlock_unnotify(set, ev), ENOENT);
	event_free(ev);
}

/* A change to a set activates the events that watch its members, or other sets that share a
 * member. */
SetTest(set, notify_of_members)
{
	struct evlock *yz = SET(y, z);
	struct event *ev_x = new_event("x"), *ev_yz = new_event("yz");
	evlock_handle handle = hold(set, X), hy;

	evlock_notify(x, S, ev_x);
	evlock_notify(yz, S, ev_yz);
	cr_assert_str_eq(run(), "");
	convert(set, "down", handle, S);
	cr_assert_str_eq(run(), "down x yz");
	hy = hold(y, S);
	ask(yz, "yz writes", X);
	convert(set, "none", handle, N);
	cr_assert_str_eq(run(), "none x");
	drop(y, hy);
	cr_assert_not_null(strstr(run(), "yz writes"));	/* x's event may run again: x is free */
	evlock_free(yz);
	evlock_unnotify(x, ev_x);
	event_free(ev_x);
	event_free(ev_yz);
}

/* A waiting set excludes the requests that watchers would make.  Its withdrawal notifies them. */
SetTest(set, notify_of_a_withdrawal)
{
	struct event *ev = new_event("y");
	evlock_handle handle;

	hold(x, X);
	handle = ask(set, "set", S);
	evlock_notify(y, S, ev);
	cr_assert_str_eq(run(), "");
	cr_assert_str_eq(let_go(set, handle), "y");
	ask_for(set, "late", S, 1);
	cr_assert_str_eq(run(), "late:ETIMEDOUT y");
	evlock_unnotify(y, ev);
	event_free(ev);
}

SetTest(set, notify_ends_with_the_set)
{
	struct event *ev = new_event("free");

	hold(x, X);
	evlock_notify(set, S, ev);
	evlock_free(set);
	set = NULL;
	evlock_free(x);
	x = NULL;
	cr_assert_str_eq(run(), "");
	event_free(ev);
}

SetTest(set, notice_of_a_holder)
{
	evlock_handle handle;

	NOW(set, .mode = X, .notice_cb = note, .arg = (void *)(uintptr_t)"wanted");
	cr_assert_str_eq(run(), "");
	handle = ask(y, "y", S);
	cr_assert_str_eq(run(), "wanted");
	ask(x, "x", S);
	cr_assert_str_eq(run(), "");
	cr_assert_str_eq(let_go(y, handle), "", "there is one left");
	evlock_close(x);
	cr_assert_str_eq(run(), "x:ECANCELED");
	ask(y, "y", S);
	cr_assert_str_eq(run(), "wanted");
}

SetTest(set, notice_of_a_members_holder)
{
	evlock_handle handle;

	NOW(y, .mode = S, .notice_cb = note, .arg = (void *)(uintptr_t)"wanted");
	ask_then(set, "reader", S, note_and_drop);
	cr_assert_str_eq(run(), "reader");
	handle = ask(set, "set", X);
	cr_assert_str_eq(run(), "wanted");
	drop(set, handle);
	ask_for(set, "set", X, 1);
	cr_assert_str_eq(run(), "wanted set:ETIMEDOUT");
}

SetTest(set, notice_that_comes_after_the_callback)
{
	ASK(set, "granted", .mode = X, .notice_cb = note);
	ask(x, "x", S);
	cr_assert_str_eq(run(), "granted granted");
}

SetTest(set, notice_of_who_waited_for_a_member_that_is_freed)
{
	NOW(set, .mode = X, .notice_cb = note, .arg = (void *)(uintptr_t)"wanted");
	ask(x, "x", S);
	evlock_free(x);
	x = NULL;
	cr_assert_str_eq(run(), "x:ECANCELED", "none was left");
	ask(y, "y", S);
	cr_assert_str_eq(run(), "wanted");
}

SetTest(set, notice_comes_again_after_a_member_was_freed)
{
	NOW(set, .mode = X, .notice_cb = note, .arg = (void *)(uintptr_t)"wanted");
	ask(x, "x", S);
	cr_assert_str_eq(run(), "wanted");
	evlock_free(x);
	x = NULL;
	ask(y, "y", S);
	cr_assert_str_eq(run(), "x:ECANCELED wanted");
}

/* --- Closing and freeing ---------------------------------------------------------- */

SetTest(set, close)
{
	evlock_handle handle = hold(set, S);

	ask(set, "set", X);
	ask(x, "x", S);
	evlock_close(set);
	cr_assert_str_eq(run(), "set:ECANCELED x");
	assert_refused(evlock_acquire_nowait(set, S), ECANCELED);
	assert_refused(evlock_acquire(set, S, NULL, note, NULL), ECANCELED);
	assert_fails(try_to_convert(set, "", handle, N), ECANCELED);
	cr_assert_neq(evlock_acquire_nowait(x, S), 0, "the members go on");
	drop(set, handle);
	cr_assert_eq(evlock_held(y, S), 0);
}

SetTest(set, close_of_a_member_while_it_waits)
{
	hold(x, X);
	ask(set, "set", X);
	ask(y, "y", X);
	evlock_close(x);
	cr_assert_str_eq(run(), "set:ECANCELED y");
	assert_refused(evlock_acquire_nowait(set, S), ECANCELED);
	cr_assert_str_eq(members(), "x:3 y:3");
}

SetTest(set, close_of_a_member_while_it_holds)
{
	evlock_handle handle = hold(set, X);

	evlock_close(x);
	cr_assert_str_eq(run(), "");
	cr_assert_str_eq(members(), "x:3 y:3");
	cr_assert_eq(evlock_mode_of(x, handle), X);
	drop(set, handle);
	cr_assert_str_eq(members(), "x:0 y:0");
}

SetTest(set, close_of_a_member_when_granted)
{
	evlock_handle handle = ask(set, "set", X);

	evlock_close(y);
	cr_assert_str_eq(run(), "set");
	cr_assert_eq(evlock_mode_of(set, handle), X);
	drop(set, handle);
}

SetTest(set, close_of_a_member_while_it_converts)
{
	evlock_handle handle = hold(set, S);

	hold(y, S);
	convert(set, "up", handle, X);
	evlock_close(x);
	cr_assert_str_eq(run(), "up:ECANCELED");
	cr_assert_eq(evlock_mode_of(set, handle), S);
	cr_assert_str_eq(members(), "x:1 y:1");
}

/* Other waiters for the member fail first, but that grants no request. */
static void
end_a_member_of_two_sets(void (*end_member)(struct evlock *))
{
	struct evlock *all = SET(x, y, z), *xy = SET(x, y);

	hold(z, X);
	ask(all, "all", X);
	ask(xy, "behind it", X);
	end_member(y);
	cr_assert_str_eq(run(), "all:ECANCELED behind it:ECANCELED");
	cr_assert(could_hold(x, X));
	evlock_free(xy);
	evlock_free(all);
}

SetTest(set, close_of_a_member_of_two_sets)
{
	end_a_member_of_two_sets(evlock_close);
}

SetTest(set, free_of_a_member_of_two_sets)
{
	end_a_member_of_two_sets(evlock_free);
	y = NULL;
}

/* A set with a closed member is closed from the start. */
SetTest(set, of_a_closed_member)
{
	struct evlock *xz;

	evlock_close(z);
	xz = SET(x, z);
	assert_refused(evlock_acquire_nowait(xz, S), ECANCELED);
	evlock_free(xz);
	cr_assert(could_hold(x, X));
}

SetTest(set, free_of_a_member_while_it_waits)
{
	hold(y, X);
	ask(set, "set", X);
	evlock_free(x);
	cr_assert_str_eq(run(), "set:ECANCELED");
	cr_assert_eq(evlock_waiting(y), 0);
	assert_refused(evlock_acquire_nowait(set, S), ECANCELED);
	x = NULL;
}

SetTest(set, free_of_a_member_while_it_holds)
{
	evlock_handle handle = hold(set, X);

	evlock_free(x);
	x = NULL;
	cr_assert_str_eq(run(), "");
	cr_assert_eq(evlock_mode_of(set, handle), X, "the rest stays held");
	cr_assert_eq(evlock_mode_of(y, handle), X);
	cr_assert_eq(evlock_locked(set), X);
	assert_fails(try_to_convert(set, "", handle, S), ECANCELED);
	ask(y, "y", S);
	cr_assert_str_eq(run(), "");
	cr_assert_str_eq(let_go(set, handle), "y");
}

SetTest(set, free_of_a_member_when_granted)
{
	evlock_handle handle = ask(set, "set", X);

	evlock_free(x);
	x = NULL;
	cr_assert_str_eq(run(), "set");
	cr_assert_eq(evlock_mode_of(y, handle), X);
	drop(set, handle);
	cr_assert(could_hold(y, X));
}

SetTest(set, free_of_a_member_while_it_converts)
{
	evlock_handle one = hold(set, S), two = hold(set, S);

	convert(set, "one", one, X);
	evlock_free(y);
	y = NULL;
	cr_assert_str_eq(run(), "one:ECANCELED");
	drop(set, one);
	drop(set, two);
	cr_assert(could_hold(x, X));
}

SetTest(set, free_of_a_member_when_converted)
{
	evlock_handle one = hold(set, S);

	convert(set, "one", one, X);
	evlock_free(y);
	y = NULL;
	cr_assert_str_eq(run(), "one");
	cr_assert_eq(evlock_mode_of(x, one), X);
	drop(set, one);
	cr_assert(could_hold(x, X));
}

/* The owner's list of holds lasts longer than the lock. */
SetTest(set, free_of_a_member_that_an_owner_holds)
{
	struct evlock_owner *owner = new_owner("o");
	evlock_handle handle = hold_by(owner, set, S);

	ask_by(owner, set, "granted", S);
	convert(set, "up", handle, X);
	evlock_free(x);
	x = new_lock("a new x");
	assert_fails(evlock_owner_mode(owner, x), ENOENT);
	cr_assert_eq(evlock_owner_mode(owner, y), X);
	run();
	cr_assert_eq(evlock_owner_release_all(owner), 2);
	cr_assert(could_hold(y, X));
	evlock_owner_free(owner);
}

SetTest(set, free_of_all_members)
{
	evlock_handle handle = hold(set, X);

	ask(set, "set", X);
	evlock_free(x);
	evlock_free(y);
	x = y = NULL;
	cr_assert_str_eq(run(), "set:ECANCELED");
	cr_assert_eq(evlock_locked(set), N);
	cr_assert_eq(evlock_held(set, X), 1);
	drop(set, handle);
}

/* Requests of a set in every state. */
static void
fill(struct evlock *s, struct evlock_owner *owner)
{
	static int mine;
	evlock_handle up, none;

	up = hold(s, S);
	none = hold(s, N);
	hold(x, S);
	convert(s, "converted", none, S);
	ask(s, "granted", S);
	ASK(s, "granted own", .mode = S, .handle = EVLOCK_HANDLE_FROM(&mine), .owner = owner,
	    .notice_cb = note);
	evlock_with(s, S, NULL, note, (void *)(uintptr_t)"with");
	convert(s, "converting", up, X);
	ask(s, "queued", X);
	ask_for(s, "timed", S, 3600 * 1000);
	ASK(s, "urgent", .mode = X, .priority = 3);
}

#define ALL "converted:ECANCELED granted:ECANCELED granted own:ECANCELED with:ECANCELED " \
	"converting:ECANCELED urgent:ECANCELED queued:ECANCELED timed:ECANCELED"

SetTest(set, free_with_requests_in_every_state)
{
	struct evlock_owner *owner = new_owner("o");

	fill(set, owner);
	ask(x, "x", S);
	ask(y, "y", X);
	evlock_free(set);
	set = NULL;
	cr_assert_str_eq(told(), ALL);
	cr_assert_str_eq(run(), "x y");
	cr_assert_eq(evlock_owner_release_all(owner), 0);
	evlock_owner_free(owner);
}

/* The member is freed first, then the set. */
SetTest(set, free_of_a_member_with_requests_in_every_state)
{
	struct evlock_owner *owner = new_owner("o");

	fill(set, owner);
	evlock_free(y);
	y = NULL;
	ask(x, "x", X);
	cr_assert_str_eq(told(), "");
	evlock_free(set);
	set = NULL;
	cr_assert_str_eq(told(), ALL);
	cr_assert_eq(evlock_waiting(x), 1);
	evlock_owner_free(owner);
}

SetTest(set, free_of_a_member_and_delivery_with_requests_in_every_state)
{
	struct evlock_owner *owner = new_owner("o");

	fill(set, owner);
	evlock_free(x);
	x = NULL;
	cr_assert_str_eq(run(), "converted granted granted own with converting:ECANCELED "
	    "urgent:ECANCELED queued:ECANCELED timed:ECANCELED");
	evlock_owner_free(owner);
	evlock_free(set);
	set = NULL;
	cr_assert(could_hold(y, X));
}

static void
free_everything(struct evlock *l, evlock_handle handle, int error, void *who)
{
	note(l, handle, error, who);
	evlock_free(x);
	evlock_free(y);
	if (!error)
		evlock_free(set);
	set = x = y = NULL;
}

SetTest(set, free_of_everything_in_its_callback)
{
	ask_then(set, "set", X, free_everything);
	ask(set, "more", X);
	ask(x, "x", X);
	cr_assert_str_eq(run(), "set x:ECANCELED more:ECANCELED");
}

/* Frees the members, inside evlock_free() of the set. */
SetTest(set, free_of_members_inside_free)
{
	hold(x, X);
	hold(y, S);
	ask_then(set, "set", X, free_everything);
	ask(set, "more", X);
	evlock_free(set);
	cr_assert_str_eq(told(), "set:ECANCELED more:ECANCELED");
	cr_assert_str_eq(run(), "");
}

static void
free_set(struct evlock *l, evlock_handle handle, int error, void *who)
{
	note(l, handle, error, who);
	evlock_free(set);
	set = NULL;
}

/* Frees the set, inside evlock_free() of a member. */
SetTest(set, free_inside_free_of_a_member)
{
	hold(x, X);
	ask(set, "set", X);
	ask_then(x, "x", X, free_set);
	evlock_free(x);
	x = NULL;
	cr_assert_str_eq(told(), "x:ECANCELED set:ECANCELED");
	cr_assert(could_hold(y, X));
}

SetTest(set, free_of_the_outer_set)
{
	struct evlock *outer = SET(set, z);
	evlock_handle handle = hold(set, S);

	ask(outer, "outer", X);
	evlock_free(outer);
	cr_assert_str_eq(told(), "outer:ECANCELED");
	cr_assert_neq(evlock_acquire_nowait(set, S), 0, "the inner one goes on");
	drop(set, handle);
	evlock_close(z);
	cr_assert_neq(evlock_acquire_nowait(set, S), 0);
}

/* --- Dumping ---------------------------------------------------------------------- */

SetTest(set, dump)
{
	evlock_handle handle = hold(set, X);
	char hex[40];
	const char *text, *of_x;

	snprintf(hex, sizeof hex, "%llx", (unsigned long long)handle);
	ask(set, "waits", S);
	text = state();
	cr_assert_not_null(strstr(text, "lock set "), "%s", text);
	of_x = strstr(text, "lock x ");
	cr_assert_not_null(of_x);
	cr_assert_not_null(strstr(text, hex), "%s", text);
	cr_assert_not_null(strstr(text, "in a set"), "%s", text);
}

/* A dump of a lock names its holders, also those that hold it through a set. */
SetTest(set, dump_of_a_member_has_the_holder)
{
	evlock_handle handle = hold(set, X);
	char hex[40];
	const char *text, *of_x, *of_y, *at;

	snprintf(hex, sizeof hex, "%llx", (unsigned long long)handle);
	text = state();
	of_x = strstr(text, "lock x ");
	of_y = strstr(text, "lock y ");
	cr_assert(of_x && of_y && of_x < of_y);
	at = strstr(of_x, hex);
	cr_assert(at && at < of_y, "%s", text);
}

/* --- Members with several objects -------------------------------------------------- */

LockTest(set, waiter_through_another_object_gains_by_the_free_of_a_member)
{
	struct evlock_table *table = evlock_table_new(base, NULL);
	struct evlock *one = evlock_table_lock(table, "k", 1),
	    *two = evlock_table_lock(table, "k", 1);
	struct evlock_set_member member = { one, EVLOCK_SAME_MODE };
	struct evlock *set_of_one = evlock_set_new(&member, 1, NULL);
	evlock_handle of_set = hold(set_of_one, X), h = ask(two, "two", X);

	cr_assert_str_eq(run(), "");
	evlock_free(one);
	cr_assert_str_eq(run(), "two");
	drop(two, h);
	drop(set_of_one, of_set);
	evlock_free(set_of_one);
	evlock_free(two);
	evlock_table_free(table);
}

/* --- A steady load allocates nothing ---------------------------------------------- */

SetTest(set, steady_load_allocates_nothing)
{
	unsigned i;
	long made = 0;

	for (i = 0; i < 100; i++) {
		evlock_handle hx = hold(x, X), handle = ask(set, "", S);

		drop(x, hx);
		run();
		convert(set, "", handle, X);
		run();
		drop(set, handle);
		if (i == 50)	/* by now the port has set its timer */
			made = memory.made;
	}
	cr_assert_eq(memory.made, made);
}

/* Closing one member fails the waiters of the set, which stood ahead of others in the remaining
 * members. */
SetTest(set, watcher_of_another_member_is_told_when_one_is_closed)
{
	struct event *ev = new_event("room");

	hold(x, X);
	ask(set, "set", X);
	cr_assert_eq(evlock_notify(y, X, ev), 0);
	cr_assert_str_eq(run(), "");
	evlock_close(x);
	cr_assert_str_eq(run(), "set:ECANCELED room");
	evlock_unnotify(y, ev);
	event_free(ev);
}
