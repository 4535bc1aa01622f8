/* SPDX-License-Identifier: BSD-3-Clause */

/* Measures the cost of a lock between machines, on the etcd at URL; see bench/README.
 *
 *	etcd URL [W...]
 *
 *	E1	uncontended pairs of acquire and release, one after the other
 *	E2	hand-over from one session to another: from the release to the callback, with the
 *		waiter fresh, and after it has waited for half a second
 *	E3	a bare round trip by gRPC, one after the other; and after a tenth of a second
 *		without any, as the first round trip of a hand-over is
 *	E4	etcdctl lock: a pair, and hand-over
 *	E5	pairs of one lock: the first of them, and the last
 *	E6	many locks of one session that wait for those of another one: until all are in
 *		place, until all are handed over, and what they take here and, if EVLOCK_ETCD_PID
 *		says which process that is, in etcd
 *	E7	hand-over along a queue of so many sessions, and between two of them
 *
 * Round trips are counted by etcd itself, which tells in /metrics how often it was asked what. */

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <dirent.h>
#include <sys/wait.h>

#include <event2/buffer.h>
#include <event2/event.h>
#include <event2/http.h>

#include <evlock/etcd.h>

#include "bench.h"
#include "scopes/etcd/ask.h"
#include "scopes/etcd/dial.h"
#include "scopes/etcd/route.h"
#include "scopes/etcd/rpc.h"

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

/* --- etcd's own figures ------------------------------------------------------------------ */

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
get_metrics(void)
{
	struct evhttp_request *request = evhttp_request_new(on_answer, NULL);

	evhttp_add_header(evhttp_request_get_output_headers(request), "Host", host);
	bench_require(evhttp_make_request(bare, request, EVHTTP_REQ_GET, "/metrics") == 0,
	    "no request");
	run();
}

/* Returns how often etcd was called with `method`. */
static double
count(const char *method)
{
	char name[100];
	const char *found = answer;
	double sum = 0;

	get_metrics();
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
	bench_require(!error, strerror(error));
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

/* Times pairs one by one.  A release is sent with the next request, so the next acquisition waits
 * for the end of the last release. */
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
time_hand_over(const char *workload, struct party p[2], long n, long wait_ms, const char *param)
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
	print_times(workload, param, us, n);
	free(us);
}

static void
run_hand_over(long n)
{
	struct party p[2];

	p[0] = join();
	p[1] = join();
	time_hand_over("E2", p, n, 5, "fresh");
	time_hand_over("E2", p, n / 4 + 1, 500, "long");
	quit(&p[0]);
	quit(&p[1]);
}

/* --- Bare calls -------------------------------------------------------------- */

static void
on_h2(struct evl_h2 *h2, void *arg)
{
	(void)arg;
	bench_require(h2->state == EVL_H2_OPEN, h2->reason);
	stop();
}

static struct evl_h2 *
connect_bare(void)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(port) };
	struct bufferevent *be;
	struct evl_h2 *h2;
	SSL *ssl;

	bench_require(evutil_inet_pton(AF_INET, host, &address.sin_addr) == 1, "no address");
	be = evl_dial(base, (struct sockaddr *)&address, sizeof address, 10000, NULL, NULL, &ssl);
	h2 = be ? evl_h2_new(base, be, NULL, 0, on_h2, NULL) : NULL;
	bench_require(h2 != NULL, "no connection");
	run();
	return h2;
}

static void
on_rpc(struct evl_rpc *rpc, void *arg)
{
	struct evl_ending ending;

	(void)arg;
	if (!evl_rpc_is_over(rpc))
		return;
	evl_rpc_end(rpc, &ending);
	bench_require(ending.status == 0, ending.text);
	evl_rpc_free(rpc);
	stop();
}

/* Sends a transaction that puts one key.  Returns the microseconds until the answer. */
static double
call_bare(struct evl_h2 *h2)
{
	static const struct evl_entry entry = { .root = "bench/bare", .id = "1", .holder = "" };
	static const struct evl_rpc_options options = { .path = "/etcdserverpb.KV/Txn",
	    .authority = "bench", .limit = 10000 };
	uint64_t start = bench_now();
	struct evl_rpc *rpc = evl_rpc_new(h2, &options, on_rpc, NULL);

	bench_require(rpc && evl_ask_guard(evl_rpc_out(rpc), &entry) == 0, "no call");
	evl_rpc_send(rpc, 1);
	run();
	return (double)(told_at - start) / 1000;
}

