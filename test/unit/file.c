/* SPDX-License-Identifier: BSD-3-Clause */

/* <evlock/file.h>: what it says about evlock_file_new(), and the calls of <evlock/evlock.h> on a
 * lock file.  Separate open file descriptions play other programs.  Claims
 * (lib/scopes/file/claim.h) play other processes that use evlock. */

#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <event2/thread.h>

#include <evlock/file.h>
#include <evlock/owner.h>
#include <evlock/semaphore.h>
#include <evlock/set.h>
#include <evlock/table.h>

#include "scopes/file/claim.h"
#include "scopes/file/near.h"
#include "scopes/file/path.h"

#include "../shim.h"
#include "../files.h"
#include "../util.h"

/* --- A test has `lock`, on "file" in an empty folder -------------------------------------- */

static unsigned n_descriptors;

static int n_jobs;	/* jobs given to helpers; atomic */

struct evl_job;
int __real_evl_helper_start(struct evl_job *job);
int __wrap_evl_helper_start(struct evl_job *job);

/* Replaces the library's function: see test/local.mk. */
int
__wrap_evl_helper_start(struct evl_job *job)
{
	__atomic_add_fetch(&n_jobs, 1, __ATOMIC_RELAXED);
	return __real_evl_helper_start(job);
}

static int
count_jobs(void)
{
	return __atomic_load_n(&n_jobs, __ATOMIC_RELAXED);
}

static struct evlock *
make(const char *path, unsigned flags)
{
	struct evlock *l = evlock_file_new(base, path,
	    &(struct evlock_options){ .flags = flags });

	cr_assert(l, "%s: %s", path, strerror(errno));
	return l;
}

static void
set_up(unsigned flags)
{
	evthread_use_pthreads();
	enter_folder();
	base = event_base_new();
	n_descriptors = count_descriptors();
	lock = make("file", flags);
}

/* A waiter's descriptor is closed a moment after the lock is freed. */
static void
tear_down(void)
{
	cr_assert_str_eq(told(), "", "a callback was recorded but not asserted");
	evlock_free(lock);
	while (count_descriptors() != n_descriptors)
		usleep(1000);
	cr_assert(is_free("file", F_WRLCK), "a lock is left");
	event_base_free(base);
	leave_folder();
}

#define TestWith(suite, name, flags) \
	static void suite##_##name##_body(void); \
	Test(suite, name) \
	{ \
		set_up(flags); \
		suite##_##name##_body(); \
		tear_down(); \
	} \
	static void \
	suite##_##name##_body(void)

#define FileTest(suite, name) TestWith(suite, name, 0)

/* The same for a test in which something waits for another process. */
#define WaitTest(suite, name) \
	static void suite##_##name##_wait(void); \
	FileTest(suite, name) \
	{ \
		if (can_wait()) \
			suite##_##name##_wait(); \
	} \
	static void \
	suite##_##name##_wait(void)

/* Runs the loop until `n` callbacks have run. */
static const char *
run_for(int n)
{
	static char all[200];
	const char *more;

	for (all[0] = '\0'; n > 0; ) {
		cr_assert_geq(event_base_loop(base, EVLOOP_NONBLOCK), 0);
		more = told();
		if (!*more) {
			usleep(1000);
			continue;
		}
		snprintf(all + strlen(all), sizeof all - strlen(all), "%s%s", *all ? " " : "", more);
		for (n--; (more = strchr(more, ' ')); more++)
			n--;
	}
	return all;
}

/* --- Another process that uses evlock ------------------------------------------------------ */

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static int n_got, n_gone;

static void
enter(struct evl_claim *claim)
{
	(void)claim;
	pthread_mutex_lock(&mutex);
}

static void
leave(struct evl_claim *claim)
{
	(void)claim;
	pthread_mutex_unlock(&mutex);
}

static void
got(struct evl_claim *claim)
{
	(void)claim;
	n_got++;
	pthread_cond_broadcast(&changed);
}

static void
failed(struct evl_claim *claim, int error)
{
	(void)claim;
	cr_assert(0, "%s", strerror(error));
}

static void
gone(struct evl_claim *claim)
{
	enter(claim);
	n_gone++;
	pthread_cond_broadcast(&changed);
	leave(claim);
}

static void
checked(struct evl_claim *claim, int is_same)
{
	(void)claim;
	(void)is_same;
}

static const struct evl_claim_user user = { enter, leave, got, failed, checked, gone };

static void
await(const int *count, int n)
{
	pthread_mutex_lock(&mutex);
	while (*count < n)
		pthread_cond_wait(&changed, &mutex);
	pthread_mutex_unlock(&mutex);
}

static void
begin_other(struct evl_claim *other)
{
	static const struct evl_how how;

	cr_assert_eq(evl_claim_begin(other, &user, evl_path_new("file"), &how), 0);
}

static void
ask_other(struct evl_claim *other, int is_exclusive)
{
	enter(other);
	cr_assert_eq(evl_claim_ask(other, is_exclusive), 0);
	leave(other);
}

static void
drop_other(struct evl_claim *other)
{
	enter(other);
	evl_claim_drop(other);
	leave(other);
}

static void
end_other(struct evl_claim *other)
{
	int n = n_gone;

	evl_claim_end(other);
	await(&n_gone, n + 1);
}

/* --- Making ---------------------------------------------------------------------------------- */

static void
check_refused(const char *path, unsigned flags, int error)
{
	struct evlock *l = evlock_file_new(base, path, &(struct evlock_options){ .flags = flags });

	cr_assert_null(l, "%s is taken", path);
	cr_assert_eq(errno, error, "%s: %s", path, strerror(errno));
}

