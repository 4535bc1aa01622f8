/* SPDX-License-Identifier: BSD-3-Clause */

/* fork() in programs with several threads, and children that go on.  fork() finds another thread
 * stopped in the middle of something: in a step, by a condition or an allocator that does not
 * return, or holding the mutex of its base.  An alarm ends a child that hangs. */

#include "../shim.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <event2/event.h>
#include <event2/thread.h>

#include <evlock/evlock.h>
#include <evlock/file.h>
#include <evlock/owner.h>
#include <evlock/semaphore.h>
#include <evlock/set.h>
#include <evlock/table.h>

#include "../files.h"

#define S EVLOCK_SHARED
#define X EVLOCK_EXCLUSIVE
#define PATIENCE 20	/* seconds */

static struct event_base *here, *there;
static int n_told;

/* --- Memory, and where a thread stops ------------------------------------------------------ */

static sem_t is_there, goes_on;
static __thread int stops_in_malloc, stops_in_free;

static void
stand_still(void)
{
	sem_post(&is_there);
	sem_wait(&goes_on);
}

static long n_live;

static void *
counting_malloc(size_t size)
{
	__atomic_add_fetch(&n_live, 1, __ATOMIC_RELAXED);
	if (stops_in_malloc) {
		stops_in_malloc = 0;
		stand_still();
	}
	return malloc(size);
}

static void
counting_free(void *p)
{
	__atomic_sub_fetch(&n_live, 1, __ATOMIC_RELAXED);
	free(p);
	if (stops_in_free) {
		stops_in_free = 0;
		stand_still();
	}
}

/* --- Locks ------------------------------------------------------------------------------ */

static const struct evlock_options threadsafe = { .flags = EVLOCK_OPT_THREADSAFE };

static void
set_up(void)
{
	evlock_set_mem_functions(counting_malloc, NULL, counting_free);
	evthread_use_pthreads();
	here = event_base_new();
	there = event_base_new();
}

/* The helper thread of a lock file may be the last to use the file. */
static long
n_left(void)
{
	int tries;

	for (tries = 0; tries < 1000 && __atomic_load_n(&n_live, __ATOMIC_RELAXED); tries++)
		usleep(10000);
	return __atomic_load_n(&n_live, __ATOMIC_RELAXED);
}

static void
tear_down(void)
{
	event_base_free(there);
	event_base_free(here);
	cr_assert_eq(n_left(), 0);
}

static void
on_told(struct evlock *lock, evlock_handle handle, int error, void *arg)
{
	(void)arg;
	n_told++;
	if (!error)
		evlock_release(lock, handle);
}

static void
ask(struct evlock *lock, unsigned mode)
{
	cr_assert_neq(evlock_acquire(lock, mode, NULL, on_told, NULL), 0);
}

static void
turn(struct event_base *base)
{
	int i;

	for (i = 0; i < 4; i++)
		event_base_loop(base, EVLOOP_NONBLOCK);
}

/* --- Children --------------------------------------------------------------------------- */

/* Runs `f` in a child, which must exit with 0. */
static void
check_child(int (*f)(void))
{
	int status;
	pid_t pid = fork();

	cr_assert_geq(pid, 0);
	if (pid == 0) {
		n_told = 0;
		alarm(PATIENCE);
		_exit(f());
	}
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_assert_not(WIFSIGNALED(status), "signal %d; %d is a hang", WTERMSIG(status), SIGALRM);
	cr_assert_eq(WEXITSTATUS(status), 0);
}

/* A child makes a lock of each kind for itself.  Each works, also with a timeout, and calls its
 * waiters back when it is freed. */
