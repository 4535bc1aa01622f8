/* SPDX-License-Identifier: BSD-3-Clause */

/* The ports of the process: makes, finds and frees them, and handles fork(). */

#include <errno.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/threads.h"
#include "loop/drain.h"
#include "loop/ports.h"
#include "loop/settings.h"

unsigned evl_ports_n_forks;

static struct {
	pthread_mutex_t mutex;
	struct evl_link list;
} ports = { PTHREAD_MUTEX_INITIALIZER, { &ports.list, &ports.list } };

#define PORT(l) EVL_CONTAINER(l, struct evl_port, link)

/* --- Making and freeing --------------------------------------------------- */

/* Frees a part of a foreign port.  The rest is leaked: its events stay in a base whose mutex
 * another thread of the parent may have held, and they point to the port. */
static void
abandon(struct evl_port *port)
{
	evl_extra_free_spare(&port->extras);
	evl_handles_clear(&port->pool);
	evl_letters_close_bell(port);
}

static struct evl_port *
create(struct event_base *base, const struct evl_port_calls *calls)
{
	struct evl_port *port = evl_mem_zalloc(sizeof *port);

	if (!port)
		return NULL;
	pthread_mutex_init(&port->mutex, NULL);	/* cannot fail for want of memory */
	pthread_mutex_init(&port->waking, NULL);
	port->n_refs = 1;
	port->bell = -1;
	evl_list_init(&port->fifo);
	evl_list_init(&port->locks);
	evl_list_init(&port->families);
	evl_list_init(&port->letters);
	evl_handles_init(&port->pool, 64);
	port->base = port->extras.base = base;
	port->deliver = calls->deliver;
	port->extras.expire = calls->expire;
	port->left = EVL_BUDGET;
	port->priority = evl_settings_priority(base);
	port->pid = getpid();
	port->maker = evl_letters_self();
	if (evl_drain_create_events(port) == 0)
		return port;
	evl_drain_destroy(port);
	errno = ENOMEM;
	return NULL;
}

/* --- After fork() ----------------------------------------------------------- */

static void
before_fork(void)
{
	pthread_mutex_lock(&ports.mutex);
	evl_settings_hold();
	evl_handles_hold_ranges();
}

static void
after_fork(void)
{
	evl_handles_let_go_of_ranges();
	evl_settings_let_go();
	pthread_mutex_unlock(&ports.mutex);
}

/* In a forked child: threads that may have held a port's mutexes do not exist, so both are made
 * anew.  The parent delivers the FIFO and the letters.  Here nothing waits for other threads, so no
 * loop is kept alive. */
static void
inherit(struct evl_port *port)
{
	pthread_mutex_init(&port->mutex, NULL);
	pthread_mutex_init(&port->waking, NULL);
	evl_list_init(&port->fifo);
	evl_list_init(&port->letters);
	port->is_posted = 0;
	port->n_awaited = 0;
	port->n_refs = 1;
	port->is_deaf = 1;
	port->is_inherited = 1;
	port->is_foreign |= !evl_letters_is_users(port);
	port->extras.is_foreign = port->is_foreign;
	evl_letters_replace_bell(port);
}

static void
after_fork_in_child(void)
{
	struct evl_link *link;

	evl_ports_n_forks++;
	EVL_LIST_EACH(link, &ports.list)
		inherit(PORT(link));
	after_fork();
}

static void
watch_forks(void)
{
	pthread_atfork(before_fork, after_fork, after_fork_in_child);
}

/* --- The list of ports ------------------------------------------------------- */

static struct evl_port *
find(struct event_base *base)
{
	struct evl_link *link;

	EVL_LIST_EACH(link, &ports.list)
		if (PORT(link)->base == base && !PORT(link)->is_inherited)
			return PORT(link);
	return NULL;
}

struct evl_port *
evl_ports_find(struct event_base *base)
{
	struct evl_port *port;

	pthread_mutex_lock(&ports.mutex);
	port = find(base);
	pthread_mutex_unlock(&ports.mutex);
	return port;
}

void
evl_ports_heed_settings(struct event_base *base)
{
	struct evl_port *port;

	pthread_mutex_lock(&ports.mutex);
	port = find(base);
	if (port)
		__atomic_store_n(&port->priority, evl_settings_priority(base),
		    __ATOMIC_RELAXED);
	pthread_mutex_unlock(&ports.mutex);
}

int
evl_ports_is_sharable(const struct evl_port *port, const struct evl_guard *guard,
    struct event_base *base)
{
	int error = !base || !guard ? EINVAL
	    : !evl_threads_can_wake(base) || !evl_threads_can_wake(port->base) ? ENOTSUP : 0;

	errno = error ? error : errno;
	return !error;
}

int
evl_ports_is_ours(const struct evl_port *port)
{
	return port->pid == getpid();
}

void
evl_ports_handle_fork(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, watch_forks);
}

struct evl_port *
evl_ports_get(struct event_base *base, const struct evl_port_calls *calls)
{
	struct evl_port *port;

	evl_ports_handle_fork();
	pthread_mutex_lock(&ports.mutex);
	port = find(base);
	if (!port && (port = create(base, calls)))
		evl_list_push(&ports.list, &port->link);
	if (port)
		port->n_users++;
	pthread_mutex_unlock(&ports.mutex);
	return port;
}

/* Returns 1 if that was the last user. */
static int
let_go(struct evl_port *port)
{
	int is_last;

	pthread_mutex_lock(&ports.mutex);
	is_last = !--port->n_users;
	if (is_last)
		evl_list_remove(&port->link);
	pthread_mutex_unlock(&ports.mutex);
	return is_last;
}

void
evl_ports_put(struct evl_port *port)
{
	if (!let_go(port))
		return;
	if (port->is_foreign)
		abandon(port);
	else if (port->is_draining)
		port->is_ended = 1;
	else
		evl_drain_destroy(port);
}

/* --- What belongs to a port ---------------------------------------------- */

void
evl_ports_add(struct evl_port *port, struct evl_link *list, struct evl_link *link)
{
	pthread_mutex_lock(&port->mutex);
	evl_list_push(list, link);
	pthread_mutex_unlock(&port->mutex);
}

void
evl_ports_remove(struct evl_port *port, struct evl_link *link)
{
	pthread_mutex_lock(&port->mutex);
	evl_list_remove(link);
	pthread_mutex_unlock(&port->mutex);
}

struct evl_link *
evl_ports_next(struct evl_port *port, const struct evl_link *list, const struct evl_link *link)
{
	struct evl_link *next;

	pthread_mutex_lock(&port->mutex);
	next = link->next;
	pthread_mutex_unlock(&port->mutex);
	return next == list ? NULL : next;
}
