/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef EVL_NET_H_INCLUDED_
#define EVL_NET_H_INCLUDED_

/* The connection that a session uses, and what is thought of the member at its other end.
 *
 * There is one line in use, `now`, that everything goes over.  Others are dialed
 *
 *  - when there is none, or the member closes it;
 *  - when a question is late and the member has not answered a PING for a while.  It stays in use
 *    until another one is open: whichever answers first wins;
 *  - when the member says that it cannot help, as it has no leader.
 *
 * A member that is only slow answers PINGs, and is let be: patience grows with what it needs.  A
 * shortage on this machine says nothing about the member; the same address is tried again later.
 *
 * Part of a session; used by the thread of its base alone, as all of lib/scopes/etcd is.  Called by calls,
 * watches, member and session; calls back those who listen. */

#include <openssl/ssl.h>

#include "base/list.h"
#include "scopes/etcd/h2.h"
#include "scopes/etcd/reply.h"
#include "scopes/etcd/route.h"

struct evlock_etcd_options;

/** One connection and where it leads. */
struct evl_line {
	struct evl_link link;		/**< in net->dials, until it is open */
	struct evl_net *net;
	struct evl_h2 *h2;
	struct evl_stop stop;
};

/** Who is told of changes, from the loop. */
struct evl_listener {
	struct evl_link link;
	/** Another line is in use: what was open on the one before has ended, or will. */
	void (*opened)(void *arg);
	/** What is there is no etcd, at none of the addresses. */
	void (*failed)(void *arg, const struct evl_reply *reply);
	void *arg;
};

struct evl_net {
	struct event_base *base;
	SSL_CTX *tls;			/**< NULL: plain HTTP */
	struct evl_route route;
	struct evl_line *now;		/**< in use, or NULL */
	struct evl_link dials;		/**< lines that are not open yet */
	struct evl_link closing;	/**< connections that go once their streams have been told */
	struct evl_link listeners;
	struct event *timer;		/**< a pause ends, or it is time to look at the dials */
	struct event *doubt;		/**< a PING should have been answered */
	unsigned ttl;			/**< milliseconds, of the session */
	unsigned patience;		/**< milliseconds to wait for an answer; learned */
	unsigned n_failed;		/**< lines, since the last answer */
	unsigned n_foreign;		/**< the last ones, that met something else than etcd */
	unsigned n_unfit;		/**< members that could not help, since the last answer */
	uint8_t is_paused;		/**< `timer` will dial */
	uint8_t is_doubting;		/**< `doubt` is set */
	uint8_t is_suspect;		/**< `now` does not answer: another one is sought */
	uint8_t is_unfit;		/**< `now` cannot help: the same */
	uint8_t is_skipping;		/**< an address was passed over, as it leads to `now` */
	char reason[EVL_REASON_SIZE];	/**< what went wrong last, for a person */
	/** Called when something goes wrong that a person should know of at once. */
	void (*complain)(void *arg, const char *reason);
	void *arg;
};

/** `ttl` is in seconds.  Returns -1 with errno EINVAL or ENOMEM; then it is to be cleared as
 * well. */
int evl_net_init(struct evl_net *net, struct event_base *base,
    const struct evlock_etcd_options *options, unsigned ttl);

/** All calls and watches have been stopped by then.  Names that are looked up are given up in the
 * next turn of the loop. */
void evl_net_clear(struct evl_net *net);

void evl_net_listen(struct evl_net *net, struct evl_listener *listener);

/** The connection in use; NULL: there is none now, and the listeners will be told. */
struct evl_h2 *evl_net_h2(struct evl_net *net);

/** The header :authority for it. */
const char *evl_net_authority(const struct evl_net *net);

/** Has the member shown that it is alive since `time`, by an answer to a PING? */
int evl_net_is_heard(const struct evl_net *net, int64_t time);

/** A question is late: asks the member for a sign of life, and looks elsewhere if none comes. */
void evl_net_suspect(struct evl_net *net);

/** The member cannot help: looks elsewhere, if there is another one.  The reason is noted as
 * below. */
void evl_net_be_unfit(struct evl_net *net, const char *reason, int is_urgent);

/** A question that was sent at `sent` has had its answer, which took a leader if `is_fit`. */
void evl_net_note_answer(struct evl_net *net, int64_t sent, int is_fit);

/** Notes a reason, and tells it at once if `is_urgent`. */
void evl_net_note_reason(struct evl_net *net, const char *reason, int is_urgent);

/** How long to wait after so many failures: doubled each time from 50 ms to 2 s, and never the same
 * for all who failed together. */
struct timeval evl_net_pause(unsigned n_failed);

struct timeval evl_net_ms(unsigned ms);

/** Fills `bytes` with what nobody can guess. */
void evl_net_random(void *bytes, size_t size);

#endif
