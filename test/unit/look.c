/* SPDX-License-Identifier: BSD-3-Clause */

/* evlock_locked(), evlock_held(), evlock_waiting(), evlock_mode_of(), evlock_dump(). */

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../shim.h"
#include "../util.h"

LockTest(look, locked_is_the_strongest_held)
{
	evlock_handle none, s, u;

	cr_assert_eq(evlock_locked(lock), N);
	none = hold(lock, N);
	cr_assert_eq(evlock_locked(lock), N);
	s = hold(lock, S);
	cr_assert_eq(evlock_locked(lock), S);
	u = hold(lock, U);
	cr_assert_eq(evlock_locked(lock), U);
	drop(lock, s);
	cr_assert_eq(evlock_locked(lock), U);
	drop(lock, u);
	cr_assert_eq(evlock_locked(lock), N);
	hold(lock, X);
	cr_assert_eq(evlock_locked(lock), X);
	drop(lock, none);
}

LockTest(look, locked_is_not_who_waits)
{
	hold(lock, S);
	ask(lock, "a", X);
	cr_assert_eq(evlock_locked(lock), S);
}

LockTest(look, held_counts_each_mode)
{
	evlock_handle s = hold(lock, S);

	hold(lock, S);
	hold(lock, N);
	ask(lock, "a", S);
	ask(lock, "b", X);
	cr_assert_eq(evlock_held(lock, N), 1);
	cr_assert_eq(evlock_held(lock, S), 3);
	cr_assert_eq(evlock_held(lock, U), 0);
	cr_assert_eq(evlock_held(lock, X), 0);
	drop(lock, s);
	cr_assert_eq(evlock_held(lock, S), 2);
	cr_assert_eq(evlock_held(lock, 4), 0);
	cr_assert_eq(evlock_held(lock, UINT32_MAX), 0);
	cr_assert_str_eq(run(), "a");
}

LockTest(look, waiting_counts_requests_and_conversions)
{
	evlock_handle a = hold(lock, S), b = hold(lock, S), w;

	cr_assert_eq(evlock_waiting(lock), 0);
	w = ask(lock, "w", X);
	ask(lock, "v", S);
	cr_assert_eq(evlock_waiting(lock), 2);
	convert(lock, "up", a, X);
	cr_assert_eq(evlock_waiting(lock), 3);
	drop(lock, w);
	cr_assert_eq(evlock_waiting(lock), 2);
	drop(lock, b);
	cr_assert_eq(evlock_waiting(lock), 1);
	drop(lock, a);
	cr_assert_eq(evlock_waiting(lock), 0);
	cr_assert_str_eq(run(), "v");
}

LockTest(look, mode_of)
{
	unsigned mode;

	for (mode = 0; mode < 4; mode++) {
		evlock_handle handle = hold(lock, mode);

		cr_assert_eq(evlock_mode_of(lock, handle), (int)mode);
		drop(lock, handle);
		assert_fails(evlock_mode_of(lock, handle), ENOENT);
	}
	assert_fails(evlock_mode_of(lock, 0), ENOENT);
}

LockTest(look, base)
{
	struct event_base *other_base = event_base_new();
	struct evlock *other = evlock_new(other_base, NULL);

	cr_assert_eq(evlock_get_base(lock), base);
	cr_assert_eq(evlock_get_base(other), other_base);
	evlock_free(other);
	event_base_free(other_base);
}

/* --- evlock_dump() -------------------------------------------------------- */

/* Counts the lines of the dump that contain all three words. */
static unsigned
n_lines(const char *a, const char *b, const char *c)
{
	char *text = strdup(state()), *line;
	unsigned n = 0;

	for (line = strtok(text, "\n"); line; line = strtok(NULL, "\n"))
		n += strstr(line, a) && strstr(line, b) && strstr(line, c);
	free(text);
	return n;
}

/* Returns the handle as the dump prints it, with all digits.  Fewer digits may be part of an
 * address. */
static const char *
hex(evlock_handle handle)
{
	static char text[4][20];
	static unsigned next;

	next = (next + 1) % 4;
	snprintf(text[next], sizeof text[next], "%#018" PRIx64, handle);
	return text[next];
}

LockTest(look, dump_names_the_locks_of_the_base)
{
	struct evlock *other = evlock_new(base, &(struct evlock_options){ .name = "accounts" });
	struct evlock *unnamed = evlock_new(base, NULL);
	struct event_base *here = base, *there = event_base_new();

	cr_assert_not_null(strstr(state(), "accounts"));
	cr_assert_not_null(strstr(state(), "lock"));
	base = there;
	cr_assert_str_eq(state(), "");
	base = here;
	evlock_free(other);
	cr_assert_null(strstr(state(), "accounts"));
	evlock_free(unnamed);
	event_base_free(there);
}

