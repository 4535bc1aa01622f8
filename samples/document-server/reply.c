/* SPDX-License-Identifier: BSD-3-Clause */

/* Statuses and headers. */

#include <errno.h>
#include <stdio.h>

#include <event2/buffer.h>
#include <event2/http.h>
#include <event2/keyvalq_struct.h>

#include "job.h"
#include "reply.h"
#include "loop.h"

#define RETRY_AFTER "1"		/* seconds, after a 503 */

int
reply_status(int error)
{
	switch (error) {
	case ENOENT: return 404;
	case EFBIG: return 413;
	case ETIMEDOUT:			/* the lock was not granted in time */
	case ESTALE:			/* it was lost before the end */
	case ECANCELED: return 503;	/* the server is about to end */
	default: return 500;
	}
}

static const char *
describe(int status)
{
	switch (status) {
	case 400: return "That is no document's name, the same one twice, or not a line.";
	case 404: return "There is no such document.";
	case 405: return "That cannot be done here.";
	case 409: return "None of these lines is there.";
	case 413: return "That is too long.";
	case 503: return "That is in use; please try again.";
	default: return "The server could not do that.";
	}
}

/* How long the lock was waited for, as browsers' developer tools show it:
 * https://www.w3.org/TR/server-timing/ */
static void
add_timing(struct evkeyvalq *headers, double waited)
{
	char value[64];

	snprintf(value, sizeof(value), "lock;dur=%.3f", waited * 1e3);
	evhttp_add_header(headers, "Server-Timing", value);
}

static void
add_headers(const struct job *job, int status)
{
	struct evkeyvalq *headers = evhttp_request_get_output_headers(job->req);

	if (status != 204)
		evhttp_add_header(headers, "Content-Type", "text/plain; charset=utf-8");
	if (status == 405)
		evhttp_add_header(headers, "Allow", job->allow);
	if (status == 503)
		evhttp_add_header(headers, "Retry-After", RETRY_AFTER);
	if (job->granted)
		add_timing(headers, job->waited);
	if (job->loop->draining)
		evhttp_add_header(headers, "Connection", "close");
}

/* evhttp would send a body with these all the same. */
static bool
wants_no_body(struct evhttp_request *req)
{
	enum evhttp_cmd_type command = evhttp_request_get_command(req);

	return command == EVHTTP_REQ_HEAD || command == EVHTTP_REQ_CONNECT;
}

static void
explain(struct job *job, int status)
{
	evbuffer_drain(job->answer, evbuffer_get_length(job->answer));
	evbuffer_add_printf(job->answer, "%s\n", describe(status));
}

void
reply_send(struct job *job, int status)
{
	add_headers(job, status);
	if (status >= 400)
		explain(job, status);
	evhttp_send_reply(job->req, status, NULL, wants_no_body(job->req) ? NULL : job->answer);
}
