/* SPDX-License-Identifier: BSD-3-Clause */

/* An observer sees each event of each request of its lock, once and in order. */

#include <errno.h>
#include <stdlib.h>

#include <evlock/owner.h>
#include <evlock/set.h>

#include "lock/lock.h"
#include "lock/observe.h"
#include "scopes/outside.h"

#include "../shim.h"
#include "../util.h"
#include "../util3.h"

/* --- An observer that counts and writes down ------------------------------------------- */

#define MOST 100

static const struct evl_request *waiting[MOST];
static uint32_t held[EVLOCK_MAX_MODES];

static const struct evl_request **
place_of(const struct evl_request *r)
{
	size_t i;

	for (i = 0; i < MOST; i++)
		if (waiting[i] == r)
			return &waiting[i];
	return NULL;
}

static size_t
n_waiting(void)
{
	size_t i, n = 0;

	for (i = 0; i < MOST; i++)
		n += waiting[i] != NULL;
	return n;
}

static void
count(const struct evl_request *r, enum evl_event event)
{
	const struct evl_ties *ties = r->seat.ties;

	if (event == EVL_QUEUES)
		*place_of(NULL) = r;
	else if (place_of(r))
		*place_of(r) = NULL;
	if (event == EVL_GAINS)
		held[r->seat.mode] += r->seat.units;
	if (event == EVL_GAINS && ties && ties->of)
		held[ties->mode_before] -= r->seat.units;
	if (event == EVL_LEAVES)
		held[r->seat.mode] -= r->seat.units;
}

/* Writes an event down beside what callbacks write: "+a" request a queues, "=a" it gains the lock,
 * "-a" it withdraws, "!a:ERROR" it fails, "<a" it leaves.  "_" is a request without a name. */
static void
observe(struct evl_observer *observer, struct evl_request *r, enum evl_event event, int error)
{
	static const char sign[] = { '+', '=', '-', '!', '<' };
	char word[80];

	(void)observer;
	count(r, event);
	snprintf(word, sizeof word, "%c%s%s%s", sign[event], r->arg ? (const char *)r->arg : "_",
	    error ? ":" : "", error ? error_name(error) : "");
	write_down(word);
}

static struct evl_observer observer = { .observe = observe };

static void
observe_by(struct evlock *l, struct evl_observer *by)
{
	struct evl_guard *guard = evl_lock_enter(l->body);

	evl_observe_by(l->body, by);
	evl_lock_leave(guard);
}

/* --- Each thing that may happen ---------------------------------------------------------- */

LockTest(observe, what_is_granted_at_once)
{
	evlock_handle h;

	observe_by(lock, &observer);
	h = hold(lock, S);
	cr_assert_str_eq(told(), "=_");
	ask(lock, "a", S);
	cr_assert_str_eq(told(), "=a", "before its callback");
	cr_assert_str_eq(run(), "a", "a callback is no event");
	drop(lock, h);
	cr_assert_str_eq(told(), "<_");
}

LockTest(observe, what_waits)
{
	evlock_handle h = hold(lock, X), a;

	observe_by(lock, &observer);
	a = ask(lock, "a", S);
	ask(lock, "b", S);
	ask(lock, "c", X);
	cr_assert_str_eq(told(), "+a +b +c");
	drop(lock, a);
	cr_assert_str_eq(told(), "-a");
	drop(lock, h);
	cr_assert_str_eq(told(), "<_ =b");
	cr_assert_str_eq(run(), "b");
}

LockTest(observe, nothing_without_an_observer)
{
	observe_by(lock, &observer);
	observe_by(lock, NULL);
	drop(lock, hold(lock, X));
	cr_assert_str_eq(told(), "");
}

/* Numbers the requests that queue. */
static void
number(struct evl_observer *by, struct evl_request *r, enum evl_event event, int error)
{
	static uint64_t n;

	(void)by;
	(void)error;
	if (event == EVL_QUEUES) {
		cr_assert_eq(evl_extra_of(r)->observed, 0);
		evl_extra_of(r)->observed = ++n;
	} else if (event == EVL_GAINS) {
		cr_assert_eq(r->seat.ties ? evl_extra_of(r)->observed : 0, r->arg ? n : 0);
		write_down("gains");
	}
}

LockTest(observe, it_keeps_a_number_for_each_waiter)
{
	struct evl_observer numbering = { .observe = number };
	evlock_handle h = hold(lock, X);

	observe_by(lock, &numbering);
	ask(lock, "a", X);
	cr_assert_str_eq(told(), "");
	drop(lock, h);
	cr_assert_str_eq(run(), "gains a");
	observe_by(lock, NULL);
}

static void
free_observer(struct evl_observer *by)
{
	free(by);
	write_down("freed");
}

LockTest(observe, it_is_freed_with_the_lock)
{
	struct evl_observer *one = calloc(1, sizeof *one);
	struct evlock *l = evlock_new(base, NULL);

	*one = (struct evl_observer){ observe, free_observer };
	observe_by(l, one);
	evlock_free(l);
	cr_assert_str_eq(told(), "freed");
}

LockTest(observe, a_timeout_and_those_who_gain_by_it)
{
	evlock_handle h = hold(lock, S);

	observe_by(lock, &observer);
	ask_for(lock, "a", X, 1);
	ask(lock, "b", S);
	cr_assert_str_eq(run(), "+a +b !a:ETIMEDOUT =b b a:ETIMEDOUT");
	drop(lock, h);
	cr_assert_str_eq(told(), "<_");
}

LockTest(observe, closing)
{
	evlock_handle h = hold(lock, X);

	observe_by(lock, &observer);
	ask(lock, "a", S);
	ask(lock, "b", X);
	evlock_close(lock);
	cr_assert_str_eq(told(), "+a +b !a:ECANCELED !b:ECANCELED");
	drop(lock, h);
	cr_assert_str_eq(told(), "<_");
	cr_assert_str_eq(run(), "a:ECANCELED b:ECANCELED");
}

