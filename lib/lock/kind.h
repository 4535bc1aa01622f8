/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef EVL_KIND_H_INCLUDED_
#define EVL_KIND_H_INCLUDED_

/* A kind of lock, as a table of what it does otherwise than a plain lock: a set, a
 * semaphore, the lock of a table's key, a lock that other processes or machines hold as
 * well.  An operation that is NULL does nothing; evl_kind_plain has none but `judge`.
 *
 * All operations are called in a step, with the lock's guard entered if it has one, except
 * `examine`, `destroy`, and those of calls/alone.c. */

#include <stdint.h>

#include "rules/core.h"

struct evl_body;
struct evl_extra;
struct evl_request;
struct evl_step;
struct evl_text;
struct evlock;

/** Not an errno; see evl_kind.make_room(). */
#define EVL_LOOK (-1)

/** A look at the lock that `body` is, which whoever fills this in keeps. */
struct evl_look {
	struct evl_body *body;
	unsigned mode;
};

struct evl_kind {
	/* --- A request is made --------------------------------------------------- */

	/** Returns the errno that a request for `units` in `mode` deserves, or 0. */
	int (*judge)(const struct evlock *lock, unsigned mode, uint32_t units);

	/** Makes room for a request that does not wait.  Returns the errno of having tried,
	 * or 0.  EVL_LOOK: only a look can tell, which `look` is filled in for. */
	int (*make_room)(struct evl_step *step, struct evlock *lock, unsigned mode,
	    struct evl_look *look);

	/** Takes such a look; may block.  In no step, and followed by a step with `examined`,
	 * which returns the errno of the look, or 0: then make_room() is called again. */
	void (*examine)(const struct evl_look *look);
	int (*examined)(struct evl_step *step, const struct evl_look *look);

	/** A look is about to be taken, or it is over: whatever room was made is kept meanwhile. */
	void (*keep_room)(struct evl_step *step, struct evlock *lock, int is_kept);

	/** Is the mode one that cannot be had at all?  EACCES or 0. */
	int (*refuses)(const struct evlock *lock, unsigned mode);

	/** A request with a rank is about to be made. */
	void (*pass)(struct evl_step *step, struct evl_body *body);

	/** Gives a request the seats that it needs in other locks: 0, or -1 with errno ENOMEM.
	 * `unbind` takes them away again. */
	int (*bind)(struct evlock *lock, struct evl_request *r);
	void (*unbind)(struct evlock *lock, struct evl_extra *extra);

	/** Is it impossible to convert a holder to a stronger mode? */
	int (*is_fixed)(const struct evl_body *body);

	/* --- The short paths of calls/alone.c: in no step, with the guard entered -- */

	/** Takes the lock for a request that does not wait.  No request of this process waits
	 * for the lock, and nobody watches it.  Returns 0, EAGAIN, or EVL_LOOK if only a step
	 * can tell.  `mode` may be any number. */
	int (*take)(struct evl_body *body, unsigned mode);

	/** The only request that holds the lock in `mode` releases it; nobody watches it.
	 * Returns 1 if that is done, 0 if a step must do it. */
	int (*give)(struct evl_body *body, unsigned mode);

	/* --- A step changes the lock --------------------------------------------- */

	/** A holder is about to let go. */
	void (*let_go)(struct evl_step *step, struct evl_body *body);

	/** The step has changed the lock, and granted whoever could be: does whatever follows
	 * from that, which may change it again. */
	void (*look)(struct evl_step *step, struct evl_body *body);

	/* --- The lock is used, and ends ------------------------------------------ */

	/** Counts one user more, or one less. */
	void (*use)(struct evl_body *body);
	void (*unuse)(struct evl_body *body);

	/** The step that has changed the lock is over: frees it if it has no user left. */
	void (*retire)(struct evl_body *body);

	/** The lock's objects are on other bases than before. */
	void (*spread)(struct evl_body *body);

	/** One of the lock's objects has been freed. */
	void (*leave)(struct evl_step *step, struct evl_body *body);

	/** In a forked child, the lock has no object any more; `is_whole`: see calls/forget.h. */
	void (*forget)(struct evl_body *body, int is_whole);

	/** The lock's memory is about to be freed.  Called in no step. */
	void (*destroy)(struct evl_body *body);

	/* --- The lock is looked at ----------------------------------------------- */

	/** Would a newcomer be granted at once?  `owner` may be NULL. */
	int (*admits)(const struct evlock *lock, struct evl_owner *owner, unsigned mode,
	    uint32_t units, unsigned rank);

	/** Could a holder be converted to `mode` at once?  Of a kind that has `bind`. */
	int (*admits_conversion)(const struct evlock *lock, const struct evl_request *r,
	    unsigned mode);

	/** The strongest mode held. */
	unsigned (*strongest)(const struct evlock *lock);

	/** May its waiters wait for another thread, process or machine? */
	int (*is_far)(const struct evl_body *body);

	/** How many of the seats that wait are no requests of this process. */
	uint32_t (*n_hidden)(const struct evl_body *body);

	/** Has this process nothing of the lock? */
	int (*is_away)(const struct evl_body *body);

	/** Writes what belongs to the lock's name. */
	void (*dump_name)(const struct evl_body *body, struct evl_text *text);

	uint8_t has_moving_limits;	/**< more may be held than the limits allow by now */
	uint8_t has_own_seat;		/**< the lock takes part in its own queue, so that nothing
					     is granted without a look at it */
};

extern const struct evl_kind evl_kind_plain;

#endif
