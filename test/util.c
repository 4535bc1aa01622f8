/* SPDX-License-Identifier: BSD-3-Clause */

/* See util.h. */

#define SHIM_ASSERTS_ONLY
#include "shim.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "util.h"

struct event_base *base;
struct evlock *lock;

/* --- Memory --------------------------------------------------------------- */

struct memory memory;

static int
is_bad(void)
{
	long i = __atomic_add_fetch(&memory.made, 1, __ATOMIC_RELAXED);

	return memory.last_bad && i >= memory.first_bad && i <= memory.last_bad;
}

static void
count_live(long more)
{
	__atomic_add_fetch(&memory.live, more, __ATOMIC_RELAXED);
}

static void *
counting_malloc(size_t size)
{
	void *p = is_bad() ? NULL : malloc(size);

	count_live(p != NULL);
	return p;
}

static void *
counting_realloc(void *old, size_t size)
{
	void *p = is_bad() ? NULL : realloc(old, size);

	count_live(p && !old);
	return p;
}

static void
counting_free(void *p)
{
	count_live(-(p != NULL));
	free(p);
}

/* --- As threads use them ---------------------------------------------------- */

int
is_threadsafe(void)
{
	return getenv("EVLOCK_TEST_THREADSAFE") != NULL;
}

void
settle(void)
{
	if (is_threadsafe())
		cr_assert_str_eq(turn(), "");
}

const struct evlock_options *
in_scope(const struct evlock_options *options)
{
	static struct evlock_options row[8];
	static unsigned i;
	struct evlock_options *o = &row[i = (i + 1) % 8];

	if (!is_threadsafe())
		return options;
	memset(o, 0, sizeof *o);
	if (options)
		*o = *options;
	o->flags |= EVLOCK_OPT_THREADSAFE;
	return o;
}

/* --- Beginning and ending ------------------------------------------------- */

void
begin(void)
{
	struct evlock_options options = { .name = "lock" };

	evlock_set_mem_functions(counting_malloc, counting_realloc, counting_free);
	event_set_mem_functions(counting_malloc, counting_realloc, counting_free);
	base = event_base_new();
	lock = evlock_new(base, &options);
	cr_assert_not_null(lock);
}

void
end(void)
{
	cr_assert_str_eq(told(), "", "a callback was recorded but not asserted");
	evlock_free(lock);
	event_base_free(base);
	cr_assert_eq(memory.live, 0, "%ld allocations are left", memory.live);
}

/* --- Asking --------------------------------------------------------------- */

evlock_handle
hold(struct evlock *l, unsigned mode)
{
	evlock_handle handle = evlock_acquire_nowait(l, mode);

	cr_assert_neq(handle, 0);
	return handle;
}

static evlock_handle
acquire(struct evlock *l, const char *who, unsigned mode, const struct timeval *timeout,
    evlock_cb cb)
{
	evlock_handle handle = evlock_acquire(l, mode, timeout, cb, (void *)(uintptr_t)who);

	cr_assert_neq(handle, 0);
	return handle;
}

evlock_handle
ask(struct evlock *l, const char *who, unsigned mode)
{
	return acquire(l, who, mode, NULL, note);
}

evlock_handle
ask_for(struct evlock *l, const char *who, unsigned mode, long ms)
{
	struct timeval timeout = milliseconds(ms);

	return acquire(l, who, mode, &timeout, note);
}

evlock_handle
ask_then(struct evlock *l, const char *who, unsigned mode, evlock_cb cb)
{
	return acquire(l, who, mode, NULL, cb);
}

struct evlock_request *
request_by(const char *who, struct evlock_request *request)
{
	request->arg = (void *)(uintptr_t)who;
	if (!request->cb)
		request->cb = note;
	return request;
}

void
convert(struct evlock *l, const char *who, evlock_handle handle, unsigned mode)
{
	cr_assert_eq(evlock_convert(l, handle, mode, NULL, note, (void *)(uintptr_t)who), 0);
}

void
drop(struct evlock *l, evlock_handle handle)
{
	cr_assert_eq(evlock_release(l, handle), 0);
}

struct timeval
milliseconds(long ms)
{
	struct timeval tv = { .tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000 };

	return tv;
}

/* --- Being told ----------------------------------------------------------- */

static char record[1 << 16];
static size_t record_length;

void
write_down(const char *word)
{
	int n = snprintf(record + record_length, sizeof record - record_length, "%s%s",
	    record_length ? " " : "", word);

	record_length += (size_t)n;
	cr_assert_lt(record_length, sizeof record);
}

const char *
error_name(int error)
{
	switch (error) {
	case ETIMEDOUT:	return "ETIMEDOUT";
	case ECANCELED:	return "ECANCELED";
	case EDEADLK:	return "EDEADLK";
	case EAGAIN:	return "EAGAIN";
	case ENOLCK:	return "ENOLCK";
	case ESTALE:	return "ESTALE";
	default:	return strerror(error);
	}
}

void
note(struct evlock *l, evlock_handle handle, int error, void *who)
{
	char word[80];

	cr_assert_neq(handle, 0);
	if (!error) {
		cr_assert_geq(evlock_mode_of(l, handle), 0, "granted, and holds nothing");
		write_down(who);
		return;
	}
	snprintf(word, sizeof word, "%s:%s", (const char *)who, error_name(error));
	write_down(word);
}

void
note_and_drop(struct evlock *l, evlock_handle handle, int error, void *who)
{
	note(l, handle, error, who);
	if (!error)
		drop(l, handle);
}

static void
note_event(evutil_socket_t fd, short what, void *who)
{
	(void)fd;
	cr_assert_eq(what, EV_TIMEOUT);
	write_down(who);
}

struct event *
new_event(const char *who)
{
	struct event *ev = event_new(base, -1, 0, note_event, (void *)(uintptr_t)who);

	cr_assert_not_null(ev);
	return ev;
}

const char *
told(void)
{
	static char copy[sizeof record];

	memcpy(copy, record, record_length + 1);
	record_length = 0;
	record[0] = '\0';
	return copy;
}

const char *
run(void)
{
	cr_assert_geq(event_base_dispatch(base), 0);
	return told();
}

const char *
let_go(struct evlock *l, evlock_handle handle)
{
	drop(l, handle);
	return run();
}

const char *
turn(void)
{
	cr_assert_geq(event_base_loop(base, EVLOOP_NONBLOCK), 0);
	return told();
}

/* --- Looking -------------------------------------------------------------- */

const char *
state(void)
{
	static char *text[4];
	static unsigned next;
	struct memory before = memory;
	size_t size;
	FILE *out;

	next = (next + 1) % 4;
	free(text[next]);
	memory.last_bad = 0;
	out = open_memstream(&text[next], &size);
	evlock_dump(base, out);
	fclose(out);
	memory.made = before.made;
	memory.last_bad = before.last_bad;
	return text[next];
}

unsigned
scaled(unsigned n)
{
	const char *scale = getenv("EVLOCK_TEST_SCALE");

	return scale && !strcmp(scale, "small") ? (n + 9) / 10 : n;
}
