/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef FILES_H_INCLUDED_
#define FILES_H_INCLUDED_

/* Shared by the tests of lock files: a folder for the files, other users of the files, and what
 * the kernel knows about waiters.  Include it after shim.h.
 *
 * To the kernel, an open file description of its own is the same as another process, so most tests
 * need only one process. */

#include <stdint.h>

/** Makes an empty folder the current one. leave_folder() removes it with all its contents. */
void enter_folder(void);
void leave_folder(void);

/** Seconds on a clock that only goes forward. */
double now(void);

/** Returns the number of open descriptors of this process. */
unsigned count_descriptors(void);

/** Opens a file as another program would, and makes it if it is missing. */
int open_other(const char *path);

/** Locks the whole file with fcntl(2) or flock(2), as other programs do.  `type` is F_RDLCK,
 * F_WRLCK or F_UNLCK.  Returns 0 or an errno, EAGAIN if the lock is not available. */
int lock_other(int fd, int type);
int flock_other(int fd, int operation);

/** Could another program lock the file now with this type of lock? */
int is_free(const char *path, int type);

/** Can this process wait in fcntl(2) for locks of open file descriptions?  It cannot under
 * valgrind, which stops all other threads meanwhile (3.19, at least). */
int can_wait(void);

/** Returns when `n` waiters wait in the kernel for a lock on the file. */
void await_blocked(const char *path, unsigned n);

#endif
