/* SPDX-License-Identifier: BSD-3-Clause */

/* Claims to the kernel's lock on a file, and what they are made of: paths, open files,
 * the kernel's locks with their gate, the helper thread that waits. */

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <evlock/evlock.h>

#include "scopes/file/claim.h"
#include "scopes/file/kernel.h"
#include "scopes/file/path.h"

#include "base/mem.h"

#include "../shim.h"
#include "../files.h"

enum { SHARED, EXCLUSIVE };

/* --- A claim, and what it was told ------------------------------------------------ */

static pthread_mutex_t guard = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static int n_got, n_failed, n_gone, last_error, n_signals_open;
static int n_entering;		/* atomic */

static void
enter(struct evl_claim *claim)
{
	(void)claim;
	__atomic_add_fetch(&n_entering, 1, __ATOMIC_RELAXED);
	pthread_mutex_lock(&guard);
}

static void
leave(struct evl_claim *claim)
{
	(void)claim;
	pthread_mutex_unlock(&guard);
}

static void
got(struct evl_claim *claim)
{
	sigset_t blocked;

	cr_assert_eq(claim->state, EVL_CLAIM_HELD);
	pthread_sigmask(SIG_SETMASK, NULL, &blocked);
	n_signals_open += !sigismember(&blocked, SIGINT) || !sigismember(&blocked, SIGCHLD);
	n_got++;
	pthread_cond_broadcast(&changed);
}

static void
failed(struct evl_claim *claim, int error)
{
	cr_assert_eq(claim->state, EVL_CLAIM_IDLE);
	n_failed++;
	last_error = error;
	pthread_cond_broadcast(&changed);
}

static void
gone(struct evl_claim *claim)
{
	(void)claim;
	pthread_mutex_lock(&guard);
	n_gone++;
	pthread_cond_broadcast(&changed);
	pthread_mutex_unlock(&guard);
}

static int n_same, n_moved;

static void
checked(struct evl_claim *claim, int is_same)
{
	(void)claim;
	n_same += is_same;
	n_moved += !is_same;
	pthread_cond_broadcast(&changed);
}

static const struct evl_claim_user user = { enter, leave, got, failed, checked, gone };

static void
await(const int *count, int n)
{
	pthread_mutex_lock(&guard);
	while (*count < n)
		pthread_cond_wait(&changed, &guard);
	pthread_mutex_unlock(&guard);
}

static int
told(const int *count)
{
	int n;

	pthread_mutex_lock(&guard);
	n = *count;
	pthread_mutex_unlock(&guard);
	return n;
}

static int
state_of(struct evl_claim *claim)
{
	int state;

	enter(claim);
	state = claim->state;
	leave(claim);
	return state;
}

static void
await_state(struct evl_claim *claim, int state)
{
	while (state_of(claim) != state)
		usleep(1000);
}

static int
begin_how(struct evl_claim *claim, const char *path, const struct evl_how *how)
{
	char *whole = evl_path_new(path);

	return whole ? evl_claim_begin(claim, &user, whole, how) : errno;
}

static int
begin_flags(struct evl_claim *claim, const char *path, int is_flock, int makes_folders)
{
	struct evl_how how = { .is_flock = (uint8_t)is_flock, .makes_folders = (uint8_t)makes_folders };

	return begin_how(claim, path, &how);
}

static void
begin(struct evl_claim *claim, const char *path)
{
	cr_assert_eq(begin_flags(claim, path, 0, 0), 0);
}

/* Ends a claim, and waits until nothing uses it. */
static void
end(struct evl_claim *claim)
{
	int n = told(&n_gone);

	evl_claim_end(claim);
	await(&n_gone, n + 1);
}

/* With the user's mutex. */
static int
ask_by(int (*call)(struct evl_claim *, int), struct evl_claim *claim, int is_exclusive)
{
	int error;

	enter(claim);
	error = call(claim, is_exclusive);
	leave(claim);
	return error;
}

static void
tell_by(void (*call)(struct evl_claim *), struct evl_claim *claim)
{
	enter(claim);
	call(claim);
	leave(claim);
}

/* Leaves the guard for a look, as a caller that does not wait would. */
static int
look(struct evl_claim *claim, int is_exclusive)
{
	if (!evl_claim_look_begins(claim, is_exclusive))
		return EVL_CLAIM_UNSURE;
	leave(claim);
	evl_claim_look(claim);
	enter(claim);
	return evl_claim_look_ends(claim);
}

static int
try_or_look(struct evl_claim *claim, int is_exclusive)
{
	int error = evl_claim_try(claim, is_exclusive, 0);

	return error == EVL_CLAIM_UNSURE ? look(claim, is_exclusive) : error;
}

static int
try(struct evl_claim *claim, int is_exclusive)
{
	return ask_by(try_or_look, claim, is_exclusive);
}

static int
ask(struct evl_claim *claim, int is_exclusive)
{
	return ask_by(evl_claim_ask, claim, is_exclusive);
}

static void
drop(struct evl_claim *claim)
{
	tell_by(evl_claim_drop, claim);
}

static void
weaken(struct evl_claim *claim)
{
	tell_by(evl_claim_weaken, claim);
}

static int
may_join(struct evl_claim *claim)
{
	int error;

	enter(claim);
	error = evl_claim_may_join(claim);
	if (error == EVL_CLAIM_UNSURE)
		error = look(claim, SHARED);
	leave(claim);
	return error;
}

/* Each in an empty folder, and no descriptor may be left. */
static unsigned n_descriptors;

static void
set_up(void)
{
	enter_folder();
	n_descriptors = count_descriptors();
}

static void
tear_down(void)
{
	cr_assert_eq(count_descriptors(), n_descriptors, "descriptors are left");
	cr_assert_eq(n_signals_open, 0, "a helper may be interrupted");
	leave_folder();
}

#define FileTest(suite, name) \
	static void suite##_##name##_body(void); \
	Test(suite, name) \
	{ \
		set_up(); \
		suite##_##name##_body(); \
		tear_down(); \
	} \
	static void \
	suite##_##name##_body(void)

/* The same for one in which a claim waits in fcntl(2). */
#define WaitTest(suite, name) \
	static void suite##_##name##_wait(void); \
	FileTest(suite, name) \
	{ \
		if (can_wait()) \
			suite##_##name##_wait(); \
	} \
	static void \
	suite##_##name##_wait(void)

/* --- Paths ---------------------------------------------------------------------------- */

static void
check_path(const char *path, const char *expected)
{
	char *whole = evl_path_new(path);

	cr_assert_not_null(whole);
	cr_assert_str_eq(whole, expected);
	evl_mem_free(whole);
}

FileTest(path, is_whole)
{
	cr_assert_eq(chdir("/usr"), 0);
	check_path("/a/b", "/a/b");
	check_path("//a///./b", "/a/b");
	check_path("/a/../.b/c.", "/a/../.b/c.");
	check_path("a", "/usr/a");
	check_path("./a//b", "/usr/a/b");
	cr_assert_eq(chdir("/"), 0);
	check_path("a", "/a");
}

FileTest(path, of_a_folder)
{
	cr_assert_eq(chdir("/usr"), 0);
	check_path("/", "/");
	check_path("/.", "/");
	check_path("//a//", "/a/");
	check_path("a/.", "/usr/a/");
	check_path("a/..", "/usr/a/../");
	check_path(".", "/usr/");
	check_path("..a", "/usr/..a");
	cr_assert_eq(chdir("/"), 0);
	check_path("./.", "/");
}

FileTest(path, in_a_deep_folder)
{
	char name[201], *whole;
	int i;

	memset(name, 'x', 200);
	name[200] = '\0';
	for (i = 0; i < 3; i++) {
		cr_assert_eq(mkdir(name, 0700), 0);
		cr_assert_eq(chdir(name), 0);
	}
	whole = evl_path_new("lock");
	cr_assert_not_null(whole);
	cr_assert_gt(strlen(whole), 3 * 201 + 5);
	cr_assert_eq(access(name, F_OK), -1);
	close(open_other("lock"));
	cr_assert_eq(access(whole, F_OK), 0);
	evl_mem_free(whole);
}

FileTest(path, in_a_folder_that_is_gone)
{
	cr_assert_eq(mkdir("folder", 0700), 0);
	cr_assert_eq(chdir("folder"), 0);
	cr_assert_eq(rmdir("../folder"), 0);
	cr_assert_null(evl_path_new("lock"));
	cr_assert_eq(errno, ENOENT);
}

/* --- What is opened ------------------------------------------------------------------- */

static void
check_refused(const char *path, int error)
{
	struct evl_claim claim;

	cr_assert_eq(begin_flags(&claim, path, 0, 0), error, "%s: %s", path,
	    strerror(begin_flags(&claim, path, 0, 0)));
	cr_assert_eq(begin_flags(&claim, path, 1, 0), error);
	cr_assert_eq(count_descriptors(), n_descriptors);
}

