/* SPDX-License-Identifier: BSD-3-Clause */

/* The command: a child, which does not have the locks.  The one who has them stays until
 * the child has ended, passes signals on, and if it dies itself takes the child with it,
 * for nothing would keep others out then.
 *
 * The signals are blocked whenever the number of the child is not, or no longer, known. */

#include <errno.h>
#include <signal.h>
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

static pid_t child;

/* What the terminal sends, the whole group has got already. */
static void
pass_on(int sig, siginfo_t *info, void *context)
{
	int saved = errno;

	(void)context;
#ifdef SI_KERNEL
	if (info->si_code != SI_KERNEL)
#endif
		kill(child, sig);
	(void)info;
	errno = saved;
}

static void
block(sigset_t *before)
{
	sigset_t set;
	size_t i;

	sigemptyset(&set);
	for (i = 0; i < N_PASSED_ON; i++)
		sigaddset(&set, passed_on[i]);
	sigprocmask(SIG_BLOCK, &set, before);
}

/* What was ignored when we were started stays so, here and in the child: nohup(1). */
static void
catch_signals(void)
{
	struct sigaction catcher, before;
	size_t i;

	memset(&catcher, 0, sizeof(catcher));
	catcher.sa_sigaction = pass_on;
	catcher.sa_flags = SA_SIGINFO | SA_RESTART;
	sigemptyset(&catcher.sa_mask);
	for (i = 0; i < N_PASSED_ON; i++)
		if (sigaction(passed_on[i], NULL, &before) == 0 && before.sa_handler != SIG_IGN)
			sigaction(passed_on[i], &catcher, NULL);
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

/* Leaves the child a zombie, whose number is nobody else's yet. */
static void
wait_until_dead(void)
{
	siginfo_t info;

	while (waitid(P_PID, (id_t)child, &info, WEXITED | WNOWAIT) < 0 && errno == EINTR)
		;
}

static int
bury(void)
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
	pid_t self = getpid();
	sigset_t mask;

	signal(SIGCHLD, SIG_DFL);	/* if it is ignored there is no status to wait for */
	block(&mask);
	child = fork();
	if (child < 0) {
		perror("evflock: fork");
		return EX_OSERR;
	}
	if (child == 0)
		become(command, self, &mask);
	catch_signals();
	sigprocmask(SIG_SETMASK, &mask, NULL);
	wait_until_dead();
	block(NULL);
	return bury();
}
