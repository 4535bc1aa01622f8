/* SPDX-License-Identifier: BSD-3-Clause */

/* What libevent alone costs: the same workloads as in evlock.c as far as they
 * mean anything without a lock.  There are waiters, a queue of them and
 * callbacks; there is no state, no mode, no handle, and nobody checks anything.
 *
 *	active	each waiter has an event of its own, made active when it is its turn
 *	list	waiters whose turn it is go on a list, which one event drains, 64 at a
 *		time; then libevent looks at its descriptors
 *
 * `list` is what a careful author writes by hand, and the stand-in for the floor
 * where that is absent.  `active` never looks at a descriptor as long as one
 * callback makes the next event active.
 *
 * usage: bench/libevent active|list [W1[:PAIRS]] [W2:WAITERS] [W2t:WAITERS]
 *	[W3[:TIMES]] [W5[:WAITERS]] ...
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>


#include "bench.h"
#include "loop.h"

#define BUDGET 64

struct waiter {
	struct waiter *next, *prev;
	void (*cb)(struct waiter *);
	/* `active`: its event lies behind; W2t: its timer does */
};

/** Doubly linked, for the sake of W5. */
struct queue {
	struct waiter *first, *last;
};

static int is_list;		/* else `active` */
static struct queue ready;	/* `list`: whose turn it is */
static struct event *drain;	/* `list`: calls them back */
static int is_armed;		/* `list`: `drain` is active or runs */
static struct queue waiting;	/* the lock that is not there */
static char *waiters;		/* those of the workload that runs */
static size_t waiter_size;

static void
push(struct queue *q, struct waiter *w)
{
	w->next = NULL;
	w->prev = q->last;
	if (q->last)
		q->last->next = w;
	else
		q->first = w;
	q->last = w;
}

static void
take_out(struct queue *q, struct waiter *w)
{
	if (w->prev)
		w->prev->next = w->next;
	else
		q->first = w->next;
	if (w->next)
		w->next->prev = w->prev;
	else
		q->last = w->prev;
}

static struct waiter *
pop(struct queue *q)
{
	struct waiter *w = q->first;

	if (w)
		take_out(q, w);
	return w;
}


/* --- The two ways of calling back ----------------------------------------- */

static struct event *
event_of(struct waiter *w)
{
	return (struct event *)(void *)(w + 1);
}

static void
run_one(evutil_socket_t fd, short what, void *arg)
{
	struct waiter *w = arg;

	(void)fd;
	(void)what;
	w->cb(w);
}

static void
run_ready(evutil_socket_t fd, short what, void *arg)
{
	struct waiter *w;
	int budget = BUDGET;

	(void)fd;
	(void)what;
	(void)arg;
	while (budget-- > 0 && (w = pop(&ready)))
		w->cb(w);
	if (!(is_armed = ready.first != NULL))
		return;
	event_active(drain, EV_TIMEOUT, 0);
	event_base_loopcontinue(base);
}

/** Has `w` called back from the loop. */
static void
deliver(struct waiter *w)
{
	if (!is_list) {
		event_active(event_of(w), EV_TIMEOUT, 0);
		return;
	}
	push(&ready, w);
	if (is_armed)
		return;
	is_armed = 1;
	event_active(drain, EV_TIMEOUT, 0);
}

static struct waiter *
waiter_at(long i)
{
	return (struct waiter *)(void *)(waiters + (size_t)i * waiter_size);
}

/** Makes room for `n` waiters, each with an event behind it if it needs one. */
static void
make_waiters(long n, int needs_event)
{
	size_t align = sizeof(void *);
	size_t event_size = (event_get_struct_event_size() + align - 1) / align * align;

	waiter_size = sizeof(struct waiter) + (needs_event || !is_list ? event_size : 0);
	waiters = malloc((size_t)n * waiter_size);
	bench_require(waiters != NULL, "no memory");
}

/** What a server does for each request. */
static struct waiter *
init_waiter(long i, void (*cb)(struct waiter *))
{
	struct waiter *w = waiter_at(i);

	w->cb = cb;
	if (!is_list)
		event_assign(event_of(w), base, -1, 0, run_one, w);
	return w;
}


/* --- W1 ------------------------------------------------------------------- */

