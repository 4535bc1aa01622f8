/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SHOW_H_INCLUDED_
#define SHOW_H_INCLUDED_

struct job;

/** GET /locks: who holds a document and who waits for one. */
void show(struct job *job);

#endif
