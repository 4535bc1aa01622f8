/* SPDX-License-Identifier: BSD-3-Clause */

/* A loop's parts put together, and taken apart again in order. */

#include "door.h"
#include "job.h"
#include "locks.h"
#include "loop.h"
#include "routes.h"
#include "server.h"

#define MAX_HEADERS 8192
#define IDLE_SECONDS 60		/* longest silence of a client that has its turn to speak */

/* --- Draining and ending -------------------------------------------------- */

static void
report_if_drained(struct loop *loop)
{
	if (!loop->draining || loop->drained || !LIST_EMPTY(&loop->jobs))
		return;
	loop->drained = true;
	server_loop_drained(loop->server);
}

/* One who is sent away may let the next one in, who has not been told so yet and is
 * sent away as well. */
static void
send_away(struct loop *loop)
{
	struct job *job, *next;

	for (job = LIST_FIRST(&loop->jobs); job; job = next) {
		next = LIST_NEXT(job, link);
		job_send_away(job);
	}
}

static void
drain(void *arg)
{
	struct loop *loop = arg;

	loop->draining = true;
	door_close(loop);
	send_away(loop);
	report_if_drained(loop);
}

static void
end(void *arg)
{
	struct loop *loop = arg;

	event_base_loopbreak(loop->base);
}

void
loop_drain(struct loop *loop)
{
	mailbox_send(loop->mailbox, &loop->drain);
}

void
loop_end(struct loop *loop)
{
	mailbox_send(loop->mailbox, &loop->end);
}

void
loop_job_ended(struct loop *loop)
{
	report_if_drained(loop);
}

/* --- Opening, running, closing -------------------------------------------- */

static bool
open_http(struct loop *loop, const struct options *options)
{
	const struct timeval idle = { IDLE_SECONDS + options->timeout.tv_sec, 0 };

	loop->http = evhttp_new(loop->base);
	if (loop->http == NULL)
		return false;
	evhttp_set_timeout_tv(loop->http, &idle);
	evhttp_set_max_headers_size(loop->http, MAX_HEADERS);
	evhttp_set_max_body_size(loop->http, (ev_ssize_t)options->max_body);
	/* Hear a body that is too long out, or the client may never read the 413. */
	evhttp_set_flags(loop->http, EVHTTP_SERVER_LINGERING_CLOSE);
	routes_set(loop);
	return true;
}

static void
set_up(struct loop *loop, struct server *server, unsigned number)
{
	loop->server = server;
	loop->number = number;
	LIST_INIT(&loop->jobs);
	loop->drain.open = drain;
	loop->drain.arg = loop;
	loop->end.open = end;
	loop->end.arg = loop;
}

bool
loop_open(struct loop *loop, struct server *server, unsigned number)
{
	const struct options *options = server->options;

	set_up(loop, server, number);
	loop->base = event_base_new();
	if (loop->base == NULL)
		return false;
	/* All waits are equally long, so a queue will do for them, without a heap. */
	loop->timeout = event_base_init_common_timeout(loop->base, &options->timeout);
	loop->mailbox = mailbox_new(loop->base);
	loop->locks = locks_new(options, loop->base, number > 0 ? server->loop[0].locks : NULL);
	return loop->timeout && loop->mailbox && loop->locks && open_http(loop, options);
}

bool
loop_run(struct loop *loop)
{
	return event_base_dispatch(loop->base) >= 0;
}

void
loop_disconnect(struct loop *loop)
{
	if (loop->http)
		evhttp_free(loop->http);
}

void
loop_close(struct loop *loop)
{
	locks_free(loop->locks);
	mailbox_free(loop->mailbox);
	if (loop->base)
		event_base_free(loop->base);
}
