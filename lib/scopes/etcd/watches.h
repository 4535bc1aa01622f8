/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef EVL_WATCHES_H_INCLUDED_
#define EVL_WATCHES_H_INCLUDED_

/* Watches of single keys, all of a session's on one stream.  Each tells of deletions of its key;
 * and each time that it has been put in place, how far the store had got by then: what happened
 * before that is not told, so whoever knows less than that looks once more.
 *
 * When the stream ends, or another line is used, all watches are put in place anew.  A stream
 * keeps the token that it was begun with, so once that has expired, another stream is begun for
 * watches to come, and the old one runs dry.
 *
 *	       start            created is answered          stop, or refused
 *	(off) ------> waiting -----------------------> set -------------------> (off)
 *	                 ^                              |
 *	                 +------------------------------+
 *	                       the stream has ended
 *
 * Called by place, and by member, which knows whether etcd is one that tells late. */

#include "scopes/etcd/net.h"
#include "scopes/etcd/rpc.h"
#include "scopes/etcd/slots.h"
#include "scopes/etcd/token.h"

struct evl_feed;

enum evl_watch_news {
	EVL_WATCH_SET,		/**< `revision`: of the store, when it was put in place */
	EVL_WATCH_DELETED,	/**< `revision`: of the store, when that happened */
	EVL_WATCH_DENIED	/**< it is off */
};

struct evl_watch {
	struct evl_link link;		/**< in its feed, or in watches->waiting */
	struct evl_watches *watches;
	struct evl_feed *feed;		/**< NULL: waiting, or off */
	int64_t id;			/**< etcd's name for it; 0: none, or off */
	unsigned slot;			/**< in watches->slots */
	uint8_t is_on;
	/** From the loop; may start and stop watches. */
	void (*cb)(struct evl_watch *watch, enum evl_watch_news news, int64_t revision);
	void *arg;
	char *key;
	size_t key_size, room;
};

struct evl_watches {
	struct evl_net *net;
	struct evl_token *token;	/**< NULL: no authentication */
	struct evl_listener listener;
	struct evl_link feeds;		/**< streams */
	struct evl_feed *feed;		/**< that for watches to come, or NULL */
	struct evl_link waiting;	/**< watches without a feed */
	struct evl_slots slots;		/**< all watches */
	struct event *timer;		/**< a pause ends, or `created` is late */
	unsigned n_failed;		/**< streams in a row */
	uint8_t is_paused;
	/** etcd 3.4 may tell of what happens around the beginning of a watch 100 ms late. */
	uint8_t is_late_teller;
};

/** Returns -1 with errno ENOMEM; then it is to be cleared as well. */
int evl_watches_init(struct evl_watches *watches, struct evl_net *net, struct evl_token *token);

/** All watches are cleared by then. */
void evl_watches_clear(struct evl_watches *watches);

/** `room` is the size of the keys to come.  Returns -1 with errno ENOMEM. */
int evl_watches_init_one(struct evl_watch *watch, struct evl_watches *watches, size_t room,
    void (*cb)(struct evl_watch *, enum evl_watch_news, int64_t), void *arg);
void evl_watches_clear_one(struct evl_watch *watch);

/** Watches `key`, and no longer what it watched before.  Returns -1 with errno ENOMEM, which cannot
 * be if there is room. */
int evl_watches_start_one(struct evl_watch *watch, const char *key, size_t size);
void evl_watches_stop_one(struct evl_watch *watch);

/** Does it watch that key already? */
int evl_watches_is_of(const struct evl_watch *watch, const char *key, size_t size);

#endif
