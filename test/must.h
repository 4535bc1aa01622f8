/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef MUST_H_INCLUDED_
#define MUST_H_INCLUDED_

/* An assertion for tests of models, of threads and of processes, and the two settings in the
 * environment.  cr_assert() serves only the thread that runs a test, and not the programs that
 * are made without Criterion. */

#include <stdint.h>
#include <stdio.h>

/** Ends the program with a message, and the story of what was done so far, unless `condition`
 * holds.  Further arguments are those of printf(), the first a string literal. */
#define MUST(condition, ...) \
	do { \
		if (!(condition)) \
			must_fail(__FILE__, __LINE__, #condition, ": " __VA_ARGS__); \
	} while (0)

void must_fail(const char *file, int line, const char *condition, const char *format, ...)
    __attribute__((noreturn, format(printf, 4, 5)));

/** Prints the story to must_out; NULL: nothing does. */
extern void (*must_tell_story)(void);
extern void (*must_tell_input)(void);
extern FILE *must_out;

/** Gets the whole text.  NULL: it is printed to stderr, and abort() follows.  Criterion 2.4.1
 * drops stderr when it writes TAP, so tests pass the text to cr_assert(). */
extern void (*must_report)(const char *text);
#define MUST_REPORT_BY_CRITERION \
	static void \
	report(const char *text) \
	{ \
		cr_assert(!text, "%s", text); \
	}

/** The seed of the current run; 0: none. */
extern uint64_t must_note;

/** Prints and returns EVLOCK_TEST_SEED, or a new seed if that is not set. */
uint64_t must_seed(void);

/** EVLOCK_TEST_SCALE: 0 for "small", 1 if it is not set, 2 for "large". */
int must_size(void);

/** One of three numbers, by must_size(). */
long must_times(long small, long normal, long large);

#endif
