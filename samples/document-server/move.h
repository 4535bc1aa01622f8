/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef MOVE_H_INCLUDED_
#define MOVE_H_INCLUDED_

struct job;

/* The documents of the job: the one that gains is saved first. */
enum { MOVE_TO, MOVE_FROM };

/** POST /move?from=A&to=B: takes the lines that the body lists out of one document and
 * appends them to another, which is made if it is missing. */
void move(struct job *job);

#endif
