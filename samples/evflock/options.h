/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef OPTIONS_H_INCLUDED_
#define OPTIONS_H_INCLUDED_

/* What the command line asks for.  The strings are those of argv. */

#include <stdbool.h>
#include <stddef.h>
#include <sys/time.h>

struct target {
	const char *path;
	unsigned mode;			/* EVLOCK_SHARED or EVLOCK_EXCLUSIVE */
};

struct options {
	struct target *targets;		/* in the order in which they were named */
	size_t n_targets;
	char **command;			/* as execvp() wants it */
	char *shell[4];			/* the command, if it was given by -c */
	const struct timeval *timeout;	/* longest wait, or NULL */
	struct timeval seconds;
	int busy_status;		/* if the locks are not to be had in time */
	bool is_flock;
	bool is_patient;		/* waits at all */
	bool tells;			/* while it waits */
};

/** Fills in `options`, or says on stderr what is wrong and exits. */
void options_parse(struct options *options, int argc, char **argv);

void options_free(struct options *options);

#endif
