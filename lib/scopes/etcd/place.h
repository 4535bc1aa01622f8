/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef EVL_PLACE_H_INCLUDED_
#define EVL_PLACE_H_INCLUDED_

/* One place in the queue that a lock has in the cluster: this process's, for all here who want
 * it. Follows the order of create_revision: each waits for who is next ahead, and for nobody
 * else.  What is written and asked is in ask.h.  Called by lock, which wants it, and by session,
 * whose lease keeps it. */

#include "scopes/etcd/session.h"

/** Where it stands.
 *
 *	   want, and the session is alive     the guard is written     nobody ahead
 *	EVL_OUT -------------> EVL_GUARDING -----------------> EVL_ENTERING ----------> EVL_IN
 *	 ^   |                       ^                          | ^   | somebody ahead    ^
 *	 |   |                       +--------------------------+ |   v                   | nobody
 *	 |   +----------------------------------------------------+ EVL_WAITING <-> EVL_CHECKING
 *	 |      the guard is known         gone, or the watch begins late
 *	 |
 *	 +---- EVL_LEAVING <---- (any, by drop)
 *	  left
 *
 * When the lease ends, everything is EVL_OUT. */
enum evl_place_state {
	EVL_OUT, EVL_GUARDING, EVL_ENTERING, EVL_WAITING, EVL_CHECKING, EVL_IN, EVL_LEAVING
};

/** How it is wanted. */
enum evl_wish { EVL_NOTHING, EVL_A_TURN, EVL_A_TRY };

struct evl_place {
	struct evl_tenant tenant;	/**< first */
	struct evl_name name;		/**< its text is `root` */
	struct evlock_etcd *session;
	struct evl_call call;
	struct evl_watch ahead;		/**< WAITING: for that key to go */
	struct evl_watch own, own_mark;	/**< our q/ID, and x/ID: does anybody delete them? */
	struct evl_entry entry;		/**< an id of "": there are no keys of ours */
	char *root;
	int64_t looked;			/**< revision of the store, when it was seen last */
	int64_t deleted;		/**< revision at which our keys were deleted last, as was told */
	int64_t leaving;		/**< LEAVING: since when, see clock.h */
	enum evl_place_state state;
	enum evl_wish wish;
	uint8_t is_exclusive;		/**< the wish */
	uint8_t is_weakening;		/**< IN, and the cluster is being told that it is shared */
	uint8_t is_looking;		/**< IN, and the cluster is asked whether it still is */
	uint8_t must_look;		/**< IN, and it will be asked so once it has been told */
	uint8_t is_spent;		/**< the id must not be used again */
	uint8_t is_freed;		/**< goes when it is OUT, and has no keys */
	/** From the loop; may call anything here. */
	void (*granted)(void *arg);
	void (*ended)(void *arg, int error);	/**< ESTALE, EAGAIN, ...: wanted no more */
	void *arg;
};

/** NULL with errno ENOMEM. */
struct evl_place *evl_place_new(struct evlock_etcd *session, const char *name,
    void (*granted)(void *arg), void (*ended)(void *arg, int error), void *arg);

/** The place that the session has in the queue of the lock `name`, or NULL. */
struct evl_place *evl_place_find(struct evlock_etcd *session, const char *name);

/** Gives back what is had, in the background. */
void evl_place_free(struct evl_place *place);

/** Wants it; ends with granted(), ended() or evl_place_drop(). */
void evl_place_want(struct evl_place *place, enum evl_wish wish, int is_exclusive);

/** From exclusive to shared, once granted. */
void evl_place_weaken(struct evl_place *place);

void evl_place_drop(struct evl_place *place);

/** The fencing token, or 0 if it is not held. */
static inline uint64_t
evl_place_token(const struct evl_place *place)
{
	return place->state == EVL_IN ? (uint64_t)place->entry.revision : 0;
}

#endif
