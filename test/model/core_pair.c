/* SPDX-License-Identifier: BSD-3-Clause */

/* See core_pair.h.  The core's side does what a step does around it. */

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "core_pair.h"
#include "must.h"

typedef int held_lies_behind_the_core[
    offsetof(struct pair, held) == sizeof(struct evl_core) ? 1 : -1];

void
pair_init(struct pair *p, const struct pair_menu *menu)
{
	memset(p, 0, sizeof *p);
	model_make(&p->model, 0, menu->modes, menu->prefers_last);
	evl_core_init(&p->core, p->model.lock[0].modes, menu->prefers_last);
	p->core.free = &p->free;
}

static const struct model_request *
model_of(const struct pair *p, unsigned who)
{
	return &p->model.request[who];
}

/* --- The test's own count ----------------------------------------------------- */

/* I1: what is given fits what is held. */
static void
give(struct pair *p, unsigned mode, uint32_t units)
{
	const struct evlock_mode *m = &p->core.mode[mode];
	unsigned k;

	for (k = 0; k < p->core.n_modes; k++)
		MUST(!p->recount[k] || !(m->conflicts >> k & 1), "mode %u given while %u is held",
		    mode, k);
	MUST(!m->is_compatible || m->is_compatible(mode, units, p->recount, p->core.arg),
	    "mode %u given against its condition", mode);
	p->recount[mode] += units;
	MUST(!m->limit || p->recount[mode] <= m->limit, "more than the limit of mode %u", mode);
}

static void
take_back(struct pair *p, unsigned mode, uint32_t units)
{
	p->recount[mode] -= units;
}

/* The last of those held in `from` is held in `to` now. */
static void
give_instead(struct pair *p, unsigned from, unsigned to, uint32_t units)
{
	take_back(p, from, units);
	if (from == to)
		p->recount[to] += units;
	else
		give(p, to, units);
}

/* I6: the counts equal what a recount of the requests gives. */
static void
check_counts(const struct pair *p)
{
	uint32_t sum[EVLOCK_MAX_MODES] = { 0 };
	unsigned who, k, n = 0;

	for (who = 0; who < PAIR_ACTORS; who++) {
		const struct pair_actor *a = &p->actor[who];

		if (a->seat.state == EVL_HELD)
			sum[a->seat.mode] += a->seat.units;
		n += (a->seat.state == EVL_QUEUED) + (a->conversion.state == EVL_QUEUED);
	}
	MUST(n == p->core.n_waiting, "%u wait, not %u", n, p->core.n_waiting);
	for (k = 0; k < p->core.n_modes; k++) {
		MUST(sum[k] == p->held[k] && sum[k] == p->recount[k],
		    "of mode %u %u are held, not %u", k, sum[k], p->held[k]);
		MUST(!sum[k] == !(p->core.held_mask >> k & 1), "the mask of mode %u", k);
	}
}

/* --- Comparing ------------------------------------------------------------------ */

static unsigned
actor_of(const struct pair *p, const struct evl_seat *seat)
{
	return (unsigned)(((const char *)seat - (const char *)p->actor) /
	    (ptrdiff_t)sizeof p->actor[0]);
}

/* I5: each is in exactly one state, and the model agrees on which. */
static void
compare_actor(const struct pair *p, unsigned who)
{
	const struct model_request *r = model_of(p, who);
	const struct pair_actor *a = &p->actor[who];

	MUST((a->seat.state == EVL_HELD) == (r->state == MODEL_HOLDING), "does %u hold", who);
	MUST((a->seat.state == EVL_QUEUED) == (r->state == MODEL_WAITING), "does %u wait", who);
	MUST((a->conversion.state == EVL_QUEUED) == (r->conversion.state == MODEL_WAITING),
	    "does the conversion of %u wait", who);
	if (r->state == MODEL_HOLDING)
		MUST(a->seat.mode == r->seat[0].mode, "%u holds %u, not %u", who, a->seat.mode,
		    r->seat[0].mode);
}

/* I3: the queue is in order.  And it has no one in it who does not wait, but for
 * those who are gone. */
