/* SPDX-License-Identifier: BSD-3-Clause */

/* The connection that a session uses; see net.h. */

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <event2/event.h>
#include <event2/util.h>

#include <evlock/etcd.h>

#include "scopes/etcd/clock.h"
#include "scopes/etcd/dial.h"
#include "scopes/etcd/memory.h"
#include "scopes/etcd/net.h"
#include "scopes/etcd/tls.h"

#define LINE(l) EVL_CONTAINER(l, struct evl_line, link)

#define FIRST_PAUSE	50	/* milliseconds */
#define LONGEST_PAUSE	2000
#define PATIENCE	1000	/* milliseconds, at first */
#define LEAST_DEADLINE	1000	/* milliseconds for a line to open */

static void seek(struct evl_net *net);

/* --- Time ------------------------------------------------------------------------ */

struct timeval
evl_net_ms(unsigned ms)
{
	struct timeval tv = { ms / 1000, ms % 1000 * 1000 };

	return tv;
}

void
evl_net_random(void *bytes, size_t size)
{
	evutil_secure_rng_get_bytes(bytes, size);
}

struct timeval
evl_net_pause(unsigned n_failed)
{
	unsigned most = n_failed < 6 ? FIRST_PAUSE << n_failed : LONGEST_PAUSE;
	unsigned short random;

	if (most > LONGEST_PAUSE)
		most = LONGEST_PAUSE;
	evl_net_random(&random, sizeof random);
	return evl_net_ms(most / 2 + random % (most / 2 + 1));
}

static unsigned
smaller(unsigned a, unsigned b)
{
	return a < b ? a : b;
}

/* No answer is given less time than this. */
static unsigned
least_patience(const struct evl_net *net)
{
	return smaller(PATIENCE, net->ttl / 3);
}

static unsigned
deadline(const struct evl_net *net)
{
	return net->ttl / 3 < LEAST_DEADLINE ? LEAST_DEADLINE : net->ttl / 3;
}

/* Patience is twice the time that an answer took, and decays slowly.  It is at most a third of the
 * ttl, or a lease could end meanwhile. */
static void
learn(struct evl_net *net, int64_t time)
{
	unsigned ms = (unsigned)((time < net->ttl * EVL_MILLISECOND ? time
	    : net->ttl * EVL_MILLISECOND) / EVL_MILLISECOND);
	unsigned faded = net->patience - net->patience / 8;

	net->patience = 2 * ms > faded ? 2 * ms : faded;
	if (net->patience < least_patience(net))
		net->patience = least_patience(net);
	net->patience = smaller(net->patience, net->ttl / 3);
}

/* --- Reasons --------------------------------------------------------------------- */

void
evl_net_note_reason(struct evl_net *net, const char *reason, int is_urgent)
{
	snprintf(net->reason, sizeof net->reason, "%s", reason);
	if (is_urgent && net->complain)
		net->complain(net->arg, net->reason);
}

/* If no address leads to an etcd, waiting calls fail.  Dialing goes on all the same. */
static void
note_fault(struct evl_net *net, enum evl_h2_fault fault, const char *reason)
{
	struct evl_reply reply;
	struct evl_link *link, *after;

	evl_net_note_reason(net, reason, fault != EVL_H2_BROKEN);
	net->n_failed++;
	net->n_foreign = fault == EVL_H2_FOREIGN ? net->n_foreign + 1 : 0;
	if (net->n_foreign < 2 || net->n_foreign < evl_route_size(&net->route))
		return;
	evl_reply_fail(&reply, EVL_FOREIGN, reason);
	EVL_LIST_EACH_SAFE(link, after, &net->listeners) {
		struct evl_listener *listener = EVL_CONTAINER(link, struct evl_listener, link);

		if (listener->failed)
			listener->failed(listener->arg, &reply);
	}
}

/* --- Lines ----------------------------------------------------------------------- */

/* The connection is freed after its streams have been called back from the loop. */
static void
drop(struct evl_line *line)
{
	evl_list_push(&line->net->closing, &line->h2->link);
	evl_h2_close(line->h2);
	evl_list_remove(&line->link);
	evl_memory_free(line);
}

static void
drop_dials(struct evl_net *net)
{
	while (!evl_list_is_empty(&net->dials))
		drop(LINE(net->dials.next));
	event_del(net->timer);
	net->is_paused = 0;
}

static int
is_usable(const struct evl_net *net)
{
	return net->now && net->now->h2->state == EVL_H2_OPEN;
}

static int
is_needed(const struct evl_net *net)
{
	return !is_usable(net) || net->is_suspect || net->is_unfit;
}

static void
pause(struct evl_net *net, unsigned n_failed)
{
	struct timeval time = evl_net_pause(n_failed);

	net->is_paused = 1;
	event_add(net->timer, &time);
}

