/* SPDX-License-Identifier: BSD-3-Clause */

/* The end of every change.
 *
 *	save -> (write temporaries) -> publish -> (rename one) -> publish -> ... -> saved
 *
 * Nothing is renamed before all that can fail for want of space has been done. */

#include <stdio.h>

#include "save.h"
#include "server.h"
#include "store.h"

/* Of those documents that are not published. */
static void
remove_temporaries(struct job *job, unsigned end)
{
	while (end > job->n_published)
		store_remove(job->server->folder, job->document[--end].temporary);
}

static int
write_temporaries(struct job *job)
{
	int error = 0;
	unsigned i;

	for (i = 0; !error && i < job->n_documents; i++)
		error = store_save(job->server->folder, job->document[i].temporary,
		    job->document[i].text);
	if (error)
		remove_temporaries(job, i - 1);
	return error;
}

static int
rename_next(struct job *job)
{
	struct document *document = &job->document[job->n_published];
	int error = store_publish(job->server->folder, document->temporary, document->name,
	    &document->created);

	job->n_published++;
	if (error)
		remove_temporaries(job, job->n_documents);
	return error;
}

static void
publish(struct job *job)
{
	if (job->n_published < job->n_documents)
		job_work(job, rename_next, publish);
	else
		job->saved(job);
}

void
save(struct job *job, job_step saved)
{
	unsigned i;

	for (i = 0; i < job->n_documents; i++)
		snprintf(job->document[i].temporary, sizeof(job->document[i].temporary),
		    ".%u.%llu.tmp", job->loop->number, job->loop->n_saves++);
	job->saved = saved;
	job_work(job, write_temporaries, publish);
}

void
save_confirm(struct job *job)
{
	job_reply(job, job->document[0].created ? 201 : 204);
}
