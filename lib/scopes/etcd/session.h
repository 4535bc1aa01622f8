/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef EVL_SESSION_H_INCLUDED_
#define EVL_SESSION_H_INCLUDED_

/* A session: one lease, and the time until which it is certainly valid.  Whatever depends on the
 * lease is a tenant of the session.  Called by the user, and by place, whose places are tenants. */

#include <sys/types.h>

#include <evlock/etcd.h>

#include "scopes/etcd/auth.h"
#include "scopes/etcd/call.h"
#include "scopes/etcd/member.h"
#include "scopes/etcd/names.h"
#include "scopes/etcd/watches.h"

/** The phases of a session.  In each, `call` does something else with the lease.
 *
 *	          extend()             evl_session_lose()                seek()
 *	SEEKING -----------> KEEPING ---------------------> REVOKING -----------> SEEKING
 *	    |                   |                              |
 *	    +-------------------+------------------------------+
 *	                        | evlock_etcd_close()
 *	                        v                 on_beat()
 *	                     CLOSING ---------------------------------> CLOSED ----> freed
 *	                        the lease is revoked, or has run out
 *
 * A session is CLOSED for one turn of the loop, in which libevent ends name lookups.
 */
enum evl_phase { EVL_SEEKING, EVL_KEEPING, EVL_REVOKING, EVL_CLOSING, EVL_CLOSED };

struct evl_tenant;

/** The callbacks of a tenant.  Each may free the tenant. */
struct evl_tenant_ops {
	void (*go)(struct evl_tenant *tenant);		/**< the session has got a lease */
	void (*lose)(struct evl_tenant *tenant, int error);	/**< the lease is gone */
	/** No lease can be had for now: requests that wait for one fail. */
	void (*refuse)(struct evl_tenant *tenant, int error);
	void (*abandon)(struct evl_tenant *tenant);	/**< the session is being freed */
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
	int64_t lease;			/**< we choose the id, so that asking twice is harmless */
	int64_t valid_until;		/**< of the lease, see clock.h; 0: there is no lease */
	unsigned ttl;			/**< seconds */
	unsigned n_ids;			/**< number of ids given to places */
	enum evl_phase phase;
	enum evlock_etcd_state state;	/**< the last one that `cb` was called with */
	struct event *beat;		/**< next keepalive; in CLOSING and CLOSED: next step */
	struct event *doubt;		/**< no answer for a third of the ttl */
	struct event *deadline;		/**< the lease ends; a timerfd, as its clock never stops */
	struct event *announce;		/**< calls `cb` with `complaint`, or with LOST */
	struct evl_link tenants;
	struct evl_names names;		/**< finds a tenant by the name of its lock */
	evlock_etcd_cb cb;
	void *arg;
	char *prefix;
	char *holder;			/**< describes the session to a person */
	char complaint[EVL_REASON_SIZE];	/**< last one since the lease was extended, or "" */
	uint8_t has_complaint;		/**< `announce` must call `cb` with it */
	uint8_t has_gone_back;		/**< the cluster has lost data: `announce` must report it */
	pid_t pid;			/**< of the process that opened it */
};

/** Is this a forked child of the process that opened the session?  Then its connections and events
 * are the parent's. */
int evl_session_is_inherited(const struct evlock_etcd *session);

/** Is there a lease that places can enter queues with? */
static inline int
evl_session_is_alive(const struct evlock_etcd *session)
{
	return session->phase == EVL_KEEPING && session->valid_until;
}

/** Gives the lease up, because the cluster says it is gone, or for the given reason. */
void evl_session_lose(struct evlock_etcd *session, const char *reason);

/** Returns the errno for a refusal. */
int evl_session_error(enum evl_verdict verdict);

#endif
