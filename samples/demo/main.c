/* SPDX-License-Identifier: BSD-3-Clause */

/* demo: what locks are for.
 *
 * Starts document-server three times over an empty folder, with --no-lock, without it,
 * and without it but with --threads; has many connections append the same texts and
 * move lines between the documents, kills some in the midst of a request, and checks
 * every line and that nothing stays locked.
 * Exits with 0 if the runs with the locks were without fault; with 1 if not; with 2
 * if there is no result.  All in one thread, on one event_base a run.
 *
 *	run.c -> child.c           the server
 *	      -> writer.c          those who append -+-> client.c
 *	      -> reader.c          those who read   -+
 *	      -> killer.c          who kills them   -+
 *	      -> ledger.c          what became of each line
 *	      -> report.c          what is printed
 */

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include <event2/event.h>

#include "clock.h"
#include "folder.h"
#include "options.h"
#include "report.h"
#include "run.h"
#include "texts.h"

#define SPARE_SECONDS 15	/* for all but the sending, before the watchdog bites */

/* Whatever the run was to find, these must not be. */
static bool
is_served(const struct result *result)
{
	return result->served && result->failures == 0 && result->findings.torn == 0
	    && result->torn_reads == 0 && result->left == 0 && result->accepted > 0;
}

/* With locks, nothing at all must be found. */
static bool
is_faultless(const struct result *result)
{
	const struct findings *f = &result->findings;

	return is_served(result) && result->shrunk_reads == 0
	    && result->not_found == 0 && f->lost == 0 && f->doubled == 0 && f->unwanted == 0
	    && f->misplaced == 0 && f->disordered == 0;
}

static bool
judge(const struct run *run)
{
	const struct result *result = &run->result;
	bool good = run->lock ? is_faultless(result) : is_served(result);

	if (result->sent < run->ledger.texts->n_lines && !run->options->stop_after)
		printf("After %u seconds not all lines were sent; those that were, were checked.\n",
		    run->options->seconds);
	if (!good)
		printf("%s: this run was not as it must be.\n", run->title);
	else if (run->lock)
		printf("%s: every line that the server accepted is there, once, in order,\n"
		    "and where it was moved to; nothing stayed locked.\n", run->title);
	else if (result->findings.lost > 0)
		printf("%s: %zu of %zu lines were lost.\n", run->title, result->findings.lost,
		    result->accepted);
	else
		printf("%s: nothing happened to be lost this time.\n", run->title);
	return good;
}

static double
find_deadline(const struct options *options)
{
	double deadline = time_now() + SPARE_SECONDS;
	int kind;

	for (kind = 0; kind < N_RUNS; kind++)
		deadline += options->runs[kind] ? options->seconds : 0;
	return deadline;
}

static int
demonstrate(const struct options *options, const struct texts *texts, const char *folder)
{
	double deadline = find_deadline(options);
	struct run runs[N_RUNS];
	const struct run *made[N_RUNS];
	size_t i, n = 0;
	bool ok = true, good = true;
	int kind;

	for (kind = 0; ok && kind < N_RUNS; kind++) {
		if (!options->runs[kind])
			continue;
		ok = run_make(&runs[n], options, texts, kind, folder, deadline);
		made[n] = &runs[n];
		n++;
	}
	if (ok)
		report_runs(made, n);
	for (i = 0; i < n; i++) {
		good &= ok && judge(&runs[i]);
		run_free(&runs[i]);
	}
	return !ok ? 2 : !good;
}

int
main(int argc, char **argv)
{
	struct options options;
	struct texts texts;
	char folder[FOLDER_SIZE];
	int status = 2;

	options_parse(&options, argc, argv);
	signal(SIGPIPE, SIG_IGN);
	if (texts_read(&texts, options.texts) && folder_make(folder)) {
		status = demonstrate(&options, &texts, folder);
		folder_remove(folder);
	}
	texts_free(&texts);
	libevent_global_shutdown();
	return status;
}
