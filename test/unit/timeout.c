/* SPDX-License-Identifier: BSD-3-Clause */

/* Timeouts of requests.  Timeouts of conversions are in convert.c. */

#include <limits.h>
#include <unistd.h>

#include <event2/event_struct.h>

#include "../shim.h"
#include "../util.h"

static int
n_timers(void)
{
	return event_base_get_num_events(base, EVENT_BASE_COUNT_ADDED);
}

LockTest(timeout, tells_and_the_handle_is_gone)
{
	evlock_handle handle;

	hold(lock, X);
	handle = ask_for(lock, "a", X, 2);
	cr_assert_str_eq(run(), "a:ETIMEDOUT");
	cr_assert_eq(evlock_waiting(lock), 0);
	assert_fails(evlock_release(lock, handle), ENOENT);
	assert_fails(evlock_mode_of(lock, handle), ENOENT);
}

LockTest(timeout, is_not_inside_the_call)
{
	hold(lock, X);
	ask_for(lock, "a", X, 0);
	cr_assert_str_eq(told(), "");
	cr_assert_eq(evlock_waiting(lock), 1);
	cr_assert_str_eq(run(), "a:ETIMEDOUT");
}

LockTest(timeout, of_zero_takes_what_is_free)
{
	ask_for(lock, "a", X, 0);
	cr_assert_str_eq(run(), "a");
}

static void
check_negative(long sec, long usec)
{
	struct timeval timeout = { .tv_sec = sec, .tv_usec = usec };

	cr_assert_neq(ASK(lock, "a", .mode = X, .timeout = &timeout), 0);
	cr_assert_str_eq(told(), "");
	cr_assert_str_eq(run(), "a:ETIMEDOUT");
}

LockTest(timeout, negative_is_zero)
{
	hold(lock, X);
	check_negative(-1, 0);
	check_negative(0, -1);
	check_negative(-1, 999999);
	check_negative(-3600, -1);
	check_negative(1, -2000000);
	check_negative(0, LONG_MIN);
	check_negative(5, LONG_MIN);
	check_negative(LONG_MIN, LONG_MIN);
	check_negative(LONG_MIN, LONG_MAX);
}

LockTest(timeout, negative_comes_no_sooner_than_zero)
{
	struct timeval past = { -3600, 0 };

	hold(lock, X);
	ask_for(lock, "first", X, 0);
	usleep(3000);
	ASK(lock, "second", .mode = X, .timeout = &past);
	cr_assert_str_eq(run(), "first:ETIMEDOUT second:ETIMEDOUT");
}

/* Late timeouts are so late that no machine is too slow for the first one. */
LockTest(timeout, each_at_its_own_time)
{
	evlock_handle late;

	hold(lock, X);
	late = ask_for(lock, "late", X, 600 * 1000);
	ask_for(lock, "early", X, 1);
	ask_for(lock, "never", X, 3600 * 1000);
	while (evlock_waiting(lock) > 2)
		event_base_loop(base, EVLOOP_ONCE);
	cr_assert_str_eq(turn(), "early:ETIMEDOUT");
	drop(lock, late);
	ask_for(lock, "soon", X, 1);
	while (evlock_waiting(lock) > 1)
		event_base_loop(base, EVLOOP_ONCE);
	cr_assert_str_eq(turn(), "soon:ETIMEDOUT");
}

LockTest(timeout, lets_those_behind_in)
{
	hold(lock, S);
	ask_for(lock, "writer", X, 1);
	ask(lock, "a", S);
	ask(lock, "b", S);
	ask(lock, "next writer", X);
	cr_assert_eq(evlock_waiting(lock), 4);
	cr_assert_str_eq(run(), "a b writer:ETIMEDOUT");
}

LockTest(timeout, does_not_take_back_a_grant)
{
	evlock_handle held = hold(lock, X), handle = ask_for(lock, "a", X, 1);

	drop(lock, held);
	usleep(5000);
	cr_assert_str_eq(run(), "a");
	cr_assert_eq(evlock_mode_of(lock, handle), X);
}

