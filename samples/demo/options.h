/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef OPTIONS_H_INCLUDED_
#define OPTIONS_H_INCLUDED_

/* What the command line asks for. */

#include <stdbool.h>

/** The runs that there are. */
enum { RUN_NO_LOCK, RUN_LOCK, RUN_THREADS, RUN_PROCESSES, N_RUNS };

struct options {
	const char *server;	/* the program */
	const char *texts;	/* the folder of the texts to send */
	const char *timeout;	/* the server's option */
	unsigned connections;	/* that append */
	unsigned readers;
	unsigned documents;
	unsigned seconds;	/* each run sends for so long at most */
	unsigned moves;		/* percent of the appends that a move follows */
	unsigned kill_every;	/* milliseconds between two looks for clients to kill; 0: none */
	unsigned hang_up;	/* percent of the requests that are given up midway */
	unsigned stop_after;	/* lines, and then SIGTERM for the server; 0: never */
	unsigned threads;	/* of the server in RUN_THREADS; of one in the others */
	bool runs[N_RUNS];	/* to be made */
};

#define MAX_CONNECTIONS 1000
#define MAX_DOCUMENTS 16

/** Fills in `options`, or says on stderr what is wrong and exits. */
void options_parse(struct options *options, int argc, char **argv);

#endif
