/* SPDX-License-Identifier: BSD-3-Clause */

/* The same random story in three ways: by the plain calls, which have quick paths; by
 * evlock_acquire_request() with the same arguments; and with THREADSAFE locks, which have no quick
 * paths.  What can be seen of the locks must be the same.  The story has sets, owners,
 * conversions, semaphores, keys and watchers, because a quick path may forget any of them.
 *
 * With THREADSAFE locks four things may differ: the place of a notice or an event among the
 * callbacks, the pass of the loop in which a callback runs, how long an unused key exists, and
 * which call asks for memory.
 *
 * Each way writes down what it sees, and the texts are compared.  EVLOCK_TEST_SEED=n repeats a
 * story.  No timer in it expires by itself. */

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <event2/event.h>
#include <evlock/owner.h>
#include <evlock/semaphore.h>
#include <evlock/set.h>
#include <evlock/table.h>

#include "../shim.h"
#include "choices.h"
#include "calls/end.h"
#include "calls/life.h"
#include "../must.h"
#include "tables.h"

MUST_REPORT_BY_CRITERION

#define STEPS		300	/* of one story */
#define MOST_INSIDE	200	/* in the callbacks of one loop */

/* Three locks, the objects of two keys, and two sets of some of these. */
enum { KEY = 3, SET = 5, PLACES = 7, TABLE = PLACES };
enum { REQUESTS = 14, OWNERS = 3, WATCHERS = 3 };

enum way { BY_PLAIN_CALLS, BY_REQUESTS, THREADSAFE };
static const char *const way_name[] = { "by plain calls", "by requests", "threadsafe" };

enum kind {
	ACQUIRE, NOWAIT, WITH, REQUEST, REQUEST_NOWAIT, OF_TABLE, END, CONVERT, CONVERT_NOWAIT,
	EXPIRE, LOOP, PASS, BREAK, NOTIFY, UNNOTIFY, RESIZE, RELEASE_ALL, DUMP, SHORT_OF_MEMORY,
	CLOSE, FREE, FREE_TABLE, KINDS
};
static const char *const kind_name[] = {
	"acquire", "nowait", "with", "request", "request nowait", "of table", "end", "convert",
	"convert nowait", "expire", "loop", "pass", "break", "notify", "unnotify", "resize",
	"release all", "dump", "short of memory", "close", "free", "free table"
};

struct place {
	struct evlock *lock;	/* NULL: none, or it is being freed */
	unsigned serial;
	unsigned n_modes;
	int is_dying;
	struct table table;
	int value;
};

struct request {
	unsigned who;
	int is_live;
	int is_scoped;
	evlock_handle handle;
	unsigned place, serial;
	unsigned owner;
	struct evlock *lock;	/* NULL: of a table, and not known yet */
};

struct watcher {
	struct event *ev;
	unsigned who, place, serial;
	int is_listed, has_run;
};

static struct {
	enum way way;
	int is_strict;		/* 0: leaves out what may differ with THREADSAFE locks */
	struct event_base *base;
	FILE *out;
	struct choices choices;
	struct evlock_table *table;
	unsigned table_serial;
	struct place place[PLACES];
	struct request request[REQUESTS];
	struct evlock_owner *owner[1 + OWNERS];
	struct watcher watcher[WATCHERS];
	unsigned n_callbacks, left_inside, depth;
} w;

static unsigned n_short;	/* the number of allocations that fail */

static unsigned
pick(unsigned n)
{
	return choose(&w.choices, n);
}

/* --- What is seen ------------------------------------------------------------------- */

static void say(const char *format, ...) __attribute__((format(printf, 1, 2)));

static void
say(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vfprintf(w.out, format, args);
	va_end(args);
}

/* Writes a handle as the number of its request, and a lock as its place.  The number after the
 * last means none. */
static void
say_handle(evlock_handle handle)
{
	unsigned i;

	for (i = 0; i < REQUESTS && w.request[i].handle != handle; i++)
		;
	say("#%u", i);
}

static void
say_lock(const struct evlock *lock)
{
	unsigned i;

	for (i = 0; i < PLACES && w.place[i].lock != lock; i++)
		;
	say(" lock %u", i);
}

static int
is_there(unsigned place, unsigned serial)
{
	if (place == TABLE)
		return w.table && w.table_serial == serial;
	return w.place[place].lock && w.place[place].serial == serial;
}

