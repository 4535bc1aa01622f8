/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef FAKE_H_INCLUDED_
#define FAKE_H_INCLUDED_

/* An etcd that does what a test wants.  It is an HTTP/2 server on loopback, in the same loop as the
 * code under test.  It hands each request to the test, which may answer it or not. */

#include <stdint.h>

#include <event2/event.h>
#include <openssl/ssl.h>

#include "etcd.pb-c.h"

struct fake;
struct fake_stream;

enum fake_kind {
	FAKE_GRANT, FAKE_KEEPALIVE, FAKE_REVOKE, FAKE_AUTHENTICATE, FAKE_STATUS,
	FAKE_GUARD, FAKE_ENTER, FAKE_TRY, FAKE_CHECK, FAKE_WEAKEN, FAKE_LEAVE, FAKE_CLEAR,
	FAKE_WATCH, FAKE_UNWATCH, FAKE_OTHER
};

/** One request.  The request and its message are freed when the test's function returns.  Its
 * stream lasts until the client, or an answer, ends it. */
struct fake_request {
	struct fake *fake;
	struct fake_stream *stream;
	enum fake_kind kind;
	unsigned n;			/**< counts requests of this kind, from 1 */
	const char *token;		/**< "": none */
	int is_for_leader;		/**< the header hasleader */
	int64_t id;			/**< of the lease, or the watch */
	const char *key;		/**< of the watch */
};

/** A server.  It hands its requests to `answer`. */
struct fake *fake_new(struct event_base *base, void (*answer)(struct fake_request *));
void fake_free(struct fake *fake);

/** Sets how the server treats connections that are made from now on. */
struct fake_manners {
	SSL_CTX *tls;			/**< NULL: plain */
	uint32_t max_streams;		/**< 0: nghttp2's default */
	int is_window_shut;		/**< accepts no request body */
	int is_silent;			/**< accepts the connection and sends nothing */
	const char *greeting;		/**< sends this instead of HTTP/2, then closes */
	unsigned n_pings;		/**< sends this many PINGs at once */
	int is_leaving;			/**< sends GOAWAY at once */
};
void fake_behave(struct fake *fake, struct fake_manners manners);

/** The server's URL, for evlock_etcd_options. */
const char *fake_url(const struct fake *fake);

/** Returns the requests since the last call, as "grant enter".  Status and unwatch requests are
 * left out. */
const char *fake_asked(struct fake *fake);
unsigned fake_count(const struct fake *fake, enum fake_kind kind);
unsigned fake_connections(const struct fake *fake);	/**< accepted since the server began */
unsigned fake_pings(const struct fake *fake);		/**< received from clients */

/** The store revision that answers report; 5 at first. */
void fake_set_revision(struct fake *fake, int64_t revision);

/** Answers well. */
void fake_answer(struct fake_request *q, const ProtobufCMessage *message);

/** Answers as a healthy etcd does for its only client.  A watch is created and then reports
 * nothing. */
void fake_be_nice(struct fake_request *q);

/** Answers a transaction.  A revision of 0 means that nothing was found. */
void fake_txn(struct fake_request *q, int is_succeeded, int64_t create_revision,
    int64_t guard_revision);

/** Ends the stream with a gRPC status. */
void fake_fail(struct fake_request *q, int status, const char *text);

/** Sends any answer.  Fields that are 0 or NULL are left out. */
struct fake_reply {
	const char *http_status, *content_type;
	const void *bytes;
	size_t size;
	const char *grpc_status, *grpc_message;
	int is_open;			/**< the stream does not end */
};
void fake_send(struct fake_request *q, const struct fake_reply *reply);

/** Resets the stream, or closes the connection, or sends GOAWAY: streams with a higher number than
 * `last` are not processed. */
void fake_reset(struct fake_request *q, uint32_t error);
void fake_hang_up(struct fake_request *q);
void fake_be_deaf(struct fake_stream *stream, int is_deaf);	/**< reads nothing, nor PINGs */
void fake_go_away(struct fake_request *q, int32_t last);
int32_t fake_stream_id(const struct fake_request *q);

/** Sends an event on a stream of watches. */
void fake_tell_created(struct fake_stream *stream, int64_t id, int64_t revision);
void fake_tell_canceled(struct fake_stream *stream, int64_t id, int is_created, const char *reason);
void fake_tell_deleted(struct fake_stream *stream, int64_t id, int64_t revision);
void fake_end_stream(struct fake_stream *stream, const char *status, const char *text);

#endif
