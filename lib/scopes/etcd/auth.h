/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef EVL_AUTH_H_INCLUDED_
#define EVL_AUTH_H_INCLUDED_

/* Fetches the token of a user, with the password, when it is first needed and again when the
 * cluster does not take it any more.  Part of session. */

#include "scopes/etcd/call.h"

struct evl_auth {
	struct evl_token token;
	struct evl_call call;
	char *user, *password;		/**< NULL: there is no user */
};

/** To be called before the calls are made that need the token.  Both may be NULL.
 * Returns -1 with errno ENOMEM; then it is to be cleared as well. */
int evl_auth_init(struct evl_auth *auth, struct evl_calls *calls, const char *user,
    const char *password);
void evl_auth_clear(struct evl_auth *auth);

#endif
