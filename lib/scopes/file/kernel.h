/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef EVL_FILE_KERNEL_H_INCLUDED_
#define EVL_FILE_KERNEL_H_INCLUDED_

#include "scopes/file/wait.h"

/* The kernel's lock on an open file: locks of fcntl(2) that belong to the open file
 * description (OFD), or flock(2).  No state of its own; the caller sees to it that
 * one thread at a time uses a descriptor.  All return 0 or an errno.
 *
 * The kernel hands a lock to whoever comes first once it is free: readers pass a
 * writer who waits, and a process that lets go and asks again passes everyone, as
 * they are still waking up.  So there is a gate:
 *
 *	0                        2^63-2   2^63-1
 *	+-----------------------------+--------+
 *	|            data             |  gate  |
 *	+-----------------------------+--------+
 *
 * A process that holds the lock holds the data.  A process that has to wait for the
 * data first waits for the gate, then holds the gate while it waits for the data, and
 * leaves it once it has them: a writer alone, readers together.  A process that finds
 * the gate taken does not keep the data.  So nobody can pass the process that waits at
 * the data, and the next one is at the gate by then.  The gate is the last byte that a
 * file can have: locks on the whole file, which other programs take, conflict with ours
 * in any case, and so do locks on any part of it that exists.
 *
 * To look at the gate each time costs a system call.  So a process that has come to the
 * gate, and has to wait for the data, touches the file: its ctime tells others that
 * the gate must be looked at (seen.h).  A process that does not touch it, because it may
 * not, or because it is of evlock 0.1, is seen later, and is passed a bounded number of
 * times: a mixture is less fair, and no less exclusive.
 *
 * flock(2) has nothing of the sort. */

/** Can this kind of lock be used on the file?  ENOTSUP if not. */
int evl_kernel_probe(int fd, int is_flock);

/** Takes the data if they are free, whoever waits at the gate; else EAGAIN. */
int evl_kernel_take(int fd, int is_flock, int is_exclusive);

/** EAGAIN if somebody waits at the gate who must not be passed: a writer, or anybody if
 * `is_exclusive`. */
int evl_kernel_look_at_gate(int fd, int is_flock, int is_exclusive);

/** Waits for the gate, and for the data.  `touches`: touches the file if the data are not free.
 * Holds the gate as well when it returns 0.  ECANCELED: the wait was stopped, and may hold
 * anything; see evl_kernel_drop(). */
int evl_kernel_wait(int fd, int is_flock, int is_exclusive, int touches, struct evl_wait *wait);

int evl_kernel_leave_gate(int fd, int is_flock);

/** Makes an exclusive lock a shared one.  flock(2) would let go of it in between, so
 * there it stays exclusive. */
int evl_kernel_weaken(int fd, int is_flock);

/** Lets go of everything. */
int evl_kernel_drop(int fd, int is_flock);

#endif
