/* SPDX-License-Identifier: BSD-3-Clause */

/* Finding requests by their handles, and ending them.  Called in the thread of the
 * lock's base or, if the lock has a guard, in any. */

#include "life.h"
#include "outside.h"

EVL_NOINLINE int
evl_fail(int error)
{
	errno = error;
	return -1;
}

EVL_NOINLINE evlock_handle
evl_refuse(int error)
{
	errno = error;
	return 0;
}

void
evl_lock_settle(struct evlock *lock, int has_room)
{
	if (evl_core_of(lock)->is_watched)
		evl_tell(lock, has_room);
	evl_lock_wake(lock);
	evl_check(lock);
}

/* --- Finding -------------------------------------------------------------- */

/* The request that `handle` names, for a set that has the lock. */
static struct evl_request *
find_through_sets(const struct evlock *lock, evlock_handle handle)
{
	const struct evl_link *link;
	struct evl_request *r;

	EVL_LIST_EACH(link, &lock->body->sets) {
		r = evl_request_find(evl_member_set(link), handle);
		if (r)
			return r;
	}
	return NULL;
}

struct evl_seat *
evl_seat_find(const struct evlock *lock, evlock_handle handle)
{
	struct evl_request *r = evl_request_find(lock, handle);
	struct evl_ties *t;

	if (r)
		return &r->seat;
	if (evl_list_is_empty(&lock->body->sets) || !(r = find_through_sets(lock, handle)) ||
	    !r->seat.ties)
		return NULL;
	EVL_TIES_EACH(t, r->seat.ties)
		if (t->core == evl_core_of(lock))
			return t->seat;
	return NULL;
}

/* --- Ending --------------------------------------------------------------- */

/* Is a request of a guarded lock somewhere between the thread that ended its wait, and
 * the one that is to be told? */
static inline int
is_in_transit(const struct evl_request *r)
{
	return r->lock->body->guard && (r->seat.state == EVL_GRANTED ||
	    r->seat.state == EVL_FAILED || r->seat.state == EVL_VOID);
}

/* What remains of a request that is in transit: it is unknown from now on. */
static void
void_request(struct evl_request *r)
{
	evl_core_of(r->lock)->n_over -= (uint32_t)evl_seat_is_over(&r->seat);
	r->seat.state = EVL_VOID;
	r->handle |= EVL_HIDDEN;
	if (r->seat.ties)
		evl_request_detach(r);
}

/* Discards a request, or has it discarded in its base's thread. */
static void
dismiss(struct evl_request *r)
{
	if (is_in_transit(r)) {
		void_request(r);
	} else if (!r->lock->body->guard || !r->seat.ties || evl_port_is_home(r->lock->port)) {
		evl_request_discard(r);
	} else {
		void_request(r);
		evl_lock_post(r->lock, &r->seat);
	}
}

static void leave(struct evl_step *step, struct evl_request *r);

static void
let_go(struct evl_step *step, struct evl_request *r)
{
	evl_outside_leave_hold(r->lock->body, &r->seat);
	evl_step_release(step, evl_core_of(r->lock), &r->seat);
}

/* A conversion ends with the handle; it may still be due to be told. */
static void
dismiss_conversion(struct evl_seat *conversion)
{
	struct evl_request *r = EVL_REQUEST(conversion);

	if (conversion->state != EVL_FREE && !is_in_transit(r))
		evl_list_remove(&conversion->link);
	dismiss(r);
}

void
evl_request_drop_conversion(struct evl_step *step, struct evl_request *r)
{
	struct evl_seat *conversion = r->seat.ties->conversion;

	leave(step, EVL_REQUEST(conversion));
	dismiss_conversion(conversion);
}

/* May be called again: what was undone, is undone. */
void
evl_request_detach(struct evl_request *r)
{
	struct evl_extra *extra = evl_extra_of(r);

	if (extra->ties.conversion)
		dismiss_conversion(extra->ties.conversion);
	if (extra->ties.of)
		extra->ties.of->ties->conversion = NULL;
	extra->ties.of = NULL;
	if (extra->group)
		evl_set_unbind(r->lock, extra);
	evl_ties_disown(&extra->ties);
	if (extra->own.handle)
		evl_own_remove(r->lock->pool, extra);
	if (extra->notice_cb)
		evl_tell_ends(r->lock, extra);
	extra->notice_cb = NULL;
}

/* One that is in transit stays there. */
static void
leave_transit(struct evl_step *step, struct evl_request *r)
{
	if (r->seat.state == EVL_GRANTED && r->seat.kind != EVL_CONVERSION)
		let_go(step, r);
	r->seat.state = EVL_VOID;
}

