/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef EVL_AUTH_H_INCLUDED_
#define EVL_AUTH_H_INCLUDED_

/* The token of a user: got with the password when it is first needed, and again when the cluster
 * does not take it any more.  Part of net; called by call and watch. */

#include "call.h"

struct evl_auth {
	struct evl_net *net;
	struct evl_call call;
	char *user, *password;
	char token[EVL_TOKEN_SIZE];	/**< "": none */
	unsigned serial;		/**< counts them */
	uint8_t is_off;			/**< the cluster has no users: nothing is needed */
};

/** NULL with errno ENOMEM. */
struct evl_auth *evl_auth_new(struct evl_net *net, const char *user, const char *password);
void evl_auth_free(struct evl_auth *auth);

static inline int
evl_auth_is_ready(const struct evl_auth *auth)
{
	return auth->token[0] || auth->is_off;
}

static inline const char *
evl_auth_token(const struct evl_auth *auth)
{
	return auth->token;
}

static inline unsigned
evl_auth_serial(const struct evl_auth *auth)
{
	return auth->serial;
}

/** Gets a token, if that is not under way. */
void evl_auth_want(struct evl_auth *auth);

/** The token of that number is not taken any more. */
void evl_auth_expire(struct evl_auth *auth, unsigned serial);

#endif
