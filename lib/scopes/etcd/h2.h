/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef EVL_H2_H_INCLUDED_
#define EVL_H2_H_INCLUDED_

/* One HTTP/2 connection, and the streams on it.  The only user of nghttp2.  Knows nothing of gRPC.
 *
 *	              SETTINGS              GOAWAY, or no stream ids left
 *	EVL_H2_DIALING ------> EVL_H2_OPEN ----------------> EVL_H2_LEAVING
 *	       |                   |                               |
 *	       +-------------------+-------------------------------+---> EVL_H2_DEAD
 *
 * The callbacks of nghttp2 only make notes.  An event of the connection's own calls back the users
 * later, outside nghttp2.  So users may do anything in their callbacks: begin and stop streams, or
 * close the connection.  Called by net, and by rpc for its streams. */

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

/** Why a connection is dead. */
enum evl_h2_fault {
	EVL_H2_BROKEN,		/**< it broke, or was never established */
	EVL_H2_MUTE,		/**< the member closed it before it sent anything */
	EVL_H2_FOREIGN		/**< the peer does not speak HTTP/2, or is not trusted */
};

/** Called from the loop when the state has changed, or when a PING has been answered. */
typedef void (*evl_h2_cb)(struct evl_h2 *h2, void *arg);

struct evl_h2 {
	struct evl_link link;		/**< for net */
	enum evl_h2_state state;
	enum evl_h2_fault fault;
	char reason[EVL_REASON_SIZE];	/**< why it is LEAVING or DEAD */
	struct bufferevent *be;
	SSL *ssl;			/**< belongs to `be`; NULL: plain */
	struct nghttp2_session *session;
	struct event *wake;		/**< calls back the users, then sends */
	struct evl_link streams;	/**< open streams */
	struct evl_link news;		/**< streams with a callback due */
	evl_h2_cb cb;
	void *arg;
	int64_t begun;			/**< when it was created, see clock.h */
	int64_t ping_sent;		/**< when the last PING was sent */
	int64_t heard;			/**< when the last answered PING was sent; 0: none yet */
	uint8_t n_quiet_pings;		/**< PINGs since the peer last sent HEADERS or DATA */
	uint8_t is_pinging;		/**< the last PING has no answer yet */
	uint8_t is_changed;		/**< a call of `cb` is due */
	uint8_t is_awake;		/**< `wake` is running */
	uint8_t is_closed;		/**< by its owner; freed after the streams' callbacks */
};

/** The callbacks of a stream. */
struct evl_h2_ops {
	/** Called from inside nghttp2: may only make a note. */
	void (*header)(struct evl_h2_stream *stream, const uint8_t *name, size_t name_size,
	    const uint8_t *value, size_t value_size);
	void (*data)(struct evl_h2_stream *stream, const uint8_t *bytes, size_t size);

	/** Called from the loop: data has arrived, or the stream has been closed. */
	void (*news)(struct evl_h2_stream *stream);
};

struct evl_h2_stream {
	struct evl_link link;		/**< in h2->streams, while it is open */
	struct evl_link news;		/**< in h2->news, if has_news */
	const struct evl_h2_ops *ops;
	struct evl_h2 *h2;		/**< NULL: not on a connection */
	struct evbuffer *out;		/**< data to send; belongs to the stream's owner */
	int32_t id;
	uint32_t error;			/**< error code of HTTP/2, once it is closed */
	uint8_t is_complete;		/**< nothing more will be added to `out` */
	uint8_t has_news;
	uint8_t is_closed;		/**< by the peer, or because the connection is dead */
};

/** A header to send. */
struct evl_h2_header {
	const char *name, *value;
	int is_secret;			/**< is kept out of the header tables of both sides */
};

/** Creates a connection on `be`, and takes ownership of `be`, even if it fails.  HTTP/2 starts when
 * `be` is connected, or at once if `is_connected`.  Returns NULL with errno ENOMEM. */
struct evl_h2 *evl_h2_new(struct event_base *base, struct bufferevent *be, SSL *ssl,
    int is_connected, evl_h2_cb cb, void *arg);

/** Closes the connection.  Its streams are called back from the loop, and then it is freed.  `cb`
 * is not called any more. */
void evl_h2_close(struct evl_h2 *h2);

/** Frees the connection at once.  It must have no streams. */
void evl_h2_free(struct evl_h2 *h2);

/** Sends a PING, unless one is still unanswered, or etcd would reject one more as too many. */
void evl_h2_ping(struct evl_h2 *h2);

/** Begins a stream.  Returns 0, or -1 if the connection cannot take it. */
int evl_h2_begin(struct evl_h2 *h2, struct evl_h2_stream *stream,
    const struct evl_h2_header *headers, size_t n);

/** Must be called after data was added to `out`, or is_complete was set. */
void evl_h2_resume(struct evl_h2_stream *stream);

/** Ends the stream, if it has not ended.  No callback follows. */
void evl_h2_stop(struct evl_h2_stream *stream);

#endif
