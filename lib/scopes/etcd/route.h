/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef EVL_ROUTE_H_INCLUDED_
#define EVL_ROUTE_H_INCLUDED_

/* The addresses of the members.  A route goes round the URLs and, for a URL with a host name,
 * through all addresses of the name.  It looks a name up anew each time that the URL's turn comes.
 * Called by net. */

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

/** Called with the next address, maybe from inside evl_route_next().  If a name has no address,
 * `stop` is NULL and `reason` says why. */
typedef void (*evl_route_cb)(const struct evl_stop *stop, const char *reason, void *arg);

struct evl_route {
	struct event_base *base;
	struct evdns_base *dns;		/**< NULL: no URL has a host name */
	struct evl_url *urls;
	unsigned n_urls;
	unsigned url;			/**< index of the current URL */
	struct evl_stop *stops;		/**< its addresses; those from `next` on are left */
	unsigned n_stops, next;
	unsigned n_rounds;		/**< completed rounds */
	unsigned n_in_round, n_known;	/**< addresses so far in this round, and in the last */
	struct evl_lookup *lookup;	/**< under way, or NULL */
	evl_route_cb cb;
	void *arg;
};

/** Returns 0, or -1 with errno EINVAL or ENOMEM.  The caller must call evl_route_clear() in both
 * cases. */
int evl_route_init(struct evl_route *route, struct event_base *base, const char *urls,
    evl_route_cb cb, void *arg);

/** A lookup that is under way ends in the next turn of the loop. */
void evl_route_clear(struct evl_route *route);

/** Finds the next address, unless a lookup is under way already. */
void evl_route_next(struct evl_route *route);

/** The last address could not be tried because of a local shortage: it will come up again. */
void evl_route_back(struct evl_route *route);

/** Returns the number of addresses, as far as it is known. */
unsigned evl_route_size(const struct evl_route *route);

#endif
