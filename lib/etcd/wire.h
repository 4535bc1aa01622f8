/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef EVL_WIRE_H_INCLUDED_
#define EVL_WIRE_H_INCLUDED_

/* One connection to an endpoint, which carries one request at a time: the only user of evhttp.
 *
 *	       ask              the answer ends
 *	idle --------> asked ---------------------> done --------> idle again, or freed
 *
 * Whoever asked is called back from an event of the wire's own, never from inside evhttp: so it
 * may do anything, free the wire too.  Called by call and watch. */

#include <event2/buffer.h>

#include "net.h"

struct event;
struct evhttp_connection;
struct evhttp_request;

/** Called when there is more of a stream, and when the answer has ended. */
typedef void (*evl_wire_cb)(struct evl_wire *wire, void *arg);

struct evl_wire {
	struct evl_link link;		/**< in net->idle, while nobody uses it */
	struct evl_net *net;
	unsigned turn;			/**< of net, when it was made */
	struct evhttp_connection *http;
	struct evhttp_request *request;	/**< the last one */
	SSL *ssl;			/**< belongs to the connection; NULL: plain HTTP */
	struct event *wake;		/**< runs `cb` */
	evl_wire_cb cb;
	void *arg;
	struct evbuffer *text;		/**< what has been answered */
	int status;			/**< of HTTP; 0: none was received */
	const char *failure;		/**< why there is no whole answer; NULL: there is */
	unsigned n_asked;
	uint8_t is_used;		/**< not in net->idle */
	uint8_t is_done;		/**< no more will come */
	uint8_t is_closed;		/**< by the other side */
	uint8_t is_foreign;		/**< what is there is not etcd */
	uint8_t is_unconnected;		/**< the request cannot have been received */
};

#define EVL_WIRE(l) EVL_CONTAINER(l, struct evl_wire, link)

/** What is asked, and how. */
struct evl_question {
	const char *path;
	enum evl_kind_of_reply kind;
	/** Writes the body, anew for each attempt.  Returns -1 if there is no memory. */
	int (*write)(struct evbuffer *out, void *arg);
};

/** Makes a wire, or takes an idle one if there is any.  NULL with errno ENOMEM. */
struct evl_wire *evl_wire_new(struct evl_net *net, evl_wire_cb cb, void *arg);
struct evl_wire *evl_wire_get(struct evl_net *net, evl_wire_cb cb, void *arg);

/** Asks.  Returns -1 if there is no memory; then the wire is of no use any more. */
int evl_wire_ask(struct evl_wire *wire, const struct evl_question *question, const char *token,
    void *arg);

/** Gives a wire back, for others if it can be used again. */
void evl_wire_put(struct evl_wire *wire);
void evl_wire_free(struct evl_wire *wire);

#endif
