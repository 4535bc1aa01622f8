/* SPDX-License-Identifier: BSD-3-Clause */

/* Observing; see observe.h. */

#include "lock/lock.h"
#include "lock/observe.h"

void
evl_observe(const struct evl_seat *lead, enum evl_event event, int error)
{
	const struct evl_request *r = EVL_CONTAINER(lead, struct evl_request, seat);
	struct evl_observer *observer = r->lock->body->observer;

	observer->observe(observer, r, event, error);
}

void
evl_observe_by(struct evl_body *body, struct evl_observer *observer)
{
	body->observer = observer;
	evl_lock_update_watched(body);
}
