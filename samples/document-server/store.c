/* SPDX-License-Identifier: BSD-3-Clause */

/* Files: how to read one whole, and how to replace one so that neither a reader
 * nor a power cut ever finds half of it: write another, fsync it, rename it,
 * fsync the folder. */

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "store.h"

/* --- Opening the folder -------------------------------------------------- */

static bool
is_temporary(const char *name)
{
	size_t len = strlen(name);

	return name[0] == '.' && len > 4 && strcmp(name + len - 4, ".tmp") == 0;
}

static int
sweep(int folder)
{
	int fd = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;

	if (dir == NULL)
		return errno;
	while ((entry = readdir(dir)) != NULL)
		if (is_temporary(entry->d_name))
			unlinkat(folder, entry->d_name, 0);
	closedir(dir);
	return 0;
}

/* Whoever has it alone does not share it, or is sweeping, which does not take long. */
static int
share(int folder)
{
	static const struct timespec tenth = { 0, 100000000 };
	int patience = 50;

	while (flock(folder, LOCK_SH | LOCK_NB) < 0) {
		if (errno != EWOULDBLOCK || patience-- == 0)
			return errno;
		nanosleep(&tenth, NULL);
	}
	return 0;
}

/* The kernel's lock says who has the folder.  (Over a network it may not reach other machines; then
 * that all of them share is not checked.) */
static int
claim(int folder, bool is_shared)
{
	int error = flock(folder, LOCK_EX | LOCK_NB) < 0 ? errno : sweep(folder);

	if (!is_shared || (error && error != EWOULDBLOCK))
		return error;
	return share(folder);
}

int
store_open(const char *path, bool is_shared, int *folder)
{
	int error, fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return errno;
	error = claim(fd, is_shared);
	if (error)
		close(fd);
	else
		*folder = fd;
	return error;
}

/* --- Reading -------------------------------------------------------------- */

/* How long the file is, if it is one that can be read to its end. */
static int
measure(int fd, size_t *size)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return errno;
	if (!S_ISREG(st.st_mode))
		return EINVAL;
	if ((size_t)st.st_size > STORE_MAX_DOCUMENT)
		return EFBIG;
	*size = (size_t)st.st_size;
	return 0;
}

static int
read_all(int fd, char *to, size_t size)
{
	while (size > 0) {
		ssize_t n = read(fd, to, size);

		if (n <= 0)
			return n < 0 ? errno : EIO;
		to += n;
		size -= (size_t)n;
	}
	return 0;
}

static int
read_file(int fd, struct evbuffer *text)
{
	struct evbuffer_iovec space;
	size_t size = 0;
	int error = measure(fd, &size);

	if (error || size == 0)
		return error;
	if (evbuffer_reserve_space(text, (ev_ssize_t)size, &space, 1) < 1)
		return ENOMEM;
	error = read_all(fd, space.iov_base, size);
	space.iov_len = error ? 0 : size;
	evbuffer_commit_space(text, &space, 1);
	return error;
}

int
store_read(int folder, const char *name, struct evbuffer *text)
{
	/* O_NONBLOCK: a FIFO in the folder must not hold up a worker. */
	int error, fd = openat(folder, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);

	if (fd < 0)
		return errno;
	error = read_file(fd, text);
	close(fd);
	return error;
}

/* --- Writing -------------------------------------------------------------- */

static int
write_all(int fd, struct evbuffer *text)
{
	while (evbuffer_get_length(text) > 0)
		if (evbuffer_write(text, fd) < 0)
			return errno;
	return 0;
}

static int
write_file(int fd, struct evbuffer *text)
{
	int error = write_all(fd, text);

	if (!error && fsync(fd) < 0)
		error = errno;
	if (close(fd) < 0 && !error)
		error = errno;
	return error;
}

int
store_save(int folder, const char *temporary, struct evbuffer *text)
{
	int error, fd = openat(folder, temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);

	if (fd < 0)
		return errno;
	error = write_file(fd, text);
	if (error)
		unlinkat(folder, temporary, 0);
	return error;
}

int
store_publish(int folder, const char *temporary, const char *name, bool *created)
{
	struct stat st;
	int error = 0;

	*created = fstatat(folder, name, &st, AT_SYMLINK_NOFOLLOW) < 0;
	if (renameat(folder, temporary, folder, name) < 0) {
		error = errno;
		unlinkat(folder, temporary, 0);
	} else if (fsync(folder) < 0)
		error = errno;
	return error;
}

void
store_remove(int folder, const char *temporary)
{
	unlinkat(folder, temporary, 0);
}
