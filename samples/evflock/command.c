/* SPDX-License-Identifier: BSD-3-Clause */

/* The command is a child that inherits the descriptors of the lock files, and with them the
 * locks.  So nothing runs unlocked, whatever ends evflock, and signals need no care: one that
 * is sent to the process group reaches the command once, and one that ends evflock alone leaves
 * the lock to the command.
 *
 * With -o the command does not inherit them.  Then a process between evflock and the command
 * keeps them until the command has ended:
 *
 *	evflock -> keeper -> command
 *
 * It blocks all signals, as nobody knows of it. */

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "command.h"

static int
become(char **command)
{
	int error;

	execvp(command[0], command);
	error = errno;
	fprintf(stderr, "evflock: failed to execute %s: %s\n", command[0], strerror(error));
	return error == ENOMEM ? EX_OSERR : EX_UNAVAILABLE;
}

static int
wait_for(pid_t child)
{
	int status;

	while (waitpid(child, &status, 0) < 0)
		if (errno != EINTR) {
			perror("evflock: waitpid");
			return EX_OSERR;
		}
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

static int
refuse_fork(void)
{
	perror("evflock: fork");
	return EX_OSERR;
}

static void
close_files(const struct options *options, const int *fd)
{
	size_t i;

	for (i = 0; i < options->n_targets; i++)
		close(fd[i]);
}

static int
keep(const struct options *options, const int *fd)
{
	sigset_t every, before;
	pid_t child;

	sigfillset(&every);
	sigprocmask(SIG_SETMASK, &every, &before);
	child = fork();
	if (child < 0)
		return refuse_fork();
	if (child == 0) {
		sigprocmask(SIG_SETMASK, &before, NULL);
		close_files(options, fd);
		_exit(become(options->command));
	}
	return wait_for(child);
}

int
command_run(const struct options *options, const int *fd)
{
	pid_t child;

	signal(SIGCHLD, SIG_DFL);	/* if it is ignored there is no status to wait for */
	fflush(NULL);
	if (options->becomes)
		return become(options->command);
	child = fork();
	if (child < 0)
		return refuse_fork();
	if (child == 0)
		_exit(options->closes ? keep(options, fd) : become(options->command));
	return wait_for(child);
}
