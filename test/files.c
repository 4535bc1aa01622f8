/* SPDX-License-Identifier: BSD-3-Clause */

/* See files.h. */

#define SHIM_ASSERTS_ONLY
#include "shim.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "files.h"

static char folder[PATH_MAX];

void
enter_folder(void)
{
	const char *tmp = getenv("TMPDIR");

	snprintf(folder, sizeof folder, "%s/evlock-test.XXXXXX", tmp ? tmp : "/tmp");
	cr_assert_not_null(mkdtemp(folder));
	cr_assert_eq(chdir(folder), 0);
}

void
leave_folder(void)
{
	char command[PATH_MAX + 20];

	snprintf(command, sizeof command, "rm -rf '%s'", folder);
	cr_assert_eq(chdir("/"), 0);
	cr_assert_eq(system(command), 0);
}

double
now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

unsigned
count_descriptors(void)
{
	DIR *dir = opendir("/proc/self/fd");
	unsigned n = 0;

	cr_assert_not_null(dir);
	while (readdir(dir))
		n++;
	closedir(dir);
	return n - 3;	/* `.`, `..` and its own */
}

int
open_other(const char *path)
{
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);

	cr_assert_geq(fd, 0);
	return fd;
}

int
lock_other(int fd, int type)
{
	struct flock range = { .l_type = (short)type, .l_whence = SEEK_SET };

	return fcntl(fd, F_OFD_SETLK, &range) ? errno : 0;
}

int
flock_other(int fd, int operation)
{
	return flock(fd, operation | LOCK_NB) ? errno : 0;
}

int
is_free(const char *path, int type)
{
	int fd = open_other(path), error = lock_other(fd, type);

	close(fd);
	cr_assert(!error || error == EAGAIN);
	return !error;
}

int
can_wait(void)
{
	const char *wrapper = getenv("EVLOCK_TEST_WRAPPER");

	return !wrapper || !*wrapper;
}

/* /proc/locks has a line for each lock, such as
 *	1: OFDLCK ADVISORY  WRITE -1 fe:00:1234 0 EOF
 * and below it a line with an arrow for each waiter. */
static unsigned
count_blocked(unsigned long inode)
{
	FILE *file = fopen("/proc/locks", "r");
	char line[200], *colon;
	unsigned n = 0;

	cr_assert_not_null(file);
	while (fgets(line, sizeof line, file)) {
		colon = strrchr(line, ':');
		n += strstr(line, "->") && colon && strtoul(colon + 1, NULL, 10) == inode;
	}
	fclose(file);
	return n;
}

void
await_blocked(const char *path, unsigned n)
{
	struct stat st;

	cr_assert_eq(stat(path, &st), 0);
	while (count_blocked(st.st_ino) != n)
		usleep(1000);
}
