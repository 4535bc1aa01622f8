/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef EVL_CALL_H_INCLUDED_
#define EVL_CALL_H_INCLUDED_

/* One question to the cluster, repeated until it is answered.
 *
 *	            start                  a line is open, there is a token        answered
 *	EVL_CALL_IDLE --> EVL_QUEUED_CALL ----------------------> EVL_ASKED ---------> cb, IDLE
 *	                    ^     ^                                  |   |
 *	                    |     +----------------------------------+   | failed
 *	                    |        late, but the member is alive       v
 *	                    +---------------------------------------- EVL_PAUSED
 *	                               after a pause
 *
 * A question must be harmless when it is asked twice: if it gets no answer, it may or may not have
 * been carried out, or may be carried out later.  A late question is not repeated until the member
 * has answered a PING that was sent after it.  Until then the question may still be on its way.
 *
 * Part of member, session, place and auth.  Each has one call, because each asks one question at a
 * time. */

#include "scopes/etcd/net.h"
#include "scopes/etcd/rpc.h"
#include "scopes/etcd/token.h"

/** The most calls that may be open at once.  Further calls wait, unless they are urgent. */
#define EVL_MOST_CALLS 64

enum evl_call_state { EVL_CALL_IDLE, EVL_QUEUED_CALL, EVL_ASKED, EVL_PAUSED };

/** All calls of a session. */
struct evl_calls {
	struct evl_net *net;
	struct evl_token *token;	/**< NULL: no authentication */
	struct evl_listener listener;
	struct evl_link waiting;	/**< calls in QUEUED_CALL */
	unsigned n_open;		/**< calls in ASKED */
	int64_t revision;		/**< the highest revision seen */
	/** Called when the cluster's revision decreases: the cluster has lost data. */
	void (*went_back)(void *arg);
	void *arg;
};

/** A kind of question. */
struct evl_question {
	const char *path;
	enum evl_kind_of_reply kind;
	int is_ordered;			/**< the answer reflects all earlier changes */
	/** Writes the message, anew for each attempt.  Returns 0, or -1 if there is no memory. */
	int (*write)(struct evbuffer *out, void *arg);
};

/** Called from the loop.  May start the call again, or free the structure that contains it. */
typedef void (*evl_call_cb)(const struct evl_reply *reply, void *arg);

struct evl_call {
	struct evl_link link;		/**< QUEUED_CALL: in calls->waiting */
	struct evl_calls *calls;
	struct evl_rpc *rpc;		/**< ASKED */
	struct event *timer;		/**< ASKED: the answer is late; PAUSED: the pause is over */
	const struct evl_question *question;
	evl_call_cb cb;
	void *arg;			/**< of cb and of question->write */
	int64_t begun;			/**< when the call was started, see clock.h */
	int64_t sent;			/**< when the last attempt was sent */
	int64_t seen;			/**< calls->revision at that time */
	unsigned patience;		/**< milliseconds to wait for this attempt */
	unsigned n_failed;		/**< failed attempts */
	unsigned n_late;		/**< attempts that a live member did not answer */
	unsigned n_foreign;		/**< last attempts in a row whose answer was not etcd's */
	unsigned token_serial;		/**< serial of the token sent with the last attempt */
	uint8_t state;
	uint8_t is_unsure;		/**< an attempt may have had an effect, or have one later */
	uint8_t is_urgent;		/**< not limited by EVL_MOST_CALLS, and goes first */
	uint8_t is_open;		/**< needs no token */
};

/** `token` may be NULL. */
void evl_call_init_all(struct evl_calls *calls, struct evl_net *net, struct evl_token *token);

/** Sends the calls that wait, as far as a line, the token and EVL_MOST_CALLS allow. */
void evl_call_pump_all(struct evl_calls *calls);

/** Ends all waiting calls with `reply`: no line, or no token, can be had. */
void evl_call_fail_all(struct evl_calls *calls, const struct evl_reply *reply);

/** Returns 0, or -1 with errno ENOMEM. */
int evl_call_init(struct evl_call *call, struct evl_calls *calls, evl_call_cb cb, void *arg);
void evl_call_clear(struct evl_call *call);

/** Starts an idle call. */
void evl_call_start(struct evl_call *call, const struct evl_question *question);

/** The same after a pause, because the last answer was a refusal. */
void evl_call_start_later(struct evl_call *call, const struct evl_question *question);

/** Ends the call without an answer.  Does nothing if it is idle. */
void evl_call_stop(struct evl_call *call);

#endif
