/* SPDX-License-Identifier: BSD-3-Clause */

/* What other processes and machines have to do with a lock; see outside.h.
 *
 * What is done about the outside is never done in the middle of a step, but when its seat
 * is delivered: so all news go the way of grants, and no call comes back into the core. */

#include <errno.h>

#include "base.h"
#include "life.h"
#include "mem.h"
#include "outside.h"

#define BIT(mode) ((uint32_t)1 << (mode))

/* What the outside holds, beyond the modes that there are. */
#define OTHERS_WRITE BIT(30)	/* or may: this process has nothing */
#define OTHERS_READ  BIT(31)	/* or may: it shares */

#define MOST_JOINED 64
#define MOST_PASSED 64

enum { NO_NEWS, TURN, GOT, FAILED };

static const struct evlock_mode outside_mode[] = {
	{ "none", BIT(EVLOCK_EXCLUSIVE) | OTHERS_WRITE, 0, EVLOCK_NO_ACCESS, NULL },
	{ "shared", BIT(EVLOCK_EXCLUSIVE) | OTHERS_WRITE, 0, EVLOCK_READ, NULL },
	{ "upgradable", ~(uint32_t)0, 0, EVLOCK_NO_ACCESS, NULL },	/* there is none */
	{ "exclusive", BIT(EVLOCK_SHARED) | BIT(EVLOCK_EXCLUSIVE) | OTHERS_WRITE | OTHERS_READ, 0,
	    EVLOCK_WRITE, NULL },
};

static const struct evlock_modes outside_modes = { outside_mode, 4, NULL };

/* Which bits it holds while this process has so much. */
static const uint32_t held_outside[] = {
	[EVLOCK_NONE] = OTHERS_WRITE | OTHERS_READ,
	[EVLOCK_SHARED] = OTHERS_READ,
	[EVLOCK_EXCLUSIVE] = 0
};

#define OUTSIDE(s) EVL_CONTAINER(s, struct evl_outside, seat)

static struct evl_core *
core_of(const struct evl_outside *o)
{
	return &o->body->core;
}

/* Any object of the lock. */
static struct evlock *
object_of(const struct evl_outside *o)
{
	return EVL_OBJECT(o->body->objects.next);
}

static void
set_has(struct evl_outside *o, unsigned mode)
{
	struct evl_core *core = core_of(o);

	core->held_mask = (core->held_mask & ~(OTHERS_WRITE | OTHERS_READ)) | held_outside[mode];
	o->has = (uint8_t)mode;
}

/* --- Making --------------------------------------------------------------------- */

static struct evl_body *
create_body(struct evl_outside *o, const struct evl_outside_ops *ops,
    const struct evlock_options *options, int is_guarded)
{
	struct evlock_options all = *options;
	struct evl_body *body;

	all.flags = (options->flags & EVLOCK_OPT_PREFER_EXCLUSIVE) |
	    (is_guarded ? EVLOCK_OPT_THREADSAFE : 0);
	body = evl_body_create(&all, &outside_modes, NULL);
	if (!body)
		return NULL;
	o->ops = ops;
	o->body = body;
	o->seat.kind = EVL_OUTSIDE;
	o->seat.mode = EVLOCK_EXCLUSIVE;
	o->seat.units = 1;
	set_has(o, EVLOCK_NONE);
	return body;
}

struct evlock *
evl_outside_new(struct evl_outside *o, const struct evl_outside_ops *ops,
    struct event_base *base, const struct evlock_options *options, int is_guarded)
{
	struct evl_body *body = create_body(o, ops, options, is_guarded);
	struct evlock *lock;

	if (!body)
		return NULL;
	body->outside = o;
	lock = evl_outside_object(o, base, options);
	evl_tell_update(body);
	if (!lock)
		body->outside = NULL;
	evl_body_drop(body);	/* the object keeps it */
	return lock;
}

struct evlock *
evl_outside_object(struct evl_outside *o, struct event_base *base,
    const struct evlock_options *options)
{
	struct evl_guard *guard = evl_body_enter(o->body);
	struct evlock *lock = evl_lock_attach(o->body, base, options);

	evl_body_leave(guard);
	return lock;
}