static evlock_handle to_be_released;

static void
release_it(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
	drop(lock, to_be_released);
}

/* The timer has expired, and an event ahead of it in the same pass of the loop grants the request.
 * The request stays granted. */
LockTest(timeout, does_not_take_back_a_grant_that_came_just_before)
{
	struct timeval sooner = milliseconds(1);
	evlock_handle handle;

	to_be_released = hold(lock, X);
	event_base_once(base, -1, EV_TIMEOUT, release_it, NULL, &sooner);
	handle = ask_for(lock, "a", X, 5);
	usleep(20000);
	cr_assert_str_eq(run(), "a");
	cr_assert_eq(evlock_mode_of(lock, handle), X);
}

LockTest(timeout, many)
{
	unsigned i;

	hold(lock, X);
	for (i = 0; i < 500; i++)
		ask_for(lock, "a", X, i % 5);
	run();
	cr_assert_eq(evlock_waiting(lock), 0);
}

/* --- Numbers out of range --------------------------------------------------- */

static int
find_timer(const struct event_base *b, const struct event *ev, void *end)
{
	(void)b;
	return event_pending(ev, EV_TIMEOUT, end);
}

/* Returns the seconds until the only timer expires. */
static long
seconds_left(void)
{
	struct timeval end = { 0, 0 }, now;

	cr_assert_eq(n_timers(), 1);
	event_base_foreach_event(base, find_timer, &end);
	evutil_gettimeofday(&now, NULL);
	return (long)(end.tv_sec - now.tv_sec);
}

static void
check_length(long sec, long usec, long least)
{
	struct timeval timeout = { .tv_sec = sec, .tv_usec = usec };
	evlock_handle handle = ASK(lock, "a", .mode = X, .timeout = &timeout);
	long left = seconds_left();

	cr_assert(left >= least - 60 && left <= least + 60, "{%ld,%ld}: %ld s", sec, usec, left);
	cr_assert_str_eq(turn(), "");
	drop(lock, handle);
	settle();
}

LockTest(timeout, microseconds_are_carried)
{
	hold(lock, X);
	check_length(1000, 999999, 1000);
	check_length(1000, 1000000000, 2000);
	check_length(0, 1000000000, 1000);
	check_length(2000, -1000000000, 1000);
	check_length(-1000, 2000000000, 1000);
}

LockTest(timeout, few_microseconds_are_carried)
{
	struct timeval timeout = { -1, 1003000 };

	hold(lock, X);
	ASK(lock, "a", .mode = X, .timeout = &timeout);
	timeout.tv_sec = 1;
	timeout.tv_usec = -995000;
	ASK(lock, "b", .mode = X, .timeout = &timeout);
	cr_assert_str_eq(run(), "a:ETIMEDOUT b:ETIMEDOUT");
}

/* A timeout of "for ever" sets no timer, so the loop ends. */
static void
check_for_ever(long sec, long usec)
{
	struct timeval timeout = { .tv_sec = sec, .tv_usec = usec };
	evlock_handle held = hold(lock, X), a = ASK(lock, "a", .mode = X, .timeout = &timeout);

	cr_assert_eq(n_timers(), 0);
	cr_assert_str_eq(run(), "");
	cr_assert_str_eq(let_go(lock, held), "a");
	drop(lock, a);
}

LockTest(timeout, too_long_for_the_clock_is_none)
{
	check_for_ever(LONG_MAX, 0);
	check_for_ever(LONG_MAX, 999999);
	check_for_ever(LONG_MAX - 1000, 0);
	check_for_ever(LONG_MAX, LONG_MAX);
	check_for_ever(LONG_MAX - 1000, 2000000000);
}

LockTest(timeout, of_the_most_microseconds)
{
	struct timeval timeout = { 0, LONG_MAX };

	hold(lock, X);
	ASK(lock, "a", .mode = X, .timeout = &timeout);
	cr_assert_str_eq(turn(), "");
	cr_assert_eq(evlock_waiting(lock), 1);
}

