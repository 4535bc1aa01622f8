/* SPDX-License-Identifier: BSD-3-Clause */

/* lib/scopes/etcd/route.c: every address of every name is tried, in rounds. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <arpa/inet.h>
#include <event2/dns.h>
#include <event2/event.h>

#include "scopes/etcd/route.h"

#include "../shim.h"

static struct event_base *base;
static struct evl_route route;
static char met[200];

static void
on_stop(const struct evl_stop *stop, const char *why, void *arg)
{
	char text[60] = "none";
	const struct sockaddr_in *v4;
	const struct sockaddr_in6 *v6;

	(void)why;
	(void)arg;
	if (stop && stop->address.ss_family == AF_INET) {
		v4 = (const struct sockaddr_in *)&stop->address;
		inet_ntop(AF_INET, &v4->sin_addr, text, sizeof text);
		cr_assert_eq(ntohs(v4->sin_port), stop->url->port);
	} else if (stop) {
		v6 = (const struct sockaddr_in6 *)&stop->address;
		inet_ntop(AF_INET6, &v6->sin6_addr, text, sizeof text);
	}
	snprintf(met + strlen(met), sizeof met - strlen(met), "%s%s", *met ? " " : "", text);
}

/* Names are looked up in a hosts file of the test's own. */
static void
begin(const char *urls, const char *hosts)
{
	char path[] = "/tmp/evlock-hosts.XXXXXX";
	FILE *file = fdopen(mkstemp(path), "w");

	fputs(hosts, file);
	fclose(file);
	base = event_base_new();
	cr_assert_eq(evl_route_init(&route, base, urls, on_stop, NULL), 0);
	if (route.dns)
		cr_assert_eq(evdns_base_load_hosts(route.dns, path), 0);
	unlink(path);
}

static const char *
go(unsigned n)
{
	static char copy[sizeof met];

	while (n--) {
		evl_route_next(&route);
		event_base_loop(base, EVLOOP_NONBLOCK);
	}
	strcpy(copy, met);
	met[0] = '\0';
	return copy;
}

static void
end(void)
{
	evl_route_clear(&route);
	event_base_loop(base, EVLOOP_NONBLOCK);
	event_base_free(base);
}

Test(etcd_route, addresses_in_turn)
{
	begin("http://127.0.0.1:1,http://[::1]:2", "");
	cr_assert_eq(evl_route_size(&route), 2);
	cr_assert_str_eq(go(3), "127.0.0.1 ::1 127.0.0.1");
	cr_assert_eq(evl_route_size(&route), 2);
	end();
}

Test(etcd_route, every_address_of_a_name)
{
	begin("http://two.test:1,http://127.0.0.9:2", "127.0.0.2 two.test\n127.0.0.3 two.test\n");
	cr_assert_str_eq(go(4), "127.0.0.2 127.0.0.3 127.0.0.9 127.0.0.2");
	cr_assert_eq(evl_route_size(&route), 3);
	end();
}

/* An address that could not be tried because of a shortage on this machine is tried again. */
Test(etcd_route, back)
{
	begin("http://two.test:1,http://127.0.0.9:2", "127.0.0.2 two.test\n127.0.0.3 two.test\n");
	cr_assert_str_eq(go(2), "127.0.0.2 127.0.0.3");
	evl_route_back(&route);
	cr_assert_str_eq(go(2), "127.0.0.3 127.0.0.9");
	evl_route_back(&route);
	cr_assert_str_eq(go(2), "127.0.0.9 127.0.0.2");
	cr_assert_eq(evl_route_size(&route), 3);
	end();
}
