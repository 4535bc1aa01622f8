/* SPDX-License-Identifier: BSD-3-Clause */

/* A run from its server's start to its server's end:
 *
 *	start the server -> it listens -> writers, readers and the killer -> all writers
 *	are done, or time is up -> check its locks -> SIGTERM, or with --stop-after at
 *	once -> it has ended -> check its files
 */

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <event2/event.h>

#include "child.h"
#include "clock.h"
#include "reader.h"
#include "report.h"
#include "run.h"
#include "writer.h"

/* --- Ending --------------------------------------------------------------- */

static void
stop_clients(struct run *run)
{
	run->enough = true;
	run->result.seconds = time_now() - run->began;
}

static void
end_server(struct run *run)
{
	unsigned i;

	if (run->ending)
		return;
	run->ending = true;
	for (i = 0; i < run->n_servers; i++)
		child_signal(run->child[i], SIGTERM);
}

void
run_answered(struct run *run)
{
	if (run->ending || !run->options->stop_after
	    || run->result.accepted < run->options->stop_after)
		return;
	stop_clients(run);
	end_server(run);
}

static void
end_if_all_ended(struct run *run)
{
	if (run->n_ended == run->n_servers && run->n_writing == 0)
		event_base_loopbreak(run->base);
}

void
run_writer_done(struct run *run)
{
	if (--run->n_writing == 0 && !run->ending) {
		stop_clients(run);
		killer_check(&run->killer);
	}
	end_if_all_ended(run);
}

void
run_checked(struct run *run)
{
	end_server(run);
}

static void
server_ended(int status, void *arg)
{
	struct run *run = arg;

	bool ok = run->ending && WIFEXITED(status) && WEXITSTATUS(status) == 0;

	run->result.served = ok && (run->result.served || run->n_ended == 0);
	if (!ok)
		fprintf(stderr, "\ndemo: the server ended %s, with %s %d\n",
		    run->ending ? "badly" : "too early",
		    WIFEXITED(status) ? "status" : "signal",
		    WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status));
	run->n_ended++;
	end_if_all_ended(run);	/* its last answers may be unread */
}

static void
have_enough(evutil_socket_t fd, short what, void *arg)
{
	struct run *run = arg;

	(void)fd;
	(void)what;
	run->enough = true;	/* what is under way is waited for */
}

static void
break_off(evutil_socket_t fd, short what, void *arg)
{
	struct run *run = arg;

	(void)fd;
	fprintf(stderr, "\ndemo: %s\n", what & EV_SIGNAL ? "interrupted" : "this takes too long");
	run->interrupted = true;
	event_base_loopbreak(run->base);
}

/* --- Beginning ------------------------------------------------------------ */

static bool
start_clients(struct run *run)
{
	unsigned i;

	for (i = 0; i < run->options->readers; i++)
		if (!reader_init(&run->readers[i], run))
			return false;
	for (i = 0; i < run->options->connections; i++)
		if (!writer_init(&run->writers[i], run, i))
			return false;
	if (!killer_init(&run->killer, run))
		return false;
	run->n_writing = run->options->connections;
	for (i = 0; i < run->options->connections; i++)
		writer_go_on(&run->writers[i]);
	return true;
}

static void
begin(uint16_t port, void *arg)
{
	struct run *run = arg;
	struct timeval longest = { (time_t)run->options->seconds, 0 };

	if (run->n_listening == run->n_servers)
		return;
	run->port[run->n_listening++] = port;
	if (run->n_listening < run->n_servers)
		return;
	run->began = time_now();
	if (event_add(run->timers[1], &longest) < 0 || !start_clients(run))
		event_base_loopbreak(run->base);
}

uint16_t
run_port(struct run *run)
{
	return run->port[run->n_clients++ % run->n_servers];
}

static const char *
lock_option(const struct run *run)
{
	return !run->lock ? "--no-lock" : run->n_servers > 1 ? "--lock-file" : NULL;
}

static bool
start_servers(struct run *run)
{
	const struct child_callbacks callbacks = { begin, server_ended, run };
	char threads[16];
	unsigned i;
	const char *argv[] = { run->options->server, "--port", "0", "--dir", run->folder,
	    "--timeout", run->options->timeout, "--threads", threads,
	    lock_option(run), NULL };

	snprintf(threads, sizeof(threads), "%u", run->threads);
	for (i = 0; i < run->n_servers; i++) {
		run->child[i] = child_start(run->base, argv, &callbacks);
		if (run->child[i] == NULL)
			return false;
	}
	return true;
}

static void
show_progress(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	report_progress(arg);
}

/* What happens at its time: the next line of progress, the end, the watchdog; and
 * what happens at any time. */
