/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef BENCH_BENCH_H_INCLUDED_
#define BENCH_BENCH_H_INCLUDED_

/* What every program of the bench needs: choosing workloads from the command
 * line, a clock, a count of memory, chance, and one way to print a result.
 * Single-threaded, except that the threads of rwlock.c and threads.c read the clock. */

#include <stddef.h>
#include <stdint.h>

/** One thing that can be measured. */
struct bench_workload {
	const char *name;
	long n;			/**< its size if the command line gives none */
	void (*run)(long n);	/**< prints the lines */
};

/** Runs the workloads that `tokens`, "W2:1000" or "W2", name in turn, or all if there
 * are none.  Tokens and table end with a NULL name.  Returns main()'s status: 2 for a
 * token that is no workload. */
int bench_run(const char *peer, const struct bench_workload *table, char **tokens);

/** Prints "peer workload param value unit". */
void bench_line(const char *workload, const char *param, double value, const char *unit);

/** The same with a number for the parameter. */
void bench_line_n(const char *workload, long n, double value, const char *unit);

/** The monotonic clock. */
uint64_t bench_now(void);

/** How often to repeat a round of `n` steps, to have taken some `steps`. */
long bench_rounds(long n, long steps);

/** Bytes of this process in memory; 0 where the system does not tell. */
long bench_rss(void);

/** Zeroed memory; ends the program if there is none. */
void *bench_alloc(size_t n, size_t size);

/** Ends the program, saying why. */
void bench_die(const char *why);

/** Puts `v` into a random order, the same in every process. */
void bench_shuffle(uint32_t *v, long n);

/** A run whose outcome is wrong has measured nothing.  Inline, as it stands in
 * callbacks that are measured. */
static inline void
bench_require(int is_true, const char *what)
{
	if (!is_true)
		bench_die(what);
}

/** The next of a fixed sequence of random numbers (splitmix64). */
static inline uint64_t
bench_random(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15u;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return z ^ z >> 31;
}

/** True for one draw of ten: the exclusive ones of W3. */
static inline int
bench_is_tenth(uint64_t *state)
{
	return (uint32_t)bench_random(state) % 10 == 0;
}

#endif
