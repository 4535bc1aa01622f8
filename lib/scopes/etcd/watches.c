/* SPDX-License-Identifier: BSD-3-Clause */

/* Watches of single keys, on one stream; see watches.h. */

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <event2/buffer.h>
#include <event2/event.h>

#include "scopes/etcd/ask.h"
#include "scopes/etcd/clock.h"
#include "scopes/etcd/memory.h"
#include "scopes/etcd/watches.h"

#define MOST_BYTES	(256 * 1024)	/* of a message */
#define MOST_STRANGE	1000		/* messages in a row about unknown watches */

#define WATCH(l) EVL_CONTAINER(l, struct evl_watch, link)
#define FEED(l) EVL_CONTAINER(l, struct evl_feed, link)

/* A stream of watches. */
struct evl_feed {
	struct evl_link link;		/* in watches->feeds */
	struct evl_watches *watches;
	struct evl_rpc *rpc;
	struct evl_link list;		/* the watches on it */
	struct evbuffer *creates;	/* the ids, in order, that wait for "created" */
	int64_t asked;			/* since when the first of them waits */
	unsigned token_serial;
	unsigned n_stopped;		/* stopped watches that wait for "canceled" */
	unsigned n_strange;		/* messages in a row about unknown watches */
};

static void pump(struct evl_watches *watches);

/* Returns the watch with that number, or NULL. */
static struct evl_watch *
find(const struct evl_watches *watches, int64_t id)
{
	struct evl_watch *watch = evl_slots_at(&watches->slots, id);

	return watch && watch->id == id ? watch : NULL;
}

/* --- Feeds ----------------------------------------------------------------------- */

static void
pause(struct evl_watches *watches)
{
	struct timeval time = evl_net_pause(watches->n_failed++);

	watches->is_paused = 1;
	event_add(watches->timer, &time);
}

/* Puts a watch back among those that wait to be set. */
static void
unset(struct evl_watch *watch)
{
	evl_list_remove(&watch->link);
	watch->feed = NULL;
	watch->id = 0;
	watch->is_set = 0;
	evl_list_push(&watch->watches->waiting, &watch->link);
}

static void
free_feed(struct evl_feed *feed)
{
	struct evl_watches *watches = feed->watches;

	while (!evl_list_is_empty(&feed->list))
		unset(WATCH(feed->list.next));
	if (watches->feed == feed)
		watches->feed = NULL;
	evl_list_remove(&feed->link);
	if (feed->rpc)
		evl_rpc_free(feed->rpc);
	if (feed->creates)
		evbuffer_free(feed->creates);
	evl_memory_free(feed);
}

/* A feed that takes no new watches ends with its last one. */
static void
look_if_dry(struct evl_feed *feed)
{
	if (feed->watches->feed != feed && evl_list_is_empty(&feed->list))
		free_feed(feed);
}

/* --- Messages -------------------------------------------------------------------- */

static void
note_strange(struct evl_feed *feed)
{
	if (++feed->n_strange > MOST_STRANGE)
		evl_rpc_fail(feed->rpc, EVL_STATUS_FOREIGN,
		    "the member reports on unknown watches");
}

/* The watch was not set. */
static void
on_refused(struct evl_feed *feed, struct evl_watch *watch, const struct evl_watch_reply *reply)
{
	struct evl_watches *watches = feed->watches;

	if (watch && reply->verdict == EVL_DENIED) {
		evl_watches_stop_one(watch);
		watch->cb(watch, EVL_WATCH_DENIED, 0);
		return;
	}
	if (watch)
		unset(watch);
	pause(watches);
	if (reply->verdict != EVL_NO_TOKEN || !watches->token)
		return;
	evl_token_expire(watches->token, feed->token_serial);
	if (watches->feed == feed)
		watches->feed = NULL;
}

