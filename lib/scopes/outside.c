/* SPDX-License-Identifier: BSD-3-Clause */

/* The part that other processes and machines take in a lock; see outside.h.
 *
 * A step asks the outside, or gives the lock back, only at its end, when look() is called.  So no
 * call comes back into the rules. */

#include <errno.h>

#include "base/mem.h"
#include "base/siphash.h"
#include "base/threads.h"
#include "calls/close.h"
#include "calls/end.h"
#include "calls/life.h"
#include "calls/objects.h"
#include "lock/member.h"
#include "lock/notify.h"
#include "lock/step.h"
#include "scopes/outside.h"

#define BIT(mode) ((uint32_t)1 << (mode))

/* The bits that the outside holds in core.held_mask, above those of the modes. */
#define OTHERS_WRITE BIT(30)	/* or may: this process has nothing */
#define OTHERS_READ  BIT(31)	/* or may: it shares */

#define MOST_JOINED 64
#define MOST_PASSED 64

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

static const struct evl_kind outside_kind;

/* The outside of a lock, or NULL. */
static struct evl_outside *
of_body(const struct evl_body *body)
{
	return body->kind == &outside_kind ? body->of_kind : NULL;
}

static struct evl_core *
core_of(const struct evl_outside *o)
{
	return &o->body->core;
}

static void
set_has(struct evl_outside *o, unsigned mode)
{
	struct evl_core *core = core_of(o);

	core->held_mask = (core->held_mask & ~(OTHERS_WRITE | OTHERS_READ)) | held_outside[mode];
	o->has = (uint8_t)mode;
	o->is_doubted = 0;
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
	body = evl_lock_create(&all, &outside_modes, NULL);
	if (!body)
		return NULL;
	o->ops = ops;
	o->body = body;
	o->seat.role = EVL_OUTSIDE;
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
	body->kind = &outside_kind;
	body->of_kind = o;
	lock = evl_outside_object(o, base, options);
	evl_lock_update_watched(body);
	if (!lock)
		body->kind = &evl_kind_plain;
	evl_lock_drop(body);	/* the object keeps it */
	return lock;
}

struct evlock *
evl_outside_object(struct evl_outside *o, struct event_base *base,
    const struct evlock_options *options)
{
	struct evl_guard *guard = evl_lock_enter(o->body);
	struct evlock *lock = evl_objects_attach(o->body, base, options);

	evl_lock_leave(guard);
	return lock;
}

struct evl_outside *
evl_outside_of(const struct evlock *lock)
{
	return of_body(lock->body);
}

