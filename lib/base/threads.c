/* SPDX-License-Identifier: BSD-3-Clause */

/* What libevent does not tell of a base: was it set up for threads before it was made?
 *
 * There is no call to ask.  But evbuffer_enable_locking() fails unless libevent can
 * make mutexes; and a base that was made while it could has an event of its own, by
 * which others wake it, with the same callback in all such bases. */

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

/* What is looked for among a base's events; NULL: the first that there is. */
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

/* The callback of the event by which others wake a base, from a base that has nothing
 * else; NULL if there is none. */
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

/* Finds it once.  Making and freeing a base opens and closes descriptors. */
static event_callback_fn
need_waker(void)
{
	static event_callback_fn waker;	/* atomic; once it is known */
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