static void
on_created(struct evl_feed *feed, const struct evl_watch_reply *reply)
{
	struct evl_watches *watches = feed->watches;
	struct evl_watch *watch;
	int64_t id;

	if (evbuffer_remove(feed->creates, &id, sizeof id) != (int)sizeof id) {
		evl_rpc_fail(feed->rpc, EVL_STATUS_FOREIGN, "the member starts unknown watches");
		return;
	}
	feed->asked = evl_clock_now();
	watch = find(watches, id);
	if (reply->is_canceled || reply->id != id) {
		on_refused(feed, watch, reply);
	} else if (watch) {
		watches->n_failed = 0;
		watch->is_set = 1;
		watch->cb(watch, EVL_WATCH_SET,
		    watches->is_late_teller ? INT64_MAX : reply->revision);
	}
}

/* A watch that the member has ended is set anew. */
static void
on_canceled(struct evl_feed *feed, struct evl_watch *watch)
{
	if (watch) {
		unset(watch);
		pause(feed->watches);
	} else if (feed->n_stopped) {
		feed->n_stopped--;
	} else {
		note_strange(feed);
	}
}

static void
hear(struct evl_feed *feed, const struct evl_watch_reply *reply)
{
	struct evl_watch *watch = find(feed->watches, reply->id);

	if (reply->is_created) {
		on_created(feed, reply);
	} else if (reply->is_canceled) {
		on_canceled(feed, watch);
	} else if (!watch) {
		note_strange(feed);
	} else {
		feed->n_strange = 0;
		if (reply->deleted)
			watch->cb(watch, EVL_WATCH_DELETED, reply->deleted);
	}
}

/* --- How a feed ends ------------------------------------------------------------- */

static void
judge(struct evl_feed *feed, const struct evl_reply *reply)
{
	struct evl_watches *watches = feed->watches;

	evl_net_note_reason(watches->net, reply->reason, 0);
	if (reply->verdict == EVL_NO_TOKEN && watches->token)
		evl_token_expire(watches->token, feed->token_serial);
	if (reply->verdict == EVL_NO_LEADER || reply->verdict == EVL_FOREIGN)
		evl_net_be_unfit(watches->net, reply->reason, 1);
}

/* If its line has died as well, another line is being dialed, and there is no need to pause. */
static void
end_feed(struct evl_feed *feed)
{
	struct evl_watches *watches = feed->watches;
	struct evl_ending ending;
	struct evl_reply reply;
	int is_line_dead = feed->rpc->stream.h2->state == EVL_H2_DEAD;

	evl_rpc_end(feed->rpc, &ending);
	if (ending.status == 0)
		ending.status = EVL_STATUS_LOST;
	evl_reply_read(&reply, EVL_PUT_REPLY, &ending, NULL, 0);
	if (!is_line_dead)
		judge(feed, &reply);
	free_feed(feed);
	if (!is_line_dead)
		pause(watches);
	pump(watches);
}

static void
on_rpc(struct evl_rpc *rpc, void *arg)
{
	struct evl_feed *feed = arg;
	struct evl_watches *watches = feed->watches;
	struct evl_watch_reply reply;
	const uint8_t *bytes;
	size_t size;

	while (!rpc->failure && evl_rpc_peek(rpc, &bytes, &size)) {
		int error = evl_reply_read_watch(&reply, bytes, size);

		evl_rpc_take(rpc);
		if (error)
			evl_rpc_fail(rpc, errno == ENOMEM ? EVL_STATUS_LOST : EVL_STATUS_FOREIGN,
			    "a message about a watch is invalid");
		else
			hear(feed, &reply);
	}
	if (evl_rpc_is_over(rpc)) {
		end_feed(feed);
		return;
	}
	look_if_dry(feed);
	pump(watches);
}

/* --- Setting watches ------------------------------------------------------------- */

static int
begin(struct evl_feed *feed, struct evl_h2 *h2)
{
	struct evl_watches *watches = feed->watches;
	struct evl_rpc_options options = {
		.path = "/etcdserverpb.Watch/Watch", .authority = evl_net_authority(watches->net),
		.token = watches->token ? watches->token->text : NULL, .limit = MOST_BYTES,
		.is_for_leader = 1
	};

	feed->token_serial = evl_token_serial(watches->token);
	feed->creates = evbuffer_new();
	feed->rpc = feed->creates ? evl_rpc_new(h2, &options, on_rpc, feed) : NULL;
	return feed->rpc ? 0 : -1;
}