FileTest(file, constructor_refuses)
{
	struct evlock_mode mode = { .name = "mode" };
	struct evlock_modes modes = { &mode, 1, NULL };

	cr_assert_null(evlock_file_new(NULL, "file", NULL));
	cr_assert_eq(errno, EINVAL);
	cr_assert_null(evlock_file_new(base, NULL, NULL));
	cr_assert_eq(errno, EINVAL);
	cr_assert_null(evlock_file_new(base, "file", &(struct evlock_options){ .modes = &modes }));
	cr_assert_eq(errno, EINVAL);
	check_refused("file", 1u << 30, EINVAL);
	check_refused("file", EVLOCK_FILE_FLOCK, EINVAL);
	check_refused("", 0, ENOENT);
	check_refused("none/file", 0, ENOENT);
	check_refused("file/file", 0, ENOTDIR);
	check_refused("file/file", EVLOCK_FILE_MKDIR, ENOTDIR);
	check_refused("/", 0, EINVAL);
	check_refused("file/", 0, ENOTDIR);
	check_refused(".", EVLOCK_FILE_FLOCK, EINVAL);
	cr_assert_eq(mkfifo("fifo", 0666), 0);
	check_refused("fifo", 0, EINVAL);
	cr_assert_eq(symlink("file", "link"), 0);
	check_refused("link", 0, ELOOP);
	cr_assert_eq(count_descriptors(), n_descriptors + 1);
}

FileTest(file, options_of_other_scopes)
{
	struct evlock_options mode = { .file_mode = 0600 };
	struct evlock_set_member member = { lock, EVLOCK_SAME_MODE };

	cr_assert_null(evlock_new(base, &mode));
	cr_assert_eq(errno, EINVAL);
	cr_assert_null(evlock_set_new(&member, 1, &mode));
	cr_assert_eq(errno, EINVAL);
	cr_assert_null(evlock_table_new(base, &mode));
	cr_assert_eq(errno, EINVAL);
	cr_assert_null(evlock_semaphore_new(base, 1, &mode));
	cr_assert_eq(errno, EINVAL);
	cr_assert_null(evlock_file_new(base, "new", &(struct evlock_options){ .file_mode = 01777 }));
	cr_assert_eq(errno, EINVAL);
	cr_assert_eq(access("new", F_OK), -1);
}

FileTest(file, permission_bits)
{
	struct evlock *l;
	struct stat st;

	umask(022);
	l = evlock_file_new(base, "new", &(struct evlock_options){ .file_mode = 0660 });
	cr_assert_not_null(l);
	cr_assert_eq(stat("new", &st), 0);
	cr_assert_eq(st.st_mode & 07777, 0640);
	cr_assert_eq(unlink("new"), 0);
	drop(l, hold(l, X));
	cr_assert_eq(stat("new", &st), 0);
	cr_assert_eq(st.st_mode & 07777, 0640, "made again with others");
	evlock_free(l);
}

Test(file, needs_libevent_set_up_for_threads)
{
	enter_folder();
	base = event_base_new();
	cr_assert_null(evlock_file_new(base, "file", NULL));
	cr_assert_eq(errno, ENOTSUP);
	cr_assert_eq(access("file", F_OK), -1);
	event_base_free(base);
	leave_folder();
}

FileTest(file, is_made_with_its_folders)
{
	struct evlock *l = make("a/b/file", EVLOCK_FILE_MKDIR | EVLOCK_OPT_THREADSAFE);

	cr_assert_eq(access("a/b/file", F_OK), 0);
	evlock_free(l);
	cr_assert_eq(access("a/b/file", F_OK), 0, "removed");
}

FileTest(file, both_ways_one_after_the_other)
{
	evlock_free(lock);
	lock = make("file", EVLOCK_FILE_FLOCK);
	check_refused("file", 0, EINVAL);
	cr_assert_eq(link("file", "same"), 0);
	check_refused("same", 0, EINVAL);
}

FileTest(file, modes)
{
	assert_refused(evlock_acquire_nowait(lock, U), EINVAL);
	assert_refused(evlock_acquire(lock, U, NULL, note, NULL), EINVAL);
	assert_refused(evlock_acquire_nowait(lock, 4), EINVAL);
}

/* --- Excluding ------------------------------------------------------------------------------- */

FileTest(file, excludes_others)
{
	evlock_handle a = hold(lock, X), b;

	cr_assert_not(is_free("file", F_RDLCK));
	drop(lock, a);
	cr_assert(is_free("file", F_WRLCK));
	a = hold(lock, S);
	b = hold(lock, S);
	cr_assert(is_free("file", F_RDLCK));
	drop(lock, a);
	cr_assert_not(is_free("file", F_WRLCK));
	drop(lock, b);
	cr_assert(is_free("file", F_WRLCK));
}

FileTest(file, excluded_by_others)
{
	int fd = open_other("file");

	lock_other(fd, F_RDLCK);
	assert_refused(evlock_acquire_nowait(lock, X), EAGAIN);
	drop(lock, hold(lock, S));
	drop(lock, hold(lock, N));
	lock_other(fd, F_WRLCK);
	assert_refused(evlock_acquire_nowait(lock, X), EAGAIN);
	assert_refused(evlock_acquire_nowait(lock, S), EAGAIN);
	assert_refused(evlock_acquire_nowait(lock, N), EAGAIN);
	close(fd);
	cr_assert_eq(evlock_locked(lock), N);
	drop(lock, hold(lock, X));
}

TestWith(file, flock, EVLOCK_FILE_FLOCK)
{
	int fd = open_other("file");
	evlock_handle a = hold(lock, X);

	cr_assert_eq(flock_other(fd, LOCK_SH), EAGAIN);
	cr_assert(is_free("file", F_WRLCK));
	drop(lock, a);
	cr_assert_eq(flock_other(fd, LOCK_EX), 0);
	ask(lock, "a", X);
	cr_assert_str_eq(turn(), "");
	close(fd);
	cr_assert_str_eq(run(), "a");
}

FileTest(file, none_holds_nothing)
{
	evlock_handle none = hold(lock, N);

	cr_assert(is_free("file", F_WRLCK));
	drop(lock, hold(lock, X));
	drop(lock, none);
}

/* Makes two requests.  The ctime of the file is old enough to be trusted, and the library has just
 * looked at it. */
static int
asks_without_a_helper(void)
{
	evlock_handle a, b;
	int n;

	drop(lock, hold(lock, X));
	n = count_jobs();
	a = ask(lock, "a", S);
	b = ask(lock, "b", X);
	cr_assert_str_eq(run_for(1), "a");
	drop(lock, b);
	drop(lock, a);
	return count_jobs() == n;
}

static int
is_near(void)
{
	int fd = open_other("file"), is = evl_near_is(fd);

	close(fd);
	return is;
}