static int
make_and_use(struct event_base *base)
{
	static const struct timeval at_once = { 0, 0 };

	struct evlock *lock = evlock_new(base, &threadsafe), *plain = evlock_new(base, NULL);
	struct evlock *set = evlock_set_new(&(struct evlock_set_member){ lock, X }, 1, NULL);
	struct evlock_table *table = evlock_table_new(base, &threadsafe);
	struct evlock_owner *owner = evlock_owner_new(NULL);
	struct evlock_request q = { .mode = X, .cb = on_told, .owner = owner };

	n_told = 0;
	evlock_acquire(lock, X, NULL, on_told, NULL);
	evlock_acquire(plain, X, NULL, on_told, NULL);
	evlock_acquire(set, X, NULL, on_told, NULL);
	evlock_table_acquire(table, "k", 1, X, NULL, on_told, NULL);
	evlock_acquire_request(lock, &q);
	turn(base);
	evlock_acquire_nowait(plain, X);
	evlock_acquire(plain, X, &at_once, on_told, NULL);
	turn(base);
	evlock_acquire(plain, X, NULL, on_told, NULL);
	evlock_owner_free(owner);
	evlock_table_free(table);
	evlock_free(set);
	evlock_free(plain);
	evlock_free(lock);
	return n_told == 7 ? 0 : 10;
}

static int
live_on(void)
{
	struct event_base *base = event_base_new();
	int result = make_and_use(base);

	event_base_free(base);
	return result;
}

/* --- Another thread is in the middle of something ---------------------------------------- */

static int
stand_still_once(unsigned mode, uint32_t units, const uint32_t *held, void *is_stopping)
{
	(void)mode;
	(void)units;
	(void)held;
	if (__atomic_exchange_n((int *)is_stopping, 0, __ATOMIC_RELAXED))
		stand_still();
	return 1;
}

static int is_stopping;
static const struct evlock_mode stopping_mode[] = {
	{ "any", 0, 0, EVLOCK_READ, stand_still_once }, { "one", 2, 0, EVLOCK_WRITE, NULL },
};
static const struct evlock_modes stopping_modes = { stopping_mode, 2, &is_stopping };
static const struct evlock_options stopping = {
	.flags = EVLOCK_OPT_THREADSAFE, .modes = &stopping_modes
};

static struct evlock *ours, *theirs;
static struct evlock_owner *owner;
static pthread_t other;

static void
start(void *(*f)(void *))
{
	sem_init(&is_there, 0, 0);
	sem_init(&goes_on, 0, 0);
	is_stopping = 1;
	cr_assert_eq(pthread_create(&other, NULL, f, NULL), 0);
	sem_wait(&is_there);
}

static void
stop(void)
{
	sem_post(&goes_on);
	pthread_join(other, NULL);
}

/* Makes a request through `theirs`, ahead of all waiters, with the owner if there is one. */
static void *
ask_theirs(void *arg)
{
	struct evlock_request q = { .mode = 0, .cb = on_told, .owner = owner, .priority = 1 };

	cr_assert_neq(evlock_acquire_request(theirs, &q), 0);
	return arg;
}

static int
free_both(void)
{
	evlock_free(theirs);
	evlock_free(ours);
	return live_on();
}

static int
free_both_but_ours_first(void)
{
	evlock_free(ours);
	evlock_free(theirs);
	return live_on();
}

/* The other thread is in a step of the lock. */
Test(forks, child_frees_what_is_in_a_step)
{
	set_up();
	ours = evlock_new(here, &stopping);
	theirs = evlock_share(ours, there);
	ask(ours, 1);
	ask(ours, 1);
	start(ask_theirs);
	check_child(free_both);
	check_child(free_both_but_ours_first);
	check_child(live_on);
	stop();
	turn(there);
	turn(here);
	cr_assert_eq(n_told, 3);
	evlock_free(theirs);
	evlock_free(ours);
	tear_down();
}

/* Adds handles of the caller's until the table of handles grows.  The thread stops when the old
 * table has been freed. */
static void *
ask_by_many_handles(void *arg)
{
	struct evlock_request q = { .mode = S };
	uintptr_t i;

	for (i = 1; i <= 2000; i++) {
		stops_in_free = 1;
		q.handle = EVLOCK_HANDLE_FROM(i * 16);
		cr_assert_neq(evlock_acquire_request(theirs, &q), 0);
	}
	stops_in_free = 0;
	return arg;
}

Test(forks, child_frees_handles_that_are_being_added)
{
	set_up();
	ours = evlock_new(here, &threadsafe);
	theirs = evlock_share(ours, there);
	ask(ours, S);
	start(ask_by_many_handles);
	check_child(free_both);
	check_child(free_both_but_ours_first);
	for (n_told = 0; n_told < 20; n_told++)
		sem_post(&goes_on);	/* it may grow again */
	stop();
	turn(here);
	evlock_free(theirs);
	evlock_free(ours);
	tear_down();
}

