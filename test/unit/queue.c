/* SPDX-License-Identifier: BSD-3-Clause */

/* Whose turn it is: first come, first served, within four priorities, and with
 * EVLOCK_OPT_PREFER_EXCLUSIVE; nobody barges. */

#include <stdio.h>
#include <stdlib.h>

#include "../shim.h"
#include "../util.h"

/* --- First come, first served --------------------------------------------- */

LockTest(queue, first_come_first_served)
{
	evlock_handle held = hold(lock, X);

	ask_then(lock, "a", X, note_and_drop);
	ask_then(lock, "b", S, note_and_drop);
	ask_then(lock, "c", U, note_and_drop);
	ask_then(lock, "d", X, note_and_drop);
	ask_then(lock, "e", N, note_and_drop);
	cr_assert_str_eq(let_go(lock, held), "a b c d e");
}

LockTest(queue, no_one_passes_a_waiter)
{
	hold(lock, S);
	ask(lock, "writer", X);
	ask(lock, "reader", S);
	ask(lock, "nobody", N);
	cr_assert_str_eq(run(), "");
	cr_assert_eq(evlock_waiting(lock), 3);
}

LockTest(queue, nowait_passes_no_waiter)
{
	hold(lock, S);
	ask(lock, "writer", X);
	assert_refused(evlock_acquire_nowait(lock, S), EAGAIN);
	assert_refused(evlock_acquire_nowait(lock, N), EAGAIN);
	assert_refused(evlock_acquire_request(lock, &(struct evlock_request){ .mode = S }), EAGAIN);
}

LockTest(queue, nowait_does_not_slip_in_before_the_callback)
{
	evlock_handle held = hold(lock, X);

	ask(lock, "next", X);
	drop(lock, held);
	assert_refused(evlock_acquire_nowait(lock, S), EAGAIN);
	cr_assert_str_eq(run(), "next");
}

LockTest(queue, nowait_leaves_nothing_behind_if_it_fails)
{
	evlock_handle held = hold(lock, X);

	assert_refused(evlock_acquire_nowait(lock, X), EAGAIN);
	cr_assert_eq(evlock_waiting(lock), 0);
	drop(lock, held);
	cr_assert_eq(evlock_locked(lock), N);
}

LockTest(queue, readers_do_not_starve_a_writer)
{
	evlock_handle reader = hold(lock, S), next;
	unsigned i;

	ask(lock, "writer", X);
	for (i = 0; i < 100; i++) {
		next = ask(lock, "reader", S);
		evlock_release(lock, reader);
		reader = next;
		if (evlock_locked(lock) == X)
			break;
	}
	cr_assert_eq(i, 0);
	cr_assert_str_eq(run(), "writer");
}

/* --- Priorities ----------------------------------------------------------- */

LockTest(queue, priorities)
{
	static const char *const name[4][3] = {
		{ "0a", "0b", "0c" }, { "1a", "1b", "1c" },
		{ "2a", "2b", "2c" }, { "3a", "3b", "3c" },
	};
	evlock_handle held = hold(lock, X);
	unsigned i, p;

	for (i = 0; i < 3; i++)
		for (p = 0; p < 4; p++)
			ASK(lock, name[(p + i) % 4][i], .mode = X, .priority = (p + i) % 4,
			    .cb = note_and_drop);
	cr_assert_str_eq(let_go(lock, held), "3a 3b 3c 2a 2b 2c 1a 1b 1c 0a 0b 0c");
}

LockTest(queue, priority_disturbs_no_holder)
{
	hold(lock, S);
	ASK(lock, "urgent", .mode = X, .priority = 3);
	cr_assert_str_eq(run(), "");
	assert_refused(evlock_acquire_nowait(lock, S), EAGAIN);
}

LockTest(queue, priority_passes_what_is_lower)
{
	hold(lock, S);
	ask(lock, "writer", X);
	ASK(lock, "urgent", .mode = S, .priority = 1);
	cr_assert_str_eq(run(), "urgent");
}

LockTest(queue, priority_passes_nothing_of_its_own)
{
	hold(lock, S);
	ASK(lock, "writer", .mode = X, .priority = 2);
	ASK(lock, "reader", .mode = S, .priority = 2);
	ASK(lock, "lower", .mode = S, .priority = 1);
	cr_assert_str_eq(run(), "");
}

LockTest(queue, priority_of_nowait)
{
	struct evlock_request request = { .mode = S, .priority = 1 };

	hold(lock, S);
	ASK(lock, "writer", .mode = X, .priority = 1);
	assert_refused(evlock_acquire_request(lock, &request), EAGAIN);
	request.priority = 2;
	cr_assert_neq(evlock_acquire_request(lock, &request), 0);
}

