/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef READER_H_INCLUDED_
#define READER_H_INCLUDED_

/* A connection that reads the documents, one after the other, and looks if they are
 * whole: there must be nothing but lines that were sent, and of those that were there
 * before all that nobody moves. */

#include <stdbool.h>

#include "options.h"

struct evhttp_connection;
struct event;
struct run;

struct reader {
	struct run *run;
	struct evhttp_connection *conn;
	struct event *pause;		/* between two reads */
	unsigned document;
	unsigned char *seen[MAX_DOCUMENTS];	/* of each line: it was there last */
	unsigned char *spare;			/* another such, for the next read */
};

/** Begins to read.  Returns false if there is no memory; reader_free() is to be called
 * in any case. */
bool reader_init(struct reader *reader, struct run *run);
void reader_free(struct reader *reader);

#endif
