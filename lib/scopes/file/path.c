/* SPDX-License-Identifier: BSD-3-Clause */

/* Paths of lock files; see path.h. */

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"

#include "scopes/file/path.h"

/* Returns the current folder, in memory with room for `more` bytes after it, or NULL with errno. */
static char *
new_folder(size_t more)
{
	size_t size = 256;
	char *folder;

	for (;;) {
		folder = evl_mem_new(size + more);
		if (!folder || getcwd(folder, size))
			return folder;
		evl_mem_free(folder);
		if (errno != ERANGE)
			return NULL;
		size *= 2;
	}
}

/* Does the path name a folder, because it ends in a slash, `.` or `..`? */
static int
is_a_folders(const char *path)
{
	const char *last = strrchr(path, '/');

	last = last ? last + 1 : path;
	return !*last || !strcmp(last, ".") || !strcmp(last, "..");
}

/* Appends the parts of `path`, each after a slash. */
static char *
append_parts(char *to, const char *path)
{
	to += strlen(to);
	if (to[-1] == '/')
		to--;
	while (*path) {
		size_t length = strcspn(path, "/");

		if (length && (length != 1 || *path != '.')) {
			*to++ = '/';
			memcpy(to, path, length);
			to += length;
		}
		path += length + (path[length] == '/');
	}
	return to;
}

char *
evl_path_new(const char *path)
{
	size_t size = strlen(path) + 3;
	char *whole, *end;

	if (!*path) {
		errno = ENOENT;
		return NULL;
	}
	whole = *path == '/' ? evl_mem_new(size) : new_folder(size);
	if (!whole)
		return NULL;
	if (*path == '/')
		strcpy(whole, "/");
	end = append_parts(whole, path);
	if (is_a_folders(path))
		*end++ = '/';
	*end = '\0';
	return whole;
}

static int
make_folder(const char *path)
{
	if (mkdir(path, 0777) == 0 || errno == EEXIST)
		return 0;
	return errno;
}

int
evl_path_make_folders(char *path)
{
	char *slash = path;
	int error = 0;

	while (!error && (slash = strchr(slash + 1, '/')) && slash[1]) {
		*slash = '\0';
		error = make_folder(path);
		*slash = '/';
	}
	return error;
}
