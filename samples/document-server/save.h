/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SAVE_H_INCLUDED_
#define SAVE_H_INCLUDED_

#include "job.h"

/** Makes the texts of the job's documents what is on the disk, one document after the
 * other, and goes on with `saved`.  To be called with their locks held. */
void save(struct job *job, job_step saved);

/** Replies that the first document was written; for `saved`. */
void save_confirm(struct job *job);

#endif
