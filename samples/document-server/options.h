/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef OPTIONS_H_INCLUDED_
#define OPTIONS_H_INCLUDED_

/* What the command line asks for. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/time.h>

struct options {
	const char *address;
	uint16_t port;
	const char *folder;
	unsigned threads;		/* loops, each in one */
	unsigned workers;
	struct timeval timeout;		/* longest wait for a lock */
	size_t max_body;
	bool no_lock;
	bool lock_file;			/* other processes may serve the same folder */
	const char *etcd;		/* URLs of who keeps the locks; NULL: this process */
};

/** Fills in `options`, or says on stderr what is wrong and exits. */
void options_parse(struct options *options, int argc, char **argv);

#endif
