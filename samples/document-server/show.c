/* SPDX-License-Identifier: BSD-3-Clause */

/* The state of all locks, for a person to read. */

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

void
show(struct job *job)
{
	int error = dump(job->server->base, job->answer);

	if (evbuffer_get_length(job->answer) == 0)
		evbuffer_add_printf(job->answer, "No document is in use.\n");
	if (error)
		job_fail(job, error);
	else
		job_reply(job, 200);
}
