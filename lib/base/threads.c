/* SPDX-License-Identifier: BSD-3-Clause */

/* Was libevent set up for threads before a base was made?
 *
 * No call of libevent tells.  But evbuffer_enable_locking() fails unless libevent can make
 * mutexes now.  And a base that was made while libevent could make them has an internal
 * event, by which other threads wake it.  That event has the same callback in all bases. */

#include <event2/buffer.h>
#include <event2/event.h>

#include "base/cancel.h"
#include "base/threads.h"

static int
has_mutexes(void)
{
	struct evbuffer *buffer = evbuffer_new();
	int has = buffer && evbuffer_enable_locking(buffer, NULL) == 0;

	if (buffer)
		evbuffer_free(buffer);
	return has;
}

/* The event to look for among a base's events.  `callback` NULL: any event, whose callback is then
 * stored here. */
struct sought {
	event_callback_fn callback;
	int is_found;
};

static int
match(const struct event_base *base, const struct event *ev, void *arg)
{
	struct sought *sought = arg;

	(void)base;
	if (!sought->callback)
		sought->callback = event_get_callback(ev);
	sought->is_found = event_get_callback(ev) == sought->callback;
	return sought->is_found;
}

/* Finds the callback of the event by which other threads wake a base.  Looks in a fresh base, which
 * has no other event.  Returns NULL if there is none. */
static event_callback_fn
find_waker(void)
{
	struct sought sought = { NULL, 0 };
	struct event_base *fresh = has_mutexes() ? event_base_new() : NULL;

	if (!fresh)
		return NULL;
	event_base_foreach_event(fresh, match, &sought);
	event_base_free(fresh);
	return sought.callback;
}

/* Finds the callback once, with cancellation disabled: making and freeing a base opens and closes
 * descriptors. */
static event_callback_fn
need_waker(void)
{
	static event_callback_fn waker;	/* atomic; NULL: not known yet */
	event_callback_fn known = __atomic_load_n(&waker, __ATOMIC_RELAXED);
	int state;

	if (known)
		return known;
	state = evl_cancel_disable();
	known = find_waker();
	evl_cancel_restore(state);
	__atomic_store_n(&waker, known, __ATOMIC_RELAXED);
	return known;
}

int
evl_threads_can_wake(struct event_base *base)
{
	struct sought sought = { need_waker(), 0 };

	if (!sought.callback)
		return 0;
	event_base_foreach_event(base, match, &sought);
	return sought.is_found;
}
