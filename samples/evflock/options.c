/* SPDX-License-Identifier: BSD-3-Clause */

/* The command line.  It is flock(1)'s, with more options.  This runs before anything else, so
 * it may simply exit. */

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "numbers.h"
#include "options.h"

static const char usage[] =
    "usage: evflock [options] FILE COMMAND [ARGUMENT]...\n"
    "       evflock [options] FILE -c 'SHELL COMMAND'\n"
    "       evflock [options] NUMBER\n"
    "       evflock [options] -f FILE [-f FILE]... COMMAND [ARGUMENT]...\n"
    "       evflock --list [FILE]...\n"
    "Runs a command while files are locked, or locks a descriptor that is open.\n"
    "As flock(1):\n"
    "  -s, --shared        lock together with others who share\n"
    "  -x, -e, --exclusive lock alone (default)\n"
    "  -u, --unlock        unlock the descriptor\n"
    "  -n, --nb, --nonblocking\n"
    "                      do not wait\n"
    "  -w, --wait, --timeout SECONDS\n"
    "                      do not wait longer; 0.5 is half a second, 0 is -n\n"
    "  -E, --conflict-exit-code CODE\n"
    "                      exit status if the lock is not granted in time (1)\n"
    "  -o, --close         run the command without a descriptor of the file\n"
    "  -c, --command COMMAND\n"
    "                      run it by the shell\n"
    "  -F, --no-fork       become the command\n"
    "      --fcntl         use locks of fcntl(2) instead of flock(2)\n"
    "      --start OFFSET, --length NUMBER\n"
    "                      lock these bytes of the file; implies --fcntl\n"
    "      --fd NUMBER     lock this descriptor, and run a command\n"
    "      --verbose       print how long it took, or why it failed and who holds the lock\n"
    "  -h, --help          print this\n"
    "  -V, --version       print the version\n"
    "Beyond flock(1):\n"
    "  -f, --file FILE     a lock file; several are locked together, all or none\n"
    "                      (-s and -x count for the files after them)\n"
    "  -p, --progress      print on stderr what is waited for, who holds it, for how long\n"
    "      --list          print who holds locks and who waits for them\n";

enum { FCNTL = 256, START, LENGTH, FD, VERBOSE, LIST };

/* "s" and "co" are what flock(1) takes for --shared and --conflict-exit-code; with more
 * options they would be ambiguous. */
static const struct option long_options[] = {
	{ "shared", no_argument, NULL, 's' },
	{ "s", no_argument, NULL, 's' },
	{ "exclusive", no_argument, NULL, 'x' },
	{ "unlock", no_argument, NULL, 'u' },
	{ "nonblocking", no_argument, NULL, 'n' },
	{ "nb", no_argument, NULL, 'n' },
	{ "wait", required_argument, NULL, 'w' },
	{ "timeout", required_argument, NULL, 'w' },
	{ "conflict-exit-code", required_argument, NULL, 'E' },
	{ "co", required_argument, NULL, 'E' },
	{ "close", no_argument, NULL, 'o' },
	{ "command", required_argument, NULL, 'c' },
	{ "no-fork", no_argument, NULL, 'F' },
	{ "fcntl", no_argument, NULL, FCNTL },
	{ "start", required_argument, NULL, START },
	{ "length", required_argument, NULL, LENGTH },
	{ "fd", required_argument, NULL, FD },
	{ "verbose", no_argument, NULL, VERBOSE },
	{ "file", required_argument, NULL, 'f' },
	{ "progress", no_argument, NULL, 'p' },
	{ "list", no_argument, NULL, LIST },
	{ "help", no_argument, NULL, 'h' },
	{ "version", no_argument, NULL, 'V' },
	{ NULL, 0, NULL, 0 }
};

/* What parsing keeps in mind from one word to the next. */
struct state {
	unsigned mode;			/* of the next file */
	const char *idle;		/* the option that set it, while no file has followed */
	bool has_timeout;
	double seconds;
};

static void
refuse(const char *what)
{
	fprintf(stderr, "evflock: %s\n", what);
	exit(EX_USAGE);
}

static void
point_to_help(void)
{
	fputs("Try 'evflock --help' for more information.\n", stderr);
	exit(EX_USAGE);
}

static void
print_and_exit(const char *text)
{
	if (fputs(text, stdout) >= 0 && fflush(stdout) == 0)
		exit(0);
	perror("evflock: write error");
	exit(EXIT_FAILURE);
}

/* --- The command ------------------------------------------------------------ */

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

static bool
is_shell_option(const char *word)
{
	return !strcmp(word, "-c") || !strcmp(word, "--command");
}

/* The words behind the files. */
static void
take_command(struct options *options, char **word)
{
	if (options->command) {
		if (*word)
			refuse("-c takes exactly one command");
	} else if (*word && is_shell_option(*word)) {
		if (!word[1] || word[2])
			refuse("-c takes exactly one command");
		set_shell(options, word[1]);
	} else if (*word) {
		options->command = word;
	} else {
		refuse("a command is missing");
	}
}

