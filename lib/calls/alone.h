/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef EVL_ALONE_H_INCLUDED_
#define EVL_ALONE_H_INCLUDED_

/* Short paths of locks whose kind has `take` and `give` (lock/kind.h): locks that are shared with
 * other processes.  Such a lock has a guard.  The functions enter the guard, and begin no step.
 * They are for a caller that is alone: nobody else in this process holds the lock, waits for it or
 * watches it. */

#include "lock/lock.h"

/** Acquires the lock without waiting.  Returns 1 if that is decided: *handle is the request that
 * holds, or 0 with errno EAGAIN.  Returns 0 if the caller must begin a step. */
int evl_alone_acquire(struct evlock *lock, unsigned mode, evlock_handle *handle);

/** Releases the request.  Returns 0 if the caller must begin a step. */
int evl_alone_release(struct evlock *lock, evlock_handle handle);

#endif
