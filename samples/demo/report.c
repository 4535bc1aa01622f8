/* SPDX-License-Identifier: BSD-3-Clause */

/* Lines of progress, and the table. */

#include <stdbool.h>
#include <stdio.h>
#include <sys/time.h>
#include <unistd.h>

#include "clock.h"
#include "ledger.h"
#include "report.h"
#include "run.h"

/* --- Progress ------------------------------------------------------------- */

const struct timeval *
report_interval(void)
{
	static const struct timeval terminal = { 0, 200000 }, file = { 2, 0 };

	return isatty(STDOUT_FILENO) ? &terminal : &file;
}

static void
print_progress(const struct run *run, const char *start, const char *end)
{
	printf("%s%-18s%zu of %zu lines, %zu reads, %.1f s%s", start,
	    run->title, run->result.accepted,
	    run->ledger.texts->n_lines, run->result.reads,
	    run->began > 0 ? time_now() - run->began : 0, end);
	fflush(stdout);
}

void
report_progress(const struct run *run)
{
	if (isatty(STDOUT_FILENO))
		print_progress(run, "\r", "\033[K");
	else
		print_progress(run, "", "\n");
}

void
report_progress_done(const struct run *run)
{
	print_progress(run, isatty(STDOUT_FILENO) ? "\r" : "",
	    isatty(STDOUT_FILENO) ? "\033[K\n" : "\n");
}

/* --- The table ------------------------------------------------------------ */

#define AS_MS 1e3

/* One row: what, and its value in each run. */
struct row {
	const char *what;
	double (*value)(const struct result *result);
	int decimals;
	bool always;		/* also if it is 0 in every run */
};

static double
percentile(const struct result *result, double part)
{
	size_t n = result->accepted;

	return n ? AS_MS * result->latency[(size_t)(part * (double)(n - 1) + 0.5)] : 0;
}

static double get_sent(const struct result *r) { return (double)r->sent; }
static double get_lost(const struct result *r) { return (double)r->findings.lost; }
static double get_doubled(const struct result *r) { return (double)r->findings.doubled; }
static double get_disordered(const struct result *r) { return (double)r->findings.disordered; }
static double get_refused(const struct result *r) { return (double)r->refused; }
static double get_unwanted(const struct result *r) { return (double)r->findings.unwanted; }
static double get_unanswered(const struct result *r) { return (double)r->unanswered; }
static double get_misplaced(const struct result *r) { return (double)r->findings.misplaced; }
static double get_moves(const struct result *r) { return (double)r->moves; }
static double get_lines_moved(const struct result *r) { return (double)r->lines_moved; }
static double get_not_found(const struct result *r) { return (double)r->not_found; }
static double get_refused_moves(const struct result *r) { return (double)r->refused_moves; }
static double get_unanswered_moves(const struct result *r) { return (double)r->unanswered_moves; }
static double get_killed_holding(const struct result *r) { return (double)r->killed_holding; }
static double get_killed_waiting(const struct result *r) { return (double)r->killed_waiting; }
static double get_killed_moving(const struct result *r) { return (double)r->killed_moving; }
static double get_left(const struct result *r) { return (double)r->left; }
static double get_torn(const struct result *r) { return (double)r->findings.torn; }
static double get_reads(const struct result *r) { return (double)r->reads; }
static double get_torn_reads(const struct result *r) { return (double)r->torn_reads; }
static double get_shrunk_reads(const struct result *r) { return (double)r->shrunk_reads; }
static double get_failures(const struct result *r) { return (double)r->failures; }
static double get_rate(const struct result *r)
{ return r->seconds > 0 ? (double)(r->sent + r->moves + r->reads) / r->seconds : 0; }
static double get_median(const struct result *r) { return percentile(r, 0.5); }
static double get_99th(const struct result *r) { return percentile(r, 0.99); }
static double get_longest(const struct result *r) { return percentile(r, 1); }
static double get_wait(const struct result *r) { return AS_MS * r->longest_wait; }

static const struct row rows[] = {
	{ "lines sent", get_sent, 0, true },
	{ "lines lost", get_lost, 0, true },
	{ "  doubled", get_doubled, 0, false },
	{ "  out of order", get_disordered, 0, false },
	{ "  misplaced", get_misplaced, 0, false },
	{ "  damaged", get_torn, 0, false },
	{ "  refused (503)", get_refused, 0, false },
	{ "  refused, and yet there", get_unwanted, 0, false },
	{ "  not answered", get_unanswered, 0, false },
	{ "moves", get_moves, 0, true },
	{ "  lines moved", get_lines_moved, 0, true },
	{ "  lines not found", get_not_found, 0, true },
	{ "  refused (503)", get_refused_moves, 0, false },
	{ "  not answered", get_unanswered_moves, 0, false },
	{ "killed while holding", get_killed_holding, 0, true },
	{ "killed while waiting", get_killed_waiting, 0, true },
	{ "  of both, in a move", get_killed_moving, 0, true },
	{ "left holding or waiting", get_left, 0, true },
	{ "reads", get_reads, 0, true },
	{ "  of a damaged document", get_torn_reads, 0, true },
	{ "  that missed earlier lines", get_shrunk_reads, 0, true },
	{ "wrong answers", get_failures, 0, false },
	{ "requests/s", get_rate, 0, true },
	{ "latency, median (ms)", get_median, 2, true },
	{ "latency, 99th percentile", get_99th, 2, true },
	{ "latency, longest", get_longest, 2, true },
	{ "longest wait for a lock", get_wait, 2, true },
};

static bool
is_shown(const struct row *row, const struct run *const runs[], size_t n)
{
	bool shown = row->always;
	size_t i;

	for (i = 0; i < n; i++)
		shown |= row->value(&runs[i]->result) != 0;
	return shown;
}

static void
print_row(const struct row *row, const struct run *const runs[], size_t n)
{
	size_t i;

	printf("%-28s", row->what);
	for (i = 0; i < n; i++)
		printf("%18.*f", row->decimals, row->value(&runs[i]->result));
	printf("\n");
}

void
report_runs(const struct run *const runs[], size_t n)
{
	const struct options *options = runs[0]->options;
	const struct texts *texts = runs[0]->ledger.texts;
	size_t i;

	printf("\n%zu lines of %zu texts, one a request, to %u documents;"
	    " %u connections append and move, %u read\n\n", texts->n_lines, texts->n_files,
	    options->documents, options->connections, options->readers);
	printf("%-28s", "");
	for (i = 0; i < n; i++)
		printf("%18s", runs[i]->title);
	printf("\n");
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (is_shown(&rows[i], runs, n))
			print_row(&rows[i], runs, n);
	printf("\n");
}
