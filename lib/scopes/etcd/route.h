/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef EVL_ROUTE_H_INCLUDED_
#define EVL_ROUTE_H_INCLUDED_

/* Where a member may be found: goes round the URLs, and for each name round all addresses that the
 * name has; a name is looked up anew each time it comes up.  Called by net. */

#include <netinet/in.h>
#include <sys/socket.h>

#include "scopes/etcd/url.h"

struct evdns_base;
struct event_base;
struct evl_lookup;

/** One address of one URL. */
struct evl_stop {
	const struct evl_url *url;
	struct sockaddr_storage address;
	int size;
};

/** `stop` is NULL if a name has no address; then `reason` says why.  May be called from inside
 * evl_route_next(). */
typedef void (*evl_route_cb)(const struct evl_stop *stop, const char *reason, void *arg);

struct evl_route {
	struct event_base *base;
	struct evdns_base *dns;		/**< NULL: all URLs have addresses */
	struct evl_url *urls;
	unsigned n_urls;
	unsigned url;			/**< the one that is at hand */
	struct evl_stop *stops;		/**< its addresses, from `next` to `n_stops` still to come */
	unsigned n_stops, next;
	unsigned n_rounds;		/**< completed */
	unsigned n_in_round, n_known;	/**< stops of this round so far, and of the last one */
	struct evl_lookup *lookup;	/**< under way, or NULL */
	evl_route_cb cb;
	void *arg;
};

/** Returns -1 with errno EINVAL or ENOMEM; then it is to be cleared as well. */
int evl_route_init(struct evl_route *route, struct event_base *base, const char *urls,
    evl_route_cb cb, void *arg);

/** Names that are being looked up are given up in the next turn of the loop. */
void evl_route_clear(struct evl_route *route);

/** Finds the next stop, unless it is looking for it already. */
void evl_route_next(struct evl_route *route);

/** The last stop was not tried, for no fault of its own: it will come up again. */
void evl_route_back(struct evl_route *route);

/** How many addresses there are, as far as is known. */
unsigned evl_route_size(const struct evl_route *route);

#endif
