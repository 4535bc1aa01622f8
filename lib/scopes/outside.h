/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef EVL_OUTSIDE_H_INCLUDED_
#define EVL_OUTSIDE_H_INCLUDED_

/* The outside of a lock: the other processes, or machines, that share the lock.  In this process's
 * lock, the outside is one more holder and waiter:
 *
 *	NOTHING		The outside holds the lock: two bits in core.held_mask conflict with all
 *	  |		modes.  The first waiter waits for the outside.
 *	  | want()
 *	  v
 *	SHARED or	This process has the lock in that mode.  The outside stands in the queue,
 *	EXCLUSIVE	behind the requests that waited when this process got the lock.  They are
 *	  |		the batch that is granted before other processes have their turn.
 *	  | its turn comes
 *	  v
 *	NOTHING		drop() is called.
 *
 * So a scope beyond the process needs no change to the core.  This file decides when the outside is
 * asked.  The scope decides how: struct evl_outside_ops.  Its operations are called in a step, in
 * the thread of the lock's base or, if the lock has a guard, with the guard entered.
 *
 * A request for a set keeps the members that it has from other processes while it waits for the
 * other members.  It asks for a member, and keeps it, only while
 *
 *  - no request of this process is ahead of it in the queue of any of its members, and
 *  - all its members that come before that one in the order are kept for it.
 *
 * So a request that keeps a member waits only for a current holder, or for a member later in the
 * order, and waits never form a cycle.  One request may always ask: the first waiter of the
 * process, by rank and arrival, is the first in each queue that it stands in.
 */

#include <evlock/evlock.h>

#include "lock/kind.h"

struct evl_guard;
struct evl_outside;
struct evl_step;

/** How a scope looks at what only a call that may block can tell. */
struct evl_outside_looks {
	/** Looks; in no step, and may block.  Then looked() is called in a step: it returns as
	 * try_now() does, or EVL_LOOK if it did not come to a look. */
	void (*look)(struct evl_outside *o, unsigned mode);
	int (*looked)(struct evl_outside *o);

	/** Is the mode one that can be had at all?  0 or EACCES. */
	int (*may)(const struct evl_outside *o, unsigned mode);
};

struct evl_outside_ops {
	/** Asks for the lock.  Returns 1 if this process has the lock now, 0 if the scope will call
	 * evl_outside_got() or evl_outside_failed() later, or -1 with errno.  Called while this
	 * process has NOTHING and is not asking. */
	int (*want)(struct evl_outside *o, unsigned mode);

	/** The same, now or not at all: 0, or an errno such as EAGAIN.  While this process has
	 * it SHARED: may one more share that, though others may wait?  EVL_LOOK: only a look can
	 * tell; see `looks`. */
	int (*try_now)(struct evl_outside *o, unsigned mode);

	/** Gives the lock back, or stops asking.  After this the scope calls nothing. */
	void (*drop)(struct evl_outside *o);

	/** From EXCLUSIVE to SHARED. */
	void (*weaken)(struct evl_outside *o);

	/** The order in which the members of a set are asked for, the same in all processes. */
	int (*compare)(const struct evl_outside *a, const struct evl_outside *b);

	/** Frees `o` after the lock, which was given back, has been freed.  In no step. */
	void (*free)(struct evl_outside *o);

	unsigned order;	/**< among scopes, for sets that have members of several */

	/** This process has the lock and grants its batch.  Is the lock stale, so that the batch
	 * must end?  (A lock file is stale after it was replaced.)  Returns 0, 1, or -1 if the
	 * scope will call evl_outside_checked().  NULL: it is never stale. */
	int (*is_stale)(struct evl_outside *o);

	const struct evl_outside_looks *looks;	/**< NULL: try_now() never needs a look */
};

/** The first member of a scope's own structure, zeroed; see evl_outside_new(). */
struct evl_outside {
	const struct evl_outside_ops *ops;
	struct evl_body *body;
	struct evl_seat seat;	/**< its place in the queue; GRANTED: its turn has come */
	uint8_t has;		/**< what this process has: EVLOCK_NONE, SHARED or EXCLUSIVE */
	uint8_t wanted;		/**< what it asks for, if `is_asking` */
	uint8_t is_asking;
	uint8_t is_used;	/**< somebody of this process has held it since it was got */
	uint8_t n_joined;	/**< who came later than the batch, and shared its hold */
	uint8_t n_passed;	/**< who came later than the outside, with a higher priority */
	uint8_t is_doubted;	/**< nobody is granted until evl_outside_checked() */
	uint32_t n_looking;	/**< callers that take looks: they decide what is done next.  Those
				     of looks->look() count themselves until looked() */
};

#pragma GCC visibility push(default)

/** Makes the lock that `o` is the outside of, with a guard if `is_guarded`, and its first
 * object, on `base`.  `o` then belongs to it, and ends by ops->free().
 * Returns NULL with errno ENOMEM; then `o` is the caller's still. */
struct evlock *evl_outside_new(struct evl_outside *o, const struct evl_outside_ops *ops,
    struct event_base *base, const struct evlock_options *options, int is_guarded);

/** Makes one more object for the same lock, with a value and handles of its own. */
struct evlock *evl_outside_object(struct evl_outside *o, struct event_base *base,
    const struct evlock_options *options);

/** Keeps the lock while evl_outside_object() is called: 0 if it is being freed already.
 * Then drops it again. */
int evl_outside_keep(struct evl_outside *o);
void evl_outside_drop(struct evl_outside *o);

/** The outside of a lock, or NULL. */
struct evl_outside *evl_outside_of(const struct evlock *lock);

/* The next four are steps of their own, for locks without a guard. */

/** This process has got the lock that want() asked for. */
void evl_outside_got(struct evl_outside *o);

/** This process cannot have the lock: all waiters fail with `error`.  If the error is EACCES and
 * the first waiter wants the lock exclusive, only that waiter fails, and the next one may ask. */
void evl_outside_failed(struct evl_outside *o, int error);

/** This process has lost the lock.  The holders' handles end, and their notices are called with
 * ESTALE.  All waiters fail with `error`. */
void evl_outside_lost(struct evl_outside *o, int error);

/** Ends the waiting of one request, made through any object, with `error`, if it still waits. */
void evl_outside_refuse(struct evl_outside *o, evlock_handle handle, int error);

/** The allocator of evlock_set_mem_functions(), for scopes in libraries of their own. */
void *evl_outside_malloc(size_t size);
void evl_outside_mfree(void *ptr);

/** evl_siphash(), for the same. */
uint64_t evl_outside_hash(const unsigned char *key, const void *data, size_t size);

/** Can other threads wake `base`? */
int evl_outside_is_threaded(struct event_base *base);

#pragma GCC visibility pop

/** As evl_outside_got() and evl_outside_failed(), as part of a step. */
void evl_outside_take(struct evl_step *step, struct evl_outside *o);
void evl_outside_fail(struct evl_step *step, struct evl_outside *o, int error);

/** The answer to ops->is_stale(), as part of a step. */
void evl_outside_checked(struct evl_step *step, struct evl_outside *o, int is_stale);

#endif
