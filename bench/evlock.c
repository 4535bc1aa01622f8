/* SPDX-License-Identifier: BSD-3-Clause */

/* What evlock costs.  The workloads have the shape of those of the floor, a
 * bare prototype outside this tree (see bench/README), so that the two can be
 * compared line by line.  One thread, one base; each workload has a lock of its
 * own.
 *
 * usage: bench/evlock [W1[:PAIRS]] [W2:WAITERS] [W2t:WAITERS] [W3[:TIMES]]
 *	[W3pass[:TIMES]] [W4[:TIMES]] [W4pass[:TIMES]] [W5[:WAITERS]] ...
 */

#include <stdio.h>
#include <stdlib.h>

#include <evlock/evlock.h>

#include "bench.h"
#include "loop.h"

static struct evlock *lock;	/* of the workload that runs */

static void
make_lock(const struct evlock_modes *modes)
{
	struct evlock_options options = { .modes = modes };

	lock = evlock_new(base, &options);
	bench_require(lock != NULL, "evlock_new");
}

/** Ends what does not end in a lock that is free again. */
static void
free_lock(void)
{
	bench_require(!evlock_waiting(lock) && !evlock_locked(lock), "the lock was not left free");
	evlock_free(lock);
}


/* --- Memory: every byte that evlock has asked for ------------------------- */

/* Before each block lies its size, in as much room as keeps any type aligned. */
union prefix {
	size_t size;
	long double align_float;
	long long align_int;
	void *align_pointer;
};

static size_t bytes;	/* now */

static void *
counted_malloc(size_t size)
{
	union prefix *prefix = malloc(sizeof(*prefix) + size);

	if (!prefix)
		return NULL;
	prefix->size = size;
	bytes += size;
	return prefix + 1;
}

static void
counted_free(void *memory)
{
	union prefix *prefix = (union prefix *)memory - 1;

	if (!memory)
		return;
	bytes -= prefix->size;
	free(prefix);
}

static void *
counted_realloc(void *memory, size_t size)
{
	union prefix *prefix = memory ? (union prefix *)memory - 1 : NULL;
	size_t old = prefix ? prefix->size : 0;

	if (!(prefix = realloc(prefix, sizeof(*prefix) + size)))
		return NULL;
	prefix->size = size;
	bytes += size - old;
	return prefix + 1;
}


/* --- W1: nobody in the way ------------------------------------------------ */

/** A pair: evlock_acquire_nowait() and evlock_release(), nothing of libevent. */
static void
measure_try(const char *param, unsigned mode, long n)
{
	uint64_t start = bench_now();
	int failed = 0;

	for (long i = 0; i < n; i++)
		failed |= evlock_release(lock, evlock_acquire_nowait(lock, mode));
	bench_line("W1", param, (double)(bench_now() - start) / (double)n, "ns/pair");
	bench_require(!failed, "W1: not released");
}

static long chain_left;

static void
go_on(struct evlock *l, evlock_handle handle, int error, void *arg)
{
	bench_require(!error && !evlock_release(l, handle), "W1: not granted");
	if (--chain_left > 0)
		evlock_acquire(l, EVLOCK_EXCLUSIVE, NULL, go_on, arg);
}

/** Each callback releases and acquires again: the loop never rests. */
static void
measure_chain(long n)
{
	uint64_t start = bench_now();

	chain_left = n;
	evlock_acquire(lock, EVLOCK_EXCLUSIVE, NULL, go_on, NULL);
	run_loop();
	bench_line("W1", "async_ex", (double)(bench_now() - start) / (double)n, "ns/pair");
	bench_require(!chain_left, "W1: the chain broke");
}