LockTest(look, dump_shows_holders)
{
	evlock_handle a = hold(lock, S), b = ask(lock, "b", U);

	cr_assert_eq(n_lines(hex(a), "shared", ""), 1);
	cr_assert_eq(n_lines(hex(b), "upgradable", ""), 1);
	cr_assert_str_eq(run(), "b");
	cr_assert_eq(n_lines(hex(b), "upgradable", ""), 1);
	drop(lock, a);
	cr_assert_eq(n_lines(hex(a), "", ""), 0);
}

LockTest(look, dump_shows_waiters)
{
	evlock_handle a, b;

	hold(lock, S);
	a = ask(lock, "a", X);
	b = ASK(lock, "b", .mode = N, .handle = EVLOCK_HANDLE_FROM(lock), .priority = 0);
	cr_assert_eq(n_lines(hex(a), "wait", "exclusive"), 1);
	cr_assert_eq(n_lines(hex(b), "wait", "none"), 1);
	drop(lock, a);
	cr_assert_eq(n_lines(hex(a), "", ""), 0);
	cr_assert_eq(n_lines(hex(b), "wait", ""), 0);
	cr_assert_str_eq(run(), "b");
}

LockTest(look, dump_shows_conversions)
{
	evlock_handle a = hold(lock, S);

	hold(lock, S);
	convert(lock, "up", a, X);
	cr_assert_eq(n_lines(hex(a), "shared", "exclusive"), 1);
}

LockTest(look, dump_shows_units_and_priorities)
{
	evlock_handle a = ASK(lock, "a", .mode = S, .units = 17), b;

	b = ASK(lock, "b", .mode = X, .priority = 3);
	cr_assert_eq(n_lines(hex(a), "17", "shared"), 1);
	cr_assert_eq(n_lines(hex(b), "3", "exclusive"), 1);
	cr_assert_str_eq(run(), "a");
}

LockTest(look, dump_shows_that_it_is_closed)
{
	cr_assert_null(strstr(state(), "closed"));
	evlock_close(lock);
	cr_assert_not_null(strstr(state(), "closed"));
}

LockTest(look, dump_of_modes_without_a_name)
{
	static const struct evlock_mode mode[2];
	static const struct evlock_modes modes = { .mode = mode, .n_modes = 2 };
	struct evlock *l = evlock_new(base, &(struct evlock_options){ .modes = &modes });
	evlock_handle handle = hold(l, 1);

	cr_assert_eq(n_lines(hex(handle), "", ""), 1);
	evlock_free(l);
}

LockTest(look, dump_changes_nothing)
{
	const char *before;

	hold(lock, S);
	ask(lock, "a", X);
	before = state();
	cr_assert_str_eq(state(), before);
	cr_assert_eq(evlock_waiting(lock), 1);
	cr_assert_str_eq(run(), "");
}

LockTest(look, dump_escapes_names)
{
	static const struct evlock_mode mode[] = { { .name = "open\n\033[2J" } };
	static const struct evlock_modes modes = { .mode = mode, .n_modes = 1 };
	struct evlock_options options = { .modes = &modes, .name = "a\nlock b\033]0;x\007\xc2\x9b" };
	struct evlock *l = evlock_new(base, &options);

	hold(l, 0);
	cr_assert_eq(n_lines("lock a\\x0alock b\\x1b]0;x\\x07\\xc2\\x9b (", "open\\x0a\\x1b[2J", ""), 1,
	    "%s", state());
	cr_assert_eq(n_lines("held", "open\\x0a\\x1b[2J", ""), 1, "%s", state());
	evlock_free(l);
}

/* --- Without memory --------------------------------------------------------- */

static const char left_out[] = "(out of memory: the rest is left out)\n";

/* The n-th allocation of a dump fails.  The text must begin as `all` does, and end with a whole
 * line.  Returns 0 if there are fewer allocations. */
static int
check_cut_dump(long n, const char *all)
{
	long live = memory.live;
	char *text = NULL, *rest;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	memory.first_bad = memory.last_bad = memory.made + n;
	evlock_dump(base, out);
	memory.last_bad = 0;
	fclose(out);
	rest = strstr(text, left_out);
	cr_assert_eq(memory.live, live);
	if (rest) {
		cr_assert_str_eq(rest, left_out);
		cr_assert(strncmp(text, all, (size_t)(rest - text)) == 0, "%s", text);
		cr_assert(rest == text || rest[-1] == '\n', "%s", text);
	} else
		cr_assert_str_eq(text, all);
	free(text);
	return rest != NULL;
}

LockTest(look, dump_without_memory_ends_early)
{
	const char *all;
	unsigned i;
	long n = 1;

	for (i = 0; i < 1000; i++)
		hold(lock, S);
	all = state();
	while (check_cut_dump(n, all))
		n++;
	cr_assert_gt(n, 5, "so few?");
	cr_assert_str_eq(state(), all);
}