static unsigned
check_order(const struct pair *p)
{
	const struct evl_seat *before = NULL;
	struct evl_link *link;
	unsigned n = 0;

	EVL_WAITING_EACH(link, &p->core.queue) {
		const struct evl_seat *seat = EVL_SEAT(link);

		MUST(seat->state == EVL_QUEUED, "%u does not wait", actor_of(p, seat));
		if (before)
			MUST(model_is_ahead(&p->model, 0, actor_of(p, before), actor_of(p, seat)),
			    "%u is queued ahead of %u", actor_of(p, before), actor_of(p, seat));
		before = seat;
		n++;
	}
	return n;
}

/* Those who are gone are not the first, and no more than those who wait. */
static void
check_gone(const struct pair *p)
{
	struct evl_link *link;
	unsigned who, n = 0, n_gone = 0;

	for (who = 0; who < PAIR_ACTORS; who++)
		n_gone += p->actor[who].seat.state == EVL_GONE;
	EVL_LIST_EACH(link, &p->core.queue) {
		MUST(link->next->prev == link, "a broken queue");
		n += EVL_SEAT(link)->state == EVL_GONE;
		MUST(n == 0 || link != p->core.queue.next, "the first is gone");
	}
	MUST(n == n_gone && n == p->core.n_gone, "%u are gone, not %u", n, p->core.n_gone);
	MUST(n <= p->core.n_waiting, "more are gone than wait");
}

static unsigned
check_ahead(const struct pair *p)
{
	struct evl_link *link;
	unsigned n = 0;

	EVL_LIST_EACH(link, &p->core.ahead) {
		MUST(EVL_SEAT(link)->ties->of == &p->actor[actor_of(p, EVL_SEAT(link))].seat,
		    "a stray conversion");
		n++;
	}
	return n;
}

/* I2: nobody waits who could be granted; but the grant rule itself is the model's. */
static void
check_promoted(const struct pair *p)
{
	const struct evl_seat *first = EVL_SEAT(p->core.queue.next);

	MUST(check_order(p) + check_ahead(p) == p->core.n_waiting, "someone is in no queue");
	if (!evl_list_is_empty(&p->core.queue) && evl_list_is_empty(&p->core.ahead))
		MUST(!evl_core_fits(&p->core, first->mode, first->units), "%u sleeps on",
		    actor_of(p, first));
}

static void
compare(const struct pair *p)
{
	unsigned who, k;

	for (who = 0; who < PAIR_ACTORS; who++)
		compare_actor(p, who);
	check_counts(p);
	check_gone(p);
	check_promoted(p);
	MUST(p->model.n_outcomes == 0, "%u was not granted", p->model.outcome[0].who);
	MUST(p->core.n_waiting == model_waiting(&p->model, 0), "how many wait");
	MUST(evl_core_strongest(&p->core) == model_locked(&p->model, 0), "the strongest mode");
	for (k = 0; k < p->core.n_modes; k++) {
		MUST(p->held[k] == model_held(&p->model, 0, k), "units of %u", k);
		MUST(evl_core_admits(&p->core, k, 1, evl_core_rank(&p->core, k, 0)) ==
		    model_admits(&p->model, 0, k), "would %u be admitted", k);
	}
}

/* --- What the core grants --------------------------------------------------------- */

static void
tell(struct pair *p, unsigned who, int is_conversion, int error)
{
	const char *complaint = model_tell(&p->model, who, is_conversion, error);

	MUST(!complaint, "%s%u: %s", is_conversion ? "conversion of " : "", who, complaint);
}

/* A conversion is over, one way or the other. */
static void
clear_conversion(struct pair_actor *a)
{
	memset(&a->conversion, 0, sizeof a->conversion);
	memset(&a->conversion_ties, 0, sizeof a->conversion_ties);
	memset(&a->ties, 0, sizeof a->ties);
	a->seat.ties = NULL;
}

static void
accept_one(struct pair *p, struct evl_seat *seat, const struct pair *before)
{
	unsigned who = actor_of(p, seat);
	struct pair_actor *a = &p->actor[who];

	MUST(seat->state == EVL_GRANTED, "%u was granted", who);
	memset(&seat->link, 0, sizeof seat->link);
	seat->rank = 0;
	if (seat == &a->seat) {
		give(p, seat->mode, seat->units);
		seat->state = EVL_HELD;
		tell(p, who, 0, 0);
	} else {
		give_instead(p, before->actor[who].seat.mode, a->seat.mode, a->seat.units);
		clear_conversion(a);
		tell(p, who, 1, 0);
	}
}