struct evl_outside *
evl_outside_of(const struct evlock *lock)
{
	return lock->body->outside;
}

int
evl_outside_is_threaded(struct event_base *base)
{
	return evl_base_is_threaded(base);
}

void *
evl_outside_malloc(size_t size)
{
	return evl_mem_new(size);
}

void
evl_outside_mfree(void *ptr)
{
	evl_mem_free(ptr);
}

/* --- The seat --------------------------------------------------------------------- */

/* Has something done about the outside as soon as the step is over. */
static void
send_news(struct evl_outside *o, unsigned news)
{
	struct evlock *lock = object_of(o);

	o->news = (uint8_t)news;
	o->seat.state = EVL_GRANTED;
	evl_list_push(evl_lock_fifo(lock), &o->seat.link);
	if (!o->body->guard)
		evl_port_wake(lock->port);
}

static void
leave_queue(struct evl_outside *o)
{
	if (o->seat.state == EVL_QUEUED)
		evl_core_leave(core_of(o), &o->seat);
	o->seat.state = EVL_FREE;
}

/* The outside has no place any more, and is about to have no turn. */
static void
withdraw(struct evl_outside *o)
{
	if (o->seat.state == EVL_GRANTED)
		evl_list_remove(&o->seat.link);
	if (o->seat.state == EVL_GRANTED && !o->news)
		evl_core_drop(core_of(o), o->seat.mode, o->seat.units);
	leave_queue(o);
	o->news = NO_NEWS;
}

/* Puts the outside behind all who wait now. */
static void
take_place(struct evl_outside *o, unsigned rank)
{
	leave_queue(o);
	o->seat.rank = (uint8_t)rank;
	evl_core_enqueue(core_of(o), &o->seat);
}

static void
enter_queue(struct evl_outside *o, unsigned rank)
{
	take_place(o, rank);
	evl_core_promote(core_of(o), evl_lock_fifo(object_of(o)));
}

/* Whose turn it is, or the head of the queue. */
static const struct evl_link *
front(const struct evl_core *core)
{
	return evl_list_is_empty(&core->ahead) ? core->queue.next : core->ahead.next;
}

/* The first of those of this process who wait, or NULL. */
static const struct evl_seat *
first_of(const struct evl_core *core)
{
	const struct evl_link *link = front(core);

	if (link != &core->queue && EVL_SEAT(link)->kind == EVL_OUTSIDE)
		link = link->next;
	return link == &core->queue ? NULL : EVL_SEAT(link);
}

static const struct evl_seat *
first_waiting(const struct evl_outside *o)
{
	return first_of(core_of(o));
}

/* Is it the outside's turn, but for those who still hold? */
static int
is_turn(const struct evl_outside *o)
{
	const struct evl_core *core = core_of(o);

	return o->seat.state == EVL_QUEUED && evl_list_is_empty(&core->ahead) &&
	    core->queue.next == &o->seat.link;
}

/* Does anybody of this process hold it, other than in NONE? */
static int
is_held(const struct evl_outside *o)
{
	return (core_of(o)->held_mask & (BIT(EVLOCK_SHARED) | BIT(EVLOCK_EXCLUSIVE))) != 0;
}

static int
is_held_in(const struct evl_outside *o, unsigned mode)
{
	return (core_of(o)->held_mask & BIT(mode)) != 0;
}

/* --- Asking ----------------------------------------------------------------------- */

static unsigned
needed_by(const struct evl_seat *seat)
{
	return seat->mode == EVLOCK_EXCLUSIVE ? EVLOCK_EXCLUSIVE : EVLOCK_SHARED;
}

static int
comes_before(const struct evl_outside *a, const struct evl_outside *b)
{
	if (a->ops != b->ops)
		return a->ops->order < b->ops->order;
	return a->ops->compare(a, b) < 0;
}

/* Is it the seat's turn, and does it fit, so that what this process has is kept for it? */
static int
is_kept_for(struct evl_core *core, const struct evl_seat *seat)
{
	return front(core) == &seat->link && evl_core_seat_fits(core, seat);
}

