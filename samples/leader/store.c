/* SPDX-License-Identifier: BSD-3-Clause */

/* The store that refuses what is old; see store.h. */

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/file.h>
#include <unistd.h>

#include "store.h"

static int
write_line(FILE *file, uint64_t token, const char *name, unsigned number)
{
	uint64_t seen = 0;

	if (fscanf(file, "%" SCNu64, &seen) == 1 && token < seen)
		return ESTALE;
	rewind(file);
	if (ftruncate(fileno(file), 0) < 0 ||
	    fprintf(file, "%" PRIu64 " %s %u\n", token, name, number) < 0 || fflush(file))
		return errno;
	return 0;
}

/* The kernel's lock makes one step of the comparison and the write; it is held for no longer. */
int
store_write(const char *path, uint64_t token, const char *name, unsigned number)
{
	int fd = open(path, O_RDWR | O_CREAT, 0666), error;
	FILE *file = fd < 0 ? NULL : fdopen(fd, "r+");

	if (!file) {
		error = errno;
		if (fd >= 0)
			close(fd);
		return error;
	}
	error = flock(fd, LOCK_EX) < 0 ? errno : write_line(file, token, name, number);
	fclose(file);
	return error;
}
