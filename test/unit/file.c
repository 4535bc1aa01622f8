/* SPDX-License-Identifier: BSD-3-Clause */

/* <evlock/file.h>: what is said there of evlock_file_new(), and the calls of
 * <evlock/evlock.h> on such a lock.  Other programs are played by open file descriptions of
 * their own, other processes that use evlock by claims (lib/file/claim.h). */

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <event2/thread.h>

#include <evlock/file.h>
#include <evlock/owner.h>
#include <evlock/set.h>

#include "scopes/file/claim.h"
#include "scopes/file/path.h"

#include "../shim.h"
#include "../files.h"
#include "../util.h"

/* --- A test has `lock`, on "file" in an empty folder -------------------------------------- */

static unsigned n_descriptors, n_threads;

static unsigned
count_threads(void)
{
	DIR *dir = opendir("/proc/self/task");
	unsigned n = 0;

	cr_assert_not_null(dir);
	while (readdir(dir))
		n++;
	closedir(dir);
	return n - 2;
}

/* The runner's own threads come and go, too: so it is enough that there are no more than
 * that for a moment, as a helper would stay. */
static int
are_threads(unsigned n)
{
	int tries = 2000;

	while (count_threads() > n && --tries)
		usleep(1000);
	return tries;
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
	n_threads = count_threads();
	lock = make("file", flags);
}

/* The descriptor of who waited is closed a moment after it was freed. */
static void
tear_down(void)
{
	cr_assert_str_eq(told(), "", "told, and not looked at");
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

/* The same for one in which something waits for others. */
#define WaitTest(suite, name) \
	static void suite##_##name##_wait(void); \
	FileTest(suite, name) \
	{ \
		if (can_wait()) \
			suite##_##name##_wait(); \
	} \
	static void \
	suite##_##name##_wait(void)

/* Runs the loop until `n` were told. */
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

static const struct evl_claim_user user = { enter, leave, got, failed, gone };

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
	cr_assert_eq(evl_claim_begin(other, &user, evl_path_new("file"), 0, 0), 0);
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
	check_refused("/", 0, ENOENT);
	check_refused(".", EVLOCK_FILE_FLOCK, EINVAL);
	cr_assert_eq(mkfifo("fifo", 0666), 0);
	check_refused("fifo", 0, EINVAL);
	cr_assert_eq(symlink("file", "link"), 0);
	check_refused("link", 0, ELOOP);
	cr_assert_eq(count_descriptors(), n_descriptors + 1);
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

FileTest(file, without_a_thread_when_it_is_free)
{
	ask(lock, "a", S);
	ask(lock, "b", X);
	cr_assert_str_eq(run_for(1), "a");
	cr_assert(are_threads(n_threads));
	evlock_free(lock);
	cr_assert_str_eq(told(), "b:ECANCELED");
	lock = make("file", 0);
}

/* --- Waiting ------------------------------------------------------------------- */

WaitTest(file, waits_for_others)
{
	int fd = open_other("file");
	evlock_handle a;

	lock_other(fd, F_WRLCK);
	a = ask(lock, "a", X);
	await_blocked("file", 1);
	n_threads = count_threads();
	ask(lock, "b", S);
	ask(lock, "c", S);
	cr_assert_str_eq(turn(), "");
	await_blocked("file", 1);
	cr_assert(are_threads(n_threads), "more than one helper");
	cr_assert_eq(evlock_waiting(lock), 3);
	close(fd);
	cr_assert_str_eq(run_for(1), "a");
	cr_assert_not(is_free("file", F_RDLCK));
	drop(lock, a);
	cr_assert_str_eq(run_for(2), "b c");
	cr_assert(is_free("file", F_RDLCK));
}

/* Waiting for another process keeps the loop alive, and ends. */
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
			usleep(1000);	/* one that is leaving may have been granted it */
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
	evlock_free(other);	/* and what it held */
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

/* In threads of their own, whoever has it counts. */
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
	cr_assert_str_eq(run_for(1), "a");	/* the lock is got, and `b` in the batch */
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

/* While another program has the one that comes first, nothing is taken; and the first is,
 * while another has the second. */
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
	drop(lock, hold(lock, X));	/* by which it is seen */
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
	cr_assert_not(is_free("file", F_RDLCK), "locked what nobody finds");
	evlock_free(lock);
	cr_assert_str_eq(told(), "c:ECANCELED");
	lock = make("file", 0);
}

/* The same for one who was to follow at once, as both waited when the lock was got. */
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
	cr_assert_not(is_free("file", F_RDLCK), "locked what nobody finds");
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
	cr_assert_not(is_free("file", F_RDLCK), "locked what nobody finds");
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

/* --- fork() -------------------------------------------------------------------- */

/* Runs `f` in a child: 0 for well. */
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
