/* SPDX-License-Identifier: BSD-3-Clause */

/* In steady state an acquisition allocates nothing: neither from evlock's allocator nor from
 * libevent's, nor from malloc() directly. */

#include <stdlib.h>

#include "loop/port.h"

#include "../shim.h"
#include "../util.h"

/* --- Counting malloc() ---------------------------------------------------- */

static long n_malloc;

/* A sanitizer replaces malloc(), and valgrind replaces this one. */
#if defined __has_feature
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define HAS_ANOTHER_MALLOC
#endif
#endif
#if defined __SANITIZE_ADDRESS__ || defined __SANITIZE_THREAD__ || !defined __GLIBC__
#define HAS_ANOTHER_MALLOC
#endif

#ifndef HAS_ANOTHER_MALLOC

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *p, size_t size);

void *
malloc(size_t size)
{
	n_malloc++;
	return __libc_malloc(size);
}

void *
calloc(size_t n, size_t size)
{
	n_malloc++;
	return __libc_calloc(n, size);
}

void *
realloc(void *p, size_t size)
{
	n_malloc++;
	return __libc_realloc(p, size);
}

#endif

/* The first time a budget is spent, libevent allocates room for a timer. */
static void
use_up_budget(void)
{
	struct evlock *l = evlock_new(base, NULL);
	unsigned i;

	for (i = 0; i <= EVL_BUDGET; i++)
		ask(l, "", N);
	turn();
	evlock_free(l);
}

/* Runs rounds until nothing new is allocated, then some more, and counts. */
static void
check_steady(void (*round)(void))
{
	unsigned i, n = scaled(20);
	long made, from_malloc;

	for (i = 0; i < 4; i++)
		round();
	use_up_budget();
	made = memory.made;
	from_malloc = n_malloc;
	for (i = 0; i < n; i++)
		round();
	from_malloc = n_malloc - from_malloc;	/* cr_assert_eq() allocates */
	cr_assert_eq(memory.made - made, 0, "%ld allocations", memory.made - made);
	cr_assert_eq(from_malloc, 0, "%ld times malloc()", from_malloc);
}

/* Is an allocation noticed? */
LockTest(steady, is_counted)
{
	long made = memory.made, from_malloc = n_malloc;

	evlock_free(evlock_new(base, NULL));
	from_malloc = n_malloc - from_malloc;
	cr_assert_gt(memory.made, made);
#ifndef HAS_ANOTHER_MALLOC
	if (!getenv("EVLOCK_TEST_WRAPPER"))
		cr_assert_gt(from_malloc, 0);
#endif
}

/* --- The daily load of a server ------------------------------------------- */

static unsigned n_told;

static void
quietly(struct evlock *l, evlock_handle handle, int error, void *arg)
{
	(void)arg;
	n_told++;
	if (!error && evlock_mode_of(l, handle) >= 0)
		evlock_release(l, handle);
}

static void
keep(struct evlock *l, evlock_handle handle, int error, void *arg)
{
	(void)l;
	(void)handle;
	(void)error;
	(void)arg;
	n_told++;
}

static void
run_quietly(void)
{
	event_base_loop(base, EVLOOP_NONBLOCK);
}

static void
nowait(void)
{
	evlock_release(lock, evlock_acquire_nowait(lock, X));
	evlock_release(lock, evlock_acquire_nowait(lock, S));
}

LockTest(steady, nowait) { check_steady(nowait); }

static void
plain(void)
{
	evlock_acquire(lock, X, NULL, quietly, NULL);
	run_quietly();
}

LockTest(steady, plain) { check_steady(plain); }

static void
with(void)
{
	evlock_with(lock, X, NULL, keep, NULL);
	evlock_with(lock, S, NULL, keep, NULL);
	run_quietly();
}

LockTest(steady, with) { check_steady(with); }

static void
refused(void)
{
	evlock_handle held = evlock_acquire_nowait(lock, X);

	evlock_acquire_nowait(lock, X);
	evlock_acquire_nowait(lock, 99);
	evlock_release(lock, 99);
	evlock_release(lock, held);
}

LockTest(steady, refused) { check_steady(refused); }

static void
converted(void)
{
	evlock_handle a = evlock_acquire_nowait(lock, S), b = evlock_acquire_nowait(lock, S);

	evlock_convert(lock, a, X, NULL, keep, NULL);
	evlock_release(lock, b);
	run_quietly();
	evlock_convert(lock, a, S, NULL, keep, NULL);
	run_quietly();
	evlock_convert_nowait(lock, a, X);
	evlock_release(lock, a);
}

LockTest(steady, converted) { check_steady(converted); }

static void
timed_out(void)
{
	struct timeval now = { 0, 0 };
	evlock_handle held = evlock_acquire_nowait(lock, X);

	evlock_acquire(lock, X, &now, quietly, NULL);
	event_base_dispatch(base);
	evlock_release(lock, held);
}

LockTest(steady, timed_out) { check_steady(timed_out); }

