/* SPDX-License-Identifier: BSD-3-Clause */

/* session: a session is the owner of all its locks.  It may lock again what it holds, ahead
 * of the waiters.  If two sessions would wait for each other, the later request fails at
 * once, so its session can react.  When a session ends, one call ends all its requests,
 * whether they hold or wait.  The session needs no list of them.
 *
 * Compile: cc session.c $(pkg-config --cflags --libs evlock libevent_core) */

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <event2/event.h>
#include <evlock/owner.h>
#include <evlock/table.h>

struct session {
	const char *name;
	struct evlock_table *rows;
	struct evlock_owner *owner;
};

static struct session
open_session(struct evlock_table *rows, const char *name)
{
	struct session session = { name, rows, evlock_owner_new(name) };

	return session;
}

/* --- Locking a row -------------------------------------------------------- */

static void
print_end(struct evlock *lock, evlock_handle handle, int error, void *arg)
{
	struct session *session = arg;
	const char *row;
	size_t len;

	(void)lock;
	row = error ? NULL : evlock_table_key(session->rows, handle, &len);
	if (row)
		printf("%s has %.*s\n", session->name, (int)len, row);
	else
		printf("%s: %s\n", session->name, strerror(error));
}

static void
ask(struct session *session, const char *row, unsigned mode)
{
	const struct evlock_request request = {
		.mode = mode, .owner = session->owner, .cb = print_end, .arg = session
	};

	printf("%s asks for %s, %s\n", session->name, row,
	    mode == EVLOCK_SHARED ? "to read it" : "to change it");
	if (evlock_table_acquire_request(session->rows, row, strlen(row), &request) == 0)
		printf("%s is refused: %s\n", session->name,
		    errno == EDEADLK ? "they would wait for each other" : strerror(errno));
}

static void
end_session(struct session *session)
{
	size_t n = evlock_owner_release_all(session->owner);

	printf("%s ends, and lets go of %zu\n", session->name, n);
	evlock_owner_free(session->owner);
}

/* Runs the callbacks that are due. */
static void
go_on(struct event_base *base)
{
	event_base_loop(base, EVLOOP_NONBLOCK);
}

int
main(void)
{
	struct event_base *base = event_base_new();
	struct evlock_table *rows = evlock_table_new(base, NULL);
	struct session ann, bob, cid;

	if (rows == NULL)
		return 1;
	ann = open_session(rows, "Ann");
	bob = open_session(rows, "Bob");
	cid = open_session(rows, "Cid");
	if (!ann.owner || !bob.owner || !cid.owner)
		return 1;

	ask(&ann, "row 1", EVLOCK_EXCLUSIVE);
	ask(&bob, "row 2", EVLOCK_EXCLUSIVE);
	go_on(base);
	ask(&bob, "row 1", EVLOCK_EXCLUSIVE);	/* waits for Ann */
	ask(&cid, "row 1", EVLOCK_SHARED);	/* waits for Ann and Bob */
	ask(&ann, "row 1", EVLOCK_SHARED);	/* Ann holds it, so she goes ahead of them */
	go_on(base);
	ask(&ann, "row 2", EVLOCK_EXCLUSIVE);	/* Bob holds it, and Bob waits for Ann */
	ask(&ann, "row 3", EVLOCK_EXCLUSIVE);
	go_on(base);

	printf("%zu rows are locked\n", evlock_table_count(rows));
	end_session(&ann);
	go_on(base);
	end_session(&bob);
	go_on(base);
	end_session(&cid);
	printf("%zu rows are locked\n", evlock_table_count(rows));

	evlock_table_free(rows);
	event_base_free(base);
	return 0;
}
