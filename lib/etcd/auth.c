/* SPDX-License-Identifier: BSD-3-Clause */

/* The token of a user; see auth.h.  Neither it nor the password is ever written anywhere. */

#include <string.h>

#include <openssl/crypto.h>

#include "auth.h"
#include "memory.h"

static int
write_question(struct evbuffer *out, void *arg)
{
	const struct evl_auth *auth = arg;

	return evl_ask_authenticate(out, auth->user, auth->password);
}

static const struct evl_question question = {
	"/v3/auth/authenticate", EVL_TOKEN_REPLY, write_question
};

/* Whoever waits for it goes on, or is told why not. */
static void
on_reply(const struct evl_reply *reply, void *arg)
{
	struct evl_auth *auth = arg;

	auth->serial++;
	auth->is_off = reply->verdict == EVL_NO_AUTH;
	if (reply->verdict == EVL_ANSWERED)
		memcpy(auth->token, reply->token, sizeof auth->token);
	else if (!auth->is_off)
		evl_call_fail_all(auth->net, reply);
	evl_call_pump(auth->net);
}

struct evl_auth *
evl_auth_new(struct evl_net *net, const char *user, const char *password)
{
	struct evl_auth *auth = evl_etcd_alloc(sizeof *auth);

	if (!auth)
		return NULL;
	auth->net = net;
	auth->user = evl_etcd_strdup(user);
	auth->password = evl_etcd_strdup(password);
	if (auth->user && auth->password && evl_call_init(&auth->call, net, on_reply, auth) == 0) {
		auth->call.is_open = auth->call.is_urgent = 1;
		return auth;
	}
	evl_auth_free(auth);
	return NULL;
}

void
evl_auth_free(struct evl_auth *auth)
{
	evl_call_clear(&auth->call);
	if (auth->password)
		OPENSSL_cleanse(auth->password, strlen(auth->password));
	OPENSSL_cleanse(auth->token, sizeof auth->token);
	evl_etcd_free(auth->password);
	evl_etcd_free(auth->user);
	evl_etcd_free(auth);
}

void
evl_auth_want(struct evl_auth *auth)
{
	if (auth->call.state == EVL_CALL_IDLE)
		evl_call_start(&auth->call, &question);
}

void
evl_auth_expire(struct evl_auth *auth, unsigned serial)
{
	if (auth->serial != serial)
		return;
	auth->is_off = 0;
	OPENSSL_cleanse(auth->token, sizeof auth->token);
}
