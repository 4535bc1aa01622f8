/* SPDX-License-Identifier: BSD-3-Clause */

/* The errno of a call when several things are wrong at once.  Every possible combination is tried,
 * at every call that has one. */

#include <limits.h>

#include "../shim.h"
#include "../util.h"
#include "../util3.h"

static int mine, yours;

#define MINE EVLOCK_HANDLE_FROM(&mine)

/* In the order of <evlock/evlock.h>. */
enum {
	UNKNOWN   = 1 << 0,	/* ENOENT */
	INVALID   = 1 << 1,	/* EINVAL, for what is checked first ... */
	MALFORMED = 1 << 2,	/* ... and last */
	CLOSED    = 1 << 3,	/* ECANCELED */
	CONVERTED = 1 << 4,	/* EBUSY */
	USED      = 1 << 5,	/* EEXIST */
	IN_USE    = 1 << 6,	/* EAGAIN, or EDEADLK if it may wait: it would never end */
	NO_MEMORY = 1 << 7,	/* ENOMEM */
	ALL       = 1 << 8
};

static int
first_of(unsigned wrong, int waits)
{
	return wrong & UNKNOWN ? ENOENT : wrong & (INVALID | MALFORMED) ? EINVAL
	    : wrong & CLOSED ? ECANCELED : wrong & CONVERTED ? EBUSY : wrong & USED ? EEXIST
	    : wrong & IN_USE ? (waits ? EDEADLK : EAGAIN) : wrong & NO_MEMORY ? ENOMEM : 0;
}

/* Finding a deadlock may take memory, and earlier requests may have left some. */
static void
check(int error, unsigned wrong, int waits)
{
	int expected = first_of(wrong, waits);

	if (error != expected && (wrong & NO_MEMORY) && (error == ENOMEM || !error) &&
	    (expected == EDEADLK || expected == ENOMEM))
		return;
	cr_assert_eq(error, expected, "wrong %#x, waits %d: %s, not %s", wrong, waits,
	    strerror(error), strerror(expected));
}

static void
run_out_of_memory(void)
{
	memory.first_bad = memory.made + 1;
	memory.last_bad = LONG_MAX;
}

static void
find_memory(void)
{
	memory.first_bad = memory.last_bad = 0;
}

/* --- Acquiring --------------------------------------------------------------------- */

/* The target of a request: a lock, with or without an owner, a set, or the lock of a key. */
struct target {
	struct evlock *lock, *member;
	struct evlock_table *table;
	struct evlock_owner *owner;
};

static evlock_handle
acquire(const struct target *t, const struct evlock_request *q)
{
	return t->table ? evlock_table_acquire_request(t->table, "k", 1, q)
	    : evlock_acquire_request(t->lock, q);
}

/* Another owner holds the lock, and waits for what this owner holds. */
static void
make_deadlock(const struct target *t, struct evlock_owner *other)
{
	struct evlock_request q = { .mode = X, .owner = other };

	cr_assert_neq(acquire(t, &q), 0);
	if (!t->owner)
		return;
	hold_by(t->owner, lock, X);
	ask_by(other, lock, "other", X);
}

static void
close_target(const struct target *t)
{
	struct evlock *l = t->table ? evlock_table_lock(t->table, "k", 1) : t->lock;

	evlock_close(l);
	if (t->table)
		evlock_free(l);
}

static void
check_acquiring(const struct target *t, unsigned wrong, int waits)
{
	struct evlock_owner *other = new_owner("other");
	struct evlock_request q = { .mode = X, .owner = t->owner,
	    .handle = EVLOCK_HANDLE_FROM(&yours), .cb = waits ? note : NULL,
	    .arg = (void *)(uintptr_t)"q" };
	struct evlock_request held = { .mode = N, .handle = MINE };
	evlock_handle keeper = acquire(t, &held);	/* keeps the key alive in all cases */
	evlock_handle got;

	cr_assert_eq(keeper, MINE);
	if (wrong & USED)
		q.handle = MINE;
	if (wrong & IN_USE)
		make_deadlock(t, other);
	if (wrong & CLOSED)
		close_target(t);
	if (wrong & INVALID)
		q.mode = 99;
	if (wrong & MALFORMED)
		q.priority = 9;
	if (wrong & NO_MEMORY)
		run_out_of_memory();
	errno = 0;
	got = acquire(t, &q);
	find_memory();
	check(got ? 0 : errno, wrong, waits);
	evlock_owner_free(other);
	run();
}

static int
can_be(unsigned wrong, const struct target *t, int waits)
{
	if (wrong & (UNKNOWN | CONVERTED))
		return 0;
	return !(wrong & IN_USE) || !waits || t->owner;
}

