/* SPDX-License-Identifier: BSD-3-Clause */

/* Endpoints; see url.h. */

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include <arpa/inet.h>
#include <event2/http.h>

#include "memory.h"
#include "url.h"

#define DEFAULT_PORT 2379

/* Is there nothing in it but scheme, host and port? */
static int
is_plain(const struct evhttp_uri *uri)
{
	const char *path = evhttp_uri_get_path(uri), *host = evhttp_uri_get_host(uri);

	return host && *host && !evhttp_uri_get_userinfo(uri) && (!*path || !strcmp(path, "/")) &&
	    !evhttp_uri_get_query(uri) && !evhttp_uri_get_fragment(uri);
}

static int
read_scheme(const char *scheme, uint8_t *is_tls)
{
	if (!scheme || (strcasecmp(scheme, "http") && strcasecmp(scheme, "https")))
		return -1;
	*is_tls = !strcasecmp(scheme, "https");
	return 0;
}

/* An IPv6 address stands in brackets in a URL and in Host, and nowhere else. */
static int
read_host(const char *host, struct evl_url *url)
{
	size_t n = strlen(host);
	unsigned char address[sizeof(struct in6_addr)];
	int is_v6 = n > 2 && host[0] == '[' && host[n - 1] == ']';

	if (n >= sizeof url->host)
		return -1;
	memcpy(url->host, host + is_v6, n - 2 * (size_t)is_v6);
	url->host[n - 2 * (size_t)is_v6] = '\0';
	url->is_address = inet_pton(is_v6 ? AF_INET6 : AF_INET, url->host, address) == 1;
	if (is_v6 && !url->is_address)
		return -1;
	snprintf(url->authority, sizeof url->authority, "%s:%u", host, (unsigned)url->port);
	return 0;
}

static int
read_uri(const struct evhttp_uri *uri, struct evl_url *url)
{
	int port = evhttp_uri_get_port(uri);

	if (port < 0)
		port = DEFAULT_PORT;
	if (port == 0 || port > UINT16_MAX || !is_plain(uri))
		return -1;
	url->port = (uint16_t)port;
	if (read_scheme(evhttp_uri_get_scheme(uri), &url->is_tls) < 0)
		return -1;
	return read_host(evhttp_uri_get_host(uri), url);
}

/* Reads one URL of `size` bytes. */
static int
read_one(const char *text, size_t size, struct evl_url *url)
{
	struct evhttp_uri *uri;
	char copy[512];
	int result;

	while (size && *text == ' ')
		text++, size--;
	while (size && text[size - 1] == ' ')
		size--;
	if (size >= sizeof copy)
		return -1;
	memcpy(copy, text, size);
	copy[size] = '\0';
	uri = evhttp_uri_parse(copy);
	if (!uri)
		return -1;
	result = read_uri(uri, url);
	evhttp_uri_free(uri);
	return result;
}

static int
count(const char *text)
{
	int n = 1;

	while (*text)
		n += *text++ == ',';
	return n;
}

static int
read_all(const char *text, struct evl_url *url, int n)
{
	int i;

	for (i = 0; i < n; i++) {
		size_t size = strcspn(text, ",");

		if (read_one(text, size, &url[i]) < 0 || url[i].is_tls != url[0].is_tls)
			return -1;
		text += size + 1;
	}
	return 0;
}

int
evl_urls_read(const char *text, struct evl_url **urls)
{
	int n = count(text), error;

	*urls = evl_etcd_alloc((size_t)n * sizeof **urls);
	if (!*urls)
		return -1;
	errno = EINVAL;	/* unless libevent says that there is no memory */
	if (read_all(text, *urls, n) == 0)
		return n;
	error = errno;
	evl_etcd_free(*urls);
	*urls = NULL;
	errno = error;
	return -1;
}
