/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef EVL_REPLY_H_INCLUDED_
#define EVL_REPLY_H_INCLUDED_

/* What the cluster answers, or whatever else does.  Pure: bytes in, struct out, with nothing in it
 * that needs to be freed; trusts nothing.  Called by call and watches. */

#include <stddef.h>
#include <stdint.h>

#include "scopes/etcd/ask.h"

#define EVL_TOKEN_SIZE	4096	/**< a signed one has about five hundred bytes */
#define EVL_REASON_SIZE	160
#define EVL_VERSION_SIZE 16

/** How a call ended: a status of gRPC (0 to 16), or one of these. */
enum evl_status {
	EVL_STATUS_LOST = -1,		/**< no status came: nobody knows what was done */
	EVL_STATUS_REFUSED = -2,	/**< not carried out: the same may be asked again at once */
	EVL_STATUS_FOREIGN = -3		/**< what answered does not speak gRPC */
};

struct evl_ending {
	int status;
	char text[EVL_REASON_SIZE];	/**< what the other side, or the connection, says of it */
};

/** What is to be thought of an answer. */
enum evl_verdict {
	EVL_ANSWERED,
	EVL_BUSY,		/**< not now; may have been done all the same */
	EVL_NO_LEADER,		/**< the same, and this member cannot help for now */
	EVL_REFUSED,		/**< not carried out */
	EVL_FULL,		/**< the store takes no more: refused, and it will last */
	EVL_NO_TOKEN,		/**< the token is missing, or too old */
	EVL_OLD_AUTH,		/**< users were changed meanwhile */
	EVL_NO_AUTH,		/**< this cluster has no users */
	EVL_DENIED,
	EVL_NO_LEASE,		/**< the lease is gone, or never was */
	EVL_LEASE_EXISTS,
	EVL_FOREIGN		/**< not etcd, or a version that is not understood */
};

struct evl_reply {
	enum evl_verdict verdict;
	char reason[EVL_REASON_SIZE];	/**< for a person, if it is no answer: printable */
	int64_t revision;		/**< of the header */
	int64_t ttl;			/**< 0: the lease is gone */
	int64_t create_revision;	/**< of the key found; 0: none was */
	int64_t guard_revision;		/**< mod_revision of the guard found; 0: none was */
	uint64_t leader;		/**< 0: the member knows none */
	uint8_t is_succeeded;		/**< the transaction's comparisons held */
	char key[EVL_KEY_MAX + 1];	/**< the key found, with its length */
	size_t key_size;
	char token[EVL_TOKEN_SIZE];	/**< "": none */
	char version[EVL_VERSION_SIZE];	/**< of the member; may be cut off */
};

/** What kind of answer is expected. */
enum evl_kind_of_reply {
	EVL_TOKEN_REPLY, EVL_LEASE_REPLY, EVL_REVOKE_REPLY, EVL_PUT_REPLY, EVL_TXN_REPLY,
	EVL_STATUS_REPLY
};

/** Reads what came of a call.  The bytes, one message, count only if the call ended well. */
void evl_reply_read(struct evl_reply *reply, enum evl_kind_of_reply kind,
    const struct evl_ending *ending, const uint8_t *bytes, size_t size);

/** Makes a reply of what went wrong before there was any. */
void evl_reply_fail(struct evl_reply *reply, enum evl_verdict verdict, const char *reason);

/** One message on a stream of watches. */
struct evl_watch_reply {
	int64_t id;			/**< of the watch; negative: of none that exists */
	int64_t revision;
	int64_t deleted;		/**< at which revision the key was deleted last; 0: it was not */
	uint8_t is_created;
	uint8_t is_canceled;
	enum evl_verdict verdict;	/**< if it is canceled: why */
	char reason[EVL_REASON_SIZE];
};

/** Returns 0, or -1 with errno EPROTO or ENOMEM. */
int evl_reply_read_watch(struct evl_watch_reply *reply, const uint8_t *bytes, size_t size);

/** Copies a text that anybody may have written: what could do harm becomes a '?'. */
void evl_reply_copy(char *to, size_t room, const char *text, size_t size);

#endif
