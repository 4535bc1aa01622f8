/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef EVL_TLS_H_INCLUDED_
#define EVL_TLS_H_INCLUDED_

/* TLS 1.2 or later; the peer's name is always verified.  Called by net and h2. */

#include <openssl/ssl.h>

struct evl_url;
struct evlock_etcd_options;

/** Returns NULL with errno EINVAL (files that cannot be read or do not match) or ENOMEM. */
SSL_CTX *evl_tls_new(const struct evlock_etcd_options *options);

/** Creates the TLS state of one connection, which offers only HTTP/2.  Returns NULL with errno
 * ENOMEM. */
SSL *evl_tls_begin(SSL_CTX *tls, const struct evl_url *url);

/** Has the peer chosen HTTP/2? */
int evl_tls_is_h2(const SSL *ssl);

/** Returns why the peer's certificate was rejected, or NULL if it was not. */
const char *evl_tls_complaint(const SSL *ssl);

#endif
