/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef RUN_H_INCLUDED_
#define RUN_H_INCLUDED_

/* One run: a server, those who append, those who read, and what came of it. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "killer.h"
#include "ledger.h"
#include "options.h"
#include "texts.h"

struct child;
struct event;
struct event_base;
struct reader;
struct writer;

/** What a run is judged by. */
struct result {
	size_t sent, accepted, refused, unanswered;
	struct findings findings;
	size_t moves, lines_moved, refused_moves, unanswered_moves;
	size_t not_found;	/* lines that were to be moved, and were not there */
	size_t killed_holding, killed_waiting;	/* clients */
	size_t killed_moving;			/* of them */
	size_t left;		/* holders and waiters, when all clients were done */
	size_t reads;
	size_t torn_reads;	/* a reader saw something that nobody sent */
	size_t shrunk_reads;	/* a reader missed what it had seen before */
	size_t failures;	/* answers that should not have come */
	double seconds;		/* from the first request to the last answer */
	double *latency;	/* of each accepted line, sorted, in seconds */
	double longest_wait;	/* for a lock, as the server tells it */
	bool served;		/* the server did as it was told, and ended with status 0 */
};

#define MAX_SERVERS 2

struct run {
	const struct options *options;
	bool lock;
	unsigned threads;	/* of the server */
	char title[32];
	char folder[256];
	struct event_base *base;
	struct child *child[MAX_SERVERS];
	uint16_t port[MAX_SERVERS];
	unsigned n_servers, n_listening, n_ended;
	unsigned n_clients;	/* that asked for a port */
	struct writer *writers;
	struct reader *readers;
	struct killer killer;
	unsigned n_writing;	/* writers that are not done */
	bool enough;		/* no more lines are sent */
	bool ending;		/* the server has been told to end */
	double began;		/* 0: not yet */
	struct event *timers[3];
	struct event *signals[2];
	bool interrupted;
	struct ledger ledger;
	struct result result;
};

/** Makes the run of that kind in a folder of its own under `folder`; `deadline` is the
 * time_now() at which it is broken off.  Returns false if no result came of it, after saying
 * why. */
bool run_make(struct run *run, const struct options *options, const struct texts *texts,
    int kind, const char *folder, double deadline);

void run_free(struct run *run);

/** The port of one server or the other, in turn. */
uint16_t run_port(struct run *run);

/** The writers tell: one request was answered; one writer is done. */
void run_answered(struct run *run);
void run_writer_done(struct run *run);

/** The killer tells: it has seen who is left. */
void run_checked(struct run *run);

#endif
