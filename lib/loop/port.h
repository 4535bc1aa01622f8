/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef EVL_PORT_H_INCLUDED_
#define EVL_PORT_H_INCLUDED_

/* A port connects the locks of one event_base to its loop.  The seats to deliver wait in
 * one FIFO, and one event drains it, so many callbacks cost one event.  Only ports use the
 * event_base.  They know nothing of modes.
 *
 * Each base has one port, which is made with its first lock and freed with its last.  Only
 * the base's thread uses a port, except for the members marked below.  Other threads put
 * seats among the letters, and make one event active for all of them.
 */

#include <pthread.h>
#include <sys/types.h>

#include "requests/extra.h"

struct event;
struct event_base;

/** How many callbacks run between two looks at descriptors and timers. */
#define EVL_BUDGET 64

/** The functions that a port calls from the loop; see calls/deliver.c. */
struct evl_port_calls {
	void (*deliver)(struct evl_seat *seat);		/**< a seat comes out of the FIFO */
	void (*expire)(struct evl_request *r);		/**< a request's timer went off */
};

struct evl_port {
	struct evl_link fifo;		/**< seats to deliver, in order */
	uint32_t left;			/**< what is left of the budget */
	uint32_t coming;		/**< what `turn` adds to `left`; 0: `turn` is not added */
	uint8_t is_armed;		/**< a drain is coming, or under way */
	struct event_base *base;
	int priority;			/**< atomic: evl_settings_priority() of the base */
	struct event *wake;		/**< drains with the rest of the budget; made active */
	struct event *turn;		/**< drains with a new budget; a {0,0} timer */
	struct evl_pool pool;		/**< requests of this base's locks without a guard */
	struct evl_extras extras;	/**< extras of the requests of this base's locks */
	void (*deliver)(struct evl_seat *seat);
	uint32_t n_users;		/**< lock objects and tables; under ports.mutex */
	uint8_t is_draining;		/**< atomic: see evl_letters_is_home() */
	uint8_t is_ended;		/**< the last user left during a drain, which frees it */
	uint8_t is_kept;		/**< `sentinel` is added; changes under `mutex` */
	struct event *sentinel;		/**< keeps the loop alive; runs when `bell` is rung */
	int bell;			/**< an eventfd; -1: none */
	struct evl_link link;		/**< in the list of ports; under ports.mutex */
	pid_t pid;			/**< the process that made it */
	uint64_t maker;			/**< the thread that made it */
	uint64_t user;			/**< atomic: the last thread known to have run its loop or
					     asked for its locks; 0: none yet */
	uint8_t is_inherited;		/**< made before a fork(): nothing is delivered */
	uint8_t is_foreign;		/**< inherited, and its user is no thread of this process */

	/* Used by other threads, too: */
	pthread_mutex_t mutex;		/**< protects the members below that are not atomic */
	struct evl_link locks, families; /**< objects; only the base's thread removes any */
	struct evl_link letters;	/**< seats that go to `fifo` */
	uint8_t is_posted;		/**< atomic, changes under `mutex`: the loop collects the
					     letters soon */
	struct evl_port *next_to_wake;	/**< in the list to_wake of a thread, see letters.c */
	struct event *post;		/**< collects the letters */
	pthread_mutex_t waking;		/**< held while `post` is made active; protects is_deaf */
	uint8_t is_deaf;		/**< `post` is freed, or is the parent's: leave it alone */
	uint32_t n_refs;		/**< atomic: the port, and the threads about to wake it */
	uint8_t is_shared;		/**< atomic: it has had a lock with a guard */
	uint32_t n_awaited;		/**< atomic: requests that wait for other threads */
};

/** May the port have letters? */
static inline int
evl_port_is_posted(const struct evl_port *port)
{
	return __atomic_load_n(&port->is_posted, __ATOMIC_RELAXED);
}

#endif
