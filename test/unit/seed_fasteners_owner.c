/* SPDX-License-Identifier: BSD-3-Clause */

/* Behaviours that fasteners' tests of ReaderWriterLock check and that make sense in one loop.  An
 * owner here stands for a thread there. */

#include <stdlib.h>
#include <string.h>

#include "../shim.h"
#include "../util.h"
#include "../util3.h"
#include "../owners.h"

/* --- Which holders may be inside -------------------------------------------------- */

OwnerTest(seed_fasteners, no_two_writers)
{
	hold_by(a, lock, X);
	assert_refused(NOW(lock, .mode = X, .owner = b), EAGAIN);
}

OwnerTest(seed_fasteners, no_reader_with_a_writer)
{
	hold_by(a, lock, X);
	assert_refused(NOW(lock, .mode = S, .owner = b), EAGAIN);
	evlock_owner_release_all(a);
	hold_by(b, lock, S);
	assert_refused(NOW(lock, .mode = X, .owner = a), EAGAIN);
	hold_by(a, lock, S);
}

OwnerTest(seed_fasteners, readers_wait_for_waiting_writers)
{
	evlock_handle reader = hold_by(a, lock, S);

	ask_by(b, lock, "writer", X);
	assert_refused(evlock_acquire_nowait(lock, S), EAGAIN);
	ask(lock, "reader", S);
	cr_assert_str_eq(let_go(lock, reader), "writer");
	cr_assert_str_eq(let_all_go(b), "reader");
}

OwnerTest(seed_fasteners, writers_are_first_in_first_out)
{
	unsigned i;
	static const char *const who[] = { "0", "1", "2", "3", "4" };
	struct evlock_owner *writer[5];

	hold_by(a, lock, X);
	for (i = 0; i < 5; i++) {
		writer[i] = new_owner(who[i]);
		ASK(lock, who[i], .mode = X, .owner = writer[i], .cb = note_and_drop);
	}
	cr_assert_str_eq(let_all_go(a), "0 1 2 3 4");
	for (i = 0; i < 5; i++)
		evlock_owner_free(writer[i]);
}

/* --- Aborted ---------------------------------------------------------------------- */

OwnerTest(seed_fasteners, aborted_writer)
{
	hold_by(a, lock, X);
	evlock_owner_release_all(a);
	cr_assert_eq(evlock_locked(lock), N);
	hold_by(b, lock, X);
}

OwnerTest(seed_fasteners, aborted_reader)
{
	hold_by(a, lock, S);
	evlock_owner_release_all(a);
	hold_by(b, lock, X);
}

OwnerTest(seed_fasteners, aborted_nested_reader)
{
	evlock_handle inner;

	hold_by(a, lock, S);
	inner = hold_by(a, lock, S);
	drop(lock, inner);
	assert_refused(NOW(lock, .mode = X, .owner = b), EAGAIN);
	evlock_owner_release_all(a);
	hold_by(b, lock, X);
}

/* In fasteners, an exception while waiting left a phantom writer. */
OwnerTest(seed_fasteners, aborted_waiting_writer_leaves_nothing)
{
	hold_by(a, lock, S);
	ask_by(b, lock, "writer", X);
	ask(lock, "reader", S);
	evlock_owner_release_all(b);
	cr_assert_eq(evlock_waiting(lock), 0);
	cr_assert_str_eq(run(), "reader");
}

/* --- Reentrant -------------------------------------------------------------------- */

OwnerTest(seed_fasteners, reentrant_read_passes_a_waiting_writer)
{
	evlock_handle outer = hold_by(a, lock, S), inner;

	ask_by(b, lock, "writer", X);
	inner = ask_by(a, lock, "again", S);
	cr_assert_str_eq(run(), "again");
	cr_assert_str_eq(let_go(lock, inner), "");
	cr_assert_str_eq(let_go(lock, outer), "writer");
}

OwnerTest(seed_fasteners, read_in_read)
{
	hold_by(a, lock, S);
	cr_assert_eq(evlock_owner_mode(a, lock), S);
	hold_by(a, lock, S);
	cr_assert_eq(evlock_owner_release_all(a), 2);
	assert_fails(evlock_owner_mode(a, lock), ENOENT);
}

