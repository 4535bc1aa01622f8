/* SPDX-License-Identifier: BSD-3-Clause */

/* Delivers the seats in the FIFO of a port.  Called from the loop.
 *
 * Making `wake` active costs no system call.  But an event that a callback makes active
 * runs in the same pass of the loop, so two callbacks that take turns could keep the loop
 * from its descriptors for ever.  Therefore each drain uses up a budget, and only `turn`, a
 * timer, renews it: a loop looks at its descriptors before it runs a timer.  When the budget
 * is used up, the FIFO waits for `turn`.
 *
 * `turn` is added when a quarter of the budget is left.  If the loop looks at its descriptors
 * before the rest is used up, `turn` goes off at that look and needs no further one.  Deliveries
 * between the two may come after the look, so they count against the new budget.  `wake` and
 * `turn` are two events, because libevent 2.1.12 may lose the activation of an event whose
 * timer expires too.
 *
 * `wake` is persistent, because libevent would otherwise delete it each time that it runs.
 * It has the priority at which callbacks run.  The priority is set before each activation,
 * because libevent asserts that the base still has it.  The events that libevent or other
 * threads make active have priority 0, which every base has.
 */

#include <unistd.h>

#include <event2/event.h>

#include "base/cancel.h"
#include "loop/drain.h"
#include "loop/letters.h"
#include "requests/chosen.h"

/* --- The end ---------------------------------------------------------------- */

static void
free_event(struct event *ev)
{
	if (ev)
		event_free(ev);
}

/* No lock object is left, so nothing more can be posted. */
void
evl_drain_destroy(struct evl_port *port)
{
	int state = evl_cancel_disable();

	pthread_mutex_lock(&port->waking);
	port->is_deaf = 1;
	pthread_mutex_unlock(&port->waking);
	free_event(port->wake);
	free_event(port->turn);
	free_event(port->post);
	free_event(port->sentinel);
	pthread_mutex_destroy(&port->mutex);
	evl_extra_free_spare(&port->extras);
	evl_chosen_clear(&port->pool);
	evl_handles_clear(&port->pool);
	evl_letters_let_go(port);
	evl_cancel_restore(state);
}

/* --- Draining ------------------------------------------------------------- */

/* Adds `turn`, which renews the budget. */
static void
ask_for_turn(struct evl_port *port)
{
	static const struct timeval now = { 0, 0 };

	if (!port->coming && event_add(port->turn, &now) == 0)
		port->coming = EVL_BUDGET - port->left;
}

static void
begin_drain(struct evl_port *port)
{
	evl_letters_use(port);
	if (evl_letters_is_shared(port))
		evl_letters_collect(port);
	port->is_armed = 1;
	__atomic_store_n(&port->is_draining, 1, __ATOMIC_RELEASE);	/* after port->user */
}

static void
end_drain(struct evl_port *port)
{
	__atomic_store_n(&port->is_draining, 0, __ATOMIC_RELAXED);
	port->is_armed = 0;
}

static void
drain(struct evl_port *port)
{
	struct evl_link *link;
	uint32_t left;

	begin_drain(port);
	left = port->left;
	while (left && (link = evl_list_pop(&port->fifo))) {
		left--;
		port->deliver(EVL_SEAT(link));
		if (event_base_got_break(port->base))
			break;
	}
	port->left = left;
	end_drain(port);
	if (port->is_ended) {
		evl_drain_destroy(port);
		return;
	}
	if (left < EVL_BUDGET / 4)
		ask_for_turn(port);
	evl_drain_wake(port);
	if (evl_letters_is_shared(port))
		evl_letters_keep(port);
}

/* Returns the priority of callbacks: the one that was set, or else the base's default.  The base
 * may have fewer priorities now than it had then. */
static int
priority(const struct evl_port *port)
{
	int n = event_base_get_npriorities(port->base);
	int wanted = __atomic_load_n(&port->priority, __ATOMIC_RELAXED);

	return wanted < 0 ? n / 2 : wanted < n ? wanted : n - 1;
}

/* Called by an event of priority 0. */
static void
drain_at_priority(struct evl_port *port)
{
	if (priority(port) == 0)
		drain(port);
	else
		evl_drain_arm(port);
}

static void
on_wake(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	drain(arg);
}

static void
on_turn(evutil_socket_t fd, short what, void *arg)
{
	struct evl_port *port = arg;

	(void)fd;
	(void)what;
	port->left += port->coming;
	port->coming = 0;
	drain_at_priority(port);
}

void
evl_drain_arm(struct evl_port *port)
{
	port->is_armed = 1;
	if (!port->left && port->coming)
		return;
	if (!port->left)	/* no memory for `turn`: late descriptors beat lost callbacks */
		port->left = EVL_BUDGET;
	event_priority_set(port->wake, priority(port));	/* fails only if `wake` is already active */
	event_active(port->wake, EV_TIMEOUT, 0);
}

static void
on_post(evutil_socket_t fd, short what, void *arg)
{
	struct evl_port *port = arg;
	uint64_t n;

	(void)what;
	if (fd >= 0 && read(fd, &n, sizeof n) < 0)
		return;
	pthread_mutex_lock(&port->mutex);	/* before drain() takes the letters */
	__atomic_store_n(&port->is_posted, 0, __ATOMIC_RELAXED);
	pthread_mutex_unlock(&port->mutex);
	drain_at_priority(port);
}

int
evl_drain_create_events(struct evl_port *port)
{
	port->wake = event_new(port->base, -1, EV_PERSIST, on_wake, port);
	port->turn = event_new(port->base, -1, 0, on_turn, port);
	port->post = event_new(port->base, -1, 0, on_post, port);
	port->sentinel = event_new(port->base, -1, EV_READ, on_post, port);
	if (!port->wake || !port->turn || !port->post || !port->sentinel)
		return -1;
	event_priority_set(port->turn, 0);
	event_priority_set(port->post, 0);
	event_priority_set(port->sentinel, 0);
	return 0;
}
