/* SPDX-License-Identifier: BSD-3-Clause */

/* Options and rounds.  Each round is a child process, so that its seed is known whatever happens
 * to it.
 *
 *	anything [--seconds N | --rounds N] [--seed N] [--threads N[-N]] [--operations N]
 *	         [--failures N] [--only NAME,...] [--without NAME,...] [--trace] [--tap=-]
 *
 * A round is repeated by its seed, --rounds 1 and the same other options.  With one thread and no
 * neighbour it does exactly the same again, otherwise only as far as threads can repeat
 * anything. */

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define SHIM_ASSERTS_ONLY
#include "../../shim.h"

#include "anything.h"

enum { PATIENCE = 300 };	/* seconds for a round */

static struct {
	uint64_t seed;
	long seconds, rounds, operations, failures;
	unsigned least_threads, most_threads;
	const char *only, *without;
	int is_traced;
} option = { .rounds = 30, .failures = 5, .least_threads = 1, .most_threads = THREADS };

char folder[100];

/* --- Options ---------------------------------------------------------------------- */

__attribute__((noreturn)) static void
usage(void)
{
	fprintf(stderr, "usage: anything [--seconds N | --rounds N] [--seed N] "
	    "[--threads N[-N]] [--operations N] [--failures N] [--only NAME,...] "
	    "[--without NAME,...] [--trace] [--tap=-]\n");
	exit(2);
}

static void
set_threads(const char *text)
{
	char *end;

	option.least_threads = (unsigned)strtoul(text, &end, 0);
	option.most_threads = *end == '-' ? (unsigned)strtoul(end + 1, NULL, 0)
	    : option.least_threads;
	if (option.least_threads < 1 || option.most_threads > THREADS ||
	    option.least_threads > option.most_threads)
		usage();
}

static void
set_option(const char *name, const char *value)
{
	if (!value)
		usage();
	else if (!strcmp(name, "--seconds"))
		option.seconds = strtol(value, NULL, 0);
	else if (!strcmp(name, "--rounds"))
		option.rounds = strtol(value, NULL, 0);
	else if (!strcmp(name, "--seed"))
		option.seed = strtoull(value, NULL, 0);
	else if (!strcmp(name, "--threads"))
		set_threads(value);
	else if (!strcmp(name, "--operations"))
		option.operations = strtol(value, NULL, 0);
	else if (!strcmp(name, "--failures"))
		option.failures = strtol(value, NULL, 0);
	else if (!strcmp(name, "--only"))
		option.only = value;
	else if (!strcmp(name, "--without"))
		option.without = value;
	else
		usage();
}

static void
set_options(int argc, char **argv)
{
	const char *seed = getenv("EVLOCK_TEST_SEED"), *scale = getenv("EVLOCK_TEST_SCALE");
	int i;

	option.seed = seed ? strtoull(seed, NULL, 0) : (uint64_t)time(NULL) << 8;
	if (scale && !strcmp(scale, "small"))
		option.rounds = 6;
	if (scale && !strcmp(scale, "large"))
		option.seconds = 600;
	for (i = 1; i < argc; i++)
		if (!strcmp(argv[i], "--trace"))
			option.is_traced = 1;
		else if (strncmp(argv[i], "--tap", 5)) {
			set_option(argv[i], argv[i + 1]);
			i++;
		}
}

/* --- Rounds ----------------------------------------------------------------------- */

static uint64_t
mix(uint64_t x)
{
	x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9u;
	x = (x ^ x >> 27) * 0x94D049BB133111EBu;
	return x ^ x >> 31;
}

/* Returns some bits of the seed, less than n. */
static unsigned
bits(uint64_t seed, unsigned which, unsigned n)
{
	return (unsigned)(mix(seed + which) % n);
}

/* Under valgrind, no thread runs while another waits in fcntl(2). */
static int
can_wait(void)
{
	const char *wrapper = getenv("EVLOCK_TEST_WRAPPER");

	return !wrapper || !*wrapper;
}

static void
make_plan(uint64_t seed)
{
	plan.seed = seed;
	plan.n_threads = option.least_threads +
	    bits(seed, 1, option.most_threads - option.least_threads + 1);
	plan.n_operations = option.operations ? option.operations : 100L << bits(seed, 2, 6);
	plan.is_threaded = plan.n_threads > 1 || bits(seed, 3, 2);
	plan.is_orderly = bits(seed, 4, 3) > 0;
	plan.has_failures = bits(seed, 5, 3) == 0;
	plan.has_neighbour = plan.is_threaded && bits(seed, 6, 3) == 0 && can_wait();
	plan.is_traced = option.is_traced;
	plan.only = option.only;
	plan.without = option.without;
}

static void
on_alarm(int unused)
{
	(void)unused;
	give_up(__FILE__, __LINE__, "the round comes to its end");
}

static int
run_child(void)
{
	int status = -1;
	pid_t pid;

	fflush(NULL);
	pid = fork();
	if (pid == 0) {
		signal(SIGALRM, on_alarm);
		alarm(patient(PATIENCE));
		run_round();
		exit(0);	/* leaks are looked for here */
	}
	while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
		continue;
	return status;
}

static void
remove_files(void)
{
	char path[200];
	unsigned i;

	for (i = 0; i < FILES; i++) {
		file_path(i, path, sizeof path);
		unlink(path);
	}
}

/* Returns whether the round has passed. */
static int
run_one(uint64_t seed)
{
	int status;

	make_plan(seed);
	printf("# --seed %#llx --rounds 1: %u thread%s, %ld operations each%s%s%s%s\n",
	    (unsigned long long)seed, plan.n_threads, plan.n_threads > 1 ? "s" : "",
	    plan.n_operations, plan.is_threaded ? "" : ", libevent without threads",
	    plan.is_orderly ? "" : ", all at once", plan.has_failures ? ", no memory" : "",
	    plan.has_neighbour ? ", a neighbour" : "");
	status = run_child();
	remove_files();
	if (status == 0)
		return 1;
	printf("# FAILED: --seed %#llx --rounds 1 (%s %d)\n", (unsigned long long)seed,
	    WIFSIGNALED(status) ? "signal" : "status",
	    WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
	return 0;
}

static int
is_over(long n_rounds, time_t begin)
{
	return option.seconds ? time(NULL) - begin >= option.seconds : n_rounds >= option.rounds;
}

int
main(int argc, char **argv)
{
	uint64_t seed;
	time_t begin = time(NULL);
	long n, n_failed = 0;

	set_options(argc, argv);
	snprintf(folder, sizeof folder, "%.60s/anything.XXXXXX",
	    getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp");
	if (!mkdtemp(folder))
		return 1;
	printf("1..1\n");
	seed = option.seed;
	for (n = 0; !is_over(n, begin) && n_failed < option.failures; n++) {
		n_failed += !run_one(seed);
		seed = mix(seed + 0x9E3779B97F4A7C15u);
	}
	rmdir(folder);
	printf("%sok 1 - anything::rounds # %ld of %ld failed\n", n_failed ? "not " : "", n_failed, n);
	return n_failed > 0;
}

/* The first data race ends the round. */
const char *__tsan_default_options(void);
const char *
__tsan_default_options(void)
{
	return "halt_on_error=1:second_deadlock_stack=1";
}
