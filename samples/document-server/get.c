/* SPDX-License-Identifier: BSD-3-Clause */

/* Reading a document: with others who read, not with one who writes.
 *
 *	get -> granted -> (read) -> reply
 */

#include <evlock/evlock.h>

#include "get.h"
#include "job.h"
#include "server.h"
#include "store.h"

static int
read_document(struct job *job)
{
	return store_read(job->server->folder, job->document[0].name, job->answer);
}

static void
reply(struct job *job)
{
	job_reply(job, 200);
}

static void
granted(struct job *job)
{
	job_work(job, read_document, reply);
}

void
get(struct job *job)
{
	job_lock(job, EVLOCK_SHARED, granted);
}
