/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef EVL_LETTERS_H_INCLUDED_
#define EVL_LETTERS_H_INCLUDED_

/* How other threads reach a port, and which thread is the base's; see letters.c. */

#include "loop/port.h"

/** Has the port ever had a lock with a guard?  If not, it has no letters, and its mutex need not be
 * entered. */
static inline int
evl_letters_is_shared(const struct evl_port *port)
{
	return __atomic_load_n(&port->is_shared, __ATOMIC_RELAXED);
}

/** Notes that the calling thread is the base's thread: it runs the loop, or calls what only that
 * thread may call. */
void evl_letters_use(struct evl_port *port);

/** Returns the number of the calling thread.  Numbers are never reused. */
uint64_t evl_letters_self(void);

/** In a forked child: is the calling thread the thread of the port's base? */
int evl_letters_is_users(const struct evl_port *port);

/** Is the caller in a callback of this port, and so in the thread of its base?  If not, it may be
 * in that thread all the same: outside a drain, the library cannot know which thread runs a
 * loop. */
int evl_letters_is_home(struct evl_port *port);

/** Moves the letters to the FIFO.  Called in the base's thread. */
void evl_letters_collect(struct evl_port *port);

/** Sends a seat to a port, for delivery.  Called from any thread, in a step. */
void evl_letters_post(struct evl_port *port, struct evl_seat *seat);

/** Makes the loop check again whether it must be kept alive.  Called from any thread, in a step. */
void evl_letters_poke(struct evl_port *port);

/** Wakes the loops of the ports that the calling thread's step has posted to or poked.  Called
 * after each step, with no mutex held. */
void evl_letters_wake_others(void);

/** Adds `more`, which may be negative, to the number of requests that wait for other threads. */
static inline uint32_t
evl_letters_await(struct evl_port *port, uint32_t more)
{
	return __atomic_add_fetch(&port->n_awaited, more, __ATOMIC_RELEASE);
}

/** Keeps the loop alive while requests wait for other threads.  Called in the base's thread. */
void evl_letters_keep(struct evl_port *port);

/** Frees the memory of the port.  If another thread is about to wake the port, that thread frees it
 * afterwards. */
void evl_letters_let_go(struct evl_port *port);

void evl_letters_close_bell(struct evl_port *port);

/** In a forked child: gives the port a bell of the child's own. */
void evl_letters_replace_bell(struct evl_port *port);

#endif
