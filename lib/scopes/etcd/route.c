/* SPDX-License-Identifier: BSD-3-Clause */

/* The addresses of the members; see route.h. */

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <event2/dns.h>
#include <event2/event.h>
#include <event2/util.h>

#include "scopes/etcd/memory.h"
#include "scopes/etcd/route.h"

/* A lookup under way.  It outlives its route if the route is cleared first. */
struct evl_lookup {
	struct evl_route *route;
};

/* --- Stops ----------------------------------------------------------------------- */

static const struct evl_url *
url_of(const struct evl_route *route)
{
	return &route->urls[route->url];
}

static unsigned
count(const struct evutil_addrinfo *info)
{
	unsigned n = 0;

	for (; info; info = info->ai_next)
		n += info->ai_addrlen <= sizeof(struct sockaddr_storage);
	return n;
}

/* Takes over the addresses of a name. */
static int
set_stops(struct evl_route *route, const struct evutil_addrinfo *info)
{
	unsigned n = count(info);
	struct evl_stop *stops = n ? evl_memory_alloc(n * sizeof *stops) : NULL, *stop = stops;

	if (!stops)
		return -1;
	for (; info; info = info->ai_next) {
		if (info->ai_addrlen > sizeof stop->address)
			continue;
		stop->url = url_of(route);
		memcpy(&stop->address, info->ai_addr, info->ai_addrlen);
		stop->size = (int)info->ai_addrlen;
		stop++;
	}
	evl_memory_free(route->stops);
	route->stops = stops;
	route->n_stops = n;
	route->next = 0;
	return 0;
}

static void
give_stop(struct evl_route *route)
{
	struct evl_stop stop = route->stops[route->next++];

	route->n_in_round++;
	route->cb(&stop, NULL, route->arg);
}

/* Goes on to the next URL.  After the last URL a new round begins. */
static void
turn(struct evl_route *route)
{
	route->n_stops = route->next = 0;
	if (++route->url < route->n_urls)
		return;
	route->url = 0;
	route->n_rounds++;
	route->n_known = route->n_in_round;
	route->n_in_round = 0;
}

/* --- Names ----------------------------------------------------------------------- */

static void
on_names(int error, struct evutil_addrinfo *info, void *arg)
{
	struct evl_lookup *lookup = arg;
	struct evl_route *route = lookup->route;
	char reason[400];

	evl_memory_free(lookup);
	if (route)
		route->lookup = NULL;
	if (route && !error && set_stops(route, info) == 0) {
		evutil_freeaddrinfo(info);
		give_stop(route);
		return;
	}
	if (info)
		evutil_freeaddrinfo(info);
	if (!route)
		return;
	snprintf(reason, sizeof reason, "%s: %s", url_of(route)->host,
	    error ? evutil_gai_strerror(error) : "no address");
	turn(route);
	route->cb(NULL, reason, route->arg);
}

static void
look_up(struct evl_route *route)
{
	struct evutil_addrinfo hints = { .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM,
	    .ai_protocol = IPPROTO_TCP };
	struct evl_lookup *lookup = evl_memory_alloc(sizeof *lookup);
	char port[8];

	if (!lookup) {
		route->cb(NULL, "no memory to look up a name", route->arg);
		return;
	}
	snprintf(port, sizeof port, "%u", (unsigned)url_of(route)->port);
	lookup->route = route;
	route->lookup = lookup;
	evdns_getaddrinfo(route->dns, url_of(route)->host, port, &hints, on_names, lookup);
}

/* A URL with an address needs no lookup. */
static void
read_address(struct evl_route *route)
{
	struct evl_stop stop = { .url = url_of(route) };
	struct sockaddr_in *v4 = (struct sockaddr_in *)&stop.address;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&stop.address;

	if (evutil_inet_pton(AF_INET, stop.url->host, &v4->sin_addr) == 1) {
		v4->sin_family = AF_INET;
		v4->sin_port = htons(stop.url->port);
		stop.size = sizeof *v4;
	} else {
		evutil_inet_pton(AF_INET6, stop.url->host, &v6->sin6_addr);
		v6->sin6_family = AF_INET6;
		v6->sin6_port = htons(stop.url->port);
		stop.size = sizeof *v6;
	}
	route->n_in_round++;
	route->n_stops = route->next = 1;
	route->cb(&stop, NULL, route->arg);
}

void
evl_route_next(struct evl_route *route)
{
	if (route->lookup)
		return;
	if (route->next < route->n_stops) {
		give_stop(route);
		return;
	}
	if (route->n_stops)
		turn(route);
	if (url_of(route)->is_address)
		read_address(route);
	else
		look_up(route);
}

void
evl_route_back(struct evl_route *route)
{
	route->n_in_round--;
	if (url_of(route)->is_address)
		route->n_stops = route->next = 0;
	else
		route->next--;
}

unsigned
evl_route_size(const struct evl_route *route)
{
	unsigned here = route->n_stops ? route->n_stops - route->next : 1,
	    n = route->n_in_round + here + route->n_urls - route->url - 1;

	return n < route->n_known ? route->n_known : n;
}

/* --- Creating and clearing ------------------------------------------------------- */

static int
needs_names(const struct evl_route *route)
{
	unsigned i;

	for (i = 0; i < route->n_urls; i++)
		if (!route->urls[i].is_address)
			return 1;
	return 0;
}

/* Names are looked up from the loop, with the name servers of the system.  Without name servers,
 * the names in /etc/hosts still work.  This does not keep the loop alive while no lookup is under
 * way. */
static int
init_dns(struct evl_route *route)
{
	if (!needs_names(route))
		return 0;
	route->dns = evdns_base_new(route->base,
	    EVDNS_BASE_INITIALIZE_NAMESERVERS | EVDNS_BASE_DISABLE_WHEN_INACTIVE);
	if (route->dns)
		return 0;
	route->dns = evdns_base_new(route->base, EVDNS_BASE_DISABLE_WHEN_INACTIVE);
	if (!route->dns) {
		errno = ENOMEM;
		return -1;
	}
	evdns_base_load_hosts(route->dns, "/etc/hosts");
	return 0;
}

int
evl_route_init(struct evl_route *route, struct event_base *base, const char *urls, evl_route_cb cb,
    void *arg)
{
	int n = evl_url_read_all(urls, &route->urls);

	if (n < 0)
		return -1;
	route->base = base;
	route->n_urls = (unsigned)n;
	route->cb = cb;
	route->arg = arg;
	return init_dns(route);
}

void
evl_route_clear(struct evl_route *route)
{
	if (route->lookup)
		route->lookup->route = NULL;
	if (route->dns)
		evdns_base_free(route->dns, 1);
	evl_memory_free(route->stops);
	evl_memory_free(route->urls);
}
