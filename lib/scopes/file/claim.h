/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef EVL_FILE_CLAIM_H_INCLUDED_
#define EVL_FILE_CLAIM_H_INCLUDED_

/* A claim is what this process has, or asks for, of the kernel's lock on one file.
 *
 * Every function is called with the claim's guard entered, unless its comment says otherwise, and
 * none of those blocks.  The guard is the user's; got(), failed() and checked() are called with it
 * entered as well.  A system call on a path can block for as long as a dead mount does not answer,
 * so such calls are made without the guard, by one of these:
 *
 *  - the helper, a thread that waits for the kernel (helper.h).  There is none while the lock
 *    can be had at once;
 *  - a looker: the thread of a caller that does not wait;
 *  - a checker, another such thread, which finds out, while the lock is held, where the path leads by now.
 *
 * The file (struct evl_opened) belongs to the helper or the looker while there is one.  Otherwise
 * whoever has entered the guard may use its descriptor, and nobody opens or closes it.  A checker
 * reads nothing but the path. */

#include "scopes/file/helper.h"
#include "scopes/file/kernel.h"
#include "scopes/file/opened.h"

/** What the kernel knows of this process.
 *
 *	           look_ends: free, or try                drop
 *	IDLE -----> LOOKING -----------------> HELD ---------> IDLE
 *	 |  look_begins |           got         ^
 *	 |              +--> IDLE               |
 *	 +------> ASKING -----------------------+
 *	 |  ask    |  |   failed
 *	 |         |  +---------------------------> IDLE
 *	 |         | drop              the helper has ended
 *	 |         +------> LEAVING ------+-------> IDLE
 *	 |                                |
 *	 +--------------------------------+ asked again meanwhile
 *
 * LEAVING: the helper has been stopped, and may have the lock all the same.
 */
enum evl_claim_state {
	EVL_CLAIM_IDLE, EVL_CLAIM_HELD, EVL_CLAIM_ASKING, EVL_CLAIM_LEAVING, EVL_CLAIM_LOOKING
};

/** Not an errno: only a look can tell. */
#define EVL_CLAIM_UNSURE (-2)

struct evl_claim;

/** The owner of a claim.  Helpers and checkers call these from their own threads. */
struct evl_claim_user {
	void (*enter)(struct evl_claim *claim);
	void (*leave)(struct evl_claim *claim);
	/** The lock that was asked for is held. */
	void (*got)(struct evl_claim *claim);
	/** It is not, and is not asked for any more. */
	void (*failed)(struct evl_claim *claim, int error);
	/** The answer to evl_claim_check(), if the lock is still held: does the path still lead to
	 * the file? */
	void (*checked)(struct evl_claim *claim, int is_same);
	/** After evl_claim_end(): nothing uses the claim or the guard any more.  Called with
	 * the guard not entered. */
	void (*gone)(struct evl_claim *claim);
};

struct evl_claim {
	const struct evl_claim_user *user;
	struct evl_opened file;
	struct evl_job asking;		/**< while ASKING or LEAVING */
	struct evl_job checking;	/**< while has_checker */
	struct evl_wait wait;		/**< of the helper */
	struct evl_facts known;		/**< of the file, for whom it does not belong to */
	struct evl_file_id found;	/**< by a looker, while is_joining */
	struct evl_seen seen;		/**< when the checker began */
	int error;			/**< of the look */
	uint8_t state;			/**< enum evl_claim_state */
	uint8_t is_exclusive;		/**< what the helper or the looker asks for */
	uint8_t is_wanted;		/**< while LEAVING: asked for again */
	uint8_t wants_exclusive;
	uint8_t is_joining;		/**< somebody looks while it is HELD */
	uint8_t has_checker;		/**< a job that has not ended yet */
	uint8_t is_checked;		/**< the checker's answer is still of use */
	uint8_t is_over;		/**< evl_claim_end() was called */
};

/** As evl_opened_begin() and evl_opened_adopt().  Called without the guard; may block. */
int evl_claim_begin(struct evl_claim *claim, const struct evl_claim_user *user, char *path,
    const struct evl_how *how);
int evl_claim_adopt(struct evl_claim *claim, const struct evl_claim_user *user, int fd,
    int is_flock);

/** Releases everything; user->gone() is called now, or when its last job has ended.  Called
 * without the guard. */
void evl_claim_end(struct evl_claim *claim);

/** Could the file as it is open be locked so?  Returns 0 or EACCES. */
int evl_claim_may(const struct evl_claim *claim, int is_exclusive);

/** Takes the lock if that can be done without a look at the path.  `may_wait`: the caller would
 * rather trust an older look than wait for a new one.  Returns 0, EVL_CLAIM_UNSURE, EAGAIN or
 * another errno.  Not called while the lock is held or asked for. */
int evl_claim_try(struct evl_claim *claim, int is_exclusive, int may_wait);

/** Begins to wait for the lock.  Returns 0 or an errno.  Not called while it is held or asked
 * for. */
int evl_claim_ask(struct evl_claim *claim, int is_exclusive);

/** Stops asking, or lets go. */
void evl_claim_drop(struct evl_claim *claim);

/** It is held, exclusive: makes it shared. */
void evl_claim_weaken(struct evl_claim *claim);

/** The lock is held.  Can one more share it?  Returns 0, EVL_CLAIM_UNSURE, EAGAIN if other
 * processes wait or the file is another by now, or another errno. */
int evl_claim_may_join(struct evl_claim *claim);

/** A look takes the lock, or finds out whether one more can share it: evl_claim_look_begins(),
 * then evl_claim_look() without the guard, then evl_claim_look_ends().  One thread at a time.
 * The first returns 0 if there is nothing to look for; then the others are not called.  The
 * second may block.  The last returns as evl_claim_try() or evl_claim_may_join(), or
 * EVL_CLAIM_UNSURE if the lock was dropped meanwhile. */
int evl_claim_look_begins(struct evl_claim *claim, int is_exclusive);
void evl_claim_look(struct evl_claim *claim);
int evl_claim_look_ends(struct evl_claim *claim);

/** The lock is held.  Is the file still what its path leads to?  Returns 0 if so, or
 * EVL_CLAIM_UNSURE: user->checked() will tell.  EVL_FILE_MOVED: no, or there is no way to find
 * out. */
int evl_claim_check(struct evl_claim *claim);

#endif
