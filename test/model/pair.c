/* SPDX-License-Identifier: BSD-3-Clause */

/* See pair.h. */

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <event2/event.h>

#include <evlock/owner.h>
#include <evlock/set.h>

#include "calls/end.h"
#include "calls/life.h"
#include "../must.h"
#include "pair.h"

/* The `arg` of a callback. */
struct told {
	unsigned who;
	int is_conversion;
};

/* The library's side of a request. */
struct actor {
	struct told request, conversion;
	evlock_handle handle;
	evlock_handle dead;		/* one that it had before */
	unsigned long serial;		/* of its requests */
	int is_scoped;			/* by evlock_with() */
	enum pair_timeout timeout, conversion_timeout;
	int has_notice, is_noticed, is_notice_due;
};

struct watcher {
	struct event *ev;
	unsigned lock;
	unsigned mode;
	int is_listed;
	int is_due;
	unsigned long n_reasons, n_runs;
};

enum lock_state { ABSENT, LIVE, DYING };

struct lock {
	enum lock_state state;
	struct evlock *lock;
	int value;
	int is_value_freed;
};

#define LATEST 256	/* operations that a story shows */

static struct {
	struct event_base *base;
	const struct pair_menu *menu;
	struct choices *choices;
	struct lock lock[MODEL_LOCKS];
	struct actor actor[MODEL_REQUESTS];
	struct evlock_owner *owner[1 + MODEL_OWNERS];
	struct watcher watcher[PAIR_WATCHERS];
	int has_ties;			/* there are sets or owners, so a step may concern
					     several locks */
	int n_calls;			/* calls of the library that have not returned */
	int n_callbacks;		/* callbacks that have not returned */
	int is_broken;			/* by event_base_loopbreak() */
	int is_repeating;
	unsigned long left_inside;	/* operations that callbacks may still do in this loop */
	unsigned long n_ops;
	struct { struct pair_op op; int depth; } latest[LATEST];
} pair;

struct model pair_model;
unsigned long pair_callbacks;

/* How often something has happened since the program began. */
static struct {
	unsigned long ops[PAIR_KINDS], waited, refused, denied, errors[2], notices, rooms, expired,
	    reread;
} counts;

/* --- Stories ---------------------------------------------------------------- */

static const char *const kind_name[PAIR_KINDS] = {
	"nothing", "loop", "acquire", "nowait", "with", "request", "request nowait", "end",
	"convert", "convert nowait", "expire", "release all", "close", "free", "new", "notify",
	"unnotify", "stray", "break"
};
static const char *const timeout_name[PAIR_TIMEOUTS] = {
	"", " for {0,0}", " for 1 ms", " for 1 h", " for less than nothing"
};

static void
print_op(const struct pair_op *op, int depth)
{
	fprintf(must_out, "  %*s%s: who %u lock %u mode %u%s", 2 * depth, "", kind_name[op->kind],
	    op->who, op->lock, op->mode, timeout_name[op->timeout]);
	if (op->kind == PAIR_REQUEST || op->kind == PAIR_REQUEST_NOWAIT)
		fprintf(must_out, " units %u priority %u%s%s", op->units, op->priority,
		    op->is_own ? " own handle" : "", op->has_notice ? " notice" : "");
	fprintf(must_out, op->owner ? " owner %u\n" : "\n", op->owner);
}

