/* SPDX-License-Identifier: BSD-3-Clause */

/* Telling those who watch a lock; see notify.h. */

#include "lock/member.h"
#include "lock/notify.h"

#define EXTRA(l) EVL_CONTAINER(l, struct evl_extra, notice_link)

static void
tell(struct evl_change *change, struct evl_seat *seat)
{
	if (seat->state != EVL_VOID)
		evl_list_push(&change->done, &seat->link);
	seat->state = EVL_GRANTED;
}

/* Another thread's port may be about to look at it. */
static void
untell(struct evlock *lock, struct evl_seat *seat)
{
	if (seat->state != EVL_GRANTED)
		return;
	if (lock->body->guard && !evl_letters_is_home(lock->port)) {
		seat->state = EVL_VOID;
		return;
	}
	evl_letters_collect(lock->port);
	evl_list_remove(&seat->link);
	seat->state = EVL_FREE;
}

/* --- Could be had --------------------------------------------------------- */

static int
admits(const struct evlock *lock, unsigned mode)
{
	const struct evl_core *core = evl_lock_core(lock);

	if (evl_core_is(core, EVL_IS_CLOSED))
		return 0;
	return lock->body->kind->admits ? lock->body->kind->admits(lock, NULL, mode, 1, 0)
	    : evl_core_admits(core, mode, 1, evl_core_rank(core, mode, 0));
}

void
evl_notify_tell_if_free(struct evl_change *change, struct evl_watch *watch)
{
	if (!admits(watch->lock, watch->seat.mode))
		return;
	watch->is_armed = 0;	/* even if it is on its way already: that will do */
	if (watch->seat.state != EVL_GRANTED)
		tell(change, &watch->seat);
}

void
evl_notify_arm(struct evl_body *body, int is_armed)
{
	struct evl_link *link;

	EVL_LIST_EACH(link, &body->notifies)
		EVL_WATCH(link)->is_armed = (uint8_t)is_armed;
}

unsigned
evl_notify_wanted(const struct evl_body *body)
{
	const struct evl_link *link;
	unsigned weakest = EVLOCK_MAX_MODES;

	EVL_LIST_EACH(link, &body->notifies)
		if (EVL_WATCH(link)->is_armed && EVL_WATCH(link)->seat.mode < weakest)
			weakest = EVL_WATCH(link)->seat.mode;
	return weakest;
}

/* --- Someone waits -------------------------------------------------------- */

/* Is the waiter the holder itself, that wants to be converted, or of its owner? */
static int
is_own(const struct evl_ties *waiter, const struct evl_ties *holder)
{
	return waiter->of == holder->seat || (waiter->owner && waiter->owner == holder->owner);
}

/* Does what `holder` holds keep `waiter`, somebody of this process, from being granted? */
static int
keeps_out(struct evl_core *core, const struct evl_seat *holder, const struct evl_seat *waiter)
{
	const struct evlock_mode *m = &core->mode[waiter->mode];

	if (waiter->role == EVL_OUTSIDE)
		return 0;
	if (waiter->ties && holder->ties && is_own(waiter->ties, holder->ties))
		return 0;
	if (m->conflicts >> holder->mode & 1)
		return 1;
	if (m->limit && waiter->mode == holder->mode &&
	    !evl_core_is_within(m, evl_core_held(core)[waiter->mode], waiter->units))
		return 1;
	return !evl_core_is_allowed(core, waiter);
}

static int
keeps_any_out(struct evl_core *core, const struct evl_seat *holder,
    const struct evl_link *list)
{
	struct evl_link *link;

	EVL_WAITING_EACH(link, list)
		if (keeps_out(core, holder, EVL_SEAT(link)))
			return 1;
	return 0;
}

static int
is_wanted(const struct evl_seat *lead)
{
	const struct evl_ties *t;

	EVL_TIES_EACH(t, (const struct evl_ties *)lead->ties)
		if (keeps_any_out(t->core, t->seat, &t->core->ahead) ||
		    keeps_any_out(t->core, t->seat, &t->core->queue))
			return 1;
	return 0;
}

/* Sends the notice when the first comes, and takes it back when the last has gone. */
static void
update_notice(struct evl_change *change, struct evl_extra *extra)
{
	int is_wanted_now = is_wanted(&extra->request->seat);

	if (is_wanted_now == extra->is_told)
		return;
	extra->is_told = (uint8_t)is_wanted_now;
	if (is_wanted_now)
		tell(change, &extra->notice);
	else
		untell(extra->request->lock, &extra->notice);
}

void
evl_notify_hold(struct evl_change *change, struct evl_request *r)
{
	struct evl_extra *extra = evl_extra_of(r);

	extra->notice.role = EVL_NOTICE;
	evl_list_push(&r->lock->body->notices, &extra->notice_link);
	evl_lock_update_watched(r->lock->body);
	update_notice(change, extra);
}

void
evl_notify_release(struct evl_request *r)
{
	struct evl_extra *extra = evl_extra_of(r);

	untell(r->lock, &extra->notice);
	evl_list_remove(&extra->notice_link);
	evl_lock_update_watched(r->lock->body);
}

/* --- Both ----------------------------------------------------------------- */

static void
tell_own(struct evl_change *change, struct evl_body *body, int has_room)
{
	struct evl_link *link;

	EVL_LIST_EACH(link, &body->notices)
		update_notice(change, EXTRA(link));
	if (has_room)
		EVL_LIST_EACH(link, &body->notifies)
			evl_notify_tell_if_free(change, EVL_WATCH(link));
}

void
evl_notify_tell(struct evl_change *change, struct evl_body *body, int has_room)
{
	const struct evl_link *link;

	if (evl_core_is(&body->core, EVL_IS_TOLD))
		tell_own(change, body, has_room);
	EVL_LIST_EACH(link, &body->sets)
		if (evl_core_is(&EVL_MEMBER_LINK(link)->body->core, EVL_IS_TOLD))
			tell_own(change, EVL_MEMBER_LINK(link)->body, has_room);
}

struct evlock *
evl_notify_lock(const struct evl_seat *seat)
{
	return seat->role == EVL_NOTICE
	    ? EVL_CONTAINER(seat, struct evl_extra, notice)->request->lock
	    : EVL_CONTAINER(seat, struct evl_watch, seat)->lock;
}