FileTest(opened, regular_files_alone)
{
	struct evl_claim claim;

	cr_assert_eq(mkfifo("fifo", 0666), 0);
	cr_assert_eq(mkdir("folder", 0777), 0);
	cr_assert_eq(symlink("file", "link"), 0);
	check_refused("fifo", EINVAL);
	check_refused("folder", EINVAL);
	check_refused("folder/", EINVAL);
	check_refused("/dev/null", EINVAL);
	check_refused("/", EINVAL);
	check_refused("file/", ENOENT);
	check_refused("", ENOENT);
	check_refused("link", ELOOP);
	cr_assert_eq(access("file", F_OK), -1, "made through a link");
	check_refused("none/file", ENOENT);
	cr_assert_eq(begin_flags(&claim, "new/", 0, 1), ENOENT);
	cr_assert_eq(access("new", F_OK), -1, "made, though it is a folder's");
	close(open_other("file"));
	check_refused("file/file", ENOTDIR);
	check_refused("file/", ENOTDIR);
}

FileTest(opened, makes_the_file)
{
	struct evl_claim claim;
	struct stat st;

	umask(027);
	begin(&claim, "file");
	cr_assert_eq(stat("file", &st), 0);
	cr_assert_eq(st.st_mode, S_IFREG | 0640);
	cr_assert_eq(st.st_size, 0);
	cr_assert(fcntl(claim.file.fd, F_GETFD) & FD_CLOEXEC);
	end(&claim);
	cr_assert_eq(access("file", F_OK), 0);
}

FileTest(opened, leaves_the_contents)
{
	struct evl_claim claim;
	char text[8] = "";
	int fd = open_other("file");

	cr_assert_eq(write(fd, "text", 4), 4);
	begin(&claim, "file");
	cr_assert_eq(try(&claim, EXCLUSIVE), 0);
	end(&claim);
	cr_assert_eq(pread(fd, text, 8, 0), 4);
	cr_assert_str_eq(text, "text");
	close(fd);
}

FileTest(opened, makes_folders)
{
	struct evl_claim claim;

	cr_assert_eq(begin_flags(&claim, "a/b//c/file", 0, 1), 0);
	end(&claim);
	cr_assert_eq(access("a/b/c/file", F_OK), 0);
	close(open_other("a/d"));
	cr_assert_eq(begin_flags(&claim, "a/d/file", 0, 1), ENOTDIR);
}

FileTest(opened, one_kind_of_lock_at_a_time)
{
	struct evl_claim a, b;

	begin(&a, "file");
	cr_assert_eq(link("file", "same"), 0);
	cr_assert_eq(begin_flags(&b, "same", 1, 0), EINVAL);
	cr_assert_eq(begin_flags(&b, "file", 1, 0), EINVAL);
	end(&a);
	cr_assert_eq(begin_flags(&b, "same", 1, 0), 0);
	cr_assert_eq(begin_flags(&a, "file", 0, 0), EINVAL);
	end(&b);
}

static void
check_without_descriptors(void)
{
	struct evl_claim claim;
	struct rlimit limit, none;
	int error;

	getrlimit(RLIMIT_NOFILE, &limit);
	none = limit;
	none.rlim_cur = 0;
	setrlimit(RLIMIT_NOFILE, &none);
	error = begin_flags(&claim, "file", 0, 0);
	setrlimit(RLIMIT_NOFILE, &limit);
	cr_assert_eq(error, EMFILE, "%s", strerror(error));
	cr_assert(access("file", F_OK) || !can_wait());	/* valgrind refuses what was opened */
}

FileTest(opened, without_descriptors)
{
	struct evl_claim claim;

	check_without_descriptors();	/* when nothing has been loaded */
	begin(&claim, "another");
	check_without_descriptors();
	end(&claim);
}

/* On a small disk, which a child sees alone.  Returns 0, the first that is not as it should
 * be, or 255: there is none to be had. */
static int
fill_disk(void)
{
	struct evl_claim claim, another;

	if (mkdir("disk", 0777) || unshare(CLONE_NEWNS) ||
	    mount("none", "/", "none", MS_REC | MS_PRIVATE, NULL) ||
	    mount("disk", "disk", "tmpfs", 0, "nr_inodes=2"))
		return 255;
	if (begin_flags(&claim, "disk/a", 0, 0))
		return 1;
	if (begin_flags(&another, "disk/b", 0, 0) != ENOSPC)
		return 2;
	if (begin_flags(&another, "disk/c/b", 0, 1) != ENOSPC)
		return 3;
	if (count_descriptors() != n_descriptors + 1)
		return 4;
	if (mount("disk", "disk", "tmpfs", MS_REMOUNT | MS_RDONLY, NULL) == 0)
		return 5;	/* refused, as a file is open for writing */
	evl_claim_end(&claim);
	if (mount("disk", "disk", "tmpfs", MS_REMOUNT | MS_RDONLY, NULL))
		return 6;
	if (begin_flags(&another, "disk/b", 0, 0) != EROFS)
		return 7;
	if (begin_flags(&another, "disk/a", 0, 0) || try(&another, EXCLUSIVE) != EACCES ||
	    try(&another, SHARED))
		return 8;
	evl_claim_end(&another);
	return count_descriptors() == n_descriptors ? 0 : 9;
}

FileTest(opened, on_a_full_disk)
{
	int status;
	pid_t pid = fork();

	if (pid == 0)
		_exit(fill_disk());
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_assert(status == 0 || status == 255 << 8, "%d", status >> 8);
}

/* --- Files that cannot be written --------------------------------------------------------- */

