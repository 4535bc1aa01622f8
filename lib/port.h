/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef EVL_PORT_H_INCLUDED_
#define EVL_PORT_H_INCLUDED_

/* A port is where the locks of one event_base meet its loop: what is to be
 * called back waits in one FIFO, and one event drains it, so many callbacks are
 * told for the price of one event.  The only user of event_base; knows nothing
 * of modes.
 *
 * One port for each base, made with its first lock and gone with its last.
 * Used by the base's thread alone, except for the list of ports itself, which
 * has a mutex.
 */

#include <sys/types.h>

#include "handles.h"

struct event;
struct event_base;

/** How many callbacks run between two looks at descriptors and timers. */
#define EVL_BUDGET 64

struct evl_extra;

struct evl_port {
	struct evl_link fifo;		/**< seats that are to be delivered, in order */
	uint32_t left;			/**< of the budget */
	uint8_t is_armed;		/**< a drain is on its way, or under way */
	struct event_base *base;
	struct event *wake;		/**< drains with what is left of the budget; made active */
	struct event *turn;		/**< drains with a new one; a {0,0} timer */
	struct evlock *scoped;		/**< the lock of the evlock_with() callback that is running */
	struct evl_pool pool;		/**< requests of this base's locks, if one loop uses them */
	struct evl_extra *spare;	/**< unused extras */
	uint32_t n_spare;
	uint32_t n_users;		/**< lock objects, and a drain under way */
	uint64_t n_scopes;		/**< that were numbered, see evl_body.scope */
	struct evl_link locks;		/**< lock objects */
	struct evl_link link;		/**< in the list of ports */
	pid_t pid;			/**< the process that made it */
};

/** The port of `base`, made if there is none.  NULL with errno ENOMEM.  Each call
 * is undone by one of evl_port_put(). */
struct evl_port *evl_port_get(struct event_base *base);
void evl_port_put(struct evl_port *port);

/** The port of `base` if it has one; for looking. */
struct evl_port *evl_port_find(struct event_base *base);

/** Sees to it that a drain comes. */
void evl_port_arm(struct evl_port *port);

/** To be called when the FIFO may have become non-empty. */
static inline void
evl_port_wake(struct evl_port *port)
{
	if (!port->is_armed && !evl_list_is_empty(&port->fifo))
		evl_port_arm(port);
}

/** Delivers one seat that was in a FIFO; in deliver.c. */
void evl_deliver(struct evl_seat *seat);

#endif
