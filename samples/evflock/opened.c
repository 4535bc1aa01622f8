/* SPDX-License-Identifier: BSD-3-Clause */

/* See opened.h. */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "opened.h"

/* --- One file ------------------------------------------------------------------ */

static int
status_of(int error)
{
	if (error == ENOMEM || error == EMFILE || error == ENFILE)
		return EX_OSERR;
	if (error == EROFS || error == ENOSPC)
		return EX_CANTCREAT;
	return EX_NOINPUT;
}

/* A lock of fcntl(2) that is exclusive needs a file that is open for writing. */
static int
access_for(const struct options *options, const struct target *target)
{
	return options->is_fcntl && target->mode == EVLOCK_EXCLUSIVE ? O_WRONLY : O_RDONLY;
}

/* What exists is opened without O_CREAT: Linux refuses that for somebody else's file in a folder
 * like /tmp.  A folder is opened for reading in any case. */
static int
open_path(const char *path, int access)
{
	int fd = open(path, access | O_NOCTTY);

	if (fd < 0 && errno == EISDIR)
		fd = open(path, O_RDONLY | O_NOCTTY);
	if (fd < 0 && errno == ENOENT)
		fd = open(path, access | O_NOCTTY | O_CREAT, 0666);
	return fd;
}

static int
open_target(const struct options *options, const struct target *target, int *fd)
{
	int error;

	*fd = target->path ? open_path(target->path, access_for(options, target)) : target->fd;
	if (*fd >= 0 || !target->path)
		return 0;
	error = errno;
	fprintf(stderr, "evflock: cannot open lock file %s: %s\n", target->path, strerror(error));
	return status_of(error);
}

/* --- All of them ------------------------------------------------------------- */

/* One file under two names would be waited for by the evflock that has it. */
static int
refuse_twins(const struct options *options, const int *fd, size_t end)
{
	const struct target *targets = options->targets;
	struct stat last, other;
	size_t i;

	if (fstat(fd[end], &last) < 0)
		return 0;
	for (i = 0; i < end; i++)
		if (fstat(fd[i], &other) == 0 && other.st_dev == last.st_dev &&
		    other.st_ino == last.st_ino) {
			fprintf(stderr, "evflock: %s is the same file as ", target_name(&targets[i]));
			fprintf(stderr, "%s\n", target_name(&targets[end]));
			return EX_USAGE;
		}
	return 0;
}

int
opened_open(const struct options *options, int *fd)
{
	int status = 0;
	size_t i;

	for (i = 0; !status && i < options->n_targets; i++) {
		if (fd[i] < 0)
			status = open_target(options, &options->targets[i], &fd[i]);
		if (!status)
			status = refuse_twins(options, fd, i);
	}
	return status;
}

static bool
is_moved(const struct target *target, int fd)
{
	struct stat now, opened;

	if (!target->path || target->mode == UNLOCK || fstat(fd, &opened) < 0)
		return false;
	return stat(target->path, &now) < 0 || now.st_dev != opened.st_dev ||
	    now.st_ino != opened.st_ino;
}

bool
opened_close_moved(const struct options *options, int *fd)
{
	bool is_any = false;
	size_t i;

	for (i = 0; i < options->n_targets; i++)
		if (is_moved(&options->targets[i], fd[i])) {
			close(fd[i]);
			fd[i] = -1;
			is_any = true;
		}
	return is_any;
}

static void
reopen(const struct target *target, int *fd)
{
	int writing = open(target->path, O_RDWR | O_NOCTTY);

	if (writing < 0)
		return;
	close(*fd);
	*fd = writing;
}

void
opened_reopen_for_writing(const struct options *options, int *fd)
{
	size_t i;

	for (i = 0; i < options->n_targets; i++)
		if (options->targets[i].path && options->targets[i].mode == EVLOCK_EXCLUSIVE)
			reopen(&options->targets[i], &fd[i]);
}