/* May the request have `o` before it has the lock that `t` is a place in? */
static int
may_have_before(const struct evl_outside *o, const struct evl_ties *t)
{
	const struct evl_outside *other = EVL_CONTAINER(t->core, struct evl_body, core)->outside;

	if (first_of(t->core) != t->seat)
		return 0;
	return !other || other == o || !comes_before(other, o) || is_kept_for(t->core, t->seat);
}

/* May the request that has this seat in `o` ask for that, and keep it?  See outside.h. */
static int
may_ask(const struct evl_outside *o, const struct evl_seat *seat)
{
	const struct evl_ties *t;

	EVL_TIES_EACH(t, (const struct evl_ties *)seat->ties)
		if (!may_have_before(o, t))
			return 0;
	return 1;
}

static void
stop_asking(struct evl_outside *o)
{
	if (o->is_asking)
		o->ops->drop(o);
	o->is_asking = 0;
}

static void
ask(struct evl_outside *o, unsigned mode)
{
	int result;

	o->is_asking = 1;
	o->wanted = (uint8_t)mode;
	result = o->ops->want(o, mode);
	if (result > 0)
		evl_outside_got(o);
	else if (result < 0)
		evl_outside_failed(o, errno);
}

/* What those who are told when the lock could be had need, or NONE. */
static unsigned
watched_for(const struct evl_outside *o)
{
	unsigned mode = evl_tell_wanted(o->body);

	return mode == EVLOCK_EXCLUSIVE ? EVLOCK_EXCLUSIVE
	    : mode < EVLOCK_EXCLUSIVE ? EVLOCK_SHARED : EVLOCK_NONE;
}

/* This process has nothing: whoever is first needs it. */
static void
look_for_all(struct evl_outside *o)
{
	const struct evl_seat *first = core_of(o)->is_closed ? NULL : first_waiting(o);
	unsigned mode = first && may_ask(o, first) ? needed_by(first) : EVLOCK_NONE;

	if (!first && !core_of(o)->is_closed)
		mode = watched_for(o);
	if (o->is_asking && o->wanted == mode)
		return;
	stop_asking(o);
	if (mode)
		ask(o, mode);
}

static void
give_back(struct evl_outside *o)
{
	leave_queue(o);
	set_has(o, EVLOCK_NONE);
	o->ops->drop(o);
	if (o->is_used)
		evl_tell_arm(o->body, 1);
	o->is_used = 0;
}

/* May the first of those behind the outside share what is held? */
static int
may_join(const struct evl_outside *o)
{
	const struct evl_seat *first = is_turn(o) ? first_waiting(o) : NULL;

	return first && first->mode != EVLOCK_EXCLUSIVE && o->has == EVLOCK_SHARED &&
	    o->n_joined < MOST_JOINED && evl_core_seat_fits(core_of(o), first);
}

/* This process has it: for whom? */
static void
look_for_ours(struct evl_outside *o)
{
	const struct evl_seat *first = first_waiting(o);
	int is_idle = !is_held(o) && (!first || core_of(o)->is_closed || is_turn(o) ||
	    !may_ask(o, first) || (o->has == EVLOCK_SHARED && needed_by(first) == EVLOCK_EXCLUSIVE));

	o->is_used |= (uint8_t)is_held(o);
	if (is_idle) {
		give_back(o);
		look_for_all(o);
		return;
	}
	if (o->has == EVLOCK_EXCLUSIVE && !is_held_in(o, EVLOCK_EXCLUSIVE) &&
	    is_held_in(o, EVLOCK_SHARED) && (!first || is_turn(o))) {
		o->ops->weaken(o);
		set_has(o, EVLOCK_SHARED);
	}
	if (o->seat.state == EVL_FREE) {
		enter_queue(o, 0);
	} else if (may_join(o) && o->ops->try_now(o, EVLOCK_SHARED) == 0) {
		o->n_joined++;
		enter_queue(o, 0);
		evl_tell(object_of(o), 0);	/* it is kept for one who may ask for more now */
	}
}

void
evl_outside_look(struct evl_outside *o)
{
	if (o->seat.state == EVL_GRANTED)
		return;
	if (o->has == EVLOCK_NONE)
		look_for_all(o);
	else
		look_for_ours(o);
}

