/* SPDX-License-Identifier: BSD-3-Clause */

/* The public calls that look at a lock and change nothing.  Called in the thread of its base. */

#include <errno.h>

#include "calls/life.h"
#include "lock/member.h"

unsigned
evlock_locked(const struct evlock *lock)
{
	struct evl_guard *guard = evl_lock_enter(lock->body);
	unsigned mode = lock->body->kind->strongest ? lock->body->kind->strongest(lock)
	    : evl_core_strongest(evl_lock_core(lock));

	evl_lock_leave(guard);
	return mode;
}

uint32_t
evlock_held(const struct evlock *lock, unsigned mode)
{
	const struct evl_core *core = evl_lock_core(lock);
	struct evl_guard *guard = evl_lock_enter(lock->body);
	uint32_t held = mode < core->n_modes ? evl_core_held(core)[mode] : 0;

	evl_lock_leave(guard);
	return held;
}

static uint32_t
n_hidden(const struct evl_body *body)
{
	return body->kind->n_hidden ? body->kind->n_hidden(body) : 0;
}

size_t
evlock_waiting(const struct evlock *lock)
{
	struct evl_guard *guard = evl_lock_enter(lock->body);
	size_t n = evl_lock_core(lock)->n_waiting - n_hidden(lock->body);

	evl_lock_leave(guard);
	return n;
}

/* --- One handle ------------------------------------------------------------ */

/* Returns the request that `handle` names in a set that has `lock` as a member, or NULL. */
static struct evl_request *
find_through_sets(const struct evlock *lock, evlock_handle handle)
{
	const struct evl_link *link;
	struct evl_request *r;

	EVL_LIST_EACH(link, &lock->body->sets) {
		r = evl_life_find(evl_lock_object(EVL_MEMBER_LINK(link)->body), handle);
		if (r)
			return r;
	}
	return NULL;
}

/* Returns the seat in `lock` of the request that `handle` names, or NULL.  The request may have
 * been made through a set that has `lock` as a member. */
static struct evl_seat *
find_seat(const struct evlock *lock, evlock_handle handle)
{
	struct evl_request *r = evl_life_find(lock, handle);
	struct evl_ties *t;

	if (r)
		return &r->seat;
	if (evl_list_is_empty(&lock->body->sets) || !(r = find_through_sets(lock, handle)) ||
	    !r->seat.ties)
		return NULL;
	EVL_TIES_EACH(t, r->seat.ties)
		if (t->core == evl_lock_core(lock))
			return t->seat;
	return NULL;
}

/* Returns the mode that a handle holds, or -1. */
static int
mode_of(const struct evlock *lock, evlock_handle handle)
{
	struct evl_guard *guard = evl_lock_enter(lock->body);
	const struct evl_seat *seat = find_seat(lock, handle);
	int mode = seat && evl_ties_are_held(seat) ? seat->mode : -1;

	evl_lock_leave(guard);
	return mode;
}

int
evlock_mode_of(const struct evlock *lock, evlock_handle handle)
{
	int mode = mode_of(lock, handle);

	if (mode < 0)
		errno = ENOENT;
	return mode;
}

static void *
value(const struct evlock *lock, evlock_handle handle, enum evlock_access needed)
{
	int mode = mode_of(lock, handle);

	if (mode >= 0 && evl_lock_core(lock)->mode[mode].access >= needed)
		return lock->identity->value;
	errno = EPERM;
	return NULL;
}

const void *
evlock_value(const struct evlock *lock, evlock_handle handle)
{
	return value(lock, handle, EVLOCK_READ);
}

void *
evlock_value_mut(const struct evlock *lock, evlock_handle handle)
{
	return value(lock, handle, EVLOCK_WRITE);
}
