/* SPDX-License-Identifier: BSD-3-Clause */

/* Open lock files; see opened.h. */

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"

#include "scopes/file/kernel.h"
#include "scopes/file/opened.h"
#include "scopes/file/path.h"

/* Under its mutex files are opened and closed, so that fork() comes before or after. */
static struct {
	pthread_mutex_t mutex;
	struct evl_link list;
	int error;		/* why there is no handler for fork() */
} all = { PTHREAD_MUTEX_INITIALIZER, { &all.list, &all.list }, 0 };

#define OPENED(l) EVL_CONTAINER(l, struct evl_opened, link)

/* --- fork() ------------------------------------------------------------------- */

static void
before_fork(void)
{
	pthread_mutex_lock(&all.mutex);
}

static void
after_fork(void)
{
	pthread_mutex_unlock(&all.mutex);
}

/* The parent keeps its locks: only the last descriptor of a description ends them. */
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

/* --- Opening -------------------------------------------------------------------- */

/* What is there must be a regular file, or nothing.  To open a FIFO or a device may
 * have effects, so look before. */
static int
look(const char *path)
{
	struct stat st;

	if (lstat(path, &st))
		return errno == ENOENT ? 0 : errno;
	return S_ISREG(st.st_mode) ? 0 : S_ISLNK(st.st_mode) ? ELOOP : EINVAL;
}

/* Without O_CREAT first: in a sticky folder that is refused for files of others. */
static int
open_path(const char *path)
{
	int flags = O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY, fd;

	fd = open(path, flags);
	return fd >= 0 || errno != ENOENT ? fd : open(path, flags | O_CREAT, 0666);
}

/* Looks again: it may have been replaced.  Sets device and inode. */
static int
identify(struct evl_opened *file, int fd)
{
	struct stat st;

	if (fstat(fd, &st))
		return errno;
	if (!S_ISREG(st.st_mode))
		return EINVAL;
	file->device = st.st_dev;
	file->inode = st.st_ino;
	return evl_kernel_probe(fd, file->is_flock);
}

static int
open_once(struct evl_opened *file)
{
	int error = look(file->path), fd;

	if (error)
		return error;
	fd = open_path(file->path);
	if (fd < 0)
		return errno;
	error = identify(file, fd);
	if (error)
		close(fd);
	else
		file->fd = fd;
	return error;
}

static int
open_file(struct evl_opened *file)
{
	int error = open_once(file);

	if (error != ENOENT || !file->makes_folders)
		return error;
	error = evl_path_make_folders(file->path);
	return error ? error : open_once(file);
}

int
evl_opened_need(struct evl_opened *file)
{
	int error;

	if (file->fd >= 0)
		return 0;
	pthread_mutex_lock(&all.mutex);
	error = open_file(file);
	pthread_mutex_unlock(&all.mutex);
	return error;
}

void
evl_opened_close(struct evl_opened *file)
{
	pthread_mutex_lock(&all.mutex);
	if (file->fd >= 0)
		close(file->fd);
	file->fd = -1;
	pthread_mutex_unlock(&all.mutex);
}

int
evl_opened_check(const struct evl_opened *file)
{
	struct stat st;

	if (lstat(file->path, &st))
		return errno == ENOENT || errno == ENOTDIR ? EVL_FILE_MOVED : errno;
	return st.st_dev == file->device && st.st_ino == file->inode ? 0 : EVL_FILE_MOVED;
}

/* --- Making and ending ------------------------------------------------------------ */

/* The two kinds of lock do not see each other. */
static int
is_used_otherwise(const struct evl_opened *file)
{
	struct evl_link *link;

	EVL_LIST_EACH(link, &all.list) {
		const struct evl_opened *other = OPENED(link);

		if (other->is_flock != file->is_flock && other->fd >= 0 &&
		    other->device == file->device && other->inode == file->inode)
			return 1;
	}
	return 0;
}

static int
open_first(struct evl_opened *file)
{
	int error = open_file(file);

	if (!error && is_used_otherwise(file)) {
		close(file->fd);
		file->fd = -1;
		error = EINVAL;
	}
	if (!error)
		evl_list_push(&all.list, &file->link);
	return error;
}

int
evl_opened_begin(struct evl_opened *file, char *path, int is_flock, int makes_folders)
{
	int error = evl_opened_handle_fork();

	if (error) {
		evl_mem_free(path);
		return error;
	}
	file->path = path;
	file->fd = -1;
	file->pid = getpid();
	file->is_flock = (uint8_t)is_flock;
	file->makes_folders = (uint8_t)makes_folders;
	pthread_mutex_lock(&all.mutex);
	error = open_first(file);
	pthread_mutex_unlock(&all.mutex);
	if (error)
		evl_mem_free(path);
	return error;
}

void
evl_opened_end(struct evl_opened *file)
{
	evl_opened_close(file);
	pthread_mutex_lock(&all.mutex);
	evl_list_remove(&file->link);
	pthread_mutex_unlock(&all.mutex);
	evl_mem_free(file->path);
}