/* --- News ------------------------------------------------------------------------- */

void
evl_outside_got(struct evl_outside *o)
{
	send_news(o, GOT);
}

void
evl_outside_failed(struct evl_outside *o, int error)
{
	o->error = error;
	send_news(o, FAILED);
}

/* Those who wait may be fewer by now, or none: then it is given back when it is looked at. */
static void
take(struct evl_outside *o)
{
	o->is_asking = 0;
	o->n_joined = o->n_passed = 0;
	set_has(o, o->wanted);
	if (first_waiting(o))
		enter_queue(o, 0);
}

static void
fail_waiting(struct evl_step *step, struct evl_outside *o, int error)
{
	evl_request_fail_all(step, object_of(o), error);
	evl_set_fail_around(step, o->body, error);
}

/* It cannot be had. */
static void
fail(struct evl_outside *o)
{
	struct evl_step step = { .out = evl_lock_fifo(object_of(o)) };

	o->is_asking = 0;
	evl_tell_arm(o->body, 0);	/* or it would be asked for them again, at once */
	fail_waiting(&step, o, o->error);
	evl_step_finish(&step);
}

/* It was granted what is a hold of the whole lock, as far as the queue is concerned. */
static void
take_turn(struct evl_outside *o)
{
	evl_core_drop(core_of(o), o->seat.mode, o->seat.units);
	give_back(o);
}

static void
act(struct evl_outside *o)
{
	unsigned news = o->news ? o->news : TURN;

	o->news = NO_NEWS;
	o->seat.state = EVL_FREE;
	if (news == TURN) {
		take_turn(o);
	} else if (news == GOT) {
		take(o);
	} else {
		fail(o);
	}
	evl_lock_settle(object_of(o), 1);
}

void
evl_outside_deliver(struct evl_seat *seat)
{
	act(OUTSIDE(seat));
}

struct evlock *
evl_outside_lock(const struct evl_seat *seat)
{
	return object_of(OUTSIDE(seat));
}

/* --- Loss --------------------------------------------------------------------------- */

/* What was held is held no more; whoever wanted notices is told, in place of a callback. */
static void
lose(struct evl_step *step, struct evl_request *r)
{
	struct evl_extra *extra = r->seat.ties ? evl_extra_of(r) : NULL;
	int is_told = r->seat.state == EVL_GRANTED || (extra && extra->notice_cb);

	if (r->seat.state == EVL_HELD && is_told)
		r->cb = extra->notice_cb;
	evl_request_leave(step, r);
	if (is_told)
		evl_core_conclude(evl_core_of(r->lock), &r->seat, ESTALE, evl_lock_fifo(r->lock));
	else
		evl_request_bury(r);
}

/* The first request made through `lock` that holds, or NULL. */
static struct evl_request *
first_holder(struct evlock *lock)
{
	struct evl_link *link;

	evl_lock_gather(lock);
	if (!evl_list_is_empty(&lock->held))
		return EVL_REQUEST(EVL_SEAT(lock->held.next));
	EVL_LIST_EACH(link, &lock->port->fifo) {
		struct evl_seat *seat = EVL_SEAT(link);

		if (seat->kind < EVL_CONVERSION && seat->state == EVL_GRANTED &&
		    EVL_REQUEST(seat)->lock == lock)
			return EVL_REQUEST(seat);
	}
	return NULL;
}

void
evl_outside_lost(struct evl_outside *o, int error)
{
	struct evl_step step = { .out = evl_lock_fifo(object_of(o)) };
	struct evl_request *r;
	struct evl_link *link;

	withdraw(o);
	set_has(o, EVLOCK_NONE);
	o->is_asking = 0;
	o->seat.state = EVL_GRANTED;	/* nothing is looked at in between */
	EVL_LIST_EACH(link, &o->body->objects)
		while ((r = first_holder(EVL_OBJECT(link))))
			lose(&step, r);
	while ((r = evl_set_first_holder(o->body)))
		lose(&step, r);
	fail_waiting(&step, o, error);
	evl_step_finish(&step);
	o->seat.state = EVL_FREE;
	evl_lock_settle(object_of(o), 1);
}

