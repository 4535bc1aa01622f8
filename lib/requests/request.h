/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef EVL_REQUEST_H_INCLUDED_
#define EVL_REQUEST_H_INCLUDED_

/* A request: who asked for what, and how to tell them.  One cache line; what
 * few requests use is kept aside, in a struct evl_extra. */

#include "rules/core.h"

/** What a port has to do for a seat in its FIFO. */
enum evl_role {
	EVL_ACQUISITION,
	EVL_GUARDED,	/**< the same, of a lock that has a guard */
	EVL_SCOPED,	/**< evlock_with(): released when the callback returns */
	EVL_CONVERSION,
	EVL_MEMBER,	/**< nothing: a set's seat in a member, in no FIFO */
	EVL_NOTICE,	/**< tell a holder that someone waits for it */
	EVL_NOTIFY,	/**< activate an event of the caller's */
	EVL_OUTSIDE	/**< do something about other processes, see outside.h */
};

struct evl_request {
	struct evl_seat seat;	/**< first, so that a seat of a request is the request */
	struct evlock *lock;	/**< the object that it was made through */
	evlock_cb cb;
	void *arg;
	evlock_handle handle;	/**< see handles.h */
};

#define EVL_REQUEST(s) EVL_CONTAINER(s, struct evl_request, seat)

#endif
