/* SPDX-License-Identifier: BSD-3-Clause */

/* See numbers.h. */

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "numbers.h"

static void
refuse(const char *what, const char *text)
{
	fprintf(stderr, "evflock: %s: '%s'\n", what, text);
	exit(EX_USAGE);
}

double
number_seconds(const char *text)
{
	char *end;
	double seconds = strtod(text, &end);

	if (end == text || *end != '\0')
		refuse("invalid number of seconds", text);
	return seconds;
}

static long
parse(const char *what, const char *text, long least, long most)
{
	char *end;
	long number;

	errno = 0;
	number = strtol(text, &end, 10);
	if (errno || end == text || *end != '\0' || number < least || number > most)
		refuse(what, text);
	return number;
}

int
number_status(const char *text)
{
	return (int)parse("invalid exit code (0 to 255)", text, 0, 255);
}

int
number_descriptor(const char *text)
{
	return (int)parse("bad file descriptor", text, INT_MIN, INT_MAX);
}

/* The power of 1024 or 1000 that the unit stands for, or -1. */
static int64_t
factor_of(const char *unit)
{
	static const char letters[] = "KMGT";
	const char *letter = *unit ? strchr(letters, *unit) : NULL;
	int64_t base = 1024, factor = 1;

	if (*unit == '\0')
		return 1;
	if (letter && !strcmp(unit + 1, "B"))
		base = 1000;
	else if (!letter || (unit[1] != '\0' && strcmp(unit + 1, "iB")))
		return -1;
	for (; letter >= letters; letter--)
		factor *= base;
	return factor;
}

off_t
number_bytes(const char *text)
{
	char *unit;
	intmax_t number;
	int64_t factor;

	errno = 0;
	number = strtoimax(text, &unit, 10);
	factor = factor_of(unit);
	if (errno || unit == text || number < 0 || factor < 0 || number > INT64_MAX / factor)
		refuse("invalid number of bytes", text);
	return (off_t)(number * factor);
}
