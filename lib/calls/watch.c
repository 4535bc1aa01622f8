/* SPDX-License-Identifier: BSD-3-Clause */

/* evlock_notify() and evlock_unnotify(), by which a caller's event watches a lock.  Called in the
 * thread of the lock's base. */

#include "base/fail.h"
#include "base/mem.h"
#include "calls/watch.h"
#include "lock/notify.h"
#include "lock/step.h"

static struct evl_watch *
find_watch(const struct evlock *lock, const struct event *ev)
{
	struct evl_link *link;

	EVL_LIST_EACH(link, &lock->body->notifies)
		if (EVL_WATCH(link)->ev == ev)
			return EVL_WATCH(link);
	return NULL;
}

/* Returns 0 or an errno. */
static int
judge(const struct evlock *lock, unsigned mode, const struct event *ev)
{
	if (!ev || evl_lock_judge(lock, mode, 1))
		return EINVAL;
	if (lock->table)	/* the table frees the lock with its last request */
		return ENOTSUP;
	return find_watch(lock, ev) ? EEXIST : 0;
}

static struct evl_watch *
create(struct evlock *lock, unsigned mode, struct event *ev)
{
	struct evl_watch *watch = evl_mem_zalloc(sizeof *watch);

	if (!watch)
		return NULL;
	watch->seat.mode = (uint8_t)(mode < EVLOCK_MAX_MODES ? mode : 0);
	watch->seat.role = EVL_NOTIFY;
	watch->lock = lock;
	watch->ev = ev;
	watch->is_armed = 1;
	evl_list_push(&lock->body->notifies, &watch->link);
	evl_lock_update_watched(lock->body);
	return watch;
}

/* Returns 0 or an errno. */
static int
begin(struct evl_step *step, struct evlock *lock, unsigned mode, struct event *ev)
{
	int error = judge(lock, mode, ev);
	struct evl_watch *watch;

	if (error)
		return error;
	watch = create(lock, mode, ev);
	if (!watch)
		return ENOMEM;
	evl_notify_tell_if_free(&step->change, watch);
	evl_step_note(step, lock->body, 0);
	return 0;
}

int
evlock_notify(struct evlock *lock, unsigned mode, struct event *ev)
{
	struct evl_step step;
	int error;

	evl_letters_use(lock->port);
	evl_step_begin(&step, lock->body);
	error = begin(&step, lock, mode, ev);
	evl_step_end(&step);
	return error ? evl_fail(error) : 0;
}

static void
forget(struct evl_watch *watch)
{
	if (watch->seat.state != EVL_FREE) {
		evl_letters_collect(watch->lock->port);
		evl_list_remove(&watch->seat.link);
	}
	evl_list_remove(&watch->link);
	evl_mem_free(watch);
}

static int
end(struct evl_step *step, struct evlock *lock, struct event *ev)
{
	struct evl_watch *watch = find_watch(lock, ev);

	if (!watch || watch->lock->port != lock->port)	/* another thread may be delivering it */
		return ENOENT;
	forget(watch);
	evl_step_note(step, lock->body, 0);
	evl_lock_update_watched(lock->body);
	return 0;
}

int
evlock_unnotify(struct evlock *lock, struct event *ev)
{
	struct evl_step step;
	int error;

	evl_step_begin(&step, lock->body);
	error = end(&step, lock, ev);
	evl_step_end(&step);
	return error ? evl_fail(error) : 0;
}

void
evl_watch_forget_all(struct evlock *lock)
{
	struct evl_guard *guard = evl_lock_enter(lock->body);
	struct evl_link *link, *after;

	EVL_LIST_EACH_SAFE(link, after, &lock->body->notifies)
		if (EVL_WATCH(link)->lock == lock)
			forget(EVL_WATCH(link));
	evl_lock_update_watched(lock->body);
	evl_lock_leave(guard);
}

void
evl_watch_forget_inherited(struct evlock *lock)
{
	struct evl_link *link, *after;

	EVL_LIST_EACH_SAFE(link, after, &lock->body->notifies)
		if (EVL_WATCH(link)->lock == lock) {
			evl_list_remove(link);
			evl_mem_free(EVL_WATCH(link));
		}
}