OwnerTest(seed_fasteners, write_in_write)
{
	evlock_handle outer = hold_by(a, lock, X), inner = hold_by(a, lock, X);

	drop(lock, inner);
	assert_refused(NOW(lock, .mode = S, .owner = b), EAGAIN);
	drop(lock, outer);
	hold_by(b, lock, S);
}

OwnerTest(seed_fasteners, write_read_write)
{
	evlock_handle outer = hold_by(a, lock, X), read = hold_by(a, lock, S), inner;

	inner = hold_by(a, lock, X);
	cr_assert_eq(evlock_owner_mode(a, lock), X);
	drop(lock, inner);
	drop(lock, read);
	drop(lock, outer);
	cr_assert_eq(evlock_locked(lock), N);
}

OwnerTest(seed_fasteners, writer_may_read_and_goes_back)
{
	evlock_handle writer = hold_by(a, lock, X), reader = ask_by(a, lock, "reads", S);

	cr_assert_str_eq(run(), "reads");
	drop(lock, reader);
	cr_assert_eq(evlock_owner_mode(a, lock), X);
	assert_refused(NOW(lock, .mode = S, .owner = b), EAGAIN);
	drop(lock, writer);
}

/* Write, then read.  In fasteners, the owner then silently held less. */
OwnerTest(seed_fasteners, writer_keeps_reading_when_it_ends_its_write)
{
	evlock_handle writer = hold_by(a, lock, X), reader = hold_by(a, lock, S);

	ask_by(b, lock, "b reads", S);
	ask(lock, "writer", X);
	cr_assert_str_eq(run(), "");
	drop(lock, writer);
	cr_assert_eq(evlock_owner_mode(a, lock), S);
	cr_assert_str_eq(run(), "b reads");
	cr_assert_eq(evlock_mode_of(lock, reader), S);
	evlock_owner_release_all(b);
	cr_assert_str_eq(let_go(lock, reader), "writer");
}

/* The read may be asked for while another request waits to write: no deadlock. */
OwnerTest(seed_fasteners, write_read_against_write_is_no_deadlock)
{
	hold_by(a, lock, X);
	ask_by(b, lock, "b", X);
	ask_by(a, lock, "a reads", S);
	cr_assert_str_eq(run(), "a reads");
	cr_assert_str_eq(let_all_go(a), "b");
}

/* --- From reading to writing ------------------------------------------------------ */

/* fasteners always refuses this.  evlock refuses only where two readers would wait for each
 * other. */
OwnerTest(seed_fasteners, reader_alone_may_write)
{
	hold_by(a, lock, S);
	hold_by(a, lock, X);
	cr_assert_eq(evlock_owner_mode(a, lock), X);
}

OwnerTest(seed_fasteners, reader_that_asks_to_write_waits_for_the_others)
{
	hold_by(a, lock, S);
	hold_by(b, lock, S);
	ask_by(a, lock, "a writes", X);
	cr_assert_str_eq(run(), "");
	cr_assert_str_eq(let_all_go(b), "a writes");
}

OwnerTest(seed_fasteners, second_reader_that_asks_to_write_is_refused)
{
	hold_by(a, lock, S);
	hold_by(b, lock, S);
	ask_by(a, lock, "a writes", X);
	assert_refused(ASK(lock, "b writes", .mode = X, .owner = b), EDEADLK);
	cr_assert_eq(evlock_owner_mode(b, lock), S);
	cr_assert_str_eq(let_all_go(b), "a writes");
}

/* --- Releases without a hold ------------------------------------------------------ */

OwnerTest(seed_fasteners, unowned_release_fails)
{
	evlock_handle handle = hold_by(a, lock, X);

	cr_assert_eq(evlock_owner_release_all(b), 0);
	assert_fails(evlock_release(lock, handle + 1), ENOENT);
	cr_assert_eq(evlock_owner_mode(a, lock), X);
	drop(lock, handle);
	assert_fails(evlock_release(lock, handle), ENOENT);
}

