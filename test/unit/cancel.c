/* SPDX-License-Identifier: BSD-3-Clause */

/* Threads that are cancelled inside a call.  The call is completed, no loop misses a wake-up, and
 * no mutex stays locked.  A thread with a cancellation pending makes one call and ends at its next
 * cancellation point.  No call of evlock is one.  A loop in another thread waits for the effect of
 * the call. */

#include "../shim.h"

#include <errno.h>
#include <pthread.h>
#include <unistd.h>

#include <event2/event.h>
#include <event2/thread.h>

#include <evlock/evlock.h>
#include <evlock/file.h>
#include <evlock/owner.h>
#include <evlock/table.h>

#include "../files.h"

#define S EVLOCK_SHARED
#define X EVLOCK_EXCLUSIVE

static struct event_base *here, *there;
static struct evlock *ours, *theirs;
static evlock_handle held;
static int n_told;		/* atomic */
static int is_back;		/* the call returned */

/* --- The cancelled thread ---------------------------------------------------------------- */

static void *
call_cancelled(void *call)
{
	pthread_cancel(pthread_self());
	((void (*)(void))(uintptr_t)call)();
	is_back = 1;
	pthread_testcancel();
	return NULL;
}

/* Makes `call` in a thread that has been cancelled. */
static void
cancel_in(void (*call)(void))
{
	pthread_t thread;
	void *result;

	is_back = 0;
	cr_assert_eq(pthread_create(&thread, NULL, call_cancelled, (void *)(uintptr_t)call), 0);
	pthread_join(thread, &result);
	cr_assert(is_back, "it was cancelled in the call");
	cr_assert_eq(result, PTHREAD_CANCELED, "cancellation was not enabled again");
}

/* --- The waiting thread ------------------------------------------------------------------ */

static void
on_told(struct evlock *lock, evlock_handle handle, int error, void *arg)
{
	(void)lock;
	(void)handle;
	(void)error;
	(void)arg;
	__atomic_add_fetch(&n_told, 1, __ATOMIC_RELAXED);
}

static void
on_event(evutil_socket_t fd, short what, void *base)
{
	(void)fd;
	(void)what;
	__atomic_add_fetch(&n_told, 1, __ATOMIC_RELAXED);
	event_base_loopbreak(base);
}

static void *
run(void *base)
{
	event_base_dispatch(base);
	return NULL;
}

static void
set_up(unsigned flags)
{
	const struct evlock_options options = { .flags = flags };

	alarm(60);	/* otherwise a lost wake-up would hang the test */
	evthread_use_pthreads();
	here = event_base_new();
	there = event_base_new();
	ours = evlock_new(here, &options);
	theirs = flags ? evlock_share(ours, there) : NULL;
}

static void
tear_down(void)
{
	evlock_free(theirs);
	evlock_free(ours);
	event_base_free(there);
	event_base_free(here);
}

/* Runs the other loop in a thread.  Cancels the call while that loop sleeps. */
static void
cancel_while_they_wait(void (*call)(void))
{
	pthread_t thread;

	pthread_create(&thread, NULL, run, there);
	usleep(50000);
	cancel_in(call);
	pthread_join(thread, NULL);
	cr_assert_eq(n_told, 1);
}

/* --- The tests ----------------------------------------------------------------------------- */

static void
release(void)
{
	evlock_release(ours, held);
}

Test(cancel, release_wakes_whoever_waits)
{
	set_up(EVLOCK_OPT_THREADSAFE);
	held = evlock_acquire_nowait(ours, X);
	evlock_acquire(theirs, X, NULL, on_told, NULL);
	cancel_while_they_wait(release);
	tear_down();
}

static struct evlock_owner *owner;

static void
free_owner(void)
{
	evlock_owner_free(owner);
}