static int
is_live(const struct request *r)
{
	return r->is_live && is_there(r->place, r->serial);
}

static void
see_place(const struct place *p)
{
	unsigned m;

	say(" | %zu %u:", evlock_waiting(p->lock), evlock_locked(p->lock));
	for (m = 0; m < p->n_modes; m++)
		say(" %" PRIu32, evlock_held(p->lock, m));
	say(" %" PRIu32, evlock_semaphore_available(p->lock));
}

static void
see_request(const struct request *r)
{
	int mode = evlock_mode_of(r->lock, r->handle);

	say(" %d%s%s", mode, evlock_value(r->lock, r->handle) ? "r" : "",
	    evlock_value_mut(r->lock, r->handle) ? "w" : "");
}

static void
see_owner(const struct evlock_owner *owner)
{
	unsigned i;

	say(" |");
	for (i = 0; i < PLACES; i++)
		if (w.place[i].lock)
			say(" %d", evlock_owner_mode(owner, w.place[i].lock));
}

static void
see(void)
{
	unsigned i;

	for (i = 0; i < PLACES; i++)
		if (w.place[i].lock)
			see_place(&w.place[i]);
	say("\n    ");
	for (i = 0; i < REQUESTS; i++)
		if (is_live(&w.request[i]) && w.request[i].lock)
			see_request(&w.request[i]);
	for (i = 1; i <= OWNERS; i++)
		see_owner(w.owner[i]);
	if (w.is_strict)
		say(" | %zu keys, %d events", w.table ? evlock_table_count(w.table) : 0,
		    event_base_get_num_events(w.base, EVENT_BASE_COUNT_ADDED));
	say("\n");
}

/* The numbers in a dump are handles and addresses. */
static void
say_dump(const char *text)
{
	while (*text) {
		char *end = NULL;
		evlock_handle handle = strncmp(text, "0x", 2) ? 0 : strtoull(text, &end, 16);

		if (handle) {
			say_handle(handle);
			text = end;
		} else
			fputc(*text++, w.out);
	}
}

static void
dump(void)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	evlock_dump(w.base, out);
	fclose(out);
	if (w.is_strict)
		say_dump(text);
	free(text);
}

/* --- Callbacks ---------------------------------------------------------------------- */

static void act_inside(void);

static void
enter(void)
{
	w.n_callbacks++;
	w.depth++;
	see();
}

static void
leave(void)
{
	act_inside();
	w.depth--;
}

static void
say_told(const char *what, unsigned who, const struct evlock *lock, evlock_handle handle,
    int error)
{
	say("  %s %u ", what, who);
	say_handle(handle);
	say_lock(lock);
	say(" %d\n", error);
}

static void
on_converted(struct evlock *lock, evlock_handle handle, int error, void *arg)
{
	const struct request *r = arg;

	say_told("converted", r->who, lock, handle, error);
	enter();
	leave();
}

static void
on_told(struct evlock *lock, evlock_handle handle, int error, void *arg)
{
	struct request *r = arg;
	unsigned serial = r->serial;

	say_told("told", r->who, lock, handle, error);
	if (r->place == TABLE && !r->lock && !error)
		r->lock = lock;
	if (error && handle == r->handle)
		r->is_live = 0;
	enter();
	leave();
	if (r->is_scoped && r->handle == handle && r->serial == serial)
		r->is_live = 0;
}

/* Does what evlock_with() does after the callback. */
static void
on_told_once(struct evlock *lock, evlock_handle handle, int error, void *arg)
{
	const struct request *r = arg;
	unsigned place = r->place, serial = r->serial;

	on_told(lock, handle, error, arg);
	if (!error && is_there(place, serial))
		evlock_release(lock, handle);
}

static void
on_notice(struct evlock *lock, evlock_handle handle, int error, void *arg)
{
	const struct request *r = arg;

	if (!w.is_strict)
		return;
	say_told("notice", r->who, lock, handle, error);
	enter();
	leave();
}

/* libevent decides when an event of the caller's runs among the callbacks. */
static void
on_room(evutil_socket_t fd, short what, void *arg)
{
	struct watcher *watcher = arg;

	(void)fd;
	(void)what;
	watcher->has_run = 1;
	if (!w.is_strict)
		return;
	say("  room %u\n", watcher->who);
	enter();
	leave();
}

