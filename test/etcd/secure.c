/* SPDX-License-Identifier: BSD-3-Clause */

/* TLS and users, on a real etcd; see secure.sh.  Its certificate is valid for 127.0.0.1 only.  The
 * user "guest", password "g", may access the keys under "open/". */

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../shim.h"
#include "scopes/etcd/session.h"
#include "story.h"

static struct evlock_etcd *session;
static char url[100], trusted[200], stranger[200];

static void
begin(void)
{
	const char *folder = getenv("EVLOCK_ETCD_FOLDER");

	signal(SIGPIPE, SIG_IGN);
	base = event_base_new();
	snprintf(url, sizeof url, "%s", getenv("EVLOCK_ETCD_URL"));
	snprintf(trusted, sizeof trusted, "%s/authority.crt", folder);
	snprintf(stranger, sizeof stranger, "%s/stranger.crt", folder);
}

static void
open_with(const char *endpoint, const char *ca_file, const char *password)
{
	struct evlock_etcd_options options = {
		.endpoints = endpoint, .ca_file = ca_file, .ttl = 5, .user = "guest",
		.password = password, .prefix = "open/", .flags = EVLOCK_ETCD_PLAIN_PASSWORD
	};

	session = open_session("s", &options);
}

static void
open_trusted(struct evlock_etcd_options *options)
{
	options->endpoints = url;
	options->ca_file = trusted;
	session = open_session("s", options);
}

static void
end(void)
{
	evlock_etcd_close(session);
	run_until(1);
	event_base_free(base);
}

Test(etcd_secure, all_is_well)
{
	begin();
	open_with(url, trusted, "g");
	cr_assert_str_eq(run_until(1), "s:ready");
	end();
}

Test(etcd_secure, several_wait_for_the_token)
{
	struct player a, b;

	begin();
	open_with(url, trusted, "g");
	a = new_player("a", session, "x", &a);
	b = new_player("b", session, "y", &b);
	want(&a, EXCLUSIVE);
	want(&b, SHARED);
	cr_assert_str_eq(run_until_all(3), "a:in b:in s:ready");
	evl_place_free(a.place);
	evl_place_free(b.place);
	end();
}

Test(etcd_secure, tokens_end_and_are_renewed)
{
	struct player a;

	begin();
	open_with(url, trusted, "g");
	a = new_player("a", session, "x", &a);
	cr_assert_str_eq(run_until(1), "s:ready");
	cr_assert_str_eq(run_for(6000), "", "no state has changed");
	want(&a, EXCLUSIVE);
	cr_assert_str_eq(run_until(1), "a:in");
	cr_assert_gt(session->auth.token.serial, 1);
	evl_place_free(a.place);
	end();
}

/* Makes a request, and checks what the session and the request report. */
static void
assert_told(const char *story)
{
	struct player a = new_player("a", session, "x", &a);

	want(&a, EXCLUSIVE);
	cr_assert_str_eq(run_until(2), story);
	evl_place_free(a.place);
}

Test(etcd_secure, a_wrong_password)
{
	begin();
	open_with(url, trusted, "wrong");
	assert_told("a:Permission denied s:connecting");
	cr_assert_null(strstr(reason, "wrong"), "%s", reason);
	end();
}

Test(etcd_secure, no_user_at_all)
{
	struct evlock_etcd_options options = { .ttl = 5, .prefix = "open/" };

	begin();
	open_trusted(&options);
	assert_told("s:ready a:Permission denied");
	end();
}

Test(etcd_secure, keys_that_are_not_allowed)
{
	struct evlock_etcd_options options = { .ttl = 5, .prefix = "closed/", .user = "guest",
	    .password = "g" };

	begin();
	open_trusted(&options);
	assert_told("s:ready a:Permission denied");
	end();
}

/* The password is never sent in plain text, and never to a server that is not trusted. */
static void
assert_distrusted(const char *endpoint, const char *ca_file, const char *why)
{
	open_with(endpoint, ca_file, "g");
	cr_assert_str_eq(run_until(1), "s:connecting");
	cr_assert_not_null(strstr(reason, why), "%s", reason);
	end();
}

Test(etcd_secure, an_authority_that_is_not_trusted)
{
	begin();
	assert_distrusted(url, stranger, "unable to get local issuer certificate");
}

Test(etcd_secure, the_system_does_not_trust_it)
{
	begin();
	assert_distrusted(url, NULL, "unable to get local issuer certificate");
}

Test(etcd_secure, another_name_than_the_certificate_has)
{
	char named[100];

	begin();
	snprintf(named, sizeof named, "https://localhost%s", strrchr(url, ':'));
	assert_distrusted(named, trusted, "ostname mismatch");
}

/* A TLS server does not answer plain text, and a plain server does not answer TLS. */
Test(etcd_secure, plain_text_is_no_answer)
{
	char plain[100];

	begin();
	snprintf(plain, sizeof plain, "http%s", url + 5);
	assert_distrusted(plain, NULL, "does it need TLS?");
}
