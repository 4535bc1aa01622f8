/* SPDX-License-Identifier: BSD-3-Clause */

/* See bound_pair.h. */

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <event2/event.h>

#include <evlock/owner.h>
#include <evlock/set.h>

#include "bound_pair.h"
#include "must.h"
#include "requests/request.h"

/* What a callback is given. */
struct told {
	unsigned who;
	int is_conversion;
};

struct place {
	struct told request, conversion;
	evlock_handle handle;
	evlock_handle dead;		/* one that it had before */
	int is_brief, is_conversion_brief;
};

#define LATEST 256	/* operations that a story tells */

static struct {
	struct event_base *base;
	struct evlock *lock[BOUND_LOCKS];
	struct evlock_owner *owner[1 + BOUND_OWNERS];
	struct place place[BOUND_REQUESTS];
	int is_in_loop;
	int is_dull;			/* repeating */
	unsigned long n_ops;
	struct bound_op latest[LATEST];
} pair;

struct bound_model bound_model;
struct bound_counts bound_counts;

/* --- Stories ---------------------------------------------------------------- */

static const char *const kind_name[BOUND_KINDS] = {
	"acquire", "nowait", "end", "convert", "convert nowait", "release all", "close",
	"stray release", "loop"
};

static void
print_op(const struct bound_op *op)
{
	fprintf(must_out, "  %s:", kind_name[op->kind]);
	if (op->kind != BOUND_LOOP && op->kind != BOUND_CLOSE && op->kind != BOUND_RELEASE_ALL)
		fprintf(must_out, " request %u", op->who);
	if (op->kind <= BOUND_NOWAIT || op->kind == BOUND_RELEASE_ALL)
		fprintf(must_out, " owner %u", op->owner);
	if (op->kind <= BOUND_NOWAIT || op->kind == BOUND_CLOSE)
		fprintf(must_out, " lock %u%s", op->lock,
		    bound_model.lock[op->lock].modes ? "" : " (a set)");
	if (op->kind != BOUND_END && op->kind <= BOUND_CONVERT_NOWAIT)
		fprintf(must_out, " mode %u", op->mode);
	if (op->kind <= BOUND_NOWAIT && op->priority)
		fprintf(must_out, " priority %u", op->priority);
	fprintf(must_out, "%s\n", op->is_brief ? " for {0,0}" : "");
}

static void
print_locks(void)
{
	unsigned i, k;

	for (i = 0; i < bound_model.n_locks; i++) {
		const struct bound_lock *l = &bound_model.lock[i];

		fprintf(must_out, "  lock %u: %u modes", i, l->modes ? l->modes->n_modes : 0);
		for (k = 0; k < l->n_members; k++)
			fprintf(must_out, ", member %u in mode %d", l->member[k],
			    l->member_mode[k]);
		fputc('\n', must_out);
	}
}

static void
print_requests(void)
{
	static const char *const name[] = { "", "", "waits", "holds", "failed" };
	uint32_t stuck = bound_stuck(&bound_model);
	unsigned w;

	for (w = 0; w < bound_model.n_requests; w++) {
		const struct bound_request *r = &bound_model.request[w];

		if (r->state == BOUND_GONE)
			continue;
		fprintf(must_out, "  model: %u of owner %u %s%s lock %u in %u%s%s", w, r->owner,
		    name[r->state], r->is_ahead ? " ahead" : "", r->lock, r->seat[0].mode,
		    r->conversion ? ", to another: " : "", name[r->conversion]);
		fprintf(must_out, "%s%s\n", stuck >> w & 1 ? ", for ever" : "",
		    stuck >> (w + 16) & 1 ? ", conversion for ever" : "");
	}
}

static void
tell_latest(void)
{
	unsigned long i = pair.n_ops > LATEST ? pair.n_ops - LATEST : 0;

	print_locks();
	fprintf(must_out, "  after %lu operations:\n", i);
	for (; i < pair.n_ops; i++)
		print_op(&pair.latest[i % LATEST]);
	print_requests();
	evlock_dump(pair.base, must_out);
}

