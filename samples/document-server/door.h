/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef DOOR_H_INCLUDED_
#define DOOR_H_INCLUDED_

/* Where clients come in.  The loops take turns at it: each has an evhttp with a listener
 * on the same socket, but only one of these is enabled, and when it has accepted a
 * connection it disables itself and enables that of the next loop.  (evhttp 2.1 has no
 * call that takes a connection which another loop has accepted.) */

#include <stdbool.h>

struct loop;
struct server;

/** Listens, beginning with the first loop.  Returns false after saying why not. */
bool door_open(struct server *server);

/** The loop accepts nobody any more; in its thread, after server->draining was set. */
void door_close(struct loop *loop);

/** Prints where the server listens. */
void door_announce(const struct server *server);

#endif
