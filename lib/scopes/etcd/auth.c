/* SPDX-License-Identifier: BSD-3-Clause */

/* A user's token; see auth.h.  Neither the token nor the password is ever logged. */

#include <string.h>

#include <openssl/crypto.h>

#include "scopes/etcd/auth.h"
#include "scopes/etcd/memory.h"

static int
write_question(struct evbuffer *out, void *arg)
{
	const struct evl_auth *auth = arg;

	return evl_ask_authenticate(out, auth->user, auth->password);
}

static const struct evl_question question = {
	"/etcdserverpb.Auth/Authenticate", EVL_TOKEN_REPLY, 0, write_question
};

/* The calls that wait for the token go on, or fail with the reason. */
static void
on_reply(const struct evl_reply *reply, void *arg)
{
	struct evl_auth *auth = arg;

	auth->token.serial++;
	auth->token.is_off = reply->verdict == EVL_NO_AUTH;
	if (reply->verdict == EVL_ANSWERED)
		memcpy(auth->token.text, reply->token, sizeof auth->token.text);
	else if (!auth->token.is_off)
		evl_call_fail_all(auth->call.calls, reply);
}

static void
want(void *arg)
{
	struct evl_auth *auth = arg;

	if (auth->call.state == EVL_CALL_IDLE)
		evl_call_start(&auth->call, &question);
}

int
evl_auth_init(struct evl_auth *auth, struct evl_calls *calls, const char *user,
    const char *password)
{
	if (!user)
		return 0;
	auth->token.want = want;
	auth->token.arg = auth;
	auth->user = evl_memory_strdup(user);
	auth->password = evl_memory_strdup(password);
	if (!auth->user || !auth->password || evl_call_init(&auth->call, calls, on_reply, auth) < 0)
		return -1;
	auth->call.is_open = auth->call.is_urgent = 1;
	return 0;
}

void
evl_auth_clear(struct evl_auth *auth)
{
	evl_call_clear(&auth->call);
	if (auth->password)
		OPENSSL_cleanse(auth->password, strlen(auth->password));
	OPENSSL_cleanse(auth->token.text, sizeof auth->token.text);
	evl_memory_free(auth->password);
	evl_memory_free(auth->user);
}