static void
run_bare(long n)
{
	double *us = bench_alloc((size_t)n, sizeof *us);
	struct evl_h2 *h2 = connect_bare();
	long i, n_rested = n / 50 + 1;

	for (i = 0; i < n; i++)
		us[i] = call_bare(h2);
	print_times("E3", "round_trip", us, n);
	for (i = 0; i < n_rested; i++) {
		run_for(100);
		us[i] = call_bare(h2);
	}
	print_times("E3", "round_trip_rested", us, n_rested);
	evl_h2_close(h2);
	run_for(10);
	free(us);
}

/* --- etcdctl --------------------------------------------------------------- */

/* Starts `etcdctl lock`, which writes the key to its standard output when it has the lock.  It
 * holds the lock until a signal ends it or, with a command, until the command ends. */
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

/* Measures from the signal to the holder until the waiter writes its key. */
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

/* --- One lock, many times ---------------------------------------------------- */

static void
run_decay(long n)
{
	double *us = bench_alloc((size_t)n, sizeof *us);
	struct party p = join();
	long i, part = n / 10;

	for (i = 0; i < n; i++) {
		uint64_t start = bench_now();

		acquire(&p);
		run();
		release(&p);
		us[i] = (double)(told_at - start) / 1000;
	}
	print_times("E5", "first_tenth", us, part);
	print_times("E5", "last_tenth", us + n - part, part);
	quit(&p);
	free(us);
}

/* --- Many locks ---------------------------------------------------------------- */

#define MOST_LOCKS 20000

static struct evlock *locks[2][MOST_LOCKS];
static evlock_handle handles[2][MOST_LOCKS];
static long n_left;

static void
on_one(struct evlock *lock, evlock_handle handle, int error, void *arg)
{
	(void)lock;
	(void)handle;
	(void)arg;
	bench_require(!error, strerror(error));
	if (--n_left == 0)
		stop();
}

static void
acquire_all(int side, long n)
{
	long i;

	n_left = n;
	for (i = 0; i < n; i++) {
		handles[side][i] = evlock_acquire(locks[side][i], EVLOCK_EXCLUSIVE, NULL, on_one,
		    NULL);
		bench_require(handles[side][i] != 0, "no request");
	}
}

/* Repeats, because a session that was suspect for a moment stops the loop, too. */
static void
run_all(void)
{
	while (n_left > 0)
		run();
}

static void
make_locks(struct party *p, int side, long n)
{
	char name[40];
	long i;

	for (i = 0; i < n; i++) {
		snprintf(name, sizeof name, "many-%ld", i);
		locks[side][i] = evlock_etcd_new(p->session, name, NULL);
		bench_require(locks[side][i] != NULL, "no lock");
	}
}

/* Returns the memory of a process in KiB, or 0 if that is unknown. */
static double
memory_of(const char *pid)
{
	char path[64], line[200];
	double kib = 0;
	FILE *file;

	snprintf(path, sizeof path, "/proc/%s/status", pid);
	file = fopen(path, "r");
	while (file && fgets(line, sizeof line, file))
		if (!strncmp(line, "VmRSS:", 6))
			kib = atof(line + 6);
	if (file)
		fclose(file);
	return kib;
}

/* Returns the milliseconds of processor time that etcd has used.  On a busy machine, they say more
 * than the clock does. */
static double
etcd_time(void)
{
	const char *etcd = getenv("EVLOCK_ETCD_PID");
	unsigned long user = 0, system = 0;
	char path[64];
	FILE *file;

	snprintf(path, sizeof path, "/proc/%s/stat", etcd ? etcd : "none");
	file = fopen(path, "r");
	if (!file)
		return 0;
	if (fscanf(file, "%*d %*s %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user,
	    &system) != 2)
		user = system = 0;
	fclose(file);
	return (double)(user + system) * 1000 / (double)sysconf(_SC_CLK_TCK);
}

