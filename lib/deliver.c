/* SPDX-License-Identifier: BSD-3-Clause */

/* Delivering: what a port does for a seat that comes out of its FIFO.  Called from
 * the loop, with no mutex held. */

#include "life.h"

/* Tells the end of a request for the lock of a key.  That lock stays until the
 * callback has run, or frees the table. */
static void
deliver_keyed_end(struct evl_request *r, int error)
{
	struct evlock *lock = r->lock;
	struct evl_body *body = lock->body;
	evlock_handle handle = evl_request_told_handle(r);
	evlock_cb cb = r->cb;
	void *arg = r->arg;

	evl_body_keep(body);
	evl_keyed_use(body, lock);
	evl_request_discard(r);
	cb(lock, handle, error, arg);
	if (body->keyed) {
		evl_keyed_unuse(body, lock);
		evl_keyed_retire(body);
	}
	evl_body_drop(body);
}

/* Tells the end of a request, or of a conversion, that is gone with it. */
static void
deliver_end(struct evl_request *r, int error)
{
	struct evlock *lock = r->lock;
	evlock_handle handle = evl_request_told_handle(r);
	evlock_cb cb = r->cb;
	void *arg = r->arg;

	if (lock->body->keyed) {
		deliver_keyed_end(r, error);
		return;
	}
	evl_request_discard(r);
	cb(lock, handle, error, arg);
}

/* The wait is over: gives back what only the wait needed. */
static void
deliver_extra(struct evlock *lock, struct evl_request *r)
{
	struct evl_extra *extra = evl_extra_of(r);

	evl_extra_stop_timer(extra);
	if (extra->notice_cb)
		evl_tell_holds(lock, extra);
	else if (!extra->own.handle && !extra->ties.conversion && !extra->ties.is_bound)
		evl_extra_drop(lock->port, r);
}

/* Runs the callback of evlock_with(), and releases unless it did so itself, or
 * freed the lock. */
static void
deliver_scoped(struct evlock *lock, struct evl_request *r)
{
	struct evl_port *port = lock->port;
	evlock_handle handle = evl_request_handle(r);

	port->scoped = lock;
	r->cb(lock, handle, 0, r->arg);
	if (port->scoped == lock)
		evlock_release(lock, handle);
	port->scoped = NULL;
}

/* Tells a holder, who has asked for more than a plain callback. */
static EVL_NOINLINE void
deliver_tied(struct evl_request *r)
{
	struct evlock *lock = r->lock;

	evl_request_hold(lock, r);
	deliver_extra(lock, r);
	r->cb(lock, evl_request_handle(r), 0, r->arg);
}

static EVL_NOINLINE void
deliver_special(struct evl_request *r)
{
	struct evlock *lock = r->lock;

	if (r->seat.kind >= EVL_NOTICE) {
		evl_tell_deliver(&r->seat);
	} else if (r->seat.state == EVL_FAILED) {
		deliver_end(r, (int)r->seat.units);
	} else if (r->seat.kind == EVL_CONVERSION) {
		deliver_end(r, 0);
	} else {
		evl_request_hold(lock, r);
		if (r->seat.ties)
			deliver_extra(lock, r);
		deliver_scoped(lock, r);
	}
}

void
evl_deliver(struct evl_seat *seat)
{
	struct evl_request *r = EVL_REQUEST(seat);

	if (seat->kind != EVL_ACQUISITION)
		deliver_special(r);
	else if (seat->state == EVL_FAILED)
		deliver_end(r, (int)r->seat.units);
	else if (seat->ties)
		deliver_tied(r);
	else {
		evl_request_hold(r->lock, r);
		r->cb(r->lock, r->handle, 0, r->arg);
	}
}