FileTest(file, without_a_helper_when_it_is_free)
{
	int tries = 500;

	if (!is_near())
		return;
	while (!asks_without_a_helper() && --tries)
		usleep(1000);
	cr_assert_gt(tries, 0);
}

/* --- Waiting ------------------------------------------------------------------- */

WaitTest(file, waits_for_others)
{
	int fd = open_other("file");
	evlock_handle a;

	lock_other(fd, F_WRLCK);
	a = ask(lock, "a", X);
	await_blocked("file", 1);
	ask(lock, "b", S);
	ask(lock, "c", S);
	cr_assert_str_eq(turn(), "");
	await_blocked("file", 1);
	cr_assert_eq(count_jobs(), 1, "more than one helper");
	cr_assert_eq(evlock_waiting(lock), 3);
	close(fd);
	cr_assert_str_eq(run_for(1), "a");
	cr_assert_not(is_free("file", F_RDLCK));
	drop(lock, a);
	cr_assert_str_eq(run_for(2), "b c");
	cr_assert(is_free("file", F_RDLCK));
}

/* A wait for another process keeps the loop alive until it ends. */
static void *
close_later(void *fd)
{
	await_blocked("file", 1);
	close(*(int *)fd);
	return NULL;
}

WaitTest(file, waiting_keeps_the_loop_alive)
{
	int fd = open_other("file");
	pthread_t thread;

	lock_other(fd, F_WRLCK);
	ask_then(lock, "a", X, note_and_drop);
	pthread_create(&thread, NULL, close_later, &fd);
	cr_assert_str_eq(run(), "a");
	pthread_join(thread, NULL);
}

WaitTest(file, none_waits_out_a_writer)
{
	int fd = open_other("file");

	lock_other(fd, F_WRLCK);
	ask(lock, "none", N);
	await_blocked("file", 1);
	close(fd);
	cr_assert_str_eq(run_for(1), "none");
	cr_assert_str_eq(turn(), "");
	cr_assert(is_free("file", F_WRLCK));
}

WaitTest(file, timed_out_keeps_nothing)
{
	int fd = open_other("file");

	lock_other(fd, F_WRLCK);
	ask_for(lock, "a", X, 20);
	cr_assert_str_eq(run(), "a:ETIMEDOUT");
	await_blocked("file", 0);
	close(fd);
	while (!is_free("file", F_WRLCK))
		usleep(1000);
	cr_assert_eq(evlock_waiting(lock), 0);
}

WaitTest(file, withdrawn_writer_lets_the_readers_in)
{
	int fd = open_other("file");
	evlock_handle writer;

	lock_other(fd, F_RDLCK);
	writer = ask(lock, "writer", X);
	ask(lock, "a", S);
	ask(lock, "b", S);
	await_blocked("file", 1);
	drop(lock, writer);
	cr_assert_str_eq(run_for(2), "a b");
	close(fd);
}

WaitTest(file, closed_while_it_waits)
{
	int fd = open_other("file");

	lock_other(fd, F_WRLCK);
	ask(lock, "a", X);
	await_blocked("file", 1);
	evlock_close(lock);
	cr_assert_str_eq(run(), "a:ECANCELED");
	assert_refused(evlock_acquire_nowait(lock, X), ECANCELED);
	await_blocked("file", 0);
	close(fd);
}

FileTest(file, closed_while_it_is_held)
{
	evlock_handle a = hold(lock, X);

	ask(lock, "b", X);
	ask(lock, "c", S);
	evlock_close(lock);
	cr_assert_str_eq(run(), "b:ECANCELED c:ECANCELED");
	cr_assert_not(is_free("file", F_RDLCK));
	drop(lock, a);
	cr_assert_str_eq(turn(), "");
	cr_assert(is_free("file", F_WRLCK));
}

WaitTest(file, freed_while_it_waits)
{
	int fd = open_other("file"), i;

	for (i = 0; i < 50; i++) {
		while (lock_other(fd, F_WRLCK))
			usleep(1000);	/* the leaving waiter may have been granted it */
		ask(lock, "a", X);
		if (i % 2)
			await_blocked("file", 1);
		if (i % 3)
			lock_other(fd, F_UNLCK);
		evlock_free(lock);
		cr_assert_str_eq(told(), "a:ECANCELED");
		lock = make("file", 0);
	}
	close(fd);
}

WaitTest(file, notifies_when_others_let_go)
{
	int fd = open_other("file");
	struct event *ev = new_event("free");

	lock_other(fd, F_WRLCK);
	assert_refused(evlock_acquire_nowait(lock, S), EAGAIN);
	cr_assert_eq(evlock_notify(lock, S, ev), 0);
	cr_assert_str_eq(turn(), "");
	close(fd);
	cr_assert_str_eq(run_for(1), "free");
	drop(lock, hold(lock, S));
	turn();
	told();
	cr_assert_eq(evlock_unnotify(lock, ev), 0);
	event_free(ev);
}

/* --- Objects ------------------------------------------------------------------- */

FileTest(file, objects_of_one_file_exclude_each_other)
{
	struct evlock *other = make("./file", 0);
	evlock_handle a = hold(lock, X), b;

	assert_refused(evlock_acquire_nowait(other, S), EAGAIN);
	b = ask(other, "b", X);
	ask(lock, "c", S);
	cr_assert_str_eq(turn(), "");
	assert_fails(evlock_release(other, a), ENOENT);
	drop(lock, a);
	cr_assert_str_eq(run_for(1), "b");
	evlock_free(other);	/* and its holds with it */
	cr_assert_eq(evlock_mode_of(lock, b), -1);
	cr_assert_str_eq(run_for(1), "c");
}

FileTest(file, names_of_one_file_exclude_each_other)
{
	struct evlock *other;
	evlock_handle a;

	cr_assert_eq(link("file", "same"), 0);
	other = make("same", 0);
	a = hold(lock, X);
	assert_refused(evlock_acquire_nowait(other, S), EAGAIN);
	drop(lock, a);
	drop(other, hold(other, X));
	evlock_free(other);
}

static void
free_value(void *value)
{
	(*(int *)value)++;
}

