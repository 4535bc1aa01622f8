/* SPDX-License-Identifier: BSD-3-Clause */

/* Locks between processes, kept by the kernel on a file: <evlock/file.h>.  A process's part of
 * the kernel's lock is a claim (file/claim.h).  The claim is the outside (outside.h) of an
 * ordinary lock with a guard, and uses the same guard.  The guard outlives the lock until the
 * last thread of the claim has ended.  All objects that a process makes for one path are objects
 * of one lock, and so are all objects for one open file description.
 *
 * Only files.mutex is held while a lock is searched for.  No file is opened meanwhile.
 *
 *	file_lock.turn -> guard, that of the ports
 *	files.mutex -> that of file/opened.c
 *
 * A thread that holds `turn` may be stuck on a dead mount.  So only threads that look at the same
 * file lock it, and with no guard entered. */

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
	struct evl_step step;		/**< of the thread that has entered the guard by enter() */
	pthread_mutex_t turn;		/**< held by the thread that looks */
	int has_looked;			/**< that thread has begun a look of the claim */
	struct evl_link link;		/**< in files.list, until it is freed */
};

#define FILE_LOCK(o) EVL_CONTAINER(o, struct file_lock, outside)
#define CLAIMED(c) EVL_CONTAINER(c, struct file_lock, claim)
#define LISTED(l) EVL_CONTAINER(l, struct file_lock, link)

static const struct evlock_options no_options;

/* The locks of this process.  The mutex is held while one is listed or searched for. */
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

/* Registers its own handler last: the handler registered last is called first before a fork(), and
 * this mutex has to be entered first. */
static void
handle_fork(void)
{
	evl_ports_handle_fork();
	files.error = evl_opened_handle_fork();
	if (!files.error)
		files.error = pthread_atfork(before_fork, after_fork, after_fork);
}

/* --- Called by the claim -------------------------------------------------------------- */

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
tell_checked(struct evl_claim *claim, int is_same)
{
	evl_outside_checked(&CLAIMED(claim)->step, &CLAIMED(claim)->outside, !is_same);
}

static void
destroy(struct evl_claim *claim)
{
	pthread_mutex_destroy(&CLAIMED(claim)->turn);
	evl_guard_drop(CLAIMED(claim)->guard);
	evl_mem_free(CLAIMED(claim));
}

static const struct evl_claim_user claim_user = {
	enter, leave, tell_got, tell_failed, tell_checked, destroy
};

/* --- Called by the outside ------------------------------------------------------------- */

static int
is_exclusive(unsigned mode)
{
	return mode == EVLOCK_EXCLUSIVE;
}

/* Must not look at the path, because the guard is entered. */
static int
want(struct evl_outside *o, unsigned mode)
{
	struct evl_claim *claim = &FILE_LOCK(o)->claim;
	int error = evl_claim_try(claim, is_exclusive(mode), 1);

	if (!error)
		return 1;
	if (error == EAGAIN || error == EVL_CLAIM_UNSURE)
		error = evl_claim_ask(claim, is_exclusive(mode));
	if (!error)
		return 0;
	errno = error;
	return -1;
}

static int
or_look(int error)
{
	return error == EVL_CLAIM_UNSURE ? EVL_LOOK : error;
}

static int
try_now(struct evl_outside *o, unsigned mode)
{
	struct evl_claim *claim = &FILE_LOCK(o)->claim;

	return or_look(o->has == EVLOCK_NONE ? evl_claim_try(claim, is_exclusive(mode), 0)
	    : evl_claim_may_join(claim));
}

/* Is a look still needed?  Another thread may have changed the lock since the guard was left. */
static int
may_look(const struct evl_outside *o)
{
	return !o->is_asking && (o->has == EVLOCK_NONE || o->has == EVLOCK_SHARED);
}

static void
look(struct evl_outside *o, unsigned mode)
{
	struct file_lock *file = FILE_LOCK(o);

	pthread_mutex_lock(&file->turn);
	enter(&file->claim);
	file->has_looked = may_look(o) && evl_claim_look_begins(&file->claim, is_exclusive(mode));
	o->n_looking += (uint32_t)file->has_looked;
	leave(&file->claim);
	if (file->has_looked)
		evl_claim_look(&file->claim);
}

static int
looked(struct evl_outside *o)
{
	struct file_lock *file = FILE_LOCK(o);
	int error = file->has_looked ? evl_claim_look_ends(&file->claim) : EVL_CLAIM_UNSURE;

	o->n_looking -= (uint32_t)file->has_looked;
	pthread_mutex_unlock(&file->turn);
	return or_look(error);
}

