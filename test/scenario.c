/* SPDX-License-Identifier: BSD-3-Clause */

/* See scenario.h. */

#define SHIM_ASSERTS_ONLY
#include "shim.h"

#include <limits.h>
#include <string.h>

#include "util.h"
#include "scenario.h"

int is_for_ever, is_out;
unsigned n_asked;
int is_due[MOST_ASKED], was_told[MOST_ASKED];

static const struct scenario *played;

void
count_told(struct evlock *l, evlock_handle handle, int error, void *arg)
{
	(void)l;
	(void)handle;
	(void)error;
	++*(int *)arg;
}

/* Only where memory is about to run out, because it takes time. */
static int
is_near(void)
{
	return memory.made < memory.last_bad && memory.first_bad - memory.made < 20;
}

static size_t
count(void)
{
	return played->count ? played->count() : 0;
}

struct picture
picture(void)
{
	struct picture now = { is_near() ? state() : NULL, count() };

	return now;
}

void
look_at_failure(struct picture before)
{
	cr_assert_eq(errno, ENOMEM, "%s", strerror(errno));
	cr_assert_not_null(before.state);
	cr_assert_str_eq(state(), before.state);
	cr_assert_eq(count(), before.count);
	is_out = 1;
}

/* Plays with the n-th allocation failing.  Returns 0 if there are fewer. */
static int
fail_at(long n)
{
	long before = memory.live;

	base = event_base_new();
	played->begin();
	n_asked = 0;
	is_out = 0;
	memset(was_told, 0, sizeof was_told);
	memory.first_bad = memory.made + n;
	memory.last_bad = is_for_ever ? LONG_MAX : memory.first_bad;
	played->use();
	played->end();
	is_out = is_out || memory.made >= memory.first_bad;
	memory.last_bad = 0;
	played->clear();
	event_base_free(base);
	cr_assert_eq(memory.live, before, "%ld: %ld allocations are left", n, memory.live - before);
	told();
	return is_out;
}

/* Most allocations are alike.  At scale "small", only one in ten fails after the first hundred. */
static long
step_after(long n)
{
	return n < 100 ? 1 : 10 / (long)scaled(10);
}

void
fail_each_allocation(const struct scenario *scenario, int for_ever, long least)
{
	struct event_base *first = base;
	long n = 1;

	played = scenario;
	is_for_ever = for_ever;
	while (fail_at(n))
		n += step_after(n);
	cr_assert_gt(n, least, "so few?");
	base = first;
}
