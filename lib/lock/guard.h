/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef EVL_GUARD_H_INCLUDED_
#define EVL_GUARD_H_INCLUDED_

/* A guard is what a lock has that several threads use: the mutex around each of its
 * steps, and the memory of its requests.
 *
 * Each guard has a mutex of its own, until its lock becomes a member of a set or is
 * asked for by an owner: then steps may concern other locks as well, and it changes
 * over, for good, to one mutex that all such locks of the process have in common.
 * So a step never needs two of them, and there is no order to take them in.
 *
 *	guard -> port (evl_port.mutex, then evl_port.waking) -> libevent's
 *
 * No callback runs while one is held, but conditions (evlock_mode.is_compatible),
 * which call nothing.  A lock of one loop has no guard.
 *
 * The thread that enters a guard cannot be cancelled until it has left, and has woken
 * those that its step has granted something to: see cancel.h.
 */

#include <pthread.h>

#include "requests/handles.h"

struct evl_guard {
	pthread_mutex_t own;
	pthread_mutex_t *current;	/**< atomic: `own`, or that in common */
	struct evl_pool pool;
	int cancel_state;		/**< of the thread that has entered, before it did */
	uint8_t is_torn;		/**< inherited from a process that had entered it */
	uint32_t n_users;		/**< bodies, and the table that they belong to */
};

/** NULL with errno ENOMEM.  It has one user. */
struct evl_guard *evl_guard_new(void);

/** One user more, and one less, the last of whom frees it.  Not called with the guard
 * entered, when it may be the last. */
void evl_guard_keep(struct evl_guard *guard);
void evl_guard_drop(struct evl_guard *guard);

/** Enters the mutex, and leaves it; then those loops are woken that were posted to. */
void evl_guard_enter(struct evl_guard *guard);
void evl_guard_leave(struct evl_guard *guard);

/** From now on it is the mutex in common.  Called with no guard entered. */
void evl_guard_tie(struct evl_guard *guard);

/** The same of a new one, which nobody knows yet. */
void evl_guard_tie_in_step(struct evl_guard *guard);

/** A guard that is tied, and belongs to no lock. */
extern struct evl_guard evl_guard_tied;

/** In a forked child: was no other thread in a step of it when the child was forked?  If one
 * was, it is left, and what it protects is as that thread left it.  From then on the child
 * may enter it. */
int evl_guard_is_whole(struct evl_guard *guard);

#endif