/* Each combination uses new locks. */
static void
check_target(unsigned wrong, int waits, int has_owner, int is_set, int is_table)
{
	struct evlock *l = new_lock("l"), *m = new_lock("m");
	struct target t = { .lock = is_set ? SET(l, m) : l };

	t.owner = has_owner ? new_owner("o") : NULL;
	t.table = is_table ? evlock_table_new(base, NULL) : NULL;
	if (can_be(wrong, &t, waits))
		check_acquiring(&t, wrong, waits);
	evlock_owner_free(t.owner);
	evlock_table_free(t.table);
	if (is_set)
		evlock_free(t.lock);
	evlock_free(l);
	evlock_free(m);
	told();
}

static void
check_each(int waits, int is_set, int is_table)
{
	unsigned wrong;

	for (wrong = 0; wrong < ALL; wrong++) {
		check_target(wrong, waits, 0, is_set, is_table);
		check_target(wrong, waits, 1, is_set, is_table);
	}
}

LockTest(order, of_a_lock)		{ check_each(1, 0, 0); }
LockTest(order, of_a_lock_now)		{ check_each(0, 0, 0); }
LockTest(order, of_a_set)		{ check_each(1, 1, 0); }
LockTest(order, of_a_set_now)		{ check_each(0, 1, 0); }
LockTest(order, of_a_key)		{ check_each(1, 0, 1); }
LockTest(order, of_a_key_now)		{ check_each(0, 0, 1); }

/* Asks for a key that does not exist, with a handle that another key uses. */
LockTest(order, of_a_new_key)
{
	struct evlock_table *table = evlock_table_new(base, NULL);
	struct evlock_request q = { .mode = X, .handle = MINE };

	cr_assert_eq(evlock_table_acquire_request(table, "a", 1, &q), MINE);
	run_out_of_memory();
	assert_errno(evlock_table_acquire_request(table, "b", 1, &q), 0, EEXIST);
	q.priority = 4;
	assert_errno(evlock_table_acquire_request(table, "b", 1, &q), 0, EINVAL);
	q.priority = 0;
	q.mode = 4;
	assert_errno(evlock_table_acquire_request(table, "b", 1, &q), 0, EINVAL);
	q.mode = X;
	assert_errno(evlock_table_acquire_request(table, NULL, 1, &q), 0, EINVAL);
	assert_errno(evlock_table_lock(table, NULL, 1), NULL, EINVAL);
	assert_errno(evlock_table_release(table, MINE + 8), -1, ENOENT);
	find_memory();
	evlock_table_free(table);
}

LockTest(order, of_the_plain_calls)
{
	hold(lock, X);
	assert_errno(evlock_acquire_nowait(lock, 9), 0, EINVAL);
	evlock_close(lock);
	assert_errno(evlock_acquire_nowait(lock, X), 0, ECANCELED);
	assert_errno(evlock_acquire_nowait(lock, 9), 0, EINVAL);
	assert_errno(evlock_acquire(lock, X, NULL, NULL, NULL), 0, EINVAL);
	assert_errno(evlock_acquire(lock, 9, NULL, note, NULL), 0, EINVAL);
	assert_errno(evlock_with(lock, X, NULL, NULL, NULL), 0, EINVAL);
	assert_errno(evlock_with(lock, 9, NULL, note, NULL), 0, EINVAL);
	assert_errno(evlock_with(lock, X, NULL, note, NULL), 0, ECANCELED);
}

/* A timer's memory is allocated only when it is known that the request may wait. */
LockTest(order, of_a_deadlock_and_memory_for_a_timer)
{
	struct evlock_owner *a = new_owner("a"), *b = new_owner("b");
	struct evlock *l = new_lock("l");
	struct timeval soon = milliseconds(1000);

	hold_by(a, lock, X);
	hold_by(b, l, X);
	ask_by(b, lock, "b", X);
	assert_errno(ASK(l, "a", .mode = X, .owner = a), 0, EDEADLK);
	run_out_of_memory();
	assert_errno(ASK(l, "a", .mode = X, .owner = a, .timeout = &soon), 0, EDEADLK);
	find_memory();
	evlock_owner_free(b);
	evlock_owner_free(a);
	evlock_free(l);
}

/* An owner that already has requests of another kind. */
LockTest(order, of_an_owner_of_another_kind)
{
	const struct evlock_options other = { .flags = is_threadsafe() ? 0 : EVLOCK_OPT_THREADSAFE };
	struct evlock *l = (evlock_new)(base, &other);
	struct evlock_owner *owner = new_owner("o");

	hold_by(owner, lock, X);
	evlock_close(l);
	run_out_of_memory();
	assert_errno(NOW(l, .mode = X, .owner = owner), 0, EINVAL);
	find_memory();
	evlock_owner_free(owner);
	evlock_free(l);
}

/* --- Converting -------------------------------------------------------------------- */

