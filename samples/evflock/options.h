/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef OPTIONS_H_INCLUDED_
#define OPTIONS_H_INCLUDED_

/* What the command line asks for.  The strings are those of argv. */

#include <stdbool.h>
#include <stddef.h>
#include <sys/time.h>
#include <sys/types.h>

#include <evlock/evlock.h>

/* A file that is named, or a descriptor that the caller has open. */
struct target {
	const char *path;		/* NULL: `fd` */
	int fd;
	unsigned mode;			/* EVLOCK_SHARED, EVLOCK_EXCLUSIVE, or UNLOCK */
};

#define UNLOCK EVLOCK_NONE

struct options {
	struct target *targets;		/* in the order in which they were named */
	size_t n_targets;
	char **command;			/* as execvp() wants it; NULL: none */
	char *shell[4];			/* the command, if it was given by -c */
	const struct timeval *timeout;	/* longest wait, or NULL */
	struct timeval seconds;
	int busy_status;		/* if the locks are not granted in time */
	bool is_patient;		/* waits at all */
	bool is_fcntl;			/* locks of fcntl(2), not of flock(2) */
	bool is_range;			/* locks of these bytes alone */
	off_t start, length;
	bool closes;			/* -o: the command has no descriptor of the files */
	bool becomes;			/* -F: evflock becomes the command */
	bool is_verbose;
	bool tells;			/* -p: while it waits */
	bool lists;			/* --list: of these */
	char **listed;
};

/** Fills in `options`, or prints on stderr what is wrong and exits. */
void options_parse(struct options *options, int argc, char **argv);

/** How messages name a target: its path, or "descriptor 9".  Overwritten by the next call. */
const char *target_name(const struct target *target);

#endif
