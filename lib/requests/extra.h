/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef EVL_EXTRA_H_INCLUDED_
#define EVL_EXTRA_H_INCLUDED_

/* The extra of a request has the parts that few requests need: a timer, a chosen handle,
 * ties to other seats, a notice.  The seat.ties of a request point to its extra.  The
 * base's thread keeps unused extras and reuses them. */

#include <uthash.h>

#include "requests/handles.h"

struct timeval;
struct evl_body;
struct evl_group;

/** The key of a chosen handle, which names one request of a lock. */
struct evl_own_key {
	uint64_t scope;	/**< see evl_identity.scope */
	evlock_handle handle;
};

/** The store of unused extras of an event_base.  Only the thread of that base uses it. */
struct evl_extras {
	struct evl_extra *spare;	/**< a stack, linked by next */
	uint32_t n_spare;
	struct event_base *base;
	uint8_t is_foreign;		/**< see evl_port.is_foreign */
	void (*expire)(struct evl_request *r);	/**< called from the loop when a timer goes off */
};

struct evl_extra {
	struct evl_ties ties;		/**< first, so that seat.ties point to the extra */
	struct evl_request *request;
	struct evl_extras *home;
	struct evl_extra *next;		/**< in home->spare */
	struct evl_own_key own;		/**< the chosen handle; own.handle is 0: none */
	UT_hash_handle hh;		/**< in the pool's table of chosen handles */
	struct evl_group *group;	/**< the seats in a set's members, or NULL */
	evlock_cb notice_cb;		/**< NULL: no notice wanted */
	struct evl_link notice_link;	/**< in body->notices, while the request holds */
	struct evl_owner self;		/**< the owner of a set's holder without another owner, from
					     its first conversion on */
	struct evl_seat notice;		/**< for the port; GRANTED until it is delivered */
	uint64_t observed;		/**< for the lock's observer; see lock/observe.h */
	uint8_t is_told;		/**< has had its notice for the present waiters */
	uint8_t has_timer;		/**< the timer was added */
	/* the timer's struct event follows */
};

static inline struct evl_extra *
evl_extra_of(const struct evl_request *r)
{
	return (struct evl_extra *)r->seat.ties;
}

/** Returns the extra of `r`, a request for the lock of `core`.  Gives it one from `home` if it has
 * none yet.  `is_home`: the caller is in the thread of that base.  Returns NULL with errno
 * ENOMEM. */
struct evl_extra *evl_extra_need(struct evl_request *r, struct evl_core *core,
    struct evl_extras *home, int is_home);

/** Takes the extra away from `r`, and stops its timer.  Called in the thread of its base. */
void evl_extra_drop(struct evl_request *r);

/** Starts the timer, which calls home->expire() from the loop.  Returns 0, or -1 with errno
 * ENOMEM. */
int evl_extra_start_timer(struct evl_extra *extra, const struct timeval *timeout);
void evl_extra_stop_timer(struct evl_extra *extra);

/** Frees all unused extras. */
void evl_extra_free_spare(struct evl_extras *home);

/** In a forked child: stops the timer and, if the request is whole (see calls/forget.h), frees the
 * extra.  Leaks an extra that has a timer in a foreign base. */
void evl_extra_forget(struct evl_request *r, int is_whole);

#endif
