/* SPDX-License-Identifier: BSD-3-Clause */

/* The command line, as flock(1) has it, and -f beside it.  Runs before anything else, so
 * it may simply exit. */

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include <evlock/evlock.h>

#include "options.h"

static const char usage[] =
    "usage: evflock [options] FILE COMMAND [ARGUMENT]...\n"
    "       evflock [options] FILE -c 'SHELL COMMAND'\n"
    "       evflock [options] -f FILE [-f FILE]... COMMAND [ARGUMENT]...\n"
    "Runs the command while the lock files are locked.\n"
    "options:\n"
    "  -f, --file FILE     a lock file; as many as you like, taken all together\n"
    "  -s, --shared        the files named after this are locked with others who share\n"
    "  -x, -e, --exclusive the files named after this are locked alone (so is the first)\n"
    "  -n, --nonblock      do not wait\n"
    "  -w, --wait SECONDS  do not wait longer; 0.5 is half a second, 0 is -n\n"
    "  -E, --conflict-exit-code CODE\n"
    "                      exit status if the files were not to be had in time (1)\n"
    "  -c, --command COMMAND\n"
    "                      have the shell run it\n"
    "  -F, --flock         locks of flock(2), which flock(1) uses, not those of fcntl(2)\n"
    "  -p, --progress      say on stderr what is waited for, and for how long\n"
    "  -h, --help          print this\n"
    "  -V, --version       print the version\n";

static const struct option long_options[] = {
	{ "file", required_argument, NULL, 'f' },
	{ "shared", no_argument, NULL, 's' },
	{ "exclusive", no_argument, NULL, 'x' },
	{ "nonblock", no_argument, NULL, 'n' },
	{ "nb", no_argument, NULL, 'n' },
	{ "wait", required_argument, NULL, 'w' },
	{ "timeout", required_argument, NULL, 'w' },
	{ "conflict-exit-code", required_argument, NULL, 'E' },
	{ "command", required_argument, NULL, 'c' },
	{ "flock", no_argument, NULL, 'F' },
	{ "progress", no_argument, NULL, 'p' },
	{ "help", no_argument, NULL, 'h' },
	{ "version", no_argument, NULL, 'V' },
	{ NULL, 0, NULL, 0 }
};

/* What parsing has to keep in mind from one word to the next. */
struct state {
	unsigned mode;			/* of the next file */
	const char *idle;		/* -s or -x, while no file has followed it */
};

static void
refuse(const char *what, const char *value)
{
	fprintf(stderr, "evflock: %s%s%s\n", what, value ? ": " : "", value ? value : "");
	exit(EX_USAGE);
}

static double
parse_number(const char *what, const char *value, double most)
{
	char *end;
	double number = strtod(value, &end);

	if (end == value || *end != '\0' || !(number >= 0 && number <= most))
		refuse(what, value);
	return number;
}

static void
set_wait(struct options *options, const char *value)
{
	double seconds = parse_number("bad number of seconds", value, 1e9);

	options->seconds.tv_sec = (time_t)seconds;
	options->seconds.tv_usec = (suseconds_t)((seconds - (double)options->seconds.tv_sec) * 1e6);
	options->timeout = &options->seconds;
	if (seconds == 0)
		options->is_patient = false;
}

static int
parse_status(const char *value)
{
	double number = parse_number("bad exit code (0 to 255)", value, 255);

	if (number != (int)number)
		refuse("bad exit code (0 to 255)", value);
	return (int)number;
}

static void
set_shell(struct options *options, char *command)
{
	char *shell = getenv("SHELL");
	static char plain[] = "/bin/sh", c[] = "-c";

	options->shell[0] = shell && *shell ? shell : plain;
	options->shell[1] = c;
	options->shell[2] = command;
	options->command = options->shell;
}

static void
set_mode(struct state *state, unsigned mode, const char *option)
{
	state->mode = mode;
	state->idle = option;
}

static void
add_file(struct options *options, struct state *state, const char *path)
{
	struct target *target = &options->targets[options->n_targets++];

	target->path = path;
	target->mode = state->mode;
	state->idle = NULL;
}

static void
take(struct options *options, struct state *state, int option)
{
	switch (option) {
	case 'f': add_file(options, state, optarg); break;
	case 's': set_mode(state, EVLOCK_SHARED, "-s"); break;
	case 'e':
	case 'x': set_mode(state, EVLOCK_EXCLUSIVE, "-x"); break;
	case 'n': options->is_patient = false; break;
	case 'w': set_wait(options, optarg); break;
	case 'E': options->busy_status = parse_status(optarg); break;
	case 'c': set_shell(options, optarg); break;
	case 'F': options->is_flock = true; break;
	case 'p': options->tells = true; break;
	case 'h': fputs(usage, stdout); exit(0);
	case 'V': puts("evflock of " PACKAGE_STRING); exit(0);
	default: fputs(usage, stderr); exit(EX_USAGE);
	}
}

/* The words that follow the options: a FILE if there was no -f, and the command. */
static void
take_words(struct options *options, struct state *state, char **word)
{
	if (options->n_targets == 0 && *word)
		add_file(options, state, *word++);
	if (options->n_targets == 0)
		refuse("no lock file is named", NULL);
	if (!options->command && *word && (!strcmp(*word, "-c") || !strcmp(*word, "--command"))) {
		if (!word[1])
			refuse("-c wants a command", NULL);
		set_shell(options, word[1]);
		word += 2;
	}
	if (options->command && *word)
		refuse("-c wants one command, not also", *word);
	if (!options->command && !*word)
		refuse("no command is given", NULL);
	if (!options->command)
		options->command = word;
	if (state->idle)
		refuse("stands behind the files, and is for those that follow it", state->idle);
}

void
options_parse(struct options *options, int argc, char **argv)
{
	static const struct options defaults = { .busy_status = 1, .is_patient = true };
	struct state state = { EVLOCK_EXCLUSIVE, NULL };
	int option;

	*options = defaults;
	options->targets = calloc((size_t)argc + 1, sizeof(*options->targets));
	if (!options->targets) {
		perror("evflock");
		exit(EX_OSERR);
	}
	/* '+': what follows FILE is not ours. */
	while ((option = getopt_long(argc, argv, "+f:sexnw:E:c:FphV", long_options, NULL)) != -1)
		take(options, &state, option);
	take_words(options, &state, argv + optind);
}

void
options_free(struct options *options)
{
	free(options->targets);
}
