/* SPDX-License-Identifier: BSD-3-Clause */

/* What a lock between machines costs, on the etcd at the URL given; see bench/README.
 *
 *	etcd URL [W...]
 *
 *	E1	uncontended pairs of acquire and release, one after the other
 *	E2	hand-over from one session to another: from the release to the callback, with the
 *		waiter fresh, and after it has waited for half a second
 *	E3	a bare JSON round trip of the same kind, for comparison
 *	E4	etcdctl lock: a pair, and hand-over
 *
 * Round trips are counted by etcd itself, which tells in /metrics how often it was asked what. */

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sys/wait.h>

#include <event2/buffer.h>
#include <event2/event.h>
#include <event2/http.h>

#include <evlock/etcd.h>

#include "bench.h"

static const char *url;
static char host[64];
static unsigned short port;
static struct event_base *base;
static uint64_t told_at;

/* --- The loop --------------------------------------------------------------------- */

static void
stop(void)
{
	told_at = bench_now();
	event_base_loopbreak(base);
}

static void
run(void)
{
	event_base_dispatch(base);
}

static void
run_for(long ms)
{
	struct timeval time = { ms / 1000, ms % 1000 * 1000 };

	event_base_loopexit(base, &time);
	event_base_dispatch(base);
}

/* --- Bare requests --------------------------------------------------------------------- */

static struct evhttp_connection *bare;
static char answer[1 << 18];

static void
on_answer(struct evhttp_request *request, void *arg)
{
	int n;

	(void)arg;
	bench_require(request && evhttp_request_get_response_code(request) == 200,
	    "etcd does not answer");
	n = evbuffer_remove(evhttp_request_get_input_buffer(request), answer, sizeof answer - 1);
	answer[n < 0 ? 0 : n] = '\0';
	stop();
}

static void
ask(enum evhttp_cmd_type type, const char *path, const char *body)
{
	struct evhttp_request *request = evhttp_request_new(on_answer, NULL);

	evhttp_add_header(evhttp_request_get_output_headers(request), "Host", host);
	evbuffer_add(evhttp_request_get_output_buffer(request), body, strlen(body));
	bench_require(evhttp_make_request(bare, request, type, path) == 0, "no request");
	run();
}

/* How often etcd was asked for transactions, and watches. */
static double
count(const char *method)
{
	char name[100];
	const char *found = answer;
	double sum = 0;

	ask(EVHTTP_REQ_GET, "/metrics", "");
	snprintf(name, sizeof name, "grpc_method=\"%s\"", method);
	for (; (found = strstr(found, "grpc_server_started_total{")); found++) {
		const char *value = strstr(found, "} "), *method_at = strstr(found, name);

		if (value && method_at && method_at < value)
			sum += strtod(value + 2, NULL);
	}
	return sum;
}

/* --- Sessions and locks -------------------------------------------------------------------- */

struct party {
	struct evlock_etcd *session;
	struct evlock *lock;
	evlock_handle handle;
};

static void
on_state(struct evlock_etcd *session, enum evlock_etcd_state state, const char *reason, void *arg)
{
	(void)session;
	(void)arg;
	if (state == EVLOCK_ETCD_LOST)
		bench_die(reason);
	if (state == EVLOCK_ETCD_READY || state == EVLOCK_ETCD_CLOSED)
		stop();
}

static struct party
join(void)
{
	struct evlock_etcd_options options = { .prefix = "bench/" };
	struct party p = { NULL, NULL, 0 };

	options.endpoints = url;
	p.session = evlock_etcd_open(base, &options, on_state, NULL);
	bench_require(p.session != NULL, "no session");
	run();
	p.lock = evlock_etcd_new(p.session, "lock", NULL);
	bench_require(p.lock != NULL, "no lock");
	return p;
}

static void
quit(struct party *p)
{
	evlock_free(p->lock);
	evlock_etcd_close(p->session);
	run();
}

static void
on_granted(struct evlock *lock, evlock_handle handle, int error, void *arg)
{
	(void)lock;
	(void)handle;
	(void)arg;
	bench_require(!error, "not granted");
	stop();
}

static void
acquire(struct party *p)
{
	p->handle = evlock_acquire(p->lock, EVLOCK_EXCLUSIVE, NULL, on_granted, NULL);
	bench_require(p->handle != 0, "no request");
}

static void
release(struct party *p)
{
	bench_require(evlock_release(p->lock, p->handle) == 0, "no release");
}

/* --- The workloads -------------------------------------------------------- */

static int
compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void
print_times(const char *workload, const char *param, double *us, long n)
{
	char name[64];

	qsort(us, (size_t)n, sizeof *us, compare);
	bench_line(workload, param, us[n / 2], "us");
	snprintf(name, sizeof name, "%s_p99", param);
	bench_line(workload, name, us[(n - 1) * 99 / 100], "us");
}

/* The release goes out as the next request comes: so pairs are timed one by one, and the end of the
 * last release is waited for by the next acquisition. */
