/* SPDX-License-Identifier: BSD-3-Clause */

/* A queue, and a pipe with a byte in it while the queue is not empty, for the loop to
 * see.  So nothing of libevent is called by another thread than the loop's.
 *
 * `mutex` protects the queue, and is not held while mail is opened. */

#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

#include <event2/event.h>

#include "mailbox.h"

STAILQ_HEAD(mails, mail);

struct mailbox {
	pthread_mutex_t mutex;
	struct mails mails;	/* mutex; not empty: a byte is in the pipe, or about to be */
	int pipe[2];
	struct event *come;
};

void
mailbox_send(struct mailbox *mailbox, struct mail *mail)
{
	bool first;
	ssize_t n = 0;

	pthread_mutex_lock(&mailbox->mutex);
	first = STAILQ_EMPTY(&mailbox->mails);
	STAILQ_INSERT_TAIL(&mailbox->mails, mail, link);
	pthread_mutex_unlock(&mailbox->mutex);
	if (first)
		n = write(mailbox->pipe[1], "", 1);
	(void)n;	/* the pipe is never full: the loop empties it each time */
}

/* --- In the loop's thread ------------------------------------------------- */

static void
collect(evutil_socket_t fd, short what, void *arg)
{
	struct mailbox *mailbox = arg;
	struct mails mails = STAILQ_HEAD_INITIALIZER(mails);
	struct mail *mail;
	char bytes[64];

	(void)what;
	while (read(fd, bytes, sizeof(bytes)) > 0)
		continue;
	pthread_mutex_lock(&mailbox->mutex);
	STAILQ_CONCAT(&mails, &mailbox->mails);
	pthread_mutex_unlock(&mailbox->mutex);
	while ((mail = STAILQ_FIRST(&mails)) != NULL) {
		STAILQ_REMOVE_HEAD(&mails, link);
		mail->open(mail->arg);	/* and the memory may be used again */
	}
}

static int
listen_to(struct mailbox *mailbox, struct event_base *base)
{
	if (pipe(mailbox->pipe) < 0)
		return -1;
	fcntl(mailbox->pipe[0], F_SETFD, FD_CLOEXEC);
	fcntl(mailbox->pipe[1], F_SETFD, FD_CLOEXEC);
	fcntl(mailbox->pipe[0], F_SETFL, O_NONBLOCK);
	mailbox->come = event_new(base, mailbox->pipe[0], EV_READ | EV_PERSIST, collect, mailbox);
	if (mailbox->come == NULL)
		return -1;
	return event_add(mailbox->come, NULL);
}

struct mailbox *
mailbox_new(struct event_base *base)
{
	struct mailbox *mailbox = calloc(1, sizeof(*mailbox));

	if (mailbox == NULL)
		return NULL;
	pthread_mutex_init(&mailbox->mutex, NULL);
	STAILQ_INIT(&mailbox->mails);
	mailbox->pipe[0] = mailbox->pipe[1] = -1;
	if (listen_to(mailbox, base) == 0)
		return mailbox;
	mailbox_free(mailbox);
	return NULL;
}

void
mailbox_free(struct mailbox *mailbox)
{
	if (mailbox == NULL)
		return;
	if (mailbox->come)
		event_free(mailbox->come);
	close(mailbox->pipe[0]);
	close(mailbox->pipe[1]);
	pthread_mutex_destroy(&mailbox->mutex);
	free(mailbox);
}
