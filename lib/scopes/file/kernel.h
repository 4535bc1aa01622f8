/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef EVL_FILE_KERNEL_H_INCLUDED_
#define EVL_FILE_KERNEL_H_INCLUDED_

#include "scopes/file/wait.h"

/* The kernel's lock on an open file: locks of fcntl(2) that belong to the open file
 * description (OFD), or flock(2).  No state of its own; whoever calls sees to it that
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
 * Who holds the lock, holds the data.  Who has to wait for that, first waits for the
 * gate, then holds the gate while it waits for the data, and leaves it once it has
 * them: a writer alone, readers together.  Who finds the gate taken does not try the
 * data.  So one who waits at the data can be passed by nobody, and the next one is at
 * the gate by then.  The gate is the last byte that a file can have: locks on the
 * whole file, which other programs take, conflict with ours in any case, and so do
 * locks on any part of it that exists.
 *
 * flock(2) has nothing of the sort. */

/** Can this kind of lock be used on the file?  ENOTSUP if not. */
int evl_kernel_probe(int fd, int is_flock);

/** Takes the lock if it is free, and if nobody waits at the gate; else EAGAIN. */
int evl_kernel_try(int fd, int is_flock, int is_exclusive);

/** Waits for the lock.  ECANCELED: the wait was stopped, and may hold the lock or a part of it;
 * see evl_kernel_drop(). */
int evl_kernel_wait(int fd, int is_flock, int is_exclusive, struct evl_wait *wait);

/** EAGAIN if a writer waits at the gate, and a shared lock should not be shared with
 * one more reader. */
int evl_kernel_may_join(int fd, int is_flock);

/** Makes an exclusive lock a shared one.  flock(2) would let go of it in between, so
 * there it stays exclusive. */
int evl_kernel_weaken(int fd, int is_flock);

/** Lets go of everything. */
int evl_kernel_drop(int fd, int is_flock);

#endif
