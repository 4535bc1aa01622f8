/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SHIM_H_INCLUDED_
#define SHIM_H_INCLUDED_

/* Tests in Criterion's spelling, and two runners for them: Criterion, or the one in this file if
 * EVLOCK_TEST_SHIM is defined.  The latter forks for each test and believes the exit status.  So
 * everything that a sanitizer or valgrind finds in a test is a failure, leaks included, which
 * Criterion 2.4.1 does not notice. test/shim-selftest.sh plants such mistakes and checks that they
 * are reported.
 *
 * A program includes this file once, in the source file with its tests.  Other source files of the
 * program define SHIM_ASSERTS_ONLY first.
 *
 *	PROGRAM [--tap=-] [--filter SUITE/TEST]		both may hold wildcards */

#include <stdlib.h>

/** Returns `seconds` of a machine of common speed, which are more if this machine is slower at the
 * moment.  For limits that only a mistake should reach; see scripts/run-test. */
static inline unsigned
patient(unsigned seconds)
{
	const char *text = getenv("EVLOCK_TEST_SLOWNESS");
	unsigned slowness = text ? (unsigned)strtoul(text, NULL, 10) : 1;

	return seconds * (slowness ? slowness : 1);
}

#ifndef EVLOCK_TEST_SHIM

#include <criterion/criterion.h>

#else

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* --- Asserting ------------------------------------------------------------ */

#define SHIM_FAILED 201	/* the exit status of a test whose assertion failed */

__attribute__((format(printf, 4, 5), noreturn)) static inline void
shim_fail(const char *file, int line, const char *what, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fprintf(stderr, "# %s:%d: failed: %s", file, line, what);
	vfprintf(stderr, format, args);
	fputc('\n', stderr);
	va_end(args);
	fflush(NULL);
	_exit(SHIM_FAILED);
}

#define shim_check(condition, what, ...) \
	do { \
		if (!(condition)) \
			shim_fail(__FILE__, __LINE__, what, " " __VA_ARGS__); \
	} while (0)

#define shim_check_str(actual, op, expected, what, ...) \
	do { \
		const char *shim_actual = (actual), *shim_expected = (expected); \
		if (!(strcmp(shim_actual, shim_expected) op 0)) { \
			fprintf(stderr, "# actual:   \"%s\"\n# expected: \"%s\"\n", \
			    shim_actual, shim_expected); \
			shim_fail(__FILE__, __LINE__, what, " " __VA_ARGS__); \
		} \
	} while (0)

#define cr_assert(c, ...)		shim_check(c, #c, __VA_ARGS__)
#define cr_assert_not(c, ...)		shim_check(!(c), "!(" #c ")", __VA_ARGS__)
#define cr_assert_null(p, ...)		shim_check((p) == NULL, #p " == NULL", __VA_ARGS__)
#define cr_assert_not_null(p, ...)	shim_check((p) != NULL, #p " != NULL", __VA_ARGS__)
#define cr_assert_eq(a, b, ...)		shim_check((a) == (b), #a " == " #b, __VA_ARGS__)
#define cr_assert_neq(a, b, ...)	shim_check((a) != (b), #a " != " #b, __VA_ARGS__)
#define cr_assert_lt(a, b, ...)		shim_check((a) < (b), #a " < " #b, __VA_ARGS__)
#define cr_assert_leq(a, b, ...)	shim_check((a) <= (b), #a " <= " #b, __VA_ARGS__)
#define cr_assert_gt(a, b, ...)		shim_check((a) > (b), #a " > " #b, __VA_ARGS__)
#define cr_assert_geq(a, b, ...)	shim_check((a) >= (b), #a " >= " #b, __VA_ARGS__)
#define cr_assert_str_eq(a, b, ...)	shim_check_str(a, ==, b, #a " is " #b, __VA_ARGS__)
#define cr_assert_str_neq(a, b, ...)	shim_check_str(a, !=, b, #a " is not " #b, __VA_ARGS__)

/* --- Tests ---------------------------------------------------------------- */

#ifndef SHIM_ASSERTS_ONLY

#include <errno.h>
#include <fnmatch.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>

/** The options of Test() and TestSuite(), as in Criterion. */
struct shim_options {
	int is_set;
	void (*init)(void);
	void (*fini)(void);
	int signal;
	int exit_code;
	int disabled;
	double timeout;
	const char *description;
};

struct shim_test {
	const char *suite;
	const char *name;		/* NULL: these are the suite's own options */
	void (*run)(void);
	struct shim_options options;
	struct shim_test *next;
};

static struct shim_test *shim_first, **shim_last = &shim_first;

#define SHIM_REGISTER(id, suite_, name_, run_, ...) \
	static struct shim_test id = { suite_, name_, run_, { .is_set = 1, __VA_ARGS__ }, NULL }; \
	__attribute__((constructor)) static void \
	id##_register(void) \
	{ \
		*shim_last = &id; \
		shim_last = &id.next; \
	}

#define Test(suite_, name_, ...) \
	static void suite_##_##name_##_run(void); \
	SHIM_REGISTER(suite_##_##name_##_test, #suite_, #name_, suite_##_##name_##_run, \
	    __VA_ARGS__) \
	static void \
	suite_##_##name_##_run(void)