static struct evlock *set, *member;

static int
free_tied(void)
{
	evlock_owner_free(owner);
	evlock_free(member);
	evlock_free(set);
	return free_both();
}

static int
free_tied_otherwise(void)
{
	evlock_free(set);
	evlock_free(ours);
	evlock_free(theirs);
	evlock_free(member);
	evlock_owner_free(owner);
	return live_on();
}

/* The other thread holds the common mutex of the locks of sets and owners.  The set's lock is a
 * different one. */
Test(forks, child_frees_what_is_tied)
{
	set_up();
	owner = evlock_owner_new("owner");
	ours = evlock_new(here, &stopping);
	theirs = evlock_share(ours, there);
	member = evlock_new(here, &threadsafe);
	set = evlock_set_new(&(struct evlock_set_member){ member, X }, 1, NULL);
	ask(set, 0);
	ask(member, X);
	start(ask_theirs);
	check_child(free_tied);
	check_child(free_tied_otherwise);
	check_child(live_on);
	stop();
	turn(there);
	turn(here);
	cr_assert_eq(n_told, 3);
	check_child(free_tied);
	evlock_owner_free(owner);
	evlock_free(set);
	evlock_free(member);
	evlock_free(theirs);
	evlock_free(ours);
	tear_down();
}

static int
hold_it(const struct event_base *base, const struct event *ev, void *arg)
{
	(void)base;
	(void)ev;
	(void)arg;
	stand_still();
	return 1;
}

/* libevent holds its mutex while it lists its events. */
static void *
hold_base(void *arg)
{
	cr_assert_neq(evlock_acquire(theirs, X, NULL, on_told, NULL), 0);
	event_base_foreach_event(there, hold_it, NULL);
	return arg;
}

/* The other thread holds the mutex of its base, which has a timer of the lock. */
static void
fork_while_base_is_held(const struct evlock_options *options)
{
	struct timeval hour = { 3600, 0 };

	set_up();
	ours = evlock_new(here, options);
	theirs = options ? evlock_share(ours, there) : evlock_new(there, NULL);
	cr_assert_neq(evlock_acquire_nowait(ours, X), 0);
	if (!options)
		cr_assert_neq(evlock_acquire_nowait(theirs, X), 0);
	cr_assert_neq(evlock_acquire(theirs, X, &hour, on_told, NULL), 0);
	start(hold_base);
	check_child(free_both);
	check_child(free_both_but_ours_first);
	stop();
	n_told = 0;
	evlock_free(theirs);
	cr_assert_eq(n_told, 2);
	evlock_free(ours);
	tear_down();
}

Test(forks, child_leaves_the_base_of_another_thread_alone)
{
	fork_while_base_is_held(&threadsafe);
}

/* The other thread made requests that touched nothing but the lock. */
Test(forks, child_leaves_a_loops_base_of_another_thread_alone)
{
	fork_while_base_is_held(NULL);
}

static struct evlock *others;

/* Uses evlock on a base that is not the one with which the thread is stopped. */
static void *
hold_unused_base(void *arg)
{
	cr_assert_neq(evlock_acquire_nowait(others, S), 0);
	event_base_foreach_event(there, hold_it, NULL);
	return arg;
}

/* The thread that made the lock has not used it since.  The loop belongs to another thread, which
 * has not used it either. */
Test(forks, child_leaves_a_base_alone_that_locks_were_made_for)
{
	struct event_base *elsewhere;

	set_up();
	elsewhere = event_base_new();
	ours = evlock_new(here, &threadsafe);
	theirs = evlock_new(there, NULL);
	others = evlock_share(ours, elsewhere);
	ask(ours, S);
	start(hold_unused_base);
	check_child(free_both);
	check_child(live_on);
	stop();
	turn(here);
	evlock_free(theirs);
	evlock_free(ours);
	evlock_free(others);
	event_base_free(elsewhere);
	tear_down();
}

/* --- The forking thread's own locks ----------------------------------------------------------- */

static struct timeval soon = { 0, 20000 };

/* The loop goes on in a child.  It calls back nothing about inherited requests, and ends, because
 * nothing is waited for. */
