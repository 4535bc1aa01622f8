/* SPDX-License-Identifier: BSD-3-Clause */

/* Starts a TCP connection; see dial.h. */

#include <errno.h>
#include <unistd.h>

#include <event2/bufferevent.h>
#include <event2/bufferevent_ssl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include "scopes/etcd/dial.h"
#include "scopes/etcd/tls.h"

int
evl_dial_is_shortage(int error)
{
	return error == EMFILE || error == ENFILE || error == ENOMEM || error == ENOBUFS ||
	    error == EADDRNOTAVAIL;
}

static void
set(int fd, int level, int option, unsigned value)
{
	setsockopt(fd, level, option, &value, sizeof value);
}

static unsigned
at_least(unsigned least, unsigned value)
{
	return value < least ? least : value;
}

/* A firewall on the way may silently forget a connection that has been idle for long. */
static void
set_options(int fd, unsigned patience)
{
	set(fd, IPPROTO_TCP, TCP_NODELAY, 1);
	set(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
#ifdef TCP_KEEPIDLE
	set(fd, IPPROTO_TCP, TCP_KEEPIDLE, at_least(2, patience / 1000));
	set(fd, IPPROTO_TCP, TCP_KEEPINTVL, at_least(1, patience / 3000));
	set(fd, IPPROTO_TCP, TCP_KEEPCNT, 3);
#endif
#ifdef TCP_USER_TIMEOUT
	set(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, at_least(2000, patience));
#endif
}

static int
begin(const struct sockaddr *address, int size, unsigned patience)
{
	int fd = socket(address->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), error;

	if (fd < 0)
		return -1;
	set_options(fd, patience);
	if (connect(fd, address, (socklen_t)size) == 0 || errno == EINPROGRESS)
		return fd;
	error = errno;
	close(fd);
	errno = error;
	return -1;
}

static struct bufferevent *
wrap_plain(struct event_base *base, int fd)
{
	struct bufferevent *be = bufferevent_socket_new(base, fd, BEV_OPT_CLOSE_ON_FREE);

	if (!be || bufferevent_socket_connect(be, NULL, 0) == 0)
		return be;
	bufferevent_setfd(be, -1);
	bufferevent_free(be);
	return NULL;
}

static struct bufferevent *
wrap_tls(struct event_base *base, int fd, SSL_CTX *tls, const struct evl_url *url, SSL **ssl)
{
	struct bufferevent *be;

	*ssl = evl_tls_begin(tls, url);
	if (!*ssl)
		return NULL;
	be = bufferevent_openssl_socket_new(base, fd, *ssl, BUFFEREVENT_SSL_CONNECTING,
	    BEV_OPT_CLOSE_ON_FREE);
	if (be)
		bufferevent_openssl_set_allow_dirty_shutdown(be, 1);
	else
		SSL_free(*ssl);
	return be;
}

struct bufferevent *
evl_dial(struct event_base *base, const struct sockaddr *address, int size, unsigned patience,
    SSL_CTX *tls, const struct evl_url *url, SSL **ssl)
{
	int fd = begin(address, size, patience);
	struct bufferevent *be;

	*ssl = NULL;
	if (fd < 0)
		return NULL;
	be = tls ? wrap_tls(base, fd, tls, url, ssl) : wrap_plain(base, fd);
	if (be)
		return be;
	close(fd);
	errno = ENOMEM;
	return NULL;
}
