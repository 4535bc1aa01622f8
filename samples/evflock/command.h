/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef COMMAND_H_INCLUDED_
#define COMMAND_H_INCLUDED_

#include "options.h"

/** Runs options->command and waits until it has ended.  The command inherits the descriptors
 * `fd` of the targets, or with -o it does not.  With -F this returns only if it fails.  Returns the
 * command's exit status, or 128 more than the signal that ended it.  If it cannot be run, the
 * return value is an exit status for that, and a message has been printed. */
int command_run(const struct options *options, const int *fd);

#endif
