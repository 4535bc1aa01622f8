/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef EVL_WATCHES_H_INCLUDED_
#define EVL_WATCHES_H_INCLUDED_

/* Watches of single keys; one stream carries all watches of a session.  A watch reports deletions
 * of its key.  Each time that it has been set, it also reports the revision of the store at that
 * moment.  It does not report earlier events, so a user whose last look is older must look again.
 *
 * When the stream ends, or another line comes into use, all watches are set anew.  A stream keeps
 * the token that it was opened with.  When the token has expired, another stream is opened for new
 * watches, and the old one runs dry.
 *
 *	      start           the answer "created"          stop, or refused
 *	off ---------> waiting -------------------> set ---------------------> off
 *	                  ^                          |
 *	                  +--------------------------+
 *	                       the stream has ended
 *
 * Called by place, and by member, which knows whether the etcd version reports late. */

#include "scopes/etcd/net.h"
#include "scopes/etcd/rpc.h"
#include "scopes/etcd/slots.h"
#include "scopes/etcd/token.h"

struct evl_feed;

enum evl_watch_news {
	EVL_WATCH_SET,		/**< `revision` is that of the store when the watch was set */
	EVL_WATCH_DELETED,	/**< `revision` is that of the deletion */
	EVL_WATCH_DENIED	/**< permission denied: the watch is off */
};

struct evl_watch {
	struct evl_link link;		/**< in its feed, or in watches->waiting */
	struct evl_watches *watches;
	struct evl_feed *feed;		/**< NULL: waiting, or off */
	int64_t id;			/**< its number in etcd; 0: waiting, or off */
	unsigned slot;			/**< in watches->slots */
	uint8_t is_on;
	uint8_t is_set;			/**< EVL_WATCH_SET has been reported on this feed */
	/** Called from the loop; may start and stop watches. */
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
	struct evl_feed *feed;		/**< the stream for new watches, or NULL */
	struct evl_link waiting;	/**< watches without a feed */
	struct evl_slots slots;		/**< all watches */
	struct event *timer;		/**< a pause ends, or "created" is late */
	unsigned n_failed;		/**< failures in a row */
	uint8_t is_paused;
	/** etcd 3.4 may report events around the start of a watch 100 ms late. */
	uint8_t is_late_teller;
};

/** Returns 0, or -1 with errno ENOMEM.  The caller must call evl_watches_clear() in both cases. */
int evl_watches_init(struct evl_watches *watches, struct evl_net *net, struct evl_token *token);

/** The caller must have cleared all single watches. */
void evl_watches_clear(struct evl_watches *watches);

/** `room` is the expected size of the keys.  Returns 0, or -1 with errno ENOMEM. */
int evl_watches_init_one(struct evl_watch *watch, struct evl_watches *watches, size_t room,
    void (*cb)(struct evl_watch *, enum evl_watch_news, int64_t), void *arg);
void evl_watches_clear_one(struct evl_watch *watch);

/** Starts to watch `key`, and stops watching the previous key.  Returns 0, or -1 with errno ENOMEM,
 * which cannot happen if the key fits in `room`. */
int evl_watches_start_one(struct evl_watch *watch, const char *key, size_t size);
void evl_watches_stop_one(struct evl_watch *watch);

/** Does it watch that key already? */
int evl_watches_is_of(const struct evl_watch *watch, const char *key, size_t size);

#endif