static struct evl_feed *
new_feed(struct evl_watches *watches, struct evl_h2 *h2)
{
	struct evl_feed *feed = evl_memory_alloc(sizeof *feed);

	if (!feed)
		return NULL;
	feed->watches = watches;
	evl_list_init(&feed->list);
	evl_list_push(&watches->feeds, &feed->link);
	if (begin(feed, h2) == 0)
		return feed;
	free_feed(feed);
	return NULL;
}

/* Returns the feed for new watches, or NULL.  Then a line, a token or a feed is on its way. */
static struct evl_feed *
need_feed(struct evl_watches *watches)
{
	struct evl_h2 *h2 = watches->is_paused ? NULL : evl_net_h2(watches->net);

	if (!h2 || watches->feed)
		return h2 ? watches->feed : NULL;
	if (evl_token_is_ready(watches->token))
		watches->feed = new_feed(watches, h2);
	else
		watches->token->want(watches->token->arg);
	if (!watches->feed)
		pause(watches);
	return watches->feed;
}

static int
put(struct evl_feed *feed, struct evl_watch *watch)
{
	int64_t id = evl_slots_new_id(&watch->watches->slots, watch->slot);

	if (evl_ask_watch(evl_rpc_out(feed->rpc), watch->key, watch->key_size, id) < 0)
		return -1;
	if (evbuffer_get_length(feed->creates) == 0)
		feed->asked = evl_clock_now();
	if (evbuffer_add(feed->creates, &id, sizeof id) < 0)
		return -1;
	evl_list_remove(&watch->link);
	evl_list_push(&feed->list, &watch->link);
	watch->feed = feed;
	watch->id = id;
	return 0;
}

/* The caller may still use the feed; the timer frees it. */
static void
spoil(struct evl_feed *feed)
{
	evl_rpc_fail(feed->rpc, EVL_STATUS_LOST, "no memory to start a watch");
	feed->watches->feed = NULL;
	pause(feed->watches);
}

/* If the order of the creates cannot be recorded for want of memory, the feed is of no use. */
static void
pump(struct evl_watches *watches)
{
	struct timeval time = evl_net_ms(watches->net->patience / 2);
	struct evl_feed *feed;

	if (evl_list_is_empty(&watches->waiting))
		return;
	feed = need_feed(watches);
	if (!feed)
		return;
	while (!evl_list_is_empty(&watches->waiting))
		if (put(feed, WATCH(watches->waiting.next)) < 0) {
			spoil(feed);
			return;
		}
	evl_rpc_send(feed->rpc, 0);
	event_add(watches->timer, &time);
}

/* --- Time ------------------------------------------------------------------------ */

static int
is_waited_for(const struct evl_feed *feed)
{
	return evbuffer_get_length(feed->creates) > 0;
}

/* If the member is alive but does not set watches in time, the feed is opened anew. */
static void
look_at(struct evl_feed *feed)
{
	struct evl_watches *watches = feed->watches;
	int64_t late = evl_clock_now() - feed->asked;

	if (late < watches->net->patience / 2 * EVL_MILLISECOND)
		return;
	if (evl_net_is_heard(watches->net, feed->asked) &&
	    late >= watches->net->patience * EVL_MILLISECOND) {
		free_feed(feed);
		if (watches->n_failed++)
			evl_net_be_unfit(watches->net, "the member does not start a watch", 1);
	} else {
		evl_net_suspect(watches->net);
	}
}

static void
on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct evl_watches *watches = arg;
	struct timeval time = evl_net_ms(watches->net->patience / 2);
	struct evl_link *link, *after;
	int is_waiting = 0;

	(void)fd;
	(void)what;
	watches->is_paused = 0;
	EVL_LIST_EACH_SAFE(link, after, &watches->feeds) {
		if (FEED(link)->rpc->failure) {
			free_feed(FEED(link));
		} else if (is_waited_for(FEED(link))) {
			is_waiting = 1;
			look_at(FEED(link));
		}
	}
	if (is_waiting)
		event_add(watches->timer, &time);
	pump(watches);
}

