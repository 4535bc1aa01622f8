/* SPDX-License-Identifier: BSD-3-Clause */

/* Writing a document whole, with nobody else at it.
 *
 *	put -> granted -> save.c
 */

#include <errno.h>

#include <event2/buffer.h>

#include <evlock/evlock.h>

#include "job.h"
#include "put.h"
#include "save.h"

static void
granted(struct job *job)
{
	if (evbuffer_add_buffer(job->document[0].text, job->body) < 0)
		job_fail(job, ENOMEM);
	else
		save(job, save_confirm);
}

void
put(struct job *job)
{
	job_lock(job, EVLOCK_EXCLUSIVE, granted);
}
