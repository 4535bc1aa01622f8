/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef EVL_OUTSIDE_H_INCLUDED_
#define EVL_OUTSIDE_H_INCLUDED_

/* The outside: other processes, or machines, that a lock is shared with.  It takes part
 * in the lock as one more holder and waiter:
 *
 *	NOTHING		it holds the lock: bits of its own in core.held_mask, that all
 *	  |		modes conflict with; whoever is first waits for it
 *	  | want()
 *	  v
 *	SHARED or	this process has the lock, in that mode; the outside stands in the
 *	EXCLUSIVE	queue, behind those who waited when this process got it, so they are
 *	  |		the batch that is served before the others have their turn
 *	  | its turn comes
 *	  v
 *	NOTHING		drop() is called
 *
 * So a scope beyond the process needs no change to the core.  Here is when the outside is
 * asked; how, is up to the scope: struct evl_outside_ops.  Those are called in a step: in the
 * thread of the lock's base or, if it has a guard, with that entered.
 *
 * A request for a set keeps what it has of its members from other processes while it waits
 * for the rest.  It asks for a member, and keeps it, only while
 *
 *  - nobody of this process is before it in the queue of any of its members, and
 *  - all its members that are before that one in the order are kept for it.
 *
 * So whoever keeps something waits for holders, who wait for nothing here, or for the next
 * member in the order, in another process.  There that is held, or kept in turn for one who
 * waits for a member that is further on in the order: no such row of processes leads back
 * to where it began.  And somebody may always ask: whoever is first of all who wait in a
 * process, by rank and arrival, is so in each queue.
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
	/** Asks for the lock.  Returns 1 if this process has it now, 0 if it will be told by
	 * evl_outside_got() or evl_outside_failed(), or -1 with errno.  Called while it has
	 * NOTHING, and is not asking. */
	int (*want)(struct evl_outside *o, unsigned mode);

	/** The same, now or not at all: 0, or an errno such as EAGAIN.  While this process has
	 * it SHARED: may one more share that, though others may wait?  EVL_LOOK: only a look can
	 * tell; see `looks`. */
	int (*try_now)(struct evl_outside *o, unsigned mode);

	/** Gives the lock back, or stops asking: after this nothing is told. */
	void (*drop)(struct evl_outside *o);

	/** From EXCLUSIVE to SHARED. */
	void (*weaken)(struct evl_outside *o);

	/** The order in which the members of a set are asked for, the same in all processes. */
	int (*compare)(const struct evl_outside *a, const struct evl_outside *b);

	/** The lock is no more, and was given back: frees the memory.  In no step. */
	void (*free)(struct evl_outside *o);

	unsigned order;	/**< among scopes, for sets that have members of several */

	/** This process has it, and those who waited then are served one after another: should
	 * that end, as what it has is not what it would get now?  0, 1, or -1: it will be told by
	 * evl_outside_checked().  May be NULL: never. */
	int (*is_stale)(struct evl_outside *o);

	const struct evl_outside_looks *looks;	/**< NULL: try_now() never needs a look */
};

/** What a scope's own structure begins with, zeroed; see evl_outside_new(). */
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

/** What was wanted, was got. */
void evl_outside_got(struct evl_outside *o);

/** It was not: all who wait are told `error`.  If that is EACCES, and whoever is first wants it
 * exclusive, that one is told alone, and the next may ask. */
void evl_outside_failed(struct evl_outside *o, int error);

/** What this process has is lost: the holders' notices are called with ESTALE, their
 * handles are gone, and all who wait are told `error`. */
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