FileTest(file, value_belongs_to_the_object)
{
	int one = 0, two = 0;
	struct evlock *a = evlock_file_new(base, "file",
	    &(struct evlock_options){ .value = &one, .free_value = free_value });
	struct evlock *b = evlock_file_new(base, "file",
	    &(struct evlock_options){ .value = &two, .free_value = free_value });
	evlock_handle h = hold(a, S), i = hold(b, S);

	cr_assert_eq(evlock_value(a, h), &one);
	cr_assert_eq(evlock_value(b, i), &two);
	evlock_free(a);
	cr_assert(one == 1 && two == 0);
	evlock_free(b);
	cr_assert(one == 1 && two == 1);
}

/* Counts exclusive holds.  Each thread counts while it holds the lock. */
static int canary;

static void
count(struct evlock *l, evlock_handle h, int error, void *left)
{
	cr_assert_eq(error, 0);
	canary++;
	evlock_release(l, h);
	if (--*(int *)left)
		evlock_acquire(l, EVLOCK_EXCLUSIVE, NULL, count, left);
}

static void *
count_many(void *arg)
{
	struct event_base *own = event_base_new();
	struct evlock *l = evlock_file_new(own, "file", NULL);
	int left = *(int *)arg;

	evlock_acquire(l, EVLOCK_EXCLUSIVE, NULL, count, &left);
	event_base_dispatch(own);
	evlock_free(l);
	event_base_free(own);
	return NULL;
}

FileTest(file, threads_exclude_each_other)
{
	int n = (int)scaled(2000), i;
	pthread_t thread[3];

	for (i = 0; i < 3; i++)
		cr_assert_eq(pthread_create(&thread[i], NULL, count_many, &n), 0);
	for (i = 0; i < 3; i++)
		pthread_join(thread[i], NULL);
	cr_assert_eq(canary, 3 * n);
}

FileTest(file, is_shared)
{
	struct event_base *far = event_base_new();
	struct evlock *l = evlock_share(lock, far);
	evlock_handle h = hold(lock, X);

	cr_assert_not_null(l);
	assert_refused(evlock_acquire_nowait(l, X), EAGAIN);
	drop(l, h);
	evlock_free(l);
	event_base_free(far);
}

/* --- Turns --------------------------------------------------------------------- */

WaitTest(file, others_have_their_turn_after_the_batch)
{
	int fd = open_other("file");
	struct evl_claim other;
	evlock_handle a, b;

	begin_other(&other);
	lock_other(fd, F_WRLCK);
	a = ask(lock, "a", X);
	b = ask(lock, "b", X);
	await_blocked("file", 1);
	close(fd);
	cr_assert_str_eq(run_for(1), "a");	/* the lock is acquired, and `b` is in its batch */
	ask_other(&other, 1);
	await_blocked("file", 1);
	ask(lock, "late", X);
	drop(lock, a);
	cr_assert_str_eq(run_for(1), "b");
	drop(lock, b);
	await(&n_got, 1);
	cr_assert_str_eq(turn(), "");
	drop_other(&other);
	cr_assert_str_eq(run_for(1), "late");
	end_other(&other);
}

WaitTest(file, readers_do_not_pass_a_writer_of_another_process)
{
	struct evl_claim other;
	evlock_handle a = hold(lock, S);

	begin_other(&other);
	ask_other(&other, 1);
	await_blocked("file", 1);
	assert_refused(evlock_acquire_nowait(lock, S), EAGAIN);
	ask(lock, "b", S);
	cr_assert_str_eq(turn(), "");
	drop(lock, a);
	await(&n_got, 1);
	drop_other(&other);
	cr_assert_str_eq(run_for(1), "b");
	end_other(&other);
}

/* --- Converting ---------------------------------------------------------------- */

FileTest(file, converts_to_weaker_modes)
{
	evlock_handle a = hold(lock, X);

	convert(lock, "shared", a, S);
	cr_assert_str_eq(run_for(1), "shared");
	cr_assert(is_free("file", F_RDLCK));
	cr_assert_not(is_free("file", F_WRLCK));
	cr_assert_eq(evlock_convert_nowait(lock, a, N), 0);
	cr_assert_str_eq(turn(), "");
	cr_assert(is_free("file", F_WRLCK));
	drop(lock, a);
}

FileTest(file, converts_to_no_stronger_mode)
{
	evlock_handle a = hold(lock, S);

	assert_fails(evlock_convert(lock, a, X, NULL, note, NULL), ENOTSUP);
	assert_fails(evlock_convert_nowait(lock, a, X), ENOTSUP);
	cr_assert_eq(evlock_mode_of(lock, a), S);
	evlock_close(lock);
	assert_fails(evlock_convert_nowait(lock, a, X), ENOTSUP);	/* before ECANCELED */
	assert_fails(evlock_convert_nowait(lock, a, N), ECANCELED);
	drop(lock, a);
}

/* --- Owners and sets ----------------------------------------------------------- */

FileTest(file, owners_hold_it_twice)
{
	struct evlock_owner *owner = evlock_owner_new("owner");

	cr_assert_neq(ASK(lock, "a", .mode = X, .owner = owner), 0);
	cr_assert_neq(ASK(lock, "b", .mode = X, .owner = owner), 0);
	cr_assert_str_eq(run_for(2), "a b");
	cr_assert_eq(evlock_owner_release_all(owner), 2);
	cr_assert_str_eq(turn(), "");
	cr_assert(is_free("file", F_WRLCK));
	evlock_owner_free(owner);
}

FileTest(file, owners_that_share_do_not_wait_to_be_alone)
{
	struct evlock_owner *owner = evlock_owner_new("owner");

	cr_assert_neq(ASK(lock, "a", .mode = S, .owner = owner), 0);
	cr_assert_str_eq(run_for(1), "a");
	assert_refused(ASK(lock, "b", .mode = X, .owner = owner), EDEADLK);
	evlock_owner_free(owner);
	cr_assert_str_eq(turn(), "");
	cr_assert(is_free("file", F_WRLCK));
}

