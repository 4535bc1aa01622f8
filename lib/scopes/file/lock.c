/* SPDX-License-Identifier: BSD-3-Clause */

/* Locks between processes, kept by the kernel on a file: <evlock/file.h>.  What a process
 * has of the kernel's lock is a claim (file/claim.h), and the outside of an ordinary lock
 * with a guard (outside.h), which is the claim's guard too; it outlives the lock until the
 * claim's helper has ended.  All objects that a process makes for one path are of one lock.
 *
 *	files.mutex -> guard, that of the ports -> that of file/opened.c
 */

#include <errno.h>
#include <pthread.h>
#include <string.h>

#include <evlock/file.h>

#include "base/cancel.h"
#include "base/mem.h"
#include "lock/step.h"
#include "loop/ports.h"
#include "scopes/file/claim.h"
#include "scopes/file/path.h"
#include "scopes/outside.h"

struct file_lock {
	struct evl_outside outside;
	struct evl_claim claim;
	struct evl_guard *guard;
	struct evl_step step;		/**< of the helper thread, while it has entered the guard */
	struct evl_link link;		/**< in files.list, until it is freed */
};

#define FILE_LOCK(o) EVL_CONTAINER(o, struct file_lock, outside)
#define CLAIMED(c) EVL_CONTAINER(c, struct file_lock, claim)
#define LISTED(l) EVL_CONTAINER(l, struct file_lock, link)

static const struct evlock_options no_options;

/* The locks of this process; one is made or found at a time. */
static struct {
	pthread_mutex_t mutex;
	struct evl_link list;
	int error;		/* why there is no handler for fork() */
} files = { PTHREAD_MUTEX_INITIALIZER, { &files.list, &files.list }, 0 };

/* --- fork(): the mutex is free in the child ------------------------------------------ */

static void
before_fork(void)
{
	pthread_mutex_lock(&files.mutex);
}

static void
after_fork(void)
{
	pthread_mutex_unlock(&files.mutex);
}

/* Handlers that are set later are called earlier, as this mutex has to be. */
static void
handle_fork(void)
{
	evl_ports_handle_fork();
	files.error = evl_opened_handle_fork();
	if (!files.error)
		files.error = pthread_atfork(before_fork, after_fork, after_fork);
}

/* --- What the claim tells ------------------------------------------------------------ */

static void
enter(struct evl_claim *claim)
{
	evl_step_begin_in(&CLAIMED(claim)->step, CLAIMED(claim)->guard);
}

static void
leave(struct evl_claim *claim)
{
	evl_step_end(&CLAIMED(claim)->step);
}

static void
tell_got(struct evl_claim *claim)
{
	evl_outside_take(&CLAIMED(claim)->step, &CLAIMED(claim)->outside);
}

static void
tell_failed(struct evl_claim *claim, int error)
{
	evl_outside_fail(&CLAIMED(claim)->step, &CLAIMED(claim)->outside, error);
}

static void
destroy(struct evl_claim *claim)
{
	evl_guard_drop(CLAIMED(claim)->guard);
	evl_mem_free(CLAIMED(claim));
}

static const struct evl_claim_user claim_user = { enter, leave, tell_got, tell_failed, destroy };

/* --- What the outside asks ------------------------------------------------------------ */

static int
is_exclusive(unsigned mode)
{
	return mode == EVLOCK_EXCLUSIVE;
}

static int
want(struct evl_outside *o, unsigned mode)
{
	struct evl_claim *claim = &FILE_LOCK(o)->claim;
	int error = evl_claim_try(claim, is_exclusive(mode));

	if (!error)
		return 1;
	if (error == EAGAIN)
		error = evl_claim_ask(claim, is_exclusive(mode));
	if (!error)
		return 0;
	errno = error;
	return -1;
}

static int
try_now(struct evl_outside *o, unsigned mode)
{
	struct evl_claim *claim = &FILE_LOCK(o)->claim;

	return o->has == EVLOCK_NONE ? evl_claim_try(claim, is_exclusive(mode))
	    : evl_claim_may_join(claim);
}

static void
drop(struct evl_outside *o)
{
	evl_claim_drop(&FILE_LOCK(o)->claim);
}

static void
weaken(struct evl_outside *o)
{
	evl_claim_weaken(&FILE_LOCK(o)->claim);
}

static int
compare(const struct evl_outside *a, const struct evl_outside *b)
{
	const struct evl_claim *x = &FILE_LOCK(a)->claim, *y = &FILE_LOCK(b)->claim;

	if (x->device != y->device)
		return x->device < y->device ? -1 : 1;
	return x->inode < y->inode ? -1 : x->inode > y->inode;
}

