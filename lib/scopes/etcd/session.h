/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef EVL_SESSION_H_INCLUDED_
#define EVL_SESSION_H_INCLUDED_

/* A session: one lease, and until when it is believed in.  Called by the user, and by place,
 * which is one of those that live on the lease: its tenants. */

#include <sys/types.h>

#include <evlock/etcd.h>

#include "scopes/etcd/auth.h"
#include "scopes/etcd/call.h"
#include "scopes/etcd/member.h"
#include "scopes/etcd/names.h"
#include "scopes/etcd/watches.h"

/** What the session does with its lease: what `call` asks, or will ask next.
 *
 *	         granted               it ended, or was not heard of in time
 *	SEEKING ---------> KEEPING -------------------------> REVOKING ----> SEEKING
 *	    |                 |                                   |     answered
 *	    +-----------------+------------ close ----------------+
 *	                                      v     answered, or too late
 *	                                   CLOSING -----------------> CLOSED ----> (gone)
 *
 * It is CLOSED for one turn of the loop, in which libevent gives up the names that it looks up.
 */
enum evl_phase { EVL_SEEKING, EVL_KEEPING, EVL_REVOKING, EVL_CLOSING, EVL_CLOSED };

struct evl_tenant;

/** What a session tells its tenants.  Each call may free the tenant. */
struct evl_tenant_ops {
	void (*go)(struct evl_tenant *tenant);		/**< there is a lease */
	void (*lose)(struct evl_tenant *tenant, int error);	/**< it is gone */
	/** There will be no lease for now: those who wait for one are told. */
	void (*refuse)(struct evl_tenant *tenant, int error);
	void (*abandon)(struct evl_tenant *tenant);	/**< the session is gone */
};

struct evl_tenant {
	struct evl_link link;		/**< in session->tenants */
	const struct evl_tenant_ops *ops;
};

struct evlock_etcd {
	struct evl_net net;
	struct evl_calls calls;
	struct evl_auth auth;
	struct evl_watches watches;
	struct evl_member member;
	struct evl_call call;		/**< about the lease */
	int64_t lease;			/**< the number is ours, so that asking twice is harmless */
	int64_t valid_until;		/**< of the lease, see clock.h; 0: there is none */
	unsigned ttl;
	unsigned n_ids;			/**< given to tenants */
	enum evl_phase phase;
	enum evlock_etcd_state state;	/**< as it was told */
	struct event *beat;		/**< the next keepalive; in CLOSING and CLOSED: enough of it */
	struct event *doubt;		/**< no answer for a third of the ttl */
	struct event *deadline;		/**< the lease ends; a timerfd, whose clock does not stop */
	struct event *announce;		/**< tells `complaint`, or that the cluster went back */
	struct evl_link tenants;
	struct evl_names names;		/**< of the tenants' locks */
	evlock_etcd_cb cb;
	void *arg;
	char *prefix;
	char *holder;			/**< what others see of who has a lock */
	char complaint[EVL_REASON_SIZE];	/**< the last one, since all was well; "": none */
	uint8_t has_complaint;		/**< it is to be told */
	uint8_t has_gone_back;		/**< the same of the cluster */
	pid_t pid;			/**< the process that made it */
};

/** Is this a forked child?  Then the connections, and what the loop waits for, are its parent's. */
int evl_session_is_inherited(const struct evlock_etcd *session);

/** Is there a lease to enter queues with? */
static inline int
evl_session_is_alive(const struct evlock_etcd *session)
{
	return session->phase == EVL_KEEPING && session->valid_until;
}

/** Somebody was told that the lease is gone. */
void evl_session_lose(struct evlock_etcd *session, const char *reason);

/** The errno for what the cluster said. */
int evl_session_error(enum evl_verdict verdict);

#endif
