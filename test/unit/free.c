/* SPDX-License-Identifier: BSD-3-Clause */

/* evlock_free(): called from anywhere, with requests in every state. */

#include <unistd.h>

#include "../shim.h"
#include "../util.h"
#include "../util3.h"

/* Makes requests in every state, for tests that free their lock. */
static void
fill(struct evlock *l)
{
	evlock_handle a, b, none;
	int *mine = (int *)(uintptr_t)l;

	a = hold(l, S);
	b = hold(l, S);
	none = hold(l, N);
	convert(l, "converted", none, S);
	ask(l, "granted", S);
	evlock_acquire_request(l, &(struct evlock_request){ .mode = S, .notice_cb = note,
	    .handle = EVLOCK_HANDLE_FROM(mine), .arg = (void *)(uintptr_t)"holder" });
	evlock_with(l, S, NULL, note, (void *)(uintptr_t)"with");
	convert(l, "converting", a, X);
	ask(l, "queued", X);
	ask_for(l, "timed", S, 3600 * 1000);
	ASK(l, "own", .mode = S, .handle = EVLOCK_HANDLE_FROM(mine + 1));
	evlock_with(l, S, NULL, note, (void *)(uintptr_t)"with queued");
	ASK(l, "urgent", .mode = X, .priority = 3);
	drop(l, b);
}

#define ALL "converted:ECANCELED granted:ECANCELED with:ECANCELED converting:ECANCELED " \
	"urgent:ECANCELED queued:ECANCELED timed:ECANCELED own:ECANCELED with queued:ECANCELED"

LockTest(free, tells_everyone_once_inside_the_call)
{
	struct evlock *l = evlock_new(base, NULL);

	fill(l);
	evlock_free(l);
	cr_assert_str_eq(told(), ALL);
	cr_assert_str_eq(run(), "");
}

LockTest(free, tells_no_holder)
{
	struct evlock *l = evlock_new(base, NULL);

	hold(l, S);
	ask(l, "a", S);
	cr_assert_str_eq(run(), "a");
	evlock_free(l);
	cr_assert_str_eq(told(), "");
}

LockTest(free, tells_a_conversion_after_its_request)
{
	struct evlock *l = evlock_new(base, NULL);
	evlock_handle granted;

	hold(l, S);
	granted = ask(l, "granted", S);
	ask(l, "another", S);
	convert(l, "converting", granted, X);
	evlock_free(l);
	cr_assert_str_eq(told(), "granted:ECANCELED converting:ECANCELED another:ECANCELED");
}

LockTest(free, tells_those_that_failed_and_were_not_told)
{
	struct evlock *l = evlock_new(base, NULL);

	hold(l, X);
	ask(l, "a", X);
	ask(l, "b", X);
	evlock_close(l);
	evlock_free(l);
	cr_assert_str_eq(told(), "a:ECANCELED b:ECANCELED");
	cr_assert_str_eq(run(), "");
}

static struct evlock *victim;

static void
free_victim(evutil_socket_t fd, short what, void *who)
{
	(void)fd;
	(void)what;
	write_down(who);
	evlock_free(victim);
}

/* The request's timer and the event that frees its lock become active in one pass of the loop, in
 * this order.  The callback would come third. */
LockTest(free, tells_those_that_timed_out_and_were_not_told)
{
	struct timeval soon = milliseconds(2);

	victim = evlock_new(base, NULL);
	hold(victim, X);
	ask_for(victim, "a", X, 1);
	event_base_once(base, -1, EV_TIMEOUT, free_victim, (void *)(uintptr_t)"event", &soon);
	usleep(20000);
	cr_assert_str_eq(run(), "event a:ETIMEDOUT");
}

static evlock_handle told_handle;

static void
remember_handle(struct evlock *l, evlock_handle handle, int error, void *who)
{
	note(l, handle, error, who);
	told_handle = handle;
}

LockTest(free, tells_the_handles)
{
	struct evlock *l = evlock_new(base, NULL);
	evlock_handle a = hold(l, S);

	hold(l, S);
	evlock_convert(l, a, X, NULL, remember_handle, (void *)(uintptr_t)"a");
	evlock_free(l);
	cr_assert_str_eq(told(), "a:ECANCELED");
	cr_assert_eq(told_handle, a);

	l = evlock_new(base, NULL);
	ASK(l, "b", .handle = EVLOCK_HANDLE_FROM(&base), .cb = remember_handle);
	evlock_free(l);
	cr_assert_str_eq(told(), "b:ECANCELED");
	cr_assert_eq(told_handle, EVLOCK_HANDLE_FROM(&base));
}

LockTest(free, of_null)
{
	evlock_free(NULL);
}

LockTest(free, of_a_lock_never_used)
{
	evlock_free(evlock_new(base, NULL));
}

