/* SPDX-License-Identifier: BSD-3-Clause */

/* The command: a child, which does not have the locks.  The one who has them stays until
 * the child has ended, passes signals on, and if it dies itself takes the child with it,
 * for nothing would keep others out then.
 *
 * The signals are blocked all the time, and waited for: none comes when the number of the
 * child is not known yet, or not any more. */

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#ifdef __linux__
#include <sys/prctl.h>
#endif

#include "command.h"

static const int passed_on[] = { SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2 };
#define N_PASSED_ON (sizeof(passed_on) / sizeof(passed_on[0]))

/* What was ignored when we were started stays so, here and in the child: nohup(1). */
static void
block_signals(sigset_t *set, sigset_t *before)
{
	struct sigaction action;
	size_t i;

	sigemptyset(set);
	sigaddset(set, SIGCHLD);
	for (i = 0; i < N_PASSED_ON; i++)
		if (sigaction(passed_on[i], NULL, &action) == 0 && action.sa_handler != SIG_IGN)
			sigaddset(set, passed_on[i]);
	sigprocmask(SIG_BLOCK, set, before);
}

static void
follow_to_death(pid_t parent)
{
#ifdef __linux__
	prctl(PR_SET_PDEATHSIG, SIGKILL);
#endif
	if (getppid() != parent)	/* died before that */
		_exit(EX_OSERR);
}

static void
become(char **command, pid_t parent, const sigset_t *mask)
{
	int error;

	follow_to_death(parent);
	sigprocmask(SIG_SETMASK, mask, NULL);
	execvp(command[0], command);
	error = errno;
	fprintf(stderr, "evflock: failed to execute %s: %s\n", command[0], strerror(error));
	_exit(error == ENOMEM ? EX_OSERR : EX_UNAVAILABLE);
}

/* What the terminal sends, the whole group has got already. */
static bool
is_from_terminal(const siginfo_t *info)
{
#ifdef SI_KERNEL
	return info->si_code == SI_KERNEL;
#else
	(void)info;
	return false;
#endif
}

/* Leaves the child a zombie, whose number is nobody else's yet. */
static bool
is_dead(pid_t child)
{
	siginfo_t info;

	info.si_pid = 0;
	return waitid(P_PID, (id_t)child, &info, WEXITED | WNOWAIT | WNOHANG) < 0 || info.si_pid;
}

static void
wait_until_dead(pid_t child, const sigset_t *signals)
{
	siginfo_t info;
	int sig;

	while (!is_dead(child)) {
		sig = sigwaitinfo(signals, &info);
		if (sig > 0 && sig != SIGCHLD && !is_from_terminal(&info))
			kill(child, sig);
	}
}

static int
bury(pid_t child)
{
	int status;

	if (waitpid(child, &status, 0) < 0) {
		perror("evflock: waitpid");
		return EX_OSERR;
	}
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

int
command_run(char **command)
{
	pid_t self = getpid(), child;
	sigset_t signals, before;

	signal(SIGCHLD, SIG_DFL);	/* if it is ignored there is no status to wait for */
	block_signals(&signals, &before);
	child = fork();
	if (child < 0) {
		perror("evflock: fork");
		return EX_OSERR;
	}
	if (child == 0)
		become(command, self, &before);
	wait_until_dead(child, &signals);
	return bury(child);
}