/* --- Comparing -------------------------------------------------------------- */

/* What was found, for the report. */
static struct difference {
	const char *what;
	unsigned lock, of;
	long got, expected;
} difference;

static int
is_same(const char *what, unsigned lock, unsigned of, long got, long expected)
{
	if (got == expected)
		return 1;
	difference = (struct difference){ what, lock, of, got, expected };
	return 0;
}

static int
is_same_lock(const struct bound_model *m, unsigned lock)
{
	const struct evlock *l = pair.lock[lock];
	unsigned k, n_modes = m->lock[lock].modes ? m->lock[lock].modes->n_modes : 4;

	if (!is_same("waiting", lock, 0, (long)evlock_waiting(l), (long)bound_waiting(m, lock)) ||
	    !is_same("locked", lock, 0, (long)evlock_locked(l), (long)bound_locked(m, lock)))
		return 0;
	for (k = 0; k < n_modes; k++)
		if (!is_same("held in mode", lock, k, (long)evlock_held(l, k),
		    (long)bound_held(m, lock, k)))
			return 0;
	for (k = 1; k <= BOUND_OWNERS; k++)
		if (!is_same("mode of owner", lock, k, evlock_owner_mode(pair.owner[k], l),
		    bound_owner_mode(m, k, lock)))
			return 0;
	return 1;
}

/* Is there nothing in the contract for it: a set in a set, of which the outer was asked? */
static int
is_inner(const struct bound_model *m, unsigned lock, unsigned who)
{
	return !m->lock[lock].modes && m->request[who].lock != lock;
}

static int
is_same_handle(const struct bound_model *m, unsigned who)
{
	evlock_handle handle = pair.place[who].handle;
	unsigned lock;
	int mode;

	for (lock = 0; handle && lock < m->n_locks; lock++) {
		if (is_inner(m, lock, who))
			continue;
		errno = 0;
		mode = evlock_mode_of(pair.lock[lock], handle);
		if (!is_same("mode of request", lock, who, mode, bound_mode_of(m, lock, who)) ||
		    (mode < 0 && !is_same("errno", lock, who, errno, ENOENT)))
			return 0;
	}
	return 1;
}

static int
is_same_state(const struct bound_model *m)
{
	unsigned i;

	for (i = 0; i < m->n_locks; i++)
		if (!is_same_lock(m, i))
			return 0;
	for (i = 0; i < m->n_requests; i++)
		if (!is_same_handle(m, i))
			return 0;
	return 1;
}

/* --- Orders in which a step may come to the locks ---------------------------- */

/* The next permutation, in the order of the numbers; 0 after the last. */
static int
permute(uint8_t *order, unsigned n)
{
	unsigned i = n, j = n, k;
	uint8_t swap;

	while (i > 1 && order[i - 2] > order[i - 1])
		i--;
	if (i <= 1)
		return 0;
	while (order[j - 1] < order[i - 2])
		j--;
	swap = order[j - 1], order[j - 1] = order[i - 2], order[i - 2] = swap;
	for (j = i - 1, k = n - 1; j < k; j++, k--)
		swap = order[j], order[j] = order[k], order[k] = swap;
	return 1;
}

/* --- Steps in the model ------------------------------------------------------- */

static int
model_step(struct bound_model *m, const struct bound_op *op)
{
	struct bound_asked asked = { op->owner, op->lock, op->mode, op->priority };

	switch (op->kind) {
	case BOUND_ACQUIRE:
	case BOUND_NOWAIT:
		return bound_acquire(m, op->who, asked, op->kind == BOUND_NOWAIT);
	case BOUND_CONVERT:
	case BOUND_CONVERT_NOWAIT:
		return bound_convert(m, op->who, op->mode, op->kind == BOUND_CONVERT_NOWAIT);
	case BOUND_END:
		return bound_end(m, op->who);
	case BOUND_RELEASE_ALL:
		return (int)bound_release_all(m, op->owner);
	case BOUND_CLOSE:
		bound_close(m, op->lock);
		return 0;
	default:
		return op->kind == BOUND_STRAY ? ENOENT : 0;
	}
}