static long chain_left;

static void
go_on(struct waiter *w)
{
	if (--chain_left > 0)
		deliver(w);
}

static void
measure_chain(long n)
{
	uint64_t start = bench_now();

	chain_left = n;
	deliver(waiter_at(0));
	run_loop();
	bench_line("W1", "async_ex", (double)(bench_now() - start) / (double)n, "ns/pair");
	bench_require(!chain_left, "W1: the chain broke");
}

static void
measure_turns(long n)
{
	uint64_t start = bench_now();

	chain_left = 1;
	for (long i = 0; i < n; i++) {
		deliver(waiter_at(0));
		event_base_loop(base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
	}
	bench_line("W1", "async_ex_1perturn", (double)(bench_now() - start) / (double)n, "ns/pair");
	bench_require(chain_left == 1 - n, "W1: a turn without its callback");
}

static void
run_w1(long n)
{
	make_waiters(1, 0);
	init_waiter(0, go_on);
	measure_chain(n > 5 ? n / 5 : 1);
	measure_turns(n > 10 ? n / 10 : 1);
	free(waiters);
}


/* --- W2 ------------------------------------------------------------------- */

static struct convoy {
	const struct timeval *timeout;
	long n, granted;
	long round, n_rounds;
	uint64_t drain_start, drain_ns, enqueue_ns;
	long rss;
} convoy;

static void start_round(void);

static void
deliver_next(void)
{
	struct waiter *w = pop(&waiting);

	if (!w)
		return;
	if (convoy.timeout)
		event_del(event_of(w));
	deliver(w);
}

static void
pass_on(struct waiter *w)
{
	(void)w;
	deliver_next();
	if (++convoy.granted < convoy.n)
		return;
	convoy.drain_ns += bench_now() - convoy.drain_start;
	if (++convoy.round < convoy.n_rounds)
		start_round();
}

static void
expire(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
	bench_require(0, "W2t: a timeout");
}

/** Of `active`, the event that calls back serves as the timer as well: for who
 * writes by hand that is enough. */
static void
enqueue(long i)
{
	struct waiter *w = init_waiter(i, pass_on);

	push(&waiting, w);
	if (!convoy.timeout)
		return;
	if (is_list)
		event_assign(event_of(w), base, -1, 0, expire, w);
	event_add(event_of(w), convoy.timeout);
}

static void
start_round(void)
{
	uint64_t start = bench_now();

	convoy.granted = 0;
	for (long i = 0; i < convoy.n; i++)
		enqueue(i);
	if (!convoy.round)
		convoy.rss = bench_rss() - convoy.rss;
	convoy.drain_start = bench_now();
	if (convoy.round)
		convoy.enqueue_ns += convoy.drain_start - start;
	deliver_next();
}

static void
start_convoy(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
	convoy.rss = bench_rss();
	start_round();
}

struct convoy_names {
	const char *grant, *enqueue, *rss;
};

static void
print_convoy(const struct convoy_names *name)
{
	double n = (double)convoy.n;
	double n_rounds = (double)convoy.n_rounds;

	bench_line_n(name->grant, convoy.n, (double)convoy.drain_ns / (n_rounds * n), "ns/grant");
	bench_line_n(name->enqueue, convoy.n, (double)convoy.enqueue_ns / ((n_rounds - 1) * n),
	    "ns/waiter");
	if (convoy.n >= 100000)
		bench_line_n(name->rss, convoy.n, (double)convoy.rss / n, "B/waiter");
}

static void
run_convoy(long n, const struct timeval *timeout, const struct convoy_names *name)
{
	convoy = (struct convoy){ .timeout = timeout, .n = n };
	convoy.n_rounds = bench_rounds(n, 2000000) + 1;
	make_waiters(n, timeout != NULL);
	run_in_loop(start_convoy);
	bench_require(convoy.round == convoy.n_rounds, "W2: waiters were forgotten");
	print_convoy(name);
	free(waiters);
}

static void
run_w2(long n)
{
	static const struct convoy_names names = { "W2", "W2enq", "W2rss" };

	run_convoy(n, NULL, &names);
}

static void
run_w2t(long n)
{
	static const struct convoy_names names = { "W2t", "W2tenq", "W2trss" };
	static const struct timeval minute = { 60, 0 };

	run_convoy(n, event_base_init_common_timeout(base, &minute), &names);
}


/* --- W3 ------------------------------------------------------------------- */

/* A thousand tasks, each called back twice for an acquisition: as one that is
 * granted, and a turn later.  Nobody keeps anyone out, so turns are full. */
#define N_TASKS 1000

static long tasks_left;
static void task_granted(struct waiter *w);

static void
task_acquire(struct waiter *w)
{
	if (tasks_left <= 0)
		return;
	tasks_left--;
	w->cb = task_granted;
	deliver(w);
}

static void
task_granted(struct waiter *w)
{
	w->cb = task_acquire;
	deliver(w);
}

static void
run_w3(long n)
{
	uint64_t start;

	make_waiters(N_TASKS, 0);
	tasks_left = n;
	start = bench_now();
	for (long i = 0; i < N_TASKS; i++)
		task_acquire(init_waiter(i, task_granted));
	run_loop();
	bench_line("W3", "1000tasks", (double)(bench_now() - start) / (double)n, "ns/acq");
	bench_require(!tasks_left, "W3: tasks were forgotten");
	free(waiters);
}


/* --- W5 ------------------------------------------------------------------- */

static struct {
	uint32_t *order;
	uint64_t withdraw_ns, drain_ns;
} leavers;

static long n_called;

static void
count_and_pass_on(struct waiter *w)
{
	(void)w;
	n_called++;
	deliver_next();
}

static void
enqueue_leavers(long n)
{
	for (long i = 0; i < n; i++)
		push(&waiting, init_waiter(i, count_and_pass_on));
	for (long i = 0; i < n / 2; i++)
		leavers.order[i] = (uint32_t)(2 * i);
	bench_shuffle(leavers.order, n / 2);
}

static void
measure_leavers(long n)
{
	uint64_t start, middle;

	enqueue_leavers(n);
	n_called = 0;
	start = bench_now();
	for (long i = 0; i < n / 2; i++)
		take_out(&waiting, waiter_at((long)leavers.order[i]));
	middle = bench_now();
	deliver_next();
	run_loop();
	leavers.drain_ns += bench_now() - middle;
	leavers.withdraw_ns += middle - start;
	bench_require(n_called == n - n / 2, "W5: waiters were forgotten");
}

static void
run_w5(long n)
{
	long n_rounds = bench_rounds(n, 1000000);
	double total = (double)n_rounds * (double)(n / 2);

	bench_require(n > 1, "W5: too few");
	make_waiters(n, 0);
	leavers.order = bench_alloc((size_t)n / 2, sizeof(*leavers.order));
	leavers.withdraw_ns = leavers.drain_ns = 0;
	convoy.timeout = NULL;
	for (long round = 0; round < n_rounds; round++)
		measure_leavers(n);
	bench_line_n("W5", n, (double)leavers.withdraw_ns / total, "ns/cancel");
	bench_line_n("W5drain", n, (double)leavers.drain_ns / total, "ns/grant");
	free(leavers.order);
	free(waiters);
}


static const struct bench_workload workloads[] = {
	{ "W1", 5000000, run_w1 },
	{ "W2", 1000, run_w2 },
	{ "W2t", 100000, run_w2t },
	{ "W3", 1000000, run_w3 },
	{ "W5", 100000, run_w5 },
	{ NULL, 0, NULL }
};

static int
run_all(char **tokens)
{
	int status;

	base = event_base_new();
	bench_require(base != NULL, "event_base_new");
	drain = event_new(base, -1, 0, run_ready, NULL);
	bench_require(drain != NULL, "event_new");
	status = bench_run(is_list ? "libevent-list" : "libevent-active", workloads, tokens);
	event_free(drain);
	event_base_free(base);
	return status;
}

int
main(int argc, char **argv)
{
	is_list = argc > 1 && !strcmp(argv[1], "list");
	if (is_list || (argc > 1 && !strcmp(argv[1], "active")))
		return run_all(argv + 2);
	fprintf(stderr, "usage: bench/libevent active|list WORKLOAD[:SIZE]...\n");
	return 2;
}
