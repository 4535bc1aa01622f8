/* SPDX-License-Identifier: BSD-3-Clause */

/* What a lock between processes costs on the file at PATH, beside the bare calls of the
 * kernel that it is made of; fasteners does the same in file_fasteners.py.  The process that
 * main() runs in has the lock first; for hand-overs a child waits for it.  Neither shares
 * anything with the other but the file and two pipes.
 *
 * usage: bench/file evlock|ofd PATH [W7[:PAIRS]]
 */

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <sys/wait.h>

#include <event2/event.h>
#include <event2/thread.h>
#include <evlock/file.h>

#include "bench.h"

#define PAIRS_BY_HAND_OVER 1000

/** What either peer can do, in a process where it has been opened. */
struct peer {
	const char *name;
	void (*open)(void);
	void (*try)(void);		/* the lock is free */
	void (*unlock)(void);		/* after try() */
	void (*wait)(long n);		/* n times: waits for the lock, and releases it */
	void (*close)(void);
};

static const struct peer *peer;
static const char *path;
static uint64_t granted_at;		/* the last time that wait() had the lock */


/* --- evlock ------------------------------------------------------------------ */

static struct event_base *base;
static struct evlock *lock;
static evlock_handle held;
static long left;

static void
open_evlock(void)
{
	bench_require(!evthread_use_pthreads(), "evthread_use_pthreads");
	base = event_base_new();
	bench_require(base != NULL, "event_base_new");
	lock = evlock_file_new(base, path, NULL);
	bench_require(lock != NULL, "evlock_file_new");
}

static void
try_evlock(void)
{
	held = evlock_acquire_nowait(lock, EVLOCK_EXCLUSIVE);
	bench_require(held != 0, "W7: the lock is not free");
}

static void
unlock_evlock(void)
{
	bench_require(!evlock_release(lock, held), "W7: evlock_release");
}

static void
on_granted(struct evlock *granted, evlock_handle handle, int error, void *arg)
{
	(void)arg;
	bench_require(!error, "W7: not granted");
	if (--left == 0)
		granted_at = bench_now();
	evlock_release(granted, handle);
	if (left > 0)
		bench_require(
		    evlock_acquire(granted, EVLOCK_EXCLUSIVE, NULL, on_granted, NULL) != 0,
		    "W7: evlock_acquire");
}

static void
wait_for_evlock(long n)
{
	left = n;
	bench_require(evlock_acquire(lock, EVLOCK_EXCLUSIVE, NULL, on_granted, NULL) != 0,
	    "W7: evlock_acquire");
	event_base_dispatch(base);
	bench_require(left == 0, "W7: the loop ended before the last callback");
}

static void
close_evlock(void)
{
	evlock_free(lock);
	event_base_free(base);
}


/* --- The kernel's locks, bare ------------------------------------------------- */

static int fd;

static void
call_kernel(int operation, int type)
{
	struct flock whole = { 0 };

	whole.l_type = (short)type;
	whole.l_whence = SEEK_SET;
	bench_require(!fcntl(fd, operation, &whole), "W7: fcntl");
}

static void
open_ofd(void)
{
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
	bench_require(fd >= 0, "open");
}

static void
try_ofd(void)
{
	call_kernel(F_OFD_SETLK, F_WRLCK);
}

static void
unlock_ofd(void)
{
	call_kernel(F_OFD_SETLK, F_UNLCK);
}

static void
wait_for_ofd(long n)
{
	while (n-- > 0) {
		call_kernel(F_OFD_SETLKW, F_WRLCK);
		if (n == 0)
			granted_at = bench_now();
		unlock_ofd();
	}
}

static void
close_ofd(void)
{
	close(fd);
}


/* --- Nobody else there --------------------------------------------------------- */

static void
print_pair(const char *param, uint64_t begun, long n)
{
	bench_line("W7", param, (double)(bench_now() - begun) / (double)n, "ns/pair");
}

static void
run_pairs(long n)
{
	uint64_t begun;

	peer->open();
	begun = bench_now();
	for (long i = 0; i < n; i++) {
		peer->try();
		peer->unlock();
	}
	print_pair("try", begun, n);
	begun = bench_now();
	peer->wait(n);
	print_pair("wait", begun, n);
	peer->close();
}


/* --- Hand-over ------------------------------------------------------------------- */

struct pipes {
	int ask[2];		/* to the waiter: the lock is held, wait for it */
	int tell[2];		/* from it: when it was granted */
};

/** Ends as the holder closes `ask`. */
static void
be_waiter(struct pipes *pipes)
{
	char byte;

	close(pipes->ask[1]);
	peer->open();
	while (read(pipes->ask[0], &byte, 1) == 1) {
		peer->wait(1);
		bench_require(write(pipes->tell[1], &granted_at, sizeof granted_at)
		    == sizeof granted_at, "W7: write");
	}
	peer->close();
	_exit(0);
}

/** A hold of 5 to 50 ms, the same for each peer: the waiter is asleep, and who polls may look
 * early or late. */
static void
hold(long i)
{
	const struct timespec time = { 0, (i * 37 % 46 + 5) * 1000000 };

	nanosleep(&time, NULL);
}

static double
hand_over(struct pipes *pipes, long i)
{
	uint64_t released_at, then;

	peer->try();
	bench_require(write(pipes->ask[1], "", 1) == 1, "W7: write");
	hold(i);
	released_at = bench_now();
	peer->unlock();
	bench_require(read(pipes->tell[0], &then, sizeof then) == sizeof then, "W7: read");
	bench_require(then > released_at, "W7: granted before the release");
	return (double)(then - released_at);
}

static int
compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void
be_holder(struct pipes *pipes, long n)
{
	double *ns = bench_alloc((size_t)n, sizeof *ns);

	peer->open();
	for (long i = 0; i < n; i++)
		ns[i] = hand_over(pipes, i);
	peer->close();
	qsort(ns, (size_t)n, sizeof *ns, compare);
	bench_line("W7handover", "2processes", ns[n / 2], "ns");
	free(ns);
}

/** The child is made while neither process has a lock, or a thread. */
static void
run_hand_overs(long n)
{
	struct pipes pipes;
	int status;
	pid_t child;

	bench_require(!pipe(pipes.ask) && !pipe(pipes.tell), "pipe");
	child = fork();
	bench_require(child >= 0, "fork");
	if (child == 0)
		be_waiter(&pipes);
	close(pipes.tell[1]);
	be_holder(&pipes, n);
	close(pipes.ask[1]);
	bench_require(waitpid(child, &status, 0) == child && status == 0, "W7: the waiter failed");
	close(pipes.ask[0]);
	close(pipes.tell[0]);
}

static void
run(long n)
{
	run_hand_overs(n / PAIRS_BY_HAND_OVER + 1);
	run_pairs(n);
}


/* --- Which of them -------------------------------------------------------------- */

static const struct peer peers[] = {
	{ "evlock", open_evlock, try_evlock, unlock_evlock, wait_for_evlock, close_evlock },
	{ "ofd", open_ofd, try_ofd, unlock_ofd, wait_for_ofd, close_ofd }
};

static const struct bench_workload workloads[] = { { "W7", 20000, run }, { NULL, 0, NULL } };

int
main(int argc, char **argv)
{
	for (size_t i = 0; argc > 2 && i < sizeof(peers) / sizeof(peers[0]); i++)
		if (!strcmp(argv[1], peers[i].name)) {
			peer = &peers[i];
			path = argv[2];
			return bench_run(peer->name, workloads, argv + 3);
		}
	bench_die("usage: bench/file evlock|ofd PATH [W7[:PAIRS]]");
	return 2;
}
