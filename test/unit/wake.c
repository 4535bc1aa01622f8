/* SPDX-License-Identifier: BSD-3-Clause */

/* How a loop learns of a grant made by another thread.  Each of two threads has a base and an
 * object of one lock.  event_active() and write() are wrapped, so that the waking thread can be
 * stopped just after its grant, until it may go on or its patience ends. */

#include "../shim.h"

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <event2/event.h>
#include <event2/thread.h>

#include <evlock/owner.h>

static struct event_base *here, *there;
static struct evlock *ours, *theirs;
static evlock_handle held;

static int is_stopping;			/* stop the next thread that wakes a loop */
static long patience = 20000;		/* ms */
static int n_wakes;
static int was_told;			/* goes_on was posted in time */
static sem_t waking, goes_on;
static int n_told;

void __real_event_active(struct event *ev, int what, short n);
void __wrap_event_active(struct event *ev, int what, short n);
ssize_t __real_write(int fd, const void *bytes, size_t n);
ssize_t __wrap_write(int fd, const void *bytes, size_t n);

/* --- The waking thread ------------------------------------------------------- */

static int
wait_a_while(sem_t *sem)
{
	struct timespec until;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += patience / 1000;
	until.tv_nsec += patience % 1000 * 1000000;
	until.tv_sec += until.tv_nsec / 1000000000;
	until.tv_nsec %= 1000000000;
	return sem_timedwait(sem, &until) == 0;
}

static void
stop(void)
{
	n_wakes++;
	if (!is_stopping)
		return;
	is_stopping = 0;
	sem_post(&waking);
	was_told = wait_a_while(&goes_on);
}

void
__wrap_event_active(struct event *ev, int what, short n)
{
	stop();
	__real_event_active(ev, what, n);
}

ssize_t
__wrap_write(int fd, const void *bytes, size_t n)
{
	ssize_t done;

	stop();
	done = __real_write(fd, bytes, n);
	errno = EAGAIN;		/* evlock's caller must not see this errno */
	return done;
}

static void *
release(void *arg)
{
	(void)arg;
	is_stopping = 1;
	errno = 0;
	cr_assert_eq(evlock_release(theirs, held), 0);
	cr_assert_eq(errno, 0);
	return NULL;
}

/* --- The waiting loop -------------------------------------------------------- */

static void
note_told(struct evlock *lock, evlock_handle handle, int error, void *arg)
{
	(void)arg;
	if (error)
		return;
	n_told++;
	evlock_release(lock, handle);
}

static int
free_descriptor(void)
{
	int fd = dup(0);

	close(fd);
	return fd;
}

static long n_live;			/* allocations; one thread at a time */

static void *
counting_malloc(size_t size)
{
	n_live++;
	return malloc(size);
}

static void
counting_free(void *p)
{
	n_live--;
	free(p);
}

static void
set_up_bases(void)
{
	const struct evlock_options options = { .flags = EVLOCK_OPT_THREADSAFE };

	sem_init(&waking, 0, 0);
	sem_init(&goes_on, 0, 0);
	evthread_use_pthreads();
	here = event_base_new();
	there = event_base_new();
	ours = evlock_new(here, &options);
	theirs = evlock_share(ours, there);
	cr_assert_not_null(theirs);
}

static void
begin_to_wait(void)
{
	held = evlock_acquire_nowait(theirs, EVLOCK_EXCLUSIVE);
	cr_assert_neq(held, 0);
	cr_assert_neq(evlock_acquire(ours, EVLOCK_EXCLUSIVE, NULL, note_told, NULL), 0);
}

static void
set_up(void)
{
	set_up_bases();
	begin_to_wait();
}

static void
tear_down(void)
{
	evlock_free(theirs);
	evlock_free(ours);
	event_base_free(there);
	event_base_free(here);
	sem_destroy(&waking);
	sem_destroy(&goes_on);
	libevent_global_shutdown();
}

/* --- The tests --------------------------------------------------------------- */

/* Starts in a callback of the lock, so that the loop checks afterwards whether it still has to
 * wait. */
static void
await_grant(struct evlock *lock, evlock_handle handle, int error, void *arg)
{
	pthread_t *thread = arg;

	(void)error;
	evlock_release(lock, handle);
	pthread_create(thread, NULL, release, NULL);
	sem_wait(&waking);
}

Test(wake, a_loop_does_not_end_while_its_letter_is_on_its_way)
{
	struct evlock *other;
	pthread_t thread;

	patience = 200;		/* spent completely, when all is well */
	set_up();
	other = evlock_new(here, NULL);
	cr_assert_neq(evlock_acquire(other, EVLOCK_EXCLUSIVE, NULL, await_grant, &thread), 0);
	event_base_dispatch(here);
	cr_assert_eq(n_told, 1, "the loop ended before the callback");
	sem_post(&goes_on);
	pthread_join(thread, NULL);
	evlock_free(other);
	tear_down();
}

/* Looks at the lock while the waking thread is stopped. */
static void
look_while_a_loop_is_woken(void)
{
	pthread_t waker;

	pthread_create(&waker, NULL, release, NULL);
	sem_wait(&waking);
	cr_assert_eq(evlock_locked(ours), EVLOCK_EXCLUSIVE, "it is not granted yet");
	sem_post(&goes_on);
	pthread_join(waker, NULL);
	cr_assert(was_told, "the waking thread holds a mutex that the loop needs");
	event_base_dispatch(here);
	cr_assert_eq(n_told, 1);
}

Test(wake, the_lock_is_free_while_a_loop_is_woken)
{
	set_up();
	look_while_a_loop_is_woken();
	tear_down();
}

