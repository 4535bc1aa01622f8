/* SPDX-License-Identifier: BSD-3-Clause */

/* See api_pair.h. */

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <event2/event.h>

#include "api_pair.h"
#include "must.h"
#include "requests/request.h"

/* What a callback is given. */
struct told {
	unsigned who;
	int is_conversion;
};

struct actor {
	struct told request, conversion;
	evlock_handle handle;
	evlock_handle dead;		/* one that it had before */
	unsigned lock;
	unsigned long serial;		/* of its requests */
	int is_scoped;			/* by evlock_with() */
	enum api_timeout timeout, conversion_timeout;
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

#define LATEST 64	/* operations that a story tells */

static struct {
	struct event_base *base;
	const struct api_menu *menu;
	struct choices *choices;
	struct model model;
	struct lock lock[API_LOCKS];
	struct actor actor[API_ACTORS];
	struct watcher watcher[API_WATCHERS];
	int n_calls;			/* calls of the library under way */
	int n_callbacks;		/* callbacks under way */
	int is_broken;			/* by event_base_loopbreak() */
	unsigned long left_inside;	/* operations in callbacks, in this loop */
	unsigned long n_ops;
	struct { struct api_op op; int depth; } latest[LATEST];
} api;

struct api_counts api_counts;

/* --- Stories ---------------------------------------------------------------------- */

static const char *const kind_name[API_KINDS] = {
	"nothing", "loop", "acquire", "nowait", "with", "request", "request nowait", "end",
	"convert", "convert nowait", "close", "free", "new", "notify", "unnotify", "stray", "break"
};
static const char *const timeout_name[API_TIMEOUTS] = {
	"", " for {0,0}", " for 1 ms", " for 1 h", " for less than nothing"
};

static void
print_op(const struct api_op *op, int depth)
{
	fprintf(must_out, "  %*s%s: actor %u lock %u mode %u", 2 * depth, "", kind_name[op->kind],
	    op->who, op->lock, op->mode);
	if (op->kind == API_REQUEST || op->kind == API_REQUEST_NOWAIT)
		fprintf(must_out, " units %u priority %u%s%s", op->units, op->priority,
		    op->is_own ? " own handle" : "", op->has_notice ? " notice" : "");
	if (op->kind != API_LOOP && op->kind != API_END)
		fprintf(must_out, "%s", timeout_name[op->timeout]);
	fputc('\n', must_out);
}

static void
tell_latest(void)
{
	unsigned long i = api.n_ops > LATEST ? api.n_ops - LATEST : 0;

	fprintf(must_out, "  after %lu operations (indented: from inside a callback):\n", i);
	for (; i < api.n_ops; i++)
		print_op(&api.latest[i % LATEST].op, api.latest[i % LATEST].depth);
}

static void
remember(const struct api_op *op)
{
	api.latest[api.n_ops % LATEST].op = *op;
	api.latest[api.n_ops % LATEST].depth = api.n_callbacks;
	api.n_ops++;
	api_counts.ops[op->kind]++;
}

/* --- Calls -------------------------------------------------------------------------- */

/* Around each call of the library. */
#define CALL(call) (api.n_calls++, errno = 0, (call))
#define DONE() (api.n_calls--)

static struct evlock *
lock_of(const struct actor *a)
{
	return api.lock[a->lock].lock;
}

static const struct model_request *
model_of(unsigned who)
{
	return &api.model.request[who];
}

static int
is_live(unsigned lock)
{
	return lock < api.menu->n_locks && api.lock[lock].state == LIVE;
}

/* --- Comparing ------------------------------------------------------------------------ */

static void
compare_value(const struct actor *a, int mode)
{
	struct lock *l = &api.lock[a->lock];
	const struct evlock_mode *table = api.model.lock[a->lock].modes->mode;
	int may_read = mode >= 0 && table[mode].access >= EVLOCK_READ;
	int may_write = mode >= 0 && table[mode].access == EVLOCK_WRITE;

	MUST(evlock_value(l->lock, a->handle) == (may_read ? &l->value : NULL), "value");
	MUST(evlock_value_mut(l->lock, a->handle) == (may_write ? &l->value : NULL), "value_mut");
}

static void
compare_actor(unsigned who)
{
	const struct actor *a = &api.actor[who];
	int expected = model_mode_of(&api.model, who);
	int mode;

	if (!a->handle || !is_live(a->lock))
		return;
	errno = 0;
	mode = evlock_mode_of(lock_of(a), a->handle);
	MUST(mode == expected, "mode of %u: %d, not %d", who, mode, expected);
	MUST(mode >= 0 || errno == ENOENT, "errno %d", errno);
	compare_value(a, mode);
}

static void
compare_lock(unsigned lock)
{
	const struct evlock *l = api.lock[lock].lock;
	unsigned k, n_modes = api.model.lock[lock].modes->n_modes;

	MUST(evlock_waiting(l) == model_waiting(&api.model, lock), "lock %u: %zu wait, not %zu",
	    lock, evlock_waiting(l), model_waiting(&api.model, lock));
	MUST(evlock_locked(l) == model_locked(&api.model, lock), "lock %u: locked %u, not %u",
	    lock, evlock_locked(l), model_locked(&api.model, lock));
	for (k = 0; k < n_modes; k++)
		MUST(evlock_held(l, k) == model_held(&api.model, lock, k),
		    "lock %u: mode %u: %" PRIu32 " held, not %" PRIu32, lock, k, evlock_held(l, k),
		    model_held(&api.model, lock, k));
}

static void
compare(void)
{
	unsigned i;

	for (i = 0; i < api.menu->n_actors; i++)
		compare_actor(i);
	for (i = 0; i < api.menu->n_locks; i++)
		if (is_live(i))
			compare_lock(i);
	api_counts.comparisons++;
}

/* --- Being told that there is room, or a waiter ------------------------------------------ */

/* A step left `lock` so: whoever watches it is due if it could be had. */
static void
note_room(unsigned lock)
{
	unsigned i;

	for (i = 0; i < API_WATCHERS; i++) {
		struct watcher *w = &api.watcher[i];

		if (w->is_listed && w->lock == lock && model_admits(&api.model, lock, w->mode)) {
			w->is_due = 1;
			w->n_reasons++;
		}
	}
}

static int
has_outcome(unsigned who)
{
	unsigned i;

	for (i = 0; i < api.model.n_outcomes; i++)
		if (api.model.outcome[i].who == who && !api.model.outcome[i].is_conversion)
			return 1;
	return 0;
}

/* A notice is due from when the first waiter has come until the last is gone. */
static void
update_notices(void)
{
	unsigned who;

	for (who = 0; who < api.menu->n_actors; who++) {
		struct actor *a = &api.actor[who];
		int is_wanted = a->has_notice && model_of(who)->state == MODEL_HOLDING &&
		    !has_outcome(who) && model_keeps_out(&api.model, who);

		if (is_wanted != a->is_noticed)
			a->is_notice_due = is_wanted;
		a->is_noticed = is_wanted;
	}
}

/* After each step of the model. */
static void
note(unsigned lock, int has_room)
{
	if (has_room)
		note_room(lock);
	update_notices();
}

/* --- Ends ---------------------------------------------------------------------------------- */

/* The handle of `who` is gone. */
static void
bury(unsigned who)
{
	struct actor *a = &api.actor[who];

	if (a->handle)
		a->dead = a->handle;
	a->handle = 0;
	a->serial++;
	a->is_scoped = a->has_notice = a->is_noticed = a->is_notice_due = 0;
}

static void
end_in_model(unsigned who)
{
	unsigned lock = api.actor[who].lock;

	MUST(model_end(&api.model, who) == 0, "model");
	bury(who);
	note(lock, 1);
}

/* --- Callbacks ------------------------------------------------------------------------------- */

static void act_inside(void);

/* A callback begins.  `lock` is that of who is told. */
static void
enter(unsigned lock)
{
	MUST(!api.n_calls || api.lock[lock].state == DYING, "a callback inside of a call");
	MUST(!api.is_broken || api.lock[lock].state == DYING, "a callback after loopbreak");
	api.n_callbacks++;
	api_counts.callbacks++;
}

static void
leave(void)
{
	act_inside();
	api.n_callbacks--;
}

static void
tell(const struct told *t, evlock_handle handle, int error)
{
	const struct actor *a = &api.actor[t->who];
	const char *complaint;

	MUST(handle == a->handle && handle, "%u: handle %" PRIx64 ", not %" PRIx64, t->who, handle,
	    a->handle);
	complaint = model_tell(&api.model, t->who, t->is_conversion, error);
	MUST(!complaint, "%s%u, told %d: %s", t->is_conversion ? "conversion of " : "", t->who,
	    error, complaint);
	api_counts.errors += error != 0;
	if (model_of(t->who)->state == MODEL_GONE)
		bury(t->who);
}

static void
on_told(struct evlock *lock, evlock_handle handle, int error, void *arg)
{
	const struct told *t = arg;
	struct actor *a = &api.actor[t->who];
	unsigned long serial;

	MUST(lock == lock_of(a), "%u: another lock", t->who);
	enter(a->lock);
	tell(t, handle, error);
	update_notices();
	compare();
	serial = a->serial;
	leave();
	if (a->is_scoped && !error && !t->is_conversion && a->serial == serial)
		end_in_model(t->who);
}

static void
on_notice(struct evlock *lock, evlock_handle handle, int error, void *arg)
{
	const struct told *t = arg;
	struct actor *a = &api.actor[t->who];

	MUST(lock == lock_of(a) && handle == a->handle && !error, "notice for %u", t->who);
	MUST(a->is_notice_due, "%u keeps no one out, or was told so", t->who);
	a->is_notice_due = 0;
	api_counts.notices++;
	enter(a->lock);
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
	api_counts.rooms++;
	api.n_callbacks++;
	leave();
}

static int
is_waiting(const struct told *t)
{
	const struct model_request *r = model_of(t->who);

	return (t->is_conversion ? r->conversion.state : r->state) == MODEL_WAITING;
}

/* The library's timer for a request has gone off: too late, if that has been granted in
 * the same pass of the loop. */
void __wrap_evl_end_expire(struct evl_request *r);
void __real_evl_end_expire(struct evl_request *r);

void
__wrap_evl_end_expire(struct evl_request *r)
{
	const struct told *t = r->arg;

	MUST(!api.n_calls, "a timer inside of a call");
	if (is_waiting(t)) {
		model_expire(&api.model, t->who, t->is_conversion);
		note(api.actor[t->who].lock, 1);
		api_counts.expired++;
	}
	__real_evl_end_expire(r);
}

/* --- Operations: asking --------------------------------------------------------- */

static const struct timeval *
timeout_of(const struct api_op *op)
{
	static const struct timeval zero, brief = { 0, 1000 }, hour = { 3600, 0 }, past = { -1, 5 };
	static const struct timeval *const timeout[] = { NULL, &zero, &brief, &hour, &past };

	return timeout[op->timeout];
}

static evlock_handle
call_request(struct actor *a, const struct api_op *op)
{
	struct evlock_request q;

	memset(&q, 0, sizeof q);
	q.mode = op->mode;
	q.units = op->units;
	q.priority = op->priority;
	q.timeout = timeout_of(op);
	q.handle = op->is_own ? EVLOCK_HANDLE_FROM(a) : 0;
	q.cb = op->kind == API_REQUEST ? on_told : NULL;
	q.notice_cb = op->has_notice ? on_notice : NULL;
	q.arg = &a->request;
	return evlock_acquire_request(lock_of(a), &q);
}

static evlock_handle
call_acquire(struct actor *a, const struct api_op *op)
{
	switch (op->kind) {
	case API_ACQUIRE:
		return evlock_acquire(lock_of(a), op->mode, timeout_of(op), on_told, &a->request);
	case API_WITH:
		return evlock_with(lock_of(a), op->mode, timeout_of(op), on_told, &a->request);
	case API_NOWAIT:
		return evlock_acquire_nowait(lock_of(a), op->mode);
	default:
		return call_request(a, op);
	}
}

static int
is_nowait(const struct api_op *op)
{
	return op->kind == API_NOWAIT || op->kind == API_REQUEST_NOWAIT;
}

static int
acquire_in_model(const struct api_op *op)
{
	int is_request = op->kind == API_REQUEST || op->kind == API_REQUEST_NOWAIT;
	struct model_seat seat = { op->lock, op->mode, 1 };

	if (is_request && op->units)
		seat.units = op->units;
	return is_nowait(op) ? model_acquire_nowait(&api.model, op->who, seat, op->priority)
	    : model_acquire(&api.model, op->who, seat, op->priority);
}

/* No two of them are alike, ever; and those that callers make are as they were made. */
static void
check_handle(const struct actor *a, const struct api_op *op)
{
	unsigned i;

	MUST(!op->is_own == !(a->handle >> 63), "%" PRIx64, a->handle);
	MUST(!op->is_own || a->handle == EVLOCK_HANDLE_FROM(a), "not the caller's handle");
	for (i = 0; i < API_ACTORS; i++)
		MUST(op->is_own || (a->handle != api.actor[i].dead &&
		    (&api.actor[i] == a || a->handle != api.actor[i].handle)),
		    "a handle comes again");
}

/* Its handle is in use. */
static void
try_again(struct actor *a, const struct api_op *op)
{
	struct api_op again = *op;
	evlock_handle handle;

	again.kind = API_REQUEST;
	handle = CALL(call_request(a, &again));
	DONE();
	MUST(!handle && errno == EEXIST, "the same handle twice: errno %d", errno);
}

static void
acquire(const struct api_op *op)
{
	struct actor *a = &api.actor[op->who];
	evlock_handle handle;
	int error;

	a->lock = op->lock;
	handle = CALL(call_acquire(a, op));
	error = handle ? 0 : errno;
	DONE();
	a->handle = handle;
	MUST(acquire_in_model(op) == error, "errno %d", error);
	if (error)
		return;
	check_handle(a, op);
	a->is_scoped = op->kind == API_WITH;
	a->timeout = (enum api_timeout)op->timeout;
	a->has_notice = op->has_notice;
	note(op->lock, 0);
	if (op->is_own)
		try_again(a, op);
}

/* --- Operations: the rest ------------------------------------------------------- */

static void
end(unsigned who)
{
	struct evlock *lock = lock_of(&api.actor[who]);
	evlock_handle handle = api.actor[who].handle;

	end_in_model(who);
	MUST(CALL(evlock_release(lock, handle)) == 0, "errno %d", errno);
	DONE();
}

static void
convert(const struct api_op *op)
{
	struct actor *a = &api.actor[op->who];
	int expected, error;

	if (op->kind == API_CONVERT)
		error = CALL(evlock_convert(lock_of(a), a->handle, op->mode, timeout_of(op),
		    on_told, &a->conversion)) ? errno : 0;
	else
		error = CALL(evlock_convert_nowait(lock_of(a), a->handle, op->mode)) ? errno : 0;
	DONE();
	expected = op->kind == API_CONVERT ? model_convert(&api.model, op->who, op->mode)
	    : model_convert_nowait(&api.model, op->who, op->mode);
	MUST(error == expected, "error %d, not %d", error, expected);
	if (error)
		return;
	if (op->kind == API_CONVERT)
		a->conversion_timeout = (enum api_timeout)op->timeout;
	note(a->lock, model_of(op->who)->conversion.state != MODEL_WAITING);
}

static void
close_lock(unsigned lock)
{
	model_close(&api.model, lock);
	note(lock, 0);
	CALL(evlock_close(api.lock[lock].lock));
	DONE();
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
	struct lock *l = &api.lock[lock];
	unsigned i;

	l->state = DYING;
	model_free(&api.model, lock);
	for (i = 0; i < API_WATCHERS; i++)
		if (api.watcher[i].is_listed && api.watcher[i].lock == lock)
			unlist(&api.watcher[i]);
	CALL(evlock_free(l->lock));
	DONE();
	MUST(l->is_value_freed == 1, "the value was freed %d times", l->is_value_freed);
	for (i = 0; i < API_ACTORS; i++)
		if (api.actor[i].lock == lock && api.actor[i].handle)
			bury(i);
	MUST(model_bury(&api.model, lock) == 0, "not everyone was told");
	l->state = ABSENT;
}

static void
free_value(void *value)
{
	((struct lock *)((char *)value - offsetof(struct lock, value)))->is_value_freed++;
}

static void
new_lock(unsigned lock)
{
	struct lock *l = &api.lock[lock];
	struct evlock_options options;

	memset(&options, 0, sizeof options);
	options.modes = api.menu->modes[lock];
	options.flags = api.menu->prefers_last[lock] ? EVLOCK_OPT_PREFER_EXCLUSIVE : 0;
	options.value = &l->value;
	options.free_value = free_value;
	l->is_value_freed = 0;
	l->lock = CALL(evlock_new(api.base, &options));
	DONE();
	MUST(l->lock && evlock_get_base(l->lock) == api.base, "errno %d", errno);
	l->state = LIVE;
	model_make(&api.model, lock, api.menu->modes[lock], api.menu->prefers_last[lock]);
}

static void
notify(const struct api_op *op)
{
	struct watcher *w = &api.watcher[op->who];
	struct evlock *lock = api.lock[op->lock].lock;

	MUST(CALL(evlock_notify(lock, op->mode, w->ev)) == 0, "errno %d", errno);
	w->is_listed = 1;
	w->lock = op->lock;
	w->mode = op->mode;
	w->is_due = model_admits(&api.model, w->lock, w->mode);
	w->n_reasons += w->is_due;
	MUST(evlock_notify(lock, op->mode, w->ev) == -1 && errno == EEXIST, "errno %d", errno);
	DONE();
}

static void
unnotify(const struct api_op *op)
{
	struct watcher *w = &api.watcher[op->who];
	struct evlock *lock = api.lock[w->lock].lock;

	MUST(CALL(evlock_unnotify(lock, w->ev)) == 0, "errno %d", errno);
	MUST(evlock_unnotify(lock, w->ev) == -1 && errno == ENOENT, "errno %d", errno);
	DONE();
	unlist(w);
}

static int
is_anyones(evlock_handle handle)
{
	unsigned i;

	for (i = 0; i < API_ACTORS; i++)
		if (api.actor[i].handle == handle)
			return 1;
	return 0;
}

/* Nothing happens, whatever is tried. */
static void
fail_with(struct evlock *lock, evlock_handle handle, const struct api_op *op)
{
	MUST(CALL(evlock_release(lock, handle)) == -1 && errno == ENOENT, "errno %d", errno);
	MUST(evlock_convert(lock, handle, op->mode, NULL, on_told, NULL) == -1 && errno == ENOENT,
	    "errno %d", errno);
	MUST(evlock_mode_of(lock, handle) == -1 && errno == ENOENT, "errno %d", errno);
	MUST(!evlock_value(lock, handle) && errno == EPERM, "errno %d", errno);
	DONE();
}

static void
stray(const struct api_op *op)
{
	const struct actor *a = &api.actor[op->who];
	struct evlock *lock = api.lock[op->lock].lock;

	const evlock_handle handle[] = { a->dead, a->dead + ((evlock_handle)1 << 32), a->dead + 1,
	    ~a->dead, (evlock_handle)op->mode << 61 | op->units };
	unsigned i;

	for (i = 0; i < sizeof handle / sizeof handle[0]; i++)
		if (!is_anyones(handle[i]))
			fail_with(lock, handle[i], op);
	if (a->lock != op->lock)
		fail_with(lock, a->handle, op);
}

/* --- The loop ------------------------------------------------------------------- */

static int
is_anything_due(void)
{
	unsigned i, n = api.model.n_outcomes;

	for (i = 0; i < API_ACTORS; i++)
		n += (unsigned)api.actor[i].is_notice_due;
	for (i = 0; i < API_WATCHERS; i++)
		n += (unsigned)api.watcher[i].is_due;
	return n > 0;
}

static int
is_waiting_for(unsigned who, unsigned timeouts)
{
	const struct model_request *r = model_of(who);
	const struct actor *a = &api.actor[who];

	return (r->state == MODEL_WAITING && timeouts >> a->timeout & 1) +
	    (r->conversion.state == MODEL_WAITING && timeouts >> a->conversion_timeout & 1);
}

/* How many wait with one of these timeouts. */
static int
n_waiting_for(unsigned timeouts)
{
	unsigned who;
	int n = 0;

	for (who = 0; who < api.menu->n_actors; who++)
		n += is_waiting_for(who, timeouts);
	return n;
}

/* Those who wait with a timeout keep the loop alive, and nothing else does. */
static int
n_timers(void)
{
	return n_waiting_for(~(1u << API_FOR_EVER));
}

static int
n_events(void)
{
	return event_base_get_num_events(api.base, EVENT_BASE_COUNT_ADDED);
}

static void
loop(const struct api_op *op)
{
	int flags = op->mode && n_waiting_for(1u << API_BRIEFLY) ? EVLOOP_ONCE : EVLOOP_NONBLOCK;
	int n = 0, n_quiet = 0;

	api.left_inside = api.menu->most_inside ? api.menu->most_inside : ~0ul;
	do {
		api.is_broken = 0;
		MUST(event_base_loop(api.base, flags) >= 0, "the loop");
		MUST(++n < 10000, "what is due does not come");
		flags = EVLOOP_NONBLOCK;
		n_quiet = is_anything_due() ? 0 : n_quiet + 1;
	} while (!n_quiet || (n_timers() != n_events() && n_quiet < 10));
	api.is_broken = 0;
	MUST(n_timers() == n_events(), "%d wait with a timeout, %d events are pending",
	    n_timers(), n_events());
}

/* --- All operations ------------------------------------------------------------- */

static int
is_idle(unsigned who)
{
	return model_of(who)->state == MODEL_GONE;
}

static int
is_mine(const struct api_op *op)
{
	return !is_idle(op->who) && is_live(api.actor[op->who].lock);
}

static int
is_possible(const struct api_op *op)
{
	int is_inside = api.n_callbacks > 0;

	switch (op->kind) {
	case API_NOTHING:
		return 1;
	case API_LOOP:
		return !is_inside;
	case API_BREAK:
		return is_inside && !api.n_calls;
	case API_END:
	case API_CONVERT:
	case API_CONVERT_NOWAIT:
		return is_mine(op);
	case API_NEW:
		return api.lock[op->lock].state == ABSENT;
	case API_CLOSE:
	case API_FREE:
		return is_live(op->lock);
	case API_NOTIFY:
		return is_live(op->lock) && !api.watcher[op->who % API_WATCHERS].is_listed;
	case API_UNNOTIFY:
		return api.watcher[op->who % API_WATCHERS].is_listed;
	case API_STRAY:
		return is_live(op->lock) && api.actor[op->who].dead;
	default:
		return is_idle(op->who) && is_live(op->lock);
	}
}

static void
perform(struct api_op *op)
{
	if (op->kind == API_NOTHING)
		return;
	remember(op);
	switch (op->kind) {
	case API_LOOP:
		loop(op);
		break;
	case API_BREAK:
		event_base_loopbreak(api.base);
		api.is_broken = 1;
		break;
	case API_END:
		end(op->who);
		break;
	case API_CONVERT:
	case API_CONVERT_NOWAIT:
		convert(op);
		break;
	case API_CLOSE:
		close_lock(op->lock);
		break;
	case API_FREE:
		free_lock(op->lock);
		break;
	case API_NEW:
		new_lock(op->lock);
		break;
	case API_NOTIFY:
		op->who %= API_WATCHERS;
		notify(op);
		break;
	case API_UNNOTIFY:
		op->who %= API_WATCHERS;
		unnotify(op);
		break;
	case API_STRAY:
		stray(op);
		break;
	default:
		acquire(op);
	}
	compare();
}

/* --- Deciding: by a list of everything ------------------------------------------ */

#define MOST_LISTED 256

struct list {
	struct api_op op[MOST_LISTED];
	unsigned n;
	unsigned kinds;
};

static void
add(struct list *list, struct api_op op)
{
	if (list->kinds & API_BIT(op.kind) && is_possible(&op) && list->n < MOST_LISTED)
		list->op[list->n++] = op;
}

/* For each mode that is asked for, and each timeout. */
static void
add_modes(struct list *list, struct api_op op)
{
	unsigned n_modes = is_live(op.lock) ? api.model.lock[op.lock].modes->n_modes : 0;
	unsigned mode, timeout;

	for (mode = 0; mode < n_modes; mode++)
		for (timeout = 0; timeout < API_TIMEOUTS; timeout++) {
			int has_timeout = op.kind == API_ACQUIRE || op.kind == API_WITH ||
			    op.kind == API_CONVERT;

			op.mode = (uint8_t)mode;
			op.timeout = (uint8_t)timeout;
			if (api.menu->asked && !(api.menu->asked >> mode & 1))
				continue;
			if (has_timeout ? api.menu->timeouts >> timeout & 1 : !timeout)
				add(list, op);
		}
}

static void
add_actor(struct list *list, unsigned who, unsigned lock)
{
	struct api_op op = { API_ACQUIRE, (uint8_t)who, (uint8_t)lock, 0, 1, 0, 0, 0, 0 };

	for (; op.kind <= API_REQUEST_NOWAIT; op.kind++)
		add_modes(list, op);
	if (is_idle(who) || api.actor[who].lock != lock)
		return;
	op.kind = API_END;
	add(list, op);
	if (model_of(who)->state != MODEL_HOLDING)
		return;
	op.kind = API_CONVERT;
	add_modes(list, op);
	op.kind = API_CONVERT_NOWAIT;
	add_modes(list, op);
}

static void
add_others(struct list *list, unsigned lock)
{
	static const enum api_kind kind[] = { API_CLOSE, API_FREE, API_NEW };
	struct api_op op = { API_NOTHING, 0, (uint8_t)lock, 0, 1, 0, 0, 0, 0 };
	unsigned i;

	for (i = 0; i < sizeof kind / sizeof kind[0]; i++) {
		op.kind = (uint8_t)kind[i];
		if (op.kind != API_CLOSE || !api.model.lock[lock].is_closed)
			add(list, op);
	}
	op.kind = API_NOTIFY;
	add_modes(list, op);
	op.kind = API_UNNOTIFY;
	if (api.watcher[0].lock == lock)
		add(list, op);
}

/* Of those who do nothing, who are all alike, the first only. */
static void
list_all(struct list *list)
{
	static const struct api_op nothing = { API_NOTHING, 0, 0, 0, 1, 0, 0, 0, 0 };
	struct api_op op = nothing;
	unsigned who, lock;
	int has_idle = 0;

	op.kind = api.n_callbacks ? API_NOTHING : API_LOOP;
	add(list, op);
	op.kind = API_BREAK;
	add(list, op);
	for (lock = 0; lock < api.menu->n_locks; lock++)
		add_others(list, lock);
	for (who = 0; who < api.menu->n_actors; who++) {
		if (is_idle(who) && has_idle)
			continue;
		has_idle |= is_idle(who);
		for (lock = 0; lock < api.menu->n_locks; lock++)
			add_actor(list, who, lock);
	}
}

static struct api_op
decide_by_list(unsigned kinds)
{
	struct list list;

	list.n = 0;
	list.kinds = kinds;
	list_all(&list);
	return list.op[choose(api.choices, list.n)];
}

/* --- Deciding: one thing after another ------------------------------------------ */

/* One more set bit of `mask`, or NOTHING. */
static unsigned
choose_bit(unsigned mask)
{
	unsigned i = choose(api.choices, API_KINDS);

	return mask >> i & 1 ? i : API_NOTHING;
}

static void
decide_request(struct api_op *op)
{
	op->timeout = (uint8_t)choose(api.choices, API_TIMEOUTS);
	if (!(api.menu->timeouts >> op->timeout & 1))
		op->timeout = API_FOR_EVER;
	if (op->kind != API_REQUEST && op->kind != API_REQUEST_NOWAIT)
		return;
	op->units = (uint8_t)choose(api.choices, api.menu->most_units + 1);
	op->priority = (uint8_t)choose(api.choices, api.menu->n_priorities);
	op->is_own = choose(api.choices, 3) == 0;
	op->has_notice = choose(api.choices, 3) == 0;
}

static struct api_op
decide_freely(unsigned kinds)
{
	struct api_op op;

	memset(&op, 0, sizeof op);
	op.kind = (uint8_t)choose_bit(kinds);
	op.who = (uint8_t)choose(api.choices, api.menu->n_actors);
	if (op.kind >= API_ACQUIRE && op.kind <= API_CONVERT && !is_idle(op.who) && kinds &
	    API_BIT(API_END) && choose(api.choices, 2))
		op.kind = API_END;
	op.lock = (uint8_t)choose(api.choices, api.menu->n_locks);
	if (!is_live(op.lock))
		op.lock = 0;
	op.mode = (uint8_t)choose(api.choices, is_live(op.lock)
	    ? api.model.lock[op.lock].modes->n_modes : 1);
	decide_request(&op);
	if (!is_possible(&op))
		op.kind = API_NOTHING;
	return op;
}

/* --- Runs ----------------------------------------------------------------------- */

static void
act(unsigned kinds)
{
	struct api_op op;

	if (choices_are_over(api.choices))
		return;
	op = api.menu->is_listed ? decide_by_list(kinds) : decide_freely(kinds);
	perform(&op);
}

static void
act_inside(void)
{
	if (api.left_inside == 0)
		return;
	api.left_inside--;
	act(api.menu->inside);
}

static void
begin(void)
{
	unsigned i;

	for (i = 0; i < API_ACTORS; i++) {
		api.actor[i].request.who = api.actor[i].conversion.who = i;
		api.actor[i].conversion.is_conversion = 1;
	}
	for (i = 0; i < API_WATCHERS; i++)
		if (API_BIT(API_NOTIFY) & (api.menu->outside | api.menu->inside)) {
			api.watcher[i].ev = event_new(api.base, -1, 0, on_room, &api.watcher[i]);
			MUST(api.watcher[i].ev, "event_new");
		}
	for (i = 0; i < api.menu->n_locks; i++)
		new_lock(i);
}

static void
finish(void)
{
	static const struct api_op once;
	unsigned i;

	for (i = 0; i < api.menu->n_locks; i++)
		if (is_live(i))
			free_lock(i);
	MUST(!is_anything_due(), "something is due");
	for (i = 0; i < API_WATCHERS; i++)
		if (api.watcher[i].ev)
			event_free(api.watcher[i].ev);
	loop(&once);	/* nothing comes any more */
	MUST(event_base_get_num_events(api.base, EVENT_BASE_COUNT_ACTIVE) == 0, "events are left");
}

void
api_run(struct event_base *base, const struct api_menu *menu, struct choices *choices)
{
	memset(&api, 0, sizeof api);
	api.base = base;
	api.menu = menu;
	api.choices = choices;
	api.left_inside = ~0ul;
	must_tell_story = tell_latest;
	begin();
	while (!choices_are_over(choices))
		act(menu->outside);
	finish();
	must_tell_story = NULL;
}

void
api_print_counts(void)
{
	unsigned i;

	fprintf(stderr, "#");
	for (i = 1; i < API_KINDS; i++)
		if (api_counts.ops[i])
			fprintf(stderr, " %s %lu,", kind_name[i], api_counts.ops[i]);
	fprintf(stderr, " callbacks %lu (%lu failures), notices %lu, room %lu, expired %lu\n",
	    api_counts.callbacks, api_counts.errors, api_counts.notices, api_counts.rooms,
	    api_counts.expired);
}
