/* SPDX-License-Identifier: BSD-3-Clause */

/* Which function answers which request. */

#include <errno.h>
#include <string.h>

#include <event2/buffer.h>
#include <event2/http.h>

#include "append.h"
#include "get.h"
#include "job.h"
#include "loop.h"
#include "move.h"
#include "put.h"
#include "routes.h"
#include "show.h"

static void
refuse(struct job *job, const char *allow)
{
	job->allow = allow;
	job_reply(job, 405);
}

static void
answer_document(struct job *job)
{
	job->n_documents = 1;
	switch (evhttp_request_get_command(job->req)) {
	case EVHTTP_REQ_GET: get(job); break;
	case EVHTTP_REQ_PUT: put(job); break;
	case EVHTTP_REQ_POST: append(job); break;
	default: refuse(job, "GET, PUT, POST");
	}
}

static void
answer_move(struct job *job)
{
	const char *query = evhttp_uri_get_query(evhttp_request_get_evhttp_uri(job->req));

	job->n_documents = 2;
	if (evhttp_request_get_command(job->req) != EVHTTP_REQ_POST)
		refuse(job, "POST");
	else if (!name_find(query, "from=", job->document[MOVE_FROM].name)
	    || !name_find(query, "to=", job->document[MOVE_TO].name))
		job_reply(job, 400);
	else
		move(job);
}

static void
answer_locks(struct job *job)
{
	if (evhttp_request_get_command(job->req) == EVHTTP_REQ_GET)
		show(job);
	else
		refuse(job, "GET");
}

static void
answer(struct job *job, const char *path)
{
	static const char folder[] = "/doc/";
	const size_t len = sizeof(folder) - 1;

	if (job->loop->draining)
		job_fail(job, ECANCELED);
	else if (strcmp(path, "/locks") == 0)
		answer_locks(job);
	else if (strcmp(path, "/move") == 0)
		answer_move(job);
	else if (strncmp(path, folder, len) != 0)
		job_reply(job, 404);
	else if (!name_decode(path + len, job->document[0].name))
		job_reply(job, 400);
	else
		answer_document(job);
}

static void
take(struct evhttp_request *req, void *arg)
{
	const char *path = evhttp_uri_get_path(evhttp_request_get_evhttp_uri(req));
	struct job *job = job_new(arg, req);

	if (job)
		answer(job, path ? path : "");
}

void
routes_set(struct loop *loop)
{
	/* What is not allowed here evhttp answers with 501; 405 says what is. */
	evhttp_set_allowed_methods(loop->http, EVHTTP_REQ_GET | EVHTTP_REQ_POST
	    | EVHTTP_REQ_HEAD | EVHTTP_REQ_PUT | EVHTTP_REQ_DELETE | EVHTTP_REQ_OPTIONS
	    | EVHTTP_REQ_TRACE | EVHTTP_REQ_CONNECT | EVHTTP_REQ_PATCH);
	evhttp_set_gencb(loop->http, take, loop);
}