/* Everyone in `out` was granted, in this order. */
static void
accept(struct pair *p, struct evl_link *out, const struct pair *before)
{
	struct evl_link *link;

	while ((link = evl_list_pop(out)))
		accept_one(p, EVL_SEAT(link), before);
}

/* --- Steps -------------------------------------------------------------------------- */

static struct evl_seat *
prepare(struct pair *p, const struct pair_op *op)
{
	struct evl_seat *seat = &p->actor[op->who].seat;

	seat->mode = op->mode;
	seat->units = op->units;
	seat->rank = evl_core_rank(&p->core, op->mode, op->priority);
	return seat;
}

static int
is_admitted(const struct pair *p, const struct evl_seat *seat)
{
	return evl_core_admits(&p->core, seat->mode, seat->units, seat->rank);
}

static void
hold(struct pair *p, struct evl_seat *seat)
{
	evl_core_take(&p->core, seat->mode, seat->units);
	seat->state = EVL_HELD;
	seat->rank = 0;
	give(p, seat->mode, seat->units);
}

static void
acquire(struct pair *p, const struct pair_op *op)
{
	struct model_seat asked = { 0, op->mode, op->units };
	struct evl_seat *seat = prepare(p, op);

	MUST(model_acquire(&p->model, op->who, asked, op->priority) == 0, "model");
	if (is_admitted(p, seat)) {
		hold(p, seat);
		tell(p, op->who, 0, 0);
	} else {
		evl_core_enqueue(&p->core, seat);
	}
}

static void
nowait(struct pair *p, const struct pair_op *op)
{
	struct model_seat asked = { 0, op->mode, op->units };
	struct evl_seat *seat = prepare(p, op);
	int error = model_acquire_nowait(&p->model, op->who, asked, op->priority);

	MUST(is_admitted(p, seat) == !error, "error %d", error);
	if (!error)
		hold(p, seat);
	else
		memset(seat, 0, sizeof *seat);
}

/* Ends what `change` has begun: all who are granted by it go to `out`, and count as told.  What
 * the change has noted in the core is no part of its state. */
static void
finish(struct pair *p, struct evl_change *change, struct evl_link *out)
{
	struct evl_core *core = &p->core;
	struct evl_link *link;

	evl_grant_finish(change);
	while (evl_change_next_touched(change))
		;
	core->n_over = core->has_room = 0;
	core->next_dirty = core->next_touched = core->next_doubted = NULL;
	while ((link = evl_list_pop(&change->done)))
		evl_list_push(out, link);
}

static void
withdraw(struct pair *p, struct evl_seat *seat, struct evl_link *out)
{
	struct evl_change change;

	evl_change_init(&change, NULL);
	evl_grant_withdraw(&change, &p->core, seat);
	finish(p, &change, out);
}

/* Its conversion ends with it, without another word. */
static void
end(struct pair *p, unsigned who, struct evl_link *out)
{
	struct pair_actor *a = &p->actor[who];
	struct evl_change change;

	evl_change_init(&change, NULL);
	if (a->conversion.state == EVL_QUEUED)
		evl_grant_withdraw(&change, &p->core, &a->conversion);
	clear_conversion(a);
	if (a->seat.state == EVL_QUEUED) {
		evl_grant_withdraw(&change, &p->core, &a->seat);
	} else {
		take_back(p, a->seat.mode, a->seat.units);
		evl_grant_release(&change, &p->core, &a->seat, 0);
	}
	finish(p, &change, out);
	memset(&a->seat, 0, sizeof a->seat);
}

/* A release, which may leave the seat of one who waits where it is. */
static void
end_or_mark_gone(struct pair *p, unsigned who, struct evl_link *out)
{
	struct evl_seat *seat = &p->actor[who].seat;

	MUST(model_end(&p->model, who) == 0, "model");
	if (seat->state == EVL_QUEUED && evl_core_may_mark_gone(&p->core, seat))
		evl_core_mark_gone(&p->core, seat);
	else
		end(p, who, out);
}

/* The seats that the core has given back. */
static void
take_free(struct pair *p)
{
	while (p->free) {
		struct evl_seat *seat = EVL_SEAT(p->free);

		MUST(seat->state == EVL_FREE, "%u is not free", actor_of(p, seat));
		p->free = p->free->next;
		memset(seat, 0, sizeof *seat);
	}
}

