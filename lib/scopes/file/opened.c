/* SPDX-License-Identifier: BSD-3-Clause */

/* Open lock files; see opened.h. */

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#ifdef __linux__
#include <sys/syscall.h>
#endif

#include "base/mem.h"

#include "scopes/file/kernel.h"
#include "scopes/file/near.h"
#include "scopes/file/opened.h"
#include "scopes/file/path.h"

/* The mutex protects the list, `fd` and `facts` of each entry, and n_forks. */
static struct {
	pthread_mutex_t mutex;
	struct evl_link list;
	unsigned n_forks;	/* of this process */
	int error;		/* why there is no handler for fork() */
} all = { PTHREAD_MUTEX_INITIALIZER, { &all.list, &all.list }, 0, 0 };

#define OPENED(l) EVL_CONTAINER(l, struct evl_opened, link)

/* --- fork() ------------------------------------------------------------------- */

static void
before_fork(void)
{
	pthread_mutex_lock(&all.mutex);
	all.n_forks++;
}

static void
after_fork(void)
{
	pthread_mutex_unlock(&all.mutex);
}

/* Closing does not release the parent's locks: only closing the last descriptor of an open file
 * description does. */
static void
after_fork_in_child(void)
{
	struct evl_link *link;

	EVL_LIST_EACH(link, &all.list) {
		if (OPENED(link)->fd >= 0)
			close(OPENED(link)->fd);
		OPENED(link)->fd = -1;
	}
	pthread_mutex_unlock(&all.mutex);
}

static void
handle_fork(void)
{
	all.error = pthread_atfork(before_fork, after_fork, after_fork_in_child);
}

int
evl_opened_handle_fork(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, handle_fork);
	return all.error;
}

int
evl_opened_is_ours(const struct evl_opened *file)
{
	return file->pid == getpid();
}

static unsigned
count_forks(void)
{
	unsigned n;

	pthread_mutex_lock(&all.mutex);
	n = all.n_forks;
	pthread_mutex_unlock(&all.mutex);
	return n;
}

/* --- What the path leads to -------------------------------------------------------- */

static int
is_allowed(const struct evl_how *how, mode_t mode)
{
	if (S_ISREG(mode))
		return 1;
	return how->is_any && (S_ISDIR(mode) || S_ISCHR(mode) || S_ISBLK(mode));
}

/* Checks the kind of the file before it is opened, because opening a FIFO or a device may have
 * effects. */
static int
look(const struct evl_opened *file)
{
	struct stat st;

	if ((file->how.is_any ? stat : lstat)(file->path, &st))
		return errno == ENOENT ? 0 : errno;
	return is_allowed(&file->how, st.st_mode) ? 0 : S_ISLNK(st.st_mode) ? ELOOP : EINVAL;
}

int
evl_opened_is_same(const struct evl_file_id *a, const struct evl_file_id *b)
{
	return a->device == b->device && a->inode == b->inode;
}

static struct evl_file_id
id_of(const struct stat *st)
{
	const struct evl_file_id id = { st->st_dev, st->st_ino };

	return id;
}

int
evl_opened_find(const struct evl_opened *file, struct evl_file_id *found)
{
	struct stat st;

	if ((file->how.is_any ? stat : lstat)(file->path, &st))
		return errno == ENOENT || errno == ENOTDIR ? EVL_FILE_MOVED : errno;
	*found = id_of(&st);
	return 0;
}

int
evl_opened_is_quick(const struct evl_opened *file)
{
	return file->path && !file->how.is_any && file->facts.is_near;
}

int
evl_opened_check(const struct evl_opened *file)
{
	struct evl_file_id found;
	int error = file->path ? evl_opened_find(file, &found) : 0;

	if (error || !file->path)
		return error;
	return evl_opened_is_same(&found, &file->facts.id) ? 0 : EVL_FILE_MOVED;
}

/* --- Opening a path ------------------------------------------------------------------ */

static int
try_open(const struct evl_opened *file, int flags)
{
	flags |= O_CLOEXEC | O_NONBLOCK | O_NOCTTY | (file->how.is_any ? 0 : O_NOFOLLOW);
	return open(file->path, flags, (mode_t)(file->how.mode ? file->how.mode : 0666));
}

static int
is_refusal(int error)
{
	return error == EACCES || error == EPERM || error == EROFS || error == ETXTBSY;
}

/* Opens an existing file: for writing, which some locks need, or else for reading.  For flock(2),
 * opens it only for reading, which is enough there, because a file that is open for writing cannot
 * be executed. */
static int
open_existing(const struct evl_opened *file, int must_write)
{
	int error, fd = file->how.is_flock && !must_write ? -1 : try_open(file, O_RDWR);

	if (file->how.is_flock && !must_write)
		return try_open(file, O_RDONLY);
	if (fd >= 0 || must_write || !is_refusal(errno))
		return fd;
	error = errno;
	fd = try_open(file, O_RDONLY);
	errno = error;
	return fd;
}

