/* SPDX-License-Identifier: BSD-3-Clause */

/* Behaviours that fasteners' tests of ReaderWriterLock check, with threads.  Each thread has a
 * loop, an object of the lock and an owner, by which it may reenter.  Tests that need no second
 * thread are in seed_fasteners_owner.c, which test/threadsafe.sh also runs with shared locks. */

#include "../shim.h"

#include <pthread.h>
#include <stdlib.h>

#include <event2/thread.h>

#include "../must.h"
#include "../util.h"
#include "../util3.h"

#define MOST 20

struct visitor {
	pthread_t id;
	struct event_base *base;
	struct evlock *lock;
	struct evlock_owner *owner;
	int is_writer, is_chaotic;
	unsigned n_left, n_visits;
};

static struct visitor visitor[MOST];
static unsigned n_visitors;
static int readers_in;		/* atomic */
static long value, copy;	/* guarded; plain, so that ThreadSanitizer sees two holders */
static long n_writes;		/* atomic */

static void visit(struct visitor *v);

/* --- What visitors do inside ------------------------------------------------------- */

static void
look(void)
{
	__atomic_add_fetch(&readers_in, 1, __ATOMIC_RELAXED);
	MUST(value == copy);
	__atomic_sub_fetch(&readers_in, 1, __ATOMIC_RELAXED);
}

static void
change(void)
{
	MUST(__atomic_load_n(&readers_in, __ATOMIC_RELAXED) == 0);
	value++;
	copy++;
	__atomic_add_fetch(&n_writes, 1, __ATOMIC_RELAXED);
}

/* A visitor may reenter even if others wait.  Then it leaves again. */
static void
come_again(struct visitor *v, unsigned mode)
{
	evlock_handle again = NOW(v->lock, .mode = mode, .owner = v->owner);

	MUST(again);
	MUST(evlock_release(v->lock, again) == 0);
}

/* Leaves, one way or another, and comes back. */
static void
leave(struct visitor *v, evlock_handle handle)
{
	if (v->is_chaotic && v->n_left % 3 == 0)
		MUST(evlock_owner_release_all(v->owner) == 1);
	else
		MUST(evlock_release(visitor[v->n_left % n_visitors].lock, handle) == 0);
	visit(v);
}

static void
write_(struct visitor *v, evlock_handle handle)
{
	change();
	come_again(v, X);
	come_again(v, S);	/* a writer may read */
	change();
	MUST(evlock_convert_nowait(v->lock, handle, S) == 0);
	look();			/* it keeps reading when its write ends */
	leave(v, handle);
}

/* A reader that became a writer, or was refused and still reads. */
static void
on_escalated(struct evlock *lock_, evlock_handle handle, int error, void *arg)
{
	struct visitor *v = arg;

	MUST(evlock_mode_of(lock_, handle) == (int)(error ? S : X));
	if (error)
		look();
	else
		change();
	leave(v, handle);
}

static void
read_(struct visitor *v, evlock_handle handle)
{
	look();
	come_again(v, S);	/* passes waiting writers */
	if (v->n_left % 4 || !v->is_chaotic) {
		leave(v, handle);
		return;
	}
	if (evlock_convert(v->lock, handle, X, NULL, on_escalated, v) == 0)
		return;
	MUST(errno == EDEADLK && evlock_mode_of(v->lock, handle) == (int)S);
	look();
	leave(v, handle);
}

static void
on_entry(struct evlock *lock_, evlock_handle handle, int error, void *arg)
{
	struct visitor *v = arg;

	MUST(lock_ == v->lock && !error);
	v->n_visits++;
	if (v->is_writer)
		write_(v, handle);
	else
		read_(v, handle);
}

static void
visit(struct visitor *v)
{
	struct evlock_request q = { .mode = v->is_writer ? X : S, .owner = v->owner, .cb = on_entry,
	    .arg = v };

	if (!v->n_left)
		return;
	v->n_left--;
	MUST(evlock_acquire_request(v->lock, &q));
	if (!v->is_chaotic || v->n_left % 5)
		return;
	evlock_owner_release_all(v->owner);	/* changes its mind */
	MUST(evlock_acquire_request(v->lock, &q));
}

/* --- Threads -------------------------------------------------------------------------- */

static void *
run_visitor(void *arg)
{
	struct visitor *v = arg;

	visit(v);
	MUST(event_base_dispatch(v->base) == 1);
	return NULL;
}