static double
count_descriptors(const char *pid)
{
	char path[64];
	struct dirent *entry;
	double n = 0;
	DIR *folder;

	snprintf(path, sizeof path, "/proc/%s/fd", pid);
	folder = opendir(path);
	while (folder && (entry = readdir(folder)))
		n += entry->d_name[0] != '.';
	if (folder)
		closedir(folder);
	return n;
}

/* Returns the number of etcd's watches.  All requests are in place when each has a watch. */
static double
count_watches(void)
{
	static const char name[] = "\netcd_debugging_mvcc_watcher_total ";
	const char *found;

	get_metrics();
	found = strstr(answer, name);
	return found ? atof(found + strlen(name)) : 0;
}

static void
print_memory(const char *when)
{
	const char *etcd = getenv("EVLOCK_ETCD_PID");
	char name[64];

	snprintf(name, sizeof name, "memory_here_%s", when);
	bench_line("E6", name, memory_of("self"), "KiB");
	snprintf(name, sizeof name, "memory_etcd_%s", when);
	bench_line("E6", name, etcd ? memory_of(etcd) : 0, "KiB");
	snprintf(name, sizeof name, "descriptors_here_%s", when);
	bench_line("E6", name, count_descriptors("self"), "descriptors");
	snprintf(name, sizeof name, "descriptors_etcd_%s", when);
	bench_line("E6", name, etcd ? count_descriptors(etcd) : 0, "descriptors");
}

static void
hand_all_over(long n)
{
	uint64_t start = bench_now();
	double used = etcd_time();
	long i;

	n_left = n;
	for (i = 0; i < n; i++)
		bench_require(evlock_release(locks[0][i], handles[0][i]) == 0, "no release");
	run_all();
	bench_line("E6", "handed_over", (double)(told_at - start) / 1e6, "ms");
	bench_line("E6", "handed_over_cpu_etcd", etcd_time() - used, "ms");
}

static void
run_many(long n)
{
	struct party p[2] = { join(), join() };
	double watches, used;
	uint64_t start;
	long i;

	bench_require(n <= MOST_LOCKS, "too many locks");
	make_locks(&p[0], 0, n);
	make_locks(&p[1], 1, n);
	acquire_all(0, n);
	run_all();
	run_for(1000);
	print_memory("held");
	watches = count_watches();
	used = etcd_time();
	start = bench_now();
	acquire_all(1, n);
	do
		run_for(20);
	while (count_watches() < watches + (double)n);
	bench_line("E6", "in_place", (double)(bench_now() - start) / 1e6, "ms");
	bench_line("E6", "in_place_cpu_etcd", etcd_time() - used, "ms");
	run_for(1000);
	print_memory("waiting");
	hand_all_over(n);
	for (i = 0; i < n; i++) {
		evlock_free(locks[0][i]);
		evlock_free(locks[1][i]);
	}
	quit(&p[0]);
	quit(&p[1]);
}

/* --- A long queue --------------------------------------------------------------- */

static void
run_queue(long n)
{
	struct party *p = bench_alloc((size_t)n, sizeof *p);
	double *us = bench_alloc((size_t)n, sizeof *us);
	long i;

	for (i = 0; i < n; i++) {
		p[i] = join();
		acquire(&p[i]);
		if (i == 0)
			run();
		else
			run_for(20);
	}
	run_for(500);
	for (i = 0; i + 1 < n; i++) {
		uint64_t start = bench_now();

		release(&p[i]);
		run();
		us[i] = (double)(told_at - start) / 1000;
	}
	release(&p[n - 1]);
	print_times("E7", "hand_over_in_queue", us, n - 1);
	time_hand_over("E7", p, n, 20, "hand_over_of_two");
	for (i = 0; i < n; i++)
		quit(&p[i]);
	free(us);
	free(p);
}

static const struct bench_workload workloads[] = {
	{ "E3", 2000, run_bare },
	{ "E1", 2000, run_pairs },
	{ "E2", 40, run_hand_over },
	{ "E4", 10, run_etcdctl },
	{ "E5", 10000, run_decay },
	{ "E6", 5000, run_many },
	{ "E7", 200, run_queue },
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
	status = bench_run("evlock", workloads, argv + 2);
	evhttp_connection_free(bare);
	event_base_free(base);
	return status;
}
