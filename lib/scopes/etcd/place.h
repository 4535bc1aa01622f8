/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef EVL_PLACE_H_INCLUDED_
#define EVL_PLACE_H_INCLUDED_

/* One place in the queue that the cluster keeps for a lock.  A session has one place for each lock,
 * on behalf of all requests of this process.  Places are served in the order of create_revision,
 * and each waits only for the next one ahead.  ask.h describes the keys and the questions.  Called
 * by lock, which wants the place, and by session, whose lease keeps it. */

#include "scopes/etcd/session.h"

/** The states of a place, and the functions that lead from one to another.  README shows them as
 * a part of the protocol.
 *
 *	       try_to_begin()          on_guard()           on_enter(): nobody ahead
 *	EVL_OUT ----------> EVL_GUARDING -----> EVL_ENTERING ---------------------> EVL_IN
 *	 ^  |                                    ^   |                                ^
 *	 |  +------------------------------------+   | on_enter():                    | on_check():
 *	 |     begin(): the guard is known           v somebody ahead                 | nobody ahead
 *	 |                                      EVL_WAITING --- on_ahead() --> EVL_CHECKING
 *	 |                                           ^                             |
 *	 |                                           +-----------------------------+
 *	 |  on_leave()                                  on_check(): somebody ahead
 *	 +----------- EVL_LEAVING <---- go_out(), from every state
 *
 * If the guard is gone, on_not_entered() leads from ENTERING back to GUARDING.  When the lease
 * ends, on_lost() makes every place OUT. */
enum evl_place_state {
	EVL_OUT, EVL_GUARDING, EVL_ENTERING, EVL_WAITING, EVL_CHECKING, EVL_IN, EVL_LEAVING
};

/** How the lock wants the place. */
enum evl_wish { EVL_NOTHING, EVL_A_TURN, EVL_A_TRY };

struct evl_place {
	struct evl_tenant tenant;	/**< first */
	struct evl_name name;		/**< its text is `root` */
	struct evlock_etcd *session;
	struct evl_call call;
	struct evl_watch ahead;		/**< WAITING: of the key of the next place ahead */
	struct evl_watch own, own_mark;	/**< of our keys q/ID and x/ID, in case they are deleted */
	struct evl_entry entry;		/**< an id of "" means that we have no keys */
	char *root;
	int64_t looked;			/**< revision of the store that the last answer showed */
	int64_t deleted;		/**< last revision at which a watch saw our keys deleted */
	int64_t leaving;		/**< LEAVING: since when, see clock.h */
	enum evl_place_state state;
	enum evl_wish wish;
	uint8_t is_exclusive;		/**< of the wish */
	uint8_t is_weakening;		/**< IN: `call` makes the place shared */
	uint8_t is_looking;		/**< IN: `call` checks that the place still exists */
	uint8_t must_look;		/**< IN: that must be checked once `call` is idle */
	uint8_t is_spent;		/**< the id must not be used again */
	uint8_t is_freed;		/**< is destroyed once it is OUT and has no keys */
	/** Called from the loop, may call anything here.  After ended(), with ESTALE, EAGAIN, ...,
	 * the place is not wanted any more. */
	void (*granted)(void *arg);
	void (*ended)(void *arg, int error);
	void *arg;
};

/** Returns NULL with errno ENOMEM. */
struct evl_place *evl_place_new(struct evlock_etcd *session, const char *name,
    void (*granted)(void *arg), void (*ended)(void *arg, int error), void *arg);

/** Returns the session's place in the queue of the lock `name`, or NULL. */
struct evl_place *evl_place_find(struct evlock_etcd *session, const char *name);

/** Frees the place, and removes its keys in the background. */
void evl_place_free(struct evl_place *place);

/** Asks for the place.  granted() or ended() follows, unless evl_place_drop() is called before. */
void evl_place_want(struct evl_place *place, enum evl_wish wish, int is_exclusive);

/** Makes a granted exclusive place shared. */
void evl_place_weaken(struct evl_place *place);

/** Gives the place back, or stops asking for it. */
void evl_place_drop(struct evl_place *place);

/** Returns the fencing token, or 0 if the place is not held. */
static inline uint64_t
evl_place_token(const struct evl_place *place)
{
	return place->state == EVL_IN ? (uint64_t)place->entry.revision : 0;
}

#endif
