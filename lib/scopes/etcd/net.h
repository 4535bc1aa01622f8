/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef EVL_NET_H_INCLUDED_
#define EVL_NET_H_INCLUDED_

/* The connection that a session uses, and the health of the member at its other end.
 *
 * A line is a connection with the address that it leads to.  One line is in use, `now`, and carries
 * everything.  Another one is dialed
 *
 *  - when no line is in use, or when the member closes it;
 *  - when a question is late, and the member has not answered a PING in time either.  The line
 *    stays in use until another one is open.  If the member answers first, it stays;
 *  - when the member reports that it has no leader, so it cannot help.
 *
 * A slow member still answers PINGs, and its line stays in use: patience grows with the time that
 * its answers take.  A shortage on this machine says nothing about the member, so the same address
 * is tried again later.
 *
 * Part of a session.  Like all of lib/scopes/etcd it is used only in the thread of the session's
 * base.  Called by calls, watches, member and session; calls back its listeners. */

#include <openssl/ssl.h>

#include "base/list.h"
#include "scopes/etcd/h2.h"
#include "scopes/etcd/reply.h"
#include "scopes/etcd/route.h"

struct evlock_etcd_options;

/** One connection, and the address that it leads to. */
struct evl_line {
	struct evl_link link;		/**< in net->dials, until it is open */
	struct evl_net *net;
	struct evl_h2 *h2;
	struct evl_stop stop;
};

/** Callbacks for changes, called from the loop. */
struct evl_listener {
	struct evl_link link;
	/** Another line is in use.  All streams on the line before have ended, or will end. */
	void (*opened)(void *arg);
	/** No address leads to an etcd: other servers answer there. */
	void (*failed)(void *arg, const struct evl_reply *reply);
	void *arg;
};

struct evl_net {
	struct event_base *base;
	SSL_CTX *tls;			/**< NULL: plain HTTP */
	struct evl_route route;
	struct evl_line *now;		/**< in use, or NULL */
	struct evl_link dials;		/**< lines that are not open yet */
	struct evl_link closing;	/**< connections, freed after their streams' callbacks */
	struct evl_link listeners;
	struct event *timer;		/**< a pause ends, or a dial may be late */
	struct event *doubt;		/**< the answer to a PING is late */
	unsigned ttl;			/**< of the session, in milliseconds */
	unsigned patience;		/**< milliseconds to wait for an answer; learned */
	unsigned n_failed;		/**< lines that failed since the last answer */
	unsigned n_foreign;		/**< last lines in a row that did not lead to an etcd */
	unsigned n_unfit;		/**< members found unfit since the last answer */
	uint8_t is_paused;		/**< `timer` will dial */
	uint8_t is_doubting;		/**< `doubt` is set */
	uint8_t is_suspect;		/**< `now` does not answer: another line is dialed */
	uint8_t is_unfit;		/**< `now` cannot help: another line is dialed */
	uint8_t is_skipping;		/**< an address that leads to `now` is being skipped */
	char reason[EVL_REASON_SIZE];	/**< the last failure, for a person to read */
	/** Called for a failure that a person should learn of at once. */
	void (*complain)(void *arg, const char *reason);
	void *arg;
};

/** `ttl` is in seconds.  Returns 0, or -1 with errno EINVAL or ENOMEM.  The caller must call
 * evl_net_clear() in both cases. */
int evl_net_init(struct evl_net *net, struct event_base *base,
    const struct evlock_etcd_options *options, unsigned ttl);

/** The caller must have stopped all calls and watches.  Name lookups that are under way end in the
 * next turn of the loop. */
void evl_net_clear(struct evl_net *net);

void evl_net_listen(struct evl_net *net, struct evl_listener *listener);

/** Returns the connection in use.  NULL: there is none now; `opened` will be called. */
struct evl_h2 *evl_net_h2(struct evl_net *net);

/** Returns the :authority header for the connection in use. */
const char *evl_net_authority(const struct evl_net *net);

/** Has the member answered a PING that was sent at `time` or later? */
int evl_net_is_heard(const struct evl_net *net, int64_t time);

/** A question is late: sends a PING.  If it is not answered in time, another line is dialed. */
void evl_net_suspect(struct evl_net *net);

/** The member cannot help: dials another one, if there is one.  Notes the reason as
 * evl_net_note_reason() does. */
void evl_net_be_unfit(struct evl_net *net, const char *reason, int is_urgent);

/** A question that was sent at `sent` has been answered.  `is_fit`: the answer needed a leader. */
void evl_net_note_answer(struct evl_net *net, int64_t sent, int is_fit);

/** Notes what went wrong, and reports it at once if `is_urgent`. */
void evl_net_note_reason(struct evl_net *net, const char *reason, int is_urgent);

/** Returns how long to pause after that many failures.  The pause doubles with each failure, from
 * 50 ms to 2 s.  A random part keeps clients that failed together from coming back together. */
struct timeval evl_net_pause(unsigned n_failed);

struct timeval evl_net_ms(unsigned ms);

/** Fills `bytes` with random data that cannot be predicted. */
void evl_net_random(void *bytes, size_t size);

#endif
