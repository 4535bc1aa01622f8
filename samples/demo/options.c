/* SPDX-License-Identifier: BSD-3-Clause */

/* The command line.  Runs before anything else, so it may simply exit. */

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "options.h"

static const char usage[] =
    "usage: demo [options]\n"
    "Has many connections append to a few documents of a document-server and move\n"
    "lines between them, without locks, with them, with them in several threads, and\n"
    "of two servers that have one folder, with locks on files;\n"
    "kills some of them while they hold a document or wait for one, and checks what\n"
    "became of every line.\n"
    "  --server PATH      the program (samples/document-server/document-server)\n"
    "  --texts DIR        the files whose lines are sent (/usr/share/common-licenses)\n"
    "  --connections N    that append (64)\n"
    "  --readers N        more connections, that read (8)\n"
    "  --documents N      (4)\n"
    "  --moves PERCENT    of the appends that a move follows, of up to 8 lines (25)\n"
    "  --kill-every MSEC  looks who holds and who waits, and kills some,\n"
    "                     one for 8 answers at most; 0: never (20)\n"
    "  --threads N        of the server in the third run (2)\n"
    "  --seconds N        each run sends for so long at most (15)\n"
    "  --only RUN         no-lock, lock, threads or processes; all of them otherwise\n"
    "for testing a server:\n"
    "  --timeout SECS     longest wait for a lock (30)\n"
    "  --hang-up PERCENT  of the requests that are given up midway (0)\n"
    "  --stop-after N     lines, and then SIGTERM for the server (0: never)\n";

static const struct option long_options[] = {
	{ "server", required_argument, NULL, 's' },
	{ "texts", required_argument, NULL, 't' },
	{ "connections", required_argument, NULL, 'c' },
	{ "readers", required_argument, NULL, 'r' },
	{ "documents", required_argument, NULL, 'd' },
	{ "moves", required_argument, NULL, 'm' },
	{ "kill-every", required_argument, NULL, 'k' },
	{ "threads", required_argument, NULL, 'n' },
	{ "seconds", required_argument, NULL, 'S' },
	{ "only", required_argument, NULL, 'o' },
	{ "timeout", required_argument, NULL, 'T' },
	{ "hang-up", required_argument, NULL, 'u' },
	{ "stop-after", required_argument, NULL, 'a' },
	{ "help", no_argument, NULL, 'h' },
	{ NULL, 0, NULL, 0 }
};

static void
refuse(void)
{
	fputs(usage, stderr);
	exit(2);
}

static unsigned
parse(const char *value, unsigned long least, unsigned long most)
{
	char *end;
	unsigned long number = strtoul(value, &end, 10);

	if (end == value || *end != '\0' || number < least || number > most)
		refuse();
	return (unsigned)number;
}

static void
choose(struct options *options, const char *run)
{
	static const char *const names[N_RUNS] = { "no-lock", "lock", "threads", "processes" };
	bool found = false;
	int i;

	for (i = 0; i < N_RUNS; i++)
		found |= options->runs[i] = strcmp(run, names[i]) == 0;
	if (!found)
		refuse();
}

static void
take(struct options *options, int option)
{
	switch (option) {
	case 's': options->server = optarg; break;
	case 't': options->texts = optarg; break;
	case 'c': options->connections = parse(optarg, 1, MAX_CONNECTIONS); break;
	case 'r': options->readers = parse(optarg, 0, MAX_CONNECTIONS); break;
	case 'd': options->documents = parse(optarg, 1, MAX_DOCUMENTS); break;
	case 'm': options->moves = parse(optarg, 0, 100); break;
	case 'k': options->kill_every = parse(optarg, 0, 10000); break;
	case 'n': options->threads = parse(optarg, 2, 64); break;
	case 'S': options->seconds = parse(optarg, 1, 3600); break;
	case 'o': choose(options, optarg); break;
	case 'T': options->timeout = optarg; break;
	case 'u': options->hang_up = parse(optarg, 0, 100); break;
	case 'a': options->stop_after = parse(optarg, 0, 1000000); break;
	case 'h': fputs(usage, stdout); exit(0);
	default: refuse();
	}
}

void
options_parse(struct options *options, int argc, char **argv)
{
	static const struct options defaults = {
		.server = "samples/document-server/document-server",
		.texts = "/usr/share/common-licenses", .timeout = "30",
		.connections = 64, .readers = 8, .documents = 4, .moves = 25,
		.kill_every = 20, .seconds = 15, .threads = 2,
		.runs = { true, true, true, true }
	};
	int option;

	*options = defaults;
	while ((option = getopt_long(argc, argv, "", long_options, NULL)) != -1)
		take(options, option);
	if (optind != argc)
		refuse();
}
