/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef EVL_TLS_H_INCLUDED_
#define EVL_TLS_H_INCLUDED_

/* TLS 1.2 or later, with the peer's name verified, or nothing.  Called by net and h2. */

#include <openssl/ssl.h>

struct evl_url;
struct evlock_etcd_options;

/** NULL with errno EINVAL (files that cannot be read or do not fit together) or ENOMEM. */
SSL_CTX *evl_tls_new(const struct evlock_etcd_options *options);

/** For one connection, which offers HTTP/2 alone.  NULL with errno ENOMEM. */
SSL *evl_tls_begin(SSL_CTX *tls, const struct evl_url *url);

/** Did the other side choose HTTP/2? */
int evl_tls_is_h2(const SSL *ssl);

/** Why the peer is not trusted, or NULL if that is not what went wrong. */
const char *evl_tls_complaint(const SSL *ssl);

#endif
