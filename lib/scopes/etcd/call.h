/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef EVL_CALL_H_INCLUDED_
#define EVL_CALL_H_INCLUDED_

/* One question to the cluster, asked until it is answered.
 *
 *	        start             a line is open, there is a token       answered
 *	(idle) -------> EVL_QUEUED -------------------------> EVL_ASKED ---------> cb, (idle)
 *	                    ^                                     | failed, or late and the member
 *	                    |          a moment later             v is alive
 *	                    +-------------------------------- EVL_PAUSED
 *
 * A question must do no harm when it is asked twice: of one that was not answered nobody knows
 * whether it was carried out, or will be.  One that is late is not asked again before the member
 * has answered a PING that was sent after it: until then it may still be on its way.
 *
 * Part of member, session, place and auth, which keep one each for all that they ask, as they
 * ask one thing at a time. */

#include "scopes/etcd/net.h"
#include "scopes/etcd/rpc.h"
#include "scopes/etcd/token.h"

/** Calls under way at once.  Whoever comes later waits its turn, unless it is urgent. */
#define EVL_MOST_CALLS 64

enum evl_call_state { EVL_CALL_IDLE, EVL_QUEUED_CALL, EVL_ASKED, EVL_PAUSED };

/** All calls of a session. */
struct evl_calls {
	struct evl_net *net;
	struct evl_token *token;	/**< NULL: no authentication */
	struct evl_listener listener;
	struct evl_link waiting;	/**< for a line, for their turn, or for the token */
	unsigned n_open;		/**< ASKED */
	int64_t revision;		/**< the highest that was seen */
	/** The cluster's revision has fallen: what it had written is lost. */
	void (*went_back)(void *arg);
	void *arg;
};

/** What is asked, and how. */
struct evl_question {
	const char *path;
	enum evl_kind_of_reply kind;
	int is_ordered;			/**< its answer knows all that was done before */
	/** Writes the message, anew for each attempt.  Returns -1 if there is no memory. */
	int (*write)(struct evbuffer *out, void *arg);
};

/** Called from the loop; may start the call again, or free what it is part of. */
typedef void (*evl_call_cb)(const struct evl_reply *reply, void *arg);

struct evl_call {
	struct evl_link link;		/**< QUEUED: in calls->waiting */
	struct evl_calls *calls;
	struct evl_rpc *rpc;		/**< ASKED */
	struct event *timer;		/**< ASKED: there is no answer; PAUSED: once more */
	const struct evl_question *question;
	evl_call_cb cb;
	void *arg;			/**< for cb, and for question->write */
	int64_t begun;			/**< when it was started, see clock.h */
	int64_t sent;			/**< when the last attempt was */
	int64_t seen;			/**< calls->revision at that time */
	unsigned patience;		/**< milliseconds, with this attempt */
	unsigned n_failed;		/**< attempts */
	unsigned n_late;		/**< attempts that a live member did not answer */
	unsigned n_foreign;		/**< the last ones, that met something else than etcd */
	unsigned token_serial;		/**< at the last attempt */
	uint8_t state;
	uint8_t is_unsure;		/**< an attempt may have an effect, also later */
	uint8_t is_urgent;		/**< does not wait for its turn */
	uint8_t is_open;		/**< needs no token: it gets one */
};

/** `token` may be NULL. */
void evl_call_init_all(struct evl_calls *calls, struct evl_net *net, struct evl_token *token);

/** Goes on with those that wait for a line, their turn, or the token. */
void evl_call_pump_all(struct evl_calls *calls);

/** Answers all that wait: there will be no line, or no token. */
void evl_call_fail_all(struct evl_calls *calls, const struct evl_reply *reply);

/** Returns -1 with errno ENOMEM. */
int evl_call_init(struct evl_call *call, struct evl_calls *calls, evl_call_cb cb, void *arg);
void evl_call_clear(struct evl_call *call);

/** Asks; the call is idle. */
void evl_call_start(struct evl_call *call, const struct evl_question *question);

/** The same after a pause, as the last one had an answer that cannot be helped. */
void evl_call_start_later(struct evl_call *call, const struct evl_question *question);

/** Ends it without an answer; may be idle. */
void evl_call_stop(struct evl_call *call);

#endif