static int
run_and_hear_nothing(void)
{
	if (event_reinit(here))
		return 1;
	usleep(30000);
	turn(here);
	event_base_dispatch(here);
	if (n_told)
		return 2;
	if (make_and_use(here))
		return 3;
	n_told = 0;
	evlock_free(ours);
	evlock_free(theirs);
	event_base_free(here);
	return n_told ? 4 : live_on();
}

static void
fork_while_all_wait(const struct evlock_options *options)
{
	evlock_handle held;

	set_up();
	ours = evlock_new(here, options);
	theirs = options ? evlock_share(ours, there) : NULL;
	others = evlock_new(here, options);
	held = evlock_acquire_nowait(ours, X);
	cr_assert_neq(evlock_acquire(ours, X, &soon, on_told, NULL), 0);
	if (theirs)
		ask(theirs, X);
	turn(here);
	ask(others, X);
	evlock_acquire(others, X, &soon, on_told, NULL);
	check_child(run_and_hear_nothing);
	turn(here);
	cr_assert_eq(n_told, 3);
	cr_assert_eq(evlock_release(ours, held), 0);
	turn(here);
	turn(there);
	cr_assert_eq(n_told, 3 + !!theirs);
	evlock_free(theirs);
	evlock_free(ours);
	evlock_free(others);
	tear_down();
}

Test(forks, nothing_is_told_in_a_child)
{
	fork_while_all_wait(NULL);
}

Test(forks, nothing_is_told_in_a_child_of_threads)
{
	fork_while_all_wait(&threadsafe);
}

/* Another thread was in the middle of a step.  Its timers end all the same, and no event of the
 * lock is left in the base. */
static int
free_and_run(void)
{
	evlock_free(ours);
	if (event_base_get_num_events(here, EVENT_BASE_COUNT_ADDED | EVENT_BASE_COUNT_ACTIVE))
		return 1;
	evlock_free(theirs);
	event_base_free(here);
	return live_on();
}

Test(forks, timers_of_a_step_that_was_under_way_end)
{
	struct timeval hour = { 3600, 0 };

	set_up();
	ours = evlock_new(here, &stopping);
	theirs = evlock_share(ours, there);
	cr_assert_neq(evlock_acquire_nowait(ours, 1), 0);
	cr_assert_neq(evlock_acquire(ours, 1, &hour, on_told, NULL), 0);
	turn(here);
	start(ask_theirs);
	check_child(free_and_run);
	stop();
	evlock_free(theirs);
	evlock_free(ours);
	tear_down();
}

/* --- event_reinit() ---------------------------------------------------------------------------- */

static int frees, bell;

static void
on_event(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
}

/* The socket with the lowest number is watched.  The bell keeps its number. */
static int
watch_a_socket(void)
{
	struct timeval patience = { PATIENCE / 2, 0 };
	char byte;
	int fd[2];

	if (event_reinit(here))
		return 1;
	if (fcntl(bell, F_GETFD) != FD_CLOEXEC)
		return 4;
	if (frees) {
		evlock_free(theirs);
		evlock_free(ours);
		if (fcntl(bell, F_GETFD) != -1)
			return 50;
	}
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, fd) || write(fd[1], "x", 1) != 1)
		return 2;
	event_base_once(here, fd[0], EV_READ, on_event, NULL, NULL);
	event_base_loopexit(here, &patience);
	event_base_loop(here, EVLOOP_ONCE);
	if (recv(fd[0], &byte, 1, MSG_DONTWAIT) != 1)
		return 3;
	if (!frees)
		return make_and_use(here);
	evlock_free(ours = evlock_new(here, NULL));
	return make_and_use(here);
}

static int
fork_again(void)
{
	if (event_reinit(here))
		return 1;
	check_child(watch_a_socket);
	return 0;
}

static int
free_descriptor(void)
{
	int fd = dup(0);

	close(fd);
	return fd;
}

static void
set_up_with_a_bell(void)
{
	set_up();
	ours = evlock_new(here, &threadsafe);
	theirs = evlock_share(ours, there);
	cr_assert_neq(evlock_acquire_nowait(theirs, X), 0);
	bell = free_descriptor();
	ask(ours, X);
	turn(here);
}

