/* SPDX-License-Identifier: BSD-3-Clause */

/* The end of every change.
 *
 *	save -> (write temporaries) -> publish -> (rename one) -> publish -> ... -> saved
 *
 * Nothing is renamed before all that can fail for want of space has been done. */

#include <errno.h>
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

static int
give_up(struct job *job)
{
	remove_temporaries(job, job->n_documents);
	return ESTALE;
}

/* A lock that other machines keep may be lost meanwhile.  This look does not make it impossible
 * that the next one writes at the same time: for that the store would have to know fencing tokens,
 * which files do not; see samples/leader. */
static void
publish(struct job *job)
{
	if (job->n_published < job->n_documents && !job_holds(job))
		job_work(job, give_up, publish);
	else if (job->n_published < job->n_documents)
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
		    ".%08lx.%u.%llu.tmp", job->server->mark, job->loop->number,
		    job->loop->n_saves++);
	job->saved = saved;
	job_work(job, write_temporaries, publish);
}

void
save_confirm(struct job *job)
{
	job_reply(job, job->document[0].created ? 201 : 204);
}
