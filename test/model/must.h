/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef MUST_H_INCLUDED_
#define MUST_H_INCLUDED_

/* What every part of the model tests uses: MUST(), which ends the program with the
 * story of what was done so far, and the two knobs in the environment.  Not a
 * cr_assert(), as it serves programs without Criterion (the fuzz target), too. */

#include <stdint.h>
#include <stdio.h>

/** Ends the program with a message unless `condition` holds. */
#define MUST(condition, ...) \
	do { \
		if (!(condition)) \
			must_fail(__FILE__, __LINE__, #condition, __VA_ARGS__); \
	} while (0)

void must_fail(const char *file, int line, const char *condition, const char *format, ...)
    __attribute__((noreturn, format(printf, 4, 5)));

/** What prints the story, to must_out; NULL: nothing. */
extern void (*must_tell_story)(void);
extern void (*must_tell_input)(void);
extern FILE *must_out;

/** What takes the whole text in the end; NULL: it goes to stderr, and abort() follows.
 * Criterion 2.4.1 throws stderr away when it writes TAP, so tests give it to cr_assert(). */
extern void (*must_report)(const char *text);
#define MUST_REPORT_BY_CRITERION \
	static void \
	report(const char *text) \
	{ \
		cr_assert(!text, "%s", text); \
	}

/** The seed of the run that is under way; 0: none. */
extern uint64_t must_note;

/** EVLOCK_TEST_SEED, or one of today; printed either way. */
uint64_t must_seed(void);

/** `normal`, a tenth of it or twenty times as much: EVLOCK_TEST_SCALE is "small" or "large". */
unsigned long must_scale(unsigned long normal);

/** 0 for "small", 1, or 2 for "large". */
int must_size(void);

#endif
