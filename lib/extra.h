/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef EVL_EXTRA_H_INCLUDED_
#define EVL_EXTRA_H_INCLUDED_

/* What few requests use: a timer, a handle of the caller's own, ties to other
 * seats, a notice.  A request that has any of them points here with
 * seat.ties.  Kept and reused by the port, in its base's thread. */

#include <uthash.h>

#include "port.h"

struct timeval;
struct evl_body;
struct evl_group;

/** What a caller's own handle is looked up by: it names one request of a lock. */
struct evl_own_key {
	uint64_t scope;	/**< see evl_body.scope */
	evlock_handle handle;
};

struct evl_extra {
	struct evl_ties ties;		/**< first, so that the ties of a request are its extra */
	struct evl_request *request;
	struct evl_extra *next;		/**< among the port's spare ones */
	struct evl_own_key own;		/**< own.handle is 0: none */
	UT_hash_handle hh;		/**< in the pool's table of own handles */
	struct evl_group *group;	/**< the seats in a set's members, or NULL */
	evlock_cb notice_cb;		/**< NULL: none wanted */
	struct evl_link notice_link;	/**< in the body's list, while held */
	struct evl_owner self;		/**< whom a set's holder without an owner belongs to once
					     it is converted */
	struct evl_seat notice;		/**< for the port; GRANTED while it is on its way */
	uint8_t is_told;		/**< of those who wait now */
	uint8_t has_timer;		/**< the timer was added */
	/* the timer's struct event lies behind */
};

static inline struct evl_extra *
evl_extra_of(const struct evl_request *r)
{
	return (struct evl_extra *)r->seat.ties;
}

/** Gives `r` an extra, if it has none yet.  NULL with errno ENOMEM.  Called in the thread of
 * `here`, which may not be that of the request's port. */
struct evl_extra *evl_extra_need(struct evl_request *r, const struct evl_port *here);

/** Takes it away again, and its timer with it. */
void evl_extra_drop(struct evl_port *port, struct evl_request *r);

/** Starts the timer: evl_request_expire() is called unless the extra is dropped before.  Takes
 * any timeout; one that is too long for libevent's clock starts none.  Returns 0, or -1 with
 * errno ENOMEM. */
int evl_extra_start_timer(struct evl_extra *extra, const struct timeval *timeout);
void evl_extra_stop_timer(struct evl_extra *extra);

/* In own.c: the requests that callers have given handles of their own. */

/** A handle that is not used yet.  Returns -1 with errno ENOMEM. */
int evl_own_add(struct evl_pool *pool, struct evl_extra *extra, uint64_t scope,
    evlock_handle handle);
void evl_own_remove(struct evl_pool *pool, struct evl_extra *extra);
struct evl_request *evl_own_find(const struct evl_pool *pool, uint64_t scope,
    evlock_handle handle);
void evl_own_clear(struct evl_pool *pool);

/** Forgets all of them at once, and frees the table. */
void evl_own_forget(struct evl_pool *pool);

void evl_extra_free_spare(struct evl_port *port);

/** In a forked child: stops the timer and, if the request is whole (see forget.h), frees the
 * extra.  One that has a timer in another thread's base stays. */
void evl_extra_forget(struct evl_request *r, int is_whole);

/** A request's timer went off; in end.c. */
void evl_request_expire(struct evl_request *r);

#endif
