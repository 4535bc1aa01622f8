/* SPDX-License-Identifier: BSD-3-Clause */

/* The cases of fifolock's tests, one test for each: its mutex, read/write lock and semaphore, as
 * tables of modes. */

#include "../shim.h"
#include "../util.h"

static const struct evlock_mode mutex_mode[] = { { .name = "mutex", .conflicts = 1 } };
static const struct evlock_modes mutex = { .mode = mutex_mode, .n_modes = 1 };

enum { READ, WRITE };

static const struct evlock_mode file_mode[] = {
	[READ] = { .name = "read", .conflicts = 1 << WRITE, .access = EVLOCK_READ },
	[WRITE] = { .name = "write", .conflicts = 1 << READ | 1 << WRITE, .access = EVLOCK_WRITE },
};
static const struct evlock_modes read_write = { .mode = file_mode, .n_modes = 2 };

static const struct evlock_mode semaphore_mode[] = { { .name = "slot", .limit = 2 } };
static const struct evlock_modes semaphore = { .mode = semaphore_mode, .n_modes = 1 };

/* A test with `l`, a lock of these modes. */
#define SeedTest(name, modes_) \
	static void name(struct evlock *l); \
	LockTest(fifolock, name) \
	{ \
		struct evlock *l = evlock_new(base, &(struct evlock_options){ .modes = &modes_ }); \
\
		name(l); \
		evlock_free(l); \
	} \
	static void \
	name(struct evlock *l)

enum { A, B, C };

/* A release, and the grants that follow from it. */
struct step {
	int who;
	const char *told;
};

/* a, b and c make requests in these modes.  Then two of them release. */
static void
play_three(struct evlock *l, const unsigned mode[3], const char *at_once, struct step one,
    struct step two)
{
	evlock_handle handle[3];

	handle[A] = ask(l, "a", mode[A]);
	handle[B] = ask(l, "b", mode[B]);
	handle[C] = ask(l, "c", mode[C]);
	cr_assert_str_eq(run(), at_once);
	cr_assert_str_eq(let_go(l, handle[one.who]), one.told);
	cr_assert_str_eq(let_go(l, handle[two.who]), two.told);
}

#define STEP(who, told) (struct step){ who, told }

static void
check_blocks(struct evlock *l, unsigned first, unsigned second)
{
	evlock_handle a = ask(l, "a", first);

	ask(l, "b", second);
	cr_assert_str_eq(run(), "a");
	cr_assert_str_eq(let_go(l, a), "b");
}

/* --- Mutex ---------------------------------------------------------------- */

SeedTest(mutex_blocks_mutex, mutex) { check_blocks(l, 0, 0); }

/* A mode is a number.  Using it leaves nothing behind. */
SeedTest(mutex_mode_can_be_reused, mutex)
{
	evlock_handle a = ask(l, "a", 0), b;

	cr_assert_str_eq(run(), "a");
	drop(l, a);
	b = ask(l, "b", 0);
	cr_assert_str_eq(run(), "b");
	drop(l, b);
	ask(l, "c", 0);
	cr_assert_str_eq(run(), "c");
}

SeedTest(mutexes_are_independent, mutex)
{
	struct evlock *other = evlock_new(base, &(struct evlock_options){ .modes = &mutex });

	ask(l, "a", 0);
	ask(other, "b", 0);
	cr_assert_str_eq(run(), "a b");
	evlock_free(other);
}

/* C has no exceptions: evlock_with() releases however the callback returns. */
SeedTest(mutex_holder_that_fails_lets_the_next_in, mutex)
{
	evlock_with(l, 0, NULL, note, (void *)(uintptr_t)"a");
	ask(l, "b", 0);
	cr_assert_str_eq(run(), "a b");
}

SeedTest(mutex_cancelled_after_it_acquires, mutex)
{
	static const unsigned mode[] = { 0, 0, 0 };

	play_three(l, mode, "a", STEP(A, "b"), STEP(B, "c"));
}

SeedTest(mutex_cancelled_before_it_acquires, mutex)
{
	static const unsigned mode[] = { 0, 0, 0 };

	play_three(l, mode, "a", STEP(B, ""), STEP(A, "c"));
}

/* The holder is cancelled and then cancels the second, which may have been granted by then or
 * not. */
SeedTest(mutex_cancelled_that_cancels_the_second, mutex)
{
	evlock_handle a = ask(l, "a", 0), b = ask(l, "b", 0);

	ask(l, "c", 0);
	cr_assert_str_eq(run(), "a");
	drop(l, a);
	cr_assert_str_eq(let_go(l, b), "c");
}

SeedTest(mutex_requested_late_waits, mutex)
{
	evlock_handle a = ask(l, "a", 0);

	cr_assert_str_eq(run(), "a");
	ask(l, "b", 0);
	cr_assert_str_eq(run(), "");
	cr_assert_str_eq(let_go(l, a), "b");
}

/* --- Read and write ------------------------------------------------------- */

SeedTest(write_blocks_write, read_write) { check_blocks(l, WRITE, WRITE); }
SeedTest(write_blocks_read, read_write) { check_blocks(l, WRITE, READ); }
SeedTest(read_blocks_write, read_write) { check_blocks(l, READ, WRITE); }

SeedTest(read_allows_read, read_write)
{
	evlock_handle a = ask(l, "a", READ);

	ask(l, "b", READ);
	cr_assert_str_eq(run(), "a b");
	cr_assert_str_eq(let_go(l, a), "");
}

SeedTest(reads_that_end_out_of_order_still_block_a_write, read_write)
{
	static const unsigned mode[] = { READ, READ, WRITE };

	play_three(l, mode, "a b", STEP(B, ""), STEP(A, "c"));
}

SeedTest(write_is_not_given_priority_over_read, read_write)
{
	static const unsigned mode[] = { WRITE, READ, WRITE };

	play_three(l, mode, "a", STEP(A, "b"), STEP(B, "c"));
}

/* --- Semaphore ------------------------------------------------------------ */

SeedTest(semaphore_in_order, semaphore)
{
	static const unsigned mode[] = { 0, 0, 0 };

	play_three(l, mode, "a b", STEP(A, "c"), STEP(B, ""));
}

SeedTest(semaphore_out_of_order, semaphore)
{
	static const unsigned mode[] = { 0, 0, 0 };

	play_three(l, mode, "a b", STEP(B, "c"), STEP(A, ""));
}

/* --- Defects of fifolock -------------------------------------------------- */

/* In fifolock, the waiter behind a cancelled head of the queue is never woken up. */
SeedTest(cancelled_waiter_at_the_head_lets_the_next_in, read_write)
{
	evlock_handle b;

	ask(l, "a", READ);
	b = ask(l, "b", WRITE);
	ask(l, "c", READ);
	cr_assert_str_eq(run(), "a");
	cr_assert_str_eq(let_go(l, b), "c");
}
