/* SPDX-License-Identifier: BSD-3-Clause */

/* evflock: runs a command while lock files are locked; a flock(1) that takes several
 * files at once, tells what it waits for, and locks as fcntl(2) does.  Its man page is
 * evflock.1.  The way through:
 *
 *	options.c -> locks.c (waits.c tells meanwhile) -> command.c -> locks.c
 *
 * One thread, one base, one lock: the set of all files.  It waits in the loop, and for
 * the command without one, as by then there is nothing left to be told.
 *
 * Compile: cc -o evflock *.c $(pkg-config --cflags --libs evlock libevent_pthreads)
 * Try:	./evflock -p /tmp/door sleep 5 &
 *	./evflock -p /tmp/door echo 'my turn'
 */

#include "command.h"
#include "locks.h"
#include "options.h"

int
main(int argc, char **argv)
{
	struct options options;
	struct locks locks;
	int status;

	options_parse(&options, argc, argv);
	status = locks_take(&locks, &options);
	if (!status)
		status = command_run(options.command);
	else if (status == LOCKS_BUSY)
		status = options.busy_status;
	locks_free(&locks);
	options_free(&options);
	return status;
}
