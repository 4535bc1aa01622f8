/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef EVL_FILE_OPENED_H_INCLUDED_
#define EVL_FILE_OPENED_H_INCLUDED_

/* An open lock file: its descriptor, and what the descriptor can do.
 *
 * The file was opened by a path, or the caller had it open already (`path` is NULL).  With a
 * path, the thread that locks the file looks at the path again afterwards, because the file may
 * have been removed, renamed or replaced meanwhile.  A lock on a file that its path does not
 * lead to keeps nobody out.
 *
 * One thread at a time opens, closes and reads a struct evl_opened; claim.h says which.  The
 * functions below that take a path may block for as long as a dead mount does not answer, so no
 * mutex is held while they run.
 *
 * A list of all open files is kept for fork(), with a mutex of its own, in which nothing else is
 * entered and no system call is made that could block.  A child shares the open file
 * description, and with it the lock, so the child closes its descriptors at once.  Otherwise a
 * child that lives on would keep the lock of a parent that has died. */

#include <stdint.h>
#include <sys/types.h>

#include "base/list.h"
#include "scopes/file/seen.h"

/** Not an error: the path leads to another file, or to none. */
#define EVL_FILE_MOVED (-1)

/** How a file is to be opened. */
struct evl_how {
	uint8_t is_flock;	/**< for flock(2) */
	uint8_t is_any;		/**< folders and devices are taken, and links are followed */
	uint8_t makes_folders;	/**< that are missing above it */
	unsigned mode;		/**< permission bits of a file that is made */
};

/** Which file it is. */
struct evl_file_id {
	dev_t device;
	ino_t inode;
};

/** What was found out about a file when it was opened. */
struct evl_facts {
	struct evl_file_id id;
	uint8_t may_read;	/**< by the descriptor */
	uint8_t may_write;
	uint8_t is_near;	/**< evl_near_is() */
};

struct evl_opened {
	char *path;		/**< evl_path_new(), owned; NULL: the caller had it open */
	int fd;			/**< -1: not open.  Changed under the list's mutex, as `facts` */
	struct evl_how how;
	struct evl_facts facts;	/**< of the file that was opened last */
	struct evl_seen seen;	/**< of that file */
	pid_t pid;		/**< the process that made it */
	struct evl_link link;	/**< in the list of all */
};

/** Registers the handlers for fork(), once.  evl_opened_begin() does so too.  Returns 0 or an
 * errno. */
int evl_opened_handle_fork(void);

/** Opens the file at `path`, which is made if it is missing.  A file that cannot be opened for
 * writing is opened for reading.  `path` is owned from now on, and freed if this fails.
 * Returns 0 or an errno, among them EINVAL if the file is of a kind that `how` does not allow,
 * or if this process has it open for the other kind of lock. */
int evl_opened_begin(struct evl_opened *file, char *path, const struct evl_how *how);

/** Duplicates a descriptor of the caller's.  Returns 0 or an errno: EBADF, EMFILE, EINVAL (this
 * process has the file open for the other kind of lock). */
int evl_opened_adopt(struct evl_opened *file, int fd, int is_flock);

/** Closes the file and frees the path.  In a forked child too. */
void evl_opened_end(struct evl_opened *file);

/** Opens the file again if it is closed, or if it cannot serve this kind of lock as it was
 * opened.  Returns 0 or an errno: EACCES if it still cannot. */
int evl_opened_need(struct evl_opened *file, int is_exclusive);

/** The kernel wants a descriptor for writing: opens the file again.  Returns 0 or an errno:
 * EACCES if that cannot be done. */
int evl_opened_need_writing(struct evl_opened *file);

/** Releases all locks on the file and closes it until it is needed.  One that the caller had
 * open stays open. */
void evl_opened_close(struct evl_opened *file);

/** Can a file that was opened so be locked so? */
int evl_opened_serves(const struct evl_how *how, const struct evl_facts *facts, int is_exclusive);

/** May what was seen of the file be trusted, and is it touched by those who wait for it?  Not what
 * the caller had open, or what links lead to, or what is far. */
int evl_opened_is_quick(const struct evl_opened *file);

/** Finds out which file the path leads to now.  Reads only what never changes, so any thread
 * may call it.  Returns 0, EVL_FILE_MOVED if the path leads nowhere, or an errno. */
int evl_opened_find(const struct evl_opened *file, struct evl_file_id *found);

/** Is it still the file that its path leads to?  Returns 0, EVL_FILE_MOVED or an errno. */
int evl_opened_check(const struct evl_opened *file);

int evl_opened_is_same(const struct evl_file_id *a,
    const struct evl_file_id *b);

/** Are `fd` and the descriptor of `file` one open file description?  If the system cannot tell,
 * two descriptors of one file count as one. */
int evl_opened_is_description(const struct evl_opened *file, int fd);

/** Does it belong to this process, and not to one that it was forked from? */
int evl_opened_is_ours(const struct evl_opened *file);

#endif