static void
print_locks(void)
{
	unsigned i, k;

	for (i = 0; i < pair_model.n_locks; i++) {
		const struct model_lock *l = &pair_model.lock[i];

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
	uint32_t stuck = model_stuck(&pair_model);
	unsigned w;

	for (w = 0; w < pair_model.n_requests; w++) {
		const struct model_request *r = &pair_model.request[w];

		if (r->state == MODEL_GONE)
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
	fprintf(must_out, "  after %lu operations (indented: from inside a callback):\n", i);
	for (; i < pair.n_ops; i++)
		print_op(&pair.latest[i % LATEST].op, pair.latest[i % LATEST].depth);
	print_requests();
	evlock_dump(pair.base, must_out);
}

static void
remember(const struct pair_op *op)
{
	pair.latest[pair.n_ops % LATEST].op = *op;
	pair.latest[pair.n_ops % LATEST].depth = pair.n_callbacks;
	pair.n_ops++;
	counts.ops[op->kind]++;
}

/* --- Helpers ---------------------------------------------------------------- */

/* Around each call of the library. */
#define CALL(call) (pair.n_calls++, errno = 0, (call))
#define DONE() (pair.n_calls--)

static const struct model_request *
model_of(unsigned who)
{
	return &pair_model.request[who];
}

static struct evlock *
lock_of(unsigned who)
{
	return pair.lock[model_of(who)->lock].lock;
}

static int
is_live(unsigned lock)
{
	return lock < pair_model.n_locks && pair.lock[lock].state == LIVE;
}

/* --- Comparing -------------------------------------------------------------- */

/* The difference that was found, for the report. */
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
is_same_lock(unsigned lock)
{
	const struct model *m = &pair_model;
	const struct evlock *l = pair.lock[lock].lock;
	unsigned k, n_modes = m->lock[lock].modes ? m->lock[lock].modes->n_modes : 4;

	if (!is_same("waiting", lock, 0, (long)evlock_waiting(l), (long)model_waiting(m, lock)) ||
	    !is_same("locked", lock, 0, (long)evlock_locked(l), (long)model_locked(m, lock)))
		return 0;
	for (k = 0; k < n_modes; k++)
		if (!is_same("held in mode", lock, k, (long)evlock_held(l, k),
		    (long)model_held(m, lock, k)))
			return 0;
	for (k = 1; k <= pair.menu->n_owners; k++)
		if (!is_same("mode of owner", lock, k, evlock_owner_mode(pair.owner[k], l),
		    model_owner_mode(m, k, lock)))
			return 0;
	return 1;
}

static int
is_same_value(unsigned lock, unsigned who, int mode)
{
	struct lock *l = &pair.lock[lock];
	const struct evlock_modes *modes = pair_model.lock[lock].modes;
	enum evlock_access access = mode >= 0 && modes ? modes->mode[mode].access
	    : EVLOCK_NO_ACCESS;
	evlock_handle handle = pair.actor[who].handle;

	return is_same("value", lock, who, evlock_value(l->lock, handle) == &l->value,
	    access >= EVLOCK_READ) && is_same("value_mut", lock, who,
	    evlock_value_mut(l->lock, handle) == &l->value, access == EVLOCK_WRITE);
}

/* The contract does not say what the handle of an outer set means for an inner set. */
static int
is_inner(unsigned lock, unsigned who)
{
	return !pair_model.lock[lock].modes && model_of(who)->lock != lock;
}

static int
is_same_handle(unsigned who)
{
	evlock_handle handle = pair.actor[who].handle;
	unsigned lock;
	int mode;

	for (lock = 0; handle && lock < pair_model.n_locks; lock++) {
		if (!is_live(lock) || is_inner(lock, who))
			continue;
		errno = 0;
		mode = evlock_mode_of(pair.lock[lock].lock, handle);
		if (!is_same("mode of request", lock, who, mode,
		    model_mode_of(&pair_model, lock, who)) ||
		    (mode < 0 && !is_same("errno", lock, who, errno, ENOENT)) ||
		    !is_same_value(lock, who, mode))
			return 0;
	}
	return 1;
}

static int
is_same_state(void)
{
	unsigned i;

	for (i = 0; i < pair_model.n_locks; i++)
		if (is_live(i) && !is_same_lock(i))
			return 0;
	for (i = 0; i < pair_model.n_requests; i++)
		if (!is_same_handle(i))
			return 0;
	return 1;
}

static void
compare(void)
{
	const struct difference *d = &difference;

	if (!pair.is_repeating)
		MUST(is_same_state(), "%s: lock %u, %u: %ld, not %ld", d->what, d->lock, d->of,
		    d->got, d->expected);
}

/* --- What the contract leaves open ------------------------------------------ */

/* Makes the next permutation in ascending order.  Returns 0 after the last. */
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

static void
reset_order(struct model *m)
{
	unsigned i;

	for (i = 0; i < MODEL_LOCKS; i++)
		m->order[i] = (uint8_t)i;
}

/* Makes the next order in which a step looks at the locks, and after the last order the next
 * reading of the contract.  Returns 0 after the last reading. */
static int
reread(struct model *m)
{
	if (permute(m->order, m->n_locks))
		return 1;
	reset_order(m);
	return ++m->reading < MODEL_READINGS;
}

/* Does a request wait for ever by every reading? */
static int
is_stuck(void)
{
	struct model m;

	if (!model_stuck(&pair_model))
		return 0;
	for (m = pair_model; reread(&m); )
		if (!model_stuck(&m))
			return 0;
	return 1;
}

int
pair_is_unsure(void)
{
	return model_stuck(&pair_model) != 0;
}

/* --- Notifications and notices ---------------------------------------------- */

/* A step is over.  The events that watch `lock` are due if the step made room in it and they could
 * acquire it now.  If a step may concern several locks, it may activate events for the others
 * too. */
static void
note_room(unsigned lock, int has_room)
{
	unsigned i;

	for (i = 0; i < PAIR_WATCHERS; i++) {
		struct watcher *w = &pair.watcher[i];
		int is_due = has_room && w->lock == lock;

		if (w->is_listed && (is_due || pair.has_ties) &&
		    model_admits(&pair_model, w->lock, w->mode)) {
			w->is_due |= is_due;
			w->n_reasons++;
		}
	}
}

static int
has_outcome(unsigned who)
{
	unsigned i;

	for (i = 0; i < pair_model.n_outcomes; i++)
		if (pair_model.outcome[i].who == who && !pair_model.outcome[i].is_conversion)
			return 1;
	return 0;
}

/* A notice is due from the arrival of the first waiter until the last one leaves. */
static void
update_notices(void)
{
	unsigned who;

	for (who = 0; who < pair_model.n_requests; who++) {
		struct actor *a = &pair.actor[who];
		int is_wanted = a->has_notice && model_of(who)->state == MODEL_HOLDING &&
		    !has_outcome(who) && model_keeps_out(&pair_model, who);

		if (is_wanted != a->is_noticed)
			a->is_notice_due = is_wanted;
		a->is_noticed = is_wanted;
	}
}

/* The handle of `who` has ended. */
static void
bury(unsigned who)
{
	struct actor *a = &pair.actor[who];

	if (a->handle)
		a->dead = a->handle;
	a->handle = 0;
	a->serial++;
	a->is_scoped = a->has_notice = a->is_noticed = a->is_notice_due = 0;
	a->timeout = a->conversion_timeout = PAIR_FOR_EVER;
}

/* Called after each step of the model.  `has_room`: it may have made room in `lock`. */
static void
note(unsigned lock, int has_room)
{
	unsigned who;

	for (who = 0; who < pair_model.n_requests; who++)
		if (model_of(who)->state == MODEL_GONE && pair.actor[who].handle)
			bury(who);
	note_room(lock, has_room);
	update_notices();
}

/* --- Steps of the model ----------------------------------------------------- */

static int
step_of_model(const struct pair_op *op)
{
	struct model_asked asked = { op->owner, op->lock, op->mode, op->priority,
	    op->units ? op->units : 1 };
	struct model *m = &pair_model;

	switch (op->kind) {
	case PAIR_NOWAIT:
	case PAIR_REQUEST_NOWAIT:
		return model_acquire(m, op->who, asked, 1);
	case PAIR_CONVERT:
	case PAIR_CONVERT_NOWAIT:
		return model_convert(m, op->who, op->mode, op->kind == PAIR_CONVERT_NOWAIT);
	case PAIR_END:
		return model_end(m, op->who);
	case PAIR_RELEASE_ALL:
		return (int)model_release_all(m, op->owner);
	case PAIR_CLOSE:
		model_close(m, op->lock);
		return 0;
	default:
		return model_acquire(m, op->who, asked, 0);
	}
}

/* The library did `op`, or a timer expired if `op` is NULL.  Does the model end in the same
 * state? */
static int
is_followed(const struct pair_op *op, const struct told *expired, int got)
{
	if (op && !is_same(kind_name[op->kind], op->lock, op->who, got, step_of_model(op)))
		return 0;
	if (expired)
		model_expire(&pair_model, expired->who, expired->is_conversion);
	return pair.is_repeating || is_same_state();
}

/* The same by any other reading of the contract. */
static int
is_followed_otherwise(struct model before, const struct pair_op *op, const struct told *expired,
    int got)
{
	while (reread(&before)) {
		pair_model = before;
		if (!is_followed(op, expired, got))
			continue;
		counts.reread++;
		reset_order(&pair_model);
		pair_model.reading = 0;
		return 1;
	}
	return 0;
}

static void
follow(const struct pair_op *op, const struct told *expired, int got)
{
	static struct model before;
	struct difference d;

	if (pair.has_ties)
		before = pair_model;
	if (is_followed(op, expired, got))
		return;
	d = difference;
	MUST(pair.has_ties && is_followed_otherwise(before, op, expired, got),
	    "%s: lock %u, %u: %ld, not %ld", d.what, d.lock, d.of, d.got, d.expected);
}

/* --- Callbacks -------------------------------------------------------------- */

static void
act_inside(void)
{
	struct pair_op op;

	if (pair.left_inside == 0 || !pair.menu->inside || choices_are_over(pair.choices) ||
	    pair_is_unsure())
		return;
	pair.left_inside--;
	op = pair_decide(pair.menu, pair.menu->inside, pair.choices);
	pair_step(&op);
}

/* A callback of a request for `lock` begins. */
static void
enter(unsigned lock)
{
	MUST(!pair.n_calls || pair.lock[lock].state == DYING, "a callback inside of a call");
	MUST(!pair.is_broken || pair.lock[lock].state == DYING, "a callback after loopbreak");
	pair.n_callbacks++;
	pair_callbacks++;
}

static void
leave(void)
{
	act_inside();
	pair.n_callbacks--;
}

static void
tell(const struct told *t, evlock_handle handle, int error)
{
	const struct actor *a = &pair.actor[t->who];
	const char *complaint;

	MUST(handle == a->handle && handle, "%u: handle %" PRIx64 ", not %" PRIx64, t->who, handle,
	    a->handle);
	complaint = model_tell(&pair_model, t->who, t->is_conversion, error);
	MUST(!complaint, "%s%u, outcome %d: %s", t->is_conversion ? "conversion of " : "", t->who,
	    error, complaint);
	counts.errors[t->is_conversion] += error != 0;
	counts.denied += error == EDEADLK;
}

/* evlock_with() releases after the callback. */
static void
end_scoped(unsigned who)
{
	unsigned lock = model_of(who)->lock;

	MUST(model_end(&pair_model, who) == 0, "model");
	note(lock, 1);
}

static void
on_told(struct evlock *lock, evlock_handle handle, int error, void *arg)
{
	const struct told *t = arg;
	struct actor *a = &pair.actor[t->who];
	unsigned long serial;

	MUST(lock == lock_of(t->who), "%u: another lock", t->who);
	enter(model_of(t->who)->lock);
	tell(t, handle, error);
	note(MODEL_LOCKS, 0);
	compare();
	serial = a->serial;
	leave();
	if (a->is_scoped && !error && !t->is_conversion && a->serial == serial)
		end_scoped(t->who);
}

static void
on_notice(struct evlock *lock, evlock_handle handle, int error, void *arg)
{
	const struct told *t = arg;
	struct actor *a = &pair.actor[t->who];

	MUST(lock == lock_of(t->who) && handle == a->handle && !error, "notice for %u", t->who);
	MUST(a->is_notice_due, "%u excludes no waiter, or has had its notice", t->who);
	a->is_notice_due = 0;
	counts.notices++;
	enter(model_of(t->who)->lock);
	compare();
	leave();
}

static void
on_room(evutil_socket_t fd, short what, void *arg)
{
	struct watcher *w = arg;

	(void)fd;
	MUST(w->is_listed && what & EV_TIMEOUT, "an event that is not listed");
	MUST(w->n_runs < w->n_reasons, "an event without a reason");
	w->n_runs++;
	w->is_due = 0;
	counts.rooms++;
	pair.n_callbacks++;
	leave();
}

/* The library's timer for a request has expired.  It is too late if the request was granted or has
 * ended in the same pass of the loop. */
void __wrap_evl_end_expire(struct evl_request *r);
void __real_evl_end_expire(struct evl_request *r);

void
__wrap_evl_end_expire(struct evl_request *r)
{
	struct told t = *(const struct told *)r->arg;
	unsigned lock = model_of(t.who)->lock;
	int is_waiting = r->seat.state == EVL_QUEUED;

	MUST(!pair.n_calls, "a timer inside of a call");
	__real_evl_end_expire(r);
	follow(NULL, is_waiting ? &t : NULL, 0);
	if (is_waiting)
		note(lock, 1);
	counts.expired += (unsigned)is_waiting;
}

/* --- Operations: asking ----------------------------------------------------- */

static const struct timeval *
timeout_of(const struct pair_op *op)
{
	static const struct timeval zero, brief = { 0, 1000 }, hour = { 3600, 0 }, past = { -1, 5 };
	static const struct timeval *const timeout[] = { NULL, &zero, &brief, &hour, &past };

	return timeout[op->timeout];
}

static evlock_handle
call_request(struct actor *a, const struct pair_op *op)
{
	struct evlock_request q;

	memset(&q, 0, sizeof q);
	q.mode = op->mode;
	q.units = op->units;
	q.priority = op->priority;
	q.timeout = timeout_of(op);
	q.owner = pair.owner[op->owner];
	q.handle = op->is_own ? EVLOCK_HANDLE_FROM(a) : 0;
	q.cb = op->kind == PAIR_REQUEST ? on_told : NULL;
	q.notice_cb = op->has_notice ? on_notice : NULL;
	q.arg = &a->request;
	return evlock_acquire_request(pair.lock[op->lock].lock, &q);
}

static evlock_handle
call_acquire(struct actor *a, const struct pair_op *op)
{
	struct evlock *lock = pair.lock[op->lock].lock;

	switch (op->kind) {
	case PAIR_ACQUIRE:
		return evlock_acquire(lock, op->mode, timeout_of(op), on_told, &a->request);
	case PAIR_WITH:
		return evlock_with(lock, op->mode, timeout_of(op), on_told, &a->request);
	case PAIR_NOWAIT:
		return evlock_acquire_nowait(lock, op->mode);
	default:
		return call_request(a, op);
	}
}

/* A lock never makes the same handle twice.  A handle of the caller's is returned as it was
 * made. */
static void
check_handle(const struct actor *a, const struct pair_op *op)
{
	unsigned i;

	MUST(!op->is_own == !(a->handle >> 63), "%" PRIx64, a->handle);
	MUST(!op->is_own || a->handle == EVLOCK_HANDLE_FROM(a), "not the caller's handle");
	MUST(op->is_own || a->handle != a->dead, "a handle twice");
	for (i = 0; i < MODEL_REQUESTS; i++)
		MUST(&pair.actor[i] == a || pair.actor[i].handle != a->handle, "a handle twice");
}

/* A handle of the caller's can name only one acquisition at a time. */
static void
try_again(struct actor *a, const struct pair_op *op)
{
	struct pair_op again = *op;
	evlock_handle handle;

	again.kind = PAIR_REQUEST;
	again.owner = 0;
	handle = CALL(call_request(a, &again));
	DONE();
	MUST(!handle && errno == EEXIST, "the same handle twice: errno %d", errno);
}

static int
acquire(const struct pair_op *op)
{
	struct actor *a = &pair.actor[op->who];
	int error;

	a->handle = CALL(call_acquire(a, op));
	error = a->handle ? 0 : errno;
	DONE();
	if (error)
		return error;
	check_handle(a, op);
	a->is_scoped = op->kind == PAIR_WITH;
	a->timeout = (enum pair_timeout)op->timeout;
	a->has_notice = op->has_notice;
	if (op->is_own)
		try_again(a, op);
	return 0;
}

/* --- Operations: the rest --------------------------------------------------- */

static int
convert(const struct pair_op *op)
{
	struct actor *a = &pair.actor[op->who];
	struct evlock *lock = lock_of(op->who);
	int error;

	if (op->kind == PAIR_CONVERT)
		error = CALL(evlock_convert(lock, a->handle, op->mode, timeout_of(op), on_told,
		    &a->conversion)) ? errno : 0;
	else
		error = CALL(evlock_convert_nowait(lock, a->handle, op->mode)) ? errno : 0;
	DONE();
	if (!error && op->kind == PAIR_CONVERT)
		a->conversion_timeout = (enum pair_timeout)op->timeout;
	return error;
}

static int
call(const struct pair_op *op)
{
	int result = 0;

	switch (op->kind) {
	case PAIR_CONVERT:
	case PAIR_CONVERT_NOWAIT:
		return convert(op);
	case PAIR_END:
		result = CALL(evlock_release(lock_of(op->who), pair.actor[op->who].handle))
		    ? errno : 0;
		break;
	case PAIR_RELEASE_ALL:
		result = (int)CALL(evlock_owner_release_all(pair.owner[op->owner]));
		break;
	case PAIR_CLOSE:
		CALL(evlock_close(pair.lock[op->lock].lock));
		break;
	default:
		return acquire(op);
	}
	DONE();
	return result;
}

/* May the operation have made room for waiters?  `before` is the former state of its request.  A
 * conversion makes room if it was granted at once. */
static int
makes_room(const struct pair_op *op, int got, enum model_state before)
{
	if (op->kind == PAIR_CONVERT || op->kind == PAIR_CONVERT_NOWAIT)
		return !got && model_of(op->who)->conversion != MODEL_WAITING;
	return op->kind == PAIR_END && before != MODEL_FAILED;
}

static void
count(const struct pair_op *op, int got)
{
	counts.refused += op->kind != PAIR_RELEASE_ALL && got == EDEADLK;
	counts.waited += (op->kind == PAIR_ACQUIRE || op->kind == PAIR_REQUEST) &&
	    model_of(op->who)->state == MODEL_WAITING;
}

/* An operation that is one step of the model. */
static void
do_step(const struct pair_op *op)
{
	unsigned lock = op->kind == PAIR_END || op->kind == PAIR_CONVERT
	    || op->kind == PAIR_CONVERT_NOWAIT ? model_of(op->who)->lock : op->lock;
	enum model_state before = (enum model_state)model_of(op->who)->state;
	int got = call(op);

	follow(op, NULL, got);
	note(lock, makes_room(op, got, before));
	count(op, got);
}

static void
expire(unsigned who)
{
	struct evl_request *r = evl_life_find(lock_of(who), pair.actor[who].handle);

	MUST(r, "%u is not known", who);
	if (model_of(who)->conversion == MODEL_WAITING)
		r = EVL_REQUEST(r->seat.ties->conversion);
	__wrap_evl_end_expire(r);
}

static void
unlist(struct watcher *w)
{
	w->is_listed = w->is_due = 0;
	event_del(w->ev);
}

static void
free_lock(unsigned lock)
{
	struct lock *l = &pair.lock[lock];
	unsigned i;

	l->state = DYING;
	if (!pair_model.lock[lock].modes)
		MUST(model_waiting(&pair_model, lock) == 0, "a set is used");
	model_free(&pair_model, lock);
	for (i = 0; i < PAIR_WATCHERS; i++)
		if (pair.watcher[i].is_listed && pair.watcher[i].lock == lock)
			unlist(&pair.watcher[i]);
	CALL(evlock_free(l->lock));
	DONE();
	MUST(l->is_value_freed == (pair_model.lock[lock].modes != NULL),
	    "the value was freed %d times", l->is_value_freed);
	MUST(model_bury(&pair_model, lock) == 0, "not all callbacks ran");
	note(MODEL_LOCKS, 0);
	l->state = ABSENT;
}

static void
free_value(void *value)
{
	((struct lock *)((char *)value - offsetof(struct lock, value)))->is_value_freed++;
}

static struct evlock *
make_set(const struct model_lock *plan)
{
	struct evlock_set_member member[MODEL_MEMBERS];
	unsigned i;

	for (i = 0; i < plan->n_members; i++)
		member[i] = (struct evlock_set_member){ pair.lock[plan->member[i]].lock,
		    plan->member_mode[i] };
	return evlock_set_new(member, plan->n_members, NULL);
}

static struct evlock *
make_lock(const struct model_lock *plan, struct lock *l)
{
	struct evlock_options options = { .value = &l->value, .free_value = free_value };

	options.modes = plan->modes == &model_standard_modes ? NULL : plan->modes;
	options.flags = (plan->prefers_last ? EVLOCK_OPT_PREFER_EXCLUSIVE : 0)
	    | (pair.menu->is_threadsafe ? EVLOCK_OPT_THREADSAFE : 0);
	return evlock_new(pair.base, &options);
}

static void
new_lock(unsigned lock)
{
	const struct model_lock *plan = &pair_model.lock[lock];
	struct lock *l = &pair.lock[lock];

	l->is_value_freed = 0;
	l->lock = CALL(plan->modes ? make_lock(plan, l) : make_set(plan));
	DONE();
	MUST(l->lock && evlock_get_base(l->lock) == pair.base, "errno %d", errno);
	l->state = LIVE;
}

static void
notify(const struct pair_op *op)
{
	struct watcher *w = &pair.watcher[op->who];
	struct evlock *lock = pair.lock[op->lock].lock;
	int error = CALL(evlock_notify(lock, op->mode, w->ev)) ? errno : 0;

	DONE();
	MUST(error == (model_has_mode(&pair_model, op->lock, op->mode) ? 0 : EINVAL), "%d", error);
	if (error)
		return;
	w->is_listed = 1;
	w->lock = op->lock;
	w->mode = op->mode;
	w->is_due = model_admits(&pair_model, w->lock, w->mode);
	w->n_reasons += (unsigned)w->is_due;
	MUST(evlock_notify(lock, op->mode, w->ev) == -1 && errno == EEXIST, "errno %d", errno);
}

static void
unnotify(const struct pair_op *op)
{
	struct watcher *w = &pair.watcher[op->who];
	struct evlock *lock = pair.lock[w->lock].lock;

	MUST(CALL(evlock_unnotify(lock, w->ev)) == 0, "errno %d", errno);
	MUST(evlock_unnotify(lock, w->ev) == -1 && errno == ENOENT, "errno %d", errno);
	DONE();
	unlist(w);
}

static int
is_known(evlock_handle handle)
{
	unsigned i;

	for (i = 0; i < MODEL_REQUESTS; i++)
		if (pair.actor[i].handle == handle)
			return 1;
	return 0;
}

/* Every call with such a handle fails, and nothing changes. */
static void
fail_with(struct evlock *lock, evlock_handle handle, const struct pair_op *op)
{
	MUST(CALL(evlock_release(lock, handle)) == -1 && errno == ENOENT, "errno %d", errno);
	MUST(evlock_convert(lock, handle, op->mode, NULL, on_told, NULL) == -1 && errno == ENOENT,
	    "errno %d", errno);
	MUST(evlock_mode_of(lock, handle) == -1 && errno == ENOENT, "errno %d", errno);
	MUST(!evlock_value(lock, handle) && errno == EPERM, "errno %d", errno);
	DONE();
}

static void
stray(const struct pair_op *op)
{
	const struct actor *a = &pair.actor[op->who];
	struct evlock *lock = pair.lock[op->lock].lock;
	const evlock_handle handle[] = { a->dead, a->dead + ((evlock_handle)1 << 32), a->dead + 1,
	    ~a->dead, (evlock_handle)op->mode << 61 | op->units };
	unsigned i;

	for (i = 0; i < sizeof handle / sizeof handle[0]; i++)
		if (!is_known(handle[i]))
			fail_with(lock, handle[i], op);
	if (!pair.has_ties && model_of(op->who)->lock != op->lock)
		fail_with(lock, a->handle, op);
}

/* --- The loop --------------------------------------------------------------- */

int
pair_is_due(void)
{
	unsigned i, n = pair_model.n_outcomes;

	for (i = 0; i < MODEL_REQUESTS; i++)
		n += (unsigned)pair.actor[i].is_notice_due;
	for (i = 0; i < PAIR_WATCHERS; i++)
		n += (unsigned)pair.watcher[i].is_due;
	return n > 0;
}

/* Returns how many requests and conversions wait with one of these timeouts. */
static int
n_waiting_for(unsigned timeouts)
{
	unsigned who;
	int n = 0;

	for (who = 0; who < pair_model.n_requests; who++) {
		const struct model_request *r = model_of(who);
		const struct actor *a = &pair.actor[who];

		n += (r->state == MODEL_WAITING && timeouts >> a->timeout & 1) +
		    (r->conversion == MODEL_WAITING && timeouts >> a->conversion_timeout & 1);
	}
	return n;
}

/* Only waits with a timeout have an event, and so keep the loop alive. */
static int
n_timers(void)
{
	return n_waiting_for(~(1u << PAIR_FOR_EVER));
}

static int
n_events(void)
{
	return event_base_get_num_events(pair.base, EVENT_BASE_COUNT_ADDED);
}

static void
loop(const struct pair_op *op)
{
	int flags = op->mode && n_waiting_for(1u << PAIR_BRIEFLY) ? EVLOOP_ONCE : EVLOOP_NONBLOCK;
	int n = 0, n_quiet = 0;

	pair.left_inside = pair.menu->most_inside ? pair.menu->most_inside : ~0ul;
	do {
		pair.is_broken = 0;
		MUST(event_base_loop(pair.base, flags) >= 0, "the loop");
		MUST(++n < 10000, "what is due does not come");
		flags = EVLOOP_NONBLOCK;
		n_quiet = pair_is_due() ? 0 : n_quiet + 1;
	} while (!n_quiet || (n_timers() != n_events() && n_quiet < 10));
	pair.is_broken = 0;
	MUST(n_timers() == n_events(), "%d wait with a timeout, %d events are pending",
	    n_timers(), n_events());
}

/* --- All operations --------------------------------------------------------- */

static int
can_expire(unsigned who)
{
	const struct model_request *r = model_of(who);

	return !pair.n_callbacks && (r->conversion == MODEL_WAITING
	    ? pair.actor[who].conversion_timeout == PAIR_FOR_EVER
	    : r->state == MODEL_WAITING && pair.actor[who].timeout == PAIR_FOR_EVER);
}

/* Does the contract say what happens?  It does not say which requests wait for ever if one of them
 * is refused whatever is held. */
static int
is_clear(unsigned lock, unsigned mode, uint32_t units)
{
	return !pair.has_ties || !model_is_hopeless(&pair_model, lock, mode, units);
}

static int
is_possible_for(const struct pair_op *op)
{
	const struct model_request *r = model_of(op->who);

	return r->state != MODEL_GONE && is_live(r->lock)
	    && (op->kind == PAIR_END || is_clear(r->lock, op->mode, r->seat[0].units));
}

int
pair_is_possible(const struct pair_op *op)
{
	switch (op->kind) {
	case PAIR_NOTHING:
		return 1;
	case PAIR_LOOP:
		return !pair.n_callbacks;
	case PAIR_BREAK:
		return pair.n_callbacks && !pair.n_calls;
	case PAIR_END:
	case PAIR_CONVERT:
	case PAIR_CONVERT_NOWAIT:
		return is_possible_for(op);
	case PAIR_EXPIRE:
		return can_expire(op->who);
	case PAIR_RELEASE_ALL:
		return op->owner > 0;
	case PAIR_NEW:
		return pair.lock[op->lock].state == ABSENT;
	case PAIR_CLOSE:
	case PAIR_FREE:
		return is_live(op->lock);
	case PAIR_NOTIFY:
		return is_live(op->lock) && !pair.watcher[op->who % PAIR_WATCHERS].is_listed;
	case PAIR_UNNOTIFY:
		return pair.watcher[op->who % PAIR_WATCHERS].is_listed;
	case PAIR_STRAY:
		return is_live(op->lock) && pair.actor[op->who].dead;
	default:
		return model_of(op->who)->state == MODEL_GONE && is_live(op->lock)
		    && is_clear(op->lock, op->mode, op->units ? op->units : 1);
	}
}

static void
perform(struct pair_op op)
{
	switch (op.kind) {
	case PAIR_LOOP:
		loop(&op);
		break;
	case PAIR_BREAK:
		event_base_loopbreak(pair.base);
		pair.is_broken = 1;
		break;
	case PAIR_EXPIRE:
		expire(op.who);
		break;
	case PAIR_FREE:
		free_lock(op.lock);
		break;
	case PAIR_NEW:
		new_lock(op.lock);
		break;
	case PAIR_NOTIFY:
		op.who %= PAIR_WATCHERS;
		notify(&op);
		break;
	case PAIR_UNNOTIFY:
		op.who %= PAIR_WATCHERS;
		unnotify(&op);
		break;
	case PAIR_STRAY:
		stray(&op);
		break;
	default:
		do_step(&op);
	}
}

void
pair_step(const struct pair_op *op)
{
	const char *fault;

	if (op->kind == PAIR_NOTHING)
		return;
	remember(op);
	perform(*op);
	compare();
	fault = model_fault(&pair_model);
	MUST(!fault, "%s", fault);
	MUST(!is_stuck(), "it made a request wait for ever");
}

void
pair_repeat(const struct pair_op *op)
{
	pair.is_repeating = 1;
	remember(op);
	perform(*op);
	pair.is_repeating = 0;
}

/* --- Beginning and ending --------------------------------------------------- */

static void
begin_actors(void)
{
	unsigned i;

	for (i = 0; i < MODEL_REQUESTS; i++) {
		pair.actor[i].request.who = pair.actor[i].conversion.who = i;
		pair.actor[i].conversion.is_conversion = 1;
	}
	for (i = 1; i <= pair.menu->n_owners; i++)
		MUST((pair.owner[i] = evlock_owner_new(NULL)) != NULL, "owner %u", i);
	for (i = 0; i < PAIR_WATCHERS; i++)
		if (PAIR_BIT(PAIR_NOTIFY) & (pair.menu->outside | pair.menu->inside)) {
			pair.watcher[i].ev = event_new(pair.base, -1, 0, on_room, &pair.watcher[i]);
			MUST(pair.watcher[i].ev, "event_new");
		}
}

void
pair_begin(struct event_base *base, const struct pair_menu *menu, struct choices *choices)
{
	unsigned i;

	memset(&pair, 0, sizeof pair);
	pair_model = menu->plan;
	pair.base = base;
	pair.menu = menu;
	pair.choices = choices;
	pair.left_inside = ~0ul;
	pair.has_ties = menu->n_owners > 0;
	must_tell_story = tell_latest;
	begin_actors();
	for (i = 0; i < pair_model.n_locks; i++) {
		new_lock(i);
		pair.has_ties |= !pair_model.lock[i].modes;
	}
}

void
pair_clear(void)
{
	unsigned who;

	for (who = 0; who < pair_model.n_requests; who++)
		if (model_of(who)->state != MODEL_GONE) {
			struct pair_op op = { .kind = PAIR_END, .who = (uint8_t)who };

			pair_repeat(&op);
		}
	compare();
	pair_model.next_arrival = pair_model.step = 0;
	pair.n_ops = 0;
}

void
pair_finish(void)
{
	static const struct pair_op once;
	unsigned i;

	if (pair.has_ties)
		pair_clear();
	for (i = pair_model.n_locks; i-- > 0; )
		if (is_live(i))
			free_lock(i);
	for (i = 1; i <= pair.menu->n_owners; i++)
		evlock_owner_free(pair.owner[i]);
	MUST(!pair_is_due(), "something is due");
	for (i = 0; i < PAIR_WATCHERS; i++)
		if (pair.watcher[i].ev)
			event_free(pair.watcher[i].ev);
	loop(&once);	/* no callback comes any more */
	MUST(event_base_get_num_events(pair.base, EVENT_BASE_COUNT_ACTIVE) == 0, "events are left");
	must_tell_story = NULL;
}

uint64_t
pair_shape(unsigned lock)
{
	const struct evl_core *core = evl_lock_core(pair.lock[lock].lock);
	const struct evl_link *link;
	uint64_t shape = 1;

	EVL_LIST_EACH(link, &core->queue)
		shape = 2 * shape + (EVL_SEAT(link)->state == EVL_GONE);
	return shape;
}

void
pair_print_counts(void)
{
	unsigned i;

	fprintf(stderr, "#");
	for (i = 1; i < PAIR_KINDS; i++)
		if (counts.ops[i])
			fprintf(stderr, " %s %lu", kind_name[i], counts.ops[i]);
	fprintf(stderr, "\n# %lu waited, %lu refused with EDEADLK and %lu denied it later; %lu"
	    " callbacks, %lu with errors, %lu of conversions; %lu notices; %lu room; %lu expired;"
	    " %lu by another reading\n", counts.waited, counts.refused, counts.denied,
	    pair_callbacks, counts.errors[0], counts.errors[1], counts.notices, counts.rooms,
	    counts.expired, counts.reread);
}
