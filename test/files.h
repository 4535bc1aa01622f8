/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef FILES_H_INCLUDED_
#define FILES_H_INCLUDED_

/* What the tests of lock files share: a folder to make them in, other users of them,
 * and what the kernel knows of who waits.  Included after shim.h.
 *
 * An open file description of its own is to the kernel what another process is, so
 * most tests do with one process. */

#include <stdint.h>

/** A folder that is empty, and the current one, until it is left and removed with all
 * that is in it. */
void enter_folder(void);
void leave_folder(void);

/** Seconds on a clock that only goes forward. */
double now(void);

/** Descriptors that this process has open. */
unsigned count_descriptors(void);

/** Opens a file, made if it is missing, as another program would. */
int open_other(const char *path);

/** Locks the whole of it, as other programs do, with fcntl(2) or flock(2).  `type` is
 * F_RDLCK, F_WRLCK or F_UNLCK.  Returns 0 or an errno, EAGAIN if it is not to be had. */
int lock_other(int fd, int type);
int flock_other(int fd, int operation);

/** May another program have a lock of this type on the file now? */
int is_free(const char *path, int type);

/** Can this process wait in fcntl(2) for locks of open file descriptions?  Under valgrind
 * it cannot: up to 3.19 at least, that stops all other threads meanwhile. */
int can_wait(void);

/** Waits until so many wait in the kernel for a lock on the file. */
void await_blocked(const char *path, unsigned n);

#endif
