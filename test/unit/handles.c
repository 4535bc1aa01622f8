/* SPDX-License-Identifier: BSD-3-Clause */

/* Handles that locks make are unique, and harmless once they have ended.  own.c tests handles that
 * callers make. */

#include <stdlib.h>

#include "lock/lock.h"

#include "../shim.h"
#include "../util.h"

/* --- Any value as a handle ------------------------------------------------ */

static evlock_handle held, waiting;

static void
check_unknown(evlock_handle handle)
{
	int error;

	if (handle == held || handle == waiting)
		return;
	errno = 0;
	error = evlock_release(lock, handle) == -1 ? errno : 0;
	cr_assert_eq(error, ENOENT, "%#llx was released", (unsigned long long)handle);
	error = evlock_mode_of(lock, handle) == -1 ? errno : 0;
	cr_assert_eq(error, ENOENT, "%#llx holds", (unsigned long long)handle);
	error = evlock_convert_nowait(lock, handle, N) == -1 ? errno : 0;
	cr_assert_eq(error, ENOENT, "%#llx was converted", (unsigned long long)handle);
	cr_assert_null(evlock_value(lock, handle));
}

/* Uses a slot in each way that slots are used, and leaves free slots. */
static void
use_some(void)
{
	unsigned i;

	for (i = 0; i < 10; i++)
		drop(lock, hold(lock, X));
	held = hold(lock, X);
	waiting = ask(lock, "waiting", X);
	drop(lock, ask(lock, "gone", X));
}

static uint64_t
random_bits(void)
{
	return (uint64_t)rand() << 42 ^ (uint64_t)rand() << 21 ^ (uint64_t)rand();
}

LockTest(handles, any_value_is_harmless)
{
	const char *before;
	unsigned i, j;

	use_some();
	before = state();
	check_unknown(0);
	check_unknown(~(evlock_handle)0);
	for (i = 0; i < 64; i++) {
		check_unknown((evlock_handle)1 << i);
		check_unknown(~((evlock_handle)1 << i));
		check_unknown(held ^ (evlock_handle)1 << i);
		check_unknown(waiting ^ (evlock_handle)1 << i);
		for (j = 0; j < i; j++)
			check_unknown(held ^ (evlock_handle)1 << i ^ (evlock_handle)1 << j);
	}
	for (i = 0; i < 2000; i++) {
		check_unknown(i);
		check_unknown(held + i);
		check_unknown(held - i);
		check_unknown(held + i * EVL_GENERATION);
		check_unknown(held - i * EVL_GENERATION);
	}
	for (i = 0; i < scaled(200000); i++)
		check_unknown(random_bits());
	cr_assert_str_eq(state(), before);
	cr_assert_str_eq(let_go(lock, held), "waiting");
}

/* Internally a conversion is a request, but no handle leads to it. */
LockTest(handles, any_value_is_harmless_to_a_conversion)
{
	evlock_handle first = hold(lock, N), slot, generation, other;

	held = hold(lock, S);
	other = hold(lock, S);
	convert(lock, "up", held, X);
	waiting = ask(lock, "waiting", X);
	for (slot = 0; slot < 100; slot++)
		for (generation = 0; generation < 10; generation++) {
			evlock_handle handle = slot | generation * EVL_GENERATION;

			check_unknown(handle | EVL_HIDDEN);
			if (handle != first && handle != other)
				check_unknown(handle);
		}
	cr_assert_str_eq(let_go(lock, other), "up");
}

LockTest(handles, any_value_is_harmless_to_a_lock_never_used)
{
	unsigned i;

	check_unknown(0);
	check_unknown(1);
	for (i = 0; i < 64; i++)
		check_unknown((evlock_handle)1 << i);
}

/* --- Gone is gone --------------------------------------------------------- */

LockTest(handles, stale_frees_no_one_elses)
{
	evlock_handle stale = hold(lock, X), fresh;

	drop(lock, stale);
	fresh = hold(lock, X);
	cr_assert_neq(fresh, stale);
	assert_fails(evlock_release(lock, stale), ENOENT);
	assert_fails(evlock_convert_nowait(lock, stale, S), ENOENT);
	cr_assert_eq(evlock_mode_of(lock, fresh), X);
}

LockTest(handles, stale_withdraws_no_one_elses)
{
	evlock_handle stale;

	hold(lock, X);
	stale = ask(lock, "stale", X);
	drop(lock, stale);
	ask(lock, "fresh", X);
	assert_fails(evlock_release(lock, stale), ENOENT);
	cr_assert_eq(evlock_waiting(lock), 1);
}

