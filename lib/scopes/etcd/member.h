/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef EVL_MEMBER_H_INCLUDED_
#define EVL_MEMBER_H_INCLUDED_

/* Checks the state of each member that comes into use: whether it knows a leader, and whether its
 * version may report events of watches late.  Part of session. */

#include "scopes/etcd/call.h"
#include "scopes/etcd/watches.h"

struct evl_member {
	struct evl_call call;
	struct evl_watches *watches;
	struct evl_listener listener;
};

/** Returns 0, or -1 with errno ENOMEM. */
int evl_member_init(struct evl_member *member, struct evl_calls *calls,
    struct evl_watches *watches);
void evl_member_clear(struct evl_member *member);

#endif
