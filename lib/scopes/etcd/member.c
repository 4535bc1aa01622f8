/* SPDX-License-Identifier: BSD-3-Clause */

/* The state of the member in use; see member.h. */

#include <stdio.h>

#include "scopes/etcd/member.h"

static int
write_question(struct evbuffer *out, void *arg)
{
	(void)arg;
	return evl_ask_status(out);
}

static const struct evl_question question = {
	"/etcdserverpb.Maintenance/Status", EVL_STATUS_REPLY, 0, write_question
};

/* Is it older than 3.5, or unknown? */
static int
is_old(const char *version)
{
	unsigned major, minor;

	return sscanf(version, "%u.%u", &major, &minor) != 2 || major < 3 ||
	    (major == 3 && minor < 5);
}

/* Without an answer, the member is treated as an old one. */
static void
on_reply(const struct evl_reply *reply, void *arg)
{
	struct evl_member *member = arg;

	if (reply->verdict != EVL_ANSWERED)
		return;
	member->watches->is_late_teller = (uint8_t)is_old(reply->version);
	if (!reply->leader)
		evl_net_be_unfit(member->call.calls->net, "the member has no leader", 1);
}

static void
on_opened(void *arg)
{
	struct evl_member *member = arg;

	member->watches->is_late_teller = 1;
	evl_call_stop(&member->call);
	evl_call_start(&member->call, &question);
}

int
evl_member_init(struct evl_member *member, struct evl_calls *calls, struct evl_watches *watches)
{
	if (evl_call_init(&member->call, calls, on_reply, member) < 0)
		return -1;
	member->call.is_open = member->call.is_urgent = 1;
	member->watches = watches;
	member->listener.opened = on_opened;
	member->listener.arg = member;
	evl_net_listen(calls->net, &member->listener);
	return 0;
}

void
evl_member_clear(struct evl_member *member)
{
	evl_call_clear(&member->call);
}
