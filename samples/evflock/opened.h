/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef OPENED_H_INCLUDED_
#define OPENED_H_INCLUDED_

/* The descriptors of the targets, one each.  A lock file is opened as flock(1) opens it: for
 * reading, whatever it is, and without O_CLOEXEC, as the command inherits it. */

#include <stdbool.h>

#include "options.h"

/** Opens the targets whose descriptor is -1.  A target without a path has the caller's own.
 * Returns 0, or an exit status after a message; two targets that are one file are refused. */
int opened_open(const struct options *options, int *fd);

/** Closes those whose path leads to another file by now, or to none.  Returns whether there were
 * any. */
bool opened_close_moved(const struct options *options, int *fd);

/** Opens files again for writing, where that can be done: a file system like NFS wants it for an
 * exclusive lock. */
void opened_reopen_for_writing(const struct options *options, int *fd);

#endif
