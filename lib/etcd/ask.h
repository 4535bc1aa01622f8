/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef EVL_ASK_H_INCLUDED_
#define EVL_ASK_H_INCLUDED_

/* What is asked of the cluster: the bodies of the requests, as the JSON gateway of etcd v3 wants
 * them, and the keys in them.  Pure: text is added to a buffer.  Called by auth, session, place and
 * watch.  All return 0, or -1 if there is no memory.
 *
 * A lock has a root, PREFIX NAME, in which the / and % of the name are written %2F and %25, so that
 * no lock's keys lie among another's:
 *
 *	ROOT/q/ID	a place in the queue; its create_revision is the place, and the token
 *	ROOT/x/ID	beside it, if the place is exclusive
 *	ROOT/t/ID	this id is done with: it may not enter any more
 *
 * All are kept by the session's lease, and have no value. */

#include <stddef.h>
#include <stdint.h>

struct evbuffer;

#define EVL_PREFIX_MAX	255
#define EVL_NAME_MAX	255
#define EVL_ID_MAX	40
#define EVL_ROOT_MAX	(EVL_PREFIX_MAX + 3 * EVL_NAME_MAX)
#define EVL_KEY_MAX	(EVL_ROOT_MAX + 3 + EVL_ID_MAX)
#define EVL_KEY64_SIZE	((EVL_KEY_MAX + 2) / 3 * 4 + 1)	/**< in base64, with its end */

/** A place in the queue of one lock, in the cluster's terms. */
struct evl_entry {
	const char *root;
	char id[EVL_ID_MAX + 1];	/**< unlike that of any other place, of any session */
	int64_t lease;
	int64_t revision;		/**< create_revision; 0: not known */
	uint8_t is_exclusive;
	uint8_t is_unsure;		/**< a request to enter may still be under way */
};

/** Writes the root of the lock `name` to `root`, which has room for EVL_ROOT_MAX and the end. */
void evl_ask_root(char *root, const char *prefix, const char *name);

int evl_ask_authenticate(struct evbuffer *out, const char *user, const char *password);
int evl_ask_grant(struct evbuffer *out, int64_t lease, unsigned ttl);
int evl_ask_keepalive(struct evbuffer *out, int64_t lease);
int evl_ask_revoke(struct evbuffer *out, int64_t lease);

/** Enters the queue, unless that has happened, and finds who is next ahead:
 * succeeded: entered, at the header's revision; a key, if there is one: who is next ahead.
 * Not succeeded: a key: entered earlier, at its create_revision; none: has been left. */
int evl_ask_enter(struct evbuffer *out, const struct evl_entry *entry);

/** Enters the queue only if nobody is in the way.  Succeeded: entered, at the header's revision.
 * Not: a key: entered earlier; none: somebody is in the way. */
int evl_ask_try(struct evbuffer *out, const struct evl_entry *entry);

/** Is it our turn?  Not succeeded: the place is lost.  A key: who is next ahead. */
int evl_ask_check(struct evbuffer *out, const struct evl_entry *entry);

/** From exclusive to shared. */
int evl_ask_weaken(struct evbuffer *out, const struct evl_entry *entry);

/** Leaves the queue, or ends the hold; a request to enter that comes late will be refused. */
int evl_ask_leave(struct evbuffer *out, const struct evl_entry *entry);

/** Tells of deletions of a key, which is given as a reply had it, from `revision` on. */
int evl_ask_watch(struct evbuffer *out, const char *key64, int64_t revision);

#endif
