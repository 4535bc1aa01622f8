/* SPDX-License-Identifier: BSD-3-Clause */

/* See holders.h.  Three sources are read:
 *
 *	/proc/PID/fdinfo/FD	locks, of each process that has them; only of processes that the
 *				user may look into
 *	/proc/locks		all locks and waits, with the process that asked, which is -1 for
 *				locks of open file descriptions
 *	/proc/PID/task/TID/syscall	the threads that wait for such locks
 */

#include <ctype.h>
#include <dirent.h>
#include <stdlib.h>
#include <string.h>

#include "holders.h"

/* What is passed on while /proc is walked through. */
struct search {
	struct holders *found;
	const struct proc_file *file;		/* or NULL */
	bool has_failed;
};

static bool
is_wanted(const struct search *search, const struct proc_file *file)
{
	return !search->file || proc_is_same(search->file, file);
}

static bool
is_of(const struct holder *holder, const struct proc_lock *lock, long pid)
{
	return (holder->pid == pid || pid < 0) && holder->lock.is_waiting == lock->is_waiting &&
	    proc_is_same(&holder->lock.file, &lock->file) && !strcmp(holder->lock.kind, lock->kind);
}

/* No pid: is anybody known? */
static bool
is_known(const struct holders *holders, const struct proc_lock *lock, long pid)
{
	size_t i;

	for (i = 0; i < holders->n; i++)
		if (is_of(&holders->of[i], lock, pid))
			return true;
	return false;
}

static void
add(struct search *search, const struct proc_lock *lock, long pid, const char *path)
{
	struct holders *found = search->found;
	struct holder *more = realloc(found->of, (found->n + 1) * sizeof(*more));
	char *copy = strdup(path);

	if (more)
		found->of = more;
	if (!more || !copy) {
		free(copy);
		search->has_failed = true;
		return;
	}
	more[found->n].lock = *lock;
	more[found->n].pid = pid;
	more[found->n++].path = copy;
}

/* --- Folders of /proc ------------------------------------------------------------ */

/* Calls `visit` for each entry of a folder that is a number. */
static void
walk(struct search *search, const char *pid, const char *below,
    void (*visit)(struct search *, const char *pid, const char *number))
{
	char path[64];
	struct dirent *entry;
	DIR *folder;

	snprintf(path, sizeof(path), "/proc/%s%s%s", pid, *pid ? "/" : "", below);
	folder = opendir(path);
	if (!folder)
		return;
	while ((entry = readdir(folder)))
		if (isdigit((unsigned char)entry->d_name[0]))
			visit(search, pid, entry->d_name);
	closedir(folder);
}

/* --- Holders ------------------------------------------------------------------------ */

/* A gate is held by a process that waits for the rest of the file. */
static void
see_lock(struct search *search, struct proc_lock *lock, const char *pid, const char *fd)
{
	char path[4096];
	long number = strtol(pid, NULL, 10);

	lock->is_waiting = lock->is_gate;
	if (!is_wanted(search, &lock->file) || is_known(search->found, lock, number))
		return;
	proc_path(path, sizeof(path), pid, fd);
	add(search, lock, number, path);
}

static void
visit_descriptor(struct search *search, const char *pid, const char *fd)
{
	FILE *info = proc_open("%s/fdinfo/%s", pid, fd);
	struct proc_lock lock;

	if (!info)
		return;
	while (proc_read_lock(&lock, info))
		see_lock(search, &lock, pid, fd);
	fclose(info);
}

/* --- Waiters that the kernel does not name -------------------------------------------- */

static void
visit_thread(struct search *search, const char *pid, const char *thread)
{
	struct proc_lock lock = { .kind = "OFDLCK", .is_waiting = true, .is_exclusive = true };
	char number[16], path[4096];
	int fd;

	if (!proc_is_in_fcntl(pid, thread, &fd))
		return;
	snprintf(number, sizeof(number), "%d", fd);
	if (!proc_find_file(&lock.file, pid, number) || !is_wanted(search, &lock.file) ||
	    is_known(search->found, &lock, strtol(pid, NULL, 10)))
		return;
	proc_path(path, sizeof(path), pid, number);
	add(search, &lock, strtol(pid, NULL, 10), path);
}

static void
visit_process(struct search *search, const char *none, const char *pid)
{
	(void)none;
	walk(search, pid, "fdinfo", visit_descriptor);
}

static void
visit_waiter(struct search *search, const char *none, const char *pid)
{
	(void)none;
	walk(search, pid, "task", visit_thread);
}

/* --- What the kernel has in one list ------------------------------------------------------ */

/* The path that another process has for the file. */
static const char *
path_of(const struct holders *holders, const struct proc_file *file)
{
	size_t i;

	for (i = 0; i < holders->n; i++)
		if (proc_is_same(&holders->of[i].lock.file, file))
			return holders->of[i].path;
	return "";
}

/* The process that asked for a lock counts if no process is known that has it. */
static void
see_line(struct search *search, const struct proc_lock *lock)
{
	long pid = lock->is_waiting ? lock->pid : -1;

	if (lock->is_gate || !is_wanted(search, &lock->file) ||
	    is_known(search->found, lock, pid))
		return;
	add(search, lock, lock->pid, path_of(search->found, &lock->file));
}

static bool
read_list(struct search *search, bool *has_nameless)
{
	FILE *list = proc_open("locks");
	struct proc_lock lock;

	if (!list)
		return false;
	while (proc_read_lock(&lock, list))
		if (lock.is_waiting && lock.pid < 0)
			*has_nameless = true;
		else
			see_line(search, &lock);
	fclose(list);
	return true;
}

bool
holders_find(struct holders *holders, const struct proc_file *file)
{
	struct search search = { holders, file, false };
	bool has_nameless = false, is_told;

	memset(holders, 0, sizeof(*holders));
	walk(&search, "", "", visit_process);
	is_told = read_list(&search, &has_nameless);
	if (has_nameless)
		walk(&search, "", "", visit_waiter);
	return is_told && !search.has_failed;
}

void
holders_free(struct holders *holders)
{
	while (holders->n > 0)
		free(holders->of[--holders->n].path);
	free(holders->of);
	holders->of = NULL;
}
