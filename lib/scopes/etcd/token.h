/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef EVL_TOKEN_H_INCLUDED_
#define EVL_TOKEN_H_INCLUDED_

/* What shows who a user is.  auth fills it in; call and watches send it along, and tell when it
 * is not taken any more. */

#include <openssl/crypto.h>

#include "scopes/etcd/reply.h"

struct evl_token {
	char text[EVL_TOKEN_SIZE];	/**< "": none */
	unsigned serial;		/**< counts them */
	uint8_t is_off;			/**< the cluster has no users: nothing is needed */
	void (*want)(void *arg);	/**< has one fetched, unless that is under way */
	void *arg;
};

/** `token` may be NULL here and below: there is no user. */
static inline int
evl_token_is_ready(const struct evl_token *token)
{
	return !token || token->text[0] || token->is_off;
}

static inline unsigned
evl_token_serial(const struct evl_token *token)
{
	return token ? token->serial : 0;
}

/** The token of that number is not taken any more. */
static inline void
evl_token_expire(struct evl_token *token, unsigned serial)
{
	if (token->serial != serial)
		return;
	token->is_off = 0;
	OPENSSL_cleanse(token->text, sizeof token->text);
}

#endif
