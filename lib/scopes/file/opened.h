/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef EVL_FILE_OPENED_H_INCLUDED_
#define EVL_FILE_OPENED_H_INCLUDED_

/* An open lock file: the descriptor, and whether it still is the file that its path
 * leads to.  Whoever locks a file looks again afterwards, as others may have removed,
 * renamed or replaced it meanwhile: a lock on a file that nobody finds by its path
 * keeps nobody out.
 *
 * One thread at a time uses it, with evl_opened_check() and the like.  A list of all
 * is kept for fork(), with a mutex of its own, in which nothing else is entered: a
 * child shares the open file description, and with it the lock, so the descriptors
 * are closed there at once.  Else a child that lives on would keep the lock of a
 * parent that has died. */

#include <stdint.h>
#include <sys/types.h>

#include "base/list.h"

/** No error, but it was not, or is not any more, what the path leads to. */
#define EVL_FILE_MOVED (-1)

struct evl_opened {
	char *path;		/**< evl_path_new(); belongs to it */
	int fd;			/**< -1: not open; changed under the list's mutex */
	dev_t device;		/**< of the file that was open last, as inode is */
	ino_t inode;
	pid_t pid;		/**< the process that made it */
	uint8_t makes_folders;
	uint8_t is_flock;
	struct evl_link link;	/**< in the list of all */
};

/** Sees to it that fork() is handled: done by evl_opened_begin(), or earlier.  Returns 0 or
 * an errno. */
int evl_opened_handle_fork(void);

/** Opens the file, which is made if it is missing.  `path` is freed with it, or if
 * it cannot be opened.  Returns 0 or an errno, among them EINVAL for what is no regular
 * file, and for what this process has open for the other kind of lock; then there is
 * nothing to end. */
int evl_opened_begin(struct evl_opened *file, char *path, int is_flock, int makes_folders);

/** Closes it, and frees the path.  In a forked child too. */
void evl_opened_end(struct evl_opened *file);

/** Opens it again, if it is closed.  Returns 0 or an errno. */
int evl_opened_need(struct evl_opened *file);

/** Closes it until it is needed, and lets go of all locks on it that way. */
void evl_opened_close(struct evl_opened *file);

/** Is it still the file that its path leads to?  0, EVL_FILE_MOVED or an errno. */
int evl_opened_check(const struct evl_opened *file);

/** Does it belong to this process, and not to one that it was forked from? */
int evl_opened_is_ours(const struct evl_opened *file);

#endif
