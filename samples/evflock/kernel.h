/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef KERNEL_H_INCLUDED_
#define KERNEL_H_INCLUDED_

/* What the library does not do, asked of the kernel without a loop: locks of a part of a file,
 * --start and --length, and unlocking what an earlier evflock has locked. */

#include "options.h"

/** Locks the bytes.  Returns 0 or an errno: EAGAIN, or ETIMEDOUT. */
int kernel_lock(const struct options *options, int fd);

/** Unlocks the file, or the bytes of it.  Returns 0 or an errno. */
int kernel_unlock(const struct options *options, int fd);

#endif
