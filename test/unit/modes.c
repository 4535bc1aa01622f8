/* SPDX-License-Identifier: BSD-3-Clause */

/* Which modes may be held together: the standard table, callers' tables, limits, units,
 * predicates. */

#include "../shim.h"
#include "../util.h"

#define BIT(mode) (1u << (mode))
#define COUNT(array) (sizeof (array) / sizeof (array)[0])

static struct evlock *
new_lock(const struct evlock_mode *mode, unsigned n, void *arg)
{
	static struct evlock_modes modes;

	modes = (struct evlock_modes){ .mode = mode, .n_modes = n, .arg = arg };
	return evlock_new(base, &(struct evlock_options){ .modes = &modes });
}

/* Holds one mode and asks for another, without waiting and with waiting. */
static void
check_pair(struct evlock *l, unsigned held, unsigned wanted, int is_compatible)
{
	evlock_handle holder = hold(l, held), handle;

	handle = evlock_acquire_nowait(l, wanted);
	cr_assert_eq(handle != 0, is_compatible, "%u, while %u is held, at once", wanted, held);
	evlock_release(l, handle);

	handle = ask(l, "a", wanted);
	cr_assert_str_eq(run(), is_compatible ? "a" : "", "%u, while %u is held", wanted, held);
	cr_assert_str_eq(let_go(l, holder), is_compatible ? "" : "a");
	drop(l, handle);
}

LockTest(modes, standard)
{
	static const int is_compatible[4][4] = {
		/*        held  N  S  U  X */
		[N] =		{ 1, 1, 1, 0 },
		[S] =		{ 1, 1, 1, 0 },
		[U] =		{ 1, 1, 0, 0 },
		[X] =		{ 1, 0, 0, 0 },
	};
	unsigned held, wanted;

	for (held = 0; held < 4; held++)
		for (wanted = 0; wanted < 4; wanted++)
			check_pair(lock, held, wanted, is_compatible[wanted][held]);
}

LockTest(modes, standard_all_that_share)
{
	evlock_handle none = hold(lock, N), shared = hold(lock, S);

	hold(lock, N);
	hold(lock, U);
	hold(lock, S);
	assert_refused(evlock_acquire_nowait(lock, U), EAGAIN);
	assert_refused(evlock_acquire_nowait(lock, X), EAGAIN);
	drop(lock, none);
	drop(lock, shared);
}

LockTest(modes, standard_none_keeps_no_one_out)
{
	hold(lock, N);
	hold(lock, N);
	hold(lock, X);
	assert_refused(evlock_acquire_nowait(lock, N), EAGAIN);
}

LockTest(modes, standard_have_no_limit)
{
	unsigned i;

	for (i = 0; i < 1000; i++)
		hold(lock, S);
	cr_assert_eq(evlock_held(lock, S), 1000);
}

/* --- Tables of one's own -------------------------------------------------- */

enum { IS, IX, SH, SIX, EX };

LockTest(modes, intention)
{
	static const struct evlock_mode mode[] = {
		[IS] = { "IS", BIT(EX), 0, EVLOCK_NO_ACCESS, NULL },
		[IX] = { "IX", BIT(SH) | BIT(SIX) | BIT(EX), 0, EVLOCK_NO_ACCESS, NULL },
		[SH] = { "S", BIT(IX) | BIT(SIX) | BIT(EX), 0, EVLOCK_READ, NULL },
		[SIX] = { "SIX", BIT(IX) | BIT(SH) | BIT(SIX) | BIT(EX), 0, EVLOCK_READ, NULL },
		[EX] = { "X", BIT(IS) | BIT(IX) | BIT(SH) | BIT(SIX) | BIT(EX), 0, EVLOCK_WRITE,
		    NULL },
	};
	static const int is_compatible[5][5] = {
		[IS] = { 1, 1, 1, 1, 0 },
		[IX] = { 1, 1, 0, 0, 0 },
		[SH] = { 1, 0, 1, 0, 0 },
		[SIX] = { 1, 0, 0, 0, 0 },
		[EX] = { 0, 0, 0, 0, 0 },
	};
	struct evlock *l = new_lock(mode, COUNT(mode), NULL);
	unsigned held, wanted;

	for (held = 0; held < COUNT(mode); held++)
		for (wanted = 0; wanted < COUNT(mode); wanted++)
			check_pair(l, held, wanted, is_compatible[wanted][held]);
	evlock_free(l);
}

/* The bits name the modes that exclude this one when they are held.  The relation need not be
 * mutual. */