static int
may(const struct evl_outside *o, unsigned mode)
{
	return evl_claim_may(&FILE_LOCK(o)->claim, is_exclusive(mode));
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
	const struct evl_file_id *x = &FILE_LOCK(a)->claim.known.id, *y = &FILE_LOCK(b)->claim.known.id;

	if (x->device != y->device)
		return x->device < y->device ? -1 : 1;
	return x->inode < y->inode ? -1 : x->inode > y->inode;
}

/* Does the path lead elsewhere, as a holder may have removed the file?  Then the next request must
 * not get the lock on the old file. */
static int
is_stale(struct evl_outside *o)
{
	int error = evl_claim_check(&FILE_LOCK(o)->claim);

	return error == EVL_CLAIM_UNSURE ? -1 : error != 0;
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

static const struct evl_outside_looks looks = { look, looked, may };

static const struct evl_outside_ops outside_ops = {
	want, try_now, drop, weaken, compare, end, 1, is_stale, &looks
};

/* --- Making ----------------------------------------------------------------------------- */

/* The place of a lock: a path, or a descriptor that the caller has open. */
struct place {
	char *path;		/* NULL: `fd` */
	int fd;
	struct evl_how how;
};

/* Opens the file; may block.  Takes ownership of place->path, even if it fails. */
static int
begin_claim(struct file_lock *file, const struct place *place)
{
	int error = pthread_mutex_init(&file->turn, NULL) ? ENOMEM : 0;

	if (error) {
		evl_mem_free(place->path);
		return error;
	}
	error = place->path ? evl_claim_begin(&file->claim, &claim_user, place->path, &place->how)
	    : evl_claim_adopt(&file->claim, &claim_user, place->fd, place->how.is_flock);
	if (error)
		pthread_mutex_destroy(&file->turn);
	return error;
}

static void
discard(struct file_lock *file)
{
	evl_opened_end(&file->claim.file);
	pthread_mutex_destroy(&file->turn);
	evl_mem_free(file);
}

/* Makes a claim without a lock.  Returns NULL with errno. */
static struct file_lock *
create(const struct place *place)
{
	struct file_lock *file = evl_mem_zalloc(sizeof *file);
	int error;

	if (!file) {
		evl_mem_free(place->path);
		errno = ENOMEM;
		return NULL;
	}
	error = begin_claim(file, place);
	if (!error)
		return file;
	evl_mem_free(file);
	errno = error;
	return NULL;
}

/* Makes the lock for the claim.  On failure, frees the claim and returns NULL. */
static struct evlock *
add_lock(struct file_lock *file, struct event_base *base, const struct evlock_options *options)
{
	struct evlock *lock = evl_outside_new(&file->outside, &outside_ops, base, options, 1);

	if (!lock) {
		discard(file);
		errno = ENOMEM;
		return NULL;
	}
	file->guard = lock->body->guard;
	evl_guard_keep(file->guard);
	evl_list_push(&files.list, &file->link);
	return lock;
}

static int
is_at(const struct file_lock *file, const struct place *place)
{
	const struct evl_opened *opened = &file->claim.file;

	if (!evl_opened_is_ours(opened))
		return 0;	/* inherited: the lock is the parent's */
	if (!place->path)
		return evl_opened_is_description(opened, place->fd);
	return opened->path && !strcmp(opened->path, place->path) &&
	    opened->how.is_any == place->how.is_any && opened->how.is_flock == place->how.is_flock;
}

/* Returns the lock at `place`, or NULL.  The caller drops it. */
static struct file_lock *
find(const struct place *place)
{
	struct evl_link *link;

	EVL_LIST_EACH(link, &files.list)
		if (is_at(LISTED(link), place) && evl_outside_keep(&LISTED(link)->outside))
			return LISTED(link);
	return NULL;
}

static struct file_lock *
find_one(const struct place *place)
{
	struct file_lock *file;

	pthread_mutex_lock(&files.mutex);
	file = find(place);
	pthread_mutex_unlock(&files.mutex);
	return file;
}

/* Makes one more object for a lock that find() has returned, and drops the lock. */
static struct evlock *
add_object(struct file_lock *file, struct event_base *base, const struct evlock_options *options,
    const struct evl_how *how)
{
	struct evlock *lock = NULL;
	int error = EINVAL;

	if (file->claim.file.how.is_flock == how->is_flock) {
		lock = evl_outside_object(&file->outside, base, options);
		error = errno;
	}
	evl_outside_drop(&file->outside);
	errno = error;
	return lock;
}

/* Lists a new lock, unless another thread has made one for the same place meanwhile. */
static struct evlock *
add_first(struct file_lock *file, const struct place *place, struct event_base *base,
    const struct evlock_options *options)
{
	struct evlock *lock = NULL;
	struct file_lock *other;

	pthread_mutex_lock(&files.mutex);
	other = find(place);
	if (!other)
		lock = add_lock(file, base, options);
	pthread_mutex_unlock(&files.mutex);
	if (!other)
		return lock;
	lock = add_object(other, base, options, &place->how);
	discard(file);
	return lock;
}

/* Takes ownership of place->path.  Called with cancellation disabled. */
static struct evlock *
find_or_create(const struct place *place, struct event_base *base,
    const struct evlock_options *options)
{
	struct file_lock *file = find_one(place);

	if (file) {
		evl_mem_free(place->path);
		return add_object(file, base, options, &place->how);
	}
	file = create(place);
	return file ? add_first(file, place, base, options) : NULL;
}

static struct evlock *
make(const struct place *place, struct event_base *base, const struct evlock_options *options)
{
	int state = evl_cancel_disable();
	struct evlock *lock = find_or_create(place, base, options);

	evl_cancel_restore(state);
	return lock;
}

static const unsigned plain_flags = EVLOCK_OPT_THREADSAFE | EVLOCK_OPT_PREFER_EXCLUSIVE;

/* Checks the options.  Moves those for files from `all` to `how`, and leaves those for any lock.
 * Returns 0 or an errno. */
static int
judge(struct event_base *base, struct evlock_options *all, unsigned known, struct evl_how *how)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	unsigned flags = all->flags & ~plain_flags, mode = all->file_mode;

	memset(how, 0, sizeof *how);
	how->is_flock = !!(flags & EVLOCK_FILE_FLOCK);
	how->is_any = !!(flags & EVLOCK_FILE_ANY);
	how->makes_folders = !!(flags & EVLOCK_FILE_MKDIR);
	how->mode = mode;
	all->flags &= plain_flags;
	all->file_mode = 0;
	if (!base || all->modes || !evl_lock_takes(all) || flags & ~known || mode & ~0777u)
		return EINVAL;
	if (!evl_outside_is_threaded(base))
		return ENOTSUP;
	pthread_once(&once, handle_fork);
	return files.error;
}