LockTest(handles, of_another_lock)
{
	struct evlock *other = evlock_new(base, NULL);
	evlock_handle handle = hold(lock, X);

	hold(other, X);
	assert_fails(evlock_release(other, handle), ENOENT);
	assert_fails(evlock_mode_of(other, handle), ENOENT);
	assert_fails(evlock_convert_nowait(other, handle, S), ENOENT);
	assert_refused(evlock_value(other, handle), EPERM);
	cr_assert_eq(evlock_locked(lock), X);
	evlock_free(other);
}

LockTest(handles, of_a_lock_on_another_base)
{
	struct event_base *other_base = event_base_new();
	struct evlock *other = evlock_new(other_base, NULL);
	evlock_handle handle = hold(lock, X);

	hold(other, X);
	assert_fails(evlock_release(other, handle), ENOENT);
	cr_assert_eq(evlock_locked(other), X);
	cr_assert_eq(evlock_locked(lock), X);
	evlock_free(other);
	event_base_free(other_base);
}

LockTest(handles, of_a_lock_that_was_freed)
{
	struct evlock *other = evlock_new(base, NULL);
	evlock_handle handle = hold(other, X);
	unsigned i;

	evlock_free(other);
	other = evlock_new(base, NULL);
	for (i = 0; i < 100; i++)
		hold(other, S);
	assert_fails(evlock_release(other, handle), ENOENT);
	cr_assert_eq(evlock_held(other, S), 100);
	evlock_free(other);
}

/* --- Never the same ------------------------------------------------------- */

#define MOST 120000

static evlock_handle seen[MOST];
static unsigned n_seen;

static evlock_handle
see(evlock_handle handle)
{
	cr_assert_neq(handle, 0);
	cr_assert_eq(handle >> 63, 0, "it has the form of a caller's own");
	cr_assert_lt(n_seen, MOST);
	return seen[n_seen++] = handle;
}

static int
compare(const void *a_, const void *b_)
{
	evlock_handle a = *(const evlock_handle *)a_, b = *(const evlock_handle *)b_;

	return a < b ? -1 : a > b;
}

static void
check_all_differ(void)
{
	unsigned i;

	qsort(seen, n_seen, sizeof seen[0], compare);
	for (i = 1; i < n_seen; i++)
		cr_assert_neq(seen[i - 1], seen[i], "made twice: %#llx",
		    (unsigned long long)seen[i]);
}

/* Holds `n` requests at the same time, and releases them. */
static void
see_at_once(struct evlock *l, unsigned n)
{
	unsigned first = n_seen, i;

	for (i = 0; i < n; i++)
		see(hold(l, S));
	for (i = 0; i < n; i++)
		drop(l, seen[first + i]);
}

LockTest(handles, differ_on_one_lock)
{
	unsigned i;

	for (i = 0; i < 1000; i++)
		see_at_once(lock, 1 + i % 3);
	check_all_differ();
}

/* Slots are freed after a busy time, and made again. */
LockTest(handles, differ_after_busy_times)
{
	static const unsigned n[] = {
		1, 64, 65, 3000, 10, 1500, 6000, 65, 6000, 1, 20000, 3000, 20000
	};
	unsigned i;

	for (i = 0; i < sizeof n / sizeof n[0]; i++)
		see_at_once(lock, scaled(n[i]));
	check_all_differ();
}

LockTest(handles, differ_on_many_locks)
{
	struct evlock *l[40];
	unsigned i, round;

	for (round = 0; round < 5; round++) {
		for (i = 0; i < 40; i++) {
			l[i] = evlock_new(base, NULL);
			see_at_once(l[i], i);
			see(hold(l[i], X));
		}
		for (i = 0; i < 40; i++)
			evlock_free(l[i]);
	}
	check_all_differ();
}

LockTest(handles, differ_on_many_bases)
{
	struct event_base *b[20];
	struct evlock *l[20];
	unsigned i, round;

	for (round = 0; round < scaled(20); round++) {
		for (i = 0; i < 20; i++) {
			b[i] = event_base_new();
			l[i] = evlock_new(b[i], NULL);
			see_at_once(l[i], i % 4 ? i : 100 * i);
		}
		for (i = 0; i < 20; i++) {
			see(hold(l[i], X));
			evlock_free(l[i]);
			event_base_free(b[i]);
		}
	}
	check_all_differ();
}

/* --- Slots that wear out -------------------------------------------------- */

#define LAST (((evlock_handle)0x7fffffff) * EVL_GENERATION)
#define N_MANY 3000	/* some runs of slots */

/* Makes the slot of `handle`, which has been released, as good as worn out: its next generation is
 * its last. */
static void
wear_out(evlock_handle handle)
{
	struct evl_request *r = EVL_REQUEST(EVL_SEAT(lock->pool->free));

	cr_assert_eq((uint32_t)r->handle, (uint32_t)handle, "is the last released next?");
	r->handle = LAST | (uint32_t)handle;
}

