/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef EVL_WATCH_H_INCLUDED_
#define EVL_WATCH_H_INCLUDED_

/* Waits until one key is deleted.  Called by place, which looks again whenever it is called back:
 * the key may have been deleted, or the watch ended for whatever reason, and that is all the same.
 *
 * A watch that begins in the past, if only by one revision that somebody else made meanwhile, is
 * told of deletions up to 100 ms late by etcd 3.4.  So place is called back to look when such a
 * watch has begun, too; it goes on.
 *
 * A watch has a connection of its own, as the gateway answers nothing before the request has
 * ended. */

#include "call.h"

struct evl_watch {
	struct evl_link link;		/**< in net->watches, while it is on */
	struct evl_net *net;
	struct evl_wire *wire;
	struct event *timer;		/**< the watch is not in place; later: calls back */
	void (*cb)(void *arg, int is_over);
	void *arg;
	const char *key64;
	int64_t revision;
	unsigned n_failed;		/**< in a row */
	unsigned token_serial;
	uint8_t is_on;
};

/** Returns -1 with errno ENOMEM. */
int evl_watch_init(struct evl_watch *watch, struct evl_net *net, void (*cb)(void *, int),
    void *arg);
void evl_watch_clear(struct evl_watch *watch);

/** Calls back, from the loop, when `key64`, which stays the caller's, is deleted at `revision` or
 * later, or when that cannot be told any more: then it is over. */
void evl_watch_start(struct evl_watch *watch, const char *key64, int64_t revision);
void evl_watch_stop(struct evl_watch *watch);

/** The endpoint has changed: all call back. */
void evl_watch_move_all(struct evl_net *net);

#endif
