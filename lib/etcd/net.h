/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef EVL_NET_H_INCLUDED_
#define EVL_NET_H_INCLUDED_

/* What the connections of a session share: the endpoints and which of them is used now, idle
 * connections, the name service, the token, and who waits for a connection.
 *
 * One endpoint is used at a time.  When it does not answer, the next one is, and the watches
 * move along: so none of them lies with a member that is dead and cannot say so.
 *
 * A part of its session; used by the thread of its base alone, as all of lib/etcd is. */

#include <openssl/ssl.h>

#include "base/list.h"
#include "reply.h"
#include "url.h"

struct evdns_base;
struct event_base;
struct evl_call;
struct evl_wire;
struct evlock_etcd_options;

/** Connections in use at once, watches not counted.  Whoever comes later waits its turn, unless it
 * is urgent. */
#define EVL_MOST_WIRES 16

struct evl_net {
	struct event_base *base;
	struct evdns_base *dns;		/**< NULL: all endpoints are addresses */
	SSL_CTX *tls;			/**< NULL: plain HTTP */
	struct evl_url *urls;
	unsigned n_urls;
	unsigned n_turns;		/**< of the endpoint; modulo n_urls: which one */
	unsigned n_busy;		/**< calls that have a wire */
	struct evl_link idle;		/**< wires */
	struct evl_link calls;		/**< that wait for a wire, or for the token */
	struct evl_link watches;	/**< all of them */
	struct evl_auth *auth;		/**< NULL: no authentication */
	char reason[EVL_REASON_SIZE];	/**< what went wrong last, for a person */
};

/** Returns -1 with errno EINVAL or ENOMEM; then it is to be cleared as well. */
int evl_net_init(struct evl_net *net, struct event_base *base,
    const struct evlock_etcd_options *options);

/** All calls and watches are gone by then.  Names that are looked up are given up in the next turn
 * of the loop. */
void evl_net_clear(struct evl_net *net);

const struct evl_url *evl_net_url(const struct evl_net *net);

/** The endpoint that was used at turn `turn` is no good: turns to the next, if that is
 * still the one. */
void evl_net_turn(struct evl_net *net, unsigned turn);

/** Fills `bytes` with what nobody can guess. */
void evl_net_random(void *bytes, size_t size);

#endif
