/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef EVL_FILE_CLAIM_H_INCLUDED_
#define EVL_FILE_CLAIM_H_INCLUDED_

/* A claim is what this process has, or asks for, of the kernel's lock on one file.
 * Nothing here blocks its caller: a helper thread waits for the kernel, one for each
 * file at the most, and none while the lock is to be had at once.
 *
 * Everything is called with the claim's guard entered, which is the user's, and so
 * are got() and failed().  The file itself belongs to the helper while there is one. */

#include "scopes/file/kernel.h"
#include "scopes/file/opened.h"

/** What the kernel knows of us.
 *
 *	             try: free                        drop
 *	IDLE -------------------------------> HELD ---------> IDLE
 *	 |               got                   ^
 *	 +------> ASKING ----------------------+
 *	 |  ask    |  |   failed
 *	 |         |  +---------------------------> IDLE
 *	 |         | drop              the helper has ended
 *	 |         +------> LEAVING ------+-------> IDLE
 *	 |                                |
 *	 +--------------------------------+ asked again meanwhile
 *
 * LEAVING: the helper has been stopped, and may have the lock all the same.
 */
enum evl_claim_state { EVL_CLAIM_IDLE, EVL_CLAIM_HELD, EVL_CLAIM_ASKING, EVL_CLAIM_LEAVING };

struct evl_claim;

/** Who has a claim.  The helper calls these from its own thread, and enters the guard
 * itself. */
struct evl_claim_user {
	void (*enter)(struct evl_claim *claim);
	void (*leave)(struct evl_claim *claim);
	/** The lock that was asked for is held. */
	void (*got)(struct evl_claim *claim);
	/** It is not, and is not asked for any more. */
	void (*failed)(struct evl_claim *claim, int error);
	/** After evl_claim_end(): nothing uses the claim or the guard any more.  Called with
	 * the guard not entered. */
	void (*gone)(struct evl_claim *claim);
};

struct evl_claim {
	const struct evl_claim_user *user;
	struct evl_opened file;
	struct evl_wait helper;		/**< while ASKING or LEAVING */
	dev_t device;			/**< of the file that was opened or locked last, as inode */
	ino_t inode;
	uint8_t state;			/**< enum evl_claim_state */
	uint8_t is_exclusive;		/**< what the helper waits for */
	uint8_t is_wanted;		/**< while LEAVING: asked for again */
	uint8_t wants_exclusive;
	uint8_t is_over;		/**< evl_claim_end() was called */
};

/** As evl_opened_begin(). */
int evl_claim_begin(struct evl_claim *claim, const struct evl_claim_user *user, char *path,
    int is_flock, int makes_folders);

/** Lets go of everything; user->gone() is called now, or when the helper has ended.  The
 * one function that is called without the guard. */
void evl_claim_end(struct evl_claim *claim);

/** Takes the lock if it is to be had at once.  0, EAGAIN or another errno.  Not called
 * while it is held or asked for. */
int evl_claim_try(struct evl_claim *claim, int is_exclusive);

/** Begins to wait for it.  Returns 0 or an errno; not called while it is held or asked
 * for. */
int evl_claim_ask(struct evl_claim *claim, int is_exclusive);

/** Stops asking, or lets go. */
void evl_claim_drop(struct evl_claim *claim);

/** It is held, exclusive: makes it shared. */
void evl_claim_weaken(struct evl_claim *claim);

/** It is held: does it serve one more, who is shared or follows its last holder?  EAGAIN
 * if others of other processes wait, or the file is another by now; or another errno. */
int evl_claim_may_join(struct evl_claim *claim);

#endif
