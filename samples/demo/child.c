/* SPDX-License-Identifier: BSD-3-Clause */

/* Starting, hearing and ending the server. */

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#ifdef __linux__
#include <sys/prctl.h>
#endif

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>

#include "child.h"

struct child {
	struct child_callbacks callbacks;
	pid_t pid;			/* 0: ended */
	struct bufferevent *output;	/* what it says */
	struct event *sigchld;
};

/* --- Hearing -------------------------------------------------------------- */

static void
hear(struct bufferevent *bev, void *arg)
{
	struct child *child = arg;
	char *line;
	unsigned port;

	while ((line = evbuffer_readln(bufferevent_get_input(bev), NULL, EVBUFFER_EOL_LF))) {
		const char *colon = strrchr(line, ':');

		if (strncmp(line, "listening on ", 13) == 0 && colon
		    && sscanf(colon, ":%u", &port) == 1 && port <= UINT16_MAX)
			child->callbacks.listening((uint16_t)port, child->callbacks.arg);
		free(line);
	}
}

static void
reap(evutil_socket_t sig, short what, void *arg)
{
	struct child *child = arg;
	int status;

	(void)sig;
	(void)what;
	if (child->pid == 0 || waitpid(child->pid, &status, WNOHANG) != child->pid)
		return;
	child->pid = 0;
	child->callbacks.ended(status, child->callbacks.arg);
}

static bool
listen_to(struct child *child, struct event_base *base, int fd)
{
	evutil_make_socket_nonblocking(fd);
	child->output = bufferevent_socket_new(base, fd, BEV_OPT_CLOSE_ON_FREE);
	if (child->output == NULL) {
		close(fd);
		return false;
	}
	bufferevent_setcb(child->output, hear, NULL, NULL, child);
	child->sigchld = evsignal_new(base, SIGCHLD, reap, child);
	return child->sigchld && event_add(child->sigchld, NULL) == 0
	    && bufferevent_enable(child->output, EV_READ) == 0;
}

/* --- Starting ------------------------------------------------------------- */

/* In the child. */
static void
become(const char *const argv[], int out)
{
#ifdef __linux__
	prctl(PR_SET_PDEATHSIG, SIGKILL);	/* do not outlive the demo, however that ends */
#endif
	dup2(out, STDOUT_FILENO);
	execv(argv[0], (char *const *)argv);	/* as POSIX says, it only reads them */
	fprintf(stderr, "demo: %s: %s\n", argv[0], strerror(errno));
	_exit(127);
}

static bool
start(struct child *child, struct event_base *base, const char *const argv[])
{
	int out[2];

	if (pipe(out) < 0)
		return false;
	fcntl(out[0], F_SETFD, FD_CLOEXEC);
	fcntl(out[1], F_SETFD, FD_CLOEXEC);
	if (!listen_to(child, base, out[0])) {	/* before it can end: no SIGCHLD is missed */
		close(out[1]);
		return false;
	}
	child->pid = fork();
	if (child->pid == 0)
		become(argv, out[1]);
	close(out[1]);
	return child->pid > 0;
}

struct child *
child_start(struct event_base *base, const char *const argv[],
    const struct child_callbacks *callbacks)
{
	struct child *child = calloc(1, sizeof(*child));

	if (child == NULL)
		return NULL;
	child->callbacks = *callbacks;
	if (start(child, base, argv))
		return child;
	child->pid = 0;
	child_free(child);
	return NULL;
}

/* --- Ending --------------------------------------------------------------- */

void
child_signal(struct child *child, int sig)
{
	if (child->pid > 0)
		kill(child->pid, sig);
}

void
child_free(struct child *child)
{
	if (child == NULL)
		return;
	child_signal(child, SIGKILL);
	if (child->pid > 0)
		waitpid(child->pid, NULL, 0);
	if (child->sigchld)
		event_free(child->sigchld);
	if (child->output)
		bufferevent_free(child->output);
	free(child);
}
