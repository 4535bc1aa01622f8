/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef EVL_ALONE_H_INCLUDED_
#define EVL_ALONE_H_INCLUDED_

/* Short paths of locks whose kind has `take` and `give` (lock/kind.h): locks that are shared with
 * other processes.  Such a lock has a guard.  The functions enter the guard and begin no step.
 * They work only while no other request in this process holds the lock or waits for it, and no
 * object watches it. */

#include "lock/lock.h"

/** Acquires the lock without waiting.  Returns 1 if the call has succeeded or failed: *handle is
 * the new handle, or 0 with errno EAGAIN.  Returns 0 if the caller must begin a step. */
int evl_alone_acquire(struct evlock *lock, unsigned mode, evlock_handle *handle);

/** Releases the request.  Returns 1, or 0 if the caller must begin a step. */
int evl_alone_release(struct evlock *lock, evlock_handle handle);

#endif
