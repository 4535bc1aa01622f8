/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef LIST_H_INCLUDED_
#define LIST_H_INCLUDED_

/* Printing holders: evflock --list, and what -p and --verbose add. */

#include "options.h"

/** Prints who holds the files, and who waits for them; all files if none is named.  Returns an
 * exit status. */
int list_print(char **paths);

/** Prints on stderr who has a lock that keeps a target from being locked: one line each, which
 * begins with `head`. */
void list_tell_holders(const char *head, const struct options *options, const int *fd);

#endif
