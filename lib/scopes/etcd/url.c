/* SPDX-License-Identifier: BSD-3-Clause */

/* Parses endpoints; see url.h. */

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include <arpa/inet.h>

#include "scopes/etcd/memory.h"
#include "scopes/etcd/url.h"

#define DEFAULT_PORT 2379

/* May `c` be part of a host name?  An IPv6 address in brackets is checked by inet_pton(). */
static int
is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	    (c && strchr("-._~", c) != NULL);
}

/* Skips "http://" or "https://". */
static int
read_scheme(const char **text, struct evl_url *url)
{
	url->is_tls = !strncasecmp(*text, "https://", 8);
	if (!url->is_tls && strncasecmp(*text, "http://", 7))
		return -1;
	*text += 7 + url->is_tls;
	return 0;
}

/* An IPv6 address has brackets in a URL and in :authority only. */
static int
read_address(const char **text, struct evl_url *url)
{
	size_t n = strcspn(++*text, "]");
	struct in6_addr address;

	if (n >= sizeof url->host || (*text)[n] != ']')
		return -1;
	memcpy(url->host, *text, n);
	*text += n + 1;
	url->is_address = 1;
	return inet_pton(AF_INET6, url->host, &address) == 1 ? 0 : -1;
}

static int
read_host(const char **text, struct evl_url *url)
{
	struct in_addr address;
	size_t n = 0;

	if (**text == '[')
		return read_address(text, url);
	while (is_letter((*text)[n]))
		n++;
	if (!n || n >= sizeof url->host)
		return -1;
	memcpy(url->host, *text, n);
	*text += n;
	url->is_address = inet_pton(AF_INET, url->host, &address) == 1;
	return 0;
}

static int
read_port(const char **text, struct evl_url *url)
{
	unsigned long port = 0;

	url->port = DEFAULT_PORT;
	if (**text != ':' || !*++*text || **text == '/')
		return 0;
	for (; **text >= '0' && **text <= '9' && port <= UINT16_MAX; ++*text)
		port = port * 10 + (unsigned long)(**text - '0');
	url->port = (uint16_t)port;
	return port && port <= UINT16_MAX ? 0 : -1;
}

/* A URL may have a scheme, a host and a port, and nothing else. */
static int
read_url(const char *text, struct evl_url *url)
{
	if (read_scheme(&text, url) || read_host(&text, url) || read_port(&text, url))
		return -1;
	if (*text && strcmp(text, "/"))
		return -1;
	snprintf(url->authority, sizeof url->authority,
	    strchr(url->host, ':') ? "[%s]:%u" : "%s:%u", url->host, (unsigned)url->port);
	return 0;
}

/* Reads one URL of `size` bytes. */
static int
read_one(const char *text, size_t size, struct evl_url *url)
{
	char copy[512];

	while (size && *text == ' ')
		text++, size--;
	while (size && text[size - 1] == ' ')
		size--;
	if (size >= sizeof copy)
		return -1;
	memcpy(copy, text, size);
	copy[size] = '\0';
	return read_url(copy, url);
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
evl_url_read_all(const char *text, struct evl_url **urls)
{
	int n = count(text);

	*urls = evl_memory_alloc((size_t)n * sizeof **urls);
	if (!*urls)
		return -1;
	if (read_all(text, *urls, n) == 0)
		return n;
	evl_memory_free(*urls);
	*urls = NULL;
	errno = EINVAL;
	return -1;
}
