/* SPDX-License-Identifier: BSD-3-Clause */

/* What the connections share; see net.h. */

#include <errno.h>

#include <event2/dns.h>
#include <event2/util.h>

#include <evlock/etcd.h>

#include "auth.h"
#include "memory.h"
#include "net.h"
#include "tls.h"
#include "watch.h"
#include "wire.h"

static int
needs_names(const struct evl_net *net)
{
	unsigned i;

	for (i = 0; i < net->n_urls; i++)
		if (!net->urls[i].is_address)
			return 1;
	return 0;
}

/* Looks names up from the loop, as the system is set up to; where it has no name servers, the
 * names in /etc/hosts are still there.  It does not keep a loop alive that has nothing else. */
static int
init_dns(struct evl_net *net)
{
	if (!needs_names(net))
		return 0;
	net->dns = evdns_base_new(net->base,
	    EVDNS_BASE_INITIALIZE_NAMESERVERS | EVDNS_BASE_DISABLE_WHEN_INACTIVE);
	if (net->dns)
		return 0;
	net->dns = evdns_base_new(net->base, EVDNS_BASE_DISABLE_WHEN_INACTIVE);
	if (!net->dns) {
		errno = ENOMEM;
		return -1;
	}
	evdns_base_load_hosts(net->dns, "/etc/hosts");
	return 0;
}

/* Files for TLS beside URLs without it are a mistake that would go unseen. */
static int
init_tls(struct evl_net *net, const struct evlock_etcd_options *options)
{
	if (net->urls[0].is_tls)
		return (net->tls = evl_tls_new(options)) ? 0 : -1;
	if (!options->ca_file && !options->cert_file && !options->key_file)
		return 0;
	errno = EINVAL;
	return -1;
}

static int
init_auth(struct evl_net *net, const struct evlock_etcd_options *options)
{
	if (!options->user && !options->password)
		return 0;
	if (!options->user || !options->password) {
		errno = EINVAL;
		return -1;
	}
	return (net->auth = evl_auth_new(net, options->user, options->password)) ? 0 : -1;
}

int
evl_net_init(struct evl_net *net, struct event_base *base,
    const struct evlock_etcd_options *options)
{
	int n;

	evl_list_init(&net->idle);
	evl_list_init(&net->calls);
	evl_list_init(&net->watches);
	net->base = base;
	n = evl_urls_read(options->endpoints ? options->endpoints : "http://127.0.0.1:2379",
	    &net->urls);
	if (n < 0)
		return -1;
	net->n_urls = (unsigned)n;
	return init_tls(net, options) || init_dns(net) || init_auth(net, options) ? -1 : 0;
}

static void
close_idle(struct evl_net *net)
{
	while (!evl_list_is_empty(&net->idle))
		evl_wire_free(EVL_WIRE(net->idle.next));
}

void
evl_net_clear(struct evl_net *net)
{
	if (net->auth)
		evl_auth_free(net->auth);
	close_idle(net);
	if (net->dns)
		evdns_base_free(net->dns, 1);
	SSL_CTX_free(net->tls);
	evl_etcd_free(net->urls);
}

const struct evl_url *
evl_net_url(const struct evl_net *net)
{
	return &net->urls[net->n_turns % net->n_urls];
}

void
evl_net_turn(struct evl_net *net, unsigned turn)
{
	if (net->n_turns != turn)
		return;
	net->n_turns++;
	close_idle(net);
	evl_watch_move_all(net);
}

void
evl_net_random(void *bytes, size_t size)
{
	evutil_secure_rng_get_bytes(bytes, size);
}
