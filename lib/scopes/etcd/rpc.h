/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef EVL_RPC_H_INCLUDED_
#define EVL_RPC_H_INCLUDED_

/* One gRPC call: an HTTP/2 stream with the headers of gRPC.  Cuts messages out of its data, and
 * reads the status at its end.  Called by call, for one question and its answer, and by watches. */

#include "scopes/etcd/h2.h"

struct evl_rpc;

/** Called from the loop: there may be a message, or the call is over.  May free the call. */
typedef void (*evl_rpc_cb)(struct evl_rpc *rpc, void *arg);

struct evl_rpc {
	struct evl_h2_stream stream;	/**< first */
	struct evbuffer *in;		/**< received data that has not been taken yet */
	evl_rpc_cb cb;
	void *arg;
	size_t limit;			/**< largest size of one message */
	int http_status;		/**< 0: no header has come */
	int status;			/**< of gRPC; EVL_STATUS_LOST: none has come */
	int failure;			/**< our own status if the data is invalid, else 0 */
	char text[EVL_REASON_SIZE];	/**< the reason for status or failure */
	uint8_t is_grpc;		/**< the content type says so */
};

struct evl_rpc_options {
	const char *path;
	const char *authority;
	const char *token;		/**< NULL or "": no token */
	size_t limit;
	int is_for_leader;		/**< the member must end the call when it has no leader */
};

/** Starts a call.  Returns NULL if the connection cannot take it, or there is no memory. */
struct evl_rpc *evl_rpc_new(struct evl_h2 *h2, const struct evl_rpc_options *options, evl_rpc_cb cb,
    void *arg);

/** Ends the call, if it is not over, and frees it. */
void evl_rpc_free(struct evl_rpc *rpc);

/** Returns the buffer to which messages are added, with their prefixes, before evl_rpc_send(). */
static inline struct evbuffer *
evl_rpc_out(struct evl_rpc *rpc)
{
	return rpc->stream.out;
}

/** Sends the messages that were added.  `is_last`: there will be no further messages. */
void evl_rpc_send(struct evl_rpc *rpc, int is_last);

/** Looks for a complete message.  Returns 1 if there is one: it is at `*bytes` until evl_rpc_take()
 * removes it.  Returns 0 if there is none. */
int evl_rpc_peek(struct evl_rpc *rpc, const uint8_t **bytes, size_t *size);
void evl_rpc_take(struct evl_rpc *rpc);

/** The received data is invalid: the call is over, with that status. */
void evl_rpc_fail(struct evl_rpc *rpc, int status, const char *text);

static inline int
evl_rpc_is_over(const struct evl_rpc *rpc)
{
	return rpc->stream.is_closed || rpc->failure;
}

/** Tells how the call ended. */
void evl_rpc_end(const struct evl_rpc *rpc, struct evl_ending *ending);

#endif
