/* SPDX-License-Identifier: BSD-3-Clause */

/* See must.h. */

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "must.h"

void (*must_tell_story)(void);
void (*must_tell_input)(void);
void (*must_report)(const char *text);
FILE *must_out;
uint64_t must_note;

static void
tell_all(void)
{
	if (must_note)
		fprintf(must_out, "  this run: EVLOCK_TEST_SEED=%" PRIu64 "\n", must_note);
	if (must_tell_story)
		must_tell_story();
	if (must_tell_input)
		must_tell_input();
}

void
must_fail(const char *file, int line, const char *condition, const char *format, ...)
{
	char *text = NULL;
	size_t size;
	va_list args;

	must_out = open_memstream(&text, &size);
	fprintf(must_out, "%s:%d: not so: %s", file, line, condition);
	va_start(args, format);
	vfprintf(must_out, format, args);
	va_end(args);
	fputc('\n', must_out);
	tell_all();
	fclose(must_out);
	if (must_report)
		must_report(text);
	fputs(text, stderr);
	fflush(NULL);
	abort();
}

uint64_t
must_seed(void)
{
	const char *text = getenv("EVLOCK_TEST_SEED");
	uint64_t seed;

	seed = text && *text ? strtoull(text, NULL, 0)
	    : ((uint64_t)time(NULL) << 16 ^ (uint64_t)getpid()) & 0xffffffff;
	fprintf(stderr, "# EVLOCK_TEST_SEED=%" PRIu64 "\n", seed);
	return seed;
}

int
must_size(void)
{
	const char *scale = getenv("EVLOCK_TEST_SCALE");

	if (scale && !strcmp(scale, "small"))
		return 0;
	return scale && !strcmp(scale, "large") ? 2 : 1;
}

long
must_times(long small, long normal, long large)
{
	const long times[] = { small, normal, large };

	return times[must_size()];
}
