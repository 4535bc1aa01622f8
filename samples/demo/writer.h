/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef WRITER_H_INCLUDED_
#define WRITER_H_INCLUDED_

/* A connection that appends its lines, one request a line, the next when the one
 * before is answered; and that now and then moves some of them to another document. */

#include <stdbool.h>
#include <stddef.h>

#define MAX_MOVED 8		/* lines, by one request */

struct evbuffer;
struct evhttp_connection;
struct event;
struct run;

struct move {
	unsigned from, to;
	size_t line[MAX_MOVED];
	size_t n;
};

struct writer {
	struct run *run;
	unsigned connection;		/* its number in the ledger */
	size_t line, end;		/* the next one, and behind the last */
	unsigned n_asked;		/* requests so far */
	double asked;			/* when the last one was sent; 0: it is answered */
	struct move move;
	bool is_moving;			/* the last request was a move */
	struct evhttp_connection *conn;	/* NULL: not connected */
	struct evbuffer *body;
	struct event *hang_up;		/* gives up the request that is under way */
};

/** Returns false if there is no memory; writer_free() is to be called in any case. */
bool writer_init(struct writer *writer, struct run *run, unsigned connection);
void writer_free(struct writer *writer);

/** Sends the next request, or tells the run that the writer is done. */
void writer_go_on(struct writer *writer);

/** Is a request under way? */
bool writer_is_busy(const struct writer *writer);

/** Closes the connection at once, in the midst of a request, and goes on with the next
 * one on a new connection. */
void writer_kill(struct writer *writer);

#endif