LockTest(timeout, common_only_by_its_looks)
{
	struct timeval tv = milliseconds(3);

	hold(lock, X);
	check_length(0, 1500000000, 1500);
	check_length(0, 0x50000001, 1342);
	event_base_init_common_timeout(base, &tv);
	check_length(0, 0x50000002, 1342);
	check_length(1, 0x50000000 | 3000, 1343);
	check_length(0, 0x500fffff, 1343);
}

/* --- The timer goes with the wait ----------------------------------------- */

LockTest(timeout, no_timer_where_none_is_needed)
{
	ask(lock, "a", X);
	ask(lock, "b", X);
	cr_assert_str_eq(turn(), "a");
	cr_assert_eq(n_timers(), 0);
}

static void
check_timer_ends_with_the_grant(struct evlock_request *request)
{
	struct timeval hour = { 3600, 0 };
	evlock_handle held = hold(lock, X), handle;

	request->mode = X;
	request->timeout = &hour;
	handle = evlock_acquire_request(lock, request_by("a", request));
	cr_assert_eq(n_timers(), 1);
	drop(lock, held);
	cr_assert_str_eq(turn(), "a");
	cr_assert_eq(n_timers(), 0, "the timer keeps the loop alive, and nobody waits");
	drop(lock, handle);
}

LockTest(timeout, timer_ends_with_the_grant)
{
	check_timer_ends_with_the_grant(&(struct evlock_request){ .units = 1 });
}

LockTest(timeout, timer_ends_with_the_grant_of_an_own_handle)
{
	check_timer_ends_with_the_grant(&(struct evlock_request){
	    .handle = EVLOCK_HANDLE_FROM(&base) });
}

LockTest(timeout, timer_ends_with_the_grant_if_a_notice_is_wanted)
{
	check_timer_ends_with_the_grant(&(struct evlock_request){ .notice_cb = note });
}

LockTest(timeout, timer_ends_with_the_grant_of_what_is_converted)
{
	evlock_handle held = hold(lock, X), other, handle;

	other = ask(lock, "other", S);
	handle = ask_for(lock, "a", S, 3600 * 1000);
	drop(lock, held);
	convert(lock, "up", handle, X);
	cr_assert_str_eq(turn(), "other a");
	cr_assert_eq(n_timers(), 0, "the timer keeps the loop alive, and nobody waits with one");
	drop(lock, other);
	cr_assert_str_eq(turn(), "up");
}

LockTest(timeout, timer_ends_with_the_request)
{
	evlock_handle handle;

	hold(lock, X);
	handle = ask_for(lock, "a", X, 3600 * 1000);
	drop(lock, handle);
	settle();
	cr_assert_eq(n_timers(), 0);
}

LockTest(timeout, timer_ends_with_the_lock)
{
	struct evlock *l = evlock_new(base, NULL);

	hold(l, X);
	ask_for(l, "a", X, 3600 * 1000);
	evlock_free(l);
	cr_assert_str_eq(told(), "a:ECANCELED");
	cr_assert_eq(n_timers(), 0);
}

/* --- Common timeouts ------------------------------------------------------ */

/* libevent marks common timeouts in the upper bits of tv_usec. */
static int
count_common(const struct event_base *b, const struct event *ev, void *n)
{
	(void)b;
	if (ev->ev_timeout.tv_usec > 999999)
		++*(int *)n;
	return 0;
}

LockTest(timeout, common_is_passed_through)
{
	struct timeval tv = milliseconds(3);
	const struct timeval *common = event_base_init_common_timeout(base, &tv);
	int n = 0;

	hold(lock, X);
	ASK(lock, "a", .mode = X, .timeout = common);
	ASK(lock, "b", .mode = X, .timeout = common);
	event_base_foreach_event(base, count_common, &n);
	cr_assert_eq(n, 2);
	cr_assert_str_eq(run(), "a:ETIMEDOUT b:ETIMEDOUT");
}
