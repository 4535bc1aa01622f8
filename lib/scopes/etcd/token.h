/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef EVL_TOKEN_H_INCLUDED_
#define EVL_TOKEN_H_INCLUDED_

/* A user's token.  auth fetches it.  call and watches send it along, and mark it as expired when
 * the cluster no longer accepts it. */

#include <openssl/crypto.h>

#include "scopes/etcd/reply.h"

struct evl_token {
	char text[EVL_TOKEN_SIZE];	/**< "": no token */
	unsigned serial;		/**< increases with each new token */
	uint8_t is_off;			/**< authentication is off: no token is needed */
	void (*want)(void *arg);	/**< fetches a token, unless that is under way */
	void *arg;
};

/** Can calls be sent?  `token` may be NULL here and below: there is no user. */
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

/** The cluster no longer accepts the token with that serial. */
static inline void
evl_token_expire(struct evl_token *token, unsigned serial)
{
	if (token->serial != serial)
		return;
	token->is_off = 0;
	OPENSSL_cleanse(token->text, sizeof token->text);
}

#endif
