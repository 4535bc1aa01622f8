/* SPDX-License-Identifier: BSD-3-Clause */

/* Making and removing the folder. */

#define _XOPEN_SOURCE 700	/* for nftw() */
#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "folder.h"

bool
folder_make(char path[FOLDER_SIZE])
{
	const char *parent = getenv("TMPDIR");
	int len = snprintf(path, FOLDER_SIZE, "%s/evlock-demo.XXXXXX", parent ? parent : "/tmp");

	errno = ENAMETOOLONG;
	if (len < FOLDER_SIZE && mkdtemp(path) != NULL)
		return true;
	fprintf(stderr, "demo: %s: %s\n", path, strerror(errno));
	return false;
}

static int
remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

void
folder_remove(const char *path)
{
	if (nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS) < 0)
		fprintf(stderr, "demo: %s: %s\n", path, strerror(errno));
}
