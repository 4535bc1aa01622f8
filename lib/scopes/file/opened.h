/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef EVL_FILE_OPENED_H_INCLUDED_
#define EVL_FILE_OPENED_H_INCLUDED_

/* An open lock file: its descriptor, and what the descriptor can do.
 *
 * The file was opened by a path, or the caller had it open already (`path` is NULL).  With a
 * path, the thread that locks the file looks at the path again afterwards, because the file may
 * have been removed, renamed or replaced meanwhile.  A lock on a file that its path does not
 * lead to excludes no other process.
 *
 * One thread at a time opens, closes and reads a struct evl_opened; claim.h says which.  The
 * functions below that use the path may block while a dead mount does not answer, so no mutex is
 * held while they run.
 *
 * fork() needs a list of all open files.  While its mutex is held, no other mutex is entered, and
 * no system call is made that could block.  A forked child shares the open file description, and
 * with it the lock, so it closes its descriptors at once.  Otherwise a child that outlives its
 * parent would keep the parent's lock. */

#include <stdint.h>
#include <sys/types.h>

#include "base/list.h"
#include "scopes/file/seen.h"

/** Not an errno: the path leads to another file, or to none. */
#define EVL_FILE_MOVED (-1)

/** How a file is to be opened. */
struct evl_how {
	uint8_t is_flock;	/**< for flock(2) */
	uint8_t is_any;		/**< accepts folders and devices, and follows links */
	uint8_t makes_folders;	/**< makes missing folders above the file */
	unsigned mode;		/**< permission bits of a new file; 0: 0666 */
};

/** Identifies a file. */
struct evl_file_id {
	dev_t device;
	ino_t inode;
};

/** Facts about a file, found when it was opened. */
struct evl_facts {
	struct evl_file_id id;
	uint8_t may_read;	/**< the descriptor is open for reading */
	uint8_t may_write;	/**< the descriptor is open for writing */
	uint8_t is_near;	/**< evl_near_is() */
};

struct evl_opened {
	char *path;		/**< evl_path_new(), owned; NULL: the caller had it open */
	int fd;			/**< -1: not open.  Like `facts`, changes under the list's mutex */
	struct evl_how how;
	struct evl_facts facts;	/**< of the file that was opened last */
	struct evl_seen seen;	/**< of that file */
	pid_t pid;		/**< the process that made it */
	struct evl_link link;	/**< in the list of all */
};

/** Registers the handlers for fork(), once.  evl_opened_begin() does so too.  Returns 0 or an
 * errno. */
int evl_opened_handle_fork(void);

/** Opens the file at `path`.  Makes the file if it is missing.  Opens it for reading if it cannot
 * be opened for writing.  Takes ownership of `path`, and frees it on failure.  Returns 0 or an
 * errno, among them EINVAL if the file is of a kind that `how` does not allow, or if this process
 * has it open for the other kind of lock. */
int evl_opened_begin(struct evl_opened *file, char *path, const struct evl_how *how);

/** Duplicates the caller's descriptor `fd`.  Returns 0 or an errno: EBADF, EMFILE, EINVAL (this
 * process has the file open for the other kind of lock). */
int evl_opened_adopt(struct evl_opened *file, int fd, int is_flock);

/** Closes the file and frees the path.  Also called in a forked child. */
void evl_opened_end(struct evl_opened *file);

/** Opens the file again if it is closed, or if its descriptor does not allow this mode.  Returns 0
 * or an errno: EACCES if the new descriptor does not allow it either. */
int evl_opened_need(struct evl_opened *file, int is_exclusive);

/** Opens the file again for writing, because the kernel wants such a descriptor.  Returns 0 or an
 * errno: EACCES if the file cannot be opened for writing. */
int evl_opened_need_writing(struct evl_opened *file);

/** Releases all locks on the file, and closes it until it is needed.  A file that the caller had
 * open stays open. */
void evl_opened_close(struct evl_opened *file);

/** Can a file that was opened in this way be locked in this mode? */
int evl_opened_serves(const struct evl_how *how, const struct evl_facts *facts, int is_exclusive);

/** May `seen` of the file be trusted, because its waiters touch it?  Not if the caller had the file
 * open, if links are followed, or if the file is far. */
int evl_opened_is_quick(const struct evl_opened *file);

/** Finds out which file the path leads to now.  Reads only members that never change, so any
 * thread may call it.  Returns 0, EVL_FILE_MOVED if the path leads nowhere, or an errno. */
int evl_opened_find(const struct evl_opened *file, struct evl_file_id *found);

/** Does the path still lead to the open file?  Returns 0, EVL_FILE_MOVED or an errno. */
int evl_opened_check(const struct evl_opened *file);

int evl_opened_is_same(const struct evl_file_id *a,
    const struct evl_file_id *b);

/** Are `fd` and the descriptor of `file` one open file description?  If the system cannot tell,
 * two descriptors of one file count as one. */
int evl_opened_is_description(const struct evl_opened *file, int fd);

/** Did this process make it, rather than a process that it was forked from? */
int evl_opened_is_ours(const struct evl_opened *file);

#endif
