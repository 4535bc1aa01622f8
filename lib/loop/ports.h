/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef EVL_PORTS_H_INCLUDED_
#define EVL_PORTS_H_INCLUDED_

/* The ports of the process. */

#include "loop/port.h"

struct evl_guard;

/** Sees to it that fork() is handled: done by evl_ports_get(), or earlier by whoever has a
 * mutex that is entered before those of the ports, and handlers of its own for that. */
void evl_ports_handle_fork(void);

/** How often a fork() has led to this process, from one that used the library. */
extern unsigned evl_ports_n_forks;

/** The port of `base`, made if there is none.  NULL with errno ENOMEM.  Each call
 * is undone by one of evl_ports_put().  One that was inherited is not found. */
struct evl_port *evl_ports_get(struct event_base *base, const struct evl_port_calls *calls);
void evl_ports_put(struct evl_port *port);

/** Was it made by this process, and not by one that it was forked from? */
int evl_ports_is_ours(const struct evl_port *port);

/** May a lock, or a table, of this port that has `guard`, or NULL, be shared with `base`?
 * If not, sets errno to EINVAL or ENOTSUP. */
int evl_ports_is_sharable(const struct evl_port *port, const struct evl_guard *guard,
    struct event_base *base);

/** The port of `base` if it has one; for looking. */
struct evl_port *evl_ports_find(struct event_base *base);

/** The settings of `base` have changed; its port, if it has one, is to follow them.  From any
 * thread. */
void evl_ports_heed_settings(struct event_base *base);

/** Adds a lock object or a table to its list, from any thread, and takes it away, in the
 * base's thread. */
void evl_ports_add(struct evl_port *port, struct evl_link *list, struct evl_link *link);
void evl_ports_remove(struct evl_port *port, struct evl_link *link);

/** What is in the list after `link`, which may be the list; NULL: nothing. */
struct evl_link *evl_ports_next(struct evl_port *port, const struct evl_link *list,
    const struct evl_link *link);

#endif