LockTest(handles, worn_out_slot_is_retired)
{
	evlock_handle handle = hold(lock, S), last;
	unsigned i;

	drop(lock, handle);
	wear_out(handle);
	last = hold(lock, S);
	cr_assert_eq(last, LAST | (uint32_t)handle);
	drop(lock, last);
	assert_fails(evlock_release(lock, last), ENOENT);
	assert_fails(evlock_release(lock, EVL_HIDDEN | (uint32_t)handle), ENOENT);
	assert_fails(evlock_release(lock, (uint32_t)handle), ENOENT);
	cr_assert_eq(lock->pool->n_retired, 1);
	for (i = 0; i < N_MANY; i++)
		cr_assert_neq((uint32_t)hold(lock, S), (uint32_t)handle, "it is used again");
}

/* The slot of a waiter behind others would stay in the queue if it could be used again. */
LockTest(handles, worn_out_slot_of_a_waiter_is_retired)
{
	struct evlock *other = evlock_new(base, NULL);
	evlock_handle handle, last;

	if (is_threadsafe()) {	/* locks do not share slots */
		evlock_free(other);
		return;
	}
	hold(lock, X);
	ask(lock, "first", X);
	ask(lock, "second", X);
	handle = hold(other, S);
	drop(other, handle);
	wear_out(handle);
	last = ask(lock, "last", X);
	cr_assert_eq(last, LAST | (uint32_t)handle);
	drop(lock, last);
	cr_assert_eq(lock->pool->n_retired, 1);
	cr_assert_eq(evlock_waiting(lock), 2);
	assert_fails(evlock_release(lock, last), ENOENT);
	for (unsigned i = 0; i < N_MANY; i++)
		cr_assert_neq((uint32_t)hold(other, S), (uint32_t)handle, "it is used again");
	evlock_free(other);
}

/* Returns the slot of the last hold. */
static uint32_t
hold_many(void)
{
	unsigned i;

	for (i = 0; i < N_MANY; i++)
		seen[i] = hold(lock, S);
	return (uint32_t)seen[i - 1];
}

static void
make_new_lock(void)
{
	evlock_free(lock);
	lock = evlock_new(base, NULL);
}

/* The slot is used again neither while the pool exists nor by a later pool. */
LockTest(handles, worn_out_slot_is_retired_for_ever)
{
	unsigned i, round;
	uint32_t slot;

	slot = hold_many();
	for (i = N_MANY; i-- > 0; )
		drop(lock, seen[i]);
	while ((uint32_t)(seen[0] = hold(lock, S)) != slot)
		;
	drop(lock, seen[0]);
	wear_out(slot);
	drop(lock, hold(lock, S));
	for (round = 0; round < 3; round++) {
		make_new_lock();
		for (i = 0; i < N_MANY; i++)
			cr_assert_neq((uint32_t)hold(lock, S), slot, "it is used again");
	}
}

/* Later requests do not renew a slot that has one use left. */
LockTest(handles, nearly_worn_out_slot_is_not_renewed)
{
	unsigned i, round;
	uint32_t slot;

	slot = hold_many();
	for (i = 0; i < N_MANY; i++)
		drop(lock, seen[i]);
	wear_out(slot);
	for (round = 0; round < 3; round++) {
		make_new_lock();
		for (i = 0; i < N_MANY; i++) {
			evlock_handle handle = hold(lock, S);

			cr_assert((uint32_t)handle != slot || handle == (LAST | slot));
		}
	}
}

/* --- Numbers run out ------------------------------------------------------ */

static struct evl_pool pool[200];

/* Takes all slot numbers that are left, in large runs, then in smaller ones. */
static unsigned
take_all_numbers(void)
{
	uint32_t size = (uint32_t)1 << 26;
	unsigned n = 0;

	while (size >= 64) {
		evl_handles_init(&pool[n], size);
		if (evl_handles_get(&pool[n])) {
			n++;
		} else {
			cr_assert_eq(errno, ENOMEM);
			size /= 2;
		}
	}
	return n;
}

/* There are 2^32 numbers for all bases together.  A request that gets none fails, and requests that
 * have one continue. */
LockTest(handles, numbers_run_out)
{
	struct event_base *other_base = event_base_new();
	struct evlock *other = evlock_new(other_base, NULL);
	unsigned i, n;

	for (i = 0; i < 64; i++)
		see(hold(lock, S));
	n = take_all_numbers();
	cr_assert_geq(n, 63);
	assert_refused(evlock_acquire_nowait(lock, S), ENOMEM);
	assert_refused(evlock_acquire(lock, X, NULL, note, NULL), ENOMEM);
	assert_refused(evlock_acquire_nowait(other, S), ENOMEM);
	drop(lock, seen[10]);
	see(hold(lock, S));
	evlock_free(lock);
	lock = NULL;
	see(hold(other, S));
	check_all_differ();
	while (n-- > 0)
		evl_handles_clear(&pool[n]);
	evlock_free(other);
	event_base_free(other_base);
}