/* An owner requests it, so the lock shares the common mutex. */
Test(wake, an_owners_lock_is_free_while_a_loop_is_woken)
{
	struct evlock_owner *owner = evlock_owner_new(NULL);
	struct evlock_request q = { .mode = EVLOCK_EXCLUSIVE, .owner = owner };

	set_up();
	cr_assert_eq(evlock_acquire_request(ours, &q), 0);
	look_while_a_loop_is_woken();
	tear_down();
	evlock_owner_free(owner);
}

/* The child frees what it inherited.  The parent still waits, so the child wakes nobody. */
Test(wake, a_forked_child_does_not_unhang_the_bell)
{
	int status = -1;
	pid_t child;

	set_up();
	event_base_loop(here, EVLOOP_NONBLOCK);
	child = fork();
	if (child == 0) {
		n_wakes = 0;
		evlock_free(theirs);
		evlock_free(ours);
		_exit(n_wakes);
	}
	cr_assert_eq(waitpid(child, &status, 0), child);
	cr_assert_eq(status, 0);
	cr_assert_eq(evlock_release(theirs, held), 0);
	alarm(20);	/* otherwise nothing would wake this loop */
	event_base_dispatch(here);
	alarm(0);
	cr_assert_eq(n_told, 1);
	tear_down();
}

/* The loop waits, and is woken more than once.  At the end nothing keeps it. */
Test(wake, a_loop_is_woken_each_time)
{
	int i, lowest;

	set_up();
	lowest = free_descriptor();
	for (i = 1; i <= 3; i++) {
		pthread_t waker;

		pthread_create(&waker, NULL, release, NULL);
		sem_wait(&waking);
		sem_post(&goes_on);
		event_base_dispatch(here);
		pthread_join(waker, NULL);
		cr_assert_eq(n_told, i);
		held = evlock_acquire_nowait(theirs, EVLOCK_EXCLUSIVE);
		cr_assert_neq(evlock_acquire(ours, EVLOCK_EXCLUSIVE, NULL, note_told, NULL), 0);
	}
	cr_assert_eq(free_descriptor(), lowest, "it has one bell for all");
	evlock_close(ours);
	event_base_dispatch(here);
	tear_down();
}

static void
ask_more(struct evlock *lock, evlock_handle handle, int error, void *more)
{
	(void)error;
	evlock_release(lock, handle);
	cr_assert_neq(evlock_acquire(more, EVLOCK_EXCLUSIVE, NULL, note_told, NULL), 0);
}

/* A grant made in a callback is delivered after it, and needs no event of its own. */
Test(wake, one_wake_is_enough)
{
	struct evlock *more;
	pthread_t waker;

	set_up_bases();
	more = evlock_new(here, NULL);
	held = evlock_acquire_nowait(theirs, EVLOCK_EXCLUSIVE);
	cr_assert_neq(evlock_acquire(ours, EVLOCK_EXCLUSIVE, NULL, ask_more, more), 0);
	n_wakes = 0;
	pthread_create(&waker, NULL, release, NULL);
	sem_wait(&waking);
	sem_post(&goes_on);
	event_base_dispatch(here);
	pthread_join(waker, NULL);
	cr_assert_eq(n_told, 1);
	cr_assert_eq(n_wakes, 1);
	evlock_free(more);
	tear_down();
}

/* No descriptor is left when the loop begins to wait. */
Test(wake, a_loop_without_a_bell_is_woken)
{
	struct rlimit limit, none;
	pthread_t waker;

	cr_assert_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
	none = limit;
	none.rlim_cur = 0;
	set_up_bases();
	cr_assert_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
	begin_to_wait();
	cr_assert_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
	pthread_create(&waker, NULL, release, NULL);
	sem_wait(&waking);
	sem_post(&goes_on);
	alarm(20);	/* otherwise nothing would wake this loop */
	event_base_dispatch(here);
	alarm(0);
	pthread_join(waker, NULL);
	cr_assert_eq(n_told, 1);
	tear_down();
}

/* The loop must wait for another object, which was shared meanwhile.  It has not run since. */
Test(wake, a_forked_child_hangs_no_bell)
{
	const struct evlock_options options = { .flags = EVLOCK_OPT_THREADSAFE };
	struct evlock *more;
	int status = -1;
	pid_t child;

	set_up_bases();
	more = evlock_new(here, &options);
	evlock_free(theirs);
	held = evlock_acquire_nowait(ours, EVLOCK_EXCLUSIVE);
	cr_assert_neq(evlock_acquire(ours, EVLOCK_EXCLUSIVE, NULL, note_told, NULL), 0);
	theirs = evlock_share(ours, there);
	child = fork();
	if (child == 0) {
		int lowest = free_descriptor();

		evlock_free(more);
		_exit(free_descriptor() != lowest);
	}
	cr_assert_eq(waitpid(child, &status, 0), child);
	cr_assert_eq(status, 0);
	evlock_free(more);
	evlock_close(ours);
	event_base_dispatch(here);
	tear_down();
}

/* The parent's thread that was waking a loop does not exist in the child. */
Test(wake, a_child_forked_meanwhile_frees_everything)
{
	int status = -1;
	pthread_t waker;
	pid_t child;

	evlock_set_mem_functions(counting_malloc, NULL, counting_free);
	set_up();
	pthread_create(&waker, NULL, release, NULL);
	sem_wait(&waking);
	child = fork();
	if (child == 0) {
		evlock_free(theirs);
		evlock_free(ours);
		_exit(n_live != 0);
	}
	sem_post(&goes_on);
	pthread_join(waker, NULL);
	cr_assert_eq(waitpid(child, &status, 0), child);
	cr_assert_eq(status, 0);
	event_base_dispatch(here);
	cr_assert_eq(n_told, 1);
	tear_down();
	cr_assert_eq(n_live, 0);
}
