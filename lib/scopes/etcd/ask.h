/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef EVL_ASK_H_INCLUDED_
#define EVL_ASK_H_INCLUDED_

/* Encodes questions to the cluster, and knows the layout of the keys.  Pure: each function appends
 * one message, with the prefix that gRPC wants, to a buffer.  Called by auth, member, session,
 * place and watches.  The functions that return an int return 0, or -1 if there is no memory.
 *
 * The keys of a lock have a common root, PREFIX NAME.  A / or % of the name is written %2F or %25
 * there, so no key of one lock can look like a key of another.  Below the root, each session that
 * uses the lock has an ID:
 *
 *	ROOT/q/ID	the place in the queue.  Its create_revision is the position in the queue
 *			and the fencing token; its value describes the holder to a person
 *	ROOT/x/ID	exists beside ROOT/q/ID while the place is exclusive
 *	ROOT/g/ID	the guard.  It is written before the first entry and with each entry.
 *			Entering and leaving compare its mod_revision, so a late copy of an
 *			entry fails
 *
 * All keys belong to the session's lease. */

#include <stddef.h>
#include <stdint.h>

struct evbuffer;

#define EVL_PREFIX_MAX	255
#define EVL_NAME_MAX	255
#define EVL_HOLDER_MAX	255
#define EVL_ID_MAX	40
#define EVL_ROOT_MAX	(EVL_PREFIX_MAX + 3 * EVL_NAME_MAX)
#define EVL_KEY_MAX	(EVL_ROOT_MAX + 3 + EVL_ID_MAX)

/** A place in the queue of one lock, as the cluster knows it. */
struct evl_entry {
	const char *root;
	const char *holder;		/**< describes the session to a person */
	char id[EVL_ID_MAX + 1];	/**< unique among all places of all sessions */
	int64_t lease;
	int64_t guard;			/**< mod_revision of the guard; 0: unknown */
	int64_t revision;		/**< create_revision of the place; 0: unknown */
	uint8_t is_exclusive;
};

/** Writes the root of the lock `name` to `root`, which has room for EVL_ROOT_MAX bytes and a 0. */
void evl_ask_root(char *root, const char *prefix, const char *name);

/** Writes the entry's key in the folder 'q', 'x' or 'g' to `key`, which has room for EVL_KEY_MAX
 * bytes and a 0.  Returns the length of the key. */
size_t evl_ask_key(char *key, const struct evl_entry *entry, char folder);

int evl_ask_authenticate(struct evbuffer *out, const char *user, const char *password);
int evl_ask_status(struct evbuffer *out);
int evl_ask_grant(struct evbuffer *out, int64_t lease, unsigned ttl);

/** The message is the same for keeping a lease alive and for revoking it. */
int evl_ask_lease(struct evbuffer *out, int64_t lease);

/** Writes the guard.  The revision in the answer's header is the guard's mod_revision. */
int evl_ask_guard(struct evbuffer *out, const struct evl_entry *entry);

/** Enters the queue and finds the next place ahead, unless the guard has changed.
 * If the transaction succeeds, the place was entered at the revision in the header; the answer's
 * key is that of the next place ahead, if there is one.
 * If it fails, either the answer has our key: the place was entered earlier, at that key's
 * create_revision.  Or it has none: the guard has changed to guard_revision, or is gone (0). */
int evl_ask_enter(struct evbuffer *out, const struct evl_entry *entry);

/** Enters the queue only if no place conflicts with it.  If the transaction succeeds, the place was
 * entered at the revision in the header.  If it fails, the answer means the same as above; or the
 * guard is unchanged, and another place conflicts. */
int evl_ask_try(struct evbuffer *out, const struct evl_entry *entry);

/** Finds the next place ahead.  If the transaction fails, the place is lost.  If the answer has no
 * key, nobody is ahead. */
int evl_ask_check(struct evbuffer *out, const struct evl_entry *entry);

/** Makes an exclusive place shared.  If the transaction fails, the place is lost. */
int evl_ask_weaken(struct evbuffer *out, const struct evl_entry *entry);

/** Leaves the queue.  If the transaction fails, somebody else has changed the guard. */
int evl_ask_leave(struct evbuffer *out, const struct evl_entry *entry);

/** Deletes all keys of the id.  Without the guard, no late copy of an entry can succeed.  The id
 * must not be used again, because a late copy of this deletion would delete the new keys. */
int evl_ask_clear(struct evbuffer *out, const struct evl_entry *entry);

/** Watches a key for deletions from now on.  The caller chooses the number of the watch. */
int evl_ask_watch(struct evbuffer *out, const char *key, size_t size, int64_t id);
int evl_ask_unwatch(struct evbuffer *out, int64_t id);

#endif