/* The granted request leaves before its callback; the waiter fails. */
LockTest(observe, freeing)
{
	struct evlock *l = evlock_new(base, NULL);

	observe_by(l, &observer);
	ask(l, "a", X);
	ask(l, "b", X);
	evlock_free(l);
	cr_assert_str_eq(told(), "=a +b <a !b:ECANCELED a:ECANCELED b:ECANCELED");
}

LockTest(observe, scoped)
{
	observe_by(lock, &observer);
	cr_assert_neq(evlock_with(lock, X, NULL, note, (void *)(uintptr_t)"a"), 0);
	cr_assert_str_eq(run(), "=a a <a");
}

LockTest(observe, conversions)
{
	evlock_handle h = hold(lock, S), other = hold(lock, S);

	observe_by(lock, &observer);
	convert(lock, "c", h, X);
	cr_assert_str_eq(told(), "+c");
	drop(lock, other);
	cr_assert_str_eq(told(), "<_ =c");
	cr_assert_str_eq(run(), "c");
	cr_assert_eq(evlock_convert_nowait(lock, h, S), 0);
	cr_assert_str_eq(told(), "=_");
	other = hold(lock, S);
	convert(lock, "d", h, X);
	drop(lock, h);
	cr_assert_str_eq(told(), "=_ +d -d <_");
	drop(lock, other);
	run();
}

LockTest(observe, set_is_told_of_as_a_set)
{
	struct evlock *l = evlock_new(base, NULL), *set = SET(lock, l);
	evlock_handle h = hold(l, X);

	observe_by(set, &observer);
	ask(set, "a", X);
	cr_assert_str_eq(told(), "+a");
	drop(l, h);
	cr_assert_str_eq(told(), "=a");
	cr_assert_str_eq(run(), "a");
	evlock_free(l);
	cr_assert_str_eq(told(), "", "the set's request holds the other member");
	evlock_free(set);
	cr_assert_str_eq(told(), "<a");
}

LockTest(observe, owner_that_would_wait_for_itself)
{
	struct evlock_owner *one = evlock_owner_new("one"), *two = evlock_owner_new("two");
	struct evlock *l = evlock_new(base, NULL);

	observe_by(lock, &observer);
	cr_assert_neq(ASK(lock, "a", .mode = X, .owner = one), 0);
	cr_assert_neq(ASK(l, "b", .mode = X, .owner = two), 0);
	cr_assert_neq(ASK(l, "c", .mode = X, .owner = one), 0);
	cr_assert_eq(ASK(lock, "d", .mode = X, .owner = two), 0);
	cr_assert_str_eq(told(), "=a", "a refused request does not queue");
	evlock_owner_free(one);
	cr_assert_str_eq(told(), "<a");
	evlock_owner_free(two);
	run();
	evlock_free(l);
}

/* --- Loss ------------------------------------------------------------------------------------ */

static int
give(struct evl_outside *o, unsigned mode)
{
	(void)o;
	(void)mode;
	return 1;
}

static void
do_nothing(struct evl_outside *o)
{
	(void)o;
}

static void
free_it(struct evl_outside *o)
{
	free(o);
}

static const struct evl_outside_ops generous = {
	.want = give, .drop = do_nothing, .weaken = do_nothing, .free = free_it
};

LockTest(observe, loss)
{
	static const struct evlock_options no_options;
	struct evl_outside *o = calloc(1, sizeof *o);
	struct evlock *l = evl_outside_new(o, &generous, base, &no_options, 0);

	observe_by(l, &observer);
	ask(l, "a", X);
	ask(l, "b", X);
	cr_assert_str_eq(run(), "+a =a +b a");
	evl_outside_lost(o, ENOLCK);
	cr_assert_str_eq(run(), "<a:ESTALE !b:ENOLCK b:ENOLCK");
	evlock_free(l);
}

/* --- A recount ---------------------------------------------------------------------------- */

#define N_HANDLES 30

static evlock_handle handles[N_HANDLES];

static void
assert_recounted(void)
{
	unsigned mode;

	cr_assert_eq(evlock_waiting(lock), n_waiting());
	for (mode = N; mode <= X; mode++)
		cr_assert_eq(evlock_held(lock, mode), held[mode]);
}

static evlock_handle
ask_for_anything(void)
{
	struct evlock_request q = { .mode = (unsigned)rand() % 4, .units = (unsigned)rand() % 3,
	    .priority = (unsigned)rand() % 4, .arg = (void *)(uintptr_t)"q" };

	q.cb = rand() % 3 ? note : NULL;
	return rand() % 2 ? evlock_acquire_request(lock, &q) : evlock_acquire_nowait(lock, q.mode);
}

static void
do_anything(void)
{
	evlock_handle *handle = &handles[rand() % N_HANDLES];
	unsigned mode = (unsigned)rand() % 4;

	if (!*handle) {
		*handle = ask_for_anything();
	} else if (rand() % 3) {
		evlock_release(lock, *handle);
		*handle = 0;
	} else if (rand() % 2) {
		evlock_convert_nowait(lock, *handle, mode);
	} else {
		evlock_convert(lock, *handle, mode, NULL, note, (void *)(uintptr_t)"c");
	}
}

LockTest(observe, recount_of_anything)
{
	unsigned i;

	srand(1);
	observe_by(lock, &observer);
	for (i = 0; i < scaled(20000); i++) {
		do_anything();
		assert_recounted();
		told();
		if (rand() % 4 == 0)
			turn();
	}
	evlock_close(lock);
	assert_recounted();
	run();
}
