/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef TEXTS_H_INCLUDED_
#define TEXTS_H_INCLUDED_

/* The lines of all the files of a folder. */

#include <stdbool.h>
#include <stddef.h>

struct texts {
	char **line;		/* without their newlines */
	size_t n_lines;
	size_t n_files;
};

/** Reads the regular files of a folder; symbolic links are left out, being the same
 * texts again.  Returns false after saying why not; texts_free() is to be called in
 * any case. */
bool texts_read(struct texts *texts, const char *folder);

void texts_free(struct texts *texts);

#endif
