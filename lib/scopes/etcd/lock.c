/* SPDX-License-Identifier: BSD-3-Clause */

/* A lock between machines: an ordinary lock, whose outside is a place in a queue of the cluster.
 * The core decides which requests of this process are granted.  outside.c decides when to ask the
 * cluster for the lock.  This file connects the outside with the place. */

#include <errno.h>
#include <string.h>

#include "scopes/etcd/clock.h"
#include "scopes/etcd/memory.h"
#include "scopes/outside.h"
#include "scopes/etcd/place.h"

struct lock {
	struct evl_outside outside;	/* first */
	struct evl_place *place;
	evlock_handle trial;		/* the evlock_etcd_try() that is under way, or 0 */
	int is_trying;			/* evlock_etcd_try() is running, and has not asked yet */
	int is_in;			/* the cluster has granted the lock */
};

static struct lock *
lock_of(struct evl_outside *o)
{
	return (struct lock *)(void *)o;
}

/* --- The operations of the outside -------------------------------------------------- */

static int
is_inherited(const struct lock *lock)
{
	return evl_session_is_inherited(lock->place->session);
}

/* If the cluster was asked for a trial before, another request has passed it now, or it has
 * withdrawn. */
static int
want(struct evl_outside *o, unsigned mode)
{
	struct lock *lock = lock_of(o);
	evlock_handle passed = lock->trial;

	if (is_inherited(lock))
		return 0;
	evl_place_want(lock->place, lock->is_trying ? EVL_A_TRY : EVL_A_TURN,
	    mode == EVLOCK_EXCLUSIVE);
	lock->is_trying = 0;
	lock->trial = 0;
	evl_outside_refuse(o, passed, EAGAIN);
	return 0;
}

/* The cluster cannot answer at once.  But a lock that is held shared may be shared once more. */
static int
try_now(struct evl_outside *o, unsigned mode)
{
	return lock_of(o)->is_in && mode != EVLOCK_EXCLUSIVE ? 0 : EAGAIN;
}

static void
drop(struct evl_outside *o)
{
	lock_of(o)->is_in = 0;
	if (!is_inherited(lock_of(o)))
		evl_place_drop(lock_of(o)->place);
}

static void
weaken(struct evl_outside *o)
{
	if (!is_inherited(lock_of(o)))
		evl_place_weaken(lock_of(o)->place);
}

static int
compare(const struct evl_outside *a, const struct evl_outside *b)
{
	return strcmp(((const struct lock *)(const void *)a)->place->root,
	    ((const struct lock *)(const void *)b)->place->root);
}

static void
free_lock(struct evl_outside *o)
{
	struct lock *lock = lock_of(o);

	if (lock->place && !is_inherited(lock))
		evl_place_free(lock->place);
	evl_memory_free(lock);
}

static const struct evl_outside_ops ops = {
	want, try_now, drop, weaken, compare, free_lock, 2, NULL, NULL
};

/* --- Callbacks of the place ---------------------------------------------------------- */

static void
on_granted(void *arg)
{
	struct lock *lock = arg;

	lock->is_in = 1;
	lock->trial = 0;
	evl_outside_got(&lock->outside);
}

/* Only the trial is refused.  Other requests, if there are any, wait for their turn. */
static void
end_trial(struct lock *lock)
{
	evlock_handle trial = lock->trial;
	struct evl_outside *o = &lock->outside;

	lock->trial = 0;
	evl_outside_refuse(o, trial, EAGAIN);
	if (o->is_asking && !lock->place->wish)
		want(o, o->wanted);
}

static void
on_ended(void *arg, int error)
{
	struct lock *lock = arg;

	if (error == EAGAIN) {
		end_trial(lock);
		return;
	}
	lock->trial = 0;
	if (lock->is_in)
		evl_outside_lost(&lock->outside, error);
	else
		evl_outside_failed(&lock->outside, error);
	lock->is_in = 0;
}

/* --- Creating ------------------------------------------------------------------------- */

/* Returns the length in bytes of the character that begins at `c`, or 0 if it is not allowed.
 * Allowed is UTF-8 in its shortest form, without surrogates and control characters. */
