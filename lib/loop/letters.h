/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef EVL_LETTERS_H_INCLUDED_
#define EVL_LETTERS_H_INCLUDED_

/* What other threads do to a port, and the threads themselves; see letters.c. */

#include "loop/port.h"

/** Has any other thread ever been told of it?  Saves a port without such locks the mutex. */
static inline int
evl_letters_is_shared(const struct evl_port *port)
{
	return __atomic_load_n(&port->is_shared, __ATOMIC_RELAXED);
}

/** The calling thread is that of the base: it runs the loop, or uses a lock as that thread
 * may. */
void evl_letters_use(struct evl_port *port);

/** A number for the calling thread, which no later one gets. */
uint64_t evl_letters_self(void);

/** In a forked child: is the calling thread that of the port's base? */
int evl_letters_is_users(const struct evl_port *port);

/** Is the caller in a callback of this port's, and so in the base's thread?  If not, it may be
 * there all the same: which thread runs a loop is not to be known otherwise, and one may run
 * it today and another tomorrow. */
int evl_letters_is_home(struct evl_port *port);

/** Moves the letters to the FIFO.  In the base's thread. */
void evl_letters_collect(struct evl_port *port);

/** Sends a seat, from any thread, in a step. */
void evl_letters_post(struct evl_port *port, struct evl_seat *seat);

/** Makes the base's thread look whether it is to be kept alive, from any thread, in a step. */
void evl_letters_poke(struct evl_port *port);

/** Wakes those that a step of the calling thread has posted to, or poked.  To be called
 * after each step, with no mutex held. */
void evl_letters_wake_others(void);

/** So many more, or fewer, requests wait for other threads. */
static inline uint32_t
evl_letters_await(struct evl_port *port, uint32_t more)
{
	return __atomic_add_fetch(&port->n_awaited, more, __ATOMIC_RELEASE);
}

/** Keeps the loop alive while they do.  In the base's thread. */
void evl_letters_keep(struct evl_port *port);

/** Frees the memory, unless another thread is about to wake the port, and will do so. */
void evl_letters_let_go(struct evl_port *port);

void evl_letters_close_bell(struct evl_port *port);

/** In a forked child. */
void evl_letters_replace_bell(struct evl_port *port);

#endif