/* A holder may have removed the file: then who follows must not have what nobody finds. */
static int
is_stale(struct evl_outside *o)
{
	return evl_opened_check(&FILE_LOCK(o)->claim.file) == EVL_FILE_MOVED;
}

static void
end(struct evl_outside *o)
{
	struct file_lock *file = FILE_LOCK(o);

	pthread_mutex_lock(&files.mutex);
	evl_list_remove(&file->link);
	pthread_mutex_unlock(&files.mutex);
	evl_claim_end(&file->claim);
}

static const struct evl_outside_ops outside_ops = {
	want, try_now, drop, weaken, compare, end, 1, is_stale
};

/* --- Making ----------------------------------------------------------------------------- */

/* The claim, and the lock around it, which is not listed yet.  `path` is freed with it, in
 * any case. */
static struct evlock *
create(struct event_base *base, char *path, const struct evlock_options *options, unsigned flags)
{
	struct file_lock *file = evl_mem_zalloc(sizeof *file);
	struct evlock *lock;
	int error = file ? 0 : ENOMEM;

	if (!file)
		evl_mem_free(path);
	else
		error = evl_claim_begin(&file->claim, &claim_user, path,
		    !!(flags & EVLOCK_FILE_FLOCK), !!(flags & EVLOCK_FILE_MKDIR));
	if (error) {
		evl_mem_free(file);
		errno = error;
		return NULL;
	}
	lock = evl_outside_new(&file->outside, &outside_ops, base, options, 1);
	if (!lock) {
		evl_opened_end(&file->claim.file);
		evl_mem_free(file);
		errno = ENOMEM;
		return NULL;
	}
	file->guard = lock->body->guard;
	evl_guard_keep(file->guard);
	evl_list_push(&files.list, &file->link);
	return lock;
}

/* The lock of that path, kept, or NULL.  One that was inherited is its parent's. */
static struct file_lock *
find(const char *path)
{
	struct evl_link *link;

	EVL_LIST_EACH(link, &files.list)
		if (!strcmp(LISTED(link)->claim.file.path, path) &&
		    evl_opened_is_ours(&LISTED(link)->claim.file) &&
		    evl_outside_keep(&LISTED(link)->outside))
			return LISTED(link);
	return NULL;
}

static struct evlock *
add_object(struct file_lock *file, struct event_base *base, const struct evlock_options *options,
    unsigned flags)
{
	if (file->claim.file.is_flock != !!(flags & EVLOCK_FILE_FLOCK)) {
		errno = EINVAL;
		return NULL;
	}
	return evl_outside_object(&file->outside, base, options);
}

/* `path` is freed, or the lock's.  Cancellation is disabled. */
static struct evlock *
find_or_create(struct event_base *base, char *path, const struct evlock_options *options,
    unsigned flags)
{
	struct file_lock *file;
	struct evlock *lock;

	pthread_mutex_lock(&files.mutex);
	file = find(path);
	lock = file ? add_object(file, base, options, flags)
	    : create(base, path, options, flags);
	pthread_mutex_unlock(&files.mutex);
	if (file) {
		int error = errno;

		evl_outside_drop(&file->outside);
		evl_mem_free(path);
		errno = error;
	}
	return lock;
}

/* Returns 0 or an errno. */
static int
judge(struct event_base *base, const char *path, const struct evlock_options *options,
    unsigned flags)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	if (!base || !path || options->modes || !evl_lock_takes(options) ||
	    flags & ~(EVLOCK_FILE_MKDIR | EVLOCK_FILE_FLOCK))
		return EINVAL;
	if (!evl_outside_is_threaded(base))
		return ENOTSUP;
	pthread_once(&once, handle_fork);
	return files.error;
}

struct evlock *
evlock_file_new(struct event_base *base, const char *path, const struct evlock_options *options)
{
	const unsigned plain = EVLOCK_OPT_THREADSAFE | EVLOCK_OPT_PREFER_EXCLUSIVE;
	struct evlock_options all = options ? *options : no_options;
	unsigned flags = all.flags & ~plain;
	struct evlock *lock;
	char *whole;
	int error, state;

	all.flags &= plain;
	error = judge(base, path, &all, flags);
	if (error) {
		errno = error;
		return NULL;
	}
	whole = evl_path_new(path);
	if (!whole)
		return NULL;
	if (!all.name)
		all.name = path;
	state = evl_cancel_disable();
	lock = find_or_create(base, whole, &all, flags);
	evl_cancel_restore(state);
	return lock;
}