WaitTest(file, sets)
{
	struct evlock *other = make("other", 0), *set;
	struct evlock_set_member both[2] = {
		{ lock, EVLOCK_SAME_MODE }, { other, EVLOCK_SAME_MODE }
	};
	int fd = open_other("other");
	evlock_handle h;

	set = evlock_set_new(both, 2, NULL);
	cr_assert_not_null(set);
	lock_other(fd, F_WRLCK);
	h = ask(set, "set", X);
	cr_assert_str_eq(turn(), "");
	close(fd);
	cr_assert_str_eq(run_for(1), "set");
	cr_assert_not(is_free("file", F_RDLCK));
	cr_assert_not(is_free("other", F_RDLCK));
	drop(set, h);
	cr_assert_str_eq(turn(), "");
	cr_assert(is_free("file", F_WRLCK));
	cr_assert(is_free("other", F_WRLCK));
	evlock_free(set);
	evlock_free(other);
}

static ino_t
inode_of(const char *path)
{
	struct stat st;

	cr_assert_eq(stat(path, &st), 0);
	return st.st_ino;
}

/* While another program has the first file, the set takes nothing.  While another has the second,
 * the set takes the first. */
static void
see_order_of_set(struct evlock *set)
{
	int is_first = inode_of("file") < inode_of("other");
	const char *first = is_first ? "file" : "other", *second = is_first ? "other" : "file";
	int fd = open_other(first);
	evlock_handle h;

	lock_other(fd, F_WRLCK);
	h = ask(set, "set", X);
	cr_assert_str_eq(turn(), "");
	cr_assert(is_free(second, F_WRLCK));
	drop(set, h);
	close(fd);
	fd = open_other(second);
	lock_other(fd, F_WRLCK);
	h = ask(set, "set", X);
	close(fd);
	cr_assert_str_eq(run_for(1), "set");
	drop(set, h);
}

WaitTest(file, sets_ask_by_inode)
{
	struct evlock *other = make("other", 0), *set;

	set = evlock_set_new((struct evlock_set_member[]){ { lock, EVLOCK_SAME_MODE },
	    { other, EVLOCK_SAME_MODE } }, 2, NULL);
	see_order_of_set(set);
	cr_assert_eq(rename("file", "between"), 0);
	cr_assert_eq(rename("other", "file"), 0);
	cr_assert_eq(rename("between", "other"), 0);
	drop(lock, hold(lock, X));	/* the library notices the change here */
	drop(other, hold(other, X));
	see_order_of_set(set);
	evlock_free(set);
	evlock_free(other);
}

/* --- Files that move, and fail ------------------------------------------------- */

static void
remove_file(void)
{
	cr_assert_eq(unlink("file"), 0);
}

static void
rename_file(void)
{
	cr_assert_eq(rename("file", "away"), 0);
}

static void
replace_file(void)
{
	close(open_other("new"));
	cr_assert_eq(rename("new", "file"), 0);
}

static void
check_moved(void (*move)(void))
{
	evlock_handle a = hold(lock, X);

	move();
	ask(lock, "b", X);
	ask(lock, "c", X);
	cr_assert_str_eq(turn(), "");
	drop(lock, a);
	cr_assert_str_eq(run_for(1), "b");
	cr_assert_not(is_free("file", F_RDLCK), "locked a file that no path leads to");
	evlock_free(lock);
	cr_assert_str_eq(told(), "c:ECANCELED");
	lock = make("file", 0);
}

/* The same for a waiter that would follow at once, because both waited when the lock was
 * acquired. */
WaitTest(file, removed_under_a_holder_of_a_batch)
{
	int fd = open_other("file");
	evlock_handle a;

	lock_other(fd, F_WRLCK);
	a = ask(lock, "a", X);
	ask(lock, "b", X);
	await_blocked("file", 1);
	close(fd);
	cr_assert_str_eq(run_for(1), "a");
	remove_file();
	drop(lock, a);
	cr_assert_str_eq(run_for(1), "b");
	cr_assert_not(is_free("file", F_RDLCK), "locked a file that no path leads to");
}

WaitTest(file, removed_under_a_holder_that_is_freed)
{
	struct evlock *other = make("file", 0);
	int fd = open_other("file");

	lock_other(fd, F_WRLCK);
	ask(other, "a", X);
	ask(lock, "b", X);
	await_blocked("file", 1);
	close(fd);
	cr_assert_str_eq(run_for(1), "a");
	remove_file();
	evlock_free(other);
	cr_assert_str_eq(run_for(1), "b");
	cr_assert_not(is_free("file", F_RDLCK), "locked a file that no path leads to");
}

FileTest(file, removed_under_a_holder) { check_moved(remove_file); }
FileTest(file, renamed_under_a_holder) { check_moved(rename_file); }
FileTest(file, replaced_under_a_holder) { check_moved(replace_file); }

FileTest(file, became_something_else)
{
	cr_assert_eq(unlink("file"), 0);
	cr_assert_eq(mkdir("file", 0777), 0);
	assert_refused(evlock_acquire_nowait(lock, S), EINVAL);
	ask(lock, "a", X);
	ask(lock, "b", S);
	cr_assert_str_eq(run(), "a:Invalid argument b:Invalid argument");
	cr_assert_eq(rmdir("file"), 0);
	drop(lock, hold(lock, X));
}

/* --- Checking ------------------------------------------------------------------- */

static void
check_check(void (*move)(void))
{
	evlock_handle a = hold(lock, S), b = hold(lock, N);

	cr_assert_eq(evlock_file_check(lock, a), 0);
	cr_assert_eq(evlock_file_check(lock, b), 0);
	move();
	assert_fails(evlock_file_check(lock, a), ESTALE);
	drop(lock, b);
	drop(lock, a);
	a = hold(lock, X);
	cr_assert_eq(evlock_file_check(lock, a), 0, "the next holder has the new file");
	drop(lock, a);
	assert_fails(evlock_file_check(lock, a), EINVAL);
}

FileTest(check, removed) { check_check(remove_file); }
FileTest(check, renamed) { check_check(rename_file); }
FileTest(check, replaced) { check_check(replace_file); }

