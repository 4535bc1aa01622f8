/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef EVL_EXTRA_H_INCLUDED_
#define EVL_EXTRA_H_INCLUDED_

/* What few requests use: a timer, a handle of the caller's own, ties to other
 * seats, a notice.  A request that has any of them points here with
 * seat.ties.  Kept and reused by the base's thread. */

#include <uthash.h>

#include "requests/handles.h"

struct timeval;
struct evl_body;
struct evl_group;

/** What a caller's own handle is looked up by: it names one request of a lock. */
struct evl_own_key {
	uint64_t scope;	/**< see evl_body.scope */
	evlock_handle handle;
};

/** The extras of an event_base: a store, used by that base's thread alone. */
struct evl_extras {
	struct evl_extra *spare;	/**< unused ones */
	uint32_t n_spare;
	struct event_base *base;
	uint8_t is_foreign;		/**< see evl_port.is_foreign */
	void (*expire)(struct evl_request *r);	/**< called from the loop when a timer goes off */
};

struct evl_extra {
	struct evl_ties ties;		/**< first, so that the ties of a request are its extra */
	struct evl_request *request;
	struct evl_extras *home;
	struct evl_extra *next;		/**< among the spare ones */
	struct evl_own_key own;		/**< own.handle is 0: none */
	UT_hash_handle hh;		/**< in the pool's table of own handles */
	struct evl_group *group;	/**< the seats in a set's members, or NULL */
	evlock_cb notice_cb;		/**< NULL: none wanted */
	struct evl_link notice_link;	/**< in the body's list, while held */
	struct evl_owner self;		/**< whom a set's holder without an owner belongs to once
					     it is converted */
	struct evl_seat notice;		/**< for the port; GRANTED while it is on its way */
	uint64_t observed;		/**< for the observer of the lock: see lock/observe.h */
	uint8_t is_told;		/**< of those who wait now */
	uint8_t has_timer;		/**< the timer was added */
	/* the timer's struct event lies behind */
};

static inline struct evl_extra *
evl_extra_of(const struct evl_request *r)
{
	return (struct evl_extra *)r->seat.ties;
}

/** Gives `r`, which is made for a lock whose core is `core`, an extra from `home`, if it has
 * none yet.  `is_home`: this is that base's thread.  NULL with errno ENOMEM. */
struct evl_extra *evl_extra_need(struct evl_request *r, struct evl_core *core,
    struct evl_extras *home, int is_home);

/** Takes it away again, and its timer with it.  In its base's thread. */
void evl_extra_drop(struct evl_request *r);

/** Starts the timer: home->expire() is called unless the extra is dropped before.  Returns -1 with errno ENOMEM. */
int evl_extra_start_timer(struct evl_extra *extra, const struct timeval *timeout);
void evl_extra_stop_timer(struct evl_extra *extra);

void evl_extra_free_spare(struct evl_extras *home);

/** In a forked child: stops the timer and, if the request is whole (see forget.h), frees the
 * extra.  One that has a timer in another thread's base stays. */
void evl_extra_forget(struct evl_request *r, int is_whole);

#endif
