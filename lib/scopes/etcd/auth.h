/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef EVL_AUTH_H_INCLUDED_
#define EVL_AUTH_H_INCLUDED_

/* Fetches a user's token with the password: when it is first needed, and again when the cluster no
 * longer accepts it.  Part of session. */

#include "scopes/etcd/call.h"

struct evl_auth {
	struct evl_token token;
	struct evl_call call;
	char *user, *password;		/**< both NULL without a user */
};

/** Must be called before any call is made that needs the token.  `user` and `password` may both be
 * NULL.  Returns 0, or -1 with errno ENOMEM; the caller must call evl_auth_clear() in both
 * cases. */
int evl_auth_init(struct evl_auth *auth, struct evl_calls *calls, const char *user,
    const char *password);
void evl_auth_clear(struct evl_auth *auth);

#endif
