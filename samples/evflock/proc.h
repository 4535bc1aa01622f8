/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef PROC_H_INCLUDED_
#define PROC_H_INCLUDED_

/* Linux's /proc: files, processes, and the kernel's lines about locks.  proc(5) describes all
 * of them.  Nothing here looks at a lock file itself, so a dead mount stops nobody. */

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/** How the kernel names a file in its lines about locks: "fe:00:11051703". */
struct proc_file {
	char name[64];
};

bool proc_is_same(const struct proc_file *a, const struct proc_file *b);

/** The file that a process has open.  `pid` may be "self".  Returns whether that is known. */
bool proc_find_file(struct proc_file *file, const char *pid, const char *fd);

/** The same by a path.  The file is not opened for anything. */
bool proc_find_path(struct proc_file *file, const char *path);

/** One lock, or one that is waited for. */
struct proc_lock {
	struct proc_file file;
	char kind[16];			/* FLOCK, OFDLCK, POSIX, LEASE... */
	bool is_exclusive, is_waiting;
	bool is_gate;			/* the byte at which evlock's processes queue for fcntl() */
	long pid;			/* of whoever asked for it, or -1 */
};

/** Reads the next lock from /proc/locks, or from a file in /proc/PID/fdinfo/.  Returns whether
 * there is one. */
bool proc_read_lock(struct proc_lock *lock, FILE *lines);

/** The arguments of a process, or its name in brackets, as text for a terminal. */
void proc_command(char *text, size_t size, long pid);

/** The path of what a process has open, or "". */
void proc_path(char *path, size_t size, const char *pid, const char *fd);

/** Does a thread wait for a lock of fcntl(2) that belongs to an open file description?  Then
 * `fd` is its descriptor.  Returns false if that is not known, too. */
bool proc_is_in_fcntl(const char *pid, const char *thread, int *fd);

/** Opens a file below /proc, "%s/%s" and so on. */
FILE *proc_open(const char *format, ...)
#ifdef __GNUC__
    __attribute__((format(printf, 1, 2)))
#endif
    ;

#endif
