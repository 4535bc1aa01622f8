/* SPDX-License-Identifier: BSD-3-Clause */

/* TLS; see tls.h. */

#include <errno.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include <evlock/etcd.h>

#include "scopes/etcd/tls.h"
#include "scopes/etcd/url.h"

static int
load_trust(SSL_CTX *tls, const char *ca_file)
{
	return ca_file ? SSL_CTX_load_verify_locations(tls, ca_file, NULL)
	    : SSL_CTX_set_default_verify_paths(tls);
}

/* Our own certificate and its key need each other. */
static int
load_own(SSL_CTX *tls, const char *cert_file, const char *key_file)
{
	if (!cert_file && !key_file)
		return 1;
	return cert_file && key_file && SSL_CTX_use_certificate_chain_file(tls, cert_file) == 1 &&
	    SSL_CTX_use_PrivateKey_file(tls, key_file, SSL_FILETYPE_PEM) == 1 &&
	    SSL_CTX_check_private_key(tls) == 1;
}

SSL_CTX *
evl_tls_new(const struct evlock_etcd_options *options)
{
	SSL_CTX *tls = SSL_CTX_new(TLS_client_method());

	if (!tls) {
		ERR_clear_error();
		errno = ENOMEM;
		return NULL;
	}
	SSL_CTX_set_verify(tls, SSL_VERIFY_PEER, NULL);
	if (SSL_CTX_set_min_proto_version(tls, TLS1_2_VERSION) == 1 &&
	    load_trust(tls, options->ca_file) == 1 &&
	    load_own(tls, options->cert_file, options->key_file) == 1)
		return tls;
	ERR_clear_error();
	SSL_CTX_free(tls);
	errno = EINVAL;
	return NULL;
}

/* Only HTTP/2 is offered; otherwise etcd might choose HTTP/1.1. */
static const unsigned char protocols[] = "\2h2";

/* A host name is sent to the peer, which may have several certificates; an address is not.  Only
 * the subject alternative names of the certificate count, and a * there must be a whole label. */
static int
expect(SSL *ssl, const struct evl_url *url)
{
	SSL_set_hostflags(ssl,
	    X509_CHECK_FLAG_NEVER_CHECK_SUBJECT | X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
	if (SSL_set_alpn_protos(ssl, protocols, sizeof protocols - 1))
		return 0;
	if (url->is_address)
		return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), url->host);
	return SSL_set1_host(ssl, url->host) == 1 && SSL_set_tlsext_host_name(ssl, url->host) == 1;
}

SSL *
evl_tls_begin(SSL_CTX *tls, const struct evl_url *url)
{
	SSL *ssl = SSL_new(tls);

	if (ssl && expect(ssl, url) == 1)
		return ssl;
	ERR_clear_error();
	SSL_free(ssl);
	errno = ENOMEM;
	return NULL;
}

int
evl_tls_is_h2(const SSL *ssl)
{
	const unsigned char *chosen;
	unsigned n;

	SSL_get0_alpn_selected(ssl, &chosen, &n);
	return n == 2 && !memcmp(chosen, "h2", 2);
}

const char *
evl_tls_complaint(const SSL *ssl)
{
	long result = SSL_get_verify_result(ssl);

	return result == X509_V_OK ? NULL : X509_verify_cert_error_string(result);
}
