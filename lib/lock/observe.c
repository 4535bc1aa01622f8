/* SPDX-License-Identifier: BSD-3-Clause */

/* Observing a lock's requests; see observe.h. */

#include "lock/observe.h"

void
evl_observe(struct evl_seat *lead, enum evl_event event, int error)
{
	struct evl_request *r = EVL_REQUEST(lead);
	struct evl_observer *observer = r->lock->body->observer;

	observer->observe(observer, r, event, error);
}

void
evl_observe_by(struct evl_body *body, struct evl_observer *observer)
{
	body->observer = observer;
	evl_lock_update_watched(body);
}
