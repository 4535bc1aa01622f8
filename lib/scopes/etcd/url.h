/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef EVL_URL_H_INCLUDED_
#define EVL_URL_H_INCLUDED_

/* Parses the list of endpoints.  Pure; called once, by route. */

#include <stdint.h>

struct evl_url {
	char host[256];		/**< a name or an address, without brackets */
	char authority[272];	/**< the :authority header */
	uint16_t port;
	uint8_t is_tls;
	uint8_t is_address;	/**< needs no name lookup */
};

/** Parses a comma-separated list of "http://host:port" or "https://host:port".  The port may be
 * left out.  All must be http, or all https: otherwise, whoever can break a connection could make a
 * session show its secrets on the next one. The caller frees `*urls` by evl_memory_free().  Returns
 * the number of URLs, or -1 with errno EINVAL or ENOMEM. */
int evl_url_read_all(const char *text, struct evl_url **urls);

#endif
