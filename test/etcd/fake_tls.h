/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef FAKE_TLS_H_INCLUDED_
#define FAKE_TLS_H_INCLUDED_

/* TLS servers with self-signed certificates, which are made as needed. */

#include <openssl/ssl.h>

struct fake_certificate {
	const char *common_name;
	const char *names;		/**< in openssl's form: "DNS:a,IP:127.0.0.1"; NULL: none */
	int has_no_h2;			/**< does not offer HTTP/2 */
};

/** Writes the certificate to `path`, for ca_file.  The caller frees the context. */
SSL_CTX *fake_tls_new(const struct fake_certificate *certificate, const char *path);

#endif