LockTest(modes, conflict_in_one_direction)
{
	static const struct evlock_mode mode[] = {
		{ .name = "goes on" },
		{ .name = "waits", .conflicts = BIT(0) },
	};
	struct evlock *l = new_lock(mode, COUNT(mode), NULL);

	check_pair(l, 0, 0, 1);
	check_pair(l, 0, 1, 0);
	check_pair(l, 1, 0, 1);
	check_pair(l, 1, 1, 1);
	evlock_free(l);
}

LockTest(modes, as_many_as_there_can_be)
{
	static struct evlock_mode mode[EVLOCK_MAX_MODES];
	struct evlock *l;
	unsigned i;

	for (i = 0; i < EVLOCK_MAX_MODES; i++)
		mode[i].conflicts = BIT(i);
	l = new_lock(mode, EVLOCK_MAX_MODES, NULL);
	for (i = 0; i < EVLOCK_MAX_MODES; i++)
		hold(l, i);
	for (i = 0; i < EVLOCK_MAX_MODES; i++) {
		cr_assert_eq(evlock_held(l, i), 1);
		assert_refused(evlock_acquire_nowait(l, i), EAGAIN);
	}
	cr_assert_eq(evlock_locked(l), EVLOCK_MAX_MODES - 1);
	evlock_free(l);
}

LockTest(modes, one_alone)
{
	static const struct evlock_mode mode = { .name = "mutex", .conflicts = BIT(0) };
	struct evlock *l = new_lock(&mode, 1, NULL);

	check_pair(l, 0, 0, 0);
	evlock_free(l);
}

/* --- Limits and units ----------------------------------------------------- */

static const struct evlock_mode pool_mode[] = {
	{ .name = "slow", .limit = 2 },
	{ .name = "fast", .limit = 5 },
	{ .name = "unlimited" },
};

LockTest(modes, limit)
{
	struct evlock *l = new_lock(pool_mode, COUNT(pool_mode), NULL);
	evlock_handle first = hold(l, 0);

	hold(l, 0);
	ask(l, "a", 0);
	assert_refused(evlock_acquire_nowait(l, 0), EAGAIN);
	cr_assert_str_eq(run(), "");
	cr_assert_str_eq(let_go(l, first), "a");
	cr_assert_eq(evlock_held(l, 0), 2);
	evlock_free(l);
}

LockTest(modes, limits_of_two_modes_are_apart)
{
	struct evlock *l = new_lock(pool_mode, COUNT(pool_mode), NULL);

	ASK(l, "slow", .mode = 0, .units = 2);
	ASK(l, "fast", .mode = 1, .units = 5);
	cr_assert_str_eq(run(), "slow fast");
	assert_refused(evlock_acquire_nowait(l, 0), EAGAIN);
	assert_refused(evlock_acquire_nowait(l, 1), EAGAIN);
	hold(l, 2);
	evlock_free(l);
}

LockTest(modes, units)
{
	struct evlock *l = new_lock(pool_mode, COUNT(pool_mode), NULL);
	evlock_handle three = ASK(l, "three", .mode = 1, .units = 3);
	evlock_handle two = ASK(l, "two", .mode = 1, .units = 2);

	cr_assert_str_eq(run(), "three two");
	cr_assert_eq(evlock_held(l, 1), 5);
	ASK(l, "four", .mode = 1, .units = 4);
	ASK(l, "one", .mode = 1, .units = 1);
	cr_assert_str_eq(let_go(l, three), "", "one unit passed four");
	cr_assert_str_eq(let_go(l, two), "four one");
	evlock_free(l);
}

LockTest(modes, no_units_means_one)
{
	struct evlock *l = new_lock(pool_mode, COUNT(pool_mode), NULL);

	ASK(l, "a", .mode = 1, .units = 0);
	cr_assert_eq(evlock_held(l, 1), 1);
	cr_assert_str_eq(run(), "a");
	evlock_free(l);
}

LockTest(modes, units_up_to_the_limit)
{
	struct evlock *l = new_lock(pool_mode, COUNT(pool_mode), NULL);

	cr_assert_neq(ASK(l, "a", .mode = 1, .units = 5), 0);
	assert_refused(ASK(l, "b", .mode = 1, .units = 6), EINVAL);
	assert_refused(ASK(l, "b", .mode = 1, .units = UINT32_MAX), EINVAL);
	cr_assert_str_eq(run(), "a");
	evlock_free(l);
}

