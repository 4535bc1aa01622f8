/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef EVL_DRAIN_H_INCLUDED_
#define EVL_DRAIN_H_INCLUDED_

/* The FIFO of a port, and the events that drain it.  In the base's thread. */

#include "loop/letters.h"

/** The FIFO, for what the base's thread grants: behind what it has sent before, as a letter. */
static inline struct evl_link *
evl_drain_fifo(struct evl_port *port)
{
	if (evl_port_is_posted(port))
		evl_letters_collect(port);
	return &port->fifo;
}

/** Sees to it that a drain comes. */
void evl_drain_arm(struct evl_port *port);

/** To be called when the FIFO may have become non-empty. */
static inline void
evl_drain_wake(struct evl_port *port)
{
	if (!port->is_armed && !evl_list_is_empty(&port->fifo))
		evl_drain_arm(port);
}

/** Makes the events of a port, which has a base.  Returns -1 if there is no memory. */
int evl_drain_create_events(struct evl_port *port);

/** Frees a port, and what it has.  Not called while it is being drained. */
void evl_drain_destroy(struct evl_port *port);

#endif
