/* SPDX-License-Identifier: BSD-3-Clause */

/* Reading the texts. */

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "texts.h"

static bool
add(struct texts *texts, const char *line)
{
	size_t n = texts->n_lines;
	char **grown = texts->line;

	if ((n & (n - 1)) == 0) {	/* full at each power of two */
		grown = realloc(texts->line, (n ? 2 * n : 1) * sizeof(*grown));
		if (grown == NULL)
			return false;
		texts->line = grown;
	}
	grown[n] = strdup(line);
	texts->n_lines += grown[n] != NULL;
	return grown[n] != NULL;
}

static bool
read_lines(struct texts *texts, FILE *in)
{
	char *line = NULL;
	size_t size = 0;
	bool ok = true;

	while (ok && getline(&line, &size, in) >= 0) {
		line[strcspn(line, "\r\n")] = '\0';
		ok = add(texts, line);
	}
	free(line);
	return ok && !ferror(in);
}

static FILE *
open_regular(int folder, const char *name)
{
	int fd = openat(folder, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	struct stat st;

	if (fd < 0)
		return NULL;
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode))
		return fdopen(fd, "r");
	close(fd);
	return NULL;
}

static bool
read_files(struct texts *texts, DIR *dir)
{
	struct dirent *entry;
	bool ok = true;

	while (ok && (entry = readdir(dir)) != NULL) {
		FILE *in = open_regular(dirfd(dir), entry->d_name);

		if (in == NULL)
			continue;
		ok = read_lines(texts, in);
		texts->n_files++;
		fclose(in);
	}
	return ok;
}

bool
texts_read(struct texts *texts, const char *folder)
{
	DIR *dir = opendir(folder);
	bool ok;

	memset(texts, 0, sizeof(*texts));
	ok = dir && read_files(texts, dir);
	if (ok && texts->n_lines == 0) {
		errno = ENOENT;
		ok = false;
	}
	if (!ok)
		fprintf(stderr, "demo: no texts in %s: %s\n", folder, strerror(errno));
	if (dir)
		closedir(dir);
	return ok;
}

void
texts_free(struct texts *texts)
{
	size_t i;

	for (i = 0; i < texts->n_lines; i++)
		free(texts->line[i]);
	free(texts->line);
}
