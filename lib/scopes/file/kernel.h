/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef EVL_FILE_KERNEL_H_INCLUDED_
#define EVL_FILE_KERNEL_H_INCLUDED_

#include "scopes/file/wait.h"

/* The kernel's lock on an open file: locks of fcntl(2) that belong to the open file
 * description (OFD), or flock(2).  This file has no state.  The caller ensures that
 * only one thread at a time uses a descriptor.  All functions return 0 or an errno.
 *
 * The kernel gives a free lock to the first process that asks: readers pass a waiting
 * writer, and a process that releases the lock and asks again passes all waiters, which
 * are still waking up.  So there is a gate:
 *
 *	0                        2^63-2   2^63-1
 *	+-----------------------------+--------+
 *	|            data             |  gate  |
 *	+-----------------------------+--------+
 *
 * A process that holds the lock holds the data.  A process that has to wait first waits
 * for the gate, then holds the gate while it waits for the data, and leaves the gate once
 * it has the data.  Writers hold the gate one at a time, readers together.  A process that
 * gets the data at once gives them back if it finds the gate taken.  So no process passes
 * the one that waits for the data, and the next one already waits at the gate.  The gate is
 * the last byte that a file can have.  So a lock of another program conflicts with ours if
 * it is on the whole file, or on any part of the file that exists.
 *
 * Looking at the gate each time would cost a system call.  So a process that holds the gate
 * and has to wait for the data touches the file.  The new ctime tells other processes to look
 * at the gate (seen.h).  A process that does not touch the file, because it may not or because
 * it runs evlock 0.1, is noticed later, and is passed a bounded number of times.  Such a
 * mixture is less fair, but just as exclusive.
 *
 * flock(2) has no gate. */

/** Can this kind of lock be used on the file?  ENOTSUP if not. */
int evl_kernel_probe(int fd, int is_flock);

/** Takes the data if they are free, without a look at the gate; else returns EAGAIN. */
int evl_kernel_take(int fd, int is_flock, int is_exclusive);

/** Returns EAGAIN if a process at the gate must not be passed: a writer or, if `is_exclusive`, any
 * process. */
int evl_kernel_look_at_gate(int fd, int is_flock, int is_exclusive);

/** Waits for the gate, then for the data.  Holds both when it returns 0.  `touches`: touch the file
 * if the data are not free.  Returns ECANCELED if the wait was stopped.  The process may then hold
 * any part of the lock, and must call evl_kernel_drop(). */
int evl_kernel_wait(int fd, int is_flock, int is_exclusive, int touches, struct evl_wait *wait);

int evl_kernel_leave_gate(int fd, int is_flock);

/** Makes an exclusive lock a shared one.  A lock of flock(2) stays exclusive, because
 * flock(2) would release it in between. */
int evl_kernel_weaken(int fd, int is_flock);

/** Releases the data and the gate. */
int evl_kernel_drop(int fd, int is_flock);

#endif
