/* SPDX-License-Identifier: BSD-3-Clause */

/* What pthread_rwlock costs, where a thread that waits sleeps.  The workloads
 * are those of evlock.c as far as a thread can play the part of a waiter: so
 * there is no convoy beyond a few thousand, and nobody can give up.
 *
 * usage: bench/rwlock [W1[:PAIRS]] [W2:THREADS] [W3[:TIMES]] ...
 */

#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "bench.h"

#define MAX_THREADS	4000
#define N_TASKS		1000
#define ALL_THREADS	200	/* that a small W2 starts in all its rounds */

static pthread_rwlock_t lock = PTHREAD_RWLOCK_INITIALIZER;
static sem_t arrived;	/* by each thread that is about to wait */


/* --- Threads that wait for main() to let go of the lock ------------------- */

static void
start_thread(pthread_t *thread, const pthread_attr_t *attr, void *(*fn)(void *), void *arg)
{
	bench_require(!pthread_create(thread, attr, fn, arg), "no more threads");
}

static pthread_t *
start_threads(long n, void *(*fn)(void *), uint64_t *arg)
{
	pthread_t *threads = bench_alloc((size_t)n, sizeof(*threads));
	pthread_attr_t attr;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, (size_t)sysconf(_SC_THREAD_STACK_MIN) + 16384);
	for (long i = 0; i < n; i++)
		start_thread(&threads[i], &attr, fn, &arg[i]);
	pthread_attr_destroy(&attr);
	return threads;
}

/** Each has arrived; sleep, so that each is asleep too. */
static void
await_threads(long n)
{
	const struct timespec while_they_lie_down = { 0, 20000000 };

	while (n-- > 0)
		sem_wait(&arrived);
	nanosleep(&while_they_lie_down, NULL);
}

static void
join_threads(pthread_t *threads, long n)
{
	for (long i = 0; i < n; i++)
		pthread_join(threads[i], NULL);
	free(threads);
}


/* --- W1 ------------------------------------------------------------------- */

static void
measure_try(const char *param, int (*try)(pthread_rwlock_t *), long n)
{
	uint64_t start = bench_now();
	int failed = 0;

	for (long i = 0; i < n; i++)
		failed |= try(&lock) | pthread_rwlock_unlock(&lock);
	bench_line("W1", param, (double)(bench_now() - start) / (double)n, "ns/pair");
	bench_require(!failed, "W1: not acquired");
}

static void
run_w1(long n)
{
	measure_try("try_sh", pthread_rwlock_tryrdlock, n);
	measure_try("try_ex", pthread_rwlock_trywrlock, n);
}


/* --- W2 ------------------------------------------------------------------- */

static struct {
	long n, granted;	/* under `lock` */
	uint64_t end;		/* likewise */
	uint64_t ns;
	long rss;
} convoy;

static void *
wait_once(void *arg)
{
	(void)arg;
	sem_post(&arrived);
	pthread_rwlock_wrlock(&lock);
	if (++convoy.granted == convoy.n)
		convoy.end = bench_now();
	pthread_rwlock_unlock(&lock);
	return NULL;
}

static void
measure_convoy(uint64_t *unused)
{
	long rss = bench_rss();
	uint64_t start;
	pthread_t *threads;

	convoy.granted = 0;
	pthread_rwlock_wrlock(&lock);
	threads = start_threads(convoy.n, wait_once, unused);
	await_threads(convoy.n);
	if (!convoy.rss)
		convoy.rss = bench_rss() - rss;
	start = bench_now();
	pthread_rwlock_unlock(&lock);
	join_threads(threads, convoy.n);
	convoy.ns += convoy.end - start;
}

static void
run_w2(long n)
{
	long n_rounds = bench_rounds(n, ALL_THREADS);
	uint64_t *unused = bench_alloc((size_t)n, sizeof(*unused));

	bench_require(n <= MAX_THREADS, "W2: too many threads");
	convoy.n = n;
	convoy.ns = 0;
	convoy.rss = 0;
	for (long round = 0; round < n_rounds; round++)
		measure_convoy(unused);
	bench_line_n("W2", n, (double)convoy.ns / (double)(n_rounds * n), "ns/grant");
	if (n >= 1000)
		bench_line_n("W2rss", n, (double)convoy.rss / (double)n, "B/waiter");
	free(unused);
}


/* --- W3 ------------------------------------------------------------------- */

static long times_each;

/** sched_yield() stands for the turn of the loop that a hold lasts across. */
static void *
run_task(void *arg)
{
	uint64_t *random = arg;

	sem_post(&arrived);
	for (long i = 0; i < times_each; i++) {
		if (bench_is_tenth(random))
			pthread_rwlock_wrlock(&lock);
		else
			pthread_rwlock_rdlock(&lock);
		sched_yield();
		pthread_rwlock_unlock(&lock);
	}
	return NULL;
}

static uint64_t *
make_seeds(long n)
{
	uint64_t *seeds = bench_alloc((size_t)n, sizeof(*seeds));
	uint64_t state = 3;

	for (long i = 0; i < n; i++)
		seeds[i] = bench_random(&state);
	return seeds;
}

static void
run_w3(long n)
{
	uint64_t *seeds = make_seeds(N_TASKS);
	pthread_t *threads;
	uint64_t start;

	times_each = n > N_TASKS ? n / N_TASKS : 1;
	pthread_rwlock_wrlock(&lock);
	threads = start_threads(N_TASKS, run_task, seeds);
	await_threads(N_TASKS);
	start = bench_now();
	pthread_rwlock_unlock(&lock);
	join_threads(threads, N_TASKS);
	bench_line("W3", "1000tasks",
	    (double)(bench_now() - start) / (double)(times_each * N_TASKS), "ns/acq");
	free(seeds);
}


static const struct bench_workload workloads[] = {
	{ "W1", 5000000, run_w1 },
	{ "W2", 1000, run_w2 },
	{ "W3", 100000, run_w3 },
	{ NULL, 0, NULL }
};

int
main(int argc, char **argv)
{
	(void)argc;
	bench_require(!sem_init(&arrived, 0, 0), "sem_init");
	return bench_run("pthread_rwlock", workloads, argv + 1);
}
