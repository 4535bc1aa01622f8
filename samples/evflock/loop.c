/* SPDX-License-Identifier: BSD-3-Clause */

/* The event base.  libevent ends the program with status 1, which means a conflict here, if it
 * has no descriptors left.  So they are counted before, and if it ends the program all the same
 * the status is another one. */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include <event2/thread.h>

#include "loop.h"

/* Two bases of libevent (evlock makes one for a moment), and what evlock opens itself. */
#define DESCRIPTORS 14

static int
fail(int error)
{
	fprintf(stderr, "evflock: cannot wait: %s\n", strerror(error));
	return EX_OSERR;
}

/* All at once: they are closed on the way back. */
static int
try_descriptors(int fd, int n)
{
	int error, next;

	if (n == 0)
		return 0;
	next = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	if (next < 0)
		return errno == EBADF ? 0 : errno;
	error = try_descriptors(next, n - 1);
	close(next);
	return error;
}

static int
count_descriptors(void)
{
	int error, fd = open("/", O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return errno;
	error = try_descriptors(fd, DESCRIPTORS - 1);
	close(fd);
	return error;
}

static void
on_fatal(int error)
{
	(void)error;
	exit(EX_OSERR);
}

int
loop_new(struct event_base **base)
{
	int error = count_descriptors();

	if (error)
		return fail(error);
	event_set_fatal_callback(on_fatal);
	if (evthread_use_pthreads() < 0)	/* another thread may notify about file locks */
		return fail(ENOMEM);
	*base = event_base_new();
	return *base ? 0 : fail(errno ? errno : ENOMEM);
}
