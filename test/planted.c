/* SPDX-License-Identifier: BSD-3-Clause */

/* Planted mistakes. shim-selftest.sh checks that the runner reports each of them.  This is not a
 * test itself. */

#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "shim.h"

/* --- sound: all of these pass --------------------------------------------- */

static int n_begun;

static void
begin(void)
{
	n_begun++;
}

static void
end(void)
{
	cr_assert_eq(n_begun, 0);
}

TestSuite(sound_suite, .init = begin);

Test(sound, assertions)
{
	cr_assert(1);
	cr_assert(1, "with a reason: %d", 1);
	cr_assert_not(0);
	cr_assert_null(NULL);
	cr_assert_not_null("");
	cr_assert_eq(1, 1);
	cr_assert_neq(1, 2);
	cr_assert_lt(1, 2);
	cr_assert_leq(1, 1);
	cr_assert_gt(2, 1);
	cr_assert_geq(1, 1);
	cr_assert_str_eq("a", "a");
	cr_assert_str_neq("a", "b");
}

Test(sound_suite, begun_by_the_suite)
{
	cr_assert_eq(n_begun, 1);
}

Test(sound_suite, begun_by_the_suite_and_the_test, .init = begin)
{
	cr_assert_eq(n_begun, 2);
}

Test(sound, ended, .init = begin, .fini = end)
{
	n_begun--;
}

Test(sound, exit_code, .exit_code = 3)
{
	exit(3);
}

Test(sound, signal, .signal = SIGABRT)
{
	abort();
}

Test(sound, memory)
{
	free(malloc(100));
}

/* --- wrong: none of these pass, whatever the runner ----------------------- */

Test(wrong, assert) { cr_assert(0); }
Test(wrong, assert_reason) { cr_assert(0, "with a reason: %d", 1); }
Test(wrong, assert_not) { cr_assert_not(1); }
Test(wrong, assert_null) { cr_assert_null(""); }
Test(wrong, assert_not_null) { cr_assert_not_null(NULL); }
Test(wrong, assert_eq) { cr_assert_eq(1, 2); }
Test(wrong, assert_neq) { cr_assert_neq(1, 1); }
Test(wrong, assert_lt) { cr_assert_lt(1, 1); }
Test(wrong, assert_leq) { cr_assert_leq(2, 1); }
Test(wrong, assert_gt) { cr_assert_gt(1, 1); }
Test(wrong, assert_geq) { cr_assert_geq(1, 2); }
Test(wrong, assert_str_eq) { cr_assert_str_eq("a", "b"); }
Test(wrong, assert_str_neq) { cr_assert_str_neq("a", "a"); }
Test(wrong, init, .init = abort) { }
Test(wrong, exit_code) { exit(3); }
Test(wrong, other_exit_code, .exit_code = 4) { exit(3); }
Test(wrong, no_exit_code, .exit_code = 3) { }
Test(wrong, signal) { raise(SIGKILL); }
Test(wrong, other_signal, .signal = SIGTERM) { raise(SIGKILL); }
Test(wrong, no_signal, .signal = SIGTERM) { }
Test(wrong, hangs, .timeout = 1) { for (;;) pause(); }

/* --- unheard: the shim reports them, Criterion 2.4.1 does not ------------- */

Test(unheard, early_exit) { exit(0); }
Test(unheard, assert_in_fini, .init = begin, .fini = end) { }
Test(unheard, abort_in_fini, .fini = abort) { }

/* --- memory: ASan with LeakSanitizer, or valgrind ------------------------- */

static char *volatile block;
static volatile size_t size = 16;
static volatile char sink;

__attribute__((noinline)) static void
lose(void)
{
	int i;

	for (i = 0; i < 100; i++)
		block = malloc(size);
	block = NULL;
}

Test(memory, leaked) { lose(); }

Test(memory, leaked_in_fini, .fini = lose) { }

Test(memory, overflown)
{
	block = malloc(size);
	block[size] = 1;
	free(block);
}

Test(memory, read_after_free)
{
	block = malloc(size);
	free(block);
	sink = block[0];
}

Test(memory, freed_twice)
{
	char *volatile again = block = malloc(size);

	free(block);
	free(again);
}

/* --- uninitialised: valgrind ---------------------------------------------- */

Test(uninitialised, branch)
{
	block = malloc(size);
	if (block[0])
		sink = 1;
	free(block);
}

/* --- undefined: UBSan ----------------------------------------------------- */

static volatile int number = INT_MAX;
static volatile int shift = 40;

Test(undefined, overflow) { number = number + 1; }
Test(undefined, shift) { number = 1 << shift; }

Test(undefined, misaligned)
{
	char bytes[2 * sizeof(int)] = { 0 };
	int *volatile p = (int *)(void *)(bytes + 1 - (((size_t)bytes & 1)));

	number = *p;
}

/* --- race: TSan ----------------------------------------------------------- */

static int shared;

static void *
increment(void *arg)
{
	int i;

	for (i = 0; i < 10000; i++)
		shared++;
	return arg;
}

Test(race, counter)
{
	pthread_t thread;

	pthread_create(&thread, NULL, increment, NULL);
	increment(NULL);
	pthread_join(thread, NULL);
}
