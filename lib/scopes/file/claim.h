/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef EVL_FILE_CLAIM_H_INCLUDED_
#define EVL_FILE_CLAIM_H_INCLUDED_

/* A claim is this process's part of the kernel's lock on one file: what it holds or asks for.
 *
 * Unless its comment says otherwise, a function is called with the claim's guard entered, and does
 * not block.  The guard belongs to the user of the claim.  got(), failed() and checked() are called
 * with it entered, too.  A system call on a path can block while a dead mount does not answer, so
 * such calls are made without the guard, by one of these:
 *
 *  - the helper, a thread that waits for the kernel (helper.h).  There is none if the lock is
 *    free at once;
 *  - a looker: the thread of a caller that does not wait;
 *  - a checker, a second helper thread, which finds out where the path leads while the lock is
 *    held.
 *
 * While there is a helper or a looker, the file (struct evl_opened) belongs to it.  Otherwise a
 * thread that has entered the guard may use the descriptor, and no thread opens or closes the
 * file.  A checker reads only the path. */

#include "scopes/file/helper.h"
#include "scopes/file/kernel.h"
#include "scopes/file/opened.h"

/** The state of a claim.
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
 * LEAVING: the helper was stopped, but may have got the lock just before.
 */
enum evl_claim_state {
	EVL_CLAIM_IDLE, EVL_CLAIM_HELD, EVL_CLAIM_ASKING, EVL_CLAIM_LEAVING, EVL_CLAIM_LOOKING
};

/** Not an errno: the caller must look at the path to find out. */
#define EVL_CLAIM_UNSURE (-2)

struct evl_claim;

/** The user of a claim.  Helpers and checkers call these functions from their own threads. */
struct evl_claim_user {
	void (*enter)(struct evl_claim *claim);
	void (*leave)(struct evl_claim *claim);
	/** The process now holds the lock that it asked for. */
	void (*got)(struct evl_claim *claim);
	/** Asking for the lock has failed. */
	void (*failed)(struct evl_claim *claim, int error);
	/** Answers evl_claim_check(), if the lock is still held.  `is_same`: the path still leads
	 * to the file. */
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
	struct evl_facts known;		/**< a copy of file.facts, under the guard */
	struct evl_file_id found;	/**< found by a looker, while is_joining */
	struct evl_seen seen;		/**< what was seen when the checker began */
	int error;			/**< the result of the look */
	uint8_t state;			/**< enum evl_claim_state */
	uint8_t is_exclusive;		/**< the mode that the helper or looker asks for */
	uint8_t is_wanted;		/**< while LEAVING: asked for again */
	uint8_t wants_exclusive;	/**< if is_wanted: the mode */
	uint8_t is_joining;		/**< a looker is at work while HELD */
	uint8_t has_checker;		/**< the job `checking` has not ended yet */
	uint8_t is_checked;		/**< the checker's answer is still needed */
	uint8_t is_over;		/**< evl_claim_end() was called */
};

/** As evl_opened_begin() and evl_opened_adopt().  Called without the guard; may block. */
int evl_claim_begin(struct evl_claim *claim, const struct evl_claim_user *user, char *path,
    const struct evl_how *how);
int evl_claim_adopt(struct evl_claim *claim, const struct evl_claim_user *user, int fd,
    int is_flock);

/** Releases everything.  Calls user->gone() now, or when the last job of the claim has ended.
 * Called without the guard. */
void evl_claim_end(struct evl_claim *claim);

/** Can the open file be locked in this mode?  Returns 0 or EACCES. */
int evl_claim_may(const struct evl_claim *claim, int is_exclusive);

/** Takes the lock if that is possible without a look at the path.  `may_wait`: a new look would
 * need a helper, so the caller accepts an older look.  Returns 0, EVL_CLAIM_UNSURE, EAGAIN or
 * another errno.  Not called while the lock is held or asked for. */
int evl_claim_try(struct evl_claim *claim, int is_exclusive, int may_wait);

/** Begins to wait for the lock.  Returns 0 or an errno.  Not called while the lock is held or
 * asked for. */
int evl_claim_ask(struct evl_claim *claim, int is_exclusive);

/** Stops asking for the lock, or releases it. */
void evl_claim_drop(struct evl_claim *claim);

/** Makes an exclusive lock, which must be held, a shared one. */
void evl_claim_weaken(struct evl_claim *claim);

/** Can one more request share the lock, which must be held?  Returns 0, EVL_CLAIM_UNSURE, EAGAIN
 * if other processes wait or the path leads to another file, or another errno. */
int evl_claim_may_join(struct evl_claim *claim);

/** A look takes the lock, or finds out whether one more request can share it.  Only one thread
 * looks at a time.  It calls evl_claim_look_begins(), then evl_claim_look() without the guard, then
 * evl_claim_look_ends().
 *  - evl_claim_look_begins() returns 0 if there is nothing to look for.  Then the other two are not
 *    called.
 *  - evl_claim_look() may block.
 *  - evl_claim_look_ends() returns as evl_claim_try() or evl_claim_may_join(), or EVL_CLAIM_UNSURE
 *    if the lock was dropped meanwhile. */
int evl_claim_look_begins(struct evl_claim *claim, int is_exclusive);
void evl_claim_look(struct evl_claim *claim);
int evl_claim_look_ends(struct evl_claim *claim);

/** Does the path still lead to the file, whose lock must be held?  Returns 0 if so,
 * EVL_CLAIM_UNSURE if user->checked() will answer, or EVL_FILE_MOVED if not, or if there is no way
 * to find out. */
int evl_claim_check(struct evl_claim *claim);

#endif