/* --- Making ------------------------------------------------------------------------- */

static const struct evlock_modes *
draw_modes(struct place *p)
{
	static const struct evlock_modes *const some[] = {
		NULL, NULL, NULL, &table_intention, &table_limits, &table_weights
	};
	unsigned i = pick(sizeof some / sizeof some[0] + 1);

	if (i < sizeof some / sizeof some[0])
		return some[i];
	table_draw(&p->table, &w.choices);
	return &p->table.modes;
}

static unsigned
flags(void)
{
	return w.way == THREADSAFE ? EVLOCK_OPT_THREADSAFE : 0;
}

static void
make_plain(struct place *p)
{
	struct evlock_options options = { .flags = flags(), .name = "plain", .value = &p->value };

	if (pick(5) == 0) {
		p->n_modes = 1;
		p->lock = evlock_semaphore_new(w.base, pick(4), &options);
		return;
	}
	options.modes = draw_modes(p);
	options.flags |= pick(3) ? 0 : EVLOCK_OPT_PREFER_EXCLUSIVE;
	p->n_modes = options.modes ? options.modes->n_modes : 4;
	p->lock = evlock_new(w.base, &options);
}

static void
make_of_key(struct place *p, unsigned key)
{
	p->n_modes = 4;
	p->lock = w.table ? evlock_table_lock(w.table, &"ab"[key], 1) : NULL;
}

/* A set of two earlier places. */
static void
make_set(struct place *p, unsigned n)
{
	struct evlock_set_member member[2];
	unsigned i, place[2];

	p->n_modes = 4;
	for (i = 0; i < 2; i++) {
		place[i] = pick(n);
		member[i].lock = w.place[place[i]].lock;
		member[i].mode = pick(2) ? EVLOCK_SAME_MODE : (int)pick(4);
	}
	say(" of %u in %d, %u in %d", place[0], member[0].mode, place[1], member[1].mode);
	p->lock = evlock_set_new(member, 2, NULL);
}

static void
make(unsigned place)
{
	struct place *p = &w.place[place];

	say("  make %u", place);
	p->serial++;
	if (place < KEY)
		make_plain(p);
	else if (place < SET)
		make_of_key(p, place - KEY);
	else
		make_set(p, place);
	say(p->lock ? "\n" : " fails\n");
}

static void
make_table(void)
{
	struct evlock_options options = { .flags = flags(), .name = "table" };

	w.table_serial++;
	w.table = evlock_table_new(w.base, &options);
}

/* --- Asking --------------------------------------------------------------------------- */

static const struct timeval *
draw_timeout(void)
{
	static const struct timeval hour = { 3600, 0 };

	return pick(4) ? NULL : &hour;
}

/* Returns the first idle request, or NULL. */
static struct request *
begin(unsigned place)
{
	unsigned i;

	for (i = 0; i < REQUESTS; i++) {
		struct request *r = &w.request[i];

		if (is_live(r))
			continue;
		r->is_scoped = 0;
		r->owner = 0;
		r->place = place;
		r->serial = place == TABLE ? w.table_serial : w.place[place].serial;
		r->lock = place == TABLE ? NULL : w.place[place].lock;
		return r;
	}
	return NULL;
}

static void
began(struct request *r, evlock_handle handle)
{
	say("  #%u: %s\n", r->who, handle ? "" : strerror(errno));
	r->is_live = handle != 0;
	if (handle)
		r->handle = handle;
}

static evlock_handle
ask_plainly(struct request *r, const struct evlock_request *q)
{
	if (!q->cb)
		return evlock_acquire_nowait(r->lock, q->mode);
	return (r->is_scoped ? evlock_with : evlock_acquire)(r->lock, q->mode, q->timeout, on_told,
	    q->arg);
}

/* ACQUIRE, NOWAIT or WITH. */
static void
ask(unsigned kind, unsigned place)
{
	struct evlock_request q = { 0 };
	struct request *r = begin(place);

	q.mode = pick(w.place[place].n_modes);
	q.timeout = draw_timeout();
	say(" mode %u%s", q.mode, q.timeout ? " for an hour" : "");
	if (!r)
		return;
	r->is_scoped = kind == WITH;
	q.cb = kind == NOWAIT ? NULL : kind == WITH ? on_told_once : on_told;
	q.arg = r;
	began(r, w.way == BY_REQUESTS ? evlock_acquire_request(r->lock, &q) : ask_plainly(r, &q));
}