static void
expire(struct pair *p, unsigned who, struct evl_link *out)
{
	model_expire(&p->model, who, 0);
	tell(p, who, 0, ETIMEDOUT);
	end(p, who, out);
}

static void
expire_conversion(struct pair *p, unsigned who, struct evl_link *out)
{
	model_expire(&p->model, who, 1);
	tell(p, who, 1, ETIMEDOUT);
	withdraw(p, &p->actor[who].conversion, out);
	clear_conversion(&p->actor[who]);
}

static struct evl_seat *
prepare_conversion(struct pair *p, const struct pair_op *op)
{
	struct pair_actor *a = &p->actor[op->who];

	evl_ties_init(&a->ties, &a->seat, &p->core);
	a->ties.conversion = &a->conversion;
	evl_ties_init(&a->conversion_ties, &a->conversion, &p->core);
	a->conversion_ties.of = &a->seat;
	a->conversion_ties.is_bound = 1;
	a->conversion.mode = op->mode;
	a->conversion.units = a->seat.units;
	return &a->conversion;
}

/* Granted at once: the conversion comes out first, then who gained by it. */
static int
try_conversion(struct pair *p, struct evl_seat *conversion, struct evl_link *out)
{
	struct evl_change change;
	int granted;

	evl_change_init(&change, NULL);
	granted = evl_grant_try(&change, &p->core, conversion);
	if (granted > 0)
		evl_list_push(out, &conversion->link);
	finish(p, &change, out);
	return granted > 0;
}

static int
convert_core(struct pair *p, const struct pair_op *op, struct evl_link *out)
{
	struct evl_seat *conversion = prepare_conversion(p, op);

	if (try_conversion(p, conversion, out))
		return 0;
	evl_core_enqueue(&p->core, conversion);
	if (!evl_deadlock_is_stuck(conversion))
		return 0;
	withdraw(p, conversion, out);
	clear_conversion(&p->actor[op->who]);
	return EDEADLK;
}

static void
convert(struct pair *p, const struct pair_op *op, struct evl_link *out)
{
	int expected = model_convert(&p->model, op->who, op->mode);
	int error = convert_core(p, op, out);

	MUST(error == expected, "error %d, not %d", error, expected);
}

static void
convert_nowait(struct pair *p, const struct pair_op *op, struct evl_link *out)
{
	struct evl_seat *seat = &p->actor[op->who].seat;
	int error = model_convert_nowait(&p->model, op->who, op->mode);
	unsigned former = seat->mode;
	struct evl_seat *conversion = prepare_conversion(p, op);
	struct evl_change change;

	evl_change_init(&change, NULL);
	MUST((evl_grant_try(&change, &p->core, conversion) > 0) == !error, "error %d", error);
	finish(p, &change, out);
	clear_conversion(&p->actor[op->who]);
	if (!error)
		give_instead(p, former, seat->mode, seat->units);
}

static void
dismiss_list(struct pair *p, struct evl_link *list, struct evl_change *change)
{
	while (!evl_list_is_empty(list)) {
		struct evl_seat *seat = EVL_SEAT(list->next);
		unsigned who = actor_of(p, seat);
		int is_conversion = seat == &p->actor[who].conversion;

		evl_grant_withdraw(change, &p->core, seat);
		if (is_conversion)
			clear_conversion(&p->actor[who]);
		else
			memset(seat, 0, sizeof *seat);
		tell(p, who, is_conversion, ECANCELED);
	}
}

static void
dismiss(struct pair *p)
{
	struct evl_change change;
	struct evl_link none;

	model_close(&p->model, 0);
	evl_core_mark(&p->core, EVL_IS_CLOSED);
	evl_change_init(&change, NULL);
	evl_list_init(&none);
	dismiss_list(p, &p->core.ahead, &change);
	dismiss_list(p, &p->core.queue, &change);
	finish(p, &change, &none);
	evl_core_unmark(&p->core, EVL_IS_CLOSED);
	p->model.lock[0].is_closed = 0;
}