static void
noticed(void)
{
	struct evlock_request request = { .mode = X, .cb = keep, .notice_cb = quietly };

	evlock_acquire_request(lock, &request);
	evlock_acquire_request(lock, &request);
	evlock_release(lock, evlock_acquire(lock, X, NULL, keep, NULL));
	evlock_acquire(lock, X, NULL, quietly, NULL);
	run_quietly();
	run_quietly();
}

LockTest(steady, noticed) { check_steady(noticed); }

static void
on_notify(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
	n_told++;
}

static void
notified(void)
{
	evlock_release(lock, evlock_acquire_nowait(lock, X));
	run_quietly();
}

LockTest(steady, notified)
{
	struct event *ev = event_new(base, -1, 0, on_notify, NULL);

	cr_assert_eq(evlock_notify(lock, X, ev), 0);
	check_steady(notified);
	cr_assert_geq(n_told, 4);
	cr_assert_eq(evlock_unnotify(lock, ev), 0);
	event_free(ev);
}

/* --- A thousand at a time ------------------------------------------------- */

#define N_MANY 1000

static char many[N_MANY];

/* Requests like `q`, which wait for one holder and follow each other. */
static void
queue_of(const struct evlock_request *q, int is_own)
{
	evlock_handle held = evlock_acquire_nowait(lock, X);
	struct evlock_request request = *q;
	unsigned i;

	request.cb = quietly;
	for (i = 0; i < N_MANY; i++) {
		if (is_own)
			request.handle = EVLOCK_HANDLE_FROM(&many[i]);
		request.mode = i % 2 ? X : S;
		evlock_acquire_request(lock, &request);
	}
	n_told = 0;
	evlock_release(lock, held);
	while (evlock_locked(lock))
		run_quietly();
	if (n_told != N_MANY)
		abort();
}

static const struct timeval hour = { 3600, 0 };

static void
many_plain(void)
{
	queue_of(&(struct evlock_request){ .units = 1 }, 0);
}

LockTest(steady, many_plain) { check_steady(many_plain); }

static void
many_timed(void)
{
	queue_of(&(struct evlock_request){ .timeout = &hour }, 0);
}

LockTest(steady, many_timed) { check_steady(many_timed); }

static void
many_of_own_handles(void)
{
	queue_of(&(struct evlock_request){ .units = 1 }, 1);
}

LockTest(steady, many_of_own_handles) { check_steady(many_of_own_handles); }

static void
many_of_everything(void)
{
	queue_of(&(struct evlock_request){ .timeout = &hour, .notice_cb = keep, .priority = 3 }, 1);
}

LockTest(steady, many_of_everything) { check_steady(many_of_everything); }

static const struct timeval *common;

static void
many_of_a_common_timeout(void)
{
	queue_of(&(struct evlock_request){ .timeout = common }, 0);
}

LockTest(steady, many_of_a_common_timeout)
{
	common = event_base_init_common_timeout(base, &hour);
	check_steady(many_of_a_common_timeout);
}

/* Half as many, because each converted hold is two requests. */
static void
many_converted(void)
{
	evlock_handle held[N_MANY / 2], last;
	unsigned i;

	for (i = 0; i < N_MANY / 2; i++)
		held[i] = evlock_acquire_nowait(lock, N);
	last = evlock_acquire_nowait(lock, X);
	for (i = 0; i < N_MANY / 2; i++)
		evlock_convert(lock, held[i], S, &hour, keep, NULL);
	evlock_release(lock, last);
	run_quietly();
	for (i = 0; i < N_MANY / 2; i++)
		evlock_release(lock, held[i]);
}

/* Not where another thread might end so many.  What a request had beside itself is then returned to
 * its base later, and not all of it is kept. */
LockTest(steady, many_converted)
{
	if (!is_threadsafe())
		check_steady(many_converted);
}

static void
many_withdrawn(void)
{
	evlock_handle held = evlock_acquire_nowait(lock, X), waiting[N_MANY];
	unsigned i;

	for (i = 0; i < N_MANY; i++)
		waiting[i] = evlock_acquire(lock, X, i % 2 ? &hour : NULL, keep, NULL);
	for (i = 0; i < N_MANY; i++)
		evlock_release(lock, waiting[i]);
	evlock_release(lock, held);
}

LockTest(steady, many_withdrawn)
{
	if (!is_threadsafe())
		check_steady(many_withdrawn);
}

/* Others wait all the time.  More than one leaves at a time, in any order. */
static void
come_and_go(void)
{
	evlock_handle waiting[8] = { 0 };
	unsigned i;

	for (i = 0; i < N_MANY; i++) {
		evlock_handle *slot = &waiting[i * 5 % 8];

		if (*slot)
			evlock_release(lock, *slot);
		*slot = evlock_acquire(lock, X, NULL, keep, NULL);
	}
	for (i = 0; i < 8; i++)
		evlock_release(lock, waiting[i]);
}

LockTest(steady, come_and_go)
{
	hold(lock, X);
	ask(lock, "first", X);
	ask(lock, "second", X);
	check_steady(come_and_go);
	cr_assert_eq(evlock_waiting(lock), 2);
}
