/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef EVL_URL_H_INCLUDED_
#define EVL_URL_H_INCLUDED_

/* The endpoints of a cluster, as a list of URLs tells them.  Pure; called once, by route. */

#include <stdint.h>

struct evl_url {
	char host[256];		/**< a name or an address, without brackets */
	char authority[272];	/**< as the header :authority wants it */
	uint16_t port;
	uint8_t is_tls;
	uint8_t is_address;	/**< needs no look-up */
};

/** Reads "http://host:port" or "https://host:port", several with commas between; the port may
 * be left out.  All are http or all https: a session that goes from one to the other would
 * show its secrets to anyone who can break a connection.
 * `*urls` is to be freed by evl_memory_free().  Returns how many, or -1 with errno EINVAL or
 * ENOMEM. */
int evl_url_read_all(const char *text, struct evl_url **urls);

#endif
