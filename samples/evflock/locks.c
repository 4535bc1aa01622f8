/* SPDX-License-Identifier: BSD-3-Clause */

/* The lock files as one set: all are held or none, whatever the order in which several
 * evflocks name them.
 *
 *	open -> try -> (held) -----------> is a file moved? -> no: done
 *	 ^       |                          |
 *	 |       +-> wait -> (held) --------+
 *	 +------------- yes ----------------+
 *
 * A lock on a file that its path does not lead to any more keeps nobody out.  So then all is
 * released, and begun again. */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include <evlock/file.h>
#include <evlock/set.h>

#include "kernel.h"
#include "locks.h"
#include "loop.h"
#include "opened.h"
#include "waits.h"

static bool
is_shortage(int error)
{
	return error == ENOLCK || error == ENOMEM || error == EMFILE || error == ENFILE;
}

static int
fail(const char *what, int error)
{
	fprintf(stderr, "evflock: %s: %s\n", what, strerror(error));
	return is_shortage(error) ? EX_OSERR : EX_DATAERR;
}

/* --- Locks ------------------------------------------------------------------ */

static int
make_lock(struct locks *locks, size_t i)
{
	struct evlock_options options = { 0 };

	options.flags = locks->options->is_fcntl ? 0 : EVLOCK_FILE_FLOCK;
	locks->file[i] = evlock_file_new_fd(locks->base, locks->fd[i], &options);
	return locks->file[i] ? 0 : fail(target_name(&locks->options->targets[i]), errno);
}

static int
make_locks(struct locks *locks)
{
	const struct options *options = locks->options;
	int status = locks->base ? 0 : loop_new(&locks->base);
	size_t i;

	for (i = 0; !status && i < options->n_targets; i++)
		if (options->targets[i].mode != UNLOCK)
			status = make_lock(locks, i);
	return status;
}

/* Releases what is held. */
static void
free_locks(struct locks *locks)
{
	size_t i;

	evlock_free(locks->all);
	locks->all = NULL;
	for (i = 0; i < locks->options->n_targets; i++) {
		evlock_free(locks->file[i]);
		locks->file[i] = NULL;
	}
}

/* --- Locking ---------------------------------------------------------------- */

static void
let_go(struct locks *locks, size_t end)
{
	while (end-- > 0)
		if (locks->file[end])
			evlock_release(locks->file[end], locks->handle[end]);
}

/* One after the other: none is kept for long by an evflock that does not wait. */
static int
take_now(struct locks *locks)
{
	const struct target *target = locks->options->targets;
	size_t i;
	int error;

	for (i = 0; i < locks->options->n_targets; i++) {
		if (!locks->file[i])
			continue;
		locks->handle[i] = evlock_acquire_nowait(locks->file[i], target[i].mode);
		if (!locks->handle[i]) {
			error = errno;
			let_go(locks, i);
			return error;
		}
	}
	return 0;
}

static int
make_set(struct locks *locks)
{
	const struct options *options = locks->options;
	struct evlock_set_member *members = calloc(options->n_targets, sizeof(*members));
	size_t i, n = 0;

	if (!members)
		return -1;
	for (i = 0; i < options->n_targets; i++)
		if (locks->file[i]) {
			members[n].lock = locks->file[i];
			members[n++].mode = (int)options->targets[i].mode;
		}
	locks->all = evlock_set_new(members, n, NULL);
	free(members);
	return locks->all ? 0 : -1;
}

static void
on_end(struct evlock *all, evlock_handle handle, int error, void *arg)
{
	struct locks *locks = arg;

	(void)all;
	(void)handle;
	locks->error = error;
	event_base_loopbreak(locks->base);
}

/* What is left of the timeout: this may not be the first wait. */
static struct timeval
time_left(const struct locks *locks)
{
	struct timeval left = *locks->options->timeout, zero = { 0, 0 };
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	left.tv_sec -= now.tv_sec - locks->since.tv_sec;
	left.tv_usec -= (suseconds_t)((now.tv_nsec - locks->since.tv_nsec) / 1000);
	return left.tv_sec < 0 ? zero : left;
}

