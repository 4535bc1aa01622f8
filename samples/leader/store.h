/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef STORE_H_INCLUDED_
#define STORE_H_INCLUDED_

/* What the job works on: a file with one line, "TOKEN NAME NUMBER", the last write taken.  Any
 * store will do that can compare a number and write in one step, as a database can. */

#include <stdint.h>

/** Writes, unless a larger token has written before: ESTALE.  Returns 0 or an errno value. */
int store_write(const char *path, uint64_t token, const char *name, unsigned number);

#endif
