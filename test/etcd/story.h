/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef STORY_H_INCLUDED_
#define STORY_H_INCLUDED_

/* Shared by the tests of lib/scopes/etcd: sessions and places that record what they report, and
 * functions that run the loop until there are enough records. */

#include <event2/event.h>

#include "scopes/etcd/place.h"

extern struct event_base *base;

void write_down(const char *who, const char *what);

/** Returns the records since the last call: "who:what who:what". */
const char *told(void);

/** Runs the loop until this many words have been recorded, or far too much time has passed. */
const char *run_until(unsigned n);

/** The same, where the order does not matter: the words are sorted. */
const char *run_until_all(unsigned n);

/** Runs the loop for a while, to show that nothing happens. */
const char *run_for(long ms);

/** Opens a session that records its states. */
struct evlock_etcd *open_session(const char *who, const struct evlock_etcd_options *options);

/** Two sessions on the real etcd at EVLOCK_ETCD_URL, whose keys nobody else has. */
extern struct evlock_etcd *one, *two;
extern char prefix[64];

/** The ttl, in seconds, of the sessions that begin_on_etcd() and open_on_etcd() open. */
extern int ttl;

void begin_on_etcd(void);
void end_on_etcd(void);

/** Opens one more such session. */
struct evlock_etcd *open_on_etcd(const char *who);

/** Runs etcdctl on that etcd: etcdctl("del %s", key).  Its output is dropped. */
__attribute__((format(printf, 1, 2))) void etcdctl(const char *format, ...);

void revoke_lease_of(const struct evlock_etcd *session);

/** A Test() between the begin() and the end() of its file, with sessions of `seconds`. */
#define TtlTest(suite, name, seconds) \
	static void suite##_##name##_body(void); \
	Test(suite, name) \
	{ \
		ttl = (seconds); \
		begin(); \
		suite##_##name##_body(); \
		end(); \
	} \
	static void \
	suite##_##name##_body(void)

/** A test in which no session expires, however slow the machine. */
#define EtcdTest(suite, name) TtlTest(suite, name, 60)

/** A test that waits for a lease to be renewed, missed or expired. */
#define LeaseTest(suite, name) TtlTest(suite, name, 5)

/** Returns the reason for the last state. */
extern char reason[200];

/** A place that records its states. */
struct player {
	const char *name;
	struct evl_place *place;
};

/** The callback of such a place. */
void on_granted_player(void *player);
void on_ended_player(void *player, int error);

struct player new_player(const char *name, struct evlock_etcd *session, const char *lock,
    struct player *self);

#define PLAYER(name, session) struct player name = new_player(#name, session, "a/b", &name)

enum { SHARED, EXCLUSIVE };

void want(struct player *p, int is_exclusive);

#endif
