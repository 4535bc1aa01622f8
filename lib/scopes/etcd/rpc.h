/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef EVL_RPC_H_INCLUDED_
#define EVL_RPC_H_INCLUDED_

/* One call of gRPC: a stream of HTTP/2 with gRPC's headers, messages cut out of its data, and the
 * status at its end.  Called by call, for one question and answer, and by watches. */

#include "scopes/etcd/h2.h"

struct evl_rpc;

/** Called from the loop: there may be a message, or the call is over.  May free it. */
typedef void (*evl_rpc_cb)(struct evl_rpc *rpc, void *arg);

struct evl_rpc {
	struct evl_h2_stream stream;	/**< first */
	struct evbuffer *in;		/**< data that was not taken yet */
	evl_rpc_cb cb;
	void *arg;
	size_t limit;			/**< bytes of one message */
	int http_status;		/**< 0: no header came */
	int status;			/**< of gRPC; EVL_STATUS_LOST: none came */
	int failure;			/**< a status of ours, if what came is no good; 0: it is */
	char text[EVL_REASON_SIZE];
	uint8_t is_grpc;		/**< says so */
};

struct evl_rpc_options {
	const char *path;
	const char *authority;
	const char *token;		/**< NULL or "": none */
	size_t limit;
	int is_for_leader;		/**< is to end when the member loses its leader */
};

/** Begins a call.  NULL: the connection cannot take it, or there is no memory. */
struct evl_rpc *evl_rpc_new(struct evl_h2 *h2, const struct evl_rpc_options *options, evl_rpc_cb cb,
    void *arg);

/** Ends it, if it is not over, and frees it. */
void evl_rpc_free(struct evl_rpc *rpc);

/** Where messages for the other side are added, with their prefixes. */
static inline struct evbuffer *
evl_rpc_out(struct evl_rpc *rpc)
{
	return rpc->stream.out;
}

/** Sends what was added; there will be no more if `is_last`. */
void evl_rpc_send(struct evl_rpc *rpc, int is_last);

/** Is there a whole message?  1: it is at `*bytes` until evl_rpc_take() removes it.  0: not yet, or
 * not any more. */
int evl_rpc_peek(struct evl_rpc *rpc, const uint8_t **bytes, size_t *size);
void evl_rpc_take(struct evl_rpc *rpc);

/** What came is no good: it is over, with that status. */
void evl_rpc_fail(struct evl_rpc *rpc, int status, const char *text);

static inline int
evl_rpc_is_over(const struct evl_rpc *rpc)
{
	return rpc->stream.is_closed || rpc->failure;
}

/** How it ended. */
void evl_rpc_end(const struct evl_rpc *rpc, struct evl_ending *ending);

#endif
