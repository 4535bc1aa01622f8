/* SPDX-License-Identifier: BSD-3-Clause */

/* Being told: events that are activated when a lock could be had, and notices to
 * holders that someone waits for them.  Both go through the port's FIFO and its
 * budget.  Looked at after each step, if anybody asked for them at all.  Called in a
 * step, but for the public calls and evl_tell_deliver(), which are one. */

#include <errno.h>

#include <event2/event.h>

#include "cancel.h"
#include "lock.h"
#include "outside.h"
#include "mem.h"

/* Who wants to know that a lock could be had in seat.mode. */
struct evl_watch {
	struct evl_seat seat;	/* GRANTED while on its way through the port, or VOID; else FREE */
	uint8_t is_armed;	/* is to be told when the lock can be had from outside */
	struct evl_link link;	/* in the body's list */
	struct evlock *lock;
	struct event *ev;
};

#define WATCH(l) EVL_CONTAINER(l, struct evl_watch, link)
#define EXTRA(l) EVL_CONTAINER(l, struct evl_extra, notice_link)

static void
tell(struct evlock *lock, struct evl_seat *seat)
{
	if (seat->state != EVL_VOID)
		evl_list_push(evl_lock_fifo(lock), &seat->link);
	seat->state = EVL_GRANTED;
}

/* Another thread's port may be about to look at it. */
static void
untell(struct evlock *lock, struct evl_seat *seat)
{
	if (seat->state != EVL_GRANTED)
		return;
	if (lock->body->guard && !evl_port_is_home(lock->port)) {
		seat->state = EVL_VOID;
		return;
	}
	evl_port_collect(lock->port);
	evl_list_remove(&seat->link);
	seat->state = EVL_FREE;
}

/* A lock that is a set or in one, or a key's, takes no short cuts either. */
void
evl_tell_update(struct evl_body *body)
{
	body->core.is_watched = !evl_list_is_empty(&body->notifies) ||
	    !evl_list_is_empty(&body->notices) || !evl_list_is_empty(&body->sets) ||
	    body->set || body->keyed || body->outside;
}

/* --- Could be had --------------------------------------------------------- */

static int
admits(const struct evlock *lock, unsigned mode)
{
	const struct evl_core *core = evl_core_of(lock);

	if (core->is_closed)
		return 0;
	if (lock->body->outside)
		return evl_outside_admits(lock->body->outside, mode);
	return lock->body->set ? evl_set_admits(lock, NULL, mode, 1, 0)
	    : evl_core_admits(core, mode, 1, evl_core_rank(core, mode, 0));
}

static void
tell_if_free(struct evl_watch *watch)
{
	if (!admits(watch->lock, watch->seat.mode))
		return;
	watch->is_armed = 0;	/* even if it is on its way already: that will do */
	if (watch->seat.state != EVL_GRANTED)
		tell(watch->lock, &watch->seat);
}

void
evl_tell_arm(struct evl_body *body, int is_armed)
{
	struct evl_link *link;

	EVL_LIST_EACH(link, &body->notifies)
		WATCH(link)->is_armed = (uint8_t)is_armed;
}

unsigned
evl_tell_wanted(const struct evl_body *body)
{
	const struct evl_link *link;
	unsigned weakest = EVLOCK_MAX_MODES;

	EVL_LIST_EACH(link, &body->notifies)
		if (WATCH(link)->is_armed && WATCH(link)->seat.mode < weakest)
			weakest = WATCH(link)->seat.mode;
	return weakest;
}

static struct evl_watch *
find_watch(const struct evlock *lock, const struct event *ev)
{
	struct evl_link *link;

	EVL_LIST_EACH(link, &lock->body->notifies)
		if (WATCH(link)->ev == ev)
			return WATCH(link);
	return NULL;
}

/* Returns 0 or an errno. */
static int
judge(const struct evlock *lock, unsigned mode, const struct event *ev)
{
	int knows = lock->body->set ? !evl_set_judge(lock, mode, 1)
	    : evl_lock_knows(lock, mode);

	if (!ev || !knows)
		return EINVAL;
	if (lock->table)	/* which frees it with its last request */
		return ENOTSUP;
	return find_watch(lock, ev) ? EEXIST : 0;
}

static int
watch(struct evlock *lock, unsigned mode, struct event *ev)
{
	int error = judge(lock, mode, ev);
	struct evl_watch *watch;

	if (error)
		return error;
	watch = evl_mem_zalloc(sizeof *watch);
	if (!watch)
		return ENOMEM;
	watch->seat.mode = (uint8_t)(mode < EVLOCK_MAX_MODES ? mode : 0);
	watch->seat.kind = EVL_NOTIFY;
	watch->lock = lock;
	watch->ev = ev;
	watch->is_armed = 1;
	evl_port_use(lock->port);
	evl_list_push(&lock->body->notifies, &watch->link);
	evl_tell_update(lock->body);
	tell_if_free(watch);
	if (lock->body->outside)
		evl_outside_look(lock->body->outside);
	evl_lock_wake(lock);
	return 0;
}

