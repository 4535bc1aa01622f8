/* SPDX-License-Identifier: BSD-3-Clause */

/* See kernel.h. */

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/file.h>
#include <sys/time.h>
#include <unistd.h>

#include "kernel.h"

#ifdef F_OFD_SETLKW

static volatile sig_atomic_t is_late;

static void
on_alarm(int sig)
{
	(void)sig;
	is_late = 1;
}

/* The timer goes off again and again: the first signal may come just before the call. */
static void
set_alarm(const struct timeval *timeout)
{
	struct itimerval timer = { { 0, 10000 }, { 0, 0 } };
	struct sigaction action;

	if (!timeout)
		return;
	memset(&action, 0, sizeof(action));
	action.sa_handler = on_alarm;
	sigaction(SIGALRM, &action, NULL);
	timer.it_value = *timeout;
	setitimer(ITIMER_REAL, &timer, NULL);
}

static void
unset_alarm(void)
{
	static const struct itimerval none;

	setitimer(ITIMER_REAL, &none, NULL);
	signal(SIGALRM, SIG_DFL);
}

static int
set(const struct options *options, int fd, int command, int type)
{
	struct flock range;

	memset(&range, 0, sizeof(range));
	range.l_type = (short)type;
	range.l_whence = SEEK_SET;
	range.l_start = options->start;
	range.l_len = options->length;
	return fcntl(fd, command, &range) ? errno : 0;
}

static int
wait_for(const struct options *options, int fd, int type)
{
	int error;

	set_alarm(options->timeout);
	do
		error = set(options, fd, F_OFD_SETLKW, type);
	while (error == EINTR && !is_late);
	if (options->timeout)
		unset_alarm();
	return error == EINTR ? ETIMEDOUT : error;
}

int
kernel_lock(const struct options *options, int fd)
{
	int type = options->targets[0].mode == EVLOCK_SHARED ? F_RDLCK : F_WRLCK;
	int error = set(options, fd, F_OFD_SETLK, type);

	if (error != EAGAIN && error != EACCES)
		return error;
	return options->is_patient ? wait_for(options, fd, type) : EAGAIN;
}

static int
unlock(const struct options *options, int fd)
{
	return set(options, fd, F_OFD_SETLK, F_UNLCK);
}

#else

int
kernel_lock(const struct options *options, int fd)
{
	(void)options;
	(void)fd;
	return ENOTSUP;
}

#define unlock kernel_lock

#endif

int
kernel_unlock(const struct options *options, int fd)
{
	if (options->is_fcntl)
		return unlock(options, fd);
	return flock(fd, LOCK_UN) ? errno : 0;
}
