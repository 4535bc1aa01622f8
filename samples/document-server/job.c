/* SPDX-License-Identifier: BSD-3-Clause */

/* What the requests have in common: waiting for the locks, having a worker do
 * something, replying, and the client that goes away in the midst of it.
 *
 * Who frees a request: evhttp frees one that is replied to, or that still stands
 * on its connection when that ends.  But one that ends unanswered by the client's
 * doing it first takes off the connection; that one is ours. */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include <event2/buffer.h>
#include <event2/http.h>

#include <evlock/evlock.h>
#include <evlock/owner.h>
#include <evlock/set.h>

#include "client.h"
#include "job.h"
#include "locks.h"
#include "reply.h"
#include "server.h"

/* --- From the beginning to the end ---------------------------------------- */

static void
job_free(struct job *job)
{
	unsigned i;

	for (i = 0; i < MAX_DOCUMENTS; i++)
		if (job->document[i].text)
			evbuffer_free(job->document[i].text);
	if (job->body)
		evbuffer_free(job->body);
	if (job->answer)
		evbuffer_free(job->answer);
	free(job);
}

static bool
make_buffers(struct job *job)
{
	unsigned i;

	for (i = 0; i < MAX_DOCUMENTS; i++)
		if ((job->document[i].text = evbuffer_new()) == NULL)
			return false;
	job->body = evbuffer_new();
	job->answer = evbuffer_new();
	return job->body && job->answer;
}

struct job *
job_new(struct loop *loop, struct evhttp_request *req)
{
	struct job *job = calloc(1, sizeof(*job));

	if (job && make_buffers(job) && (job->client = client_begin(loop, req, job))) {
		job->server = loop->server;
		job->loop = loop;
		job->req = req;
		evbuffer_add_buffer(job->body, evhttp_request_get_input_buffer(req));
		LIST_INSERT_HEAD(&loop->jobs, job, link);
		return job;
	}
	if (job)
		job_free(job);
	evhttp_send_error(req, HTTP_SERVUNAVAIL, NULL);
	return NULL;
}

/* Whatever it is that the job holds or waits for. */
static void
unlock(struct job *job)
{
	unsigned i;

	evlock_owner_release_all(job->client->owner);
	evlock_free(job->set);
	job->set = NULL;
	for (i = 0; i < job->n_documents; i++) {
		evlock_free(job->lock[i]);
		job->lock[i] = NULL;
	}
}

static void
end(struct job *job)
{
	struct loop *loop = job->loop;

	unlock(job);
	client_end(job->client);
	LIST_REMOVE(job, link);
	job_free(job);
	loop_job_ended(loop);
}

void
job_client_gone(struct job *job)
{
	if (evhttp_request_get_connection(job->req) == NULL)
		evhttp_request_free(job->req);
	job->req = NULL;
	if (job->state != JOB_WORKING)
		end(job);
}

/* --- Waiting for the locks ------------------------------------------------ */

static double
seconds_since(const struct timespec *then)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)(now.tv_sec - then->tv_sec) + 1e-9 * (double)(now.tv_nsec - then->tv_nsec);
}

static void
end_wait(struct evlock *lock, evlock_handle handle, int error, void *arg)
{
	struct job *job = arg;

	(void)lock, (void)handle;
	job->waited = seconds_since(&job->asked);
	job->state = JOB_WORKING;
	if (error)
		job_fail(job, error);
	else
		job->granted(job);
}

static bool
open_locks(struct job *job)
{
	unsigned i;

	for (i = 0; i < job->n_documents; i++) {
		job->lock[i] = locks_open(job->loop->locks, job->document[i].name);
		if (job->lock[i] == NULL)
			return false;
	}
	return true;
}

static struct evlock *
make_set(const struct job *job)
{
	struct evlock_set_member members[MAX_DOCUMENTS];
	const struct evlock_options options = { .name = "set" };
	unsigned i;

	for (i = 0; i < job->n_documents; i++) {
		members[i].lock = job->lock[i];
		members[i].mode = EVLOCK_SAME_MODE;
	}
	return evlock_set_new(members, job->n_documents, &options);
}

/* One document: its lock.  Several: a set of theirs, which holds none before it holds
 * all, so that jobs that name them in different orders never wait for each other. */
static evlock_handle
acquire(struct job *job, const struct evlock_request *request)
{
	if (!open_locks(job))
		return 0;
	if (job->n_documents == 1)
		return evlock_acquire_request(job->lock[0], request);
	job->set = make_set(job);
	return job->set ? evlock_acquire_request(job->set, request) : 0;
}

void
job_lock(struct job *job, unsigned mode, job_step granted)
{
	const struct evlock_request request = {
		.mode = job->server->options->no_lock ? EVLOCK_NONE /* keeps nobody out */ : mode,
		.timeout = job->loop->timeout,
		.owner = job->client->owner,
		.cb = end_wait,
		.arg = job
	};

	job->state = JOB_WAITING;
	job->granted = granted;
	clock_gettime(CLOCK_MONOTONIC, &job->asked);
	job->handle = acquire(job, &request);
	if (job->handle == 0)
		job_fail(job, errno);
}

bool
job_holds(const struct job *job)
{
	unsigned i;

	for (i = 0; i < job->n_documents; i++)
		if (!job->server->options->no_lock &&
		    !locks_hold(job->loop->locks, job->lock[i], job->handle))
			return false;
	return true;
}

void
job_send_away(struct job *job)
{
	if (job->state == JOB_WAITING)
		job_fail(job, ECANCELED);
}

/* --- Working -------------------------------------------------------------- */

static void
run(void *arg)
{
	struct job *job = arg;

	job->error = job->run(job);
}

static void
end_work(void *arg)
{
	struct job *job = arg;

	if (job->error)
		job_fail(job, job->error);
	else
		job->then(job);
}

static void
prepare(struct job *job, int (*work)(struct job *job), job_step then)
{
	job->run = work;
	job->then = then;
	job->task.run = run;
	job->task.arg = job;
	job->task.home = job->loop->mailbox;
	job->task.done.open = end_work;
	job->task.done.arg = job;
}

void
job_work(struct job *job, int (*work)(struct job *job), job_step then)
{
	prepare(job, work, then);
	workers_submit(job->server->workers, &job->task);
}

/* In the thread of the loop that is visited. */
static void
visit(void *arg)
{
	struct job *job = arg;

	run(job);
	mailbox_send(job->task.home, &job->task.done);
}

void
job_visit(struct job *job, struct loop *loop, int (*work)(struct job *job), job_step then)
{
	prepare(job, work, then);
	job->state = JOB_WORKING;
	job->visit.open = visit;
	job->visit.arg = job;
	mailbox_send(loop->mailbox, &job->visit);
}

/* --- Replying ------------------------------------------------------------- */

static void
end_reply(struct evhttp_request *req, void *arg)
{
	(void)req;
	end(arg);
}

void
job_reply(struct job *job, int status)
{
	unlock(job);
	if (job->req == NULL) {
		end(job);
		return;
	}
	job->state = JOB_REPLYING;
	evhttp_request_set_on_complete_cb(job->req, end_reply, job);
	reply_send(job, status);
}

void
job_fail(struct job *job, int error)
{
	job_reply(job, reply_status(error));
}