/* The request that `handle` names for any object of the lock, or NULL. */
static struct evl_request *
find_request(const struct evl_outside *o, evlock_handle handle)
{
	const struct evl_link *link;
	struct evl_request *r;

	EVL_LIST_EACH(link, &o->body->objects)
		if ((r = evl_request_find(EVL_OBJECT(link), handle)))
			return r;
	return NULL;
}

void
evl_outside_refuse(struct evl_outside *o, evlock_handle handle, int error)
{
	struct evl_request *r = find_request(o, handle);

	if (r)
		evl_request_fail(r, error);
}

/* --- What the rest of the library asks -------------------------------------------- */

/* Nobody of this process has the lock, or asks for it. */
static int
try_all(struct evl_outside *o, unsigned mode)
{
	int error = o->ops->try_now(o, mode);

	if (error) {
		evl_tell_arm(o->body, 1);
		return error;
	}
	o->n_joined = o->n_passed = 0;
	set_has(o, mode);
	return 0;
}

/* It is shared already.  The outside comes back to the queue when the lock is looked at. */
static int
try_join(struct evl_outside *o)
{
	int error = o->n_joined < MOST_JOINED ? o->ops->try_now(o, EVLOCK_SHARED) : EAGAIN;

	if (error)
		return error;
	o->n_joined++;
	leave_queue(o);
	return 0;
}

int
evl_outside_try(struct evl_outside *o, unsigned mode)
{
	unsigned needed = mode == EVLOCK_EXCLUSIVE ? EVLOCK_EXCLUSIVE : EVLOCK_SHARED;

	if (core_of(o)->is_closed || first_waiting(o))
		return 0;
	if (o->has == EVLOCK_NONE)
		return o->is_asking ? 0 : try_all(o, needed);
	return is_turn(o) && o->has == EVLOCK_SHARED && needed == EVLOCK_SHARED ? try_join(o) : 0;
}

void
evl_outside_pass(struct evl_outside *o)
{
	if (o->seat.state == EVL_QUEUED && o->n_passed < MOST_PASSED &&
	    ++o->n_passed == MOST_PASSED)
		enter_queue(o, EVL_RANKS - 1);
}

static void
end_stale_batch(struct evl_outside *o)
{
	if (o && o->ops->is_stale && o->has != EVLOCK_NONE && o->seat.state == EVL_QUEUED &&
	    first_waiting(o) && !is_turn(o) && o->ops->is_stale(o))
		take_place(o, EVL_RANKS - 1);	/* whoever lets go promotes */
}

void
evl_outside_leave_hold(struct evl_body *body, const struct evl_seat *seat)
{
	const struct evl_ties *t;

	if (!seat->ties) {
		end_stale_batch(body->outside);
		return;
	}
	EVL_TIES_EACH(t, (const struct evl_ties *)seat->ties)
		end_stale_batch(EVL_CONTAINER(t->core, struct evl_body, core)->outside);
}

unsigned
evl_outside_waits(const struct evl_outside *o)
{
	return o && o->seat.state == EVL_QUEUED;
}

int
evl_outside_judge(unsigned mode)
{
	return mode == EVLOCK_UPGRADABLE || mode > EVLOCK_EXCLUSIVE ? EINVAL : 0;
}

int
evl_outside_admits(const struct evl_outside *o, unsigned mode)
{
	const struct evl_core *core = core_of(o);

	return !(core->mode[mode].conflicts & core->held_mask) && !first_waiting(o) &&
	    (is_turn(o) || !evl_outside_waits(o));
}

void
evl_outside_end(struct evl_outside *o)
{
	withdraw(o);
	if (o->is_asking || o->has != EVLOCK_NONE)
		o->ops->drop(o);
	o->is_asking = 0;
	set_has(o, EVLOCK_NONE);
}

int
evl_outside_keep(struct evl_outside *o)
{
	uint32_t n = __atomic_load_n(&o->body->n_objects, __ATOMIC_RELAXED);

	while (n && !__atomic_compare_exchange_n(&o->body->n_objects, &n, n + 1, 0,
	    __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
		;
	return n != 0;
}

void
evl_outside_drop(struct evl_outside *o)
{
	evl_body_drop(o->body);
}