static void
tear_down_with_a_bell(void)
{
	evlock_free(theirs);
	event_base_dispatch(here);
	cr_assert_eq(n_told, 1, "the parent's bell was not heard");
	evlock_free(ours);
	tear_down();
}

Test(forks, event_reinit_works)
{
	int lower = dup(0);

	set_up_with_a_bell();
	close(lower);	/* leaves a number below the bell's free */
	for (frees = 0; frees < 2; frees++) {
		check_child(watch_a_socket);
		check_child(fork_again);
	}
	tear_down_with_a_bell();
}

static struct rlimit limit;

static int
reinit_with_more(void)
{
	if (setrlimit(RLIMIT_NOFILE, &limit))
		return 9;
	return watch_a_socket();
}

/* Only the bell's number is free. */
Test(forks, event_reinit_works_at_the_limit_of_descriptors)
{
	struct rlimit none;

	set_up_with_a_bell();
	cr_assert_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
	none = limit;
	none.rlim_cur = (rlim_t)free_descriptor();
	cr_assert_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
	for (frees = 0; frees < 2; frees++)
		check_child(reinit_with_more);
	cr_assert_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
	tear_down_with_a_bell();
}

/* --- Everything is freed -------------------------------------------------------------------- */

static struct evlock *lock[6], *key;
static struct event *ev;
static struct evlock_table *table;

static void
note(struct evlock *l, evlock_handle handle, int error, void *arg)
{
	(void)l;
	(void)handle;
	(void)error;
	(void)arg;
}

/* Makes requests with every feature that few requests have, held and waiting. */
static void
make_all(unsigned flags)
{
	const struct evlock_options options = { .flags = flags, .name = "name" };
	const struct timeval hour = { 3600, 0 };
	struct evlock_set_member two[] = { { NULL, X }, { NULL, S } };
	struct evlock_request q = { .mode = X, .notice_cb = note };
	int i;

	set_up();
	owner = evlock_owner_new("owner");
	ev = event_new(here, -1, 0, on_event, NULL);
	for (i = 0; i < 3; i++)
		lock[i] = evlock_new(here, &options);
	two[0].lock = lock[0];
	two[1].lock = lock[1];
	lock[3] = evlock_set_new(two, 2, NULL);
	two[0].lock = lock[3];
	two[1].lock = lock[2];
	lock[4] = evlock_set_new(two, 2, NULL);
	lock[5] = evlock_semaphore_new(here, 2, &options);
	table = evlock_table_new(here, &options);
	key = evlock_table_lock(table, "key", 3);
	cr_assert(lock[3] && lock[4] && lock[5] && key);
	cr_assert_neq(evlock_acquire_nowait(lock[4], S), 0);
	cr_assert_eq(evlock_notify(lock[5], 0, ev), 0);
	cr_assert_eq(evlock_notify(lock[0], X, ev), 0);
	for (i = 0; i < 6; i++) {
		q.owner = i % 2 ? owner : NULL;
		q.handle = EVLOCK_HANDLE_FROM(&lock[i]);
		q.cb = i % 2 ? on_told : NULL;
		q.timeout = i % 2 ? &hour : NULL;
		q.mode = i < 5 ? X : 0;
		evlock_acquire_request(lock[i], &q);
		evlock_acquire(lock[i], i < 5 ? X : 0, &hour, on_told, NULL);
	}
	q.owner = NULL;
	q.handle = 0;
	evlock_table_acquire_request(table, "key", 3, &q);
	evlock_table_acquire_request(table, "", 0, &q);
	evlock_table_acquire(table, "key", 3, X, &hour, on_told, NULL);
	evlock_acquire(key, S, NULL, on_told, NULL);
}

static void
free_all(int order)
{
	int i;

	if (order & 1)
		evlock_owner_free(owner);
	if (order & 2)
		evlock_table_free(table);
	for (i = 0; i < 6; i++)
		evlock_free(lock[order & 4 ? 5 - i : i]);
	evlock_free(key);
	if (!(order & 2))
		evlock_table_free(table);
	if (!(order & 1))
		evlock_owner_free(owner);
	event_free(ev);
}

static int order_of_all;