/* --- Single watches -------------------------------------------------------------- */

int
evl_watches_init_one(struct evl_watch *watch, struct evl_watches *watches, size_t room,
    void (*cb)(struct evl_watch *, enum evl_watch_news, int64_t), void *arg)
{
	int slot;

	memset(watch, 0, sizeof *watch);
	watch->watches = watches;
	watch->cb = cb;
	watch->arg = arg;
	watch->key = evl_outside_malloc(room);
	watch->room = room;
	slot = watch->key ? evl_slots_take(&watches->slots, watch) : -1;
	watch->slot = (unsigned)slot;
	if (slot >= 0)
		return 0;
	evl_memory_free(watch->key);
	watch->key = NULL;
	return -1;
}

void
evl_watches_clear_one(struct evl_watch *watch)
{
	if (!watch->key)
		return;
	evl_watches_stop_one(watch);
	evl_slots_give(&watch->watches->slots, watch->slot);
	evl_memory_free(watch->key);
	watch->key = NULL;
}

int
evl_watches_is_of(const struct evl_watch *watch, const char *key, size_t size)
{
	return watch->is_on && watch->key_size == size && !memcmp(watch->key, key, size);
}

static int
make_room(struct evl_watch *watch, size_t size)
{
	char *key = size > watch->room ? evl_outside_malloc(size) : watch->key;

	if (!key)
		return -1;
	if (key == watch->key)
		return 0;
	evl_memory_free(watch->key);
	watch->key = key;
	watch->room = size;
	return 0;
}

int
evl_watches_start_one(struct evl_watch *watch, const char *key, size_t size)
{
	evl_watches_stop_one(watch);
	if (make_room(watch, size) < 0)
		return -1;
	memcpy(watch->key, key, size);
	watch->key_size = size;
	watch->is_on = 1;
	evl_list_push(&watch->watches->waiting, &watch->link);
	pump(watch->watches);
	return 0;
}

/* If there is no memory to cancel the watch, etcd goes on to report events, which are ignored. */
void
evl_watches_stop_one(struct evl_watch *watch)
{
	struct evl_feed *feed = watch->feed;

	if (!watch->is_on)
		return;
	watch->is_on = watch->is_set = 0;
	evl_list_remove(&watch->link);
	if (feed && evl_ask_unwatch(evl_rpc_out(feed->rpc), watch->id) == 0) {
		feed->n_stopped++;
		evl_rpc_send(feed->rpc, 0);
	}
	watch->feed = NULL;
	watch->id = 0;
}

/* --- Creating and clearing ------------------------------------------------------- */

/* Frees the streams on lines that are not in use any more. */
static void
on_opened(void *arg)
{
	struct evl_watches *watches = arg;
	struct evl_h2 *now = evl_net_h2(watches->net);
	struct evl_link *link, *after;

	EVL_LIST_EACH_SAFE(link, after, &watches->feeds)
		if (FEED(link)->rpc->stream.h2 != now)
			free_feed(FEED(link));
	pump(watches);
}

int
evl_watches_init(struct evl_watches *watches, struct evl_net *net, struct evl_token *token)
{
	watches->net = net;
	watches->token = token;
	watches->is_late_teller = 1;
	evl_list_init(&watches->feeds);
	evl_list_init(&watches->waiting);
	watches->listener.opened = on_opened;
	watches->listener.arg = watches;
	evl_net_listen(net, &watches->listener);
	watches->timer = event_new(net->base, -1, 0, on_timer, watches);
	if (!watches->timer)
		errno = ENOMEM;
	return watches->timer ? 0 : -1;
}

void
evl_watches_clear(struct evl_watches *watches)
{
	if (!watches->timer)
		return;
	while (!evl_list_is_empty(&watches->feeds))
		free_feed(FEED(watches->feeds.next));
	event_free(watches->timer);
	evl_slots_clear(&watches->slots);
}
