/* SPDX-License-Identifier: BSD-3-Clause */

/* The mutexes of locks that several threads use; see guard.h.  What a step sends is sent
 * with the guard still held, so that whoever frees a lock object finds all that is
 * on its way to it; the loops are woken afterwards. */

#include <errno.h>

#include "base/cancel.h"
#include "base/mem.h"
#include "lock/guard.h"
#include "loop/letters.h"
#include "requests/chosen.h"

/* Tied guards have its mutex in common. */
struct evl_guard evl_guard_tied = {
	.own = PTHREAD_MUTEX_INITIALIZER,
	.current = &evl_guard_tied.own
};

/* --- After fork() ----------------------------------------------------------- */

/* Is a mutex as it was when nobody had locked it?  If not, it is made so.  Whoever had is no
 * thread of this process. */
static int
unlock_inherited(pthread_mutex_t *mutex)
{
	if (pthread_mutex_trylock(mutex) == 0) {
		pthread_mutex_unlock(mutex);
		return 1;
	}
	pthread_mutex_init(mutex, NULL);
	return 0;
}

/* The child needs this one for what it makes itself.  If it is torn, so are the tied guards that
 * were inherited. */
static void
after_fork_in_child(void)
{
	if (!unlock_inherited(&evl_guard_tied.own))
		evl_guard_tied.is_torn = 1;
}

static void
watch_forks(void)
{
	pthread_atfork(NULL, NULL, after_fork_in_child);
}

int
evl_guard_is_whole(struct evl_guard *guard)
{
	if (!unlock_inherited(&guard->own) ||
	    (guard->current != &guard->own && evl_guard_tied.is_torn))
		guard->is_torn = 1;
	return !guard->is_torn;
}

/* --- Making and freeing --------------------------------------------------- */

struct evl_guard *
evl_guard_new(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	struct evl_guard *guard = evl_mem_zalloc(sizeof *guard);

	pthread_once(&once, watch_forks);
	if (!guard)
		return NULL;
	if (pthread_mutex_init(&guard->own, NULL)) {
		evl_mem_free(guard);
		errno = ENOMEM;
		return NULL;
	}
	guard->current = &guard->own;
	evl_handles_init(&guard->pool, 64);
	guard->n_users = 1;
	return guard;
}

void
evl_guard_keep(struct evl_guard *guard)
{
	__atomic_add_fetch(&guard->n_users, 1, __ATOMIC_RELAXED);
}

void
evl_guard_drop(struct evl_guard *guard)
{
	if (__atomic_sub_fetch(&guard->n_users, 1, __ATOMIC_ACQ_REL))
		return;
	pthread_mutex_destroy(&guard->own);
	evl_chosen_clear(&guard->pool);
	evl_handles_clear(&guard->pool);
	evl_mem_free(guard);
}

/* --- Entering and leaving --------------------------------------------------- */

static void
lock_current(struct evl_guard *guard)
{
	pthread_mutex_t *mutex = __atomic_load_n(&guard->current, __ATOMIC_ACQUIRE), *before;

	for (;;) {
		pthread_mutex_lock(mutex);
		before = mutex;
		mutex = __atomic_load_n(&guard->current, __ATOMIC_RELAXED);
		if (mutex == before)
			return;
		pthread_mutex_unlock(before);	/* it was tied meanwhile */
	}
}

void
evl_guard_enter(struct evl_guard *guard)
{
	int state = evl_cancel_disable();

	lock_current(guard);
	guard->cancel_state = state;
}

void
evl_guard_leave(struct evl_guard *guard)
{
	int state = guard->cancel_state;

	pthread_mutex_unlock(guard->current);
	evl_letters_wake_others();
	evl_cancel_restore(state);
}

void
evl_guard_tie_in_step(struct evl_guard *guard)
{
	__atomic_store_n(&guard->current, &evl_guard_tied.own, __ATOMIC_RELEASE);
}

void
evl_guard_tie(struct evl_guard *guard)
{
	if (__atomic_load_n(&guard->current, __ATOMIC_ACQUIRE) == &evl_guard_tied.own)
		return;
	pthread_mutex_lock(&evl_guard_tied.own);
	pthread_mutex_lock(&guard->own);
	evl_guard_tie_in_step(guard);
	pthread_mutex_unlock(&guard->own);
	pthread_mutex_unlock(&evl_guard_tied.own);
}
