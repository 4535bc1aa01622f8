/* SPDX-License-Identifier: BSD-3-Clause */

/* The state of all locks, for a person to read.
 *
 *	show -> (dump of the first loop) -> show -> (of the second) -> ... -> reply
 *
 * A base's locks are looked at in its own thread, so the job visits one loop after the
 * other.  A lock that several loops use is shown by each of them. */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include <event2/buffer.h>

#include <evlock/evlock.h>

#include "job.h"
#include "server.h"
#include "show.h"

/* evlock writes to a FILE, evhttp sends an evbuffer; memory stands between. */
static int
dump(struct event_base *base, struct evbuffer *text)
{
	char *data = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&data, &len);
	int error = 0;

	if (out == NULL)
		return errno;
	evlock_dump(base, out);
	if (fclose(out) != 0 || evbuffer_add(text, data, len) < 0)
		error = ENOMEM;
	free(data);
	return error;
}

/* In the thread of the loop that is shown. */
static int
show_loop(struct job *job)
{
	const struct loop *loop = &job->server->loop[job->n_visited++];
	struct evbuffer *text = evbuffer_new();
	int error = text ? dump(loop->base, text) : ENOMEM;

	if (!error && evbuffer_get_length(text) > 0) {
		if (job->server->options->threads > 1)
			evbuffer_add_printf(job->answer, "loop %u:\n", loop->number + 1);
		if (evbuffer_add_buffer(job->answer, text) < 0)
			error = ENOMEM;
	}
	if (text)
		evbuffer_free(text);
	return error;
}

static void
reply(struct job *job)
{
	if (evbuffer_get_length(job->answer) == 0)
		evbuffer_add_printf(job->answer, "No document is in use.\n");
	job_reply(job, 200);
}

void
show(struct job *job)
{
	struct server *server = job->server;

	if (job->n_visited < server->options->threads)
		job_visit(job, &server->loop[job->n_visited], show_loop, show);
	else
		reply(job);
}
