/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef EVL_DRAIN_H_INCLUDED_
#define EVL_DRAIN_H_INCLUDED_

/* The FIFO of a port, and the events that drain it.  Called in the base's thread. */

#include "loop/letters.h"

/** Returns the FIFO, to which the base's thread appends its grants.  Collects the letters first,
 * so that earlier grants stay in front. */
static inline struct evl_link *
evl_drain_fifo(struct evl_port *port)
{
	if (evl_port_is_posted(port))
		evl_letters_collect(port);
	return &port->fifo;
}

/** Makes the loop drain the FIFO soon. */
void evl_drain_arm(struct evl_port *port);

/** Makes the loop drain the FIFO unless it is empty or a drain is already coming.  Called after
 * the FIFO may have become non-empty. */
static inline void
evl_drain_wake(struct evl_port *port)
{
	if (!port->is_armed && !evl_list_is_empty(&port->fifo))
		evl_drain_arm(port);
}

/** Makes the events of a port, whose base must be set.  Returns -1 if there is no memory. */
int evl_drain_create_events(struct evl_port *port);

/** Frees a port and all that it has.  Must not be called during a drain of the port. */
void evl_drain_destroy(struct evl_port *port);

#endif
