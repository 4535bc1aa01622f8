/* SPDX-License-Identifier: BSD-3-Clause */

/* Uses a lock on a file in every way, while test/file_failures.sh makes one system call fail.  A
 * call that fails must give the errno of that system call, and must succeed when it is made again.
 * At the end no descriptor and no lock may be left.
 *
 *	file_failures ERRNO	in an empty folder; begins, and ends, when it reads a line
 *
 * A child plays another program.  It is forked before, and nothing fails there. */

#define SHIM_ASSERTS_ONLY
#include "shim.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <event2/event.h>
#include <event2/thread.h>

#include <evlock/file.h>

#include "files.h"

#define PATH "a/b/file"

static struct event_base *base;
static struct evlock *lock;
static int other;	/* the child */
static int injected;	/* errno */

static void
require(int is_true, const char *what, int error)
{
	if (is_true)
		return;
	printf("# %s: %s\n", what, strerror(error));
	fflush(stdout);
	_exit(1);
}

static int
is_expected(int error)
{
	return error == injected || error == ENOMEM;
}

/* --- The other program -------------------------------------------------------------- */

static char
obey(char order)
{
	static int fd = -1;
	char answer = 'y';

	switch (order) {
	case 'l':
		fd = open_other(PATH);
		while (lock_other(fd, F_WRLCK))
			usleep(1000);
		break;
	case 'u':
		close(fd);
		break;
	case 'r':
		unlink(PATH);
		break;
	case 'f':
		answer = is_free(PATH, F_WRLCK) ? 'y' : 'n';
		break;
	}
	return answer;
}

static void
start_other(void)
{
	int end[2];
	char order;

	require(socketpair(AF_UNIX, SOCK_STREAM, 0, end) == 0, "socketpair", errno);
	other = end[0];
	if (fork()) {
		close(end[1]);
		return;
	}
	close(end[0]);
	while (read(end[1], &order, 1) == 1) {
		order = obey(order);
		if (write(end[1], &order, 1) != 1)
			break;
	}
	_exit(0);
}

static char
order(char what)
{
	char answer = 0;

	require(write(other, &what, 1) == 1 && read(other, &answer, 1) == 1, "other", errno);
	return answer;
}

static void
check_free(void)
{
	require(order('f') == 'y', "a lock is left", 0);
}

/* --- Acquiring, and again after a failure ---------------------------------------------- */

static int last_error;		/* -1: not called back */
static evlock_handle last;

static void
note(struct evlock *l, evlock_handle handle, int error, void *arg)
{
	(void)l;
	(void)arg;
	last_error = error;
	last = handle;
}

static int
ask(unsigned mode, const struct timeval *timeout)
{
	last_error = -1;
	return evlock_acquire(lock, mode, timeout, note, NULL) ? 0 : errno;
}

static int
await(void)
{
	while (last_error < 0)
		event_base_loop(base, EVLOOP_ONCE);
	return last_error;
}

static void
acquire_now(unsigned mode)
{
	last = evlock_acquire_nowait(lock, mode);
	if (last)
		return;
	require(is_expected(errno), "acquire_nowait", errno);
	last = evlock_acquire_nowait(lock, mode);
	require(last != 0, "acquire_nowait again", errno);
}

/* The N-th call of each thread fails, and each wait may have a thread of its own.  So the request
 * is made again in this thread. */
static void
acquire(unsigned mode, int is_held_by_other)
{
	int error = ask(mode, NULL);

	if (is_held_by_other) {
		usleep(3000);
		order('u');
	}
	if (!error)
		error = await();
	if (error) {
		require(is_expected(error), "acquire", error);
		check_free();
		acquire_now(mode);
	}
}

static void
release(void)
{
	require(evlock_release(lock, last) == 0, "release", errno);
	check_free();
}

static void
make(void)
{
	struct evlock_options options = { .flags = EVLOCK_FILE_MKDIR };

	lock = evlock_file_new(base, PATH, &options);
	if (lock)
		return;
	require(is_expected(errno) || errno == ENOTSUP, "evlock_file_new", errno); /* dlopen() */
	lock = evlock_file_new(base, PATH, &options);
	require(lock != NULL, "evlock_file_new again", errno);
}

static void
time_out(void)
{
	struct timeval soon = { 0, 3000 };
	int error = ask(EVLOCK_SHARED, &soon);

	error = error ? error : await();
	require(error == ETIMEDOUT || is_expected(error), "timeout", error);
}

/* --- The uses ----------------------------------------------------------------------------- */

static void
do_all(void)
{
	make();
	acquire(EVLOCK_EXCLUSIVE, 0);
	require(evlock_convert_nowait(lock, last, EVLOCK_SHARED) == 0, "convert", errno);
	release();
	acquire_now(EVLOCK_EXCLUSIVE);
	release();
	order('l');
	acquire(EVLOCK_EXCLUSIVE, 1);
	release();
	order('l');
	time_out();
	order('u');
	order('r');
	acquire(EVLOCK_SHARED, 0);
	release();
	order('l');
	order('r');
	acquire(EVLOCK_EXCLUSIVE, 1);
	release();
	order('l');
	ask(EVLOCK_EXCLUSIVE, NULL);
	evlock_free(lock);
	order('u');
}

/* A helper thread may still be about to end.  That takes a while on a busy machine, because it is
 * traced. */
static void
check_end(unsigned n_descriptors)
{
	unsigned tries = patient(20) * 1000;

	while (count_descriptors() != n_descriptors && --tries)
		usleep(1000);
	require(count_descriptors() == n_descriptors, "descriptors are left", 0);
	check_free();
}

static void
await_line(void)
{
	char byte;

	while (read(0, &byte, 1) == 1 && byte != '\n')
		continue;
}

int
main(int argc, char **argv)
{
	unsigned n_descriptors;

	injected = argc > 1 ? atoi(argv[1]) : 0;
	evthread_use_pthreads();
	base = event_base_new();
	start_other();
	n_descriptors = count_descriptors();
	printf("ready\n");
	fflush(stdout);
	await_line();
	do_all();
	printf("done\n");
	fflush(stdout);
	await_line();
	check_end(n_descriptors);
	close(other);
	wait(NULL);
	event_base_free(base);
	return 0;
}
