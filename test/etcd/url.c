/* SPDX-License-Identifier: BSD-3-Clause */

/* lib/scopes/etcd/url.c: which endpoints are accepted, and how they are parsed. */

#include <errno.h>
#include <stdlib.h>

#include <evlock/evlock.h>

#include "scopes/etcd/memory.h"
#include "scopes/etcd/url.h"

#include "../shim.h"

static struct evl_url *urls;

static const struct evl_url *
read_url(const char *text)
{
	cr_assert_eq(evl_url_read_all(text, &urls), 1, "%s", text);
	return urls;
}

#define assert_url(text, host_, port_, authority_, is_tls_, is_address_) \
	do { \
		const struct evl_url *url = read_url(text); \
		cr_assert_str_eq(url->host, host_); \
		cr_assert_eq(url->port, port_); \
		cr_assert_str_eq(url->authority, authority_); \
		cr_assert_eq(url->is_tls, is_tls_); \
		cr_assert_eq(url->is_address, is_address_); \
		evl_memory_free(urls); \
	} while (0)

Test(etcd_url, one)
{
	assert_url("http://127.0.0.1:2379", "127.0.0.1", 2379, "127.0.0.1:2379", 0, 1);
	assert_url("https://etcd-1.example:443/", "etcd-1.example", 443, "etcd-1.example:443", 1,
	    0);
	assert_url("HTTP://Host", "Host", 2379, "Host:2379", 0, 0);
	assert_url("http://[::1]:80", "::1", 80, "[::1]:80", 0, 1);
	assert_url("  http://a:1 ", "a", 1, "a:1", 0, 0);
}

Test(etcd_url, several)
{
	cr_assert_eq(evl_url_read_all("http://a:1, http://b:2,http://c", &urls), 3);
	cr_assert_str_eq(urls[0].host, "a");
	cr_assert_str_eq(urls[1].authority, "b:2");
	cr_assert_str_eq(urls[2].authority, "c:2379");
	evl_memory_free(urls);
}

static void
assert_bad(const char *text)
{
	errno = 0;
	cr_assert_eq(evl_url_read_all(text, &urls), -1, "%s", text);
	cr_assert_eq(errno, EINVAL, "%s", text);
	cr_assert_null(urls);
}

Test(etcd_url, bad)
{
	static const char *const bad[] = {
		"", ",", "a", "a:1", "127.0.0.1:2379", "ftp://a", "unix:///tmp/x", "http://",
		"http://:1", "http://a,", ",http://a", "http://a:0", "http://a:65536", "http://a:x",
		"http://a/v3",
		"http://a?x=1", "http://a#b", "http://user@a", "http://[::1", "http://[a]:1",
		"http://[1.2.3.4]", "http://a b"
	};
	char longest[600] = "http://";
	unsigned i;

	for (i = 0; i < sizeof bad / sizeof *bad; i++)
		assert_bad(bad[i]);
	memset(longest + 7, 'a', sizeof longest - 8);
	assert_bad(longest);
	longest[7 + 256] = '\0';
	assert_bad(longest);
}

static void *
no_malloc(size_t size)
{
	(void)size;
	errno = ENOMEM;
	return NULL;
}

Test(etcd_url, without_memory)
{
	evlock_set_mem_functions(no_malloc, NULL, free);
	errno = 0;
	cr_assert_eq(evl_url_read_all("http://a:1", &urls), -1);
	cr_assert_eq(errno, ENOMEM);
}

/* After a connection breaks, a session must not continue in plain text. */
Test(etcd_url, plain_and_encrypted_do_not_mix)
{
	assert_bad("https://a,http://b");
	assert_bad("http://a,https://b");
}
