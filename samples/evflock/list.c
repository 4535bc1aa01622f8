/* SPDX-License-Identifier: BSD-3-Clause */

/* See list.h. */

#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "holders.h"
#include "list.h"

#define COMMAND_SIZE 81

/* --- --list -------------------------------------------------------------------- */

/* The names that this program has for the kinds. */
static const char *
kind_of(const struct proc_lock *lock)
{
	return !strcmp(lock->kind, "FLOCK") ? "flock" : !strcmp(lock->kind, "OFDLCK") ? "fcntl"
	    : !strcmp(lock->kind, "POSIX") ? "posix" : lock->kind;
}

static void
print(const struct holder *holder, const char *path)
{
	char command[COMMAND_SIZE], pid[24] = "?";

	if (holder->pid > 0)
		snprintf(pid, sizeof(pid), "%ld", holder->pid);
	proc_command(command, sizeof(command), holder->pid);
	printf("%-5s %-9s %-5s %7s  %s  (%s)\n", holder->lock.is_waiting ? "waits" : "holds",
	    holder->lock.is_exclusive ? "exclusive" : "shared", kind_of(&holder->lock), pid,
	    *path ? path : holder->lock.file.name, command);
}

/* Holders first. */
static void
print_all(const struct holders *holders, const char *path)
{
	size_t i;
	int is_waiting;

	for (is_waiting = 0; is_waiting < 2; is_waiting++)
		for (i = 0; i < holders->n; i++)
			if (holders->of[i].lock.is_waiting == is_waiting)
				print(&holders->of[i], path ? path : holders->of[i].path);
}

static int
list(const struct proc_file *file, const char *path)
{
	struct holders holders;
	bool is_found = holders_find(&holders, file);

	if (is_found)
		print_all(&holders, path);
	else
		fputs("evflock: this system does not tell who holds locks\n", stderr);
	holders_free(&holders);
	return is_found ? 0 : EX_UNAVAILABLE;
}

static int
list_path(const char *path)
{
	struct proc_file file;

	if (proc_find_path(&file, path))
		return list(&file, path);
	fprintf(stderr, "evflock: cannot find ");
	perror(path);
	return EX_NOINPUT;
}

int
list_print(char **paths)
{
	int status = 0, next;

	if (!*paths)
		return list(NULL, NULL);
	for (; *paths; paths++) {
		next = list_path(*paths);
		status = next ? next : status;
	}
	return status;
}

/* --- Who is in the way ------------------------------------------------------------ */

/* Locks of flock(2) conflict with each other, those of fcntl(2) with each other. */
static bool
conflicts(const struct proc_lock *lock, const struct target *target, bool is_fcntl)
{
	return !lock->is_waiting && is_fcntl == (strcmp(lock->kind, "FLOCK") != 0) &&
	    (lock->is_exclusive || target->mode == EVLOCK_EXCLUSIVE);
}

static void
tell(const char *head, const struct target *target, const struct holder *holder)
{
	char command[COMMAND_SIZE];

	proc_command(command, sizeof(command), holder->pid);
	fprintf(stderr, "%s: %s is held by %ld (%s)\n", head, target_name(target), holder->pid,
	    command);
}

static void
tell_of(const char *head, const struct target *target, int fd, bool is_fcntl)
{
	struct proc_file file;
	struct holders holders;
	char number[16];
	size_t i;

	snprintf(number, sizeof(number), "%d", fd);
	if (!proc_find_file(&file, "self", number))
		return;
	holders_find(&holders, &file);
	for (i = 0; i < holders.n; i++)
		if (holders.of[i].pid > 0 && holders.of[i].pid != (long)getpid() &&
		    conflicts(&holders.of[i].lock, target, is_fcntl))
			tell(head, target, &holders.of[i]);
	holders_free(&holders);
}

void
list_tell_holders(const char *head, const struct options *options, const int *fd)
{
	size_t i;

	for (i = 0; i < options->n_targets; i++)
		if (options->targets[i].mode != UNLOCK)
			tell_of(head, &options->targets[i], fd[i], options->is_fcntl);
}
