/* SPDX-License-Identifier: BSD-3-Clause */

/* Eight processes hold a lock file shared, so that it is hardly ever free, and a writer among them
 * must still get it.  Prints the writer's longest wait, and that of a writer that uses only
 * fcntl(2), where readers pass a waiting writer.
 *
 * Also checks that a waiter uses no CPU time. */

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <event2/event.h>
#include <event2/thread.h>

#include <evlock/file.h>

#include "../must.h"
#include "../shim.h"

#include "files.h"

#define READERS 8
#define EACH 3			/* overlapping holds of a reader */
#define HOLD_MICROSECONDS 3000
#define BARE_PATIENCE 2		/* seconds; that writer may wait for ever */

static pid_t reader[READERS];

/* --- Readers ---------------------------------------------------------------------- */

struct read {
	struct evlock *lock;
	evlock_handle handle;
	struct event *end;
};

static void read_again(struct read *r);

static void
on_shared(struct evlock *lock, evlock_handle handle, int error, void *arg)
{
	static const struct timeval hold = { 0, HOLD_MICROSECONDS };
	struct read *r = arg;

	(void)lock;
	if (error)
		_exit(1);
	r->handle = handle;
	event_add(r->end, &hold);
}

/* Acquires again before it releases, so that its holds follow each other without a gap. */
static void
on_end(evutil_socket_t fd, short what, void *arg)
{
	struct read *r = arg;
	evlock_handle handle = r->handle;

	(void)fd;
	(void)what;
	read_again(r);
	evlock_release(r->lock, handle);
}

static void
read_again(struct read *r)
{
	if (!evlock_acquire(r->lock, EVLOCK_SHARED, NULL, on_shared, r))
		_exit(1);
}

static void
be_reader(void)
{
	struct event_base *base = event_base_new();
	struct evlock *lock = evlock_file_new(base, "file", NULL);
	struct read reads[EACH];
	int i;

	if (!lock)
		_exit(1);
	for (i = 0; i < EACH; i++) {
		reads[i].lock = lock;
		reads[i].end = evtimer_new(base, on_end, &reads[i]);
		read_again(&reads[i]);
	}
	event_base_dispatch(base);
}

static int
lock_bare(int fd, int operation, int type)
{
	struct flock range = { .l_type = (short)type, .l_whence = SEEK_SET };

	return fcntl(fd, operation, &range) ? errno : 0;
}

/* As be_reader(), with two descriptors whose locks overlap. */
static void
be_bare_reader(void)
{
	int fd[2] = { open_other("bare"), open_other("bare") }, i;

	for (i = 0;; i = !i) {
		if (lock_bare(fd[i], F_OFD_SETLKW, F_RDLCK))
			_exit(1);
		lock_bare(fd[!i], F_OFD_SETLK, F_UNLCK);
		usleep(HOLD_MICROSECONDS);
	}
}

static void
start_readers(void (*be)(void))
{
	int i;

	for (i = 0; i < READERS; i++) {
		reader[i] = fork();
		cr_assert_geq(reader[i], 0);
		if (reader[i] == 0) {
			alarm(300);
			be();
			_exit(1);
		}
	}
}

static void
await_readers(const char *path)
{
	while (is_free(path, F_WRLCK))
		usleep(1000);
}

static void
stop_readers(void)
{
	int i, status;

	for (i = 0; i < READERS; i++) {
		cr_assert_eq(kill(reader[i], SIGKILL), 0);
		cr_assert_eq(waitpid(reader[i], &status, 0), reader[i]);
		cr_assert(WIFSIGNALED(status), "a reader failed");
	}
}

/* --- The writer ----------------------------------------------------------------------- */

static struct {
	struct event_base *base;
	struct event *pause;
	double since, longest;
	int left;
} writer;

static void
on_exclusive(struct evlock *lock, evlock_handle handle, int error, void *arg)
{
	static const struct timeval pause = { 0, 2 * HOLD_MICROSECONDS };
	double took = now() - writer.since;

	(void)arg;
	cr_assert_eq(error, 0);
	cr_assert(!is_free("file", F_RDLCK), "a reader could have it too");
	writer.longest = took > writer.longest ? took : writer.longest;
	evlock_release(lock, handle);
	if (--writer.left > 0)
		event_add(writer.pause, &pause);
}