int
evlock_notify(struct evlock *lock, unsigned mode, struct event *ev)
{
	struct evl_guard *guard = evl_body_enter(lock->body);
	int error = watch(lock, mode, ev);

	evl_body_leave(guard);
	errno = error ? error : errno;
	return error ? -1 : 0;
}

/* In the thread of the lock's base. */
static void
forget_watch(struct evl_watch *watch)
{
	if (watch->seat.state != EVL_FREE) {
		evl_port_collect(watch->lock->port);
		evl_list_remove(&watch->seat.link);
	}
	evl_list_remove(&watch->link);
	evl_mem_free(watch);
}

static int
unwatch(struct evlock *lock, struct event *ev)
{
	struct evl_watch *watch = find_watch(lock, ev);

	if (!watch || watch->lock->port != lock->port)	/* another thread's may be on its way */
		return ENOENT;
	forget_watch(watch);
	evl_tell_update(lock->body);
	if (lock->body->outside)
		evl_outside_look(lock->body->outside);
	return 0;
}

int
evlock_unnotify(struct evlock *lock, struct event *ev)
{
	struct evl_guard *guard = evl_body_enter(lock->body);
	int error = unwatch(lock, ev);

	evl_body_leave(guard);
	errno = error ? error : errno;
	return error ? -1 : 0;
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

	if (waiter->kind == EVL_OUTSIDE)
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
update_notice(struct evl_extra *extra)
{
	int is_wanted_now = is_wanted(&extra->request->seat);

	if (is_wanted_now == extra->is_told)
		return;
	extra->is_told = (uint8_t)is_wanted_now;
	if (is_wanted_now)
		tell(extra->request->lock, &extra->notice);
	else
		untell(extra->request->lock, &extra->notice);
}

void
evl_tell_holds(struct evlock *lock, struct evl_extra *extra)
{
	extra->notice.kind = EVL_NOTICE;
	evl_list_push(&lock->body->notices, &extra->notice_link);
	lock->body->core.is_watched = 1;
	update_notice(extra);
	evl_lock_wake(lock);
}

void
evl_tell_ends(struct evlock *lock, struct evl_extra *extra)
{
	untell(lock, &extra->notice);
	evl_list_remove(&extra->notice_link);
	evl_tell_update(lock->body);
}

/* --- Both ----------------------------------------------------------------- */

void
evl_tell_own(struct evlock *lock, int has_room)
{
	struct evl_body *body = lock->body;
	struct evl_link *link;

	EVL_LIST_EACH(link, &body->notices)
		update_notice(EXTRA(link));
	if (has_room)
		EVL_LIST_EACH(link, &body->notifies)
			tell_if_free(WATCH(link));
	if (body->outside)
		evl_outside_look(body->outside);
}

void
evl_tell(struct evlock *lock, int has_room)
{
	evl_tell_own(lock, has_room);
	evl_set_visit(lock, evl_tell_own, has_room);
}

static struct evlock *
lock_of(const struct evl_seat *seat)
{
	return seat->kind == EVL_NOTICE
	    ? EVL_CONTAINER(seat, struct evl_extra, notice)->request->lock
	    : EVL_CONTAINER(seat, struct evl_watch, seat)->lock;
}

struct evl_port *
evl_tell_port(const struct evl_seat *seat)
{
	return lock_of(seat)->port;
}

/* Runs the callback when the step is over. */
static void
deliver_notice(const struct evl_extra *extra, struct evl_guard *guard)
{
	const struct evl_request *r = extra->request;
	struct evlock *lock = r->lock;
	evlock_handle handle = evl_request_handle(r);
	evlock_cb cb = extra->notice_cb;
	void *arg = r->arg;

	evl_body_leave(guard);
	cb(lock, handle, 0, arg);
}

/* The event may be one of a loop that another thread runs, even if the lock is not. */
static void
activate(const struct evl_watch *watch)
{
	int state = evl_cancel_disable();

	event_active(watch->ev, EV_TIMEOUT, 0);
	evl_cancel_restore(state);
}

void
evl_tell_deliver(struct evl_seat *seat)
{
	struct evl_guard *guard = evl_body_enter(lock_of(seat)->body);
	int is_void = seat->state == EVL_VOID;

	seat->state = EVL_FREE;
	if (!is_void && seat->kind == EVL_NOTICE) {
		deliver_notice(EVL_CONTAINER(seat, struct evl_extra, notice), guard);
		return;
	}
	if (!is_void)
		activate(EVL_CONTAINER(seat, struct evl_watch, seat));
	evl_body_leave(guard);
}

void
evl_tell_forget(struct evlock *lock)
{
	struct evl_link *link, *after;

	EVL_LIST_EACH_SAFE(link, after, &lock->body->notifies)
		if (WATCH(link)->lock == lock) {
			evl_list_remove(link);
			evl_mem_free(WATCH(link));
		}
}

void
evl_tell_forget_all(struct evlock *lock)
{
	struct evl_link *link, *after;

	EVL_LIST_EACH_SAFE(link, after, &lock->body->notifies)
		if (WATCH(link)->lock == lock)
			forget_watch(WATCH(link));
	evl_tell_update(lock->body);
}