/* Takes `r` out of whatever it is in, if it has not left yet. */
static void
leave(struct evl_step *step, struct evl_request *r)
{
	struct evl_core *core = evl_core_of(r->lock);

	core->n_over -= (uint32_t)evl_seat_is_over(&r->seat);
	if (is_in_transit(r)) {
		leave_transit(step, r);
		return;
	}
	if (r->seat.state == EVL_QUEUED) {
		evl_step_withdraw(step, core, &r->seat);
		evl_lock_unawait(r->lock);
	} else if (r->seat.state != EVL_FREE) {
		evl_request_unlink(r->lock, r);
		if (evl_seat_holds(&r->seat) && r->seat.kind != EVL_CONVERSION)
			let_go(step, r);
	}
	r->seat.state = EVL_FREE;
}

void
evl_request_leave(struct evl_step *step, struct evl_request *r)
{
	if (r->seat.ties && r->seat.ties->conversion)
		leave(step, EVL_REQUEST(r->seat.ties->conversion));
	leave(step, r);
}

void
evl_request_bury(struct evl_request *r)
{
	struct evlock *lock = r->lock;
	struct evl_body *body = lock->body;

	dismiss(r);
	evl_lock_settle(lock, 1);
	evl_lock_retire(body);
}

static EVL_NOINLINE int
end(struct evl_request *r)
{
	struct evl_step step = { .out = evl_lock_fifo(r->lock) };

	evl_request_leave(&step, r);
	evl_step_finish(&step);
	evl_request_bury(r);
	return 0;
}

/* Grants the next, behind what was sent as a letter, or where no drain is on its way. */
static EVL_NOINLINE int
promote_and_wake(struct evlock *lock)
{
	evl_port_collect(lock->port);
	evl_core_promote(evl_core_of(lock), &lock->port->fifo);
	evl_port_wake(lock->port);
	evl_check(lock);
	return 0;
}

/* A plain hold in `mode` has ended: grants the next.  While others hold in that mode
 * as well, whoever is first still waits for them, unless it is units that count. */
static EVL_NOINLINE int
pass_on(struct evlock *lock, unsigned mode)
{
	struct evl_core *core = evl_core_of(lock);

	if (evl_core_held(core)[mode] && !core->is_counted && !core->n_bound)
		return 0;
	if (!lock->port->is_armed || evl_port_is_posted(lock->port))
		return promote_and_wake(lock);
	evl_core_promote(core, &lock->port->fifo);
	evl_check(lock);
	return 0;
}

void
evl_request_end(struct evl_request *r)
{
	end(r);
}

static EVL_NOINLINE int
find_and_end(struct evlock *lock, evlock_handle handle)
{
	struct evl_guard *guard = evl_body_enter(lock->body);
	struct evl_request *r = evl_request_find(lock, handle);

	if (r)
		end(r);
	evl_body_leave(guard);
	return r ? 0 : evl_fail(ENOENT);
}

/* What most are: nothing but a seat, that nobody watches. */
static inline int
is_plain(const struct evlock *lock, const struct evl_request *r)
{
	return !r->seat.ties && !evl_core_of(lock)->is_watched;
}

/* Ends a plain hold that is in no list any more. */
static inline int
end_hold(struct evlock *lock, struct evl_request *r)
{
	struct evl_core *core = evl_core_of(lock);
	unsigned mode = r->seat.mode;

	evl_core_drop(core, mode, r->seat.units);
	evl_pool_put(lock->pool, r);
	return core->n_waiting ? pass_on(lock, mode) : 0;
}

/* Ends the wait of one who waits without ties.  The seat may stay, but the handle is
 * no more; so not if it was the last of its slot. */
static inline int
end_wait(struct evlock *lock, struct evl_request *r)
{
	evlock_handle next = evl_handle_after(r->handle);

	if (!evl_core_may_mark_gone(evl_core_of(lock), &r->seat) || next & EVL_HIDDEN)
		return end(r);
	r->handle = next;
	evl_core_mark_gone(evl_core_of(lock), &r->seat);
	evl_check(lock);
	return 0;
}

static EVL_NOINLINE int
release_other(struct evlock *lock, evlock_handle handle)
{
	struct evl_request *r = evl_pool_find(lock->quick, handle);

	if (!r || handle & EVL_HIDDEN || r->lock != lock || !is_plain(lock, r))
		return find_and_end(lock, handle);
	if (r->seat.state == EVL_QUEUED)
		return end_wait(lock, r);
	if (r->seat.state != EVL_HELD)
		return end(r);
	evl_request_unlink(lock, r);
	return end_hold(lock, r);
}

int
evlock_release(struct evlock *lock, evlock_handle handle)
{
	struct evl_request *r = lock->sole;

	if (!r || r->handle != handle || !is_plain(lock, r))
		return release_other(lock, handle);
	lock->sole = NULL;
	return end_hold(lock, r);
}