/* The library did `op`, or, if that is NULL, a timer went off.  Did the model do so, if it
 * looks at its locks in this order? */
static int
is_followed(struct bound_model *m, const struct bound_op *op, const struct told *expired, int got)
{
	if (op && !is_same(kind_name[op->kind], op->lock, op->who, got, model_step(m, op)))
		return 0;
	if (expired)
		bound_expire(m, expired->who, expired->is_conversion);
	return is_same_state(m);
}


static void
follow(const struct bound_op *op, const struct told *expired, int got)
{
	struct bound_model before = bound_model;
	struct difference d;

	if (is_followed(&bound_model, op, expired, got))
		return;
	d = difference;
	while (permute(before.order, before.n_locks)) {
		bound_model = before;
		if (!is_followed(&bound_model, op, expired, got))
			continue;
		bound_counts.reordered++;
		for (d.of = 0; d.of < BOUND_LOCKS; d.of++)
			bound_model.order[d.of] = (uint8_t)d.of;
		return;
	}
	MUST(0, "%s: lock %u, %u: %ld, not %ld", d.what, d.lock, d.of, d.got, d.expected);
}

/* --- Callbacks ------------------------------------------------------------------ */

/* The handle of `who` is gone. */
static void
bury(unsigned who)
{
	struct place *p = &pair.place[who];

	if (p->handle)
		p->dead = p->handle;
	p->handle = 0;
	p->is_brief = p->is_conversion_brief = 0;
}

static void
bury_gone(void)
{
	unsigned who;

	for (who = 0; who < bound_model.n_requests; who++)
		if (bound_model.request[who].state == BOUND_GONE)
			bury(who);
}

static void
on_told(struct evlock *lock, evlock_handle handle, int error, void *arg)
{
	const struct told *t = arg;
	const char *wrong;

	MUST(pair.is_in_loop, "a callback inside of a call");
	MUST(handle && handle == pair.place[t->who].handle &&
	    lock == pair.lock[bound_model.request[t->who].lock],
	    "%u: handle %" PRIx64 ", not %" PRIx64, t->who, handle, pair.place[t->who].handle);
	wrong = bound_tell(&bound_model, t->who, t->is_conversion, error);
	MUST(!wrong, "%s%u, told %d: %s", t->is_conversion ? "conversion of " : "", t->who, error,
	    wrong);
	bound_counts.callbacks++;
	bound_counts.errors[t->is_conversion] += error != 0;
	bound_counts.denied += error == EDEADLK;
	bury_gone();
	if (!pair.is_dull)
		MUST(is_same_state(&bound_model), "%s: lock %u, %u: %ld, not %ld",
		    difference.what, difference.lock, difference.of, difference.got,
		    difference.expected);
}

/* The library's timer for a request has gone off. */
void __wrap_evl_end_expire(struct evl_request *r);
void __real_evl_end_expire(struct evl_request *r);

void
__wrap_evl_end_expire(struct evl_request *r)
{
	struct told t = *(const struct told *)r->arg;
	const struct bound_request *q = &bound_model.request[t.who];
	int is_waiting;

	MUST(pair.is_in_loop, "a timer inside of a call");
	is_waiting = (t.is_conversion ? q->conversion : q->state) == BOUND_WAITING;
	__real_evl_end_expire(r);
	follow(NULL, is_waiting ? &t : NULL, 0);	/* else it is granted, and not yet told */
	bound_counts.expired += (unsigned)is_waiting;
}

/* --- Operations ------------------------------------------------------------------ */

static const struct timeval at_once;

