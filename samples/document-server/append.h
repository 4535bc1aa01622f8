/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef APPEND_H_INCLUDED_
#define APPEND_H_INCLUDED_

struct job;

/** POST /doc/NAME: adds the body's lines to the document, which is made if it is
 * missing. */
void append(struct job *job);

#endif