/* With every field of a request. */
static void
draw_request(struct request *r, struct evlock_request *q, unsigned n_modes, int is_nowait)
{
	q->mode = pick(n_modes);
	q->timeout = draw_timeout();
	q->units = pick(3) ? 0 : pick(4);
	q->priority = pick(2) ? 0 : pick(4);
	q->handle = pick(4) ? 0 : EVLOCK_HANDLE_FROM(r);
	r->owner = pick(2) ? pick(1 + OWNERS) : 0;
	q->owner = w.owner[r->owner];
	q->cb = is_nowait ? NULL : on_told;
	q->notice_cb = pick(3) ? NULL : on_notice;
	q->arg = r;
	say(" mode %u units %u priority %u owner %u%s%s%s", q->mode, q->units, q->priority,
	    r->owner, q->handle ? " own" : "", q->notice_cb ? " notice" : "",
	    q->timeout ? " for an hour" : "");
}

static void
ask_everything(unsigned kind, unsigned place)
{
	struct evlock_request q = { 0 };
	struct request *r = begin(place);

	if (!r)
		return;
	draw_request(r, &q, w.place[place].n_modes, kind == REQUEST_NOWAIT);
	began(r, evlock_acquire_request(r->lock, &q));
}

static void
ask_table(void)
{
	const char *key = &"abc"[pick(3)];
	struct evlock_request q = { 0 };
	struct request *r = w.table ? begin(TABLE) : NULL;

	if (!r)
		return;
	draw_request(r, &q, 4, pick(4) == 0);
	began(r, evlock_table_acquire_request(w.table, key, 1, &q));
}

/* --- All operations --------------------------------------------------------------------- */

static void
say_result(int result)
{
	say(" %s\n", result ? strerror(errno) : "done");
}

static int
release(const struct request *r)
{
	return r->lock ? evlock_release(r->lock, r->handle)
	    : evlock_table_release(w.table, r->handle);
}

/* The release of a handle that has ended fails. */
static void
end(struct request *r)
{
	if (!r->handle || !is_there(r->place, r->serial) || (!r->is_live && r->place == TABLE))
		return;
	r->is_live = 0;
	say_result(release(r));
}

static void
convert(struct request *r, int is_nowait)
{
	unsigned mode = pick(r->place == TABLE ? 4 : w.place[r->place].n_modes);
	const struct timeval *timeout = draw_timeout();

	if (!is_live(r) || !r->lock)
		return;
	say(" to %u", mode);
	say_result(is_nowait ? evlock_convert_nowait(r->lock, r->handle, mode)
	    : evlock_convert(r->lock, r->handle, mode, timeout, on_converted, r));
}

/* The timer of a request, or of its conversion, expires. */
static void
expire(const struct request *r)
{
	struct evl_request *request;

	if (!is_live(r) || !r->lock)
		return;
	request = evl_life_find(r->lock, r->handle);
	if (!request || !request->seat.ties)
		return;
	if (request->seat.ties->conversion)
		request = EVL_REQUEST(request->seat.ties->conversion);
	if (request->seat.ties && evl_extra_of(request)->has_timer)
		evl_end_expire(request);
}

static void
watch(struct watcher *watcher, unsigned place)
{
	unsigned mode = pick(w.place[place].n_modes);

	if (watcher->is_listed && is_there(watcher->place, watcher->serial))
		return;
	watcher->is_listed = 1;
	watcher->place = place;
	watcher->serial = w.place[place].serial;
	say(" mode %u", mode);
	say_result(evlock_notify(w.place[place].lock, mode, watcher->ev));
}

static void
unwatch(struct watcher *watcher)
{
	if (!watcher->is_listed || !is_there(watcher->place, watcher->serial))
		return;
	watcher->is_listed = 0;
	say_result(evlock_unnotify(w.place[watcher->place].lock, watcher->ev));
}

static void
release_all(unsigned owner)
{
	size_t n = evlock_owner_release_all(w.owner[owner]);
	unsigned i;

	say(" %zu\n", n);
	for (i = 0; i < REQUESTS; i++)
		if (w.request[i].owner == owner)
			w.request[i].is_live = 0;
}

