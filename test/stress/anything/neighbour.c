/* SPDX-License-Identifier: BSD-3-Clause */

/* Another process that locks the files of a round as other programs do.  Now and then it removes a
 * file while it holds the lock. */

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "anything.h"

static int *is_locked;		/* relaxed, in shared memory: it holds file i exclusively */
static int stop_pipe[2];	/* when it is closed, the neighbour ends */
static pid_t neighbour;

static int
lock(int fd, unsigned i, int is_exclusive)
{
	struct flock range = { .l_type = (short)(is_exclusive ? F_WRLCK : F_RDLCK),
	    .l_whence = SEEK_SET, .l_len = 0x7FFFFFFFFFFFFFFE };

	if (file_flags(i))
		return flock(fd, is_exclusive ? LOCK_EX : LOCK_SH);
	return fcntl(fd, F_OFD_SETLKW, &range);
}

/* Does the path still lead to this file? */
static int
is_current(int fd, const char *path)
{
	struct stat a, b;

	return fstat(fd, &a) == 0 && stat(path, &b) == 0 && a.st_ino == b.st_ino;
}

/* Returns whether to continue. */
static int
sleep_a_little(unsigned n)
{
	struct pollfd end = { .fd = stop_pipe[0], .events = POLLIN };

	usleep(n % 200);
	return poll(&end, 1, n % 16 == 0) == 0;
}

static int
visit_file(unsigned i, unsigned n)
{
	int is_exclusive = n % 3 > 0, is_removed = is_exclusive && n % 5 == 0, goes_on, fd;
	char path[200];

	file_path(i, path, sizeof path);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0 || lock(fd, i, is_exclusive) < 0 || !is_current(fd, path)) {
		close(fd);
		return sleep_a_little(n);
	}
	WRITE(is_locked[i], is_exclusive);
	goes_on = sleep_a_little(n);
	WRITE(is_locked[i], 0);
	if (is_removed)
		unlink(path);
	close(fd);
	return goes_on;
}

/* Also ends when the round's process dies. */
static void
live(void)
{
	uint64_t random = plan.seed | 1;

	close(stop_pipe[1]);
	do
		random = random * 6364136223846793005u + 1442695040888963407u;
	while (visit_file((unsigned)(random >> 33) % FILES, (unsigned)(random >> 40)) &&
	    sleep_a_little((unsigned)(random >> 50)));
	_exit(0);
}

void
start_neighbour(void)
{
	if (!plan.has_neighbour)
		return;
	is_locked = mmap(NULL, FILES * sizeof *is_locked, PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	MUST(is_locked != MAP_FAILED && pipe2(stop_pipe, O_CLOEXEC) == 0);
	neighbour = fork();
	MUST(neighbour >= 0);
	if (!neighbour)
		live();
	close(stop_pipe[0]);
}

void
stop_neighbour(void)
{
	if (!plan.has_neighbour)
		return;
	close(stop_pipe[1]);
	MUST(waitpid(neighbour, NULL, 0) == neighbour);
	munmap(is_locked, FILES * sizeof *is_locked);
}

/* This process holds the file, at least shared. */
void
check_neighbour(const struct thing *thing)
{
	unsigned i;

	for (i = 0; plan.has_neighbour && i < FILES; i++)
		if (file_thing(i) == thing)
			MUST(!READ(is_locked[i]));
}