FileTest(check, refuses)
{
	struct evlock *plain = evlock_new(base, NULL), *l;
	int fd = open_other("file");
	evlock_handle a = hold(lock, X), b;

	assert_fails(evlock_file_check(lock, 0), EINVAL);
	b = ask(lock, "b", X);
	assert_fails(evlock_file_check(lock, b), EINVAL);
	drop(lock, b);
	drop(lock, a);
	a = hold(plain, X);
	assert_fails(evlock_file_check(plain, a), EINVAL);
	evlock_free(plain);
	l = evlock_file_new_fd(base, fd, NULL);
	a = hold(l, X);
	assert_fails(evlock_file_check(l, a), EINVAL);
	evlock_free(l);
	close(fd);
}

FileTest(file, signal_is_chosen_before)
{
	assert_fails(evlock_file_set_signal(SIGKILL), EINVAL);
	assert_fails(evlock_file_set_signal(SIGUSR2), EBUSY);
}

FileTest(check, of_a_set)
{
	struct evlock *other = make("other", 0), *set;
	evlock_handle h;

	set = evlock_set_new((struct evlock_set_member[]){ { lock, EVLOCK_SAME_MODE },
	    { other, EVLOCK_SAME_MODE } }, 2, NULL);
	h = hold(set, X);
	cr_assert_eq(evlock_file_check(lock, h), 0);
	remove_file();
	assert_fails(evlock_file_check(lock, h), ESTALE);
	cr_assert_eq(evlock_file_check(other, h), 0);
	assert_fails(evlock_file_check(set, h), EINVAL);
	drop(set, h);
	evlock_free(set);
	evlock_free(other);
	close(open_other("file"));
}

/* --- Descriptors of the caller ----------------------------------------------------- */

static void check_child(int (*f)(void));
static int free_all(void);

static struct evlock *
make_fd(int fd, unsigned flags)
{
	struct evlock *l = evlock_file_new_fd(base, fd, &(struct evlock_options){ .flags = flags });

	cr_assert(l, "%s", strerror(errno));
	return l;
}

static void
check_fd_refused(struct event_base *b, int fd, const struct evlock_options *options, int error)
{
	cr_assert_null(evlock_file_new_fd(b, fd, options));
	cr_assert_eq(errno, error);
}

FileTest(fd, constructor_refuses)
{
	int fd = open_other("other"), same = open_other("file");

	check_fd_refused(NULL, fd, NULL, EINVAL);
	check_fd_refused(base, -1, NULL, EBADF);
	check_fd_refused(base, 1000, NULL, EBADF);
	check_fd_refused(base, fd, &(struct evlock_options){ .flags = EVLOCK_FILE_MKDIR }, EINVAL);
	check_fd_refused(base, fd, &(struct evlock_options){ .flags = 1u << 30 }, EINVAL);
	check_fd_refused(base, fd, &(struct evlock_options){ .file_mode = 0666 }, EINVAL);
	check_fd_refused(base, same, &(struct evlock_options){ .flags = EVLOCK_FILE_FLOCK }, EINVAL);
	close(fd);
	close(same);
	cr_assert_eq(count_descriptors(), n_descriptors + 1);
}

FileTest(fd, excludes_others)
{
	int fd = open_other("other");
	struct evlock *l = make_fd(fd, EVLOCK_FILE_ANY);
	evlock_handle a = hold(l, X);

	close(fd);
	cr_assert_not(is_free("other", F_RDLCK));
	cr_assert_eq(evlock_convert_nowait(l, a, S), 0);
	cr_assert(is_free("other", F_RDLCK));
	drop(l, hold(l, S));
	drop(l, a);
	cr_assert_str_eq(turn(), "");
	cr_assert(is_free("other", F_WRLCK));
	evlock_free(l);
}

FileTest(fd, objects_of_one_description_exclude_each_other)
{
	int fd = open_other("other"), same = dup(fd), other = open_other("other");
	struct evlock *a = make_fd(fd, 0), *b = make_fd(same, 0), *c = make_fd(other, 0);
	evlock_handle h = hold(a, X);

	check_fd_refused(base, same, &(struct evlock_options){ .flags = EVLOCK_FILE_FLOCK }, EINVAL);
	close(fd);
	close(same);
	close(other);
	assert_refused(evlock_acquire_nowait(b, S), EAGAIN);
	assert_refused(evlock_acquire_nowait(c, S), EAGAIN);
	ask(b, "b", X);
	drop(a, h);
	cr_assert_str_eq(run_for(1), "b");
	evlock_free(b);
	drop(c, hold(c, X));
	evlock_free(a);
	evlock_free(c);
}

FileTest(fd, excludes_a_lock_by_path)
{
	int fd = open_other("file");
	struct evlock *l = make_fd(fd, 0);
	evlock_handle h = hold(lock, X);

	close(fd);
	assert_refused(evlock_acquire_nowait(l, S), EAGAIN);
	drop(lock, h);
	h = hold(l, X);
	assert_refused(evlock_acquire_nowait(lock, S), EAGAIN);
	evlock_free(l);
}

TestWith(fd, with_flock, EVLOCK_FILE_FLOCK)
{
	int fd = open("file", O_RDONLY), other = open_other("file");
	struct evlock *l = make_fd(fd, EVLOCK_FILE_FLOCK);
	evlock_handle h = hold(l, X);

	cr_assert_eq(flock_other(fd, LOCK_EX), 0, "it is the same description");
	cr_assert_eq(flock_other(other, LOCK_SH), EAGAIN);
	drop(l, h);
	cr_assert_eq(flock_other(other, LOCK_SH), 0);
	evlock_free(l);
	close(fd);
	close(other);
}

WaitTest(fd, waits_for_others)
{
	int fd = open_other("other"), other = open_other("other");
	struct evlock *l = make_fd(fd, 0);

	lock_other(other, F_WRLCK);
	ask(l, "a", X);
	await_blocked("other", 1);
	close(other);
	cr_assert_str_eq(run_for(1), "a");
	cr_assert_not(is_free("other", F_RDLCK));
	evlock_free(l);
	close(fd);
}