static int
wait_for_all(struct locks *locks)
{
	struct timeval left = { 0, 0 };
	bool is_bounded = locks->options->timeout != NULL;

	if (is_bounded)
		left = time_left(locks);
	locks->has_waited = true;
	if (make_set(locks) < 0)
		return errno;
	/* The modes are those of the members; a set does not look at its own then. */
	if (!evlock_acquire(locks->all, EVLOCK_EXCLUSIVE, is_bounded ? &left : NULL, on_end, locks))
		return errno;
	return event_base_dispatch(locks->base) < 0 ? EIO : locks->error;
}

static int
wait_and_tell(struct locks *locks)
{
	struct waits waits;
	int error;

	if (!locks->options->tells)
		return wait_for_all(locks);
	waits_begin(&waits, locks);
	error = wait_for_all(locks);
	waits_end(&waits, error);
	return error;
}

static int
take(struct locks *locks)
{
	int error;

	if (locks->options->is_range)
		return kernel_lock(locks->options, locks->fd[0]);
	do
		error = take_now(locks);
	while (error == EINTR);
	return error == EAGAIN && locks->options->is_patient ? wait_and_tell(locks) : error;
}

/* --- All of it ------------------------------------------------------------------ */

static bool
has_any(const struct options *options, bool is_unlock)
{
	size_t i;

	for (i = 0; i < options->n_targets; i++)
		if ((options->targets[i].mode == UNLOCK) == is_unlock)
			return true;
	return false;
}

static int
unlock_all(const struct locks *locks)
{
	const struct target *targets = locks->options->targets;
	int error = 0;
	size_t i;

	for (i = 0; !error && i < locks->options->n_targets; i++)
		if (targets[i].mode == UNLOCK)
			error = kernel_unlock(locks->options, locks->fd[i]);
	return error ? fail(target_name(&targets[i - 1]), error) : 0;
}

static int
status_of(const struct locks *locks, int error)
{
	if (!error)
		return 0;
	if (error == EAGAIN || error == ETIMEDOUT)
		return LOCKS_BUSY;
	return fail(locks->options->n_targets == 1 ? target_name(&locks->options->targets[0])
	    : "cannot lock", error);
}

/* A file system like NFS wants a descriptor for writing, and does not say so clearly. */
static bool
may_need_writing(const struct locks *locks, int error)
{
	return !locks->has_reopened && !locks->options->is_fcntl &&
	    (error == EACCES || error == EBADF || error == EIO);
}

static void
reopen_for_writing(struct locks *locks)
{
	opened_reopen_for_writing(locks->options, locks->fd);
	locks->has_reopened = true;
}

/* Returns 0, EX_TEMPFAIL if all has to be begun again, or as locks_take(). */
static int
take_once(struct locks *locks)
{
	int error, status = opened_open(locks->options, locks->fd);

	if (!status && !locks->options->is_range)
		status = make_locks(locks);
	if (status)
		return status;
	error = take(locks);
	if (may_need_writing(locks, error))
		reopen_for_writing(locks);
	else if (error || !opened_close_moved(locks->options, locks->fd))
		return status_of(locks, error);
	free_locks(locks);
	return EX_TEMPFAIL;
}

static int
allocate(struct locks *locks)
{
	size_t i, n = locks->options->n_targets;

	locks->fd = calloc(n, sizeof(*locks->fd));
	locks->file = calloc(n, sizeof(*locks->file));
	locks->handle = calloc(n, sizeof(*locks->handle));
	if (!locks->fd || !locks->file || !locks->handle)
		return fail("no memory", ENOMEM);
	for (i = 0; i < n; i++)
		locks->fd[i] = -1;
	return 0;
}

int
locks_take(struct locks *locks, const struct options *options)
{
	int status;

	locks->options = options;
	clock_gettime(CLOCK_MONOTONIC, &locks->since);
	status = allocate(locks);
	if (!status)
		status = opened_open(locks->options, locks->fd);
	if (!status && has_any(options, true))
		status = unlock_all(locks);
	if (status || !has_any(options, false))
		return status;
	do
		status = take_once(locks);
	while (status == EX_TEMPFAIL);
	return status;
}
