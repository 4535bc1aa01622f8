/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef EVL_REPLY_H_INCLUDED_
#define EVL_REPLY_H_INCLUDED_

/* Decodes answers and decides what they mean.  Pure: bytes go in, and a structure comes out that
 * needs no freeing.  Any server may have sent the bytes, so nothing in them is trusted.  Called by
 * call and watches. */

#include <stddef.h>
#include <stdint.h>

#include "scopes/etcd/ask.h"

#define EVL_TOKEN_SIZE	4096	/**< a signed token has about 500 bytes */
#define EVL_REASON_SIZE	160
#define EVL_VERSION_SIZE 16

/** How a call ended: a gRPC status (0 to 16), or one of these. */
enum evl_status {
	EVL_STATUS_LOST = -1,		/**< no status came: the outcome is unknown */
	EVL_STATUS_REFUSED = -2,	/**< not carried out: may be repeated at once */
	EVL_STATUS_FOREIGN = -3		/**< the server does not speak gRPC */
};

struct evl_ending {
	int status;
	char text[EVL_REASON_SIZE];	/**< the reason given by the server or the connection */
};

/** The meaning of an answer. */
enum evl_verdict {
	EVL_ANSWERED,
	EVL_BUSY,		/**< failed for now; may have been carried out all the same */
	EVL_NO_LEADER,		/**< the same, and the member has no leader */
	EVL_REFUSED,		/**< not carried out */
	EVL_FULL,		/**< not carried out: the store is full */
	EVL_NO_TOKEN,		/**< the token is missing or has expired */
	EVL_OLD_AUTH,		/**< users or roles have changed meanwhile */
	EVL_NO_AUTH,		/**< authentication is off in this cluster */
	EVL_DENIED,
	EVL_NO_LEASE,		/**< the lease does not exist */
	EVL_LEASE_EXISTS,
	EVL_FOREIGN		/**< not etcd, or an incompatible version */
};

struct evl_reply {
	enum evl_verdict verdict;
	char reason[EVL_REASON_SIZE];	/**< unless ANSWERED: why, in printable characters */
	int64_t revision;		/**< in the header */
	int64_t ttl;			/**< 0: the lease is gone */
	int64_t create_revision;	/**< of the key found; 0: no key was found */
	int64_t guard_revision;		/**< mod_revision of the guard; 0: there is no guard */
	uint64_t leader;		/**< 0: the member knows no leader */
	uint8_t is_succeeded;		/**< all comparisons of the transaction were true */
	char key[EVL_KEY_MAX + 1];	/**< the key found, of key_size bytes */
	size_t key_size;
	char token[EVL_TOKEN_SIZE];	/**< "": no token */
	char version[EVL_VERSION_SIZE];	/**< of the member; may be truncated */
};

/** The kind of answer that is expected. */
enum evl_kind_of_reply {
	EVL_TOKEN_REPLY, EVL_LEASE_REPLY, EVL_REVOKE_REPLY, EVL_PUT_REPLY, EVL_TXN_REPLY,
	EVL_STATUS_REPLY
};

/** Decodes the result of a call.  `bytes` is one message; it is used only if the status is 0. */
void evl_reply_read(struct evl_reply *reply, enum evl_kind_of_reply kind,
    const struct evl_ending *ending, const uint8_t *bytes, size_t size);

/** Fills in a reply for a failure that happened before there was any answer. */
void evl_reply_fail(struct evl_reply *reply, enum evl_verdict verdict, const char *reason);

/** One message on a stream of watches. */
struct evl_watch_reply {
	int64_t id;			/**< of the watch; negative: no watch */
	int64_t revision;		/**< in the header */
	int64_t deleted;		/**< revision of the last deletion; 0: no deletion */
	uint8_t is_created;
	uint8_t is_canceled;
	enum evl_verdict verdict;	/**< if is_canceled: why */
	char reason[EVL_REASON_SIZE];
};

/** Returns 0, or -1 with errno EPROTO or ENOMEM. */
int evl_reply_read_watch(struct evl_watch_reply *reply, const uint8_t *bytes, size_t size);

/** Copies an untrusted text.  A character that is not printable ASCII becomes a '?'. */
void evl_reply_copy(char *to, size_t room, const char *text, size_t size);

#endif
