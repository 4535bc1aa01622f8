/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef REPLY_H_INCLUDED_
#define REPLY_H_INCLUDED_

/* What a client is told, and how. */

struct job;

/** The status that stands for an errno value. */
int reply_status(int error);

/** Sends job->answer, or if `status` is an error, a line that says what it means. */
void reply_send(struct job *job, int status);

#endif
