/* SPDX-License-Identifier: BSD-3-Clause */

/* evflock: runs a command while lock files are locked.  It is flock(1), and takes several files
 * at once, prints who holds them, and can wait for locks of fcntl(2).  Its man page is evflock.1;
 * doc/evflock.md compares the two, use by use.  The way through:
 *
 *	options.c (numbers.c) -> locks.c (opened.c, loop.c, kernel.c, waits.c) -> command.c
 *	                      -> list.c (holders.c, proc.c)                     -> leave.c
 *
 * One thread, one base, one lock: the set of all files.  It waits in the loop, and for
 * the command without one, as by then there is nothing left to wait for.
 *
 * Compile: cc -o evflock *.c $(pkg-config --cflags --libs evlock libevent_pthreads)
 * Try:	./evflock -p /tmp/door sleep 5 &
 *	./evflock -p /tmp/door echo 'my turn'
 */

#include <stdio.h>
#include <string.h>

#include "command.h"
#include "leave.h"
#include "list.h"
#include "locks.h"
#include "options.h"

static void
print_success(const struct locks *locks)
{
	const struct options *options = locks->options;
	struct timespec now;
	double seconds;

	clock_gettime(CLOCK_MONOTONIC, &now);
	seconds = (double)(now.tv_sec - locks->since.tv_sec)
	    + (double)(now.tv_nsec - locks->since.tv_nsec) / 1e9;
	printf("evflock: getting lock took %.6f seconds\n", seconds);
	if (options->command)
		printf("evflock: executing %s\n", options->command[0]);
}

static void
print_failure(const struct locks *locks)
{
	const struct options *options = locks->options;

	fprintf(stderr, "evflock: %s\n", options->is_patient ? "timeout while waiting to get lock"
	    : "failed to get lock");
	list_tell_holders("evflock", options, locks->fd);
}

/* The locks are not released: see locks_take(). */
int
main(int argc, char **argv)
{
	static struct options options;
	static struct locks locks;
	int status;

	options_parse(&options, argc, argv);
	if (options.lists)
		return list_print(options.listed);
	status = locks_take(&locks, &options);
	if (status == LOCKS_BUSY && options.is_verbose)
		print_failure(&locks);
	if (status)
		leave(&locks, status == LOCKS_BUSY ? options.busy_status : status);
	if (options.is_verbose)
		print_success(&locks);
	return options.command ? command_run(&options, locks.fd) : 0;
}