static int
free_all_of_it(void)
{
	free_all(order_of_all);
	if (event_base_get_num_events(here, EVENT_BASE_COUNT_ADDED | EVENT_BASE_COUNT_ACTIVE))
		return 1;
	event_base_free(here);
	return n_told ? 2 : n_live ? 3 : live_on();
}

static void
fork_with_all(unsigned flags)
{
	make_all(flags);
	for (order_of_all = 0; order_of_all < 8; order_of_all++)
		check_child(free_all_of_it);
	check_child(live_on);
	free_all(0);
	tear_down();
}

Test(forks, child_frees_all_in_any_order)
{
	fork_with_all(0);
}

Test(forks, child_frees_all_of_threads_in_any_order)
{
	fork_with_all(EVLOCK_OPT_THREADSAFE);
}

/* Nobody has requested the lock yet, and there is no other thread. */
static int
free_the_unused(void)
{
	evlock_free(ours);
	return n_live ? 1 : live_on();
}

Test(forks, child_frees_what_was_never_used)
{
	set_up();
	ours = evlock_new(here, NULL);
	check_child(free_the_unused);
	evlock_free(ours);
	tear_down();
}

/* --- In callbacks ----------------------------------------------------------------------------- */

static pid_t child;

/* Parent and child return from the callback. */
static void
fork_here(struct evlock *l, evlock_handle handle, int error, void *arg)
{
	(void)l;
	(void)handle;
	(void)error;
	(void)arg;
	child = fork();
	if (child == 0)
		alarm(PATIENCE);
}

static void
end_child(void)
{
	int status;

	cr_assert_eq(waitpid(child, &status, 0), child);
	cr_assert_eq(status, 0);
}

/* The child returns from the callback and has nothing to release.  No callback runs, and the child
 * does not try to lock the file. */
Test(forks, child_comes_back_from_a_callback)
{
	struct evlock *file;

	enter_folder();
	set_up();
	file = evlock_file_new(here, "file", NULL);
	child = -1;
	cr_assert_neq(evlock_with(file, X, NULL, fork_here, NULL), 0);
	ask(file, X);
	while (child == -1)	/* a helper may first have to look at the file */
		event_base_loop(here, EVLOOP_ONCE);
	if (child == 0) {
		turn(here);
		evlock_free(file);
		_exit(n_told != 0);
	}
	while (!n_told)
		event_base_loop(here, EVLOOP_ONCE);
	end_child();
	cr_assert_eq(n_told, 1);
	turn(here);
	cr_assert(is_free("file", F_WRLCK));
	evlock_free(file);
	tear_down();
	leave_folder();
}

static void
fork_beside_step(struct evlock *l, evlock_handle handle, int error, void *arg)
{
	start(ask_theirs);
	fork_here(l, handle, error, arg);
	if (child)
		stop();
}

/* The child does not enter the guard, which a thread of the parent had entered. */
Test(forks, child_comes_back_while_another_thread_is_in_a_step)
{
	set_up();
	ours = evlock_new(here, &stopping);
	theirs = evlock_share(ours, there);
	cr_assert_neq(evlock_with(ours, 1, NULL, fork_beside_step, NULL), 0);
	turn(here);
	if (child == 0)
		_exit(free_both());
	end_child();
	turn(there);
	evlock_free(theirs);
	evlock_free(ours);
	tear_down();
}

/* Asks for a key that exists only during the callback.  Another thread is in a step of the
 * table. */
static void *
ask_for_key(void *arg)
{
	evlock_table_acquire(arg, "key", 3, 0, NULL, on_told, NULL);
	return NULL;
}

static void
fork_in_step(struct evlock *l, evlock_handle handle, int error, void *arg)
{
	is_stopping = 1;
	cr_assert_eq(pthread_create(&other, NULL, ask_for_key, arg), 0);
	sem_wait(&is_there);
	fork_here(l, handle, error, arg);
	if (child)
		stop();
}

Test(forks, child_comes_back_from_the_callback_of_a_key)
{
	struct evlock_table *second;

	set_up();
	sem_init(&is_there, 0, 0);
	sem_init(&goes_on, 0, 0);
	table = evlock_table_new(here, &stopping);
	second = evlock_table_share(table, there);
	cr_assert_neq(evlock_table_acquire_nowait(table, "other", 5, 1), 0);
	cr_assert_neq(evlock_table_acquire(table, "other", 5, 1, &soon, fork_in_step, second), 0);
	usleep(30000);
	turn(here);
	if (child == 0) {
		evlock_table_free(table);
		_exit(live_on());
	}
	end_child();
	turn(there);
	evlock_table_free(second);
	evlock_table_free(table);
	tear_down();
}