OwnerTest(seed_fasteners, owner_is_reader_or_writer)
{
	assert_fails(evlock_owner_mode(a, lock), ENOENT);
	hold_by(a, lock, S);
	cr_assert_eq(evlock_owner_mode(a, lock), S);
	assert_fails(evlock_owner_mode(b, lock), ENOENT);
	ask_by(b, lock, "writer", X);
	assert_fails(evlock_owner_mode(b, lock), ENOENT);
	cr_assert_eq(evlock_waiting(lock), 1, "has pending writers");
}

/* --- Many ------------------------------------------------------------------------- */

#define MANY 20

static int n_reading, n_writing, n_done;

static void
leave(evutil_socket_t fd, short what, void *arg)
{
	struct evlock_owner *owner = arg;

	(void)fd;
	(void)what;
	if (evlock_owner_mode(owner, lock) == X)
		n_writing--;
	else
		n_reading--;
	evlock_owner_free(owner);
	n_done++;
}

static struct evlock_owner *crowd[MANY];

static void
enter(struct evlock *l, evlock_handle handle, int error, void *arg)
{
	struct evlock_owner **owner = arg;
	struct timeval soon = milliseconds(1);

	(void)handle;
	cr_assert_eq(error, 0);
	if (evlock_owner_mode(*owner, l) == X)
		n_writing++;
	else
		n_reading++;
	cr_assert(n_writing == 0 || (n_writing == 1 && n_reading == 0));
	event_base_once(base, -1, EV_TIMEOUT, leave, *owner, &soon);
}

static void
check_crowd(unsigned n_readers, unsigned n_writers)
{
	unsigned i, n = n_readers + n_writers;

	n_done = 0;
	for (i = 0; i < n; i++) {
		int is_writer = i * n_writers / n != (i + 1) * n_writers / n;

		crowd[i] = new_owner(NULL);
		cr_assert_neq(evlock_acquire_request(lock, &(struct evlock_request){
		    .mode = is_writer ? X : S, .owner = crowd[i], .cb = enter, .arg = &crowd[i] }),
		    0);
	}
	cr_assert_str_eq(run(), "");
	cr_assert_eq(n_done, (int)n);
	cr_assert_eq(evlock_locked(lock), N);
}

LockTest(seed_fasteners, ten_readers_and_ten_writers)
{
	check_crowd(10, 10);
}

LockTest(seed_fasteners, nine_readers_and_a_writer)
{
	check_crowd(9, 1);
}

LockTest(seed_fasteners, ten_writers)
{
	check_crowd(0, 10);
}

LockTest(seed_fasteners, ten_readers)
{
	check_crowd(10, 0);
}

static unsigned n_rounds;

/* Chaotic: a visitor inside asks again, for something else, and ends a random hold. */
static void
be_chaotic(struct evlock *l, evlock_handle handle, int error, void *arg)
{
	struct evlock_owner *owner = arg;

	cr_assert_eq(error, 0);
	cr_assert_geq(evlock_mode_of(l, handle), S);
	if (rand() % 3)
		drop(l, handle);
	else
		evlock_owner_release_all(owner);
	if (++n_rounds > 5000)
		return;
	cr_assert_neq(evlock_acquire_request(l, &(struct evlock_request){
	    .mode = rand() % 2 ? X : S, .owner = owner, .cb = be_chaotic, .arg = owner }), 0);
}

LockTest(seed_fasteners, chaotic_readers_and_writers)
{
	struct evlock_owner *owner[10];
	unsigned i;

	srand(1);
	for (i = 0; i < 10; i++) {
		owner[i] = new_owner(NULL);
		evlock_acquire_request(lock, &(struct evlock_request){ .mode = i % 2 ? X : S,
		    .owner = owner[i], .cb = be_chaotic, .arg = owner[i] });
	}
	cr_assert_str_eq(run(), "");
	for (i = 0; i < 10; i++)
		evlock_owner_free(owner[i]);
	cr_assert_eq(evlock_locked(lock), N);
	cr_assert_gt(n_rounds, 5000);
}