static void
run_pairs(long n)
{
	double *us = bench_alloc((size_t)n, sizeof *us), txns;
	struct party p = join();
	long i;

	txns = count("Txn");
	for (i = 0; i < n; i++) {
		uint64_t start = bench_now();

		acquire(&p);
		run();
		release(&p);
		us[i] = (double)(told_at - start) / 1000;
	}
	run_for(200);
	bench_line("E1", "round_trips", (count("Txn") - txns) / (double)n, "per_pair");
	print_times("E1", "pair", us, n);
	quit(&p);
	free(us);
}

static void
time_hand_over(struct party p[2], long n, long wait_ms, const char *param)
{
	double *us = bench_alloc((size_t)n, sizeof *us);
	long i;

	acquire(&p[0]);
	run();
	for (i = 0; i < n; i++) {
		uint64_t start;

		acquire(&p[~i & 1]);
		run_for(wait_ms);
		start = bench_now();
		release(&p[i & 1]);
		run();
		us[i] = (double)(told_at - start) / 1000;
	}
	release(&p[n & 1]);
	run_for(100);
	print_times("E2", param, us, n);
	free(us);
}

static void
run_hand_over(long n)
{
	struct party p[2];

	p[0] = join();
	p[1] = join();
	time_hand_over(p, n, 5, "fresh");
	time_hand_over(p, n / 4 + 1, 500, "long");
	quit(&p[0]);
	quit(&p[1]);
}

static void
run_bare(long n)
{
	static const char put[] = "{\"success\":[{\"request_put\":{\"key\":\"YmVuY2g=\"}}]}";
	double *us = bench_alloc((size_t)n, sizeof *us);
	long i;

	for (i = 0; i < n; i++) {
		uint64_t start = bench_now();

		ask(EVHTTP_REQ_POST, "/v3/kv/txn", put);
		us[i] = (double)(told_at - start) / 1000;
	}
	print_times("E3", "round_trip", us, n);
	free(us);
}

/* --- etcdctl --------------------------------------------------------------- */

/* Starts `etcdctl lock`, which writes the key to its standard output once it has the lock, and has
 * it until it is told to end; or, with a command, until that is done. */
static pid_t
start_etcdctl(int *out, const char *command)
{
	int ends[2];
	pid_t pid;

	bench_require(pipe(ends) == 0, "no pipe");
	pid = fork();
	if (pid == 0) {
		dup2(ends[1], STDOUT_FILENO);
		setenv("ETCDCTL_API", "3", 1);
		execlp("etcdctl", "etcdctl", "--endpoints", url, "lock", "bench-ctl", command,
		    (char *)NULL);
		_exit(127);
	}
	close(ends[1]);
	*out = ends[0];
	return pid;
}

static void
end_etcdctl(pid_t pid, int out)
{
	kill(pid, SIGINT);
	waitpid(pid, NULL, 0);
	close(out);
}

static void
await_key(int out)
{
	char key[200];

	bench_require(read(out, key, sizeof key) > 0, "etcdctl does not lock");
}

static void
time_etcdctl_pairs(long n)
{
	double *us = bench_alloc((size_t)n, sizeof *us);
	long i;

	for (i = 0; i < n; i++) {
		uint64_t start = bench_now();
		int out, status;
		pid_t pid = start_etcdctl(&out, "true");

		waitpid(pid, &status, 0);
		bench_require(status == 0, "etcdctl fails");
		close(out);
		us[i] = (double)(bench_now() - start) / 1000;
	}
	print_times("E4", "etcdctl_pair", us, n);
	free(us);
}

/* From the moment that the holder is told to end, to the key of the waiter. */
static void
run_etcdctl(long n)
{
	double *us = bench_alloc((size_t)n, sizeof *us);
	int out[2];
	pid_t pid[2];
	long i;

	time_etcdctl_pairs(n);
	pid[0] = start_etcdctl(&out[0], NULL);
	await_key(out[0]);
	for (i = 0; i < n; i++) {
		uint64_t start;

		pid[1] = start_etcdctl(&out[1], NULL);
		usleep(500000);
		start = bench_now();
		kill(pid[0], SIGINT);
		await_key(out[1]);
		us[i] = (double)(bench_now() - start) / 1000;
		end_etcdctl(pid[0], out[0]);
		pid[0] = pid[1];
		out[0] = out[1];
	}
	end_etcdctl(pid[0], out[0]);
	print_times("E4", "etcdctl_hand_over_long", us, n);
	free(us);
}

static const struct bench_workload workloads[] = {
	{ "E3", 2000, run_bare },
	{ "E1", 2000, run_pairs },
	{ "E2", 40, run_hand_over },
	{ "E4", 10, run_etcdctl },
	{ NULL, 0, NULL }
};

int
main(int argc, char **argv)
{
	unsigned p;
	int status;

	if (argc < 2 || sscanf(argv[1], "http://%63[^:]:%u", host, &p) != 2) {
		fprintf(stderr, "usage: etcd http://HOST:PORT [W...]\n");
		return 2;
	}
	url = argv[1];
	port = (unsigned short)p;
	signal(SIGPIPE, SIG_IGN);
	base = event_base_new();
	bare = evhttp_connection_base_new(base, NULL, host, port);
	status = bench_run("etcd", workloads, argv + 2);
	evhttp_connection_free(bare);
	event_base_free(base);
	return status;
}