static int
acquire(const struct bound_op *op)
{
	struct evlock_request q = { 0 };
	struct place *p = &pair.place[op->who];

	q.mode = op->mode;
	q.priority = op->priority;
	q.owner = op->owner ? pair.owner[op->owner] : NULL;
	q.timeout = op->is_brief ? &at_once : NULL;
	q.cb = op->kind == BOUND_ACQUIRE ? on_told : NULL;
	q.arg = &p->request;
	p->handle = evlock_acquire_request(pair.lock[op->lock], &q);
	p->is_brief = op->is_brief;
	return p->handle ? 0 : errno;
}

static struct evlock *
lock_of(unsigned who)
{
	return pair.lock[bound_model.request[who].lock];
}

static int
convert(const struct bound_op *op)
{
	struct place *p = &pair.place[op->who];
	struct evlock *lock = lock_of(op->who);
	int failed;

	if (op->kind == BOUND_CONVERT_NOWAIT)
		return evlock_convert_nowait(lock, p->handle, op->mode) ? errno : 0;
	failed = evlock_convert(lock, p->handle, op->mode, op->is_brief ? &at_once : NULL,
	    on_told, &p->conversion);
	if (!failed)
		p->is_conversion_brief = op->is_brief;
	return failed ? errno : 0;
}

/* Releases the handle that was there before, of every lock. */
static int
stray(unsigned who)
{
	unsigned i;

	for (i = 0; i < bound_model.n_locks; i++)
		if (!evlock_release(pair.lock[i], pair.place[who].dead) || errno != ENOENT)
			return 0;
	return ENOENT;
}

static int
call(const struct bound_op *op)
{
	errno = 0;
	switch (op->kind) {
	case BOUND_ACQUIRE:
	case BOUND_NOWAIT:
		return acquire(op);
	case BOUND_CONVERT:
	case BOUND_CONVERT_NOWAIT:
		return convert(op);
	case BOUND_END:
		return evlock_release(lock_of(op->who), pair.place[op->who].handle) ? errno : 0;
	case BOUND_RELEASE_ALL:
		return (int)evlock_owner_release_all(pair.owner[op->owner]);
	case BOUND_CLOSE:
		evlock_close(pair.lock[op->lock]);
		return 0;
	default:
		return op->kind == BOUND_STRAY ? stray(op->who) : 0;
	}
}

static int
is_overdue(unsigned who)
{
	const struct place *p = &pair.place[who];
	const struct bound_request *r = &bound_model.request[who];

	return (p->is_brief && r->state == BOUND_WAITING) ||
	    (p->is_conversion_brief && r->conversion == BOUND_WAITING);
}

/* Is there something that the loop has still to do? */
static int
is_due(void)
{
	unsigned who;

	for (who = 0; who < bound_model.n_requests; who++)
		if (is_overdue(who))
			return 1;
	return bound_model.n_outcomes > 0;
}

#define ROUNDS	100	/* a timer may be a little late */

static void
loop(void)
{
	int round;

	pair.is_in_loop = 1;
	for (round = 0; is_due(); round++) {
		MUST(round < ROUNDS, "not told: %u", bound_model.n_outcomes);
		MUST(event_base_loop(pair.base, EVLOOP_NONBLOCK) >= 0, "loop");
	}
	pair.is_in_loop = 0;
}

static void
count(const struct bound_op *op, int got)
{
	bound_counts.ops[op->kind]++;
	bound_counts.refused += op->kind != BOUND_RELEASE_ALL && got == EDEADLK;
	bound_counts.waited += op->kind == BOUND_ACQUIRE &&
	    bound_model.request[op->who].state == BOUND_WAITING;
}

static void
remember(const struct bound_op *op)
{
	pair.latest[pair.n_ops++ % LATEST] = *op;
}

/* Does somebody wait for ever, whatever the order in which the locks are looked at? */
static int
is_stuck(void)
{
	struct bound_model m = bound_model;

	do
		if (!bound_stuck(&m))
			return 0;
	while (permute(m.order, m.n_locks));
	return 1;
}

int
bound_is_unsure(void)
{
	return bound_stuck(&bound_model) != 0;
}

