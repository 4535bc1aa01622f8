/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef EVL_PORT_H_INCLUDED_
#define EVL_PORT_H_INCLUDED_

/* A port is where the locks of one event_base meet its loop: what is to be
 * called back waits in one FIFO, and one event drains it, so many callbacks are
 * told for the price of one event.  The only user of event_base; knows nothing
 * of modes.
 *
 * One port for each base, made with its first lock and gone with its last.  Used by
 * the base's thread alone, except for what says otherwise: other threads put what is
 * to be delivered among the letters, and make one event active for all of them.
 */

#include <pthread.h>
#include <sys/types.h>

#include "requests/extra.h"

struct event;
struct event_base;

/** How many callbacks run between two looks at descriptors and timers. */
#define EVL_BUDGET 64

/** What is called from the loop; see calls/deliver.c. */
struct evl_port_calls {
	void (*deliver)(struct evl_seat *seat);		/**< a seat comes out of the FIFO */
	void (*expire)(struct evl_request *r);		/**< a request's timer went off */
};

struct evl_port {
	struct evl_link fifo;		/**< seats that are to be delivered, in order */
	uint32_t left;			/**< of the budget */
	uint32_t coming;		/**< what `turn` adds to it; 0: it is not on its way */
	uint8_t is_armed;		/**< a drain is on its way, or under way */
	struct event_base *base;
	int priority;			/**< atomic: what is set for the base, see base_settings.h */
	struct event *wake;		/**< drains with what is left of the budget; made active */
	struct event *turn;		/**< drains with a new one; a {0,0} timer, added in time */
	struct evl_pool pool;		/**< requests of this base's locks, if one loop uses them */
	struct evl_extras extras;	/**< those of its requests */
	void (*deliver)(struct evl_seat *seat);
	uint32_t n_users;		/**< lock objects and tables; under the mutex of the ports */
	uint8_t is_draining;		/**< atomic, as others look whether it is they who drain */
	uint8_t is_ended;		/**< the last user went in a drain, which has to free it */
	uint8_t is_kept;		/**< `sentinel` is added; changes under the mutex */
	struct event *sentinel;		/**< keeps the loop alive; comes when `bell` is rung */
	int bell;			/**< an eventfd; -1: there is none */
	struct evl_link link;		/**< in the list of ports; under its mutex */
	pid_t pid;			/**< the process that made it */
	uint64_t maker;			/**< the thread that made it */
	uint64_t user;			/**< atomic: the thread that ran its loop or asked for its
					     locks last, as far as is known; 0: none yet */
	uint8_t is_inherited;		/**< made before a fork(): nothing is delivered */
	uint8_t is_foreign;		/**< inherited, and its user is no thread of this process */

	/* What other threads use: */
	pthread_mutex_t mutex;		/**< protects those below, but for the atomic ones */
	struct evl_link locks, families; /**< objects; only the base's thread takes some away */
	struct evl_link letters;	/**< seats that go to `fifo` */
	uint8_t is_posted;		/**< atomic, changes under the mutex: it will look for letters */
	struct evl_port *next_to_wake;	/**< of the thread that will make `post` active */
	struct event *post;		/**< collects the letters */
	pthread_mutex_t waking;		/**< held while `post` is made active; protects is_deaf */
	uint8_t is_deaf;		/**< it must not be any more: it is freed, or the parent's */
	uint32_t n_refs;		/**< atomic: the port itself, and those who are to wake it */
	uint8_t is_shared;		/**< atomic: there was a lock that has a guard */
	uint32_t n_awaited;		/**< atomic: requests that wait for other threads */
};



/** May there be letters? */
static inline int
evl_port_is_posted(const struct evl_port *port)
{
	return __atomic_load_n(&port->is_posted, __ATOMIC_RELAXED);
}

#endif
