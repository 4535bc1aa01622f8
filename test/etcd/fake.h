/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef FAKE_H_INCLUDED_
#define FAKE_H_INCLUDED_

/* An etcd that does what a test wants: a server on loopback, in the same loop as what is tested.
 * Each request is handed to the test, which answers it, or does not. */

#include <event2/event.h>

struct bufferevent;
struct fake;

enum fake_kind {
	FAKE_GRANT, FAKE_KEEPALIVE, FAKE_REVOKE, FAKE_AUTHENTICATE,
	FAKE_ENTER, FAKE_TRY, FAKE_CHECK, FAKE_WEAKEN, FAKE_LEAVE, FAKE_WATCH,
	FAKE_OTHER
};

/** One request; gone when the test's function returns. */
struct fake_request {
	struct fake *fake;
	struct bufferevent *connection;
	enum fake_kind kind;
	unsigned n;			/**< of its kind, from 1 */
	const char *text;		/**< all of it */
};

/** A server; its requests go to `answer`. */
struct fake *fake_new(struct event_base *base, void (*answer)(struct fake_request *));
void fake_free(struct fake *fake);

/** Where it is, for evlock_etcd_options. */
const char *fake_url(const struct fake *fake);

/** What was asked so far, and not looked at: "grant enter". */
const char *fake_asked(struct fake *fake);
unsigned fake_count(const struct fake *fake, enum fake_kind kind);
unsigned fake_connections(const struct fake *fake);	/**< accepted in all */

/** Answers with JSON, as etcd would. */
void fake_answer(struct fake_request *q, int status, const char *json);

/** Answers as a healthy etcd would, where nobody else is; a watch is set up and stays silent. */
void fake_be_nice(struct fake_request *q);

/** Answers with these very bytes, and breaks the connection. */
void fake_raw(struct fake_request *q, const char *bytes);
void fake_hang_up(struct fake_request *q);

/** Tells one more thing on a watch that was set up. */
void fake_tell(struct bufferevent *connection, const char *json);

#endif