/* A child that inherits the descriptor keeps the lock, and does not unlock it. */
FileTest(fd, child_keeps_it)
{
	int fd = open_other("other"), ends[2];
	struct evlock *l = make_fd(fd, 0);
	char byte;
	pid_t child;

	cr_assert_eq(pipe(ends), 0);
	hold(l, X);
	child = fork();
	if (child == 0) {
		evlock_free(l);
		close(ends[1]);
		_exit(read(ends[0], &byte, 1) != 0);
	}
	check_child(free_all);
	cr_assert_not(is_free("other", F_RDLCK), "unlocked by the end of a child");
	close(fd);
	close(ends[0]);
	close(ends[1]);
	cr_assert_eq(waitpid(child, NULL, 0), child);
	cr_assert_not(is_free("other", F_RDLCK));
	evlock_free(l);
}

/* --- Folders and links --------------------------------------------------------------- */

FileTest(any, folders)
{
	struct evlock *l;
	int fd;

	cr_assert_eq(mkdir("folder", 0777), 0);
	check_refused("folder", EVLOCK_FILE_FLOCK, EINVAL);
	check_refused("folder/", EVLOCK_FILE_FLOCK, EINVAL);
	l = make("folder/", EVLOCK_FILE_ANY | EVLOCK_FILE_FLOCK);
	fd = open("folder", O_RDONLY);
	hold(l, X);
	cr_assert_eq(flock_other(fd, LOCK_SH), EAGAIN);
	evlock_free(l);
	cr_assert_eq(flock_other(fd, LOCK_EX), 0);
	close(fd);
}

FileTest(any, link_and_target_exclude_each_other)
{
	struct evlock *link, *same;
	evlock_handle h = hold(lock, X);

	cr_assert_eq(symlink("file", "link"), 0);
	link = make("link", EVLOCK_FILE_ANY);
	same = make("file", EVLOCK_FILE_ANY);
	assert_refused(evlock_acquire_nowait(link, S), EAGAIN);
	assert_refused(evlock_acquire_nowait(same, S), EAGAIN);
	drop(lock, h);
	h = hold(link, X);
	assert_refused(evlock_acquire_nowait(lock, S), EAGAIN);
	cr_assert_eq(evlock_file_check(link, h), 0);
	remove_file();
	assert_fails(evlock_file_check(link, h), ESTALE);
	evlock_free(link);
	evlock_free(same);
	drop(lock, hold(lock, X));
}

/* --- A file that can only be read ------------------------------------------------------- */

/* In a child. */
static void
start_anew(void)
{
	alarm(20);
	free_all();
	base = event_base_new();
}

/* Returns 0, or the number of the first line that fails.  This process may read the file, and do
 * nothing else. */
static int
read_only(void)
{
	struct evlock_set_member member;
	struct evlock *set, *other;
	evlock_handle a;

	start_anew();
	lock = evlock_file_new(base, "file", NULL);
	if (!lock)
		return 1;
	if (evlock_acquire_nowait(lock, X) || errno != EACCES)
		return 2;
	a = evlock_acquire_nowait(lock, S);
	if (!a)
		return 3;
	if (evlock_acquire_nowait(lock, X) || errno != EACCES)
		return 4;
	if (evlock_acquire(lock, X, NULL, note, NULL) || errno != EACCES)
		return 5;
	member = (struct evlock_set_member){ lock, EVLOCK_SAME_MODE };
	set = evlock_set_new(&member, 1, NULL);
	if (!set || evlock_acquire_nowait(set, X) || errno != EACCES)
		return 6;
	evlock_free(set);
	if (evlock_convert_nowait(lock, a, X) != -1 || errno != ENOTSUP)
		return 7;
	evlock_close(lock);
	if (evlock_acquire_nowait(lock, X) || errno != EACCES)
		return 8;
	if (evlock_acquire_nowait(lock, S) || errno != ECANCELED)
		return 9;
	other = evlock_file_new(base, "file", &(struct evlock_options){ .flags = EVLOCK_FILE_FLOCK });
	evlock_free(lock);
	lock = other;
	if (!lock || !evlock_acquire_nowait(lock, X))
		return 10;
	other = evlock_file_new(base, "file", NULL);
	return !other || !evlock_acquire_nowait(other, S) ? 11 : 0;
}

static int
as_nobody(int (*f)(void))
{
	int status;
	pid_t pid = fork();

	if (pid == 0)
		_exit(setgid(65534) || setuid(65534) ? 77 : f());
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	return status;
}

FileTest(read_only, is_shared)
{
	int i, status;

	if (getuid() != 0)
		return;	/* only root can become another user */
	cr_assert_eq(chmod(".", 0755), 0);
	for (i = 0; i < 2; i++) {
		int fd = open("file", O_RDWR);

		cr_assert_eq(fchmod(fd, 0644), 0);
		cr_assert_eq(lock_other(fd, i ? F_RDLCK : F_UNLCK), 0);
		status = as_nobody(read_only);
		cr_assert_eq(status, 0, "%d", status >> 8);
		close(fd);
	}
}

/* The file is replaced by a read-only one while one request of each kind waits. */
static int
becomes_read_only(void)
{
	int fd = open("file", O_RDWR);

	start_anew();
	lock = evlock_file_new(base, "file", NULL);
	if (!lock || lock_other(fd, F_WRLCK))
		return 2;
	ask(lock, "a", X);
	ask_then(lock, "b", S, note_and_drop);
	ask(lock, "c", X);
	await_blocked("file", 1);
	if (unlink("file"))
		return 1;
	close(open("file", O_RDWR | O_CREAT, 0444));
	close(fd);
	return strcmp(run_for(5), "a:Permission denied b c:Permission denied") != 0;
}

WaitTest(read_only, fails_those_who_would_write)
{
	if (getuid() != 0)
		return;
	cr_assert_eq(chmod(".", 0777), 0);
	cr_assert_eq(chmod("file", 0666), 0);
	cr_assert_eq(as_nobody(becomes_read_only), 0);
}

/* --- A mount that does not answer ----------------------------------------------------------- */

/* Mounts a folder that no server answers for at "dead", visible to this process alone.  Returns the
 * descriptor that ends the mount, or -1. */
static int
mount_dead(void)
{
	char options[100];
	int fd = open("/dev/fuse", O_RDWR | O_CLOEXEC);

	snprintf(options, sizeof options, "fd=%d,rootmode=40000,user_id=0,group_id=0", fd);
	if (fd >= 0 && mkdir("dead", 0777) == 0 && unshare(CLONE_NEWNS) == 0 &&
	    mount("none", "/", "none", MS_REC | MS_PRIVATE, NULL) == 0 &&
	    mount("none", "dead", "fuse", 0, options) == 0)
		return fd;
	if (fd >= 0)
		close(fd);
	return -1;
}