static void
write_again(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	writer.since = now();
	cr_assert_neq(evlock_acquire(arg, EVLOCK_EXCLUSIVE, NULL, on_exclusive, NULL), 0);
}

static void
write_often(int n)
{
	struct evlock *lock;

	writer.base = event_base_new();
	lock = evlock_file_new(writer.base, "file", NULL);
	cr_assert_not_null(lock);
	writer.pause = evtimer_new(writer.base, write_again, lock);
	writer.left = n;
	write_again(-1, 0, lock);
	event_base_dispatch(writer.base);
	cr_assert_eq(writer.left, 0, "the writer was not granted");
	evlock_free(lock);
	event_free(writer.pause);
	event_base_free(writer.base);
}

static void
interrupt(int sig)
{
	(void)sig;
}

/* Returns how long a writer without evlock waits; BARE_PATIENCE if it gives up. */
static double
write_bare(void)
{
	struct sigaction action = { .sa_handler = interrupt };
	double since = now();
	int fd = open_other("bare"), error;

	sigaction(SIGALRM, &action, NULL);
	alarm(BARE_PATIENCE);
	error = lock_bare(fd, F_OFD_SETLKW, F_WRLCK);
	alarm(0);
	cr_assert(error == 0 || error == EINTR);
	close(fd);
	return error ? BARE_PATIENCE : now() - since;
}

Test(file_readers, a_writer_gets_in, .timeout = 160)
{
	int n_writes = (int)must_times(5, 20, 500);
	double bare;

	if (!can_wait())
		return;
	enter_folder();
	cr_assert_eq(evthread_use_pthreads(), 0);
	start_readers(be_reader);
	await_readers("file");
	write_often(n_writes);
	stop_readers();
	start_readers(be_bare_reader);
	await_readers("bare");
	bare = write_bare();
	stop_readers();
	fprintf(stderr, "# %d writes: the longest wait was %.1f ms; with fcntl(2) alone %s%.1f ms\n",
	    n_writes, writer.longest * 1e3, bare == BARE_PATIENCE ? "over " : "", bare * 1e3);
	leave_folder();
}

/* --- Waiting costs nothing --------------------------------------------------------------- */

static long
n_waits(void)
{
	struct rusage u;

	cr_assert_eq(getrusage(RUSAGE_SELF, &u), 0);
	return u.ru_nvcsw;
}

static void
ignore(struct evlock *lock, evlock_handle handle, int error, void *arg)
{
	(void)lock;
	(void)handle;
	*(int *)arg = error;
}

/* A waiter sleeps once and does not poll: no thread of this process goes to sleep as often as
 * polling would need. (ThreadSanitizer has a thread that sleeps ten times a second.) */
Test(file_readers, who_waits_does_not_poll, .timeout = 60)
{
	static const struct timeval wait = { 2, 0 };
	struct event_base *base;
	struct evlock *lock;
	long before;
	int fd, error = 0;

	if (!can_wait())
		return;
	enter_folder();
	cr_assert_eq(evthread_use_pthreads(), 0);
	fd = open_other("file");
	cr_assert_eq(lock_other(fd, F_WRLCK), 0);
	base = event_base_new();
	lock = evlock_file_new(base, "file", NULL);
	cr_assert_not_null(lock);
	before = n_waits();
	cr_assert_neq(evlock_acquire(lock, EVLOCK_EXCLUSIVE, &wait, ignore, &error), 0);
	event_base_dispatch(base);
	cr_assert_eq(error, ETIMEDOUT);
	fprintf(stderr, "# in two seconds of waiting, threads went to sleep %ld times\n",
	    n_waits() - before);
	cr_assert_lt(n_waits() - before, 100);
	evlock_free(lock);
	event_base_free(base);
	close(fd);
	leave_folder();
}