void
bound_step(const struct bound_op *op)
{
	const char *fault;
	int got;

	if (op->kind == BOUND_LOOP && !is_due())
		return;
	remember(op);
	if (op->kind == BOUND_LOOP)
		loop();
	got = call(op);
	follow(op, NULL, got);
	bury_gone();
	count(op, got);
	fault = bound_fault(&bound_model);
	MUST(!fault, "%s", fault);
	MUST(!is_stuck(), "it made somebody wait for ever");
}

void
bound_repeat(const struct bound_op *op)
{
	if (op->kind == BOUND_LOOP && !is_due())
		return;
	pair.is_dull = 1;
	remember(op);
	if (op->kind == BOUND_LOOP)
		loop();
	(void)call(op);
	(void)model_step(&bound_model, op);
	bury_gone();
	pair.is_dull = 0;
}

void
bound_clear(void)
{
	unsigned who;

	for (who = 0; who < bound_model.n_requests; who++)
		if (bound_model.request[who].state != BOUND_GONE) {
			struct bound_op op = { .kind = BOUND_END, .who = (uint8_t)who };

			bound_repeat(&op);
		}
	MUST(is_same_state(&bound_model), "%s: lock %u, %u: %ld, not %ld", difference.what,
	    difference.lock, difference.of, difference.got, difference.expected);
	bound_model.next_arrival = bound_model.step = 0;
	pair.n_ops = 0;
}

unsigned
bound_place(void)
{
	unsigned who;

	for (who = 0; who < bound_model.n_requests; who++)
		if (bound_model.request[who].state == BOUND_GONE)
			break;
	return who;
}

/* --- Beginning and ending ---------------------------------------------------------- */

static struct evlock *
make_set(const struct bound_lock *l)
{
	struct evlock_set_member member[BOUND_MEMBERS];
	unsigned i;

	for (i = 0; i < l->n_members; i++)
		member[i] = (struct evlock_set_member){ pair.lock[l->member[i]],
		    l->member_mode[i] };
	return evlock_set_new(member, l->n_members, NULL);
}

static struct evlock *
make(const struct bound_lock *l)
{
	struct evlock_options options = { 0 };

	if (!l->modes)
		return make_set(l);
	options.modes = l->modes == &bound_standard_modes ? NULL : l->modes;
	return evlock_new(pair.base, &options);
}

void
bound_begin(struct event_base *base, const struct bound_model *plan)
{
	unsigned i;

	memset(&pair, 0, sizeof pair);
	bound_model = *plan;
	pair.base = base;
	for (i = 0; i < plan->n_locks; i++)
		MUST((pair.lock[i] = make(&plan->lock[i])) != NULL, "lock %u", i);
	for (i = 1; i <= BOUND_OWNERS; i++)
		MUST((pair.owner[i] = evlock_owner_new(NULL)) != NULL, "owner %u", i);
	for (i = 0; i < BOUND_REQUESTS; i++) {
		pair.place[i].request.who = pair.place[i].conversion.who = i;
		pair.place[i].conversion.is_conversion = 1;
	}
	must_tell_story = tell_latest;
}

void
bound_finish(void)
{
	unsigned i;

	must_tell_story = NULL;
	for (i = 1; i <= BOUND_OWNERS; i++)
		evlock_owner_free(pair.owner[i]);
	for (i = bound_model.n_locks; i-- > 0; )
		evlock_free(pair.lock[i]);
}

void
bound_print_counts(void)
{
	const struct bound_counts *c = &bound_counts;
	unsigned k;

	fprintf(stderr, "#");
	for (k = 0; k < BOUND_KINDS; k++)
		if (c->ops[k])
			fprintf(stderr, " %s %lu", kind_name[k], c->ops[k]);
	fprintf(stderr, "\n# %lu waited, %lu refused with EDEADLK and %lu denied it later; %lu"
	    " callbacks, %lu with errors, %lu of conversions; %lu timers; %lu in another order\n",
	    c->waited, c->refused, c->denied, c->callbacks, c->errors[0], c->errors[1], c->expired,
	    c->reordered);
}
