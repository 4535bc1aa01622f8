/* SPDX-License-Identifier: BSD-3-Clause */

/* Appending to a document by reading it, changing it and writing it again.
 *
 *	append -> granted -> (read) -> change -> save.c
 *
 * The loop serves others between any two of these, and they may ask for the same
 * document; the lock, held from the first to the last, keeps them waiting.  Without
 * it two who read the same text would both write it, each with its own lines
 * added, and the lines of whoever writes first would be lost. */

#include <errno.h>

#include <event2/buffer.h>

#include <evlock/evlock.h>

#include "append.h"
#include "job.h"
#include "lines.h"
#include "save.h"
#include "server.h"
#include "store.h"

static int
read_document(struct job *job)
{
	struct document *document = &job->document[0];
	int error = store_read(job->server->folder, document->name, document->text);

	return error == ENOENT ? 0 : error;
}

static void
change(struct job *job)
{
	struct evbuffer *text = job->document[0].text;
	int error = lines_append(text, job->body);

	if (!error && evbuffer_get_length(text) > STORE_MAX_DOCUMENT)
		error = EFBIG;
	if (error)
		job_fail(job, error);
	else
		save(job, save_confirm);
}

static void
granted(struct job *job)
{
	job_work(job, read_document, change);
}

void
append(struct job *job)
{
	if (evbuffer_get_length(job->body) == 0)
		job_reply(job, 400);
	else
		job_lock(job, EVLOCK_EXCLUSIVE, granted);
}