/* --- EVLOCK_OPT_PREFER_EXCLUSIVE ------------------------------------------ */

static struct evlock *
new_preferring(const struct evlock_modes *modes)
{
	struct evlock_options options = { .flags = EVLOCK_OPT_PREFER_EXCLUSIVE, .modes = modes };

	return evlock_new(base, &options);
}

LockTest(queue, preferred_pass_waiting_others)
{
	struct evlock *l = new_preferring(NULL);
	evlock_handle held = hold(l, X);

	ask_then(l, "a", S, note_and_drop);
	ask_then(l, "b", U, note_and_drop);
	ask_then(l, "c", X, note_and_drop);
	ask_then(l, "d", X, note_and_drop);
	cr_assert_str_eq(let_go(l, held), "c d a b");
	evlock_free(l);
}

LockTest(queue, preferred_disturb_no_holder)
{
	struct evlock *l = new_preferring(NULL);
	evlock_handle held = hold(l, S);

	ask(l, "writer", X);
	cr_assert_str_eq(run(), "");
	cr_assert_str_eq(let_go(l, held), "writer");
	evlock_free(l);
}

LockTest(queue, preferred_within_their_priority)
{
	struct evlock *l = new_preferring(NULL);
	evlock_handle held = hold(l, X);

	ASK(l, "S1", .mode = S, .priority = 1, .cb = note_and_drop);
	ASK(l, "X0", .mode = X, .priority = 0, .cb = note_and_drop);
	ASK(l, "X1", .mode = X, .priority = 1, .cb = note_and_drop);
	ASK(l, "S2", .mode = S, .priority = 2, .cb = note_and_drop);
	cr_assert_str_eq(let_go(l, held), "S2 X1 S1 X0");
	evlock_free(l);
}

static const struct evlock_mode odd_mode[] = {
	{ .name = "mutex", .conflicts = 1 },
	{ .name = "free" },
};
static const struct evlock_modes odd_modes = { .mode = odd_mode, .n_modes = 2 };

LockTest(queue, preferred_is_the_last_mode_of_a_table)
{
	struct evlock *l = new_preferring(&odd_modes);

	hold(l, 0);
	ask(l, "waits", 0);
	ask(l, "passes", 1);
	hold(l, 1);
	cr_assert_str_eq(run(), "passes");
	evlock_free(l);
	cr_assert_str_eq(told(), "waits:ECANCELED");
}

LockTest(queue, preferred_only_if_asked_for)
{
	struct evlock *l = evlock_new(base, &(struct evlock_options){ .modes = &odd_modes });

	hold(l, 0);
	ask(l, "waits", 0);
	ask(l, "waits too", 1);
	assert_refused(evlock_acquire_nowait(l, 1), EAGAIN);
	cr_assert_str_eq(run(), "");
	evlock_free(l);
	cr_assert_str_eq(told(), "waits:ECANCELED waits too:ECANCELED");
}

/* --- All of it, at random ------------------------------------------------- */

#define N_WAITERS 200

struct waiter {
	evlock_handle handle;
	unsigned rank, arrival;
	char name[12];
};

static int
compare(const void *a_, const void *b_)
{
	const struct waiter *a = a_, *b = b_;

	if (a->rank != b->rank)
		return a->rank < b->rank ? 1 : -1;
	return a->arrival < b->arrival ? -1 : 1;
}

/* Queues and withdraws exclusive and other waiters, then looks at the order. */
static void
shuffle(struct evlock *l, unsigned seed)
{
	struct waiter w[N_WAITERS];
	evlock_handle held = hold(l, X);
	unsigned i, n = 0;

	srand(seed);
	for (i = 0; i < N_WAITERS; i++) {
		unsigned priority = (unsigned)rand() % 4, mode = rand() % 2 ? U : X;

		if (n && rand() % 3 == 0) {
			unsigned k = (unsigned)rand() % n;

			drop(l, w[k].handle);
			w[k] = w[--n];
			continue;
		}
		w[n].rank = 2 * priority + (mode == X);
		w[n].arrival = i;
		snprintf(w[n].name, sizeof w[n].name, "%u", i);
		w[n].handle = ASK(l, "", .mode = mode, .priority = priority);
		n++;
	}
	qsort(w, n, sizeof w[0], compare);
	for (i = 0; i < n; i++) {
		drop(l, held);
		held = w[i].handle;
		cr_assert_neq(evlock_mode_of(l, held), -1, "seed %u: not %u of %u", seed, i, n);
	}
	drop(l, held);
}

LockTest(queue, at_random)
{
	struct evlock *l = new_preferring(NULL);
	unsigned seed;

	for (seed = 0; seed < scaled(300); seed++)
		shuffle(l, seed);
	evlock_free(l);
}