/* --- Lock files --------------------------------------------------------------------------------- */

static struct evlock *file;
static int asked[2];

/* Makes a second lock of the file, besides the inherited one.  It is not available while the parent
 * holds the file. */
static int
lock_the_same_file(void)
{
	struct event_base *base = event_base_new();
	struct evlock *own = evlock_file_new(base, "file", NULL);
	struct timeval patience = { PATIENCE / 2, 0 };
	int result = 0;

	if (!own || evlock_acquire_nowait(own, S))
		result = 1;
	evlock_acquire(own, X, NULL, on_told, NULL);
	event_base_loop(base, EVLOOP_NONBLOCK);
	if (write(asked[1], "x", 1) != 1)
		result = 2;
	event_base_loopexit(base, &patience);
	while (!n_told && !event_base_got_exit(base))
		event_base_loop(base, EVLOOP_ONCE);
	if (!n_told)
		result = 3;
	evlock_free(own);
	event_base_free(base);
	return result;
}

static int
free_and_lock_it(void)
{
	evlock_free(file);
	return lock_the_same_file();
}

static void
check_granted(int (*f)(void))
{
	evlock_handle held = evlock_acquire_nowait(file, X);
	int status;
	char byte;

	cr_assert_neq(held, 0);
	child = fork();
	if (child == 0) {
		alarm(PATIENCE);
		_exit(f());
	}
	cr_assert_eq(read(asked[0], &byte, 1), 1);
	cr_assert_eq(evlock_release(file, held), 0);
	cr_assert_eq(waitpid(child, &status, 0), child);
	cr_assert_eq(status, 0);
}

Test(forks, child_locks_a_file_of_its_parent)
{
	if (!can_wait())
		return;
	enter_folder();
	set_up();
	cr_assert_eq(pipe(asked), 0);
	file = evlock_file_new(here, "file", NULL);
	check_granted(lock_the_same_file);
	check_granted(free_and_lock_it);
	evlock_free(file);
	tear_down();
	leave_folder();
}

Test(forks, child_frees_a_file_that_is_waited_for)
{
	int fd;

	if (!can_wait())
		return;
	enter_folder();
	set_up();
	fd = open_other("file");
	cr_assert_eq(lock_other(fd, F_WRLCK), 0);
	ours = evlock_file_new(here, "file", NULL);
	theirs = evlock_file_new(there, "file", NULL);
	ask(ours, X);
	ask(theirs, S);
	await_blocked("file", 1);
	check_child(free_both);
	check_child(free_both_but_ours_first);
	close(fd);
	while (n_told < 2) {
		event_base_loop(here, EVLOOP_ONCE | EVLOOP_NONBLOCK);
		event_base_loop(there, EVLOOP_ONCE | EVLOOP_NONBLOCK);
	}
	evlock_free(theirs);
	evlock_free(ours);
	tear_down();
	leave_folder();
}

static void *
ask_for_the_file(void *arg)
{
	static const struct timeval hour = { 3600, 0 };

	stops_in_malloc = 1;
	cr_assert_neq(evlock_acquire(theirs, S, &hour, on_told, NULL), 0);
	return arg;
}

/* The other thread is in a step of the file's lock, which the parent holds. */
Test(forks, child_frees_a_file_that_is_in_a_step)
{
	evlock_handle held;

	enter_folder();
	set_up();
	ours = evlock_file_new(here, "file", NULL);
	theirs = evlock_file_new(there, "file", NULL);
	held = evlock_acquire_nowait(ours, X);
	start(ask_for_the_file);
	check_child(free_both);
	check_child(free_both_but_ours_first);
	stop();
	cr_assert_not(is_free("file", F_RDLCK));
	evlock_release(ours, held);
	while (!n_told)
		event_base_loop(there, EVLOOP_ONCE);
	cr_assert_eq(n_told, 1);
	evlock_free(theirs);
	evlock_free(ours);
	tear_down();
	leave_folder();
}