LockTest(free, last_lock_and_make_another)
{
	evlock_free(lock);
	cr_assert_str_eq(state(), "");
	lock = evlock_new(base, NULL);
	ask(lock, "a", X);
	cr_assert_str_eq(run(), "a");
}

LockTest(free, leaves_other_locks_alone)
{
	struct evlock *l = evlock_new(base, NULL);
	evlock_handle held = hold(lock, X);

	ask(lock, "mine", X);
	fill(l);
	drop(lock, held);
	evlock_free(l);
	cr_assert_str_eq(told(), ALL);
	cr_assert_str_eq(run(), "mine");
}

LockTest(free, order_does_not_matter)
{
	struct evlock *l[5];
	unsigned i;

	for (i = 0; i < 5; i++)
		l[i] = evlock_new(base, NULL);
	for (i = 0; i < 5; i++) {
		fill(l[i * 3 % 5]);
		evlock_free(l[i * 3 % 5]);
		cr_assert_str_eq(told(), ALL);
	}
}

/* --- In a callback of the same lock --------------------------------------- */

static void
free_own(struct evlock *l, evlock_handle handle, int error, void *who)
{
	note(l, handle, error, who);
	evlock_free(l);
}

LockTest(free, in_its_callback)
{
	struct evlock *l = evlock_new(base, NULL);

	ask_then(l, "freeing", N, free_own);
	fill(l);
	cr_assert_str_eq(run(), "freeing " ALL);
}

LockTest(free, in_the_callback_of_a_conversion)
{
	struct evlock *l = evlock_new(base, NULL);

	evlock_convert(l, hold(l, N), N, NULL, free_own, (void *)(uintptr_t)"freeing");
	fill(l);
	cr_assert_str_eq(run(), "freeing " ALL);
}

LockTest(free, in_the_callback_of_a_failed_conversion)
{
	struct evlock *l = evlock_new(base, NULL);
	struct timeval now = { 0, 0 };
	evlock_handle a = hold(l, S);

	hold(l, S);
	evlock_convert(l, a, X, &now, free_own, (void *)(uintptr_t)"freeing");
	ask(l, "queued", X);
	cr_assert_str_eq(run(), "freeing:ETIMEDOUT queued:ECANCELED");
}

LockTest(free, in_the_callback_of_a_timeout)
{
	struct evlock *l = evlock_new(base, NULL);
	struct timeval now = { 0, 0 };

	hold(l, X);
	ASK(l, "freeing", .mode = X, .timeout = &now, .cb = free_own);
	ask(l, "queued", X);
	cr_assert_str_eq(run(), "freeing:ETIMEDOUT queued:ECANCELED");
}

LockTest(free, in_the_callback_of_a_cancellation)
{
	struct evlock *l = evlock_new(base, NULL);

	hold(l, X);
	ask_then(l, "freeing", X, free_own);
	ask(l, "queued", X);
	evlock_close(l);
	cr_assert_str_eq(run(), "freeing:ECANCELED queued:ECANCELED");
}

static void
drop_and_free(struct evlock *l, evlock_handle handle, int error, void *who)
{
	note_and_drop(l, handle, error, who);
	evlock_free(l);
}

LockTest(free, in_its_callback_after_the_release)
{
	struct evlock *l = evlock_new(base, NULL);

	ask_then(l, "freeing", X, drop_and_free);
	ask(l, "a", X);
	ask(l, "b", X);
	cr_assert_str_eq(run(), "freeing a:ECANCELED b:ECANCELED");
}

static void
free_and_make(struct evlock *l, evlock_handle handle, int error, void *who)
{
	free_own(l, handle, error, who);
	lock = evlock_new(base, NULL);
	ask(lock, "new", X);
}

LockTest(free, last_lock_in_its_callback)
{
	ask_then(lock, "freeing", X, free_own);
	cr_assert_str_eq(run(), "freeing");
	lock = NULL;
}

LockTest(free, last_lock_in_its_callback_and_make_another)
{
	ask_then(lock, "freeing", X, free_and_make);
	ask(lock, "old", X);
	cr_assert_str_eq(run(), "freeing old:ECANCELED new");
}

/* --- In a callback of another lock ---------------------------------------- */

static void
free_victim_in_callback(struct evlock *l, evlock_handle handle, int error, void *who)
{
	note(l, handle, error, who);
	evlock_free(victim);
}

LockTest(free, in_a_callback_of_another_lock)
{
	victim = evlock_new(base, NULL);
	ask_then(lock, "freeing", S, free_victim_in_callback);
	fill(victim);
	ask(lock, "after", S);
	cr_assert_str_eq(run(), "freeing " ALL " after");
}

LockTest(free, in_an_event_ahead_of_the_callbacks)
{
	struct event *ev;

	victim = evlock_new(base, NULL);
	ev = event_new(base, -1, 0, free_victim, (void *)(uintptr_t)"event");
	event_active(ev, EV_TIMEOUT, 0);
	fill(victim);
	cr_assert_str_eq(run(), "event " ALL);
	event_free(ev);
}