static unsigned
character_size(const unsigned char *c)
{
	static const struct {
		unsigned char mask, value, size;
		unsigned first;		/* the first character that needs so many bytes */
	} form[] = { { 0x80, 0, 1, 0x20 }, { 0xe0, 0xc0, 2, 0xa0 }, { 0xf0, 0xe0, 3, 0x800 },
	    { 0xf8, 0xf0, 4, 0x10000 } };
	unsigned i, k, value;

	for (i = 0; i < 4 && (c[0] & form[i].mask) != form[i].value; i++)
		continue;
	if (i == 4)
		return 0;
	value = c[0] & (unsigned char)~form[i].mask;
	for (k = 1; k < form[i].size; k++) {
		if ((c[k] & 0xc0) != 0x80)
			return 0;
		value = value << 6 | (c[k] & 0x3f);
	}
	if (value < form[i].first || value == 0x7f || (value >= 0xd800 && value < 0xe000) ||
	    value > 0x10ffff)
		return 0;
	return form[i].size;
}

static int
is_name(const char *name)
{
	const unsigned char *c = (const unsigned char *)name;
	unsigned n = 1;

	if (!name || !*name)
		return 0;
	while (*c && n) {
		n = character_size(c);
		c += n;
	}
	return n && strlen(name) <= EVL_NAME_MAX;
}

static int
are_options(const struct evlock_options *options)
{
	return !options->modes && !options->file_mode &&
	    !(options->flags & ~EVLOCK_OPT_PREFER_EXCLUSIVE);
}

static struct evlock *
make(struct evlock_etcd *session, const char *name, const struct evlock_options *options)
{
	struct lock *lock = evl_memory_alloc(sizeof *lock);
	struct evlock *made;

	if (!lock)
		return NULL;
	lock->place = evl_place_new(session, name, on_granted, on_ended, lock);
	made = lock->place
	    ? evl_outside_new(&lock->outside, &ops, session->net.base, options, 0) : NULL;
	if (made)
		return made;
	free_lock(&lock->outside);
	errno = ENOMEM;
	return NULL;
}

/* Returns the lock of that name that the session already has, or NULL.  A session has one place for
 * all objects of a lock.  The lock found is never one that is being freed: a session is used from
 * one thread, and no callback runs between the end of a lock's last object and evl_place_free(). */
static struct lock *
find(struct evlock_etcd *session, const char *name)
{
	struct evl_place *place = evl_place_find(session, name);

	return place ? place->arg : NULL;
}

struct evlock *
evlock_etcd_new(struct evlock_etcd *session, const char *name, const struct evlock_options *options)
{
	struct evlock_options all = { 0 };
	struct lock *lock;

	if (options)
		all = *options;
	if (!session || evl_session_is_inherited(session) || !is_name(name) || !are_options(&all)) {
		errno = EINVAL;
		return NULL;
	}
	if (!all.name)
		all.name = name;
	lock = find(session, name);
	return lock ? evl_outside_object(&lock->outside, session->net.base, &all)
	    : make(session, name, &all);
}

/* --- Calls for these locks only ---------------------------------------------------------- */

/* Returns the structure of a lock on etcd, or NULL if `lock` is of another scope. */
static struct lock *
ours(const struct evlock *lock)
{
	struct evl_outside *o = evl_outside_of(lock);

	return o && o->ops == &ops ? lock_of(o) : NULL;
}

evlock_handle
evlock_etcd_try(struct evlock *lock, unsigned mode, const struct timeval *timeout, evlock_cb cb,
    void *arg)
{
	struct lock *l = ours(lock);
	evlock_handle handle;
	int is_asked;

	if (!l) {
		errno = EINVAL;
		return 0;
	}
	l->is_trying = 1;
	handle = evlock_acquire(lock, mode, timeout, cb, arg);
	is_asked = !l->is_trying;
	l->is_trying = 0;
	if (!handle || evlock_mode_of(lock, handle) >= 0)
		return handle;
	if (is_asked)
		l->trial = handle;
	else
		evl_outside_refuse(&l->outside, handle, EAGAIN);
	return handle;
}

/* Returns the lock if `handle` holds it with a grant of the cluster, else NULL with errno
 * ENOENT. */
static struct lock *
holder(const struct evlock *lock, evlock_handle handle)
{
	struct lock *l = ours(lock);

	if (l && evlock_mode_of(lock, handle) > EVLOCK_NONE && evl_place_token(l->place))
		return l;
	errno = ENOENT;
	return NULL;
}

uint64_t
evlock_etcd_token(const struct evlock *lock, evlock_handle handle)
{
	struct lock *l = holder(lock, handle);

	return l ? evl_place_token(l->place) : 0;
}

int
evlock_etcd_valid_until(const struct evlock *lock, evlock_handle handle, struct timespec *until)
{
	struct lock *l = holder(lock, handle);
	int64_t time = l ? l->place->session->valid_until : 0;

	if (!l)
		return -1;
	until->tv_sec = time / EVL_SECOND;
	until->tv_nsec = time % EVL_SECOND;
	return 0;
}