/* Dials at once while some address has not been tried since the last answer, and later
 * otherwise. */
static void
seek_again(struct evl_net *net)
{
	unsigned n = evl_route_size(&net->route);

	if (!is_needed(net) || !evl_list_is_empty(&net->dials))
		return;
	if (net->n_failed < n)
		seek(net);
	else
		pause(net, net->n_failed - n);
}

static void
forget_doubt(struct evl_net *net)
{
	event_del(net->doubt);
	net->is_doubting = net->is_suspect = 0;
}

static void
promote(struct evl_net *net, struct evl_line *line)
{
	struct evl_line *old = net->now;
	struct evl_link *link, *after;

	evl_list_remove(&line->link);
	evl_list_init(&line->link);
	net->now = line;
	net->is_unfit = 0;
	forget_doubt(net);
	drop_dials(net);
	learn(net, (evl_clock_now() - line->h2->begun) / 2);
	if (old)
		drop(old);
	EVL_LIST_EACH_SAFE(link, after, &net->listeners) {
		struct evl_listener *listener = EVL_CONTAINER(link, struct evl_listener, link);

		listener->opened(listener->arg);
	}
}

static void
lose(struct evl_net *net, struct evl_line *line)
{
	char reason[EVL_REASON_SIZE];
	enum evl_h2_fault fault = line->h2->fault;

	memcpy(reason, line->h2->reason, sizeof reason);
	if (line == net->now) {
		net->now = NULL;
		forget_doubt(net);
	}
	drop(line);
	note_fault(net, fault, reason);
	seek_again(net);
}

/* The line in use has answered a PING, or the member is about to close it. */
static void
look_at_now(struct evl_net *net)
{
	if (!net->now->h2->is_pinging)
		forget_doubt(net);
	if (is_needed(net))
		seek(net);
	else
		drop_dials(net);
}

static void
on_h2(struct evl_h2 *h2, void *arg)
{
	struct evl_line *line = arg;
	struct evl_net *net = line->net;

	if (h2->state == EVL_H2_DEAD || (h2->state == EVL_H2_LEAVING && line != net->now))
		lose(net, line);
	else if (line == net->now)
		look_at_now(net);
	else if (h2->state == EVL_H2_OPEN)
		promote(net, line);
}

/* --- Dialing --------------------------------------------------------------------- */

static struct evl_line *
new_line(struct evl_net *net, const struct evl_stop *stop)
{
	struct evl_line *line = evl_memory_alloc(sizeof *line);
	SSL *ssl = NULL;
	struct bufferevent *be = line ? evl_dial(net->base,
	    (const struct sockaddr *)&stop->address, stop->size, net->ttl / 3, net->tls, stop->url,
	    &ssl) : NULL;
	int error;

	if (be)
		line->h2 = evl_h2_new(net->base, be, ssl, 0, on_h2, line);
	if (be && line->h2) {
		line->net = net;
		line->stop = *stop;
		evl_list_push(&net->dials, &line->link);
		return line;
	}
	error = errno;
	evl_memory_free(line);
	errno = error;
	return NULL;
}

static void
fail_to_dial(struct evl_net *net, int error)
{
	int is_shortage = evl_dial_is_shortage(error);

	if (is_shortage)
		evl_route_back(&net->route);
	note_fault(net, EVL_H2_BROKEN, strerror(error));
	if (is_shortage)
		pause(net, net->n_failed);
	else
		seek_again(net);
}

/* Does the line in use lead to this address?  Then it is dialed only if there is no other one. */
static int
is_there(const struct evl_net *net, const struct evl_stop *stop)
{
	return net->now && net->now->stop.size == stop->size &&
	    !memcmp(&net->now->stop.address, &stop->address, (size_t)stop->size);
}

static void
on_stop(const struct evl_stop *stop, const char *reason, void *arg)
{
	struct evl_net *net = arg;
	struct timeval time = evl_net_ms(net->patience);

	if (!stop) {
		note_fault(net, EVL_H2_BROKEN, reason);
		seek_again(net);
	} else if (is_there(net, stop) && !net->is_skipping && evl_route_size(&net->route) > 1) {
		net->is_skipping = 1;
		evl_route_next(&net->route);
		net->is_skipping = 0;
	} else if (new_line(net, stop)) {
		event_add(net->timer, &time);
	} else {
		fail_to_dial(net, errno);
	}
}

/* Dials the next address, unless a dial or a pause before one is under way. */
static void
seek(struct evl_net *net)
{
	if (!net->is_paused && evl_list_is_empty(&net->dials))
		evl_route_next(&net->route);
}

static unsigned
drop_late_dials(struct evl_net *net)
{
	int64_t oldest = evl_clock_now() - deadline(net) * EVL_MILLISECOND;
	struct evl_link *link, *after;
	unsigned n = 0;

	EVL_LIST_EACH_SAFE(link, after, &net->dials) {
		struct evl_line *line = LINE(link);

		if (line->h2->begun <= oldest) {
			drop(line);
			note_fault(net, EVL_H2_BROKEN, "a new connection got no answer");
		} else {
			n++;
		}
	}
	return n;
}

