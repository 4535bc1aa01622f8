/* SPDX-License-Identifier: BSD-3-Clause */

/* Extras of requests; see extra.h.  A spare extra keeps its struct event assigned to the
 * base, so a steady load allocates nothing. */

#include <errno.h>
#include <string.h>

#include <event2/event.h>

#include "base/mem.h"
#include "requests/extra.h"
#include "requests/timeout.h"

#define MOST_SPARE 1024

static struct event *
timer_of(struct evl_extra *extra)
{
	return (struct event *)(void *)(extra + 1);
}

static void
on_timeout(evutil_socket_t fd, short what, void *arg)
{
	struct evl_extra *extra = arg;

	(void)fd;
	(void)what;
	extra->has_timer = 0;
	extra->home->expire(extra->request);
}

static struct evl_extra *
create(struct evl_extras *home)
{
	struct evl_extra *extra = evl_mem_new(sizeof *extra + event_get_struct_event_size());

	if (!extra)
		return NULL;
	if (event_assign(timer_of(extra), home->base, -1, 0, on_timeout, extra) == 0) {
		event_priority_set(timer_of(extra), 0);	/* see loop/port.c */
		return extra;
	}
	evl_mem_free(extra);
	errno = ENOMEM;
	return NULL;
}

/* Does not call libevent for a foreign base: a thread that does not exist in this process may have
 * held the base's mutex. */
static void
destroy(const struct evl_extras *home, struct evl_extra *extra)
{
	if (!home->is_foreign)
		event_debug_unassign(timer_of(extra));
	evl_mem_free(extra);
}

static struct evl_extra *
get(struct evl_extras *home)
{
	struct evl_extra *extra = home->spare;

	if (!extra)
		return create(home);
	home->spare = extra->next;
	home->n_spare--;
	return extra;
}

static void
put(struct evl_extras *home, struct evl_extra *extra)
{
	if (home->n_spare == MOST_SPARE) {
		destroy(home, extra);
		return;
	}
	extra->next = home->spare;
	home->spare = extra;
	home->n_spare++;
}

struct evl_extra *
evl_extra_need(struct evl_request *r, struct evl_core *core, struct evl_extras *home, int is_home)
{
	struct evl_extra *extra = evl_extra_of(r);

	if (extra)
		return extra;
	extra = is_home ? get(home) : create(home);
	if (!extra)
		return NULL;
	memset(extra, 0, sizeof *extra);
	extra->request = r;
	extra->home = home;
	evl_ties_init(&extra->ties, &r->seat, core);
	return extra;
}

void
evl_extra_stop_timer(struct evl_extra *extra)
{
	if (extra->has_timer)
		event_del(timer_of(extra));
	extra->has_timer = 0;
}

void
evl_extra_drop(struct evl_request *r)
{
	struct evl_extra *extra = evl_extra_of(r);

	evl_extra_stop_timer(extra);
	r->seat.ties = NULL;
	put(extra->home, extra);
}

int
evl_extra_start_timer(struct evl_extra *extra, const struct timeval *wanted)
{
	struct timeval room;
	const struct timeval *timeout = evl_timeout_fit(extra->home->base, wanted, &room);

	if (!timeout)
		return 0;
	if (event_add(timer_of(extra), timeout) < 0) {
		errno = ENOMEM;
		return -1;
	}
	extra->has_timer = 1;
	return 0;
}

void
evl_extra_free_spare(struct evl_extras *home)
{
	while (home->spare) {
		struct evl_extra *extra = home->spare;

		home->spare = extra->next;
		destroy(home, extra);
	}
	home->n_spare = 0;
}

void
evl_extra_forget(struct evl_request *r, int is_whole)
{
	struct evl_extra *extra = evl_extra_of(r);
	const struct evl_extras *home = extra->home;

	if (!home->is_foreign)
		evl_extra_stop_timer(extra);
	if (is_whole && !extra->has_timer)
		destroy(home, extra);
}