int
evl_outside_is_threaded(struct event_base *base)
{
	return evl_threads_can_wake(base);
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

uint64_t
evl_outside_hash(const unsigned char *key, const void *data, size_t size)
{
	return evl_siphash(key, data, size);
}

/* --- The seat --------------------------------------------------------------------- */

static void
leave_queue(struct evl_outside *o)
{
	if (o->seat.state == EVL_QUEUED)
		evl_core_leave(core_of(o), &o->seat);
	o->seat.state = EVL_FREE;
}

/* The outside has no place any more. */
static void
withdraw(struct evl_outside *o)
{
	if (o->seat.state == EVL_GRANTED) {
		evl_list_remove(&o->seat.link);
		evl_core_drop(core_of(o), o->seat.mode, o->seat.units);
	}
	leave_queue(o);
}

/* Puts the outside at the end of the queue. */
static void
take_place(struct evl_step *step, struct evl_outside *o, unsigned rank)
{
	leave_queue(o);
	o->seat.rank = (uint8_t)rank;
	evl_core_enqueue(core_of(o), &o->seat);
	evl_step_touch(step, o->body, 0);
}

/* Whose turn it is, or the head of the queue. */
static const struct evl_link *
front(const struct evl_core *core)
{
	return evl_list_is_empty(&core->ahead) ? core->queue.next : core->ahead.next;
}

/* The first waiter of this process, or NULL. */
static const struct evl_seat *
first_of(const struct evl_core *core)
{
	const struct evl_link *link = front(core);

	if (link != &core->queue && EVL_SEAT(link)->role == EVL_OUTSIDE)
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
needed_for(unsigned mode)
{
	return mode == EVLOCK_EXCLUSIVE ? EVLOCK_EXCLUSIVE : EVLOCK_SHARED;
}

static unsigned
needed_by(const struct evl_seat *seat)
{
	return needed_for(seat->mode);
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
	const struct evl_outside *other = of_body(EVL_CONTAINER(t->core, struct evl_body, core));

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
ask(struct evl_step *step, struct evl_outside *o, unsigned mode)
{
	int result;

	o->is_asking = 1;
	o->wanted = (uint8_t)mode;
	result = o->ops->want(o, mode);
	if (result > 0)
		evl_outside_take(step, o);
	else if (result < 0)
		evl_outside_fail(step, o, errno);
}

/* The mode that the events of evlock_notify() need, or NONE. */
static unsigned
watched_for(const struct evl_outside *o)
{
	unsigned mode = evl_notify_wanted(o->body);

	return mode == EVLOCK_EXCLUSIVE ? EVLOCK_EXCLUSIVE
	    : mode < EVLOCK_EXCLUSIVE ? EVLOCK_SHARED : EVLOCK_NONE;
}

/* This process has nothing: whoever is first needs it. */
static void
look_for_all(struct evl_step *step, struct evl_outside *o)
{
	const struct evl_seat *first = evl_core_is(core_of(o), EVL_IS_CLOSED) ? NULL : first_waiting(o);
	unsigned mode = first && may_ask(o, first) ? needed_by(first) : EVLOCK_NONE;

	if (!first && !evl_core_is(core_of(o), EVL_IS_CLOSED))
		mode = watched_for(o);
	if (o->is_asking && o->wanted == mode)
		return;
	stop_asking(o);
	if (mode)
		ask(step, o, mode);
}

static void
give_back(struct evl_step *step, struct evl_outside *o)
{
	leave_queue(o);
	evl_step_touch(step, o->body, 0);
	set_has(o, EVLOCK_NONE);
	o->ops->drop(o);
	if (o->is_used)
		evl_notify_arm(o->body, 1);
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

/* This process has no exclusive holder any longer, and its waiters may share with others. */
static int
may_weaken(const struct evl_outside *o, const struct evl_seat *first)
{
	return o->has == EVLOCK_EXCLUSIVE && !is_held_in(o, EVLOCK_EXCLUSIVE) &&
	    is_held_in(o, EVLOCK_SHARED) && (!first || is_turn(o));
}

/* Nobody holds it, and it is not kept for anybody. */
static int
is_idle(const struct evl_outside *o, const struct evl_seat *first)
{
	return !is_held(o) && (!first || evl_core_is(core_of(o), EVL_IS_CLOSED) || is_turn(o) ||
	    !may_ask(o, first) || (o->has == EVLOCK_SHARED && needed_by(first) == EVLOCK_EXCLUSIVE));
}

/* This process has it: for whom? */
static void
look_for_ours(struct evl_step *step, struct evl_outside *o)
{
	const struct evl_seat *first = first_waiting(o);

	o->is_used |= (uint8_t)is_held(o);
	if (is_idle(o, first)) {
		give_back(step, o);
		look_for_all(step, o);
		return;
	}
	if (may_weaken(o, first)) {
		o->ops->weaken(o);
		set_has(o, EVLOCK_SHARED);
	}
	if (o->seat.state == EVL_FREE) {
		take_place(step, o, 0);
	} else if (may_join(o) && o->ops->try_now(o, EVLOCK_SHARED) == 0) {
		o->n_joined++;
		take_place(step, o, 0);
	}
}

/* The outside was granted what is a hold of the whole lock, as far as the queue is concerned. */
static void
take_turn(struct evl_step *step, struct evl_outside *o)
{
	withdraw(o);
	give_back(step, o);
}

static void
look(struct evl_step *step, struct evl_body *body)
{
	struct evl_outside *o = body->of_kind;

	if (o->seat.state == EVL_GRANTED)
		take_turn(step, o);
	if (o->n_looking)
		return;
	if (o->has == EVLOCK_NONE)
		look_for_all(step, o);
	else
		look_for_ours(step, o);
}

/* --- News ------------------------------------------------------------------------- */

/* The waiters may have gone meanwhile: then look() gives the lock back. */
void
evl_outside_take(struct evl_step *step, struct evl_outside *o)
{
	o->is_asking = 0;
	o->n_joined = o->n_passed = 0;
	set_has(o, o->wanted);
	evl_notify_tell(&step->change, o->body, 1);	/* the lock is not kept for events */
	evl_step_touch(step, o->body, 1);
	if (first_waiting(o))
		take_place(step, o, 0);
}

static void
fail_waiting(struct evl_step *step, struct evl_outside *o, int error)
{
	evl_close_fail_all(step, o->body, error);
	evl_close_fail_sets(step, o->body, error);
}

/* The first waiter, if it waits for this lock alone, in EXCLUSIVE; else NULL. */
static struct evl_seat *
first_exclusive(const struct evl_outside *o)
{
	const struct evl_seat *first = first_waiting(o);

	return first && first->role != EVL_MEMBER && first->mode == EVLOCK_EXCLUSIVE
	    ? &EVL_REQUEST(first)->seat : NULL;
}

static void
fail_first(struct evl_step *step, struct evl_outside *o, struct evl_seat *seat, int error)
{
	evl_grant_withdraw(&step->change, core_of(o), seat);
	evl_change_fail(&step->change, core_of(o), seat, error);
	evl_step_touch(step, o->body, 0);
}

void
evl_outside_fail(struct evl_step *step, struct evl_outside *o, int error)
{
	struct evl_seat *first = error == EACCES ? first_exclusive(o) : NULL;

	o->is_asking = 0;
	if (first) {
		fail_first(step, o, first, error);
		return;
	}
	evl_notify_arm(o->body, 0);	/* or it would be asked for them again, at once */
	fail_waiting(step, o, error);
	evl_step_touch(step, o->body, 0);
}

void
evl_outside_got(struct evl_outside *o)
{
	struct evl_step step;

	evl_step_begin(&step, o->body);
	evl_outside_take(&step, o);
	evl_step_end(&step);
}

void
evl_outside_failed(struct evl_outside *o, int error)
{
	struct evl_step step;

	evl_step_begin(&step, o->body);
	evl_outside_fail(&step, o, error);
	evl_step_end(&step);
}

/* --- Loss --------------------------------------------------------------------------- */

/* Ends a hold.  A granted request's callback gets ESTALE; a holder's notice_cb gets it. */
static void
lose(struct evl_step *step, struct evl_request *r)
{
	struct evl_extra *extra = r->seat.ties ? evl_extra_of(r) : NULL;
	int is_told = r->seat.state == EVL_GRANTED || (extra && extra->notice_cb);

	if (r->seat.state == EVL_HELD && is_told)
		r->cb = extra->notice_cb;
	evl_end_leave(step, r, ESTALE);
	if (is_told)
		evl_core_conclude(evl_lock_core(r->lock), &r->seat, ESTALE, &step->change.done);
	else
		evl_end_dismiss(r);
}

/* Takes the requests made through `lock` that hold, and leaves them in no list but `holders`. */
static void
gather_holders(struct evlock *lock, struct evl_link *holders)
{
	struct evl_link *link, *after;

	evl_lock_gather(lock);
	while ((link = evl_list_pop(&lock->held)))
		evl_list_push(holders, link);
	EVL_LIST_EACH_SAFE(link, after, &lock->port->fifo) {
		struct evl_seat *seat = EVL_SEAT(link);

		if (seat->role >= EVL_CONVERSION || seat->state != EVL_GRANTED ||
		    EVL_REQUEST(seat)->lock != lock)
			continue;
		evl_list_remove(link);
		evl_list_push(holders, link);
	}
}

/* Losing one may end conversions, but no other holder. */
static void
lose_holders(struct evl_step *step, struct evlock *lock)
{
	struct evl_link holders;

	evl_list_init(&holders);
	gather_holders(lock, &holders);
	while (!evl_list_is_empty(&holders))
		lose(step, EVL_REQUEST(EVL_SEAT(holders.next)));
}

void
evl_outside_lost(struct evl_outside *o, int error)
{
	struct evl_link *link;
	struct evl_step step;

	evl_step_begin(&step, o->body);
	withdraw(o);
	set_has(o, EVLOCK_NONE);
	o->is_asking = 0;
	EVL_LIST_EACH(link, &o->body->objects)
		lose_holders(&step, EVL_OBJECT(link));
	evl_member_each_holder(&step, o->body, lose);
	fail_waiting(&step, o, error);
	evl_step_touch(&step, o->body, 1);
	evl_step_end(&step);
}

/* The request that `handle` names for any object of the lock, or NULL. */
static struct evl_request *
find_request(const struct evl_outside *o, evlock_handle handle)
{
	const struct evl_link *link;
	struct evl_request *r;

	EVL_LIST_EACH(link, &o->body->objects)
		if ((r = evl_life_find(EVL_OBJECT(link), handle)))
			return r;
	return NULL;
}

void
evl_outside_refuse(struct evl_outside *o, evlock_handle handle, int error)
{
	struct evl_request *r = find_request(o, handle);

	if (r)
		evl_end_fail(r, error);
}

/* --- As a kind of lock --------------------------------------------- */

/* This process has the lock now, which it did not ask for. */
static void
come_to_have(struct evl_outside *o, unsigned mode)
{
	o->n_joined = o->n_passed = 0;
	set_has(o, mode);
}

/* One more request shares the lock.  look() puts the outside back into the queue. */
static void
join(struct evl_outside *o)
{
	o->n_joined++;
	leave_queue(o);
}

/* Nobody of this process has the lock, or asks for it. */
static int
try_all(struct evl_outside *o, unsigned mode)
{
	int error = o->ops->try_now(o, mode);

	if (error > 0)
		evl_notify_arm(o->body, 1);
	else if (!error)
		come_to_have(o, mode);
	return error;
}

/* It is shared already. */
static int
try_join(struct evl_outside *o)
{
	int error = o->n_joined < MOST_JOINED ? o->ops->try_now(o, EVLOCK_SHARED) : EAGAIN;

	if (!error)
		join(o);
	return error;
}

static int
try(struct evl_outside *o, unsigned needed)
{
	if (evl_core_is(core_of(o), EVL_IS_CLOSED) || first_waiting(o))
		return 0;
	if (o->has == EVLOCK_NONE)
		return o->is_asking ? 0 : try_all(o, needed);
	return is_turn(o) && o->has == EVLOCK_SHARED && needed == EVLOCK_SHARED ? try_join(o) : 0;
}

static int
make_room(struct evl_step *step, struct evlock *lock, unsigned mode, struct evl_look *look)
{
	int error = try(lock->body->of_kind, needed_for(mode));

	(void)step;
	if (error == EVL_LOOK)
		*look = (struct evl_look){ lock->body, needed_for(mode) };
	return error;
}

/* Nobody gives it back, or asks for it, while it is kept. */
static void
keep_room(struct evl_step *step, struct evlock *lock, int is_kept)
{
	struct evl_outside *o = lock->body->of_kind;

	o->n_looking += is_kept ? 1 : (uint32_t)-1;
	evl_step_note(step, o->body, 0);
}

static void
examine(const struct evl_look *look)
{
	struct evl_outside *o = look->body->of_kind;

	o->ops->looks->look(o, look->mode);
}

static int
examined(struct evl_step *step, const struct evl_look *look)
{
	struct evl_outside *o = look->body->of_kind;
	int error = o->ops->looks->looked(o);

	evl_step_touch(step, o->body, 0);	/* no waiter was granted during the look */
	if (error > 0 && o->has == EVLOCK_NONE)
		evl_notify_arm(o->body, 1);
	if (error)
		return error == EVL_LOOK ? 0 : error;
	if (o->has == EVLOCK_NONE)
		come_to_have(o, look->mode);
	else
		join(o);
	return 0;
}

static int
refuses(const struct evlock *lock, unsigned mode)
{
	const struct evl_outside *o = lock->body->of_kind;

	return o->ops->looks ? o->ops->looks->may(o, mode) : 0;
}

/* As make_room() and look() do: this process gets the lock, and the outside stands in the queue. */
static int
take(struct evl_body *body, unsigned mode)
{
	struct evl_outside *o = body->of_kind;
	int error;

	if ((mode != EVLOCK_SHARED && mode != EVLOCK_EXCLUSIVE) || o->has != EVLOCK_NONE ||
	    o->n_looking)
		return EVL_LOOK;
	error = o->ops->try_now(o, mode);
	if (error)
		return error == EAGAIN ? EAGAIN : EVL_LOOK;
	come_to_have(o, mode);
	o->is_used = 1;
	o->seat.rank = 0;
	evl_core_enqueue(&body->core, &o->seat);
	return 0;
}

/* Does one request hold the lock, in `mode`, and nobody of this process wait or look? */
static int
is_held_alone(const struct evl_outside *o, unsigned mode)
{
	return o->has != EVLOCK_NONE && !first_waiting(o) && !o->n_looking &&
	    core_of(o)->held_mask == (BIT(mode) | held_outside[o->has]);
}

/* As let_go() and take_turn() do: it is the outside's turn. */
static int
give(struct evl_body *body, unsigned mode)
{
	struct evl_outside *o = body->of_kind;

	if (!is_held_alone(o, mode))
		return 0;
	evl_core_drop(&body->core, mode, 1);
	leave_queue(o);
	set_has(o, EVLOCK_NONE);
	o->ops->drop(o);
	o->is_used = 0;
	return 1;
}

/* A request of a higher priority passes the outside, but not for ever. */
static void
pass(struct evl_step *step, struct evl_body *body)
{
	struct evl_outside *o = body->of_kind;

	if (o->seat.state == EVL_QUEUED && o->n_passed < MOST_PASSED &&
	    ++o->n_passed == MOST_PASSED)
		take_place(step, o, EVL_RANKS - 1);
}

/* Does this process have it for more of those who waited than hold it now? */
static int
is_in_batch(const struct evl_outside *o)
{
	return o->has != EVLOCK_NONE && o->seat.state == EVL_QUEUED && first_waiting(o) &&
	    !is_turn(o);
}

/* Nobody is granted for now.  The outside stays where it is in the queue. */
static void
doubt(struct evl_outside *o)
{
	core_of(o)->held_mask |= held_outside[EVLOCK_NONE];
	o->is_doubted = 1;
}

/* If what this process has is stale, the others have their turn next. */
static void
let_go(struct evl_step *step, struct evl_body *body)
{
	struct evl_outside *o = body->of_kind;
	int is_stale = o->ops->is_stale && is_in_batch(o) && !o->is_doubted ? o->ops->is_stale(o) : 0;

	if (is_stale < 0)
		doubt(o);
	else if (is_stale)
		take_place(step, o, EVL_RANKS - 1);
}

void
evl_outside_checked(struct evl_step *step, struct evl_outside *o, int is_stale)
{
	if (!o->is_doubted)
		return;
	set_has(o, o->has);
	if (is_stale && is_in_batch(o))
		take_place(step, o, EVL_RANKS - 1);
	evl_step_touch(step, o->body, 0);
}

static uint32_t
n_hidden(const struct evl_body *body)
{
	const struct evl_outside *o = body->of_kind;

	return o->seat.state == EVL_QUEUED;
}

static int
is_away(const struct evl_body *body)
{
	const struct evl_outside *o = body->of_kind;

	return o->has == EVLOCK_NONE;
}

/* Others may always be waited for, and asked for what cannot be given up first. */
static int
always(const struct evl_body *body)
{
	(void)body;
	return 1;
}

static int
judge(const struct evlock *lock, unsigned mode, uint32_t units)
{
	return mode == EVLOCK_UPGRADABLE ? EINVAL : evl_lock_judge_plain(lock, mode, units);
}

static int
admits(const struct evlock *lock, struct evl_owner *owner, unsigned mode, uint32_t units,
    unsigned rank)
{
	const struct evl_outside *o = lock->body->of_kind;
	const struct evl_core *core = core_of(o);

	(void)owner;
	(void)units;
	(void)rank;
	return !(core->mode[mode].conflicts & core->held_mask) && !first_waiting(o) &&
	    (is_turn(o) || !n_hidden(lock->body));
}

static void
destroy(struct evl_body *body)
{
	struct evl_outside *o = body->of_kind;

	o->ops->free(o);
}

/* With the last object, all who held or waited have gone. */
static void
leave(struct evl_step *step, struct evl_body *body)
{
	struct evl_outside *o = body->of_kind;

	(void)step;
	if (!evl_list_is_empty(&body->objects))
		return;
	withdraw(o);
	if (o->is_asking || o->has != EVLOCK_NONE)
		o->ops->drop(o);
	o->is_asking = 0;
	set_has(o, EVLOCK_NONE);
}

static const struct evl_kind outside_kind = {
	.judge = judge,
	.make_room = make_room,
	.examine = examine,
	.examined = examined,
	.keep_room = keep_room,
	.refuses = refuses,
	.take = take,
	.give = give,
	.pass = pass,
	.is_fixed = always,
	.let_go = let_go,
	.look = look,
	.leave = leave,
	.destroy = destroy,
	.admits = admits,
	.is_far = always,
	.n_hidden = n_hidden,
	.is_away = is_away,
	.has_own_seat = 1
};

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
	evl_lock_drop(o->body);
}