/* Calls `f` in a child that is nobody in particular, and returns what it returns. */
static int
call_as_nobody(int (*f)(const char *), const char *path)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		if (setgid(65534) || setuid(65534))
			_exit(255);
		_exit(f(path));
	}
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_assert(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static int
begin_plain(const char *path)
{
	struct evl_claim claim;

	return begin_flags(&claim, path, 0, 0);
}

/* 0, or the number of the first line that is not so. */
static int
read_only(const char *path)
{
	struct evl_claim claim;

	if (begin_flags(&claim, path, 0, 0))
		return 1;
	if (evl_claim_may(&claim, EXCLUSIVE) != EACCES || evl_claim_may(&claim, SHARED))
		return 2;
	if (try(&claim, EXCLUSIVE) != EACCES)
		return 3;
	if (try(&claim, SHARED) || may_join(&claim))
		return 4;
	drop(&claim);
	if (ask(&claim, EXCLUSIVE))
		return 5;
	await(&n_failed, 1);
	if (last_error != EACCES)
		return 6;
	end(&claim);
	return 0;
}

static int
read_only_flock(const char *path)
{
	struct evl_claim claim;
	int fd = open(path, O_RDONLY);

	if (begin_flags(&claim, path, 1, 0) || try(&claim, EXCLUSIVE))
		return 1;
	if (flock_other(fd, LOCK_SH) != EAGAIN)
		return 2;
	end(&claim);
	return flock_other(fd, LOCK_EX) ? 3 : 0;
}

/* There is somebody to become, and files for them. */
static int
can_be_nobody(void)
{
	return getuid() == 0 && chmod(".", 0755) == 0;
}

FileTest(read_only, without_permission)
{
	if (!can_be_nobody())
		return;
	close(open_other("file"));
	cr_assert_eq(chmod("file", 0644), 0);
	cr_assert_eq(call_as_nobody(read_only, "file"), 0);
	cr_assert_eq(call_as_nobody(read_only_flock, "file"), 0);
	cr_assert_eq(call_as_nobody(begin_plain, "new"), EACCES);
	cr_assert_eq(access("new", F_OK), -1);
	cr_assert_eq(chmod("file", 0200), 0);
	cr_assert_eq(call_as_nobody(begin_plain, "file"), EACCES);
	cr_assert_eq(chmod("file", 0666), 0);
	cr_assert_eq(call_as_nobody(begin_plain, "file"), 0);
}

/* The file is asked for before it becomes writable, or is not. */
static int
become_writable(const char *path, int is_tried)
{
	struct evl_claim claim;
	int fd = open(path, O_RDONLY);

	if (fchmod(fd, 0444) || begin_flags(&claim, path, 0, 0) ||
	    (is_tried && try(&claim, EXCLUSIVE) != EACCES))
		return 1;
	if (fchmod(fd, 0644) || try(&claim, EXCLUSIVE) || is_free(path, F_RDLCK))
		return 2;
	if (evl_claim_may(&claim, EXCLUSIVE))
		return 3;
	end(&claim);
	return 0;
}

static int
become_writable_untried(const char *path)
{
	return become_writable(path, 0);
}

static int
become_writable_after_all(const char *path)
{
	return become_writable(path, 1);
}

FileTest(read_only, until_it_becomes_writable)
{
	if (!can_be_nobody())
		return;
	close(open_other("file"));
	cr_assert_eq(chown("file", 65534, 65534), 0);
	cr_assert_eq(call_as_nobody(become_writable_untried, "file"), 0);
	cr_assert_eq(call_as_nobody(become_writable_after_all, "file"), 0);
}

/* A program that runs is not opened for writing, and one that is open so does not run. */
FileTest(read_only, running_program)
{
	struct evl_claim claim;

	cr_assert_eq(system("cp /bin/sleep prog && ./prog 60 & echo $! >pid; while ! "
	    "readlink /proc/$(cat pid)/exe | grep -q prog; do sleep 0.01; done"), 0);
	cr_assert_eq(begin_flags(&claim, "prog", 0, 0), 0);
	cr_assert_eq(try(&claim, EXCLUSIVE), EACCES);
	cr_assert_eq(try(&claim, SHARED), 0);
	end(&claim);
	cr_assert_eq(system("kill $(cat pid)"), 0);
	cr_assert_eq(begin_flags(&claim, "prog", 1, 0), 0);
	cr_assert_eq(try(&claim, EXCLUSIVE), 0);
	cr_assert_eq(system("./prog 0"), 0, "a lock by flock(2) keeps a program from running");
	end(&claim);
}

/* As NFS does. */
static int n_bad;

int
flock(int fd, int operation)
{
	int (*real)(int, int);

	*(void **)&real = dlsym(RTLD_NEXT, "flock");
	if (n_bad && (operation & LOCK_EX) && (fcntl(fd, F_GETFL) & O_ACCMODE) == O_RDONLY) {
		n_bad++;
		errno = EBADF;
		return -1;
	}
	return real(fd, operation);
}

static int
bad_for_nobody(const char *path)
{
	struct evl_claim claim;

	n_bad = 1;
	return begin_flags(&claim, path, 1, 0) || try(&claim, EXCLUSIVE) != EACCES ||
	    try(&claim, SHARED);
}

FileTest(read_only, opened_for_writing_where_flock_wants_that)
{
	struct evl_claim claim;
	int fd = open_other("file"), is_quick;

	n_bad = 1;
	cr_assert_eq(begin_flags(&claim, "file", 1, 0), 0);
	cr_assert_eq(try(&claim, SHARED), 0);
	cr_assert_eq(n_bad, 1, "opened for writing, though nobody wants that");
	drop(&claim);
	is_quick = evl_seen_is_recent(&claim.file.seen, 100);	/* once the file is not young */
	cr_assert_eq(try(&claim, EXCLUSIVE), 0);
	cr_assert(n_bad == 2 || (is_quick && n_bad == 3), "flock(2) was called %d times", n_bad - 1);
	cr_assert_eq(flock_other(fd, LOCK_SH), EAGAIN);
	drop(&claim);
	cr_assert_eq(ask(&claim, EXCLUSIVE), 0);
	await(&n_got, 1);
	end(&claim);
	close(fd);
	if (can_be_nobody())
		cr_assert_eq(call_as_nobody(bad_for_nobody, "file"), 0);
}

/* --- Folders, devices, links -------------------------------------------------------------- */

static const struct evl_how any = { .is_any = 1 }, any_flock = { .is_any = 1, .is_flock = 1 };

static void
check_any(const char *path)
{
	struct evl_claim claim;
	int fd = open(path, O_RDONLY);

	cr_assert_geq(fd, 0);
	cr_assert_eq(begin_how(&claim, path, &any_flock), 0, "%s", path);
	cr_assert_eq(try(&claim, EXCLUSIVE), 0);
	cr_assert_eq(flock_other(fd, LOCK_SH), EAGAIN);
	end(&claim);
	cr_assert_eq(flock_other(fd, LOCK_EX), 0);
	close(fd);
}

FileTest(any, folders_and_devices)
{
	struct evl_claim claim;

	cr_assert_eq(mkdir("folder", 0777), 0);
	check_any("folder");
	check_any("folder/");
	check_any(".");
	check_any("/dev/null");
	cr_assert_eq(begin_how(&claim, "folder", &any), EISDIR);
	cr_assert_eq(begin_how(&claim, "/dev/null", &any), 0);
	cr_assert_eq(try(&claim, EXCLUSIVE), 0);
	end(&claim);
	cr_assert_eq(mkfifo("fifo", 0666), 0);
	cr_assert_eq(begin_how(&claim, "fifo", &any), EINVAL);
	cr_assert_eq(begin_how(&claim, "none/", &any), ENOENT);
}

FileTest(any, links_are_followed_each_time)
{
	struct evl_claim claim;

	cr_assert_eq(symlink("file", "link"), 0);
	cr_assert_eq(begin_how(&claim, "link", &any), 0);
	cr_assert_eq(try(&claim, EXCLUSIVE), 0);
	cr_assert_not(is_free("file", F_RDLCK));
	drop(&claim);
	usleep(50000);		/* until the file is not young, and would be trusted */
	cr_assert_eq(try(&claim, EXCLUSIVE), 0);
	drop(&claim);
	cr_assert_eq(unlink("link"), 0);
	cr_assert_eq(symlink("other", "link"), 0);
	close(open_other("other"));
	enter(&claim);
	cr_assert_eq(evl_claim_try(&claim, EXCLUSIVE, 1), EVL_CLAIM_UNSURE);
	leave(&claim);
	cr_assert_eq(try(&claim, EXCLUSIVE), 0);
	cr_assert(is_free("file", F_WRLCK));
	cr_assert_not(is_free("other", F_RDLCK));
	end(&claim);
}

/* --- What the caller has open ------------------------------------------------------------ */

FileTest(adopted, is_locked)
{
	struct evl_claim claim;
	int fd = open_other("file");

	cr_assert_eq(evl_claim_adopt(&claim, &user, fd, 0), 0);
	cr_assert_eq(fcntl(claim.file.fd, F_GETFD), FD_CLOEXEC);
	cr_assert_eq(fcntl(fd, F_SETFD, 0), 0);
	cr_assert_eq(unlink("file"), 0);
	cr_assert_eq(evl_claim_try(&claim, EXCLUSIVE, 0), 0);
	cr_assert_eq(access("file", F_OK), -1, "made again");
	cr_assert_eq(fcntl(fd, F_GETFD), 0);
	end(&claim);
	close(fd);
}

FileTest(adopted, keeps_what_the_caller_locked)
{
	struct evl_claim claim;
	int fd = open_other("file");

	cr_assert_eq(lock_other(fd, F_WRLCK), 0);
	cr_assert_eq(evl_claim_adopt(&claim, &user, fd, 0), 0);
	end(&claim);
	cr_assert_not(is_free("file", F_RDLCK));
	close(fd);
}

FileTest(adopted, as_its_access_allows)
{
	struct evl_claim claim;
	int fd = open_other("file"), reading = open("file", O_RDONLY);
	int writing = open("file", O_WRONLY), path = open("file", O_PATH);

	cr_assert_eq(evl_claim_adopt(&claim, &user, reading, 0), 0);
	cr_assert_eq(try(&claim, EXCLUSIVE), EACCES);
	cr_assert_eq(try(&claim, SHARED), 0);
	end(&claim);
	cr_assert_eq(evl_claim_adopt(&claim, &user, writing, 0), 0);
	cr_assert_eq(try(&claim, SHARED), EACCES);
	cr_assert_eq(try(&claim, EXCLUSIVE), 0);
	end(&claim);
	cr_assert_eq(evl_claim_adopt(&claim, &user, path, 0), EBADF);
	cr_assert_eq(evl_claim_adopt(&claim, &user, -1, 0), EBADF);
	close(fd);
	close(reading);
	close(writing);
	close(path);
}

FileTest(adopted, knows_its_description)
{
	struct evl_claim claim;
	int fd = open_other("file"), same = dup(fd), other = open_other("file");

	cr_assert_eq(evl_claim_adopt(&claim, &user, fd, 0), 0);
	cr_assert(evl_opened_is_description(&claim.file, same));
	cr_assert_not(evl_opened_is_description(&claim.file, other));
	cr_assert_not(evl_opened_is_description(&claim.file, -1));
	end(&claim);
	close(fd);
	close(same);
	close(other);
}

WaitTest(adopted, waits)
{
	struct evl_claim claim;
	int fd = open_other("file"), other = open_other("file");

	cr_assert_eq(evl_claim_adopt(&claim, &user, fd, 0), 0);
	cr_assert_eq(lock_other(other, F_WRLCK), 0);
	cr_assert_eq(try(&claim, EXCLUSIVE), EAGAIN);
	cr_assert_eq(ask(&claim, EXCLUSIVE), 0);
	await_blocked("file", 1);
	lock_other(other, F_UNLCK);
	await(&n_got, 1);
	cr_assert_eq(lock_other(other, F_RDLCK), EAGAIN);
	end(&claim);
	close(fd);
	close(other);
}

/* --- A fork while a file is opened ---------------------------------------------------------- */

static pid_t late_child;
static int forks_late, n_opened;	/* n_opened is atomic */

/* In place of the C library's: forks once, when the file has been opened and nobody knows. */
int
open(const char *path, int flags, ...)
{
	int fd = openat(AT_FDCWD, path, flags, 0666);

	__atomic_add_fetch(&n_opened, 1, __ATOMIC_RELAXED);
	if (!forks_late)
		return fd;
	forks_late = 0;
	late_child = fork();
	if (late_child == 0) {
		pause();
		_exit(0);
	}
	return fd;
}

FileTest(fork, while_it_is_opened)
{
	struct evl_claim claim;

	close(open_other("file"));
	n_opened = 0;
	forks_late = 1;
	begin(&claim, "file");
	cr_assert_eq(n_opened, 2, "the child shares the description that is locked");
	cr_assert_eq(try(&claim, EXCLUSIVE), 0);
	close(claim.file.fd);	/* as the end of this process would */
	claim.file.fd = -1;
	cr_assert(is_free("file", F_WRLCK), "the child keeps the lock");
	cr_assert_eq(kill(late_child, SIGKILL), 0);
	cr_assert_eq(waitpid(late_child, NULL, 0), late_child);
	end(&claim);
}

/* --- Taking it at once -------------------------------------------------------------------- */

FileTest(claim, excludes_others)
{
	struct evl_claim claim;

	begin(&claim, "file");
	cr_assert_eq(try(&claim, EXCLUSIVE), 0);
	cr_assert_not(is_free("file", F_RDLCK));
	drop(&claim);
	cr_assert(is_free("file", F_WRLCK));
	cr_assert_eq(try(&claim, SHARED), 0);
	cr_assert(is_free("file", F_RDLCK));
	cr_assert_not(is_free("file", F_WRLCK));
	drop(&claim);
	cr_assert(is_free("file", F_WRLCK));
	end(&claim);
}

FileTest(claim, is_excluded_by_others)
{
	struct evl_claim claim;
	int fd = open_other("file");

	begin(&claim, "file");
	lock_other(fd, F_WRLCK);
	cr_assert_eq(try(&claim, SHARED), EAGAIN);
	lock_other(fd, F_RDLCK);
	cr_assert_eq(try(&claim, EXCLUSIVE), EAGAIN);
	cr_assert_eq(try(&claim, SHARED), 0);
	cr_assert_eq(may_join(&claim), 0);
	end(&claim);
	cr_assert_eq(lock_other(fd, F_WRLCK), 0);
	close(fd);
}

/* Programs that lock the bytes that a file has, or the first. */
FileTest(claim, excludes_those_who_lock_a_part)
{
	struct evl_claim claim;
	struct flock first = { .l_type = F_RDLCK, .l_whence = SEEK_SET, .l_len = 1 };
	int fd = open_other("file");

	begin(&claim, "file");
	cr_assert_eq(try(&claim, EXCLUSIVE), 0);
	cr_assert_eq(fcntl(fd, F_OFD_SETLK, &first), -1);
	first.l_start = (off_t)1 << 62;
	cr_assert_eq(fcntl(fd, F_OFD_SETLK, &first), -1);
	end(&claim);
	close(fd);
}

FileTest(claim, weakened_lets_readers_in)
{
	struct evl_claim claim;

	begin(&claim, "file");
	cr_assert_eq(try(&claim, EXCLUSIVE), 0);
	weaken(&claim);
	cr_assert(is_free("file", F_RDLCK));
	cr_assert_not(is_free("file", F_WRLCK));
	end(&claim);
}

FileTest(claim, with_flock)
{
	struct evl_claim claim;
	int fd = open_other("file");

	cr_assert_eq(begin_flags(&claim, "file", 1, 0), 0);
	cr_assert_eq(try(&claim, EXCLUSIVE), 0);
	cr_assert_eq(flock_other(fd, LOCK_SH), EAGAIN);
	weaken(&claim);
	cr_assert_eq(flock_other(fd, LOCK_SH), EAGAIN);
	drop(&claim);
	cr_assert_eq(flock_other(fd, LOCK_SH), 0);
	cr_assert_eq(try(&claim, EXCLUSIVE), EAGAIN);
	cr_assert_eq(try(&claim, SHARED), 0);
	cr_assert_eq(may_join(&claim), 0);
	cr_assert_eq(flock_other(fd, LOCK_EX), EAGAIN);
	end(&claim);
	cr_assert_eq(flock_other(fd, LOCK_EX), 0);
	close(fd);
}

FileTest(claim, closing_elsewhere_changes_nothing)
{
	struct evl_claim claim;

	begin(&claim, "file");
	cr_assert_eq(try(&claim, EXCLUSIVE), 0);
	close(open_other("file"));
	cr_assert_not(is_free("file", F_RDLCK));
	end(&claim);
}

/* --- Waiting ----------------------------------------------------------------------------- */

static void
check_wait(int is_flock, int is_exclusive)
{
	struct evl_claim claim;
	int fd = open_other("file");

	cr_assert_eq(begin_flags(&claim, "file", is_flock, 0), 0);
	cr_assert_eq(is_flock ? flock_other(fd, LOCK_EX) : lock_other(fd, F_WRLCK), 0);
	cr_assert_eq(ask(&claim, is_exclusive), 0);
	await_blocked("file", 1);
	cr_assert_eq(told(&n_got), 0);
	close(fd);
	await(&n_got, 1);
	fd = open_other("file");
	cr_assert_eq(is_flock ? flock_other(fd, LOCK_EX) : lock_other(fd, F_WRLCK), EAGAIN);
	cr_assert_eq(is_flock ? flock_other(fd, LOCK_SH) : lock_other(fd, F_RDLCK),
	    is_exclusive ? EAGAIN : 0);
	close(fd);
	end(&claim);
	cr_assert_eq(told(&n_got), 1);
	cr_assert_eq(told(&n_failed), 0);
}

WaitTest(wait, exclusive) { check_wait(0, EXCLUSIVE); }
WaitTest(wait, shared) { check_wait(0, SHARED); }
FileTest(wait, exclusive_flock) { check_wait(1, EXCLUSIVE); }
FileTest(wait, shared_flock) { check_wait(1, SHARED); }

static void
check_drop(int is_flock)
{
	struct evl_claim claim;
	int fd = open_other("file");

	cr_assert_eq(begin_flags(&claim, "file", is_flock, 0), 0);
	cr_assert_eq(is_flock ? flock_other(fd, LOCK_SH) : lock_other(fd, F_RDLCK), 0);
	cr_assert_eq(ask(&claim, EXCLUSIVE), 0);
	await_blocked("file", 1);
	drop(&claim);
	await_state(&claim, EVL_CLAIM_IDLE);
	close(fd);
	fd = open_other("file");
	cr_assert_eq(is_flock ? flock_other(fd, LOCK_EX) : lock_other(fd, F_WRLCK), 0);
	close(fd);
	cr_assert_eq(try(&claim, EXCLUSIVE), 0);
	end(&claim);
	cr_assert_eq(told(&n_got) + told(&n_failed), 0);
}

WaitTest(wait, ends_when_dropped) { check_drop(0); }
FileTest(wait, ends_when_dropped_flock) { check_drop(1); }

/* A writer who waits has the gate; without it, readers come in again. */
WaitTest(wait, that_ends_lets_readers_in)
{
	struct evl_claim reader, writer, another;

	begin(&reader, "file");
	begin(&writer, "file");
	begin(&another, "file");
	cr_assert_eq(try(&reader, SHARED), 0);
	cr_assert_eq(may_join(&reader), 0);
	cr_assert_eq(ask(&writer, EXCLUSIVE), 0);
	await_blocked("file", 1);
	cr_assert_eq(try(&another, SHARED), EAGAIN);
	cr_assert_eq(may_join(&reader), EAGAIN);
	drop(&writer);
	await_state(&writer, EVL_CLAIM_IDLE);
	cr_assert_eq(may_join(&reader), 0);
	cr_assert_eq(try(&another, SHARED), 0);
	end(&reader);
	end(&writer);
	end(&another);
}

WaitTest(wait, asked_again_while_it_ends)
{
	struct evl_claim claim;
	int fd = open_other("file"), i;

	begin(&claim, "file");
	for (i = 0; i < 100; i++) {
		lock_other(fd, F_WRLCK);
		cr_assert_eq(ask(&claim, EXCLUSIVE), 0);
		enter(&claim);
		evl_claim_drop(&claim);
		cr_assert_eq(evl_claim_try(&claim, SHARED, 0), EAGAIN);
		evl_claim_ask(&claim, i & 1);
		leave(&claim);
		lock_other(fd, F_UNLCK);
		await(&n_got, i + 1);
		cr_assert_eq(lock_other(fd, F_RDLCK), i & 1 ? EAGAIN : 0);
		cr_assert_eq(lock_other(fd, F_WRLCK), EAGAIN);
		lock_other(fd, F_UNLCK);
		drop(&claim);
	}
	end(&claim);
	cr_assert_eq(told(&n_failed), 0);
	close(fd);
}

static void
ask_again(struct evl_claim *claim)
{
	cr_assert_eq(ask(claim, EXCLUSIVE), 0);
	await_blocked("file", 1);
	enter(claim);
	evl_claim_drop(claim);
	evl_claim_ask(claim, SHARED);
}

WaitTest(wait, goes_on_when_it_is_asked_again)
{
	struct evl_claim claim;
	int fd = open_other("file");

	begin(&claim, "file");
	lock_other(fd, F_WRLCK);
	ask_again(&claim);
	leave(&claim);
	while (state_of(&claim) == EVL_CLAIM_LEAVING)
		usleep(1000);
	cr_assert_eq(state_of(&claim), EVL_CLAIM_ASKING);
	close(fd);
	await(&n_got, 1);
	end(&claim);
	cr_assert_eq(told(&n_failed), 0);
}

WaitTest(wait, ends_when_it_was_asked_again_and_dropped)
{
	struct evl_claim claim;
	int fd = open_other("file");

	begin(&claim, "file");
	lock_other(fd, F_WRLCK);
	ask_again(&claim);
	evl_claim_drop(&claim);
	leave(&claim);
	while (state_of(&claim) == EVL_CLAIM_LEAVING)
		usleep(1000);
	cr_assert_eq(state_of(&claim), EVL_CLAIM_IDLE);
	close(fd);
	end(&claim);
	cr_assert_eq(told(&n_got) + told(&n_failed), 0);
}

WaitTest(wait, fails_when_it_is_asked_again)
{
	struct evl_claim claim;
	int fd = open_other("file");

	begin(&claim, "file");
	lock_other(fd, F_WRLCK);
	ask_again(&claim);
	cr_assert_eq(unlink("file"), 0);
	cr_assert_eq(mkdir("file", 0777), 0);
	close(fd);
	leave(&claim);
	await(&n_failed, 1);
	cr_assert_eq(last_error, EINVAL);
	cr_assert_eq(told(&n_got), 0);
	end(&claim);
}

/* The kernel may grant what is just being dropped; it must be given back. */
WaitTest(wait, dropped_while_it_is_granted)
{
	struct evl_claim claim;
	int fd = open_other("file"), i, n_late = 0;

	begin(&claim, "file");
	for (i = 0; i < 1000; i++) {
		int n = told(&n_got);

		cr_assert_eq(lock_other(fd, F_WRLCK), 0, "the lock was kept");
		cr_assert_eq(ask(&claim, EXCLUSIVE), 0);
		if (i % 4)
			await_blocked("file", 1);
		lock_other(fd, F_UNLCK);
		drop(&claim);
		await_state(&claim, EVL_CLAIM_IDLE);
		n_late += told(&n_got) == n;
	}
	cr_assert_gt(n_late, 0, "none was dropped before it was told");
	end(&claim);
	close(fd);
}

static int n_signals;

/* In place of the C library's. */
int
pthread_kill(pthread_t thread, int number)
{
	int (*send)(pthread_t, int);

	*(void **)&send = dlsym(RTLD_NEXT, "pthread_kill");
	n_signals++;
	return send(thread, number);
}

/* The signal might interrupt whatever the helper does next. */
FileTest(wait, that_is_over_is_not_interrupted)
{
	struct evl_claim claim;

	begin(&claim, "file");
	enter(&claim);
	cr_assert_eq(evl_claim_ask(&claim, EXCLUSIVE), 0);
	while (__atomic_load_n(&n_entering, __ATOMIC_RELAXED) < 2)
		usleep(1000);
	evl_claim_drop(&claim);
	leave(&claim);
	await_state(&claim, EVL_CLAIM_IDLE);
	cr_assert_eq(n_signals, 0);
	end(&claim);
}

FileTest(wait, that_is_over_when_it_is_cancelled_keeps_nothing)
{
	struct evl_claim claim;
	int fd;

	begin(&claim, "file");
	enter(&claim);
	cr_assert_eq(evl_claim_ask(&claim, EXCLUSIVE), 0);
	while (__atomic_load_n(&n_entering, __ATOMIC_RELAXED) < 2)
		usleep(1000);
	evl_claim_drop(&claim);
	leave(&claim);
	await_state(&claim, EVL_CLAIM_IDLE);
	fd = open_other("file");
	cr_assert_eq(lock_other(fd, F_WRLCK), 0);
	close(fd);
	end(&claim);
}

/* By one signal, whatever the helper's thread has been through. */
WaitTest(wait, that_goes_on_is_interrupted)
{
	struct evl_claim claim;
	int fd = open_other("file"), i;

	begin(&claim, "file");
	cr_assert_eq(lock_other(fd, F_WRLCK), 0);
	for (i = 1; i <= 3; i++) {
		cr_assert_eq(ask(&claim, EXCLUSIVE), 0);
		await_blocked("file", 1);
		drop(&claim);
		await_state(&claim, EVL_CLAIM_IDLE);
		cr_assert_eq(n_signals, i);
	}
	end(&claim);
	close(fd);
}

/* --- The signal ------------------------------------------------------------------------- */

static void
ignore(int number)
{
	(void)number;
}

static int
handler_of(int number, void (*handler)(int))
{
	struct sigaction action;

	cr_assert_eq(sigaction(number, NULL, &action), 0);
	return action.sa_handler == handler;
}

FileTest(signal, is_one_without_a_handler)
{
	struct evl_claim claim;

	signal(SIGRTMAX - 1, ignore);
	begin(&claim, "file");
	cr_assert_eq(evl_wait_signal(), SIGRTMAX - 2);
	cr_assert(handler_of(SIGRTMAX - 1, ignore));
	cr_assert_not(handler_of(SIGRTMAX - 2, SIG_DFL));
	end(&claim);
}

FileTest(signal, is_chosen)
{
	struct evl_claim claim;

	cr_assert_eq(evl_wait_choose(SIGKILL), EINVAL);
	cr_assert_eq(evl_wait_choose(0), EINVAL);
	cr_assert_eq(evl_wait_choose(1000), EINVAL);
	signal(SIGUSR1, ignore);
	cr_assert_eq(evl_wait_choose(SIGUSR1), EBUSY);
	cr_assert_eq(evl_wait_choose(SIGUSR2), 0);
	cr_assert_eq(evl_wait_choose(SIGURG), 0);
	begin(&claim, "file");
	cr_assert_eq(evl_wait_signal(), SIGURG);
	cr_assert(handler_of(SIGUSR2, SIG_DFL));
	cr_assert_eq(evl_wait_choose(SIGUSR2), EBUSY);
	end(&claim);
}

/* Whose default would end the process. */
WaitTest(signal, was_reset)
{
	struct evl_claim claim;
	int fd = open_other("file");

	begin(&claim, "file");
	lock_other(fd, F_WRLCK);
	cr_assert_eq(ask(&claim, EXCLUSIVE), 0);
	await_blocked("file", 1);
	signal(evl_wait_signal(), SIG_DFL);
	drop(&claim);
	await_state(&claim, EVL_CLAIM_IDLE);
	end(&claim);
	close(fd);
}

/* Threads that are stopped while they have a mutex of the library. */
static __thread int is_to_stop;
static int has_stopped;		/* atomic */

static void
stop_if_told(void)
{
	if (!is_to_stop)
		return;
	is_to_stop = 0;
	__atomic_store_n(&has_stopped, 1, __ATOMIC_RELEASE);
	while (__atomic_load_n(&has_stopped, __ATOMIC_ACQUIRE))
		usleep(1000);
}

static void
await_stopped(void)
{
	while (!__atomic_load_n(&has_stopped, __ATOMIC_ACQUIRE))
		usleep(1000);
}

static void
go_on(void)
{
	__atomic_store_n(&has_stopped, 0, __ATOMIC_RELEASE);
}

/* In place of the C library's. */
int
sigaction(int number, const struct sigaction *action, struct sigaction *before)
{
	int (*set)(int, const struct sigaction *, struct sigaction *);

	*(void **)&set = dlsym(RTLD_NEXT, "sigaction");
	stop_if_told();
	return set(number, action, before);
}

static void *
prepare(void *error)
{
	is_to_stop = 1;
	*(int *)error = evl_wait_prepare();
	return NULL;
}

/* Another thread is about to install the handler when the child begins. */
FileTest(signal, is_installed_by_a_child)
{
	int status, error;
	pthread_t thread;
	pid_t pid;

	pthread_create(&thread, NULL, prepare, &error);
	await_stopped();
	pid = fork();
	if (pid == 0) {
		alarm(patient(10));
		_exit(evl_wait_prepare() || evl_wait_choose(SIGUSR1) != EBUSY);
	}
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	go_on();
	pthread_join(thread, NULL);
	cr_assert_eq(status, 0);
	cr_assert_eq(error, 0);
}

/* Others may send the signal as well: the wait goes on. */
WaitTest(signal, sent_by_others)
{
	struct evl_claim claim;
	int fd = open_other("file"), i;

	begin(&claim, "file");
	lock_other(fd, F_WRLCK);
	cr_assert_eq(ask(&claim, EXCLUSIVE), 0);
	await_blocked("file", 1);
	while (__atomic_load_n(&claim.wait.stage, __ATOMIC_ACQUIRE) != EVL_WAIT_WAITING)
		usleep(1000);	/* then the thread is known */
	for (i = 0; i < 10; i++) {
		pthread_kill(claim.wait.thread, evl_wait_signal());
		usleep(1000);
	}
	await_blocked("file", 1);
	cr_assert_eq(state_of(&claim), EVL_CLAIM_ASKING);
	close(fd);
	await(&n_got, 1);
	end(&claim);
}

/* --- Helpers ------------------------------------------------------------------------------ */

#define MOST_JOBS 50

static int n_jobs, n_meeting;
static pthread_t ran[MOST_JOBS];

/* The first jobs wait until `n_meeting` have begun. */
static void
run_job(struct evl_job *job)
{
	(void)job;
	pthread_mutex_lock(&guard);
	ran[n_jobs++ % MOST_JOBS] = pthread_self();
	pthread_cond_broadcast(&changed);
	while (n_jobs < n_meeting)
		pthread_cond_wait(&changed, &guard);
	pthread_mutex_unlock(&guard);
}

/* Has the last job been run by one of the first two threads? */
static int
is_kept(void)
{
	return ran[n_jobs - 1] == ran[0] || ran[n_jobs - 1] == ran[1];
}

static unsigned
count_threads(void)
{
	DIR *dir = opendir("/proc/self/task");
	unsigned n = 0;

	while (readdir(dir))
		n++;
	closedir(dir);
	return n;
}

static void *
do_nothing(void *arg)
{
	return arg;
}

/* A sanitizer starts a thread of its own beside the first of the program. */
static void
start_first_thread(void)
{
	pthread_t thread;

	cr_assert_eq(pthread_create(&thread, NULL, do_nothing, NULL), 0);
	pthread_join(thread, NULL);
}

/* A helper is idle some time after its job, and ends if nothing comes for too long: one of many
 * jobs meets it in between, however slow the machine. */
FileTest(helper, is_kept_and_ends)
{
	struct evl_job job[MOST_JOBS];
	unsigned n_threads;
	int i;

	start_first_thread();
	n_threads = count_threads();
	cr_assert_eq(evl_wait_prepare(), 0);
	n_meeting = 2;	/* no job waits for another to end */
	for (i = 0; i < MOST_JOBS && (i <= 2 || !is_kept()); i++) {
		job[i] = (struct evl_job){ .run = run_job };
		cr_assert_eq(evl_helper_start(&job[i]), 0);
		if (i)
			await(&n_jobs, i + 1);
		usleep(10000);
	}
	cr_assert(is_kept(), "a thread for each job");
	while (count_threads() > n_threads)
		usleep(1000);
}

/* Returns 0 if a child can have a job run. */
static int
run_in_child(void)
{
	struct evl_job job = { run_job };
	int status, n = told(&n_jobs);
	pid_t pid = fork();

	if (pid == 0) {
		alarm(patient(10));
		_exit(evl_helper_start(&job) || (await(&n_jobs, n + 1), 0));
	}
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	return status;
}

FileTest(helper, is_not_the_childs)
{
	struct evl_job job = { run_job };

	cr_assert_eq(evl_wait_prepare(), 0);
	cr_assert_eq(evl_helper_start(&job), 0);
	await(&n_jobs, 1);
	usleep(200000);
	cr_assert_eq(run_in_child(), 0);
}

/* In place of the C library's.  A helper that becomes idle calls it. */
int
clock_gettime(clockid_t clock, struct timespec *now)
{
	int (*get)(clockid_t, struct timespec *);

	*(void **)&get = dlsym(RTLD_NEXT, "clock_gettime");
	stop_if_told();
	return get(clock, now);
}

static void
stop_after_job(struct evl_job *job)
{
	(void)job;
	is_to_stop = 1;
}

FileTest(helper, forked_while_one_becomes_idle)
{
	struct evl_job job = { stop_after_job };

	cr_assert_eq(evl_wait_prepare(), 0);
	cr_assert_eq(evl_helper_start(&job), 0);
	await_stopped();
	cr_assert_eq(run_in_child(), 0);
	go_on();
}

WaitTest(wait, ended_in_any_state)
{
	struct evl_claim claim;
	int fd = open_other("file"), i;

	for (i = 0; i < 100; i++) {
		lock_other(fd, F_RDLCK);
		begin(&claim, "file");
		cr_assert_eq(ask(&claim, EXCLUSIVE), 0);
		if (i % 3)
			await_blocked("file", 1);
		if (i % 2)
			drop(&claim);
		end(&claim);
		cr_assert_eq(lock_other(fd, F_WRLCK), 0);
	}
	cr_assert_eq(told(&n_got), 0);
	close(fd);
}

WaitTest(wait, without_descriptors)
{
	struct evl_claim claim;
	struct rlimit limit, none;
	int fd = open_other("file");

	begin(&claim, "file");
	lock_other(fd, F_WRLCK);
	getrlimit(RLIMIT_NOFILE, &limit);
	none = limit;
	none.rlim_cur = 0;
	setrlimit(RLIMIT_NOFILE, &none);
	cr_assert_eq(ask(&claim, EXCLUSIVE), 0);
	drop(&claim);
	await_state(&claim, EVL_CLAIM_IDLE);
	setrlimit(RLIMIT_NOFILE, &limit);
	end(&claim);
	close(fd);
}

/* --- The gate ---------------------------------------------------------------------------- */

/* Who waits at the data, and then who waits at the gate, come before whoever tries. */
WaitTest(gate, nobody_passes_a_writer)
{
	struct evl_claim a, b, c;

	begin(&a, "file");
	begin(&b, "file");
	begin(&c, "file");
	cr_assert_eq(try(&a, EXCLUSIVE), 0);
	cr_assert_eq(ask(&b, EXCLUSIVE), 0);
	await_blocked("file", 1);
	cr_assert_eq(ask(&c, SHARED), 0);
	await_blocked("file", 2);
	enter(&a);
	evl_claim_drop(&a);
	cr_assert_eq(try_or_look(&a, EXCLUSIVE), EAGAIN);
	leave(&a);
	await(&n_got, 1);
	cr_assert_eq(state_of(&b), EVL_CLAIM_HELD);
	await_blocked("file", 1);	/* now it is `c` that has the gate */
	cr_assert_eq(try(&a, EXCLUSIVE), EAGAIN);
	drop(&b);
	await(&n_got, 2);
	cr_assert_eq(state_of(&c), EVL_CLAIM_HELD);
	cr_assert_eq(try(&a, SHARED), 0);
	end(&a);
	end(&b);
	end(&c);
}

/* Who has waited for the lock is in nobody's way at the gate. */
WaitTest(gate, readers_leave_it)
{
	struct evl_claim reader, writer, another;
	int fd = open_other("file");

	begin(&reader, "file");
	begin(&writer, "file");
	begin(&another, "file");
	lock_other(fd, F_WRLCK);
	cr_assert_eq(ask(&reader, SHARED), 0);
	await_blocked("file", 1);
	close(fd);
	await(&n_got, 1);
	cr_assert_eq(ask(&writer, EXCLUSIVE), 0);
	await_blocked("file", 1);
	cr_assert_eq(try(&another, SHARED), EAGAIN);
	end(&reader);
	end(&writer);
	end(&another);
}

WaitTest(gate, readers_wait_together)
{
	struct evl_claim writer, a, b;

	begin(&writer, "file");
	begin(&a, "file");
	begin(&b, "file");
	cr_assert_eq(try(&writer, EXCLUSIVE), 0);
	cr_assert_eq(ask(&a, SHARED), 0);
	cr_assert_eq(ask(&b, SHARED), 0);
	await_blocked("file", 2);
	drop(&writer);
	await(&n_got, 2);
	end(&writer);
	end(&a);
	end(&b);
}

/* --- What is seen by fstat(2) alone ------------------------------------------------------------ */

static int check(struct evl_claim *claim);

static int n_looks;		/* at paths; atomic */

/* In place of the C library's. */
int
lstat(const char *path, struct stat *st)
{
	__atomic_add_fetch(&n_looks, 1, __ATOMIC_RELAXED);
	return fstatat(AT_FDCWD, path, st, AT_SYMLINK_NOFOLLOW);
}

/* Takes the lock and drops it.  Returns 1 if the path was looked at. */
static int
looks(struct evl_claim *claim, int is_exclusive)
{
	int n = n_looks;

	cr_assert_eq(try(claim, is_exclusive), 0);
	drop(claim);
	return n_looks > n;
}

/* Until the ctime is old enough to be trusted. */
static void
await_trust(struct evl_claim *claim)
{
	int tries = 2000;

	while ((looks(claim, EXCLUSIVE) || looks(claim, EXCLUSIVE)) && --tries)
		usleep(1000);
	cr_assert_gt(tries, 0, "is never trusted");
}

/* The kernel and the file system are such that something is trusted. */
static int
is_near(void)
{
	struct evl_claim claim;
	int is;

	begin(&claim, "file");
	is = claim.file.facts.is_near;
	end(&claim);
	return is;
}

FileTest(seen, path_is_looked_at_once)
{
	struct evl_claim claim;
	int i, n;

	if (!is_near())
		return;
	begin(&claim, "file");
	await_trust(&claim);
	n = n_looks;
	for (i = 0; i < 10; i++) {
		cr_assert_eq(evl_claim_try(&claim, i & 1, 0), 0);
		cr_assert_eq(is_free("file", F_WRLCK), 0);
		drop(&claim);
	}
	cr_assert_eq(n_looks, n);
	cr_assert_eq(try(&claim, SHARED), 0);
	cr_assert_eq(check(&claim), 0);
	cr_assert_eq(may_join(&claim), 0);
	cr_assert_eq(n_looks, n);
	end(&claim);
}

FileTest(seen, young_is_not_trusted)
{
	struct evl_seen seen;
	int fd = open_other("file");

	cr_assert_eq(evl_seen_begin(&seen, fd), 0);
	cr_assert_not(evl_seen_is_recent(&seen, 1000));
	usleep(50000);
	cr_assert_eq(evl_seen_begin(&seen, fd), 0);
	cr_assert(evl_seen_is_recent(&seen, 1000));
	cr_assert(evl_seen_is_same(&seen, fd));
	seen.ctime.tv_sec++;
	cr_assert_not(evl_seen_is_same(&seen, fd));
	seen.ctime.tv_sec--;
	seen.ctime.tv_nsec ^= 1;
	cr_assert_not(evl_seen_is_same(&seen, fd));
	usleep(20000);
	cr_assert_not(evl_seen_is_recent(&seen, 5));
	cr_assert_eq(unlink("file"), 0);
	cr_assert_not(evl_seen_is_same(&seen, fd));
	cr_assert_eq(evl_seen_begin(&seen, fd), 0);
	cr_assert_not(evl_seen_is_recent(&seen, 1000), "a removed file is trusted");
	cr_assert_neq(evl_seen_begin(&seen, -1), 0);
	close(fd);
}

static void
link_file(void)
{
	cr_assert_eq(link("file", "other"), 0);
}

static void
check_seen(void (*change)(void))
{
	struct evl_claim claim;

	if (!is_near())
		return;
	begin(&claim, "file");
	await_trust(&claim);
	change();
	cr_assert_eq(looks(&claim, SHARED), 1, "not noticed");
	cr_assert_eq(try(&claim, EXCLUSIVE), 0);
	cr_assert_not(is_free("file", F_RDLCK), "locked what nobody finds");
	end(&claim);
}

static void replace_by_new(void);
static void remove_file(void);
static void rename_file(void);

FileTest(seen, removed) { check_seen(remove_file); }
FileTest(seen, renamed) { check_seen(rename_file); }
FileTest(seen, replaced) { check_seen(replace_by_new); }
FileTest(seen, linked) { check_seen(link_file); }

FileTest(seen, while_it_is_held)
{
	struct evl_claim claim;

	if (!is_near())
		return;
	begin(&claim, "file");
	await_trust(&claim);
	cr_assert_eq(evl_claim_try(&claim, SHARED, 0), 0);
	rename_file();
	enter(&claim);
	cr_assert_eq(evl_claim_may_join(&claim), EVL_CLAIM_UNSURE);
	leave(&claim);
	cr_assert_eq(check(&claim), EVL_CLAIM_UNSURE);
	await(&n_moved, 1);
	end(&claim);
}

/* A folder above tells nothing, so a look is trusted for a while only. */
FileTest(seen, folder_is_renamed)
{
	struct evl_claim claim;

	close(open_other("file"));
	cr_assert_eq(begin_flags(&claim, "a/file", 0, 1), 0);
	if (claim.file.facts.is_near)
		await_trust(&claim);
	cr_assert_eq(rename("a", "b"), 0);
	usleep(50000);
	cr_assert_eq(try(&claim, EXCLUSIVE), 0);
	cr_assert_not(is_free("a/file", F_RDLCK), "locked what nobody finds");
	end(&claim);
}

static long
mtime_of(const char *path)
{
	struct stat st;

	cr_assert_eq(stat(path, &st), 0);
	return st.st_mtime;
}

/* A hog that trusts what it has seen, beside one who comes to wait. */
WaitTest(seen, waiter_is_noticed)
{
	static const struct timespec old[2] = { { 1000, 0 }, { 1000, 0 } };
	struct evl_claim hog, waiter;

	begin(&hog, "file");
	begin(&waiter, "file");
	cr_assert_eq(utimensat(AT_FDCWD, "file", old, 0), 0);
	if (!hog.file.facts.is_near)
		goto out;
	await_trust(&hog);
	cr_assert_eq(evl_claim_try(&hog, EXCLUSIVE, 0), 0);
	cr_assert_eq(mtime_of("file"), 1000);
	cr_assert_eq(ask(&waiter, SHARED), 0);
	await_blocked("file", 1);
	cr_assert_neq(mtime_of("file"), 1000, "not touched");
	enter(&hog);
	evl_claim_drop(&hog);
	cr_assert_neq(evl_claim_try(&hog, EXCLUSIVE, 0), 0, "passed the waiter");
	leave(&hog);
	await(&n_got, 1);
out:
	end(&hog);
	end(&waiter);
}

/* As evlock 0.1 waits: at the gate, and without a touch. */
WaitTest(seen, silent_waiter_is_noticed_at_last)
{
	struct flock gate = { .l_type = F_RDLCK, .l_whence = SEEK_SET, .l_start = INT64_MAX };
	struct evl_claim hog;
	int fd = open_other("file"), n = 0, error;

	begin(&hog, "file");
	if (hog.file.facts.is_near)
		await_trust(&hog);
	cr_assert_eq(fcntl(fd, F_OFD_SETLK, &gate), 0);
	while ((error = evl_claim_try(&hog, EXCLUSIVE, 1)) == 0 && n++ < 1000)
		drop(&hog);
	cr_assert_neq(error, 0);
	cr_assert_leq(n, 64);
	cr_assert_eq(try(&hog, SHARED), 0, "it waits to read");
	drop(&hog);
	end(&hog);
	close(fd);
}

/* Two system calls less for a caller that asks again by a step. */
FileTest(seen, changed_file_is_not_tried_again)
{
	struct evl_claim claim;

	begin(&claim, "file");
	if (claim.file.facts.is_near) {
		await_trust(&claim);
		cr_assert_eq(chmod("file", 0600), 0);
		cr_assert_eq(evl_claim_try(&claim, EXCLUSIVE, 1), EVL_CLAIM_UNSURE);
		cr_assert_not(evl_seen_is_recent(&claim.file.seen, 1000));
	}
	end(&claim);
}

/* Who shares looks for writers alone; that is not enough for one who writes. */
FileTest(seen, gate_for_one_who_writes)
{
	struct flock gate = { .l_type = F_RDLCK, .l_whence = SEEK_SET, .l_start = INT64_MAX };
	struct evl_claim claim;
	int fd = open_other("file");

	usleep(50000);
	begin(&claim, "file");
	cr_assert_eq(fcntl(fd, F_OFD_SETLK, &gate), 0);
	cr_assert_eq(try(&claim, SHARED), 0);
	drop(&claim);
	cr_assert_eq(try(&claim, EXCLUSIVE), EAGAIN);
	end(&claim);
	close(fd);
}

/* What it leads to may change without a sign, and folders have no mtime to spare. */
WaitTest(seen, links_and_folders_are_not_touched)
{
	static const struct timespec old[2] = { { 1000, 0 }, { 1000, 0 } };
	struct evl_claim claim;
	int fd = open_other("file");

	cr_assert_eq(begin_how(&claim, "file", &any), 0);
	cr_assert_eq(utimensat(AT_FDCWD, "file", old, 0), 0);
	usleep(50000);
	cr_assert_eq(evl_claim_try(&claim, EXCLUSIVE, 0), EVL_CLAIM_UNSURE);
	lock_other(fd, F_WRLCK);
	cr_assert_eq(ask(&claim, EXCLUSIVE), 0);
	await_blocked("file", 1);
	cr_assert_eq(mtime_of("file"), 1000);
	close(fd);
	await(&n_got, 1);
	end(&claim);
}

/* --- Files that are removed, renamed, replaced ------------------------------------------------ */

static void
replace_by_new(void)
{
	close(open_other("new"));
	cr_assert_eq(rename("new", "file"), 0);
}

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
check_move_before(void (*move)(void))
{
	struct evl_claim claim;

	begin(&claim, "file");
	move();
	cr_assert_eq(try(&claim, EXCLUSIVE), 0);
	cr_assert_not(is_free("file", F_RDLCK), "locked what nobody finds");
	drop(&claim);
	cr_assert(is_free("file", F_WRLCK));
	end(&claim);
}

FileTest(moved, removed_before) { check_move_before(remove_file); }
FileTest(moved, renamed_before) { check_move_before(rename_file); }
FileTest(moved, replaced_before) { check_move_before(replace_by_new); }

static void
check_move_while_it_waits(void (*move)(void), int is_flock)
{
	struct evl_claim claim;
	int fd = open_other("file");

	cr_assert_eq(begin_flags(&claim, "file", is_flock, 0), 0);
	cr_assert_eq(is_flock ? flock_other(fd, LOCK_EX) : lock_other(fd, F_WRLCK), 0);
	cr_assert_eq(ask(&claim, EXCLUSIVE), 0);
	await_blocked("file", 1);
	move();
	close(fd);
	await(&n_got, 1);
	fd = open_other("file");
	cr_assert_eq(is_flock ? flock_other(fd, LOCK_SH) : lock_other(fd, F_RDLCK), EAGAIN);
	close(fd);
	end(&claim);
}

WaitTest(moved, removed_while_it_waits) { check_move_while_it_waits(remove_file, 0); }
WaitTest(moved, renamed_while_it_waits) { check_move_while_it_waits(rename_file, 0); }
WaitTest(moved, replaced_while_it_waits) { check_move_while_it_waits(replace_by_new, 0); }
FileTest(moved, replaced_while_it_waits_flock) { check_move_while_it_waits(replace_by_new, 1); }

FileTest(moved, while_it_is_held)
{
	struct evl_claim claim;

	begin(&claim, "file");
	cr_assert_eq(try(&claim, SHARED), 0);
	cr_assert_eq(may_join(&claim), 0);
	rename_file();
	cr_assert_eq(may_join(&claim), EAGAIN);
	close(open_other("file"));
	cr_assert_eq(may_join(&claim), EAGAIN, "the path leads to another file");
	drop(&claim);
	cr_assert(is_free("away", F_WRLCK));
	end(&claim);
}

/* What a release asks, while more of the batch wait. */
static int
check(struct evl_claim *claim)
{
	int error;

	enter(claim);
	error = evl_claim_check(claim);
	leave(claim);
	return error;
}

FileTest(moved, is_checked)
{
	struct evl_claim claim;

	begin(&claim, "file");
	cr_assert_eq(try(&claim, EXCLUSIVE), 0);
	cr_assert_eq(check(&claim), EVL_CLAIM_UNSURE);
	await(&n_same, 1);
	rename_file();
	cr_assert_eq(check(&claim), EVL_CLAIM_UNSURE);
	await(&n_moved, 1);
	enter(&claim);
	cr_assert_eq(evl_claim_check(&claim), EVL_CLAIM_UNSURE);
	cr_assert_eq(evl_claim_check(&claim), EVL_FILE_MOVED, "an answer from before");
	evl_claim_drop(&claim);
	leave(&claim);
	end(&claim);
	cr_assert_eq(n_same + n_moved, 2, "told of what was dropped");
}

FileTest(moved, became_something_else)
{
	struct evl_claim claim;

	begin(&claim, "file");
	remove_file();
	cr_assert_eq(symlink("other", "file"), 0);
	cr_assert_eq(try(&claim, EXCLUSIVE), ELOOP);
	remove_file();
	cr_assert_eq(mkdir("file", 0777), 0);
	cr_assert_eq(try(&claim, EXCLUSIVE), EINVAL);
	cr_assert_eq(rmdir("file"), 0);
	cr_assert_eq(try(&claim, EXCLUSIVE), 0);
	end(&claim);
}

WaitTest(moved, became_something_else_while_it_waits)
{
	struct evl_claim claim;
	int fd = open_other("file");

	begin(&claim, "file");
	lock_other(fd, F_WRLCK);
	cr_assert_eq(ask(&claim, EXCLUSIVE), 0);
	await_blocked("file", 1);
	remove_file();
	cr_assert_eq(symlink("other", "file"), 0);
	close(fd);
	await(&n_failed, 1);
	cr_assert_eq(last_error, ELOOP);
	end(&claim);
}

FileTest(moved, with_its_folder)
{
	struct evl_claim claim;

	cr_assert_eq(begin_flags(&claim, "a/b/file", 0, 1), 0);
	cr_assert_eq(rename("a", "c"), 0);
	cr_assert_eq(try(&claim, EXCLUSIVE), 0);
	cr_assert_not(is_free("a/b/file", F_RDLCK));
	end(&claim);
	cr_assert_eq(begin_flags(&claim, "c/b/file", 0, 0), 0);
	cr_assert_eq(rename("c", "d"), 0);
	cr_assert_eq(try(&claim, EXCLUSIVE), ENOENT);
	end(&claim);
}

/* --- Children ------------------------------------------------------------------------------- */

struct child {
	pid_t pid;
	int end;	/* it lives until this is closed */
};

static struct child
fork_child(struct evl_claim *claim)
{
	struct child child;
	int ends[2];
	char byte;

	cr_assert_eq(pipe(ends), 0);
	child.pid = fork();
	if (child.pid == 0) {
		close(ends[1]);
		if (claim)
			evl_claim_end(claim);
		_exit(read(ends[0], &byte, 1) != 0 || n_gone != (claim != NULL));
	}
	close(ends[0]);
	child.end = ends[1];
	return child;
}

static void
end_child(struct child child)
{
	int status;

	close(child.end);
	cr_assert_eq(waitpid(child.pid, &status, 0), child.pid);
	cr_assert_eq(status, 0);
}

FileTest(fork, child_neither_drops_nor_keeps)
{
	struct evl_claim claim;
	struct child child;

	begin(&claim, "file");
	cr_assert_eq(try(&claim, EXCLUSIVE), 0);
	child = fork_child(NULL);
	cr_assert_not(is_free("file", F_RDLCK));
	close(claim.file.fd);	/* as the end of this process would */
	claim.file.fd = -1;
	while (!is_free("file", F_WRLCK))
		usleep(1000);	/* not before the child has begun */
	end_child(child);
	end(&claim);
}

FileTest(fork, child_ends_what_is_held)
{
	struct evl_claim claim;

	begin(&claim, "file");
	cr_assert_eq(try(&claim, EXCLUSIVE), 0);
	end_child(fork_child(&claim));
	cr_assert_not(is_free("file", F_RDLCK));
	end(&claim);
}

WaitTest(fork, child_ends_what_waits)
{
	struct evl_claim claim;
	int fd = open_other("file");

	begin(&claim, "file");
	lock_other(fd, F_WRLCK);
	cr_assert_eq(ask(&claim, EXCLUSIVE), 0);
	await_blocked("file", 1);
	end_child(fork_child(&claim));
	cr_assert_eq(state_of(&claim), EVL_CLAIM_ASKING);
	close(fd);
	await(&n_got, 1);
	end(&claim);
}

/* --- Memory --------------------------------------------------------------------- */

static long n_live, n_left;

static void *
failing_malloc(size_t size)
{
	void *p = n_left-- > 0 ? malloc(size) : NULL;

	n_live += p != NULL;
	return p;
}

static void
counting_free(void *p)
{
	n_live -= p != NULL;
	free(p);
}

FileTest(memory, each_allocation_fails)
{
	struct evl_claim claim;
	int error, i = 0;

	evlock_set_mem_functions(failing_malloc, NULL, counting_free);
	do {
		n_left = i++;
		error = begin_flags(&claim, "file", 0, 0);
		cr_assert(!error || error == ENOMEM);
		cr_assert_eq(n_live, !error);
	} while (error);
	cr_assert_gt(i, 1);
	end(&claim);
	cr_assert_eq(n_live, 0);
}
