/* SPDX-License-Identifier: BSD-3-Clause */

/* lib/scopes/etcd/tls.c: which servers are trusted. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <evlock/etcd.h>

#include "scopes/etcd/tls.h"
#include "scopes/etcd/url.h"
#include "fake_tls.h"

#include "../shim.h"

/* Lets each side send until neither has anything left. */
static int
shake_hands(SSL *client, SSL *server)
{
	int i, done = 0;

	for (i = 0; i < 20 && done != 1; i++) {
		done = SSL_do_handshake(client);
		if (SSL_do_handshake(server) != 1)
			done = 0;
	}
	return done == 1;
}

static void
connect_both(SSL *client, SSL *server)
{
	BIO *a, *b;

	BIO_new_bio_pair(&a, 1 << 16, &b, 1 << 16);
	SSL_set_bio(client, a, a);
	SSL_set_bio(server, b, b);
	SSL_set_connect_state(client);
	SSL_set_accept_state(server);
}

/* Returns "" if the server is trusted and HTTP/2 was agreed upon. */
static const char *
meet(const char *host, int is_address, struct fake_certificate certificate)
{
	static char complaint[200];
	char path[] = "/tmp/evlock-tls.XXXXXX";
	struct evl_url url = { .is_tls = 1, .is_address = (uint8_t)is_address };
	struct evlock_etcd_options options = { .ca_file = path };
	SSL_CTX *server_tls, *tls;
	SSL *client, *server;

	close(mkstemp(path));
	server_tls = fake_tls_new(&certificate, path);
	tls = evl_tls_new(&options);
	cr_assert_not_null(tls);
	strcpy(url.host, host);
	client = evl_tls_begin(tls, &url);
	server = SSL_new(server_tls);
	connect_both(client, server);
	if (shake_hands(client, server))
		strcpy(complaint, evl_tls_is_h2(client) ? "" : "no h2");
	else
		snprintf(complaint, sizeof complaint, "%s",
		    evl_tls_complaint(client) ? evl_tls_complaint(client) : "no handshake");
	SSL_free(client);
	SSL_free(server);
	SSL_CTX_free(tls);
	SSL_CTX_free(server_tls);
	unlink(path);
	return complaint;
}

#define NAMES(list) (struct fake_certificate){ .common_name = "x", .names = (list) }
#define MISMATCH "hostname mismatch"

Test(etcd_tls, names)
{
	cr_assert_str_eq(meet("node1.etcd.example", 0, NAMES("DNS:node1.etcd.example")), "");
	cr_assert_str_eq(meet("node1.etcd.example", 0, NAMES("DNS:a,DNS:*.etcd.example")), "");
	cr_assert_str_eq(meet("node1.etcd.example", 0, NAMES("DNS:node2.etcd.example")), MISMATCH);
	cr_assert_str_eq(meet("127.0.0.1", 1, NAMES("IP:127.0.0.1")), "");
	cr_assert_str_eq(meet("127.0.0.1", 1, NAMES("DNS:127.0.0.1")), "IP address mismatch");
}

/* A * matches a whole label, or nothing. */
Test(etcd_tls, a_part_of_a_name_is_not_enough)
{
	cr_assert_str_eq(meet("node1.etcd.example", 0, NAMES("DNS:node*.etcd.example")), MISMATCH);
}

Test(etcd_tls, a_common_name_is_not_enough)
{
	cr_assert_str_eq(meet("node1.etcd.example", 0,
	    (struct fake_certificate){ .common_name = "node1.etcd.example" }), MISMATCH);
}

Test(etcd_tls, without_http_2_it_is_known)
{
	struct fake_certificate certificate = NAMES("DNS:a");

	certificate.has_no_h2 = 1;
	cr_assert_str_eq(meet("a", 0, certificate), "no h2");
}
