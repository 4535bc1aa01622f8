/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef KILLER_H_INCLUDED_
#define KILLER_H_INCLUDED_

/* A connection that looks at GET /locks, where the server shows who holds a document
 * and who waits for one, and kills some of the writers that it finds there.  Once all
 * writers are done it looks again: then nobody must be left. */

#include <stdbool.h>

struct evhttp_connection;
struct event;
struct run;

struct killer {
	struct run *run;
	struct evhttp_connection *conn;
	struct event *pause;		/* between two looks */
	double asked;			/* when it began to look */
	double patience;		/* how long to wait for nobody to be left; 0: it kills */
};

/** Begins to kill, if that is wanted.  Returns false if there is no memory;
 * killer_free() is to be called in any case. */
bool killer_init(struct killer *killer, struct run *run);
void killer_free(struct killer *killer);

/** Kills no more, but sees that nothing stays locked, and calls run_checked(). */
void killer_check(struct killer *killer);

#endif
