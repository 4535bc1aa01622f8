/* SPDX-License-Identifier: BSD-3-Clause */

/* evlock_set_mem_functions(), and how the library behaves without memory.  A scenario that uses
 * everything is played with each allocation failing, once and for ever. */

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "loop/port.h"

#include "../shim.h"
#include "../util.h"
#include "../scenario.h"

/* --- evlock_set_mem_functions() ------------------------------------------- */

static unsigned n_malloc, n_free;

static void *
my_malloc(size_t size)
{
	n_malloc++;
	return malloc(size);
}

static void *
no_realloc(void *p, size_t size)
{
	(void)p;
	(void)size;
	abort();
}

static void
my_free(void *p)
{
	n_free++;
	free(p);
}

static void
use_a_lock(void)
{
	struct event_base *b = event_base_new();
	struct evlock *l = evlock_new(b, &(struct evlock_options){ .name = "mine" });

	ASK(l, "a", .mode = X, .handle = EVLOCK_HANDLE_FROM(l));
	ask_for(l, "b", X, 1);
	event_base_dispatch(b);
	cr_assert_str_eq(told(), "a b:ETIMEDOUT");
	evlock_free(l);
	event_base_free(b);
}

Test(mem, functions_are_replaced)
{
	evlock_set_mem_functions(my_malloc, no_realloc, my_free);
	use_a_lock();
	cr_assert_gt(n_malloc, 3);
	cr_assert_eq(n_malloc, n_free);
}

Test(mem, functions_of_null_are_the_standard_ones)
{
	evlock_set_mem_functions(my_malloc, no_realloc, my_free);
	evlock_set_mem_functions(NULL, NULL, NULL);
	use_a_lock();
	cr_assert_eq(n_malloc, 0);
	cr_assert_eq(n_free, 0);
}

static void *
silent_failure(size_t size)
{
	(void)size;
	errno = 0;
	return NULL;
}

Test(mem, functions_need_not_set_errno)
{
	struct event_base *b = event_base_new();

	evlock_set_mem_functions(silent_failure, NULL, NULL);
	errno = 0;
	cr_assert_null(evlock_new(b, NULL));
	cr_assert_eq(errno, ENOMEM);
	event_base_free(b);
}

/* --- Every allocation fails ----------------------------------------------- */

#define N_HELD 70	/* more than a pool's first slots */
#define N_TIMED 20	/* more than libevent's first heap */
#define N_OWN 400	/* makes the hash table grow */

static struct event *ev[2];
static struct evlock *a, *b;

static void
use_everything(void)
{
	struct timeval soon = milliseconds(1);
	struct evlock_options options = { .name = "a" };
	evlock_handle held[N_HELD], handle;
	static char own[N_OWN];
	unsigned i;

	TRY((a = evlock_new(base, &options)), NULL);
	TRY((b = evlock_new(base, NULL)), NULL);
	for (i = 0; i < N_HELD; i++)
		TRY((held[i] = evlock_acquire_nowait(a, S)), 0);
	TRY(evlock_notify(a, X, ev[0]), -1);
	TRY(evlock_notify(a, S, ev[1]), -1);
	TRY_TO_ASK(evlock_acquire(a, S, NULL, count_told, arg));
	TRY_TO_ASK(evlock_with(a, S, NULL, count_told, arg));
	for (i = 0; i < N_TIMED; i++)
		TRY_TO_ASK(evlock_acquire(a, X, &soon, count_told, arg));
	TRY_TO_ASK(evlock_acquire_request(a, &(struct evlock_request){ .mode = X, .priority = 2,
	    .timeout = &soon, .handle = EVLOCK_HANDLE_FROM(own), .notice_cb = count_told,
	    .cb = count_told, .arg = arg }));
	for (i = 0; i < N_OWN; i++)
		TRY(evlock_acquire_request(b, &(struct evlock_request){ .mode = S,
		    .handle = EVLOCK_HANDLE_FROM(&own[i]) }), 0);
	TRY_TO_ASK(evlock_convert(a, held[0], X, &soon, count_told, arg) == 0);
	TRY_TO_ASK(evlock_convert(a, held[1], N, NULL, count_told, arg) == 0);
	event_base_loop(base, EVLOOP_NONBLOCK);
	for (i = 2; i < N_HELD; i++)
		cr_assert_eq(evlock_release(a, held[i]), 0);
	TRY((handle = evlock_acquire_request(b, &(struct evlock_request){ .mode = N,
	    .notice_cb = count_told, .arg = &was_told[MOST_ASKED - 1] })), 0);
	TRY(evlock_convert_nowait(b, handle, S), -1);
	for (i = 0; i < 2 * EVL_BUDGET; i++)
		TRY_TO_ASK(evlock_acquire(b, S, NULL, count_told, arg));
	event_base_loop(base, EVLOOP_NONBLOCK);
}

/* Each request that was made is called back once. */
static void
check_all_told(void)
{
	unsigned i;

	for (i = 0; i < n_asked; i++)
		cr_assert_eq(was_told[i], is_due[i], "%u was called back %d times", i, was_told[i]);
}

static void
end_everything(void)
{
	if (a)
		evlock_close(a);
	event_base_loop(base, EVLOOP_NONBLOCK);
	evlock_free(a);
	evlock_free(b);
	check_all_told();
	event_base_loop(base, EVLOOP_NONBLOCK);
}

static void
begin_everything(void)
{
	ev[0] = new_event("");
	ev[1] = new_event("");
	a = b = NULL;
}

static void
free_events(void)
{
	event_free(ev[0]);
	event_free(ev[1]);
}

static const struct scenario everything = {
	begin_everything, use_everything, end_everything, free_events, NULL
};

LockTest(mem, every_allocation_fails_once)
{
	fail_each_allocation(&everything, 0, N_OWN);
}

LockTest(mem, every_allocation_fails_for_ever)
{
	fail_each_allocation(&everything, 1, N_OWN);
}

/* --- A drain without memory for its timer --------------------------------- */

LockTest(mem, all_are_called_back_without_memory)
{
	unsigned i, n = 5 * EVL_BUDGET;

	for (i = 0; i < n; i++)
		ask(lock, "", S);
	memory.first_bad = 0;
	memory.last_bad = LONG_MAX;
	run();
	memory.last_bad = 0;
	ask(lock, "last", S);
	cr_assert_str_eq(run(), "last");
	cr_assert_eq(evlock_held(lock, S), n + 1);
}