static void
free_lock(struct place *p)
{
	struct evlock *lock = p->lock;

	p->lock = NULL;
	p->is_dying = 1;
	evlock_free(lock);
	p->is_dying = 0;
}

static void
free_table(void)
{
	struct evlock_table *table = w.table;

	w.table = NULL;
	evlock_table_free(table);
}

static void
renew_place(unsigned place)
{
	say("\n");
	if (w.place[place].is_dying)
		return;
	free_lock(&w.place[place]);
	make(place);
}

static void
renew_table(void)
{
	say("\n");
	if (!w.table)
		return;
	free_table();
	make_table();
}

static void
resize(const struct place *p)
{
	uint32_t permits = pick(5);

	say(" %" PRIu32, permits);
	say_result(evlock_semaphore_resize(p->lock, permits));
}

/* --- The loop ----------------------------------------------------------------------------- */

static void
pass(void)
{
	w.left_inside = MOST_INSIDE;
	event_base_loop(w.base, EVLOOP_NONBLOCK);
}

/* Runs until no callback comes. */
static void
loop(void)
{
	unsigned n_quiet = 0;

	say("\n");
	w.left_inside = MOST_INSIDE;
	while (n_quiet < 3) {
		unsigned before = w.n_callbacks;

		event_base_loop(w.base, EVLOOP_NONBLOCK);
		n_quiet = w.n_callbacks == before ? n_quiet + 1 : 0;
	}
}

static void
say_watchers(void)
{
	unsigned i;

	for (i = 0; i < WATCHERS; i++) {
		say("  watcher %u: %d\n", i, w.watcher[i].has_run);
		w.watcher[i].has_run = 0;
	}
}

/* --- Doing ---------------------------------------------------------------------------------- */

static void
do_to_lock(enum kind kind, unsigned place)
{
	switch (kind) {
	case ACQUIRE:
	case NOWAIT:
	case WITH:
		ask(kind, place);
		break;
	case REQUEST:
	case REQUEST_NOWAIT:
		ask_everything(kind, place);
		break;
	case NOTIFY:
		watch(&w.watcher[pick(WATCHERS)], place);
		break;
	case RESIZE:
		resize(&w.place[place]);
		break;
	default:
		evlock_close(w.place[place].lock);
	}
}

static void
do_other(enum kind kind, unsigned which)
{
	struct request *r = &w.request[which % REQUESTS];

	switch (kind) {
	case OF_TABLE:
		ask_table();
		break;
	case END:
		end(r);
		break;
	case CONVERT:
	case CONVERT_NOWAIT:
		convert(r, kind == CONVERT_NOWAIT);
		break;
	case EXPIRE:
		expire(r);
		break;
	case UNNOTIFY:
		unwatch(&w.watcher[which % WATCHERS]);
		break;
	case RELEASE_ALL:
		release_all(1 + which % OWNERS);
		break;
	case DUMP:
		dump();
		break;
	case FREE:
		renew_place(which % PLACES);
		break;
	case FREE_TABLE:
		renew_table();
		break;
	case BREAK:
		event_base_loopbreak(w.base);
		break;
	case SHORT_OF_MEMORY:
		n_short = w.is_strict ? 1 + which % 2 : 0;
		break;
	case PASS:
		if (w.is_strict)
			pass();
		break;
	default:
		loop();
		say_watchers();
	}
}

static int
is_possible(enum kind kind, unsigned place)
{
	switch (kind) {
	case LOOP:
	case PASS:
		return !w.depth;
	case BREAK:
		return w.depth;
	case CLOSE:
		return pick(20) == 0 && (w.is_strict || place < KEY || place >= SET);
	case FREE_TABLE:
		return pick(20) == 0 && w.is_strict;
	case FREE:
	case SHORT_OF_MEMORY:
		return pick(6) == 0;
	default:
		return 1;
	}
}

/* Operations that are common in programs are drawn more often. */
static enum kind
draw_kind(void)
{
	static const enum kind usual[] = { ACQUIRE, ACQUIRE, ACQUIRE, END, END, END, END, LOOP };
	unsigned i = pick(KINDS + sizeof usual / sizeof usual[0]);

	return i < KINDS ? (enum kind)i : usual[i - KINDS];
}

