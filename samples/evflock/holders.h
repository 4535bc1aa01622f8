/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef HOLDERS_H_INCLUDED_
#define HOLDERS_H_INCLUDED_

/* Which processes hold locks, and which wait for them: a snapshot.
 *
 * A lock of flock(2), or of an open file description, is held by every process that has the
 * description open; the process that asked for the lock may have ended long ago. */

#include <stdbool.h>
#include <stddef.h>

#include "proc.h"

struct holder {
	struct proc_lock lock;
	long pid;			/* -1: not known */
	char *path;			/* as the process opened it, or "" */
};

struct holders {
	struct holder *of;
	size_t n;
};

/** Finds those of `file`, or of all files if that is NULL.  Returns false if the system does not
 * tell, or if there is no memory. */
bool holders_find(struct holders *holders, const struct proc_file *file);

void holders_free(struct holders *holders);

#endif
