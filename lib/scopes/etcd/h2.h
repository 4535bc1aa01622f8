/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef EVL_H2_H_INCLUDED_
#define EVL_H2_H_INCLUDED_

/* One HTTP/2 connection, and the streams on it; the only user of nghttp2.  Knows nothing of
 * gRPC.
 *
 *	              SETTINGS              GOAWAY, or no numbers left
 *	EVL_H2_DIALING ------> EVL_H2_OPEN ----------------> EVL_H2_LEAVING
 *	       |                   |                               |
 *	       +-------------------+-------------------------------+---> EVL_H2_DEAD
 *
 * What nghttp2 tells is noted, and told later, from an event of the connection's own.  So
 * whoever is told may do anything: begin and stop streams, or close the connection.  Called by
 * net, and by rpc for its streams. */

#include <stddef.h>
#include <stdint.h>

#include <openssl/ssl.h>

#include "base/list.h"
#include "scopes/etcd/reply.h"

struct bufferevent;
struct evbuffer;
struct event;
struct event_base;
struct nghttp2_session;
struct evl_h2;
struct evl_h2_stream;

enum evl_h2_state { EVL_H2_DIALING, EVL_H2_OPEN, EVL_H2_LEAVING, EVL_H2_DEAD };

/** Why it is dead. */
enum evl_h2_fault {
	EVL_H2_BROKEN,		/**< or it never came about */
	EVL_H2_MUTE,		/**< closed by a member that had said nothing: it may want TLS */
	EVL_H2_FOREIGN		/**< not HTTP/2, or not to be trusted */
};

/** Called from the loop, when the state has changed or a PING is answered. */
typedef void (*evl_h2_cb)(struct evl_h2 *h2, void *arg);

struct evl_h2 {
	struct evl_link link;		/**< for net */
	enum evl_h2_state state;
	enum evl_h2_fault fault;
	char reason[EVL_REASON_SIZE];	/**< why it is dead, or leaving */
	struct bufferevent *be;
	SSL *ssl;			/**< belongs to `be`; NULL: plain */
	struct nghttp2_session *session;
	struct event *wake;		/**< tells what was noted, and sends */
	struct evl_link streams;	/**< those that are open */
	struct evl_link news;		/**< those that have something to tell */
	evl_h2_cb cb;
	void *arg;
	int64_t begun;			/**< when it was made, see clock.h */
	int64_t ping_sent;		/**< the last one */
	int64_t heard;			/**< an answer came to a PING that was sent then; 0: none */
	uint8_t n_quiet_pings;		/**< since the other side sent a part of an answer */
	uint8_t is_pinging;		/**< the last PING has no answer yet */
	uint8_t is_changed;		/**< `cb` has to be called */
	uint8_t is_awake;		/**< `wake` is running */
	uint8_t is_closed;		/**< by its owner: goes when all streams have been told */
};

/** What a stream does with what comes. */
struct evl_h2_ops {
	/** From inside nghttp2: to be noted, no more. */
	void (*header)(struct evl_h2_stream *stream, const uint8_t *name, size_t name_size,
	    const uint8_t *value, size_t value_size);
	void (*data)(struct evl_h2_stream *stream, const uint8_t *bytes, size_t size);

	/** From the loop: something has come, or the stream has been closed. */
	void (*news)(struct evl_h2_stream *stream);
};

struct evl_h2_stream {
	struct evl_link link;		/**< in h2->streams, while it is open */
	struct evl_link news;		/**< in h2->news, if it has some */
	const struct evl_h2_ops *ops;
	struct evl_h2 *h2;		/**< NULL: on none */
	struct evbuffer *out;		/**< what is to be sent; the stream's owner makes it */
	int32_t id;
	uint32_t error;			/**< of HTTP/2, once it is closed */
	uint8_t is_complete;		/**< nothing will be added to `out` */
	uint8_t has_news;
	uint8_t is_closed;		/**< by the other side, or with the connection */
};

/** A header to be sent. */
struct evl_h2_header {
	const char *name, *value;
	int is_secret;			/**< stays out of the tables of either side */
};

/** Makes a connection of `be`, which begins when that is connected, or at once if `is_connected`;
 * owns it from then on, also if it fails.  NULL with errno ENOMEM. */
struct evl_h2 *evl_h2_new(struct event_base *base, struct bufferevent *be, SSL *ssl,
    int is_connected, evl_h2_cb cb, void *arg);

/** Closes it: those who have streams on it are told, from the loop, and then it is gone.  `cb` is
 * not called any more. */
void evl_h2_close(struct evl_h2 *h2);

/** It is gone at once; there are no streams on it. */
void evl_h2_free(struct evl_h2 *h2);

/** Asks for a sign of life, unless one is on its way or etcd would take offence. */
void evl_h2_ping(struct evl_h2 *h2);

/** Begins a stream.  Returns 0, or -1: the connection cannot take it. */
int evl_h2_begin(struct evl_h2 *h2, struct evl_h2_stream *stream,
    const struct evl_h2_header *headers, size_t n);

/** Something was added to `out`, or it is complete. */
void evl_h2_resume(struct evl_h2_stream *stream);

/** Ends it, if it has not ended; nothing more is told. */
void evl_h2_stop(struct evl_h2_stream *stream);

#endif
