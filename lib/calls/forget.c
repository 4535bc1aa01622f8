/* SPDX-License-Identifier: BSD-3-Clause */

/* Frees what a forked child has of its parent's locks; see forget.h.  Makes no step, because the
 * waiters and holders are the parent's.  Freeing the first lock of a pool frees all requests of
 * the pool, because inherited requests are of no further use. */

#include "base/mem.h"
#include "calls/forget.h"
#include "calls/watch.h"
#include "lock/member.h"
#include "loop/ports.h"
#include "requests/chosen.h"

/* --- Requests ------------------------------------------------------------- */

static void
untie(struct evl_request *r)
{
	struct evl_extra *extra = evl_extra_of(r);

	if (!extra)
		return;
	evl_ties_disown(&extra->ties);
	if (extra->group)
		r->lock->body->kind->unbind(r->lock, extra);
}

static void
forget_whole(struct evl_request *r)
{
	if (r->seat.ties)
		evl_extra_forget(r, 1);
}

/* Safe in a pool that is not whole: only the thread of its base gives a request an extra or drops
 * it. */
static void
forget_torn(struct evl_request *r)
{
	if (r->seat.ties && !r->lock->port->is_foreign)
		evl_extra_forget(r, 0);
}

int
evl_forget_requests(struct evl_pool *pool, struct evl_guard *guard, const struct evl_port *port)
{
	int is_whole = guard ? evl_guard_is_whole(guard) : !port->is_foreign;

	if (is_whole) {
		evl_handles_visit(pool, untie);	/* before any tied seat is freed */
		evl_chosen_forget(pool);
		evl_handles_visit(pool, forget_whole);
	} else if (guard) {
		evl_handles_visit(pool, forget_torn);
	}
	evl_handles_clear(pool);
	return is_whole;
}

/* --- Objects -------------------------------------------------------------- */

/* Takes the lock out of the sets that have it as a member. */
static void
leave_sets(struct evlock *lock)
{
	struct evl_link *link, *after;

	EVL_LIST_EACH_SAFE(link, after, &lock->body->sets) {
		if (EVL_MEMBER_LINK(link)->lock != lock)
			continue;
		EVL_MEMBER_LINK(link)->lock = NULL;
		evl_list_remove(link);
		evl_list_init(link);
	}
}

static void
unlink_object(struct evlock *lock)
{
	if (lock->table)
		evl_list_remove(&lock->link);
	else
		evl_ports_remove(lock->port, &lock->link);
	evl_list_remove(&lock->body_link);
	lock->identity->n_objects--;
}

void
evl_forget_object(struct evlock *lock)
{
	struct evl_body *body = lock->body;
	int is_whole = evl_forget_requests(lock->pool, body->guard, lock->port);

	leave_sets(lock);
	evl_watch_forget_inherited(lock);
	unlink_object(lock);
	evl_mem_free(lock);
	if (evl_list_is_empty(&body->objects) && body->kind->forget)
		body->kind->forget(body, is_whole);
}
