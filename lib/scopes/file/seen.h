/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef EVL_FILE_SEEN_H_INCLUDED_
#define EVL_FILE_SEEN_H_INCLUDED_

/* What was seen of a lock file when its path was looked at last, so that one fstat(2) tells
 * whether that is still so.
 *
 * Whoever removes, renames or replaces the file changes its ctime.  So does a process that comes
 * to wait for it: it touches the file once it has the gate (kernel.h).  Hence as long as the ctime
 * is what it was, the path leads to the file, and nobody waits who did not wait then.
 *
 * That is no proof in these cases:
 *
 *  - The ctime was young when it was seen.  Two changes within a tick of the kernel's clock may
 *    have the same ctime, so only one older than that is trusted.
 *  - A folder above was renamed or replaced, which leaves the file alone.  So a look is trusted for
 *    a while only; see evl_seen_is_recent().
 *  - A process waits that cannot touch the file, or does not, as evlock 0.1 did not.  So the gate
 *    is looked at after some uses all the same, and such a waiter is passed that often at the
 *    most.
 *  - The file system does not keep ctimes as this machine's kernel does.  Files there are not
 *    near (near.h), and are not trusted at all.
 *
 * Part of a struct evl_opened, and used by whoever may use that. */

#include <stdint.h>
#include <time.h>

/** What is known of the gate. */
enum evl_seen_gate {
	EVL_SEEN_NOTHING,
	EVL_SEEN_NO_WRITER,	/**< no writer waits: who shares may pass */
	EVL_SEEN_NOBODY
};

struct evl_seen {
	struct timespec ctime;
	struct timespec at;	/**< CLOCK_MONOTONIC_COARSE */
	uint8_t is_trusted;
	uint8_t gate;		/**< enum evl_seen_gate */
	uint8_t n_uses;		/**< since the gate was looked at */
};

/** Begins a look: notes what fstat(2) tells now, of a file that is locked or about to be.
 * Afterwards the path is looked at, and perhaps the gate; if they are as they should be, the
 * caller keeps `seen`.  Returns 0 or an errno. */
int evl_seen_begin(struct evl_seen *seen, int fd);

/** May the file be as it was, by a look that is not older than `most_ms`?  Makes no system call. */
int evl_seen_is_recent(const struct evl_seen *seen, long most_ms);

/** It may; is it? */
int evl_seen_is_same(const struct evl_seen *seen, int fd);

/** Must the gate be looked at, for a lock of this kind?  Counts a use.  If so, and if the gate is
 * free, the caller says so. */
int evl_seen_needs_gate(struct evl_seen *seen, int is_exclusive);
void evl_seen_gate_is_free(struct evl_seen *seen, int is_exclusive);

#endif
