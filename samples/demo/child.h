/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CHILD_H_INCLUDED_
#define CHILD_H_INCLUDED_

/* The server, as a process of its own. */

#include <stdbool.h>
#include <stdint.h>

struct event_base;
struct child;

struct child_callbacks {
	void (*listening)(uint16_t port, void *arg);
	/** `status` as from waitpid(). */
	void (*ended)(int status, void *arg);
	void *arg;
};

/** Starts a program that says on its standard output "listening on http://...:PORT".
 * Returns NULL with errno set. */
struct child *child_start(struct event_base *base, const char *const argv[],
    const struct child_callbacks *callbacks);

void child_signal(struct child *child, int sig);

/** Kills it if it has not ended; NULL is fine. */
void child_free(struct child *child);

#endif
