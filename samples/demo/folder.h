/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef FOLDER_H_INCLUDED_
#define FOLDER_H_INCLUDED_

/* A temporary folder for all that the demo writes. */

#include <stdbool.h>

#define FOLDER_SIZE 200

/** Makes it under $TMPDIR or /tmp.  Returns false after saying why not. */
bool folder_make(char path[FOLDER_SIZE]);

/** Removes it with all that is in it. */
void folder_remove(const char *path);

#endif
