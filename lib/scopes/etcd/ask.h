/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef EVL_ASK_H_INCLUDED_
#define EVL_ASK_H_INCLUDED_

/* What is asked of the cluster: the messages, and the keys in them.  Pure: a message with its
 * prefix is added to a buffer.  Called by auth, member, session, place and watches.  All return
 * 0, or -1 if there is no memory.
 *
 * A lock has a root, PREFIX NAME, in which the / and % of the name are written %2F and %25, so
 * that no lock's keys lie among another's.  Below it, each session that uses the lock has an ID:
 *
 *	ROOT/q/ID	a place in the queue; its create_revision is the place, and the token.
 *			Its value says in words who has it
 *	ROOT/x/ID	beside it, while the place is exclusive
 *	ROOT/g/ID	the guard: written once before the first entry, and again with each.  An
 *			entry compares its mod_revision, so that a late copy of an entry fails; so
 *			does leaving
 *
 * All of them are kept by the session's lease. */

#include <stddef.h>
#include <stdint.h>

struct evbuffer;

#define EVL_PREFIX_MAX	255
#define EVL_NAME_MAX	255
#define EVL_HOLDER_MAX	255
#define EVL_ID_MAX	40
#define EVL_ROOT_MAX	(EVL_PREFIX_MAX + 3 * EVL_NAME_MAX)
#define EVL_KEY_MAX	(EVL_ROOT_MAX + 3 + EVL_ID_MAX)

/** A place in the queue of one lock, in the cluster's terms. */
struct evl_entry {
	const char *root;
	const char *holder;		/**< who has it, for a person */
	char id[EVL_ID_MAX + 1];	/**< unlike that of any other place, of any session */
	int64_t lease;
	int64_t guard;			/**< mod_revision of the guard; 0: not known */
	int64_t revision;		/**< create_revision of the place; 0: not known */
	uint8_t is_exclusive;
};

/** Writes the root of the lock `name` to `root`, which has room for EVL_ROOT_MAX and the end. */
void evl_ask_root(char *root, const char *prefix, const char *name);

/** Writes the entry's key in the folder 'q', 'x' or 'g' to `key`, which has room for EVL_KEY_MAX
 * and the end.  Returns its length. */
size_t evl_ask_key(char *key, const struct evl_entry *entry, char folder);

int evl_ask_authenticate(struct evbuffer *out, const char *user, const char *password);
int evl_ask_status(struct evbuffer *out);
int evl_ask_grant(struct evbuffer *out, int64_t lease, unsigned ttl);

/** To keep a lease alive, or to revoke it. */
int evl_ask_lease(struct evbuffer *out, int64_t lease);

/** Writes the guard; the header's revision is its mod_revision. */
int evl_ask_guard(struct evbuffer *out, const struct evl_entry *entry);

/** Enters the queue, unless that has happened, and finds who is next ahead.
 * Succeeded: entered, at the header's revision; a key, if there is one: who is next ahead.
 * Not succeeded: a key: entered earlier, at its create_revision; none: the guard has changed, to
 * guard_revision, or is gone. */
int evl_ask_enter(struct evbuffer *out, const struct evl_entry *entry);

/** Enters the queue only if nobody is in the way.  Succeeded: entered, at the header's revision.
 * Not: as above; or, with the guard as it was, somebody is in the way. */
int evl_ask_try(struct evbuffer *out, const struct evl_entry *entry);

/** Is it our turn?  Not succeeded: the place is lost.  A key: who is next ahead. */
int evl_ask_check(struct evbuffer *out, const struct evl_entry *entry);

/** From exclusive to shared.  Not succeeded: the place is lost. */
int evl_ask_weaken(struct evbuffer *out, const struct evl_entry *entry);

/** Leaves the queue, or ends the hold.  Not succeeded: somebody has meddled with the guard. */
int evl_ask_leave(struct evbuffer *out, const struct evl_entry *entry);

/** Removes all that the id has, and with it any late copy's chance to enter: the id may not be used
 * again, as a late copy of this would remove that, too. */
int evl_ask_clear(struct evbuffer *out, const struct evl_entry *entry);

/** Tells of deletions of a key from now on, under a number of ours. */
int evl_ask_watch(struct evbuffer *out, const char *key, size_t size, int64_t id);
int evl_ask_unwatch(struct evbuffer *out, int64_t id);

#endif
