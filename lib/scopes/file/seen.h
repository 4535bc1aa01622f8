/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef EVL_FILE_SEEN_H_INCLUDED_
#define EVL_FILE_SEEN_H_INCLUDED_

/* The result of the last look at the path of a lock file.  One fstat(2) tells whether that result
 * is still valid.
 *
 * Removing, renaming or replacing the file changes its ctime.  So does a process that begins to
 * wait for it: it touches the file once it holds the gate (kernel.h).  So while the ctime stays the
 * same, the path still leads to the file, and no other process has begun to wait.
 *
 * An unchanged ctime does not prove that in these cases:
 *
 *  - The ctime was young when it was seen.  Two changes within one tick of the kernel's clock may
 *    have the same ctime, so only an older ctime is trusted.
 *  - A folder above the file was renamed or replaced, which does not change the file.  So a look is
 *    trusted only for a while; see evl_seen_is_recent().
 *  - A waiter does not touch the file, because it may not, or because it runs evlock 0.1.  So the
 *    gate is looked at again after MOST_USES uses, and such a waiter is passed at most that often.
 *  - The file system does not keep ctimes as this machine's kernel does.  Files there are not
 *    near (near.h), and are not trusted at all.
 *
 * Part of a struct evl_opened, and used by the thread that may use that. */

#include <stdint.h>
#include <time.h>

/** The result of the last look at the gate. */
enum evl_seen_gate {
	EVL_SEEN_NOTHING,	/**< no look yet */
	EVL_SEEN_NO_WRITER,	/**< no writer waits, so readers may pass */
	EVL_SEEN_NOBODY		/**< no process waits */
};

struct evl_seen {
	struct timespec ctime;
	struct timespec at;	/**< the time of the look, CLOCK_MONOTONIC_COARSE */
	uint8_t is_trusted;
	uint8_t gate;		/**< enum evl_seen_gate */
	uint8_t n_uses;		/**< since the gate was looked at */
};

/** Begins a look: notes the ctime of a file that is locked or about to be locked.  The caller then
 * looks at the path, and perhaps at the gate, and keeps `seen` if both are as they should be.
 * Returns 0 or an errno. */
int evl_seen_begin(struct evl_seen *seen, int fd);

/** Is the look trusted, and at most `most_ms` old?  Makes no system call. */
int evl_seen_is_recent(const struct evl_seen *seen, long most_ms);

/** Is the ctime still the same?  Called if evl_seen_is_recent(). */
int evl_seen_is_same(const struct evl_seen *seen, int fd);

/** Must the caller look at the gate before it locks in this mode?  Counts a use. */
int evl_seen_needs_gate(struct evl_seen *seen, int is_exclusive);

/** Notes that the gate is free for this mode. */
void evl_seen_gate_is_free(struct evl_seen *seen, int is_exclusive);

#endif
