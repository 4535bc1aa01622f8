/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef PUT_H_INCLUDED_
#define PUT_H_INCLUDED_

struct job;

/** PUT /doc/NAME: the body becomes the document. */
void put(struct job *job);

#endif
