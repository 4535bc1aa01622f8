/* SPDX-License-Identifier: BSD-3-Clause */

/* See bench.h. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "bench.h"

static const char *peer_name;

static const struct bench_workload *
find(const struct bench_workload *table, const char *token)
{
	size_t len = strcspn(token, ":");

	for (; table->name; table++)
		if (!strncmp(table->name, token, len) && !table->name[len])
			return table;
	return NULL;
}

/** The token's size, or the workload's own; 0 if it makes no sense. */
static long
size_of(const struct bench_workload *w, const char *token)
{
	const char *colon = strchr(token, ':');
	char *end;
	long n;

	if (!colon)
		return w->n;
	n = strtol(colon + 1, &end, 10);
	return *end || n < 1 ? 0 : n;
}

static int
run_token(const struct bench_workload *table, const char *token)
{
	const struct bench_workload *w = find(table, token);
	long n = w ? size_of(w, token) : 0;

	if (!n) {
		fprintf(stderr, "%s: no such workload: %s\n", peer_name, token);
		return 2;
	}
	w->run(n);
	return 0;
}

static void
run_all(const struct bench_workload *table)
{
	for (; table->name; table++)
		table->run(table->n);
}

int
bench_run(const char *peer, const struct bench_workload *table, char **tokens)
{
	int status = 0;

	peer_name = peer;
	if (!*tokens)
		run_all(table);
	while (*tokens && !status)
		status = run_token(table, *tokens++);
	return status;
}

void
bench_line(const char *workload, const char *param, double value, const char *unit)
{
	printf("%s %s %s %.2f %s\n", peer_name, workload, param, value, unit);
	fflush(stdout);
}

void
bench_line_n(const char *workload, long n, double value, const char *unit)
{
	char param[32];

	snprintf(param, sizeof(param), "%ld", n);
	bench_line(workload, param, value, unit);
}

uint64_t
bench_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

long
bench_rounds(long n, long steps)
{
	return n < steps ? steps / n : 1;
}

long
bench_rss(void)
{
	FILE *file = fopen("/proc/self/statm", "r");
	long pages = 0;

	if (!file)
		return 0;
	if (fscanf(file, "%*d %ld", &pages) != 1)
		pages = 0;
	fclose(file);
	return pages * sysconf(_SC_PAGESIZE);
}

void *
bench_alloc(size_t n, size_t size)
{
	void *memory = calloc(n, size);

	bench_require(memory != NULL, "no memory");
	return memory;
}

void
bench_die(const char *why)
{
	fprintf(stderr, "%s: %s\n", peer_name, why);
	exit(1);
}

void
bench_shuffle(uint32_t *v, long n)
{
	static uint64_t state = 5;

	for (long i = n; i > 1; i--) {
		long other = (long)(bench_random(&state) % (uint64_t)i);
		uint32_t kept = v[i - 1];

		v[i - 1] = v[other];
		v[other] = kept;
	}
}