static int
is_a_folders(const char *path)
{
	return path[strlen(path) - 1] == '/';
}

/* Tries without O_CREAT first, because in a sticky folder O_CREAT is refused for files of other
 * users.  Another process may make the file between the two, so it is then opened as existing once
 * more. */
static int
open_path(const struct evl_opened *file, int must_write)
{
	int fd = open_existing(file, must_write);

	if (fd >= 0 || errno != ENOENT || is_a_folders(file->path))
		return fd;
	fd = try_open(file, O_CREAT | (file->how.is_flock && !must_write ? O_RDONLY : O_RDWR));
	if (fd < 0 && errno == EACCES) {
		fd = open_existing(file, must_write);
		if (fd < 0 && errno == ENOENT)
			errno = EACCES;
	}
	return fd;
}

static int
open_once(const struct evl_opened *file, int must_write, int *fd)
{
	int error = look(file);

	if (error)
		return error;
	*fd = open_path(file, must_write);
	return *fd < 0 ? errno : 0;
}

static int
open_file(struct evl_opened *file, int must_write, int *fd)
{
	int error = open_once(file, must_write, fd);

	if (error != ENOENT || !file->how.makes_folders)
		return error;
	error = evl_path_make_folders(file->path);
	return error ? error : open_once(file, must_write, fd);
}

/* --- What was opened ------------------------------------------------------------------- */

static int
find_access(struct evl_facts *facts, int fd)
{
	int flags = fcntl(fd, F_GETFL);

	if (flags < 0)
		return errno;
#ifdef O_PATH
	if (flags & O_PATH)
		return EBADF;
#endif
	facts->may_read = (flags & O_ACCMODE) != O_WRONLY;
	facts->may_write = (flags & O_ACCMODE) != O_RDONLY;
	return 0;
}

/* Checks the kind of the file again, because it may have been replaced before it was opened. */
static int
find_facts(const struct evl_opened *file, int fd, struct evl_facts *facts)
{
	struct stat st;
	int error = fstat(fd, &st) ? errno : find_access(facts, fd);

	if (error)
		return error;
	if (file->path && !is_allowed(&file->how, st.st_mode))
		return EINVAL;
	facts->id = id_of(&st);
	facts->is_near = (uint8_t)evl_near_is(fd);
	return evl_kernel_probe(fd, file->how.is_flock);
}

/* fcntl(2) and flock(2) locks do not exclude each other.  A file that can only be read is never
 * locked exclusively by fcntl(2), so both kinds may be used on it. */
static int
are_at_odds(const struct evl_how *a, const struct evl_facts *of_a, const struct evl_how *b,
    const struct evl_facts *of_b)
{
	return a->is_flock != b->is_flock && (a->is_flock ? of_b : of_a)->may_write;
}

/* Called with the mutex held. */
static int
is_used_otherwise(const struct evl_opened *file, const struct evl_facts *facts)
{
	struct evl_link *link;

	EVL_LIST_EACH(link, &all.list) {
		const struct evl_opened *other = OPENED(link);

		if (other->fd >= 0 && evl_opened_is_same(&other->facts.id, &facts->id) &&
		    are_at_odds(&other->how, &other->facts, &file->how, facts))
			return 1;
	}
	return 0;
}

/* Called with the mutex held.  Returns 0 or an errno. */
static int
take(struct evl_opened *file, int fd, const struct evl_facts *facts)
{
	if (is_used_otherwise(file, facts))
		return EINVAL;
	file->fd = fd;
	file->facts = *facts;
	memset(&file->seen, 0, sizeof file->seen);
	return 0;
}

/* Makes the descriptor known to the fork() handlers.  If a fork() came after the file was opened,
 * its child has a copy that the handlers did not close, so the file must be opened again.  Nothing
 * is locked yet, so that copy holds no lock. */
static int
enter(struct evl_opened *file, int fd, const struct evl_facts *facts, unsigned n_forks)
{
	int error;

	pthread_mutex_lock(&all.mutex);
	error = all.n_forks != n_forks ? EVL_FILE_MOVED : take(file, fd, facts);
	pthread_mutex_unlock(&all.mutex);
	return error;
}

/* Called with no mutex held, because any of these calls may block. */
static int
get_descriptor(struct evl_opened *file, int must_write, int *fd)
{
	if (file->path)
		return open_file(file, must_write, fd);
	*fd = fcntl(*fd, F_DUPFD_CLOEXEC, 0);
	return *fd < 0 ? errno : 0;
}

