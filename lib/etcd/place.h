/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef EVL_PLACE_H_INCLUDED_
#define EVL_PLACE_H_INCLUDED_

/* One place in the queue that a lock has in the cluster: this process's, for all here who want it.
 * Follows the order of create_revision: each waits for who is next ahead, and for nobody else.
 * Called by lock, who wants it, and by session, whose lease keeps it. */

#include "session.h"
#include "watch.h"

/** Where it stands.
 *
 *	         want, and the session is alive     nobody ahead
 *	EVL_OUT ---------------------> EVL_ENTERING ------------> EVL_IN
 *	   ^                                | somebody ahead        ^
 *	   |                                v                       | nobody ahead
 *	   |                           EVL_WAITING <-----------> EVL_CHECKING
 *	   |   left                                  gone
 *	   +-------- EVL_LEAVING <------------------------------ (any, by drop)
 *
 * When the lease ends, everything is EVL_OUT. */
enum evl_place_state {
	EVL_OUT, EVL_ENTERING, EVL_WAITING, EVL_CHECKING, EVL_IN, EVL_LEAVING
};

/** How it is wanted. */
enum evl_wish { EVL_NOTHING, EVL_A_TURN, EVL_A_TRY };

struct evl_place {
	struct evl_link link;		/**< in session->places */
	struct evlock_etcd *session;
	struct evl_call call;
	struct evl_watch watch;
	struct evl_entry entry;
	char root[EVL_ROOT_MAX + 1];
	char ahead[EVL_KEY64_SIZE];	/**< WAITING: for this key to go */
	enum evl_place_state state;
	enum evl_wish wish;
	uint8_t is_exclusive;		/**< the wish */
	uint8_t is_weakening;		/**< IN, and the cluster is being told that it is shared */
	uint8_t is_freed;		/**< goes when it is OUT */
	/** From the loop; may call anything here. */
	void (*granted)(void *arg);
	void (*ended)(void *arg, int error);	/**< ESTALE, EAGAIN, ...: wanted no more */
	void *arg;
};

/** NULL with errno ENOMEM. */
struct evl_place *evl_place_new(struct evlock_etcd *session, const char *name,
    void (*granted)(void *arg), void (*ended)(void *arg, int error), void *arg);

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

/* For the session, of each of its places: */

/** There is a lease. */
void evl_place_go(struct evl_place *place, int unused);

/** The lease is gone. */
void evl_place_lose(struct evl_place *place, int error);

/** There will be no lease, or no leaving: who waits for that is told. */
void evl_place_refuse(struct evl_place *place, int error);

/** The session is gone. */
void evl_place_abandon(struct evl_place *place, int unused);

#endif