static int n_done;		/* atomic */

static void
count_done(void)
{
	__atomic_add_fetch(&n_done, 1, __ATOMIC_RELEASE);
}

static void
await_done(int n)
{
	int tries = 5000;

	while (__atomic_load_n(&n_done, __ATOMIC_ACQUIRE) < n && --tries)
		usleep(1000);
	cr_assert_gt(tries, 0, "stopped by a mount that does not answer");
}

static void *
make_dead(void *arg)
{
	struct event_base *own = event_base_new();

	cr_assert_null(evlock_file_new(own, "dead/file", NULL));
	event_base_free(own);
	return arg;
}

static void *
try_dead(void *l)
{
	cr_assert_eq(evlock_acquire_nowait(l, S), 0);
	return NULL;
}

static void *
fork_and_make(void *arg)
{
	struct event_base *own = event_base_new();
	struct evlock *l;
	pid_t pid = fork();

	if (pid == 0)
		_exit(0);
	cr_assert_eq(waitpid(pid, NULL, 0), pid);
	count_done();
	l = evlock_file_new(own, "other", NULL);
	drop(l, hold(l, X));
	evlock_free(l);
	event_base_free(own);
	count_done();
	return arg;
}

static void
see_that_others_go_on(void)
{
	pthread_t thread;

	n_done = 0;
	cr_assert_eq(pthread_create(&thread, NULL, fork_and_make, NULL), 0);
	await_done(2);
	pthread_join(thread, NULL);
}

FileTest(dead, stops_nobody_else_when_it_is_opened)
{
	pthread_t thread;
	int fuse = mount_dead();

	if (fuse < 0)
		return;
	cr_assert_eq(pthread_create(&thread, NULL, make_dead, NULL), 0);
	usleep(50000);
	see_that_others_go_on();
	close(fuse);
	pthread_join(thread, NULL);
	cr_assert_eq(umount2("dead", MNT_DETACH), 0);
}

/* A lock is made through a link that later leads to a dead mount.  `try` may block its own thread.
 * It must not block another thread's wait for the same file, nor its release or withdrawal. */
FileTest(dead, stops_nobody_else_when_it_is_looked_at)
{
	struct event_base *far = event_base_new();
	struct evlock *l, *other;
	evlock_handle h;
	pthread_t thread;
	int fuse;

	cr_assert_eq(mkdir("a", 0777), 0);
	cr_assert_eq(symlink("a", "way"), 0);
	l = make("way/file", 0);
	other = evlock_share(l, far);
	fuse = mount_dead();
	if (fuse >= 0) {
		cr_assert_eq(unlink("way"), 0);
		cr_assert_eq(symlink("dead", "way"), 0);
		cr_assert_eq(pthread_create(&thread, NULL, try_dead, other), 0);
		usleep(50000);
		see_that_others_go_on();
		h = ask(l, "waits", S);
		cr_assert_str_eq(turn(), "");
		drop(l, h);
		close(fuse);
		pthread_join(thread, NULL);
		cr_assert_eq(umount2("dead", MNT_DETACH), 0);
	}
	evlock_free(other);
	evlock_free(l);
	event_base_free(far);
}

/* --- fork() -------------------------------------------------------------------- */

/* Runs `f` in a child.  Returns 0 if all is well. */
static void
check_child(int (*f)(void))
{
	int status;
	pid_t pid = fork();

	if (pid == 0)
		_exit(f());
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_assert_eq(status, 0);
}

static int
free_all(void)
{
	told();
	evlock_free(lock);
	event_base_free(base);
	return told()[0] != '\0';
}

static int
make_own(void)
{
	int is_excluded;

	free_all();
	base = event_base_new();
	lock = evlock_file_new(base, "file", NULL);
	is_excluded = !evlock_acquire_nowait(lock, S) && errno == EAGAIN;
	free_all();
	return !is_excluded;
}

FileTest(file, child_frees_what_is_held)
{
	evlock_handle a = hold(lock, X);

	check_child(free_all);
	cr_assert_not(is_free("file", F_RDLCK));
	check_child(make_own);
	drop(lock, a);
	cr_assert(is_free("file", F_WRLCK));
}

WaitTest(file, child_frees_what_waits)
{
	int fd = open_other("file");

	lock_other(fd, F_WRLCK);
	ask(lock, "a", X);
	await_blocked("file", 1);
	check_child(free_all);
	check_child(make_own);
	close(fd);
	cr_assert_str_eq(run_for(1), "a");
}

/* --- Memory -------------------------------------------------------------------- */

static long n_live, n_left;

static void *
failing_malloc(size_t size)
{
	void *p = __atomic_fetch_sub(&n_left, 1, __ATOMIC_RELAXED) > 0 ? malloc(size) : NULL;

	if (p)
		__atomic_add_fetch(&n_live, 1, __ATOMIC_RELAXED);
	return p;
}

static void
counting_free(void *p)
{
	if (p)
		__atomic_sub_fetch(&n_live, 1, __ATOMIC_RELAXED);
	free(p);
}

Test(file, each_allocation_fails)
{
	struct evlock *a, *b;
	int i = 0;

	evlock_set_mem_functions(failing_malloc, NULL, counting_free);
	evthread_use_pthreads();
	enter_folder();
	base = event_base_new();
	n_descriptors = count_descriptors();
	do {
		n_left = i++;
		a = evlock_file_new(base, "file", NULL);
		b = a ? evlock_file_new(base, "file", NULL) : NULL;
		cr_assert(b || errno == ENOMEM);
		if (!b)
			evlock_free(a);
		cr_assert_eq(count_descriptors(), n_descriptors + !!b);
		cr_assert_eq(!!n_live, !!b);
	} while (!b);
	cr_assert_gt(i, 5);
	n_left = LONG_MAX;
	drop(b, hold(b, X));
	evlock_free(a);
	evlock_free(b);
	cr_assert_eq(n_live, 0);
	event_base_free(base);
	leave_folder();
}
