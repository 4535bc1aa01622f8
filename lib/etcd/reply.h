/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef EVL_REPLY_H_INCLUDED_
#define EVL_REPLY_H_INCLUDED_

/* What the cluster answers, or whatever else does.  Pure: text in, struct out, with nothing in it
 * that needs to be freed; trusts nothing.  Called by call and watch. */

#include <stddef.h>
#include <stdint.h>

#include "ask.h"

/** What is to be thought of an answer. */
enum evl_verdict {
	EVL_ANSWERED,
	EVL_BUSY,		/**< not now, or not here; may have been done all the same */
	EVL_NO_TOKEN,		/**< the token is missing, or too old */
	EVL_NO_AUTH,		/**< this cluster has no users */
	EVL_DENIED,
	EVL_NO_LEASE,		/**< the lease is gone, or never was */
	EVL_LEASE_EXISTS,
	EVL_FOREIGN		/**< not etcd, or a version that is not understood */
};

#define EVL_TOKEN_SIZE	4096	/**< a signed one has about a thousand bytes */
#define EVL_REASON_SIZE	160

struct evl_reply {
	enum evl_verdict verdict;
	char reason[EVL_REASON_SIZE];	/**< for a person, if it is no answer: printable */
	int64_t revision;		/**< of the header */
	int64_t ttl;			/**< 0: the lease is gone */
	int64_t create_revision;	/**< of the key found; 0: none was */
	int64_t compact_revision;
	uint8_t is_succeeded;		/**< the transaction's comparisons held */
	uint8_t is_created;		/**< the watch is in place */
	uint8_t is_canceled;		/**< the watch has ended */
	uint8_t is_deleted;		/**< the watch tells of a deletion */
	char key64[EVL_KEY64_SIZE];	/**< the key found */
	char token[EVL_TOKEN_SIZE];	/**< "": none */
};

/** What kind of answer is expected. */
enum evl_kind_of_reply {
	EVL_TOKEN_REPLY, EVL_LEASE_REPLY, EVL_REVOKE_REPLY, EVL_TXN_REPLY, EVL_WATCH_REPLY
};

/** Reads a reply, of `status` as HTTP has it. */
void evl_reply_read(struct evl_reply *reply, enum evl_kind_of_reply kind, int status,
    const char *text, size_t size);

/** Makes a reply of what went wrong before there was any. */
void evl_reply_fail(struct evl_reply *reply, enum evl_verdict verdict, const char *reason);

#endif
