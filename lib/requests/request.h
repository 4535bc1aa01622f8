/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef EVL_REQUEST_H_INCLUDED_
#define EVL_REQUEST_H_INCLUDED_

/* A request: its place in a lock, its callback, its handle.  It fills one cache line.  The
 * parts that few requests need are in a struct evl_extra. */

#include "rules/core.h"

/** The purpose of a seat, which says what a port does with it. */
enum evl_role {
	EVL_ACQUISITION,
	EVL_GUARDED,	/**< an acquisition of a lock that has a guard */
	EVL_SCOPED,	/**< evlock_with(): released when the callback returns */
	EVL_CONVERSION,
	EVL_MEMBER,	/**< the seat of a set's request in a member; never in a FIFO */
	EVL_NOTICE,	/**< runs a holder's notice_cb, as another request waits for the lock */
	EVL_NOTIFY,	/**< activates an event of the caller, see evlock_notify() */
	EVL_OUTSIDE	/**< stands for other processes and machines, see outside.h */
};

struct evl_request {
	struct evl_seat seat;	/**< first, so that a pointer to it points to the request */
	struct evlock *lock;	/**< the object that it was made through */
	evlock_cb cb;
	void *arg;
	evlock_handle handle;	/**< see handles.h */
};

#define EVL_REQUEST(s) EVL_CONTAINER(s, struct evl_request, seat)

#endif
