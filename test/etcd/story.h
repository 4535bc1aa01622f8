/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef STORY_H_INCLUDED_
#define STORY_H_INCLUDED_

/* What the tests of lib/scopes/etcd share: sessions and places that write down what they are told, and
 * loops that run until so much has been told. */

#include <event2/event.h>

#include "scopes/etcd/place.h"

extern struct event_base *base;

void write_down(const char *who, const char *what);

/** What was written down since the last look: "who:what who:what". */
const char *told(void);

/** Runs the loop until so many things have been told, or far too much time has passed. */
const char *run_until(unsigned n);

/** The same, where the order is of no interest: the words are sorted. */
const char *run_until_all(unsigned n);

/** Runs the loop for a while, for what is not to happen. */
const char *run_for(long ms);

/** Opens a session that writes its states down. */
struct evlock_etcd *open_session(const char *who, const struct evlock_etcd_options *options);

/** Two sessions on the real etcd at EVLOCK_ETCD_URL, whose keys nobody else has. */
extern struct evlock_etcd *one, *two;
extern char prefix[64];

/** Seconds, of all that begin_on_etcd() and open_on_etcd() open. */
extern int ttl;

void begin_on_etcd(void);
void end_on_etcd(void);

/** One more such session. */
struct evlock_etcd *open_on_etcd(const char *who);

/** The command, on that etcd: etcdctl("del %s", key).  What it prints is lost. */
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

/** One in which no session ends by itself, however slow the machine. */
#define EtcdTest(suite, name) TtlTest(suite, name, 60)

/** One that waits for a lease to be renewed, missed or at its end. */
#define LeaseTest(suite, name) TtlTest(suite, name, 5)

/** The reason of the last state. */
extern char reason[200];

/** A place that writes down how it is. */
struct player {
	const char *name;
	struct evl_place *place;
};

/** What its place calls. */
void on_granted_player(void *player);
void on_ended_player(void *player, int error);

struct player new_player(const char *name, struct evlock_etcd *session, const char *lock,
    struct player *self);

#define PLAYER(name, session) struct player name = new_player(#name, session, "a/b", &name)

enum { SHARED, EXCLUSIVE };

void want(struct player *p, int is_exclusive);

#endif
