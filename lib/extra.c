/* SPDX-License-Identifier: BSD-3-Clause */

/* What few requests use; see extra.h.  A spare extra keeps its struct event,
 * assigned to the port's base, so a steady load allocates nothing. */

#include <errno.h>
#include <string.h>

#include <event2/event.h>

#include "lock.h"
#include "mem.h"
#include "timeout.h"

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
	if (!extra->request->lock->port->is_inherited)
		evl_request_expire(extra->request);
}

static struct evl_extra *
create(struct evl_port *port)
{
	struct evl_extra *extra = evl_mem_new(sizeof *extra + event_get_struct_event_size());

	if (!extra)
		return NULL;
	if (event_assign(timer_of(extra), port->base, -1, 0, on_timeout, extra) == 0) {
		event_priority_set(timer_of(extra), 0);	/* see port.c */
		return extra;
	}
	evl_mem_free(extra);
	errno = ENOMEM;
	return NULL;
}

/* Of a foreign port, libevent may be in the hands of a thread that is no more. */
static void
destroy(const struct evl_port *port, struct evl_extra *extra)
{
	if (!port->is_foreign)
		event_debug_unassign(timer_of(extra));
	evl_mem_free(extra);
}

static struct evl_extra *
get(struct evl_port *port)
{
	struct evl_extra *extra = port->spare;

	if (!extra)
		return create(port);
	port->spare = extra->next;
	port->n_spare--;
	return extra;
}

static void
put(struct evl_port *port, struct evl_extra *extra)
{
	if (port->n_spare == MOST_SPARE) {
		destroy(port, extra);
		return;
	}
	extra->next = port->spare;
	port->spare = extra;
	port->n_spare++;
}

struct evl_extra *
evl_extra_need(struct evl_request *r, const struct evl_port *here)
{
	struct evl_extra *extra = evl_extra_of(r);
	struct evl_port *port = r->lock->port;

	if (extra)
		return extra;
	extra = port == here ? get(port) : create(port);
	if (!extra)
		return NULL;
	memset(extra, 0, sizeof *extra);
	extra->request = r;
	evl_ties_init(&extra->ties, &r->seat, evl_core_of(r->lock));
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
evl_extra_drop(struct evl_port *port, struct evl_request *r)
{
	struct evl_extra *extra = evl_extra_of(r);

	evl_extra_stop_timer(extra);
	if (extra->notice.state == EVL_VOID) {
		evl_port_collect(port);
		evl_list_remove(&extra->notice.link);
	}
	r->seat.ties = NULL;
	put(port, extra);
}

int
evl_extra_start_timer(struct evl_extra *extra, const struct timeval *wanted)
{
	struct timeval room;
	const struct timeval *timeout = evl_timeout_fit(extra->request->lock->port->base, wanted,
	    &room);

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
evl_extra_free_spare(struct evl_port *port)
{
	while (port->spare) {
		struct evl_extra *extra = port->spare;

		port->spare = extra->next;
		destroy(port, extra);
	}
	port->n_spare = 0;
}

void
evl_extra_forget(struct evl_request *r, int is_whole)
{
	struct evl_extra *extra = evl_extra_of(r);
	const struct evl_port *port = r->lock->port;

	if (!port->is_foreign)
		evl_extra_stop_timer(extra);
	if (is_whole && !extra->has_timer)
		destroy(port, extra);
}