#define TestSuite(suite_, ...) \
	SHIM_REGISTER(suite_##_suite, #suite_, NULL, NULL, __VA_ARGS__) \
	struct shim_test

/* --- Running -------------------------------------------------------------- */

#define SHIM_SECONDS 120	/* default for the time that a test may take */

/* Set by a test that has reached its end, in memory shared with the runner.  A test that calls
 * exit(0) half-way has not passed. */
static volatile char *shim_is_done;

static const struct shim_options *
shim_suite_options(const char *suite)
{
	static const struct shim_options none;
	const struct shim_test *t;

	for (t = shim_first; t; t = t->next)
		if (!t->name && !strcmp(t->suite, suite))
			return &t->options;
	return &none;
}

/* In the child. */
__attribute__((noreturn)) static void
shim_run(const struct shim_test *t, const struct shim_options *suite)
{
	double seconds = t->options.timeout ? t->options.timeout : suite->timeout;
	struct rlimit no_core = { 0, 0 };

	setrlimit(RLIMIT_CORE, &no_core);
	alarm(patient(seconds > 0 ? (unsigned)seconds + 1 : SHIM_SECONDS));
	if (suite->init)
		suite->init();
	if (t->options.init)
		t->options.init();
	t->run();
	if (t->options.fini)
		t->options.fini();
	if (suite->fini)
		suite->fini();
	*shim_is_done = 1;
	exit(0);	/* checks for leaks */
}

static int
shim_status(const struct shim_test *t, const struct shim_options *suite)
{
	int status = -1;
	pid_t pid;

	fflush(NULL);
	*shim_is_done = 0;
	pid = fork();
	if (pid == 0)
		shim_run(t, suite);
	while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
		continue;
	return status;
}

/* Returns NULL if the test has passed, or what was wrong. */
static const char *
shim_verdict(int status, int signal_, int exit_code)
{
	static char text[80];

	if (status == -1)
		return "could not be run";
	if (WIFSIGNALED(status)) {
		if (signal_ && WTERMSIG(status) == signal_)
			return NULL;
		if (WTERMSIG(status) == SIGALRM)
			return "took too long";
		snprintf(text, sizeof text, "died of signal %d", WTERMSIG(status));
		return text;
	}
	if (signal_)
		return "did not raise its signal";
	if (WEXITSTATUS(status) == SHIM_FAILED)
		return "assertion failed";
	if (WEXITSTATUS(status) != exit_code) {
		snprintf(text, sizeof text, "exit status %d", WEXITSTATUS(status));
		return text;
	}
	return exit_code || *shim_is_done ? NULL : "ended before its end";
}

static int
shim_is_selected(const struct shim_test *t, const char *filter)
{
	char id[256];

	if (!t->name)
		return 0;
	snprintf(id, sizeof id, "%s/%s", t->suite, t->name);
	return !fnmatch(filter, id, 0);
}

static void
shim_print(const struct shim_test *t, int number, const char *wrong, int is_skipped, int is_tap)
{
	if (is_tap)
		printf("%sok %d - %s::%s%s%s\n", wrong ? "not " : "", number, t->suite, t->name,
		    is_skipped ? " # SKIP" : wrong ? " # " : "", wrong ? wrong : "");
	else if (wrong)
		printf("[FAIL] %s::%s: %s\n", t->suite, t->name, wrong);
	fflush(stdout);
}

static int
shim_main(const char *filter, int is_tap)
{
	int n = 0, n_failed = 0, n_crashed = 0;
	const struct shim_test *t;

	for (t = shim_first; t; t = t->next)
		n += shim_is_selected(t, filter);
	if (is_tap)
		printf("1..%d\n", n);
	for (n = 0, t = shim_first; t; t = t->next) {
		const struct shim_options *suite = shim_suite_options(t->suite);
		int is_skipped = t->options.disabled || suite->disabled, status;
		const char *wrong = NULL;

		if (!shim_is_selected(t, filter))
			continue;
		if (!is_skipped) {
			status = shim_status(t, suite);
			wrong = shim_verdict(status,
			    t->options.signal ? t->options.signal : suite->signal,
			    t->options.exit_code ? t->options.exit_code : suite->exit_code);
			n_failed += wrong != NULL;
			n_crashed += wrong && WIFSIGNALED(status);
		}
		shim_print(t, ++n, wrong, is_skipped, is_tap);
	}
	if (!is_tap)
		printf("[====] Synthesis: Tested: %d | Passing: %d | Failing: %d | Crashing: %d\n",
		    n, n - n_failed, n_failed, n_crashed);
	return n_failed || !n;
}

int
main(int argc, char **argv)
{
	const char *filter = "*";
	int i, is_tap = 0;

	for (i = 1; i < argc; i++) {
		if (!strncmp(argv[i], "--tap", 5))
			is_tap = 1;
		else if (!strncmp(argv[i], "--filter=", 9))
			filter = argv[i] + 9;
		else if (!strcmp(argv[i], "--filter") && i + 1 < argc)
			filter = argv[++i];
		else {
			fprintf(stderr, "usage: %s [--tap=-] [--filter SUITE/TEST]\n", argv[0]);
			return 2;
		}
	}
	shim_is_done = mmap(NULL, 1, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	return shim_is_done == MAP_FAILED ? 1 : shim_main(filter, is_tap);
}

#endif /* SHIM_ASSERTS_ONLY */
#endif /* EVLOCK_TEST_SHIM */
#endif
