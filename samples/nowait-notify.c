/* SPDX-License-Identifier: BSD-3-Clause */

/* nowait-notify: a cleaner that never waits for a room.  If the room is not free at once,
 * the cleaner does something else, and evlock activates the cleaner's event when the room
 * may be free again.  The event reserves nothing: if a guest is faster, evlock activates
 * it again later.
 *
 * Compile: cc nowait-notify.c $(pkg-config --cflags --libs evlock libevent_core) */

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <event2/event.h>
#include <evlock/evlock.h>

struct hotel {
	struct evlock *room;
	struct event *told;		/* the room may be free: the cleaner looks */
	struct event *check_out;	/* a guest leaves */
	evlock_handle guest;
	int n_guests;
};

/* --- The cleaner ---------------------------------------------------------- */

static void
try_to_clean(evutil_socket_t fd, short what, void *arg)
{
	struct hotel *hotel = arg;
	evlock_handle handle = evlock_acquire_nowait(hotel->room, EVLOCK_EXCLUSIVE);

	(void)fd;
	(void)what;
	if (handle == 0) {
		printf("cleaner: %s, so I do something else\n",
		    errno == EAGAIN ? "not free" : strerror(errno));
		return;
	}
	printf("cleaner: free, and now clean\n");
	evlock_unnotify(hotel->room, hotel->told);
	evlock_release(hotel->room, handle);
}

/* --- The guests ----------------------------------------------------------- */

static void
check_in(struct hotel *hotel)
{
	static const struct timeval stay = { 0, 100000 };

	hotel->guest = evlock_acquire_nowait(hotel->room, EVLOCK_EXCLUSIVE);
	printf("guest %d: %s\n", ++hotel->n_guests, hotel->guest ? "checks in" : strerror(errno));
	event_add(hotel->check_out, &stay);
}

static void
check_out(evutil_socket_t fd, short what, void *arg)
{
	struct hotel *hotel = arg;

	(void)fd;
	(void)what;
	printf("guest %d: checks out\n", hotel->n_guests);
	evlock_release(hotel->room, hotel->guest);	/* activates the cleaner's event */
	if (hotel->n_guests == 1)
		check_in(hotel);			/* but the next guest is faster */
}

int
main(void)
{
	struct event_base *base = event_base_new();
	struct evlock_options options = { .name = "room" };
	struct hotel hotel = { .room = evlock_new(base, &options) };

	hotel.told = event_new(base, -1, 0, try_to_clean, &hotel);
	hotel.check_out = evtimer_new(base, check_out, &hotel);
	check_in(&hotel);
	try_to_clean(-1, 0, &hotel);
	if (evlock_notify(hotel.room, EVLOCK_EXCLUSIVE, hotel.told) < 0)
		perror("evlock_notify");
	event_base_dispatch(base);

	event_free(hotel.told);
	event_free(hotel.check_out);
	evlock_free(hotel.room);
	event_base_free(base);
	return 0;
}