static void
arrive(unsigned i, int is_writer, int is_chaotic, unsigned n)
{
	struct visitor *v = &visitor[i];
	struct evlock_options options = { .flags = EVLOCK_OPT_THREADSAFE };

	v->base = event_base_new();
	v->lock = i ? evlock_share(visitor[0].lock, v->base) : evlock_new(v->base, &options);
	v->owner = evlock_owner_new(NULL);
	cr_assert(v->lock && v->owner);
	v->is_writer = is_writer;
	v->is_chaotic = is_chaotic;
	v->n_left = n;
}

/* All visitors leave before any lock is freed. */
static void
check_and_free(unsigned n)
{
	unsigned i;

	cr_assert_eq(evlock_waiting(visitor[0].lock), 0);
	for (i = 0; i < 4; i++)
		cr_assert_eq(evlock_held(visitor[0].lock, i), 0);
	for (i = 0; i < n_visitors; i++) {
		struct visitor *v = &visitor[i];

		cr_assert_eq(v->n_visits, n, "%u visits of %u", v->n_visits, i);
		evlock_owner_free(v->owner);
		evlock_free(v->lock);
		event_base_free(v->base);
	}
	cr_assert_eq(value, n_writes);
	cr_assert_eq(copy, n_writes);
}

static void
meet(unsigned n_readers, unsigned n_writers, int is_chaotic)
{
	unsigned i, n = scaled(200);

	cr_assert_eq(evthread_use_pthreads(), 0);
	n_visitors = n_readers + n_writers;
	for (i = 0; i < n_visitors; i++)
		arrive(i, i >= n_readers, is_chaotic, n);
	for (i = 0; i < n_visitors; i++)
		cr_assert_eq(pthread_create(&visitor[i].id, NULL, run_visitor, &visitor[i]), 0);
	for (i = 0; i < n_visitors; i++)
		cr_assert_eq(pthread_join(visitor[i].id, NULL), 0);
	if (n_writers && !is_chaotic)
		cr_assert_eq(n_writes, 2 * n * n_writers);
	check_and_free(n);
}

Test(seed_fasteners_threads, ten_readers) { meet(10, 0, 0); }
Test(seed_fasteners_threads, ten_readers_and_ten_writers) { meet(10, 10, 0); }
Test(seed_fasteners_threads, nine_readers_and_a_writer) { meet(9, 1, 0); }
Test(seed_fasteners_threads, ten_writers) { meet(0, 10, 0); }
Test(seed_fasteners_threads, chaotic_readers_and_writers) { meet(6, 4, 1); }
Test(seed_fasteners_threads, chaotic_readers) { meet(8, 0, 1); }

/* Two readers, each on its own loop, both ask to write.  The second is refused at once. */
Test(seed_fasteners_threads, escalation_is_refused)
{
	evlock_handle handle[2];
	unsigned i;

	cr_assert_eq(evthread_use_pthreads(), 0);
	n_visitors = 2;
	for (i = 0; i < 2; i++) {
		arrive(i, 0, 1, 0);
		handle[i] = NOW(visitor[i].lock, .mode = S, .owner = visitor[i].owner);
	}
	cr_assert_eq(evlock_convert(visitor[0].lock, handle[0], X, NULL, on_escalated, &visitor[0]),
	    0);
	assert_errno(evlock_convert(visitor[1].lock, handle[1], X, NULL, on_escalated, &visitor[1]),
	    -1,
	    EDEADLK);
	drop(visitor[1].lock, handle[1]);
	cr_assert_eq(event_base_dispatch(visitor[0].base), 1);
	cr_assert_eq(n_writes, 1);
	check_and_free(0);
}

/* A visitor that does not hold the lock cannot release it. */
Test(seed_fasteners_threads, unowned_release_fails)
{
	cr_assert_eq(evthread_use_pthreads(), 0);
	n_visitors = 2;
	arrive(0, 0, 0, 0);
	arrive(1, 0, 0, 0);
	assert_errno(evlock_release(visitor[1].lock, 12345), -1, ENOENT);
	cr_assert_eq(evlock_owner_release_all(visitor[1].owner), 0);
	assert_errno(evlock_owner_mode(visitor[1].owner, visitor[0].lock), -1, ENOENT);
	check_and_free(0);
}