/* A silent address keeps its chance while the next one is dialed as well. */
static void
on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct evl_net *net = arg;
	struct timeval time = evl_net_ms(net->patience);
	unsigned n;

	(void)fd;
	(void)what;
	net->is_paused = 0;
	n = drop_late_dials(net);
	if (!is_needed(net))
		return;
	if (n)
		event_add(net->timer, &time);
	if (n < evl_route_size(&net->route))
		evl_route_next(&net->route);
}

/* --- Doubts ---------------------------------------------------------------------- */

static void
on_doubt(evutil_socket_t fd, short what, void *arg)
{
	struct evl_net *net = arg;

	(void)fd;
	(void)what;
	net->is_doubting = 0;
	if (!is_usable(net) || !net->now->h2->is_pinging)
		return;
	evl_net_note_reason(net, "the member does not answer", 0);
	net->is_suspect = 1;
	seek(net);
}

void
evl_net_suspect(struct evl_net *net)
{
	struct timeval time = evl_net_ms(smaller(net->ttl / 6, net->patience));

	if (!is_usable(net))
		return;
	evl_h2_ping(net->now->h2);
	if (!net->now->h2->is_pinging || net->is_doubting || net->is_suspect)
		return;
	net->is_doubting = 1;
	event_add(net->doubt, &time);
}

int
evl_net_is_heard(const struct evl_net *net, int64_t time)
{
	return net->now && net->now->h2->heard >= time;
}

void
evl_net_be_unfit(struct evl_net *net, const char *reason, int is_urgent)
{
	evl_net_note_reason(net, reason, is_urgent);
	if (evl_route_size(&net->route) < 2 || net->is_unfit)
		return;
	net->is_unfit = 1;
	if (!net->is_paused && evl_list_is_empty(&net->dials))
		pause(net, net->n_unfit++);
}

/* If the member was unfit only for a moment, it stays in use. */
void
evl_net_note_answer(struct evl_net *net, int64_t sent, int is_fit)
{
	learn(net, evl_clock_now() - sent);
	net->n_failed = net->n_foreign = 0;
	if (!is_fit)
		return;
	net->n_unfit = 0;
	net->is_unfit = 0;
	if (!is_needed(net))
		drop_dials(net);
}

/* --- For the users --------------------------------------------------------------- */

void
evl_net_listen(struct evl_net *net, struct evl_listener *listener)
{
	evl_list_push(&net->listeners, &listener->link);
}

struct evl_h2 *
evl_net_h2(struct evl_net *net)
{
	if (is_usable(net))
		return net->now->h2;
	seek(net);
	return NULL;
}

const char *
evl_net_authority(const struct evl_net *net)
{
	return net->now->stop.url->authority;
}

/* --- Creating and clearing ------------------------------------------------------- */

/* Options for TLS with URLs for plain HTTP are refused, because the mistake would go unnoticed. */
static int
init_tls(struct evl_net *net, const struct evlock_etcd_options *options)
{
	if (net->route.urls[0].is_tls)
		return (net->tls = evl_tls_new(options)) ? 0 : -1;
	if (!options->ca_file && !options->cert_file && !options->key_file)
		return 0;
	errno = EINVAL;
	return -1;
}

static int
init_events(struct evl_net *net)
{
	net->timer = event_new(net->base, -1, 0, on_timer, net);
	net->doubt = event_new(net->base, -1, 0, on_doubt, net);
	if (net->timer && net->doubt)
		return 0;
	errno = ENOMEM;
	return -1;
}

int
evl_net_init(struct evl_net *net, struct event_base *base,
    const struct evlock_etcd_options *options, unsigned ttl)
{
	evl_list_init(&net->dials);
	evl_list_init(&net->closing);
	evl_list_init(&net->listeners);
	net->base = base;
	net->ttl = 1000 * ttl;
	net->patience = least_patience(net);
	if (evl_route_init(&net->route, base,
	    options->endpoints ? options->endpoints : "http://127.0.0.1:2379", on_stop, net) < 0)
		return -1;
	return init_tls(net, options) || init_events(net) ? -1 : 0;
}

void
evl_net_clear(struct evl_net *net)
{
	if (net->now)
		drop(net->now);
	if (net->timer)
		drop_dials(net);
	while (!evl_list_is_empty(&net->closing))
		evl_h2_free(EVL_CONTAINER(net->closing.next, struct evl_h2, link));
	if (net->timer)
		event_free(net->timer);
	if (net->doubt)
		event_free(net->doubt);
	evl_route_clear(&net->route);
	SSL_CTX_free(net->tls);
}
