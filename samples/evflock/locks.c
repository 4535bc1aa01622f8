/* SPDX-License-Identifier: BSD-3-Clause */

/* The lock files as one set: all are held or none, whatever the order in which several
 * evflocks name them.
 *
 *	open_all -> take_now -> (held)
 *	               |
 *	               +-> wait_for_all -> on_end -> (held, timed out, failed)
 */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>

#include <event2/thread.h>

#include <evlock/file.h>
#include <evlock/set.h>

#include "locks.h"
#include "waits.h"

static int
fail(const char *what, int error, int status)
{
	fprintf(stderr, "evflock: %s: %s\n", what, strerror(error));
	return status;
}

/* --- Opening ---------------------------------------------------------------- */

static int
fail_to_open(const char *path, int error)
{
	int status = EX_NOINPUT;

	if (error == ENOMEM || error == EMFILE || error == ENFILE)
		status = EX_OSERR;
	else if (error == EROFS || error == ENOSPC)
		status = EX_CANTCREAT;
	fprintf(stderr, "evflock: cannot open lock file %s: ", path);
	fprintf(stderr, "%s\n", error == EINVAL ? "Not a regular file" : strerror(error));
	return status;
}

static int
open_file(struct locks *locks, size_t i)
{
	const char *path = locks->options->targets[i].path;
	struct evlock_options options = { 0 };

	options.flags = locks->options->is_flock ? EVLOCK_FILE_FLOCK : 0;
	locks->file[i] = evlock_file_new(locks->base, path, &options);
	return locks->file[i] ? 0 : fail_to_open(path, errno);
}

/* One file under two names would be waited for by the one who has it. */
static int
refuse_twins(const struct target *targets, size_t end)
{
	struct stat last, other;
	size_t i;

	if (stat(targets[end].path, &last) < 0)
		return 0;
	for (i = 0; i < end; i++)
		if (stat(targets[i].path, &other) == 0 && other.st_dev == last.st_dev &&
		    other.st_ino == last.st_ino) {
			fprintf(stderr, "evflock: %s and %s are one file\n", targets[i].path,
			    targets[end].path);
			return EX_USAGE;
		}
	return 0;
}

static int
open_files(struct locks *locks)
{
	int status = 0;
	size_t i;

	for (i = 0; !status && i < locks->options->n_targets; i++) {
		status = open_file(locks, i);
		if (!status)
			status = refuse_twins(locks->options->targets, i);
	}
	return status;
}

static int
open_all(struct locks *locks)
{
	if (evthread_use_pthreads() < 0)	/* file locks may be told by another thread */
		return fail("threads", ENOTSUP, EX_OSERR);
	locks->base = event_base_new();
	locks->file = calloc(locks->options->n_targets, sizeof(*locks->file));
	locks->handle = calloc(locks->options->n_targets, sizeof(*locks->handle));
	if (!locks->base || !locks->file || !locks->handle)
		return fail("no memory", ENOMEM, EX_OSERR);
	return open_files(locks);
}

/* --- Locking ---------------------------------------------------------------- */

static void
let_go(struct locks *locks, size_t end)
{
	while (end-- > 0)
		evlock_release(locks->file[end], locks->handle[end]);
}

/* One after the other: who does not wait has nobody wait for it for long. */
static int
take_now(struct locks *locks)
{
	const struct target *target = locks->options->targets;
	size_t i;

	for (i = 0; i < locks->options->n_targets; i++) {
		locks->handle[i] = evlock_acquire_nowait(locks->file[i], target[i].mode);
		if (!locks->handle[i]) {
			int error = errno;

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
	size_t i;

	if (!members)
		return -1;
	for (i = 0; i < options->n_targets; i++) {
		members[i].lock = locks->file[i];
		members[i].mode = (int)options->targets[i].mode;
	}
	locks->all = evlock_set_new(members, options->n_targets, NULL);
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

static int
wait_for_all(struct locks *locks)
{
	const struct options *options = locks->options;
	struct waits waits;

	if (make_set(locks) < 0)
		return errno;
	/* The modes are those of the members; a set does not look at its own then. */
	if (!evlock_acquire(locks->all, EVLOCK_EXCLUSIVE, options->timeout, on_end, locks))
		return errno;
	if (options->tells)
		waits_begin(&waits, locks->base, options);
	if (event_base_dispatch(locks->base) < 0)
		locks->error = EIO;
	if (options->tells)
		waits_end(&waits, locks->error);
	return locks->error;
}

static int
status_of(int error)
{
	if (!error)
		return 0;
	if (error == EAGAIN || error == ETIMEDOUT)
		return LOCKS_BUSY;
	return fail("cannot lock", error, error == ENOLCK || error == ENOMEM ? EX_OSERR
	    : EX_DATAERR);
}

int
locks_take(struct locks *locks, const struct options *options)
{
	int error, status;

	memset(locks, 0, sizeof(*locks));
	locks->options = options;
	status = open_all(locks);
	if (status)
		return status;
	error = take_now(locks);
	if (error == EAGAIN && options->is_patient)
		error = wait_for_all(locks);
	return status_of(error);
}

void
locks_free(struct locks *locks)
{
	size_t i;

	evlock_free(locks->all);	/* which lets go of what is held */
	for (i = 0; locks->file && i < locks->options->n_targets; i++)
		evlock_free(locks->file[i]);
	free(locks->file);
	free(locks->handle);
	if (locks->base)
		event_base_free(locks->base);
	libevent_global_shutdown();
}