static void
perform(struct pair *p, const struct pair_op *op, struct evl_link *out)
{
	switch (op->kind) {
	case PAIR_ACQUIRE:
		acquire(p, op);
		break;
	case PAIR_NOWAIT:
		nowait(p, op);
		break;
	case PAIR_END:
		end_or_mark_gone(p, op->who, out);
		break;
	case PAIR_EXPIRE:
		expire(p, op->who, out);
		break;
	case PAIR_CONVERT:
		convert(p, op, out);
		break;
	case PAIR_CONVERT_NOWAIT:
		convert_nowait(p, op, out);
		break;
	case PAIR_EXPIRE_CONVERSION:
		expire_conversion(p, op->who, out);
		break;
	default:
		dismiss(p);
	}
}

void
pair_step(struct pair *p, const struct pair_op *op)
{
	struct evl_link out;
	struct pair before = *p;

	evl_list_init(&out);
	perform(p, op, &out);
	accept(p, &out, &before);
	take_free(p);
	compare(p);
}

/* --- Menus -------------------------------------------------------------------------- */

struct list {
	struct pair_op *ops;
	unsigned n;
};

static void
add(struct list *list, enum pair_kind kind, unsigned who, unsigned mode)
{
	struct pair_op *op = &list->ops[list->n++];

	memset(op, 0, sizeof *op);
	op->kind = (uint8_t)kind;
	op->who = (uint8_t)who;
	op->mode = (uint8_t)mode;
	op->units = 1;
}

static int
is_valid(const struct pair *p, unsigned mode, uint32_t units)
{
	struct model_seat seat = { 0, mode, units };

	return model_is_valid(&p->model, seat);
}

static void
list_requests(const struct pair *p, const struct pair_menu *menu, unsigned who, unsigned mode,
    struct list *list)
{
	unsigned priority, units, kind;

	for (priority = 0; priority < menu->n_priorities; priority++)
		for (units = 1; units <= menu->n_units && is_valid(p, mode, units); units++)
			for (kind = PAIR_ACQUIRE; kind <= PAIR_NOWAIT; kind++) {
				add(list, (enum pair_kind)kind, who, mode);
				list->ops[list->n - 1].priority = (uint8_t)priority;
				list->ops[list->n - 1].units = units;
			}
}

static void
list_holder(const struct pair *p, unsigned who, struct list *list)
{
	const struct pair_actor *a = &p->actor[who];
	unsigned mode;

	if (a->conversion.state == EVL_QUEUED) {
		add(list, PAIR_EXPIRE_CONVERSION, who, 0);
		return;
	}
	for (mode = 0; mode < p->core.n_modes; mode++)
		if (is_valid(p, mode, a->seat.units)) {
			add(list, PAIR_CONVERT, who, mode);
			add(list, PAIR_CONVERT_NOWAIT, who, mode);
		}
}

/* What an actor can do who does nothing. */
static void
list_idle(const struct pair *p, const struct pair_menu *menu, unsigned who, struct list *list)
{
	unsigned mode;

	for (mode = 0; mode < p->core.n_modes; mode++)
		list_requests(p, menu, who, mode, list);
}

unsigned
pair_list(const struct pair *p, const struct pair_menu *menu, struct pair_op *ops)
{
	struct list list = { ops, 0 };
	unsigned who;
	int has_idle = 0;

	for (who = 0; who < menu->n_actors; who++) {
		if (p->actor[who].seat.state == EVL_FREE) {
			if (!has_idle)
				list_idle(p, menu, who, &list);
			has_idle = 1;
			continue;
		}
		if (p->actor[who].seat.state == EVL_GONE)
			continue;
		add(&list, PAIR_END, who, 0);
		if (p->actor[who].seat.state == EVL_HELD)
			list_holder(p, who, &list);
		else
			add(&list, PAIR_EXPIRE, who, 0);
	}
	if (p->core.n_waiting)
		add(&list, PAIR_DISMISS, 0, 0);
	return list.n;
}

void
pair_print(const struct pair_op *op)
{
	static const char *const name[] = { "acquire", "nowait", "end", "expire", "convert",
	    "convert nowait", "expire conversion", "dismiss all" };

	fprintf(must_out, "  %u: %s", op->who, name[op->kind]);
	if (op->kind == PAIR_ACQUIRE || op->kind == PAIR_NOWAIT)
		fprintf(must_out, " mode %u units %u priority %u", op->mode, op->units,
		    op->priority);
	if (op->kind == PAIR_CONVERT || op->kind == PAIR_CONVERT_NOWAIT)
		fprintf(must_out, " to mode %u", op->mode);
	fputc('\n', must_out);
}
