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

/** Sees to it that fork() is handled: done by evl_port_get(), or earlier by whoever has a
 * mutex that is entered before those of the ports, and handlers of its own for that. */
void evl_port_handle_fork(void);

/** How often a fork() has led to this process, from one that used the library. */
extern unsigned evl_port_n_forks;

/** The port of `base`, made if there is none.  NULL with errno ENOMEM.  Each call
 * is undone by one of evl_port_put().  One that was inherited is not found. */
struct evl_port *evl_port_get(struct event_base *base, const struct evl_port_calls *calls);
void evl_port_put(struct evl_port *port);

struct evl_guard;

/** Was it made by this process, and not by one that it was forked from? */
int evl_port_is_ours(const struct evl_port *port);

/** The calling thread is that of the base: it runs the loop, or uses a lock as that thread
 * may. */
void evl_port_use(struct evl_port *port);

/** May a lock, or a table, of this port that has `guard`, or NULL, be shared with `base`?
 * If not, sets errno to EINVAL or ENOTSUP. */
int evl_port_is_sharable(const struct evl_port *port, const struct evl_guard *guard,
    struct event_base *base);

/** The port of `base` if it has one; for looking. */
struct evl_port *evl_port_find(struct event_base *base);

/** The settings of `base` have changed; its port, if it has one, is to follow them.  From any
 * thread. */
void evl_port_heed_settings(struct event_base *base);

/** Moves the letters to the FIFO.  In the base's thread. */
void evl_port_collect(struct evl_port *port);

/** May there be letters? */
static inline int
evl_port_is_posted(const struct evl_port *port)
{
	return __atomic_load_n(&port->is_posted, __ATOMIC_RELAXED);
}

/** The FIFO, for what the base's thread grants: behind what it has sent before, as a letter. */
static inline struct evl_link *
evl_port_fifo(struct evl_port *port)
{
	if (evl_port_is_posted(port))
		evl_port_collect(port);
	return &port->fifo;
}

/** Sees to it that a drain comes. */
void evl_port_arm(struct evl_port *port);

/** To be called when the FIFO may have become non-empty. */
static inline void
evl_port_wake(struct evl_port *port)
{
	if (!port->is_armed && !evl_list_is_empty(&port->fifo))
		evl_port_arm(port);
}

/* --- For locks that several threads use ------------------------------------- */

/** Is the caller in a callback of this port's, and so in the base's thread?  If not, it may be
 * there all the same: which thread runs a loop is not to be known otherwise, and one may run
 * it today and another tomorrow. */
int evl_port_is_home(struct evl_port *port);

/** Sends a seat, from any thread, in a step. */
void evl_port_post(struct evl_port *port, struct evl_seat *seat);

/** Makes the base's thread look whether it is to be kept alive, from any thread, in a step. */
void evl_port_poke(struct evl_port *port);

/** Wakes those that a step of the calling thread has posted to, or poked.  To be called
 * after each step, with no mutex held. */
void evl_port_wake_others(void);

/** So many more, or fewer, requests wait for other threads. */
static inline uint32_t
evl_port_await(struct evl_port *port, uint32_t more)
{
	return __atomic_add_fetch(&port->n_awaited, more, __ATOMIC_RELEASE);
}

/** Adds a lock object or a table to its list, from any thread, and takes it away, in the
 * base's thread. */
void evl_port_add(struct evl_port *port, struct evl_link *list, struct evl_link *link);
void evl_port_remove(struct evl_port *port, struct evl_link *link);

/** What is in the list after `link`, which may be the list; NULL: nothing. */
struct evl_link *evl_port_next(struct evl_port *port, const struct evl_link *list,
    const struct evl_link *link);

/** Keeps the loop alive while they do.  In the base's thread. */
void evl_port_keep(struct evl_port *port);

#endif