static void
check_converting(struct evlock *l, unsigned wrong, int waits)
{
	struct evlock_owner *other = wrong & IN_USE ? new_owner("other") : NULL;
	unsigned mode = wrong & INVALID ? 99 : X;
	evlock_handle handle = hold(l, S), another;
	int result;

	if (wrong & CONVERTED)
		convert(l, "own", handle, N);
	if (wrong & IN_USE) {
		another = hold_by(other, l, S);
		convert(l, "another", another, X);
	}
	if (wrong & CLOSED)
		evlock_close(l);
	if (wrong & UNKNOWN)
		handle = MINE;
	if (wrong & NO_MEMORY)
		run_out_of_memory();
	errno = 0;
	result = waits ? evlock_convert(l, handle, mode, NULL, wrong & MALFORMED ? NULL : note,
	    (void *)(uintptr_t)"q") : evlock_convert_nowait(l, handle, mode);
	find_memory();
	check(result ? errno : 0, wrong, waits);
	evlock_owner_free(other);
	run();
}

static void
check_conversions(int is_set)
{
	unsigned wrong;
	int waits;

	for (wrong = 0; wrong < ALL; wrong++)
		for (waits = 0; waits < 2; waits++) {
			struct evlock *l = new_lock("l"), *m = new_lock("m"), *s = SET(l, m);

			if (!(wrong & USED) && (waits || !(wrong & MALFORMED)))
				check_converting(is_set ? s : l, wrong, waits);
			evlock_free(s);
			evlock_free(l);
			evlock_free(m);
			told();
		}
}

LockTest(order, of_conversions)			{ check_conversions(0); }
LockTest(order, of_conversions_of_a_set)	{ check_conversions(1); }

/* --- Others ------------------------------------------------------------------------ */

LockTest(order, of_evlock_notify)
{
	struct evlock_table *table = evlock_table_new(base, NULL);
	struct event *ev = new_event("ev");
	struct evlock *key;

	hold(lock, X);
	cr_assert_eq(evlock_notify(lock, S, ev), 0);
	run_out_of_memory();
	assert_errno(evlock_notify(lock, S, ev), -1, EEXIST);
	assert_errno(evlock_notify(lock, 9, ev), -1, EINVAL);
	find_memory();
	key = evlock_table_lock(table, "k", 1);
	cr_assert_eq(evlock_notify(key, S, ev), 0);
	run_out_of_memory();
	assert_errno(evlock_notify(key, S, ev), -1, EEXIST);
	assert_errno(evlock_notify(key, S, NULL), -1, EINVAL);
	find_memory();
	evlock_unnotify(key, ev);
	assert_errno(evlock_unnotify(key, ev), -1, ENOENT);
	evlock_unnotify(lock, ev);
	evlock_free(key);
	evlock_table_free(table);
	event_free(ev);
	told();
}

static struct event *watcher;

static void
watch_key(struct evlock *l, evlock_handle handle, int error, void *who)
{
	note(l, handle, error, who);
	run_out_of_memory();
	assert_errno(evlock_notify(l, 9, watcher), -1, EINVAL);
	assert_errno(evlock_notify(l, S, watcher), -1, ENOTSUP);
	find_memory();
}

LockTest(order, of_evlock_notify_in_a_key)
{
	struct evlock_table *table = evlock_table_new(base, NULL);

	watcher = new_event("ev");
	evlock_table_acquire(table, "k", 1, S, NULL, watch_key, (void *)(uintptr_t)"k");
	cr_assert_str_eq(run(), "k");
	evlock_table_free(table);
	event_free(watcher);
}

LockTest(order, of_what_makes_locks)
{
	struct evlock_options bad = { .flags = 1u << 31 };
	struct evlock *l = new_lock("l"), *inner = SET(l, lock);
	struct evlock_set_member twins[] = { { l, EVLOCK_SAME_MODE }, { l, EVLOCK_SAME_MODE } };
	struct evlock_set_member nested[] = { { inner, EVLOCK_SAME_MODE }, { l, EVLOCK_SAME_MODE } };

	run_out_of_memory();
	assert_errno((evlock_new)(base, &bad), NULL, EINVAL);
	assert_errno((evlock_semaphore_new)(base, 1, &bad), NULL, EINVAL);
	assert_errno((evlock_table_new)(base, &bad), NULL, EINVAL);
	if (!is_threadsafe())
		assert_errno(evlock_share(l, base), NULL, EINVAL);
	assert_errno(evlock_set_new(twins, 2, NULL), NULL, EINVAL);
	assert_errno(evlock_set_new(nested, 2, NULL), NULL, EINVAL);
	assert_errno(evlock_set_new(twins, 1, NULL), NULL, ENOMEM);
	find_memory();
	evlock_free(inner);
	evlock_free(l);
}

/* These calls check nothing but the handle. */
LockTest(order, of_unknown_handles)
{
	evlock_close(lock);
	run_out_of_memory();
	assert_errno(evlock_release(lock, MINE), -1, ENOENT);
	assert_errno(evlock_mode_of(lock, MINE), -1, ENOENT);
	find_memory();
}
