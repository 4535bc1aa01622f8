/* SPDX-License-Identifier: BSD-3-Clause */

/* hello-lock: one visitor at a time, each across two callbacks, and the loop never blocks.
 * Compile: cc hello-lock.c $(pkg-config --cflags --libs evlock libevent_core) */

#include <stdio.h>
#include <string.h>
#include <event2/event.h>
#include <evlock/evlock.h>

struct visitor {
	const char *name;
	struct evlock *door;
	evlock_handle handle;
};

static void
leave(evutil_socket_t fd, short what, void *arg)
{
	struct visitor *visitor = arg;

	(void)fd, (void)what;
	printf("%s leaves\n", visitor->name);
	evlock_release(visitor->door, visitor->handle);	/* and lets the next one in */
}

static void
enter(struct evlock *door, evlock_handle handle, int error, void *arg)
{
	static const struct timeval stay = { 0, 300000 };
	struct visitor *visitor = arg;

	(void)handle;
	printf("%s %s\n", visitor->name, error ? strerror(error) : "enters");
	if (!error)	/* the visitor holds the lock until leave() */
		event_base_once(evlock_get_base(door), -1, EV_TIMEOUT, leave, visitor, &stay);
}

int
main(void)
{
	static const struct timeval patience = { 0, 100000 };
	struct event_base *base = event_base_new();
	struct evlock *door = evlock_new(base, NULL);
	struct visitor ann = { "Ann:", door, 0 };
	struct visitor bob = { "Bob:", door, 0 };
	struct visitor cid = { "Cid:", door, 0 };

	if (door == NULL)
		return 1;
	ann.handle = evlock_acquire(door, EVLOCK_EXCLUSIVE, NULL, enter, &ann);
	bob.handle = evlock_acquire(door, EVLOCK_EXCLUSIVE, &patience, enter, &bob);
	cid.handle = evlock_acquire(door, EVLOCK_EXCLUSIVE, NULL, enter, &cid);
	printf("all three stand at the door\n");
	event_base_dispatch(base);	/* returns when no event is left */
	evlock_free(door);
	event_base_free(base);
	return 0;
}
