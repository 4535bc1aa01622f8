/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef EVL_PORTS_H_INCLUDED_
#define EVL_PORTS_H_INCLUDED_

/* The ports of the process.  Called from any thread, unless a comment says otherwise. */

#include "loop/port.h"

struct evl_guard;

/** Installs the fork() handlers of this file, once.  evl_ports_get() does so.  A file whose mutex
 * is entered before ports.mutex calls this before it installs handlers of its own. */
void evl_ports_handle_fork(void);

/** The number of fork() calls between the process that first used the library and this one. */
extern unsigned evl_ports_n_forks;

/** Returns the port of `base`.  Makes it if there is none, or if it was inherited.  Returns NULL
 * with errno ENOMEM.  evl_ports_put() undoes one call, in the base's thread. */
struct evl_port *evl_ports_get(struct event_base *base, const struct evl_port_calls *calls);
void evl_ports_put(struct evl_port *port);

/** Did this process make the port, rather than a process that it was forked from? */
int evl_ports_is_ours(const struct evl_port *port);

/** May a lock or table of this port be shared with `base`?  `guard`: the guard of the lock or
 * table, or NULL.  If not, sets errno to EINVAL or ENOTSUP. */
int evl_ports_is_sharable(const struct evl_port *port, const struct evl_guard *guard,
    struct event_base *base);

/** Returns the port of `base`, or NULL if it has none. */
struct evl_port *evl_ports_find(struct event_base *base);

/** Makes the port of `base`, if it has one, follow the settings of the base, which have changed. */
void evl_ports_heed_settings(struct event_base *base);

/** Adds a lock object or a table to its list, or removes it.  evl_ports_remove() is called in the
 * base's thread. */
void evl_ports_add(struct evl_port *port, struct evl_link *list, struct evl_link *link);
void evl_ports_remove(struct evl_port *port, struct evl_link *link);

/** Returns the link after `link`, or NULL at the end of the list.  `link` may be `list`. */
struct evl_link *evl_ports_next(struct evl_port *port, const struct evl_link *list,
    const struct evl_link *link);

#endif