LockTest(modes, units_do_not_wrap)
{
	struct evlock *l = new_lock(pool_mode, COUNT(pool_mode), NULL);
	evlock_handle many = ASK(l, "many", .mode = 2, .units = UINT32_MAX);

	cr_assert_str_eq(run(), "many");
	assert_refused(evlock_acquire_nowait(l, 2), EAGAIN);
	ASK(l, "again", .mode = 2, .units = UINT32_MAX);
	cr_assert_str_eq(run(), "");
	cr_assert_str_eq(let_go(l, many), "again");
	evlock_free(l);
}

LockTest(modes, units_of_the_standard_modes)
{
	evlock_handle handle = ASK(lock, "a", .mode = S, .units = 7);

	cr_assert_str_eq(run(), "a");
	cr_assert_eq(evlock_held(lock, S), 7);
	drop(lock, handle);
	cr_assert_eq(evlock_held(lock, S), 0);
}

/* --- Predicates ----------------------------------------------------------- */

struct question {
	unsigned mode;
	uint32_t units;
	uint32_t held[2];
	unsigned n;
	uint32_t most;	/* that both modes together may hold */
};

static int
is_together_at_most(unsigned mode, uint32_t units, const uint32_t *held, void *arg)
{
	struct question *q = arg;

	q->mode = mode;
	q->units = units;
	q->held[0] = held[0];
	q->held[1] = held[1];
	q->n++;
	return held[0] + held[1] + units <= q->most;
}

static void
assert_asked(const struct question *q, unsigned mode, uint32_t units, uint32_t a, uint32_t b)
{
	cr_assert_eq(q->mode, mode);
	cr_assert_eq(q->units, units);
	cr_assert_eq(q->held[0], a);
	cr_assert_eq(q->held[1], b);
}

static const struct evlock_mode judged_mode[] = {
	{ .name = "a", .is_compatible = is_together_at_most },
	{ .name = "b", .is_compatible = is_together_at_most, .limit = 8 },
};

LockTest(modes, predicate_is_asked)
{
	struct question q = { .most = 10 };
	struct evlock *l = new_lock(judged_mode, 2, &q);

	ASK(l, "b", .mode = 1, .units = 2);
	ASK(l, "a", .mode = 0, .units = 3);
	assert_asked(&q, 0, 3, 0, 2);
	cr_assert_str_eq(run(), "b a");
	evlock_free(l);
}

LockTest(modes, predicate_refuses)
{
	struct question q = { .most = 3 };
	struct evlock *l = new_lock(judged_mode, 2, &q);
	evlock_handle first = ASK(l, "first", .mode = 0, .units = 2);

	ASK(l, "two", .mode = 1, .units = 2);
	ASK(l, "one", .mode = 1, .units = 1);
	assert_refused(evlock_acquire_nowait(l, 0), EAGAIN);
	cr_assert_str_eq(run(), "first", "passed one that the predicate refused");
	cr_assert_str_eq(let_go(l, first), "two one");
	evlock_free(l);
}

LockTest(modes, predicate_adds_to_the_limit)
{
	struct question q = { .most = 100 };
	struct evlock *l = new_lock(judged_mode, 2, &q);

	ASK(l, "a", .mode = 1, .units = 8);
	cr_assert_str_eq(run(), "a");
	assert_refused(evlock_acquire_nowait(l, 1), EAGAIN);
	evlock_free(l);
}

LockTest(modes, predicate_does_not_count_a_converting_handle)
{
	struct question q = { .most = 3 };
	struct evlock *l = new_lock(judged_mode, 2, &q);
	evlock_handle handle = ASK(l, "a", .mode = 0, .units = 2);

	hold(l, 1);
	cr_assert_eq(evlock_convert_nowait(l, handle, 1), 0);
	assert_asked(&q, 1, 2, 0, 1);
	cr_assert_str_eq(run(), "a");
	evlock_free(l);
}

LockTest(modes, predicate_does_not_count_a_waiting_conversion)
{
	struct question q = { .most = 3 };
	struct evlock *l = new_lock(judged_mode, 2, &q);
	evlock_handle handle = ASK(l, "a", .mode = 0, .units = 2), other = hold(l, 1);

	q.most = 2;
	convert(l, "converted", handle, 1);
	cr_assert_str_eq(run(), "a");
	drop(l, other);
	cr_assert_eq(q.held[0] + q.held[1], 0);
	cr_assert_str_eq(run(), "converted");
	evlock_free(l);
}