static void
free_victim_when_told(evutil_socket_t fd, short what, void *ev)
{
	free_victim(fd, what, (void *)(uintptr_t)"told");
	event_free(*(struct event **)ev);
}

LockTest(free, in_an_event_that_is_notified)
{
	struct event *ev;

	victim = evlock_new(base, NULL);
	ev = event_new(base, -1, 0, free_victim_when_told, &ev);
	cr_assert_eq(evlock_notify(victim, X, ev), 0);
	ask(victim, "a", X);
	ask(victim, "b", X);
	cr_assert_str_eq(run(), "a told b:ECANCELED");
}

/* --- In a callback that evlock_free() runs -------------------------------- */

LockTest(free, in_a_callback_of_another_lock_that_is_freed)
{
	struct evlock *l = evlock_new(base, NULL);

	victim = evlock_new(base, NULL);
	fill(victim);
	hold(l, X);
	ask(l, "a", X);
	ask_then(l, "b", X, free_victim_in_callback);
	ask(l, "c", X);
	evlock_free(l);
	cr_assert_str_eq(told(), "a:ECANCELED b:ECANCELED " ALL " c:ECANCELED");
}

static evlock_handle other_handle;

static void
use_another(struct evlock *l, evlock_handle handle, int error, void *who)
{
	note(l, handle, error, who);
	drop(lock, other_handle);
	other_handle = hold(lock, N);
	ask(lock, "another", S);
}

LockTest(free, callbacks_use_another_lock)
{
	struct evlock *l = evlock_new(base, NULL);

	other_handle = hold(lock, X);
	ask(lock, "waits", S);
	hold(l, X);
	ask_then(l, "a", X, use_another);
	ask_then(l, "b", X, use_another);
	evlock_free(l);
	cr_assert_str_eq(told(), "a:ECANCELED b:ECANCELED");
	cr_assert_str_eq(run(), "waits another another");
}

static void
make_one(struct evlock *l, evlock_handle handle, int error, void *who)
{
	note(l, handle, error, who);
	victim = evlock_new(base, NULL);
	hold(victim, X);
	ask(victim, "new", X);
}

LockTest(free, callbacks_make_another_lock)
{
	struct evlock *l = evlock_new(base, NULL);

	hold(l, X);
	ask_then(l, "a", X, make_one);
	ask(l, "b", X);
	evlock_free(l);
	cr_assert_str_eq(told(), "a:ECANCELED b:ECANCELED");
	evlock_free(victim);
	cr_assert_str_eq(told(), "new:ECANCELED");
}

/* --- With many requests --------------------------------------------------- */

LockTest(free, many_waiting)
{
	struct evlock *l = evlock_new(base, NULL);
	unsigned i;

	hold(l, X);
	for (i = 0; i < 2000; i++)
		ask(l, "", i % 2 ? S : X);
	evlock_free(l);
	told();
}

LockTest(free, many_granted)
{
	struct evlock *l = evlock_new(base, NULL);
	unsigned i;

	for (i = 0; i < 2000; i++)
		ask(l, "", S);
	ask_then(lock, "first", S, free_victim_in_callback);
	victim = l;
	run();
	cr_assert_eq(evlock_held(lock, S), 1);
}

/* The lock's outcomes stand among those of other locks, at both ends and in the middle. */
LockTest(free, tells_in_the_order_of_the_grants)
{
	struct evlock *l = evlock_new(base, NULL);
	static const char *const names[] = { "a", "b", "c", "d", "e" };
	unsigned i;

	for (i = 0; i < 5; i++) {
		ask(l, names[i], S);
		if (i % 2)
			ask(lock, "mine", S);
	}
	ask(lock, "mine", S);
	evlock_free(l);
	cr_assert_str_eq(told(), "a:ECANCELED b:ECANCELED c:ECANCELED d:ECANCELED e:ECANCELED");
	cr_assert_str_eq(run(), "mine mine mine");
}

static void
ask_for_more(struct evlock *l, evlock_handle handle, int error, void *who)
{
	note(l, handle, error, who);
	assert_errno(evlock_acquire_nowait(l, S), 0, ECANCELED);
	assert_errno(evlock_acquire(l, S, NULL, note, who), 0, ECANCELED);
	assert_errno(evlock_with(l, S, NULL, note, who), 0, ECANCELED);
}

LockTest(free, takes_no_more_requests)
{
	struct evlock *l = evlock_new(base, NULL);

	hold(l, S);
	ask_then(l, "a", S, ask_for_more);
	ask_then(l, "b", X, ask_for_more);
	evlock_free(l);
	cr_assert_str_eq(told(), "a:ECANCELED b:ECANCELED");
	cr_assert_str_eq(run(), "");
}
