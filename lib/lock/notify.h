/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef EVL_NOTIFY_H_INCLUDED_
#define EVL_NOTIFY_H_INCLUDED_

/* Telling those who watch a lock: events that are activated when it could be had, and notices
 * to holders that someone waits for them.  Both go the way of grants: through the loop's FIFO
 * and its budget.  Called in a step, at whose end each lock that was changed is looked at, if
 * anybody asked for it at all. */

#include "lock/lock.h"
#include "rules/change.h"

/** An event of a caller's, which wants to know when the lock could be had in seat.mode. */
struct evl_watch {
	struct evl_seat seat;		/**< GRANTED while it is on its way, or VOID; else FREE */
	uint8_t is_armed;		/**< wants to know when other processes give the lock up */
	struct evl_link link;		/**< in body->notifies */
	struct evlock *lock;
	struct event *ev;
};

#define EVL_WATCH(l) EVL_CONTAINER(l, struct evl_watch, link)

/** Tells whoever watches the lock, or a set that has it.  `has_room`: someone left it, or took
 * less. */
void evl_notify_tell(struct evl_change *change, struct evl_body *body, int has_room);

/** Activates the event of `watch` if the lock could be had now. */
void evl_notify_tell_if_free(struct evl_change *change, struct evl_watch *watch);

/** A request that wants notices holds the lock, and does so no longer. */
void evl_notify_hold(struct evl_change *change, struct evl_request *r);
void evl_notify_release(struct evl_request *r);

/** Arms or disarms the events of a lock that other processes hold. */
void evl_notify_arm(struct evl_body *body, int is_armed);

/** The weakest mode that one of those waits for, or EVLOCK_MAX_MODES. */
unsigned evl_notify_wanted(const struct evl_body *body);

/** The lock object whose loop a notice, or an event, is delivered by. */
struct evlock *evl_notify_lock(const struct evl_seat *seat);

#endif
