/* SPDX-License-Identifier: BSD-3-Clause */

/* Processes that remove a lock file under each other.  A holder removes the file, renames it,
 * replaces it by another, or by a symbolic link for a moment, and then releases the lock.  Two
 * processes must never hold it at once.  Without a second look at the path after locking, two
 * would do so within a second. */

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <event2/event.h>
#include <event2/thread.h>

#include <evlock/file.h>

#include "../must.h"
#include "../shim.h"
#include "../files.h"

#define PROCESSES 4
#define HOLDS_OF_EACH must_times(500, 7500, 7500)

/* In shared memory. */
static struct shared {
	int n_inside;
	long n_holds, n_links;
} *shared;

static void
replace(void)
{
	char name[40];

	snprintf(name, sizeof name, "new.%ld", (long)getpid());
	close(open_other(name));
	rename(name, "file");
}

/* A process that opens the file meanwhile gets ELOOP, and tries again. */
static void
link_away(void)
{
	unlink("file");
	if (symlink("elsewhere", "file") == 0)
		unlink("file");
}

static void
take_away(unsigned how)
{
	switch (how % 8) {
	case 0: unlink("file"); break;
	case 1: rename("file", "away"); break;
	case 2: replace(); break;
	case 3: link_away(); break;
	default: break;
	}
}

static long left;

static void
note(struct evlock *lock, evlock_handle handle, int error, void *arg)
{
	(void)arg;
	if (error == ELOOP)
		__atomic_add_fetch(&shared->n_links, 1, __ATOMIC_RELAXED);
	else if (error)
		_exit(2);
	if (!error) {
		if (__atomic_add_fetch(&shared->n_inside, 1, __ATOMIC_SEQ_CST) != 1)
			_exit(3);
		__atomic_add_fetch(&shared->n_holds, 1, __ATOMIC_RELAXED);
		left--;
		__atomic_sub_fetch(&shared->n_inside, 1, __ATOMIC_SEQ_CST);
		take_away((unsigned)rand());
		evlock_release(lock, handle);
	}
	if (left > 0 && !evlock_acquire(lock, EVLOCK_EXCLUSIVE, NULL, note, NULL))
		_exit(4);
}

static int
live(unsigned seed)
{
	struct event_base *base = event_base_new();
	struct evlock *lock = NULL;

	srand(seed);
	left = HOLDS_OF_EACH;
	while (!lock) {
		lock = evlock_file_new(base, "file", NULL);
		if (!lock && errno != ELOOP)
			return 1;
	}
	if (!evlock_acquire(lock, EVLOCK_EXCLUSIVE, NULL, note, NULL))
		return 4;
	event_base_dispatch(base);
	evlock_free(lock);
	event_base_free(base);
	return 0;
}

Test(file_races, two_never_hold_it, .timeout = 150)
{
	pid_t pid[PROCESSES];
	int i, status;

	if (!can_wait())
		return;
	enter_folder();
	evthread_use_pthreads();
	shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
	    -1, 0);
	cr_assert_neq(shared, MAP_FAILED);
	for (i = 0; i < PROCESSES; i++)
		if ((pid[i] = fork()) == 0)
			_exit(live((unsigned)i + 1));
	for (i = 0; i < PROCESSES; i++) {
		cr_assert_eq(waitpid(pid[i], &status, 0), pid[i]);
		cr_assert_neq(status, 3 << 8, "two held it");
		cr_assert_eq(status, 0);
	}
	cr_assert_eq(shared->n_holds, PROCESSES * HOLDS_OF_EACH);
	munmap(shared, sizeof *shared);
	leave_folder();
}
