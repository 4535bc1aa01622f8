/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef EVL_CALL_H_INCLUDED_
#define EVL_CALL_H_INCLUDED_

/* One question to the cluster, asked until it is answered.
 *
 *	        start             a wire is free, there is a token       answered
 *	(idle) -------> EVL_QUEUED -------------------------> EVL_ASKED ---------> cb, (idle)
 *	                    ^                                     | timeout, failure
 *	                    |          a moment later             v
 *	                    +-------------------------------- EVL_PAUSED
 *
 * A question must do no harm when it is asked twice: of one that was not answered nobody knows
 * whether it was carried out, or will be.  Part of session, place and auth, who keep one each for
 * all that they ask, as they ask one thing at a time. */

#include "wire.h"

/** Milliseconds to wait for an answer: a member that has lost its leader takes 6000. */
#define EVL_PATIENCE 1500

enum evl_call_state { EVL_CALL_IDLE, EVL_QUEUED_CALL, EVL_ASKED, EVL_PAUSED };

/** Called from the loop; may start the call again, or free what it is part of. */
typedef void (*evl_call_cb)(const struct evl_reply *reply, void *arg);

struct evl_call {
	struct evl_link link;		/**< QUEUED: in net->calls */
	struct evl_net *net;
	struct evl_wire *wire;		/**< ASKED */
	struct event *timer;		/**< ASKED: there is no answer; PAUSED: once more */
	const struct evl_question *question;
	evl_call_cb cb;
	void *arg;			/**< for cb, and for question->write */
	int64_t sent;			/**< when the last attempt was, see clock.h */
	unsigned patience;		/**< milliseconds, with one attempt */
	unsigned n_failed;		/**< attempts */
	unsigned n_foreign;		/**< the last ones, that met something else than etcd */
	unsigned token_serial;		/**< of auth, at the last attempt */
	uint8_t state;
	uint8_t is_unsure;		/**< an attempt may have an effect, also later */
	uint8_t is_urgent;		/**< waits for no connection: there is one more for it */
	uint8_t is_open;		/**< needs no token: it gets one */
};

/** Returns -1 with errno ENOMEM. */
int evl_call_init(struct evl_call *call, struct evl_net *net, evl_call_cb cb, void *arg);
void evl_call_clear(struct evl_call *call);

/** Asks; the call is idle. */
void evl_call_start(struct evl_call *call, const struct evl_question *question);

/** The same after a pause, as the last one had an answer that cannot be helped. */
void evl_call_start_later(struct evl_call *call, const struct evl_question *question);

/** Ends it without an answer; may be idle. */
void evl_call_stop(struct evl_call *call);

/** Goes on with those that wait for a wire, or the token. */
void evl_call_pump(struct evl_net *net);

/** Answers all that wait for the token: it cannot be had. */
void evl_call_fail_all(struct evl_net *net, const struct evl_reply *reply);

/** How long to wait after so many failures: at least doubled each time up to 2 s, and never
 * the same for all who failed together. */
struct timeval evl_call_pause(unsigned n_failed);

#endif