static void
act(void)
{
	enum kind kind = draw_kind();
	unsigned which = pick(PLACES * REQUESTS * OWNERS * WATCHERS), place = which % PLACES;
	int is_of_lock = kind <= REQUEST_NOWAIT || kind == NOTIFY || kind == RESIZE || kind == CLOSE;

	if (!is_possible(kind, place) || (is_of_lock && !w.place[place].lock))
		return;
	say("%*s%s %u/%u/%u", 2 * (int)w.depth, "", kind_name[kind], which % PLACES,
	    which % REQUESTS, which % OWNERS);
	if (is_of_lock)
		do_to_lock(kind, place);
	else
		do_other(kind, which);
	if (kind != SHORT_OF_MEMORY)
		n_short = 0;
	see();
}

static void
act_inside(void)
{
	if (choices_are_over(&w.choices) || !w.left_inside || pick(2))
		return;
	w.left_inside--;
	act();
}

/* --- Stories -------------------------------------------------------------------------------- */

static void *
allocate(size_t size)
{
	if (n_short && n_short--) {
		errno = ENOMEM;
		return NULL;
	}
	return malloc(size);
}

static void
start(void)
{
	unsigned i;

	w.base = event_base_new();
	make_table();
	for (i = 1; i <= OWNERS; i++)
		w.owner[i] = evlock_owner_new(NULL);
	for (i = 0; i < PLACES; i++)
		make(i);
	for (i = 0; i < REQUESTS; i++)
		w.request[i].who = i;
	for (i = 0; i < WATCHERS; i++) {
		w.watcher[i].who = i;
		w.watcher[i].ev = event_new(w.base, -1, 0, on_room, &w.watcher[i]);
	}
}

static void
finish(void)
{
	unsigned i;

	for (i = 0; i < PLACES; i++)
		free_lock(&w.place[i]);
	free_table();
	for (i = 1; i <= OWNERS; i++)
		evlock_owner_free(w.owner[i]);
	for (i = 0; i < WATCHERS; i++)
		event_free(w.watcher[i].ev);
	say("%d events are left\n", event_base_get_num_events(w.base,
	    EVENT_BASE_COUNT_ADDED | EVENT_BASE_COUNT_ACTIVE));
	event_base_free(w.base);
}

/* Returns everything that was seen. */
static char *
live(enum way way, uint64_t seed, int is_strict)
{
	char *text = NULL;
	size_t size, seen;

	memset(&w, 0, sizeof w);
	n_short = 0;
	w.way = way;
	w.is_strict = is_strict;
	w.out = open_memstream(&text, &size);
	choices_random(&w.choices, seed, 12 * STEPS);
	start();
	while (!choices_are_over(&w.choices))
		act();
	fflush(w.out);
	seen = size;
	finish();
	fclose(w.out);
	if (!is_strict)
		text[seen] = '\0';
	return text;
}

/* Prints the lines up to the first difference. */
static const char *
difference(const char *one, const char *other)
{
	static char text[4096];
	size_t n = 0, from;

	while (one[n] && one[n] == other[n])
		n++;
	from = n > 3000 ? n - 3000 : 0;
	snprintf(text, sizeof text, "...%.*s\n>>> one: %.300s\n>>> other: %.300s\n", (int)(n - from),
	    one + from, one + n, other + n);
	return text;
}

static void
compare(uint64_t seed, enum way way, int is_strict)
{
	char *plain = live(BY_PLAIN_CALLS, seed, is_strict), *other = live(way, seed, is_strict);

	must_note = seed;
	MUST(!strcmp(plain, other), "%s:\n%s", way_name[way], difference(plain, other));
	free(plain);
	free(other);
}

static void
run(enum way way, int is_strict)
{
	long n = must_times(20, 200, 4000);
	uint64_t seed = must_seed();

	must_report = report;
	evlock_set_mem_functions(allocate, NULL, free);
	for (; n-- > 0; seed++)
		compare(seed, way, is_strict);
}

Test(ways, plain_calls_do_what_requests_do, .timeout = 1200)
{
	run(BY_REQUESTS, 1);
}

Test(ways, locks_of_one_loop_do_what_those_of_several_do, .timeout = 1200)
{
	run(THREADSAFE, 0);
}
