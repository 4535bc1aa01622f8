/* SPDX-License-Identifier: BSD-3-Clause */

/* Users that are known by the common names of their certificates, on a real etcd; see named.sh.
 * "alice" may access the keys under "open/". */

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../shim.h"
#include "story.h"

static struct evlock_etcd *session;

static void
begin(const char *user, const char *its_prefix)
{
	const char *folder = getenv("EVLOCK_ETCD_FOLDER");
	char ca[200], cert[200], key[200];
	struct evlock_etcd_options options = { .endpoints = getenv("EVLOCK_ETCD_URL"), .ttl = 5,
	    .prefix = its_prefix, .ca_file = ca };

	signal(SIGPIPE, SIG_IGN);
	base = event_base_new();
	snprintf(ca, sizeof ca, "%s/authority.crt", folder);
	snprintf(cert, sizeof cert, "%s/%s.crt", folder, user);
	snprintf(key, sizeof key, "%s/%s.key", folder, user);
	if (*user) {
		options.cert_file = cert;
		options.key_file = key;
	}
	session = open_session("s", &options);
}

static void
end(void)
{
	evlock_etcd_close(session);
	run_until(1);
	event_base_free(base);
}

static void
assert_told(const char *story)
{
	struct player a = new_player("a", session, "x", &a);

	want(&a, EXCLUSIVE);
	cr_assert_str_eq(run_until(2), story);
	evl_place_free(a.place);
	end();
}

Test(etcd_named, a_certificate_is_enough)
{
	begin("alice", "open/");
	assert_told("s:ready a:in");
}

Test(etcd_named, and_no_more_than_enough)
{
	begin("alice", "closed/");
	assert_told("s:ready a:Permission denied");
}

Test(etcd_named, without_one_nobody_is_known)
{
	begin("", "open/");
	cr_assert_str_eq(run_until(1), "s:connecting");
	cr_assert_not_null(strstr(reason, "certificate"), "%s", reason);
	end();
}
