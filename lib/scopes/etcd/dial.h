/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef EVL_DIAL_H_INCLUDED_
#define EVL_DIAL_H_INCLUDED_

/* Starts a TCP connection, with TLS if needed, and lets the kernel probe it.  Called by net. */

#include <openssl/ssl.h>

struct bufferevent;
struct event_base;
struct evl_url;
struct sockaddr;

/** Starts to connect.  BEV_EVENT_CONNECTED follows when the connection is open and, with TLS, the
 * handshake is complete.  Without TLS `tls` is NULL.  Sets `*ssl`, which belongs to the
 * bufferevent, or is NULL without TLS.  `patience` is in milliseconds: the kernel ends the
 * connection if the peer does not acknowledge data, or probes, for longer than that. Returns NULL
 * with the errno of socket() or connect(), or ENOMEM. */
struct bufferevent *evl_dial(struct event_base *base, const struct sockaddr *address, int size,
    unsigned patience, SSL_CTX *tls, const struct evl_url *url, SSL **ssl);

/** Does this errno mean a shortage on this machine?  Then it says nothing about the peer. */
int evl_dial_is_shortage(int error);

#endif
