/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef NAME_H_INCLUDED_
#define NAME_H_INCLUDED_

/* The name of a document: 1 to 100 of A-Z a-z 0-9 - _ and ., not a dot first.
 * So a name is never "..", never reaches out of the folder, and never meets the
 * server's own files there, which do begin with a dot. */

#include <stdbool.h>

#define NAME_SIZE 101

/** Decodes `text` as it stands in a path ("a%2Eb" is "a.b") into `name`.
 * Returns false if that is no document's name. */
bool name_decode(const char *text, char name[NAME_SIZE]);

/** The same for what follows `key` ("from=") in a query ("from=a&to=b", or NULL). */
bool name_find(const char *query, const char *key, char name[NAME_SIZE]);

#endif