static int
open_and_enter(struct evl_opened *file, int must_write, int fd)
{
	struct evl_facts facts;
	unsigned n_forks = count_forks();
	int error = get_descriptor(file, must_write, &fd);

	if (error)
		return error;
	error = find_facts(file, fd, &facts);
	if (!error)
		error = enter(file, fd, &facts, n_forks);
	if (error)
		close(fd);
	return error;
}

static int
open_again(struct evl_opened *file, int must_write, int others)
{
	int error;

	do
		error = open_and_enter(file, must_write, others);
	while (error == EVL_FILE_MOVED);
	return error;
}

/* --- Needing and closing ------------------------------------------------------------------ */

/* Unlocks before it closes, because a child that is forked in between must not keep the lock.
 * Does not unlock a file that the caller had open, which may have locks of the caller's own. */
static void
close_file(struct evl_opened *file)
{
	int fd = file->fd;

	if (fd < 0)
		return;
	if (file->path)
		evl_kernel_drop(fd, file->how.is_flock);
	pthread_mutex_lock(&all.mutex);
	file->fd = -1;
	pthread_mutex_unlock(&all.mutex);
	close(fd);
}

void
evl_opened_close(struct evl_opened *file)
{
	if (file->path)
		close_file(file);
	else if (file->fd >= 0)
		evl_kernel_drop(file->fd, file->how.is_flock);
}

int
evl_opened_serves(const struct evl_how *how, const struct evl_facts *facts, int is_exclusive)
{
	return how->is_flock || (is_exclusive ? facts->may_write : facts->may_read);
}

static int
serves(const struct evl_opened *file, int is_exclusive)
{
	return evl_opened_serves(&file->how, &file->facts, is_exclusive);
}

int
evl_opened_need_writing(struct evl_opened *file)
{
	int error;

	if (file->facts.may_write || !file->path)
		return file->facts.may_write ? EBADF : EACCES;
	close_file(file);
	error = open_again(file, 1, -1);
	return is_refusal(error) ? EACCES : error;
}

/* A file that was opened for reading may have become writable since. */
int
evl_opened_need(struct evl_opened *file, int is_exclusive)
{
	int error = 0;

	if (file->fd >= 0 && file->path && !serves(file, is_exclusive))
		close_file(file);
	if (file->fd < 0)
		error = open_again(file, 0, -1);
	if (error)
		return error;
	return serves(file, is_exclusive) ? 0 : EACCES;
}

/* --- Descriptions ---------------------------------------------------------------------- */

#if defined(__linux__) && defined(SYS_kcmp)

/* linux/kcmp.h: KCMP_FILE */
static int
are_different(int a, int b)
{
	pid_t pid = getpid();

	return syscall(SYS_kcmp, pid, pid, 0, a, b) > 0;
}

#else

static int
are_different(int a, int b)
{
	(void)a;
	(void)b;
	return 0;
}

#endif

int
evl_opened_is_description(const struct evl_opened *file, int fd)
{
	struct evl_file_id id;
	struct stat st;

	if (file->path || file->fd < 0 || fstat(fd, &st))
		return 0;
	id = id_of(&st);
	return evl_opened_is_same(&id, &file->facts.id) && !are_different(file->fd, fd);
}

/* --- Making and ending ------------------------------------------------------------ */

static void
list(struct evl_opened *file, char *path)
{
	file->path = path;
	file->fd = -1;
	file->pid = getpid();
	pthread_mutex_lock(&all.mutex);
	evl_list_push(&all.list, &file->link);
	pthread_mutex_unlock(&all.mutex);
}

static void
unlist(struct evl_opened *file)
{
	pthread_mutex_lock(&all.mutex);
	evl_list_remove(&file->link);
	pthread_mutex_unlock(&all.mutex);
	evl_mem_free(file->path);
}

/* Notes what is seen of the file, so that the first request need not look at the path. */
static void
see(struct evl_opened *file)
{
	struct evl_seen seen;

	if (!evl_seen_begin(&seen, file->fd) && !evl_opened_check(file))
		file->seen = seen;
}

static int
open_first(struct evl_opened *file, char *path, int fd)
{
	int error;

	list(file, path);
	error = open_again(file, 0, fd);
	if (error)
		unlist(file);
	else if (evl_opened_is_quick(file))
		see(file);
	return error;
}

int
evl_opened_begin(struct evl_opened *file, char *path, const struct evl_how *how)
{
	int error = evl_opened_handle_fork();

	file->how = *how;
	if (!error)
		return open_first(file, path, -1);
	evl_mem_free(path);
	return error;
}

int
evl_opened_adopt(struct evl_opened *file, int fd, int is_flock)
{
	int error = evl_opened_handle_fork();

	memset(&file->how, 0, sizeof file->how);
	file->how.is_flock = (uint8_t)is_flock;
	return error ? error : open_first(file, NULL, fd);
}

void
evl_opened_end(struct evl_opened *file)
{
	close_file(file);
	unlist(file);
}
