/* SPDX-License-Identifier: BSD-3-Clause */

/* The value that a lock guards: which holders may read and write it, and when it is freed. */

#include "../shim.h"
#include "../util.h"

static int value = 7;

static struct evlock *
new_guard(void)
{
	return evlock_new(base, &(struct evlock_options){ .value = &value });
}

static void
check_access(struct evlock *l, evlock_handle handle, int may_read, int may_write)
{
	const char *before = state();

	errno = 0;
	cr_assert_eq(evlock_value(l, handle), may_read ? &value : NULL);
	cr_assert_eq(errno, may_read ? 0 : EPERM);
	errno = 0;
	cr_assert_eq(evlock_value_mut(l, handle), may_write ? &value : NULL);
	cr_assert_eq(errno, may_write ? 0 : EPERM);
	cr_assert_str_eq(state(), before);
}

LockTest(value, access_by_mode)
{
	static const struct { unsigned mode; int may_read, may_write; } row[] = {
		{ N, 0, 0 }, { S, 1, 0 }, { U, 1, 0 }, { X, 1, 1 }
	};
	struct evlock *l = new_guard();
	unsigned i;

	for (i = 0; i < 4; i++) {
		evlock_handle handle = hold(l, row[i].mode);

		check_access(l, handle, row[i].may_read, row[i].may_write);
		drop(l, handle);
	}
	evlock_free(l);
}

LockTest(value, access_of_a_table_of_ones_own)
{
	static const struct evlock_mode mode[] = {
		{ .name = "writes", .access = EVLOCK_WRITE },
		{ .name = "reads", .access = EVLOCK_READ },
		{ .name = "neither" },
	};
	static const struct evlock_modes modes = { .mode = mode, .n_modes = 3 };
	struct evlock *l = evlock_new(base,
	    &(struct evlock_options){ .value = &value, .modes = &modes });

	check_access(l, hold(l, 0), 1, 1);
	check_access(l, hold(l, 1), 1, 0);
	check_access(l, hold(l, 2), 0, 0);
	evlock_free(l);
}

LockTest(value, access_while_it_holds)
{
	struct evlock *l = new_guard();
	evlock_handle held = hold(l, X), handle = ask(l, "a", X);

	check_access(l, handle, 0, 0);
	drop(l, held);
	check_access(l, held, 0, 0);
	check_access(l, handle, 1, 1);
	cr_assert_str_eq(run(), "a");
	check_access(l, handle, 1, 1);
	drop(l, handle);
	check_access(l, handle, 0, 0);
	check_access(l, 0, 0, 0);
	evlock_free(l);
}

LockTest(value, access_changes_with_a_conversion)
{
	struct evlock *l = new_guard();
	evlock_handle a = hold(l, S), b = hold(l, S);

	convert(l, "up", a, X);
	check_access(l, a, 1, 0);
	drop(l, b);
	check_access(l, a, 1, 1);
	cr_assert_str_eq(run(), "up");
	cr_assert_eq(evlock_convert_nowait(l, a, N), 0);
	check_access(l, a, 0, 0);
	evlock_free(l);
}

LockTest(value, access_to_another_locks)
{
	struct evlock *l = new_guard();

	check_access(l, hold(lock, X), 0, 0);
	evlock_free(l);
}

LockTest(value, none)
{
	cr_assert_null(evlock_value(lock, hold(lock, S)));
}

/* --- free_value ----------------------------------------------------------- */

static void
free_value(void *v)
{
	cr_assert_eq(v, &value);
	write_down("freed");
}

static const struct evlock_options freeing = { .value = &value, .free_value = free_value };

LockTest(value, freed_with_the_lock)
{
	struct evlock *l = evlock_new(base, &freeing);

	drop(l, hold(l, X));
	evlock_close(l);
	cr_assert_str_eq(run(), "");
	evlock_free(l);
	cr_assert_str_eq(told(), "freed");
}

LockTest(value, freed_after_the_last_callback)
{
	struct evlock *l = evlock_new(base, &freeing);

	ask(l, "a", X);
	ask(l, "b", X);
	evlock_free(l);
	cr_assert_str_eq(told(), "a:ECANCELED b:ECANCELED freed");
}

LockTest(value, not_freed_where_no_lock_was_made)
{
	struct evlock_options bad = freeing;

	bad.flags = ~0u;
	assert_refused(evlock_new(base, &bad), EINVAL);
	memory.first_bad = 0;
	memory.last_bad = memory.made + 100;
	assert_refused(evlock_new(base, &freeing), ENOMEM);
	memory.last_bad = 0;
	cr_assert_str_eq(told(), "");
}

static void
free_lock(struct evlock *l, evlock_handle handle, int error, void *who)
{
	note(l, handle, error, who);
	evlock_free(l);
}

LockTest(value, freed_in_a_callback)
{
	struct evlock *l = evlock_new(base, &freeing);

	ask_then(l, "a", X, free_lock);
	ask(l, "b", X);
	cr_assert_str_eq(run(), "a b:ECANCELED freed");
}
