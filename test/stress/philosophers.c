/* SPDX-License-Identifier: BSD-3-Clause */

/* Dijkstra's philosophers: a hundred of them around a table, each with a set of the two forks
 * beside him, in an arbitrary order, and always hungry.  Everyone must eat, and nobody less than
 * half as often as another.  No two neighbours may eat at once. */

#include <stdlib.h>
#include <string.h>

#include <event2/event.h>

#include <evlock/set.h>

#include "../must.h"
#include "../shim.h"

#define SEATS 100

struct philosopher {
	struct evlock *forks;	/* a set */
	evlock_handle handle;	/* not 0: eating */
	long meals;
};

static struct event_base *base;
static struct event *end_of_course;
static struct philosopher table[SEATS];
static unsigned eating[SEATS];	/* the philosophers that eat, in the order in which they began */
static unsigned n_eating;
static long meals_left;

static int
eats(unsigned seat)
{
	return table[seat % SEATS].handle != 0;
}

static void
on_forks(struct evlock *forks, evlock_handle handle, int error, void *arg)
{
	struct philosopher *p = arg;
	unsigned seat = (unsigned)(p - table);

	(void)forks;
	cr_assert_eq(error, 0);
	cr_assert(!eats(seat + 1) && !eats(seat + SEATS - 1));
	p->handle = handle;
	p->meals++;
	eating[n_eating++] = seat;
	event_active(end_of_course, EV_TIMEOUT, 0);
}

static void
get_hungry(struct philosopher *p)
{
	if (meals_left-- > 0)
		cr_assert_neq(evlock_acquire(p->forks, EVLOCK_EXCLUSIVE, NULL, on_forks, p), 0);
}

/* Some philosophers have finished and are hungry again. */
static void
on_end_of_course(evutil_socket_t fd, short what, void *arg)
{
	unsigned i, n = n_eating;

	(void)fd;
	(void)what;
	(void)arg;
	n_eating = 0;
	for (i = 0; i < n; i++) {
		struct philosopher *p = &table[eating[i]];

		cr_assert_eq(evlock_release(p->forks, p->handle), 0);
		p->handle = 0;
		get_hungry(p);
	}
}

static void
lay_table(struct evlock *fork[SEATS])
{
	unsigned i;

	for (i = 0; i < SEATS; i++)
		fork[i] = evlock_new(base, NULL);
	for (i = 0; i < SEATS; i++) {
		int is_left_handed = rand() & 1;
		struct evlock_set_member both[2] = {
			{ fork[(i + is_left_handed) % SEATS], EVLOCK_SAME_MODE },
			{ fork[(i + !is_left_handed) % SEATS], EVLOCK_SAME_MODE },
		};

		table[i].forks = evlock_set_new(both, 2, NULL);
		cr_assert_neq(table[i].forks, NULL);
	}
}

static void
check_fairness(void)
{
	long least = table[0].meals, most = least;
	unsigned i;

	for (i = 1; i < SEATS; i++) {
		least = table[i].meals < least ? table[i].meals : least;
		most = table[i].meals > most ? table[i].meals : most;
	}
	cr_assert(2 * least >= most, "someone ate %ld times, and someone %ld", least, most);
}

Test(philosophers, eat, .timeout = 150)
{
	struct evlock *fork[SEATS];
	unsigned i;

	base = event_base_new();
	end_of_course = event_new(base, -1, 0, on_end_of_course, NULL);
	lay_table(fork);
	meals_left = must_times(20000, 1000000, 1000000);
	for (i = 0; i < SEATS; i++)
		get_hungry(&table[i]);
	event_base_dispatch(base);
	for (i = 0; i < SEATS; i++) {
		cr_assert_eq(evlock_waiting(table[i].forks), 0);
		evlock_free(table[i].forks);
	}
	check_fairness();
	for (i = 0; i < SEATS; i++)
		evlock_free(fork[i]);
	event_free(end_of_course);
	event_base_free(base);
}