/** One acquisition for each turn of the loop: a turn's price, for the most part. */
static void
measure_turns(long n)
{
	uint64_t start = bench_now();

	chain_left = 1;
	for (long i = 0; i < n; i++) {
		evlock_acquire(lock, EVLOCK_EXCLUSIVE, NULL, go_on, NULL);
		event_base_loop(base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
	}
	bench_line("W1", "async_ex_1perturn", (double)(bench_now() - start) / (double)n, "ns/pair");
	bench_require(chain_left == 1 - n, "W1: a turn without its callback");
}

static void
run_w1(long n)
{
	make_lock(NULL);
	measure_try("try_sh", EVLOCK_SHARED, n);
	measure_try("try_ex", EVLOCK_EXCLUSIVE, n);
	measure_chain(n > 5 ? n / 5 : 1);
	measure_turns(n > 10 ? n / 10 : 1);
	free_lock();
}


/* --- W2: a convoy of exclusive waiters ------------------------------------ */

/* Each round a holder is there, `n` join the queue, the holder leaves, and each
 * callback releases.  The first round is the one that asks for memory; it counts
 * for the grants and not for the enqueueing. */
static struct convoy {
	const struct timeval *timeout;
	long n, granted;
	long round, n_rounds;
	uint64_t drain_start, drain_ns, enqueue_ns;
	long rss;		/* grown in the first round */
	size_t bytes;		/* likewise */
} convoy;

static void start_round(void);

static void
pass_on(struct evlock *l, evlock_handle handle, int error, void *arg)
{
	(void)arg;
	bench_require(!evlock_release(l, handle) && !error, "W2: not granted");
	if (++convoy.granted < convoy.n)
		return;
	convoy.drain_ns += bench_now() - convoy.drain_start;
	if (++convoy.round < convoy.n_rounds)
		start_round();
}

static void
enqueue_all(void)
{
	int failed = 0;

	for (long i = 0; i < convoy.n; i++)
		failed |= !evlock_acquire(lock, EVLOCK_EXCLUSIVE, convoy.timeout, pass_on, NULL);
	bench_require(!failed, "W2: not enqueued");
}

static void
start_round(void)
{
	uint64_t start = bench_now();
	evlock_handle holder = evlock_acquire_nowait(lock, EVLOCK_EXCLUSIVE);

	convoy.granted = 0;
	enqueue_all();
	if (!convoy.round) {
		convoy.rss = bench_rss() - convoy.rss;
		convoy.bytes = bytes - convoy.bytes;
	}
	convoy.drain_start = bench_now();
	if (convoy.round)
		convoy.enqueue_ns += convoy.drain_start - start;
	bench_require(!evlock_release(lock, holder), "W2: no holder");
}

static void
start_convoy(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
	convoy.rss = bench_rss();
	convoy.bytes = bytes;
	start_round();
}

struct convoy_names {
	const char *grant, *enqueue, *rss, *counted;
};

/** Memory is told of the large ones only: below that it is that of a few pages. */
static void
print_convoy(const struct convoy_names *name)
{
	double n = (double)convoy.n;
	double n_rounds = (double)convoy.n_rounds;

	bench_line_n(name->grant, convoy.n, (double)convoy.drain_ns / (n_rounds * n), "ns/grant");
	bench_line_n(name->enqueue, convoy.n, (double)convoy.enqueue_ns / ((n_rounds - 1) * n),
	    "ns/waiter");
	if (convoy.n < 100000)
		return;
	bench_line_n(name->rss, convoy.n, (double)convoy.rss / n, "B/waiter");
	bench_line_n(name->counted, convoy.n, (double)convoy.bytes / n, "B/waiter");
}

static void
run_convoy(long n, const struct timeval *timeout, const struct convoy_names *name)
{
	convoy = (struct convoy){ .timeout = timeout, .n = n };
	convoy.n_rounds = bench_rounds(n, 2000000) + 1;
	make_lock(NULL);
	run_in_loop(start_convoy);
	bench_require(convoy.round == convoy.n_rounds, "W2: waiters were forgotten");
	print_convoy(name);
	free_lock();
}

static void
run_w2(long n)
{
	static const struct convoy_names names = { "W2", "W2enq", "W2rss", "W2mem" };

	run_convoy(n, NULL, &names);
}

/** The same with a timeout that all have in common, and that none reaches. */
static void
run_w2t(long n)
{
	static const struct convoy_names names = { "W2t", "W2tenq", "W2trss", "W2tmem" };
	static const struct timeval minute = { 60, 0 };

	run_convoy(n, event_base_init_common_timeout(base, &minute), &names);
}


/* --- W3, W4: a thousand tasks that hold across a turn of the loop --------- */

/* A task acquires; once granted it defers itself; when the deferred are run it
 * releases and acquires again.
 *
 * To be fair to both sides, deferring costs here what it costs in the floor.
 * There the one event that delivers grants also runs the deferred, and each time
 * libevent looks at its descriptors in between, so that a hold lasts across a
 * true turn of the loop.  That event is evlock's own business here, so this program
 * turns the loop itself, and runs the deferred between two turns: as there, one
 * event and one look at descriptors for each turn, and a list of its own.
 *
 * W3pass and W4pass have an event for the deferred: a hold lasts until libevent's
 * next callback, and descriptors are looked at when evlock's budget says so.
 * Nothing in the floor compares with them. */
#define N_TASKS		1000
#define DEFER_BUDGET	64

struct task {
	struct task *next;	/* among the deferred */
	evlock_handle handle;
};

static struct {
	struct task *first, **end;
	struct event *event;	/* in W3pass and W4pass, else NULL */
	int is_armed;
} deferred;

static struct {
	long left;		/* acquisitions yet to be made */
	long n_open;		/* made, and not yet released */
	int one_mode;		/* W4: all in mode 0 */
	uint64_t random;
} tasks;

static void
arm_deferred(void)
{
	deferred.is_armed = 1;
	event_active(deferred.event, EV_TIMEOUT, 0);
}

static void
defer(struct task *task)
{
	task->next = NULL;
	*deferred.end = task;
	deferred.end = &task->next;
	if (deferred.event && !deferred.is_armed)
		arm_deferred();
}

static struct task *
next_deferred(void)
{
	struct task *task = deferred.first;

	if (task && !(deferred.first = task->next))
		deferred.end = &deferred.first;
	return task;
}

static void
task_granted(struct evlock *l, evlock_handle handle, int error, void *arg)
{
	struct task *task = arg;

	(void)l;
	bench_require(!error, "W3: not granted");
	task->handle = handle;
	defer(task);
}

static unsigned
choose_mode(void)
{
	if (tasks.one_mode)
		return 0;
	return bench_is_tenth(&tasks.random) ? EVLOCK_EXCLUSIVE : EVLOCK_SHARED;
}

static void
task_acquire(struct task *task)
{
	if (tasks.left <= 0)
		return;
	tasks.left--;
	tasks.n_open++;
	evlock_acquire(lock, choose_mode(), NULL, task_granted, task);
}

static void
run_deferred(void)
{
	struct task *task;
	int budget = DEFER_BUDGET;

	while (budget-- > 0 && (task = next_deferred())) {
		bench_require(!evlock_release(lock, task->handle), "W3: not held");
		tasks.n_open--;
		task_acquire(task);
	}
}

static void
on_deferred(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
	run_deferred();
	deferred.is_armed = 0;
	if (deferred.first)
		arm_deferred();
}

static void
run_turns(void)
{
	while (tasks.n_open) {
		bench_require(event_base_loop(base, EVLOOP_ONCE | EVLOOP_NONBLOCK) >= 0,
		    "event_base_loop");
		run_deferred();
	}
}

static void
measure_tasks(const char *name, long n)
{
	struct task *all = bench_alloc(N_TASKS, sizeof(*all));
	uint64_t start = bench_now();

	tasks.left = n;
	tasks.n_open = 0;
	for (long i = 0; i < N_TASKS; i++)
		task_acquire(&all[i]);
	if (deferred.event)
		run_loop();
	else
		run_turns();
	bench_line(name, "1000tasks", (double)(bench_now() - start) / (double)n, "ns/acq");
	bench_require(!tasks.left && !deferred.first, "W3: tasks were forgotten");
	free(all);
}

static void
run_tasks(const char *name, long n, const struct evlock_modes *modes, struct event *event)
{
	make_lock(modes);
	tasks.one_mode = modes != NULL;
	tasks.random = 3;
	deferred.end = &deferred.first;
	deferred.event = event;
	measure_tasks(name, n);
	free_lock();
}

static void
run_tasks_by_event(const char *name, long n, const struct evlock_modes *modes)
{
	struct event *event = event_new(base, -1, EV_PERSIST, on_deferred, NULL);

	bench_require(event != NULL, "event_new");
	run_tasks(name, n, modes, event);
	event_free(event);
}

static const struct evlock_mode eight_units = { .name = "UNIT", .limit = 8 };
static const struct evlock_modes eight = { .mode = &eight_units, .n_modes = 1 };

static void
run_w3(long n)
{
	run_tasks("W3", n, NULL, NULL);
}

static void
run_w3pass(long n)
{
	run_tasks_by_event("W3pass", n, NULL);
}

static void
run_w4(long n)
{
	run_tasks("W4", n, &eight, NULL);
}

static void
run_w4pass(long n)
{
	run_tasks_by_event("W4pass", n, &eight);
}


/* --- W5: half of those who wait give up ----------------------------------- */

static struct {
	evlock_handle *handle;		/* [n], in the order of the queue */
	uint32_t *order;		/* [n / 2], which ones are withdrawn, in what order */
	long granted;
	uint64_t withdraw_ns, drain_ns;
} leavers;

static void
count_and_release(struct evlock *l, evlock_handle handle, int error, void *arg)
{
	(void)arg;
	bench_require(!evlock_release(l, handle) && !error, "W5: not granted");
	leavers.granted++;
}

/** Every other one, in random order. */
static void
choose_leavers(long n)
{
	for (long i = 0; i < n / 2; i++)
		leavers.order[i] = (uint32_t)(2 * i);
	bench_shuffle(leavers.order, n / 2);
}

static void
withdraw_half(long n)
{
	int failed = 0;

	for (long i = 0; i < n / 2; i++)
		failed |= evlock_release(lock, leavers.handle[leavers.order[i]]);
	bench_require(!failed, "W5: not withdrawn");
}

static void
measure_leavers(long n)
{
	evlock_handle holder = evlock_acquire_nowait(lock, EVLOCK_EXCLUSIVE);
	uint64_t start, middle;

	for (long i = 0; i < n; i++)
		leavers.handle[i] = evlock_acquire(lock, EVLOCK_EXCLUSIVE, NULL,
		    count_and_release, NULL);
	choose_leavers(n);
	leavers.granted = 0;
	start = bench_now();
	withdraw_half(n);
	middle = bench_now();
	evlock_release(lock, holder);
	run_loop();
	leavers.drain_ns += bench_now() - middle;
	leavers.withdraw_ns += middle - start;
	bench_require(leavers.granted == n - n / 2, "W5: waiters were forgotten");
}

static void
print_leavers(long n, long n_rounds)
{
	double total = (double)n_rounds * (double)(n / 2);

	bench_line_n("W5", n, (double)leavers.withdraw_ns / total, "ns/cancel");
	bench_line_n("W5drain", n, (double)leavers.drain_ns / total, "ns/grant");
}

static void
run_w5(long n)
{
	long n_rounds = bench_rounds(n, 1000000);

	bench_require(n > 1, "W5: too few");
	make_lock(NULL);
	leavers.handle = bench_alloc((size_t)n, sizeof(*leavers.handle));
	leavers.order = bench_alloc((size_t)n / 2, sizeof(*leavers.order));
	leavers.withdraw_ns = leavers.drain_ns = 0;
	for (long round = 0; round < n_rounds; round++)
		measure_leavers(n);
	print_leavers(n, n_rounds);
	free(leavers.handle);
	free(leavers.order);
	free_lock();
}


static const struct bench_workload workloads[] = {
	{ "W1", 5000000, run_w1 },
	{ "W2", 1000, run_w2 },
	{ "W2t", 100000, run_w2t },
	{ "W3", 1000000, run_w3 },
	{ "W3pass", 1000000, run_w3pass },
	{ "W4", 1000000, run_w4 },
	{ "W4pass", 1000000, run_w4pass },
	{ "W5", 100000, run_w5 },
	{ NULL, 0, NULL }
};

static void
warn_if_debugging(void)
{
#ifdef EVLOCK_DEBUG
	fprintf(stderr, "evlock: built with --enable-debug: what this prints means nothing\n");
#endif
}

int
main(int argc, char **argv)
{
	int status;

	(void)argc;
	warn_if_debugging();
	evlock_set_mem_functions(counted_malloc, counted_realloc, counted_free);
	base = event_base_new();
	bench_require(base != NULL, "event_base_new");
	status = bench_run("evlock", workloads, argv + 1);
	event_base_free(base);
	bench_require(!bytes, "evlock kept memory");
	return status;
}
