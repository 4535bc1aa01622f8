/* SPDX-License-Identifier: BSD-3-Clause */

/* See leave.h.
 *
 * The library's thread that waited may be granted the lock at the last moment.  It gives the lock
 * back then, but it has to live for that: the lock belongs to the description, which the caller
 * still has open.  So only the main thread ends here, and the process ends with its last
 * thread. */

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "leave.h"

static int final_status;

static void
on_exit_of_last(void)
{
	fflush(NULL);
	_exit(final_status);
}

static bool
has_descriptor(const struct options *options)
{
	size_t i;

	for (i = 0; i < options->n_targets; i++)
		if (!options->targets[i].path)
			return true;
	return false;
}

void
leave(const struct locks *locks, int status)
{
	final_status = status;
	if (locks->has_waited && has_descriptor(locks->options) && atexit(on_exit_of_last) == 0)
		pthread_exit(NULL);
	exit(status);
}
