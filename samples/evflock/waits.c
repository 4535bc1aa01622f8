/* SPDX-License-Identifier: BSD-3-Clause */

/* See waits.h. */

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <evlock/evlock.h>

#include "list.h"
#include "waits.h"

#define LONGEST_PAUSE 60

static double
elapsed(const struct waits *waits)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)(now.tv_sec - waits->since.tv_sec)
	    + (double)(now.tv_nsec - waits->since.tv_nsec) / 1e9;
}

static void
print_files(const struct options *options)
{
	size_t i;

	for (i = 0; i < options->n_targets; i++)
		fprintf(stderr, "%s%s (%s)", i ? ", " : "", target_name(&options->targets[i]),
		    options->targets[i].mode == EVLOCK_SHARED ? "shared" : "exclusive");
}

/* The number says which evflock it is: several may print to one terminal. */
static void
print_head(const struct waits *waits, const char *what)
{
	fprintf(stderr, "evflock %ld %s ", (long)getpid(), what);
	print_files(waits->locks->options);
}

static void
print_holders(const struct waits *waits)
{
	char head[40];

	snprintf(head, sizeof(head), "evflock %ld", (long)getpid());
	list_tell_holders(head, waits->locks->options, waits->locks->fd);
}

static void
set_timer(struct waits *waits)
{
	const struct timeval pause = { waits->pause, 0 };

	if (waits->timer)
		event_add(waits->timer, &pause);
}

static void
on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct waits *waits = arg;

	(void)fd;
	(void)what;
	print_head(waits, "waits for");
	fprintf(stderr, ", for %.0f s now\n", elapsed(waits));
	print_holders(waits);
	/* 1 + 1 + 2 + 4: the sum doubles. */
	waits->pause = (int)(elapsed(waits) + 0.5);
	if (waits->pause > LONGEST_PAUSE)
		waits->pause = LONGEST_PAUSE;
	set_timer(waits);
}

void
waits_begin(struct waits *waits, const struct locks *locks)
{
	waits->locks = locks;
	waits->pause = 1;
	waits->timer = evtimer_new(locks->base, on_timer, waits);
	clock_gettime(CLOCK_MONOTONIC, &waits->since);
	print_head(waits, "waits for");
	fputc('\n', stderr);
	print_holders(waits);
	set_timer(waits);
}

void
waits_end(struct waits *waits, int error)
{
	print_head(waits, error ? "does not have" : "has");
	fprintf(stderr, ", after %.1f s%s%s\n", elapsed(waits), error ? ": " : "",
	    error ? strerror(error) : "");
	if (waits->timer)
		event_free(waits->timer);
}
