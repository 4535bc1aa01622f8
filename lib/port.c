/* SPDX-License-Identifier: BSD-3-Clause */

/* Delivery; see port.h.
 *
 * `wake` is made active, which costs no system call; but an event that is made
 * active from a callback runs in the same pass of the loop, and two that take
 * turns would keep it from its descriptors for ever.  So when the budget is spent
 * it goes on from `turn`: the loop looks at descriptors before it runs a timer,
 * and only a drain by `turn` has a new budget.  They are two events, as libevent
 * 2.1.12 may lose the activation of an event whose timer expires as well.
 */

#include <errno.h>
#include <pthread.h>
#include <unistd.h>

#include <event2/event.h>

#include "mem.h"
#include "port.h"
#include "extra.h"

static struct {
	pthread_mutex_t mutex;
	struct evl_link list;
} ports = { PTHREAD_MUTEX_INITIALIZER, { &ports.list, &ports.list } };

#define PORT(l) EVL_CONTAINER(l, struct evl_port, link)

/* --- Draining ------------------------------------------------------------- */

static void
drain(struct evl_port *port)
{
	struct evl_link *link;
	uint32_t left = port->left;

	port->n_users++;
	while (left && (link = evl_list_pop(&port->fifo))) {
		left--;
		evl_deliver(EVL_SEAT(link));
		if (event_base_got_break(port->base))
			break;
	}
	port->left = left;
	port->is_armed = 0;
	evl_port_wake(port);
	evl_port_put(port);
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
	port->left = EVL_BUDGET;
	drain(port);
}

void
evl_port_arm(struct evl_port *port)
{
	static const struct timeval now = { 0, 0 };

	port->is_armed = 1;
	if (!port->left && event_add(port->turn, &now) == 0)
		return;
	if (!port->left)	/* no memory for the timer: better late descriptors than none told */
		port->left = EVL_BUDGET;
	event_active(port->wake, EV_TIMEOUT, 0);
}

/* --- Making and freeing --------------------------------------------------- */

static void
destroy(struct evl_port *port)
{
	if (port->wake)
		event_free(port->wake);
	if (port->turn)
		event_free(port->turn);
	evl_extra_free_spare(port);
	evl_own_clear(&port->pool);
	evl_pool_clear(&port->pool);
	evl_mem_free(port);
}

static struct evl_port *
create(struct event_base *base)
{
	struct evl_port *port = evl_mem_zalloc(sizeof *port);

	if (!port)
		return NULL;
	evl_list_init(&port->fifo);
	evl_list_init(&port->locks);
	evl_pool_init(&port->pool, 64);
	port->base = base;
	port->left = EVL_BUDGET;
	port->pid = getpid();
	port->wake = event_new(base, -1, 0, on_wake, port);
	port->turn = event_new(base, -1, 0, on_turn, port);
	if (port->wake && port->turn)
		return port;
	destroy(port);
	errno = ENOMEM;
	return NULL;
}

static struct evl_port *
find(struct event_base *base)
{
	struct evl_link *link;

	EVL_LIST_EACH(link, &ports.list)
		if (PORT(link)->base == base)
			return PORT(link);
	return NULL;
}

struct evl_port *
evl_port_find(struct event_base *base)
{
	struct evl_port *port;

	pthread_mutex_lock(&ports.mutex);
	port = find(base);
	pthread_mutex_unlock(&ports.mutex);
	return port;
}

struct evl_port *
evl_port_get(struct event_base *base)
{
	struct evl_port *port = evl_port_find(base);

	if (!port) {
		port = create(base);
		if (!port)
			return NULL;
		pthread_mutex_lock(&ports.mutex);
		evl_list_push(&ports.list, &port->link);
		pthread_mutex_unlock(&ports.mutex);
	}
	port->n_users++;
	return port;
}

void
evl_port_put(struct evl_port *port)
{
	if (--port->n_users)
		return;
	pthread_mutex_lock(&ports.mutex);
	evl_list_remove(&port->link);
	pthread_mutex_unlock(&ports.mutex);
	destroy(port);
}
