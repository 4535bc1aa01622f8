/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef JOB_H_INCLUDED_
#define JOB_H_INCLUDED_

/* One request, from its arrival until its reply is written.
 *
 *	          job_lock()           granted            job_reply()
 *	(ARRIVED) ----------> WAITING ---------> WORKING ------------> REPLYING ---> gone
 *	                         |                  |                     ^
 *	                         |                  | the disk failed     |
 *	                         | timeout, drain   v                     |
 *	                         +-------------> job_fail() --------------+
 *
 * If the client goes away, a WAITING job is withdrawn and a REPLYING one is gone;
 * a WORKING one is finished all the same, and its reply is not sent: what has begun
 * on the disk must have ended before the next one is let in.
 *
 * A job belongs to the thread of its loop.  From job_work() or job_visit() until `then`,
 * what is marked "worker" belongs to one of those, or to another loop's thread.
 */

#include <stdbool.h>
#include <stddef.h>
#include <sys/queue.h>
#include <time.h>

#include <evlock/evlock.h>

#include "name.h"
#include "workers.h"

#define MAX_DOCUMENTS 2

struct client;
struct evbuffer;
struct evhttp_request;
struct loop;
struct server;
struct job;

typedef void (*job_step)(struct job *job);

/** A document that a job is about. */
struct document {
	char name[NAME_SIZE];		/* set once */
	struct evbuffer *text;		/* worker: that will be saved */
	char temporary[48];		/* worker: where the new text is written */
	bool created;			/* worker: the document was not there before */
};

struct job {
	struct server *server;
	struct loop *loop;
	struct client *client;		/* who acquires the locks */
	struct evhttp_request *req;	/* NULL once the client has gone */
	LIST_ENTRY(job) link;		/* in loop->jobs */
	enum { JOB_ARRIVED, JOB_WAITING, JOB_WORKING, JOB_REPLYING } state;

	struct document document[MAX_DOCUMENTS];	/* saved in this order */
	unsigned n_documents;
	struct evlock *lock[MAX_DOCUMENTS];	/* of each document */
	struct evlock *set;		/* of these, if there are several */
	evlock_handle handle;		/* that holds it, or waits for it */
	job_step granted;
	struct timespec asked;
	double waited;			/* for the locks, in seconds */

	struct task task;
	struct mail visit;		/* to another loop, instead of a worker */
	unsigned n_visited;		/* of the loops */
	int (*run)(struct job *job);
	job_step then;
	int error;			/* worker: what `run` returned */

	job_step saved;
	unsigned n_published;		/* worker: of the documents */
	size_t n_moved;			/* worker: lines */

	struct evbuffer *body;		/* worker: of the request */
	struct evbuffer *answer;	/* worker: what the client will be told */
	const char *allow;		/* with a 405, what can be done */
};

/** Makes a job of a request and takes the request's body.
 * Returns NULL if there is no memory; then the request has been answered. */
struct job *job_new(struct loop *loop, struct evhttp_request *req);

/** Acquires the locks of all the job's documents, and goes on with `granted`. */
void job_lock(struct job *job, unsigned mode, job_step granted);

/** Is it certain that nobody else has any of the documents, for the next step? */
bool job_holds(const struct job *job);

/** Has a worker call `run`, and if that returns 0 goes on with `then`. */
void job_work(struct job *job, int (*run)(struct job *job), job_step then);

/** The same with the thread of a loop, which may be the job's own. */
void job_visit(struct job *job, struct loop *loop, int (*run)(struct job *job), job_step then);

/** Lets go of the locks and sends the answer; the job ends when it is sent. */
void job_reply(struct job *job, int status);

/** The same for an errno value. */
void job_fail(struct job *job, int error);

/** Whoever waits for a lock is told to try again. */
void job_send_away(struct job *job);

/** Nobody is left to be told. */
void job_client_gone(struct job *job);

#endif