/* --- The files ---------------------------------------------------------------- */

static void
add(struct options *options, struct state *state, const char *path, int fd)
{
	struct target *target = &options->targets[options->n_targets++];

	target->path = path;
	target->fd = fd;
	target->mode = state->mode;
	state->idle = NULL;
}

static void
set_mode(struct state *state, unsigned mode, const char *option)
{
	state->mode = mode;
	state->idle = option;
}

/* No -f and no --fd: flock(1)'s forms.  A single word is a descriptor. */
static void
take_plain_words(struct options *options, struct state *state, char **word)
{
	if (options->command)
		refuse("-c stands behind the file");
	if (!*word)
		refuse("a file or a file descriptor is missing");
	if (!word[1]) {
		add(options, state, NULL, number_descriptor(*word));
		return;
	}
	add(options, state, *word, -1);
	take_command(options, word + 1);
}

static void
take_words(struct options *options, struct state *state, char **word)
{
	if (options->n_targets == 0) {
		take_plain_words(options, state, word);
		return;
	}
	take_command(options, word);
	if (state->idle) {
		fprintf(stderr, "evflock: %s stands behind the files; it counts for those after it\n",
		    state->idle);
		exit(EX_USAGE);
	}
}

const char *
target_name(const struct target *target)
{
	static char name[32];

	if (target->path)
		return target->path;
	snprintf(name, sizeof(name), "descriptor %d", target->fd);
	return name;
}

/* --- What goes together --------------------------------------------------------- */

/* What no clock can hold is for ever, as scripts mean it. */
static void
set_timeout(struct options *options, const struct state *state)
{
	double seconds = state->seconds;

	if (!(seconds > -1e-6)) {
		fputs("evflock: cannot wait for a negative time\n", stderr);
		exit(EX_OSERR);
	}
	if (seconds < 1e-6) {
		options->is_patient = false;
	} else if (seconds < 9e18) {
		options->seconds.tv_sec = (time_t)seconds;
		options->seconds.tv_usec = (suseconds_t)((seconds - (double)(time_t)seconds) * 1e6);
		options->timeout = &options->seconds;
	}
}

static void
check_together(const struct options *options)
{
	if (options->becomes && options->closes)
		refuse("--no-fork and --close cannot be used together");
	if (options->is_range && options->n_targets > 1)
		refuse("--start and --length are for one file");
}

/* --- Options ---------------------------------------------------------------------- */

static void
set_range(struct options *options, off_t *bytes, const char *value)
{
	*bytes = number_bytes(value);
	options->is_range = options->is_fcntl = true;
}

static void
take(struct options *options, struct state *state, int option)
{
	switch (option) {
	case 's': set_mode(state, EVLOCK_SHARED, "-s"); break;
	case 'e':
	case 'x': set_mode(state, EVLOCK_EXCLUSIVE, "-x"); break;
	case 'u': set_mode(state, UNLOCK, "-u"); break;
	case 'n': options->is_patient = false; break;
	case 'w': state->has_timeout = true; state->seconds = number_seconds(optarg); break;
	case 'E': options->busy_status = number_status(optarg); break;
	case 'o': options->closes = true; break;
	case 'c': set_shell(options, optarg); break;
	case 'F': options->becomes = true; break;
	case 'f': add(options, state, optarg, -1); break;
	case FD: add(options, state, NULL, number_descriptor(optarg)); break;
	case FCNTL: options->is_fcntl = true; break;
	case START: set_range(options, &options->start, optarg); break;
	case LENGTH: set_range(options, &options->length, optarg); break;
	case VERBOSE: options->is_verbose = true; break;
	case 'p': options->tells = true; break;
	case LIST: options->lists = true; break;
	case 'h': print_and_exit(usage); break;
	case 'V': print_and_exit("evflock of " PACKAGE_STRING "\n"); break;
	default: point_to_help();
	}
}

static void
allocate(struct options *options, int argc)
{
	static const struct options defaults = { .busy_status = 1, .is_patient = true };

	*options = defaults;
	options->targets = calloc((size_t)argc + 1, sizeof(*options->targets));
	if (!options->targets) {
		perror("evflock");
		exit(EX_OSERR);
	}
}

void
options_parse(struct options *options, int argc, char **argv)
{
	struct state state = { EVLOCK_EXCLUSIVE, NULL, false, 0 };
	int option;

	allocate(options, argc);
	/* '+': what follows FILE is not evflock's. */
	while ((option = getopt_long(argc, argv, "+sexunw:E:oc:Ff:phV", long_options, NULL)) != -1)
		take(options, &state, option);
	if (options->lists) {
		options->listed = argv + optind;
		return;
	}
	take_words(options, &state, argv + optind);
	check_together(options);
	if (state.has_timeout)
		set_timeout(options, &state);
}
