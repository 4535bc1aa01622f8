/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef GET_H_INCLUDED_
#define GET_H_INCLUDED_

struct job;

/** GET /doc/NAME: the document's text. */
void get(struct job *job);

#endif