static bool
add_events(struct run *run, double deadline)
{
	double left = deadline - time_now();
	const struct timeval at_last = { left > 0 ? (time_t)left : 0, 0 };
	int i, failed = 0;

	run->timers[0] = event_new(run->base, -1, EV_PERSIST, show_progress, run);
	run->timers[1] = evtimer_new(run->base, have_enough, run);
	run->timers[2] = evtimer_new(run->base, break_off, run);
	run->signals[0] = evsignal_new(run->base, SIGINT, break_off, run);
	run->signals[1] = evsignal_new(run->base, SIGTERM, break_off, run);
	if (!run->timers[0] || !run->timers[1] || !run->timers[2])
		return false;
	for (i = 0; i < 2; i++)
		failed |= !run->signals[i] || event_add(run->signals[i], NULL);
	failed |= event_add(run->timers[0], report_interval());
	failed |= event_add(run->timers[2], &at_last);
	return !failed;
}

static bool
prepare(struct run *run, const struct texts *texts, const char *folder, double deadline)
{
	const struct options *options = run->options;

	snprintf(run->folder, sizeof(run->folder), "%s/%s-%u-%u", folder,
	    run->lock ? "lock" : "no-lock", run->threads, run->n_servers);
	run->base = event_base_new();
	run->writers = calloc(options->connections, sizeof(*run->writers));
	run->readers = calloc(options->readers + 1, sizeof(*run->readers));
	run->result.latency = calloc(texts->n_lines, sizeof(*run->result.latency));
	return ledger_init(&run->ledger, texts, options->connections, options->documents)
	    && run->base && run->writers && run->readers && run->result.latency
	    && mkdir(run->folder, 0777) == 0 && add_events(run, deadline);
}

/* --- Checking ------------------------------------------------------------- */

/* Returns the file's text, or NULL if there is none. */
static char *
read_file(const char *path, size_t *len)
{
	FILE *in = fopen(path, "r");
	struct stat st;
	char *text = NULL;

	if (in == NULL)
		return NULL;
	if (fstat(fileno(in), &st) == 0 && (text = malloc((size_t)st.st_size + 1)) != NULL)
		*len = fread(text, 1, (size_t)st.st_size, in);
	fclose(in);
	return text;
}

static void
check_documents(struct run *run)
{
	char path[sizeof(run->folder) + 16];
	size_t len = 0;
	unsigned i;

	for (i = 0; i < run->options->documents; i++) {
		char *text;

		snprintf(path, sizeof(path), "%s/d%u", run->folder, i);
		text = read_file(path, &len);
		if (text)
			ledger_enter(&run->ledger, i, text, len, &run->result.findings);
		free(text);
	}
	ledger_balance(&run->ledger, &run->result.findings);
}

static int
compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void
conclude(struct run *run)
{
	struct result *result = &run->result;

	check_documents(run);
	result->refused = ledger_count(&run->ledger, FATE_REFUSED);
	result->unanswered = ledger_count(&run->ledger, FATE_UNKNOWN);
	result->sent = result->accepted + result->refused + result->unanswered;
	qsort(result->latency, result->accepted, sizeof(result->latency[0]), compare);
}

/* --- All of it ------------------------------------------------------------ */

static void
free_events(struct run *run)
{
	int i;

	for (i = 0; i < 3; i++)
		if (run->timers[i])
			event_free(run->timers[i]);
	for (i = 0; i < 2; i++)
		if (run->signals[i])
			event_free(run->signals[i]);
}

/* Only one base at a time may listen to signals, so this does not wait for run_free(). */
static void
free_base(struct run *run)
{
	unsigned i;

	for (i = 0; run->readers && i < run->options->readers; i++)
		reader_free(&run->readers[i]);
	for (i = 0; run->writers && i < run->options->connections; i++)
		writer_free(&run->writers[i]);
	killer_free(&run->killer);
	for (i = 0; i < run->n_servers; i++)
		child_free(run->child[i]);
	free_events(run);
	if (run->base)
		event_base_free(run->base);
}

static bool
serve(struct run *run, const struct texts *texts, const char *folder, double deadline)
{
	if (!prepare(run, texts, folder, deadline) || !start_servers(run)) {
		fprintf(stderr, "demo: %s\n", strerror(errno));
		return false;
	}
	event_base_dispatch(run->base);
	report_progress_done(run);
	return run->began > 0 && !run->interrupted;
}

static void
set_kind(struct run *run, int kind)
{
	run->lock = kind != RUN_NO_LOCK;
	run->threads = kind == RUN_THREADS ? run->options->threads : 1;
	run->n_servers = kind == RUN_PROCESSES ? MAX_SERVERS : 1;
	snprintf(run->title, sizeof(run->title), run->lock ? "locks" : "no locks");
	if (kind == RUN_THREADS)
		snprintf(run->title, sizeof(run->title), "locks, %u threads", run->threads);
	if (kind == RUN_PROCESSES)
		snprintf(run->title, sizeof(run->title), "%u processes", run->n_servers);
}

bool
run_make(struct run *run, const struct options *options, const struct texts *texts,
    int kind, const char *folder, double deadline)
{
	bool ok;

	memset(run, 0, sizeof(*run));
	run->options = options;
	set_kind(run, kind);
	ok = serve(run, texts, folder, deadline);
	free_base(run);
	if (ok)
		conclude(run);
	return ok;
}

void
run_free(struct run *run)
{
	ledger_free(&run->ledger);
	free(run->result.latency);
	free(run->readers);
	free(run->writers);
}
