/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef MAILBOX_H_INCLUDED_
#define MAILBOX_H_INCLUDED_

/* What other threads have a loop do. */

#include <sys/queue.h>

struct event_base;
struct mailbox;

/** Something to do.  The memory is the caller's, so sending cannot fail. */
struct mail {
	void (*open)(void *arg);
	void *arg;
	STAILQ_ENTRY(mail) link;
};

/** Returns NULL with errno set. */
struct mailbox *mailbox_new(struct event_base *base);

/** Has the loop call `open`; from any thread.  In the order in which they were sent. */
void mailbox_send(struct mailbox *mailbox, struct mail *mail);

/** What was not opened is forgotten.  NULL is fine. */
void mailbox_free(struct mailbox *mailbox);

#endif
