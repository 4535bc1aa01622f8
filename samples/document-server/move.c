/* SPDX-License-Identifier: BSD-3-Clause */

/* Moving lines from one document to another, with nobody else at either.
 *
 *	move -> granted -> (read both, deal the lines out) -> change -> save.c
 *
 * From the first to the last both documents are locked, under one set (job.c): who
 * moves from A to B and who moves from B to A do not wait for each other, and nobody
 * sees a line in both or in none.
 *
 * But a power cut may.  Two files cannot be renamed in one step, so save.c renames the
 * one that gains the lines first, and sees that safe on the disk before it renames the
 * one that loses them: cut off in between, the lines are in both, and none is lost.  The
 * client, who was not answered, can read both and see. */

#include <errno.h>
#include <string.h>

#include <event2/buffer.h>

#include <evlock/evlock.h>

#include "job.h"
#include "lines.h"
#include "move.h"
#include "save.h"
#include "server.h"
#include "store.h"

static int
read_both(struct job *job)
{
	const struct document *from = &job->document[MOVE_FROM], *to = &job->document[MOVE_TO];
	int error = store_read(job->server->folder, from->name, from->text);

	if (error)
		return error;
	error = store_read(job->server->folder, to->name, to->text);
	return error == ENOENT ? 0 : error;
}

static int
deal_out(struct job *job)
{
	struct evbuffer *from = job->document[MOVE_FROM].text, *to = job->document[MOVE_TO].text;
	int error = read_both(job);

	if (!error)
		error = lines_move(from, to, job->body, &job->n_moved);
	if (!error && evbuffer_get_length(to) > STORE_MAX_DOCUMENT)
		error = EFBIG;
	return error;
}

static void
confirm(struct job *job)
{
	evbuffer_add_printf(job->answer, "%zu\n", job->n_moved);
	job_reply(job, job->document[MOVE_TO].created ? 201 : 200);
}

static void
change(struct job *job)
{
	if (job->n_moved == 0)
		job_reply(job, 409);
	else
		save(job, confirm);
}

static void
granted(struct job *job)
{
	job_work(job, deal_out, change);
}

void
move(struct job *job)
{
	bool is_same = strcmp(job->document[MOVE_FROM].name, job->document[MOVE_TO].name) == 0;

	if (is_same || evbuffer_get_length(job->body) == 0)
		job_reply(job, 400);
	else
		job_lock(job, EVLOCK_EXCLUSIVE, granted);
}