struct evlock *
evlock_file_new(struct event_base *base, const char *path, const struct evlock_options *options)
{
	const unsigned known = EVLOCK_FILE_MKDIR | EVLOCK_FILE_FLOCK | EVLOCK_FILE_ANY;
	struct evlock_options all = options ? *options : no_options;
	struct place place = { NULL, -1, { 0 } };
	int error = judge(base, &all, known, &place.how);

	if (!error && !path)
		error = EINVAL;
	if (error) {
		errno = error;
		return NULL;
	}
	place.path = evl_path_new(path);
	if (!place.path)
		return NULL;
	if (!all.name)
		all.name = path;
	return make(&place, base, &all);
}

struct evlock *
evlock_file_new_fd(struct event_base *base, int fd, const struct evlock_options *options)
{
	struct evlock_options all = options ? *options : no_options;
	struct place place = { NULL, fd, { 0 } };
	int error = all.file_mode ? EINVAL
	    : judge(base, &all, EVLOCK_FILE_FLOCK | EVLOCK_FILE_ANY, &place.how);

	if (error) {
		errno = error;
		return NULL;
	}
	return make(&place, base, &all);
}

/* --- Checking ----------------------------------------------------------------------------- */

/* Returns the file whose lock this process holds. */
static struct evl_file_id
held_file(const struct evlock *lock)
{
	struct evl_guard *guard = evl_lock_enter(lock->body);
	struct evl_file_id id = FILE_LOCK(evl_outside_of(lock))->claim.known.id;

	evl_lock_leave(guard);
	return id;
}

static int
check(const struct evlock *lock, evlock_handle handle)
{
	const struct evl_outside *o = evl_outside_of(lock);
	struct evl_file_id held, found;
	int error;

	if (!o || o->ops != &outside_ops || !FILE_LOCK(o)->claim.file.path ||
	    evlock_mode_of(lock, handle) < 0)
		return EINVAL;
	held = held_file(lock);
	error = evl_opened_find(&FILE_LOCK(o)->claim.file, &found);
	if (!error && !evl_opened_is_same(&held, &found))
		error = EVL_FILE_MOVED;
	return error == EVL_FILE_MOVED ? ESTALE : error;
}

int
evlock_file_set_signal(int number)
{
	int error = evl_wait_choose(number);

	errno = error ? error : errno;
	return error ? -1 : 0;
}

int
evlock_file_check(const struct evlock *lock, evlock_handle handle)
{
	int state = evl_cancel_disable(), error = check(lock, handle);

	evl_cancel_restore(state);
	errno = error ? error : errno;
	return error ? -1 : 0;
}
