/* SPDX-License-Identifier: BSD-3-Clause */

/* The command line.  Runs before anything else, so it may simply exit. */

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

#include "options.h"
#include "store.h"

static const char usage[] =
    "usage: document-server --dir DIR [options]\n"
    "Keeps text documents as files in DIR:\n"
    "  GET /doc/NAME    reads a document\n"
    "  PUT /doc/NAME    writes it whole\n"
    "  POST /doc/NAME   appends the lines of the body\n"
    "  POST /move?from=A&to=B  takes the lines of the body out of A, appends them to B\n"
    "  GET /locks       shows who holds a document and who waits for one\n"
    "options:\n"
    "  --dir DIR        the folder of the documents\n"
    "  --address ADDR   listen here (127.0.0.1; nothing asks who the client is)\n"
    "  --port PORT      listen here; 0 takes a free port (8080)\n"
    "  --threads N      that clients are spread over, each with a loop (1)\n"
    "  --workers N      threads for the disk (4)\n"
    "  --timeout SECS   longest wait for a lock, then 503 (10)\n"
    "  --max-body BYTES longest body, then 413 (1048576; at most 67108864)\n"
    "  --etcd URL,...   keep the locks in an etcd cluster, for servers on several machines\n"
    "                   that have DIR in common\n"
    "  --lock-file      keep the locks on files, so that several servers may have DIR\n"
    "  --no-lock        keep nobody out: loses lines, to show why locks exist\n"
    "  --help           print this\n";

static const struct option long_options[] = {
	{ "dir", required_argument, NULL, 'd' },
	{ "address", required_argument, NULL, 'a' },
	{ "port", required_argument, NULL, 'p' },
	{ "threads", required_argument, NULL, 'T' },
	{ "workers", required_argument, NULL, 'w' },
	{ "timeout", required_argument, NULL, 't' },
	{ "max-body", required_argument, NULL, 'b' },
	{ "etcd", required_argument, NULL, 'e' },
	{ "lock-file", no_argument, NULL, 'l' },
	{ "no-lock", no_argument, NULL, 'n' },
	{ "help", no_argument, NULL, 'h' },
	{ NULL, 0, NULL, 0 }
};

static void
refuse(const char *what, const char *value)
{
	fprintf(stderr, "document-server: bad %s: %s\n", what, value);
	exit(2);
}

static double
parse_number(const char *what, const char *value, double least, double most)
{
	char *end;
	double number = strtod(value, &end);

	if (end == value || *end != '\0' || !(number >= least && number <= most))
		refuse(what, value);
	return number;
}

static unsigned long
parse_count(const char *what, const char *value, unsigned long least, unsigned long most)
{
	double number = parse_number(what, value, (double)least, (double)most);

	if (number != (double)(unsigned long)number)
		refuse(what, value);
	return (unsigned long)number;
}

static struct timeval
parse_seconds(const char *what, const char *value)
{
	double seconds = parse_number(what, value, 0, 86400);
	struct timeval tv;

	tv.tv_sec = (time_t)seconds;
	tv.tv_usec = (suseconds_t)((seconds - (double)tv.tv_sec) * 1e6);
	return tv;
}

static void
take(struct options *options, int option)
{
	switch (option) {
	case 'd': options->folder = optarg; break;
	case 'a': options->address = optarg; break;
	case 'p': options->port = (uint16_t)parse_count("port", optarg, 0, 65535); break;
	case 'T': options->threads = (unsigned)parse_count("threads", optarg, 1, 64); break;
	case 'w': options->workers = (unsigned)parse_count("workers", optarg, 1, 64); break;
	case 't': options->timeout = parse_seconds("timeout", optarg); break;
	case 'b': options->max_body = parse_count("max-body", optarg, 1, STORE_MAX_DOCUMENT); break;
	case 'e': options->etcd = optarg; break;
	case 'l': options->lock_file = true; break;
	case 'n': options->no_lock = true; break;
	case 'h': fputs(usage, stdout); exit(0);
	default: fputs(usage, stderr); exit(2);
	}
}

void
options_parse(struct options *options, int argc, char **argv)
{
	static const struct options defaults = {
		.address = "127.0.0.1", .port = 8080, .threads = 1, .workers = 4,
		.timeout = { 10, 0 }, .max_body = 1 << 20
	};
	int option;

	*options = defaults;
	while ((option = getopt_long(argc, argv, "d:p:w:t:nh", long_options, NULL)) != -1)
		take(options, option);
	if (optind != argc || options->folder == NULL)
		take(options, '?');
}
