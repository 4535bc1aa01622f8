/* SPDX-License-Identifier: BSD-3-Clause */

/* Servers for TLS; see fake_tls.h. */

#define SHIM_ASSERTS_ONLY
#include "../shim.h"

#include <stdio.h>
#include <string.h>

#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "fake_tls.h"

static EVP_PKEY *
new_key(void)
{
	EVP_PKEY_CTX *maker = EVP_PKEY_CTX_new_id(EVP_PKEY_EC, NULL);
	EVP_PKEY *key = NULL;

	EVP_PKEY_keygen_init(maker);
	EVP_PKEY_CTX_set_ec_paramgen_curve_nid(maker, NID_X9_62_prime256v1);
	cr_assert_eq(EVP_PKEY_keygen(maker, &key), 1);
	EVP_PKEY_CTX_free(maker);
	return key;
}

static void
add_names(X509 *x, const char *names)
{
	X509_EXTENSION *extension;
	X509V3_CTX context;

	X509V3_set_ctx_nodb(&context);
	X509V3_set_ctx(&context, x, x, NULL, NULL, 0);
	extension = X509V3_EXT_conf_nid(NULL, &context, NID_subject_alt_name, names);
	cr_assert_not_null(extension);
	X509_add_ext(x, extension, -1);
	X509_EXTENSION_free(extension);
}

static X509 *
new_certificate(const struct fake_certificate *certificate, EVP_PKEY *key)
{
	X509 *x = X509_new();
	X509_NAME *name = X509_get_subject_name(x);

	X509_set_version(x, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(x), 1);
	X509_gmtime_adj(X509_getm_notBefore(x), -3600);
	X509_gmtime_adj(X509_getm_notAfter(x), 3600);
	X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
	    (const unsigned char *)certificate->common_name, -1, -1, 0);
	X509_set_issuer_name(x, name);
	X509_set_pubkey(x, key);
	if (certificate->names)
		add_names(x, certificate->names);
	cr_assert_gt(X509_sign(x, key, EVP_sha256()), 0);
	return x;
}

static void
write_certificate(X509 *x, const char *path)
{
	FILE *file = fopen(path, "w");

	cr_assert_not_null(file);
	PEM_write_X509(file, x);
	fclose(file);
}

static int
choose_h2(SSL *ssl, const unsigned char **out, unsigned char *size, const unsigned char *offered,
    unsigned n, void *arg)
{
	(void)ssl;
	(void)arg;
	cr_assert(n == 3 && !memcmp(offered, "\2h2", 3), "something else is offered as well");
	*out = offered + 1;
	*size = 2;
	return SSL_TLSEXT_ERR_OK;
}

SSL_CTX *
fake_tls_new(const struct fake_certificate *certificate, const char *path)
{
	SSL_CTX *tls = SSL_CTX_new(TLS_server_method());
	EVP_PKEY *key = new_key();
	X509 *x = new_certificate(certificate, key);

	cr_assert_eq(SSL_CTX_use_certificate(tls, x), 1);
	cr_assert_eq(SSL_CTX_use_PrivateKey(tls, key), 1);
	if (!certificate->has_no_h2)
		SSL_CTX_set_alpn_select_cb(tls, choose_h2, NULL);
	write_certificate(x, path);
	X509_free(x);
	EVP_PKEY_free(key);
	return tls;
}