Test(cancel, end_of_an_owner_wakes_whoever_waits)
{
	set_up(EVLOCK_OPT_THREADSAFE);
	owner = evlock_owner_new(NULL);
	evlock_acquire_request(ours, &(struct evlock_request){ .mode = X, .owner = owner });
	evlock_acquire(theirs, X, NULL, on_told, NULL);
	cancel_while_they_wait(free_owner);
	tear_down();
}

static struct evlock_table *table;
static evlock_handle table_held;

static void
release_key(void)
{
	evlock_table_release(table, table_held);
}

Test(cancel, release_of_a_key_wakes_whoever_waits)
{
	const struct evlock_options options = { .flags = EVLOCK_OPT_THREADSAFE };
	struct evlock_table *other;

	set_up(0);
	table = evlock_table_new(here, &options);
	other = evlock_table_share(table, there);
	table_held = evlock_table_acquire_nowait(table, "key", 3, X);
	evlock_table_acquire(other, "key", 3, X, NULL, on_told, NULL);
	cancel_while_they_wait(release_key);
	evlock_table_free(other);
	evlock_table_free(table);
	tear_down();
}

/* The other loop does not wait for the lock and has no bell.  Unless libevent wakes it, with
 * several mutexes held, it keeps sleeping. */
Test(cancel, release_notifies)
{
	struct timeval hour = { 3600, 0 };
	struct event *ev, *timer;

	set_up(EVLOCK_OPT_THREADSAFE);
	ev = event_new(there, -1, 0, on_event, there);
	timer = event_new(there, -1, 0, on_event, there);
	event_add(timer, &hour);
	held = evlock_acquire_nowait(ours, X);
	cr_assert_eq(evlock_notify(theirs, X, ev), 0);
	cancel_while_they_wait(release);
	cr_assert_neq(held = evlock_acquire_nowait(ours, X), 0);
	evlock_release(ours, held);
	evlock_unnotify(theirs, ev);
	event_free(ev);
	event_free(timer);
	tear_down();
}

static void
cancel_self(struct evlock *lock, evlock_handle handle, int error, void *arg)
{
	(void)error;
	(void)arg;
	evlock_release(lock, handle);
	pthread_cancel(pthread_self());
}

/* The lock belongs to one loop, and the event to another.  A callback that runs earlier cancels the
 * thread. */
Test(cancel, an_event_of_another_loop_is_activated)
{
	struct timeval hour = { 3600, 0 };
	struct event *ev, *timer;
	pthread_t one, other;

	set_up(0);
	ev = event_new(there, -1, 0, on_event, there);
	timer = event_new(there, -1, 0, on_event, there);
	event_add(timer, &hour);
	evlock_acquire(ours, S, NULL, cancel_self, NULL);
	cr_assert_eq(evlock_notify(ours, S, ev), 0);	/* it is available: the loop notifies */
	pthread_create(&other, NULL, run, there);
	usleep(50000);
	pthread_create(&one, NULL, run, here);
	pthread_join(one, NULL);
	pthread_join(other, NULL);
	cr_assert_eq(n_told, 1);
	evlock_unnotify(ours, ev);
	event_free(ev);
	event_free(timer);
	tear_down();
}

static struct evlock *file;

static void
make_file(void)
{
	file = evlock_file_new(here, "file", NULL);
}

static void
free_file(void)
{
	evlock_free(file);
}

static void
use_file(void)
{
	held = evlock_acquire_nowait(file, X);
	evlock_release(file, held);
}

/* Each call opens or closes a file while it holds a mutex. */
Test(cancel, lock_files_stay_usable)
{
	unsigned n_descriptors;

	enter_folder();
	set_up(0);
	n_descriptors = count_descriptors();
	cancel_in(make_file);
	cr_assert_not_null(file);
	cr_assert_eq(unlink("file"), 0);
	cancel_in(use_file);	/* closed, and made again */
	cr_assert_neq(held, 0);
	cancel_in(free_file);
	cr_assert_eq(count_descriptors(), n_descriptors);
	make_file();
	use_file();
	free_file();
	tear_down();
	leave_folder();
}
