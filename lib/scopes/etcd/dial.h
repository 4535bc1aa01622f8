/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef EVL_DIAL_H_INCLUDED_
#define EVL_DIAL_H_INCLUDED_

/* Begins a TCP connection, with TLS if that is wanted, and has the kernel probe it.  Called by
 * net. */

#include <openssl/ssl.h>

struct bufferevent;
struct event_base;
struct evl_url;
struct sockaddr;

/** Begins to connect; BEV_EVENT_CONNECTED tells when that is done, TLS included.  `tls` may be
 * NULL; else `*ssl` belongs to the bufferevent.  `patience` is in milliseconds: a peer that is
 * silent for longer while it has something to say is taken for dead by the kernel.  Returns NULL
 * with the errno of socket() or connect(), or ENOMEM. */
struct bufferevent *evl_dial(struct event_base *base, const struct sockaddr *address, int size,
    unsigned patience, SSL_CTX *tls, const struct evl_url *url, SSL **ssl);

/** Does this errno tell of a shortage on this machine, and nothing of the peer? */
int evl_dial_is_shortage(int error);

#endif
