/* SPDX-License-Identifier: BSD-3-Clause */

/* What it costs to have more than one lock: keys of a table, sets, and owners.
 * One thread, one base.
 *
 * usage: bench/several [K1[:KEYS]] [K2[:PAIRS]] [K3[:WAITERS]] ...
 */

#include <stdio.h>
#include <string.h>

#include <event2/event.h>
#include <evlock/owner.h>
#include <evlock/set.h>
#include <evlock/table.h>

#include "bench.h"

static struct event_base *base;

static double
each(uint64_t since, long n)
{
	return (double)(bench_now() - since) / (double)n;
}

/* --- K1: one request for each of many keys ---------------------------------- */

static void
acquire_keys(struct evlock_table *table, evlock_handle *handle, long n)
{
	long key;

	for (key = 0; key < n; key++) {
		handle[key] = evlock_table_acquire_nowait(table, &key, sizeof key,
		    EVLOCK_EXCLUSIVE);
		bench_require(handle[key] != 0, "evlock_table_acquire_nowait");
	}
}

static void
release_keys(struct evlock_table *table, const evlock_handle *handle, long n)
{
	long key;

	for (key = 0; key < n; key++)
		bench_require(!evlock_table_release(table, handle[key]), "evlock_table_release");
}

static void
run_keys(long n)
{
	struct evlock_table *table = evlock_table_new(base, NULL);
	evlock_handle *handle = bench_alloc((size_t)n, sizeof *handle);
	long before;
	uint64_t start;

	bench_require(table != NULL, "evlock_table_new");
	memset(handle, 1, (size_t)n * sizeof *handle);
	before = bench_rss();
	start = bench_now();
	acquire_keys(table, handle, n);
	bench_line_n("K1acquire", n, each(start, n), "ns/key");
	bench_line_n("K1rss", n, (double)(bench_rss() - before) / (double)n, "B/key");
	start = bench_now();
	release_keys(table, handle, n);
	bench_line_n("K1release", n, each(start, n), "ns/key");
	bench_require(evlock_table_count(table) == 0, "keys are left");
	evlock_table_free(table);
}

/* --- K2: a set of 2, 4, 8 locks that nobody else wants ----------------------- */

#define MOST_MEMBERS 8

static void
measure_set(struct evlock_set_member *member, size_t n_members, long n)
{
	struct evlock *set = evlock_set_new(member, n_members, NULL);
	uint64_t start = bench_now();
	long i;

	bench_require(set != NULL, "evlock_set_new");
	for (i = 0; i < n; i++)
		bench_require(!evlock_release(set, evlock_acquire_nowait(set, EVLOCK_EXCLUSIVE)),
		    "evlock_release");
	bench_line_n("K2", (long)n_members, each(start, n), "ns/pair");
	evlock_free(set);
}

static void
run_sets(long n)
{
	struct evlock_set_member member[MOST_MEMBERS];
	size_t i;

	for (i = 0; i < MOST_MEMBERS; i++) {
		member[i].lock = evlock_new(base, NULL);
		member[i].mode = EVLOCK_SAME_MODE;
	}
	for (i = 2; i <= MOST_MEMBERS; i *= 2)
		measure_set(member, i, n);
	for (i = 0; i < MOST_MEMBERS; i++)
		evlock_free(member[i].lock);
}

/* --- K3: a convoy, of nobody's and of owners' requests ------------------------ */

static void
pass_on(struct evlock *lock, evlock_handle handle, int error, void *arg)
{
	(void)arg;
	bench_require(!error && !evlock_release(lock, handle), "evlock_release");
}

static void
queue_all(struct evlock *lock, struct evlock_owner **owner, long n)
{
	struct evlock_request request = { .mode = EVLOCK_EXCLUSIVE, .cb = pass_on };
	long i;

	for (i = 0; i < n; i++) {
		request.owner = owner ? owner[i] : NULL;
		bench_require(evlock_acquire_request(lock, &request) != 0,
		    "evlock_acquire_request");
	}
}

static void
measure_convoy(const char *name, struct evlock_owner **owner, long n)
{
	struct evlock *lock = evlock_new(base, NULL);
	evlock_handle first = evlock_acquire_nowait(lock, EVLOCK_EXCLUSIVE);
	uint64_t start = bench_now();

	queue_all(lock, owner, n);
	bench_line("K3queue", name, each(start, n), "ns/waiter");
	start = bench_now();
	bench_require(!evlock_release(lock, first), "evlock_release");
	event_base_loop(base, 0);
	bench_line("K3", name, each(start, n), "ns/grant");
	bench_require(!evlock_locked(lock), "the lock was not left free");
	evlock_free(lock);
}

static void
run_owners(long n)
{
	struct evlock_owner **owner = bench_alloc((size_t)n, sizeof *owner);
	long i;

	for (i = 0; i < n; i++)
		owner[i] = evlock_owner_new(NULL);
	measure_convoy("nobody", NULL, n);
	measure_convoy("owners", owner, n);
	for (i = 0; i < n; i++)
		evlock_owner_free(owner[i]);
}

/* ---------------------------------------------------------------------------- */

static const struct bench_workload workloads[] = {
	{ "K1", 1000000, run_keys },
	{ "K2", 1000000, run_sets },
	{ "K3", 100000, run_owners },
	{ NULL, 0, NULL },
};

int
main(int argc, char **argv)
{
	int status;

	(void)argc;
	base = event_base_new();
	status = bench_run("evlock", workloads, argv + 1);
	event_base_free(base);
	return status;
}
