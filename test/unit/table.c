/* SPDX-License-Identifier: BSD-3-Clause */

/* <evlock/table.h>, sentence by sentence, and the hash of the keys. */

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/siphash.h"

#include "../shim.h"
#include "../util.h"
#include "../util3.h"

#define LONGEST 65536

static struct evlock_table *table;

/** A test with a table, which is freed at the end unless the test has done so. */
#define TableTest(suite, name) \
	static void suite##_##name##_with_table(void); \
	LockTest(suite, name) \
	{ \
		make_table(); \
		suite##_##name##_with_table(); \
		evlock_table_free(table); \
		told(); \
	} \
	static void \
	suite##_##name##_with_table(void)

static void
make_table(void)
{
	table = evlock_table_new(base, &(struct evlock_options){ .name = "table" });
	cr_assert_not_null(table);
}

/* Keys that are words. */
static evlock_handle
hold_key(const char *key, unsigned mode)
{
	evlock_handle handle = evlock_table_acquire_nowait(table, key, strlen(key), mode);

	cr_assert_neq(handle, 0, "%s", strerror(errno));
	return handle;
}

static evlock_handle
ask_key_then(const char *key, const char *who, unsigned mode, evlock_cb cb)
{
	evlock_handle handle = evlock_table_acquire(table, key, strlen(key), mode, NULL, cb,
	    (void *)(uintptr_t)who);

	cr_assert_neq(handle, 0, "%s", strerror(errno));
	return handle;
}

static evlock_handle
ask_key(const char *key, const char *who, unsigned mode)
{
	return ask_key_then(key, who, mode, note);
}

static void
drop_key(evlock_handle handle)
{
	cr_assert_eq(evlock_table_release(table, handle), 0);
}

static struct evlock *
object_of(const char *key)
{
	struct evlock *object = evlock_table_lock(table, key, strlen(key));

	cr_assert_not_null(object);
	return object;
}

static size_t
count(void)
{
	return evlock_table_count(table);
}

/* --- Making ----------------------------------------------------------------------- */

static int
is_taken(const struct evlock_options *options)
{
	struct evlock_table *t = evlock_table_new(base, options);
	int is_made = t != NULL;

	evlock_table_free(t);
	return is_made;
}

LockTest(table, options)
{
	static const struct evlock_mode mode[1];
	struct evlock_modes none = { mode, 0, NULL };
	int value;

	cr_assert(is_taken(NULL));
	cr_assert(is_taken(&(struct evlock_options){ 0 }));
	cr_assert(is_taken(&(struct evlock_options){ .flags = EVLOCK_OPT_THREADSAFE }));
	assert_refused(evlock_table_new(NULL, NULL), EINVAL);
	assert_refused(evlock_table_new(base, &(struct evlock_options){ .value = &value }), EINVAL);
	assert_refused(evlock_table_new(base, &(struct evlock_options){ .free_value = free }),
	    EINVAL);
	assert_refused(evlock_table_new(base, &(struct evlock_options){ .flags = 1u << 7 }),
	    EINVAL);
	assert_refused(evlock_table_new(base, &(struct evlock_options){ .modes = &none }), EINVAL);
}

LockTest(table, options_are_for_the_lock_of_every_key)
{
	static const struct evlock_mode mode[] = { { .name = "only" },
	    { .name = "pair", .limit = 2 } };
	static const struct evlock_modes modes = { mode, 2, NULL };

	table = evlock_table_new(base, &(struct evlock_options){ .modes = &modes });
	hold_key("a", 1);
	hold_key("a", 1);
	assert_refused(evlock_table_acquire_nowait(table, "a", 1, 1), EAGAIN);
	hold_key("b", 1);
	assert_refused(evlock_table_acquire_nowait(table, "a", 1, 2), EINVAL);
	evlock_table_free(table);
}

LockTest(table, prefers_as_its_options_say)
{
	struct evlock_options options = { 0 };
	evlock_handle handle;

	options.flags = EVLOCK_OPT_PREFER_EXCLUSIVE;
	table = evlock_table_new(base, &options);
	handle = hold_key("a", X);
	ask_key("a", "reader", S);
	ask_key("a", "writer", X);
	drop_key(handle);
	cr_assert_str_eq(run(), "writer");
	evlock_table_free(table);
	cr_assert_str_eq(told(), "reader:ECANCELED");
}

LockTest(table, name_is_copied)
{
	char name[] = "documents";

	table = evlock_table_new(base, &(struct evlock_options){ .name = name });
	name[0] = '\0';
	hold_key("a", X);
	cr_assert_not_null(strstr(state(), "documents"));
	evlock_table_free(table);
}

LockTest(table, free_of_null)
{
	evlock_table_free(NULL);
}

LockTest(table, of_another_base)
{
	struct event_base *other = event_base_new();

	table = evlock_table_new(other, NULL);
	hold_key("a", X);
	evlock_table_free(table);
	event_base_free(other);
}

/* --- Keys ------------------------------------------------------------------------- */

TableTest(table, a_lock_for_every_key)
{
	evlock_handle a = hold_key("a", X), b = hold_key("b", X);

	assert_refused(evlock_table_acquire_nowait(table, "a", 1, S), EAGAIN);
	ask_key("a", "a", X);
	ask_key("b", "b", S);
	drop_key(b);
	cr_assert_str_eq(run(), "b");
	drop_key(a);
	cr_assert_str_eq(run(), "a");
}

LockTest(table, keys_of_two_tables_are_two)
{
	struct evlock_table *other = evlock_table_new(base, NULL);
	evlock_handle handle;

	table = evlock_table_new(base, NULL);
	hold_key("a", X);
	handle = evlock_table_acquire_nowait(other, "a", 1, X);
	cr_assert_neq(handle, 0);
	assert_fails(evlock_table_release(table, handle), ENOENT);
	cr_assert_eq(evlock_table_release(other, handle), 0);
	evlock_table_free(other);
	evlock_table_free(table);
}

TableTest(table, keys_of_any_bytes)
{
	static const struct { const char *bytes; size_t len; } key[] = {
		{ "", 0 }, { "\0", 1 }, { "\0\0", 2 }, { "a", 1 }, { "a\0", 2 }, { "a\0b", 3 },
		{ "a\0c", 3 }, { "\377", 1 }, { "\377\376", 2 }, { "12345678", 8 },
		{ "123456789", 9 },
	};
	size_t i, len, n = sizeof key / sizeof key[0];
	evlock_handle handle[16];

	for (i = 0; i < n; i++) {
		handle[i] = evlock_table_acquire_nowait(table, key[i].bytes, key[i].len, X);
		cr_assert_neq(handle[i], 0);
	}
	cr_assert_eq(count(), n);
	for (i = 0; i < n; i++) {
		const void *found = evlock_table_key(table, handle[i], &len);

		cr_assert_not_null(found);
		cr_assert_eq(len, key[i].len);
		cr_assert(!len || !memcmp(found, key[i].bytes, len));
		assert_refused(evlock_table_acquire_nowait(table, key[i].bytes, key[i].len, S),
		    EAGAIN);
	}
}

TableTest(table, key_of_no_bytes_may_be_null)
{
	size_t len = 5;
	evlock_handle handle = evlock_table_acquire_nowait(table, NULL, 0, X);
	struct evlock *object;

	cr_assert_neq(handle, 0);
	assert_refused(evlock_table_acquire_nowait(table, NULL, 0, S), EAGAIN);
	assert_refused(evlock_table_acquire_nowait(table, "", 0, S), EAGAIN);
	cr_assert_not_null(evlock_table_key(table, handle, &len));
	cr_assert_eq(len, 0);
	object = evlock_table_lock(table, NULL, 0);
	cr_assert_eq(evlock_locked(object), X);
	evlock_free(object);
	cr_assert_eq(count(), 1);
}

TableTest(table, keys_of_up_to_64_KiB)
{
	static char key[LONGEST + 1];
	evlock_handle longest, shorter;
	size_t len;

	memset(key, 'k', sizeof key);
	longest = evlock_table_acquire_nowait(table, key, LONGEST, X);
	cr_assert_neq(longest, 0);
	shorter = evlock_table_acquire_nowait(table, key, LONGEST - 1, X);
	cr_assert_neq(shorter, 0);
	cr_assert(!memcmp(evlock_table_key(table, longest, &len), key, LONGEST));
	cr_assert_eq(len, LONGEST);
	assert_refused(evlock_table_acquire_nowait(table, key, LONGEST + 1, X), EINVAL);
	assert_refused(evlock_table_acquire(table, key, LONGEST + 1, X, NULL, note, NULL), EINVAL);
	assert_refused(evlock_table_acquire_request(table, key, SIZE_MAX,
	    &(struct evlock_request){ .mode = X }), EINVAL);
	assert_refused(evlock_table_lock(table, key, LONGEST + 1), EINVAL);
}

TableTest(table, key_is_copied)
{
	char key[] = "key";
	evlock_handle handle = hold_key(key, X);
	size_t len;

	key[0] = 'c';
	cr_assert(!memcmp(evlock_table_key(table, handle, &len), "key", 3));
	assert_refused(evlock_table_acquire_nowait(table, "key", 3, X), EAGAIN);
	cr_assert_neq(evlock_table_acquire_nowait(table, key, 3, X), 0);
}

TableTest(table, key_of_null)
{
	assert_refused(evlock_table_acquire_nowait(table, NULL, 1, X), EINVAL);
	assert_refused(evlock_table_acquire(table, NULL, 1, X, NULL, note, NULL), EINVAL);
	assert_refused(evlock_table_acquire_request(table, NULL, 9,
	    &(struct evlock_request){ .mode = X }), EINVAL);
	assert_refused(evlock_table_lock(table, NULL, 1), EINVAL);
}

TableTest(table, key_that_a_handle_names)
{
	evlock_handle a = hold_key("a key", X), waits = ask_key("a key", "w", X);
	evlock_handle granted = ask_key("b", "b", S);
	evlock_handle mine = EVLOCK_HANDLE_FROM(&table), stranger = hold(lock, X);
	size_t len = 77;

	cr_assert(!memcmp(evlock_table_key(table, a, &len), "a key", 5));
	cr_assert_eq(len, 5);
	cr_assert(!memcmp(evlock_table_key(table, waits, &len), "a key", 5));
	cr_assert(!memcmp(evlock_table_key(table, granted, &len), "b", 1));
	cr_assert_eq(len, 1);
	cr_assert_eq(evlock_table_acquire_request(table, "own", 3,
	    &(struct evlock_request){ .handle = mine }), mine);
	cr_assert(!memcmp(evlock_table_key(table, mine, &len), "own", 3));
	drop_key(mine);
	assert_refused(evlock_table_key(table, mine, &len), ENOENT);
	drop_key(a);
	assert_refused(evlock_table_key(table, a, &len), ENOENT);
	assert_refused(evlock_table_key(table, 0, &len), ENOENT);
	assert_refused(evlock_table_key(table, stranger, &len), ENOENT);
	cr_assert_str_eq(run(), "b w");
}

/* --- Requests --------------------------------------------------------------------- */

TableTest(table, acquire_of_bad_parameters)
{
	assert_refused(evlock_table_acquire(table, "a", 1, X, NULL, NULL, NULL), EINVAL);
	assert_refused(evlock_table_acquire(table, "a", 1, 4, NULL, note, NULL), EINVAL);
	assert_refused(evlock_table_acquire_nowait(table, "a", 1, 4), EINVAL);
	assert_refused(evlock_table_acquire_request(table, "a", 1,
	    &(struct evlock_request){ .mode = 4 }), EINVAL);
	assert_refused(evlock_table_acquire_request(table, "a", 1,
	    &(struct evlock_request){ .mode = X, .priority = 4 }), EINVAL);
	assert_refused(evlock_table_acquire_request(table, "a", 1,
	    &(struct evlock_request){ .mode = X, .handle = 4 }), EINVAL);
	cr_assert_eq(count(), 0);
}

TableTest(table, acquire_times_out)
{
	struct timeval soon = milliseconds(1);

	hold_key("a", X);
	evlock_table_acquire(table, "a", 1, S, &soon, note, (void *)(uintptr_t)"late");
	cr_assert_str_eq(run(), "late:ETIMEDOUT");
	cr_assert_eq(count(), 1);
}

TableTest(table, requests)
{
	struct evlock_owner *owner = new_owner("o");
	struct evlock_request q = { .mode = S, .owner = owner, .priority = 2 };
	evlock_handle mine = EVLOCK_HANDLE_FROM(&q), handle = hold_key("a", X);

	assert_refused(evlock_table_acquire_request(table, "a", 1, &q), EAGAIN);
	q.cb = note;
	q.arg = (void *)(uintptr_t)"q";
	q.handle = mine;
	ask_key("a", "later", X);
	cr_assert_eq(evlock_table_acquire_request(table, "a", 1, &q), mine);
	assert_refused(evlock_table_acquire_request(table, "a", 1, &q), EEXIST);
	assert_refused(evlock_table_acquire_request(table, "b", 1, &q), EEXIST);
	cr_assert_eq(count(), 1);
	drop_key(handle);
	cr_assert_str_eq(run(), "q");
	drop_key(mine);
	cr_assert_str_eq(run(), "later");
	cr_assert_eq(evlock_table_acquire_request(table, "b", 1, &q), mine, "it is free again");
	cr_assert_str_eq(run(), "q");
	evlock_owner_free(owner);
	settle();
	cr_assert_eq(count(), 1);
}

/* A handle of the caller's can be used once in each table. */
LockTest(table, own_handles_in_two_tables)
{
	struct evlock_table *other = evlock_table_new(base, NULL);
	evlock_handle mine = EVLOCK_HANDLE_FROM(&other);
	struct evlock_request q = { .mode = X, .handle = mine };

	table = evlock_table_new(base, NULL);
	cr_assert_eq(evlock_table_acquire_request(table, "a", 1, &q), mine);
	cr_assert_eq(evlock_table_acquire_request(other, "a", 1, &q), mine);
	cr_assert_eq(evlock_acquire_request(lock, &q), mine);
	drop_key(mine);
	cr_assert_eq(evlock_table_count(other), 1);
	cr_assert_eq(evlock_mode_of(lock, mine), X);
	assert_fails(evlock_table_release(table, mine), ENOENT);
	evlock_table_free(other);
	evlock_table_free(table);
	drop(lock, mine);
}

TableTest(table, notice)
{
	struct evlock_request q = { .mode = X, .notice_cb = note,
	    .arg = (void *)(uintptr_t)"wanted" };

	cr_assert_neq(evlock_table_acquire_request(table, "a", 1, &q), 0);
	ask_key("b", "b", X);
	cr_assert_str_eq(run(), "b");
	ask_key("a", "a", S);
	cr_assert_str_eq(run(), "wanted");
}

TableTest(table, release_of_strangers)
{
	evlock_handle handle = hold_key("a", X), stranger = hold(lock, X);
	evlock_handle mine = EVLOCK_HANDLE_FROM(&table);

	assert_fails(evlock_table_release(table, 0), ENOENT);
	assert_fails(evlock_table_release(table, stranger), ENOENT);
	assert_fails(evlock_table_release(table, mine), ENOENT);
	assert_fails(evlock_table_release(table, handle + 1), ENOENT);
	assert_fails(evlock_release(lock, handle), ENOENT);
	cr_assert_eq(NOW(lock, .mode = N, .handle = mine), 0);
	drop(lock, stranger);
	cr_assert_eq(NOW(lock, .mode = N, .handle = mine), mine);
	assert_fails(evlock_table_release(table, mine), ENOENT);
	drop_key(handle);
	assert_fails(evlock_table_release(table, handle), ENOENT);
}

TableTest(table, release_withdraws)
{
	evlock_handle reader = hold_key("a", S), writer = ask_key("a", "writer", X), granted;

	ask_key("a", "reader", S);
	drop_key(writer);
	cr_assert_str_eq(run(), "reader");
	granted = ask_key("a", "granted", S);
	drop_key(granted);
	cr_assert_str_eq(run(), "");
	drop_key(reader);
	cr_assert_eq(count(), 1);
}

/* --- How long a key exists -------------------------------------------------------- */

TableTest(table, key_exists_while_it_is_needed)
{
	evlock_handle a, b, waits;

	cr_assert_eq(count(), 0);
	a = hold_key("a", S);
	b = hold_key("a", S);
	cr_assert_eq(count(), 1);
	waits = ask_key("a", "w", X);
	drop_key(a);
	drop_key(b);
	cr_assert_eq(count(), 1);
	cr_assert_str_eq(run(), "w");
	cr_assert_eq(count(), 1);
	drop_key(waits);
	cr_assert_eq(count(), 0);
}

TableTest(table, key_is_gone_with_a_request_that_is_refused)
{
	assert_refused(evlock_table_acquire_nowait(table, "a", 1, 9), EINVAL);
	cr_assert_eq(count(), 0);
	hold_key("b", X);
	assert_refused(evlock_table_acquire_nowait(table, "b", 1, X), EAGAIN);
	cr_assert_eq(count(), 1);
}

TableTest(table, key_is_gone_with_who_waits_last)
{
	struct timeval soon = milliseconds(1);
	evlock_handle handle = hold_key("a", X);
	struct evlock *object;

	evlock_table_acquire(table, "a", 1, X, &soon, note, (void *)(uintptr_t)"late");
	object = object_of("a");
	drop_key(handle);
	cr_assert_str_eq(run(), "late");
	evlock_free(object);
	cr_assert_eq(count(), 1);
}

TableTest(table, key_stays_until_a_failure_is_told)
{
	evlock_handle handle = hold_key("a", X);
	struct evlock *object = object_of("a");

	ask_key("a", "w", X);
	evlock_close(object);
	drop_key(handle);
	evlock_free(object);
	cr_assert_eq(count(), 1);
	cr_assert_str_eq(run(), "w:ECANCELED");
	cr_assert_eq(count(), 0);
	hold_key("a", X);
}

TableTest(table, with_ends_its_key)
{
	struct evlock *object = object_of("a");

	evlock_with(object, X, NULL, note, (void *)(uintptr_t)"with");
	cr_assert_str_eq(run(), "with");
	cr_assert_eq(count(), 1);
	evlock_free(object);
	cr_assert_eq(count(), 0);
}

TableTest(table, nothing_is_left_of_keys_that_nobody_needs)
{
	unsigned i, n = scaled(10000);
	evlock_handle *handle = calloc(n, sizeof *handle);
	long before;
	char key[32];

	hold_key("first", X);	/* the hash table and the slots */
	for (i = 0; i < n; i++)
		handle[i] = hold_key("one", S);
	for (i = 0; i < n; i++)
		drop_key(handle[i]);
	before = memory.live;
	for (i = 0; i < n; i++) {
		snprintf(key, sizeof key, "key number %u", i);
		handle[i] = hold_key(key, X);
	}
	cr_assert_eq(count(), n + 1);
	cr_assert_gt(memory.live, before + (long)n);
	for (i = 0; i < n; i++)
		drop_key(handle[i]);
	cr_assert_eq(count(), 1);
	cr_assert_eq(memory.live, before, "%ld allocations are left", memory.live - before);
	free(handle);
}

TableTest(table, one_after_the_other_leaves_nothing)
{
	unsigned i, n = scaled(10000);
	long before = 0;
	char key[32];

	for (i = 0; i < n; i++) {
		snprintf(key, sizeof key, "%u", i);
		drop_key(hold_key(key, X));
		if (i == 10)
			before = memory.live;
	}
	cr_assert_eq(memory.live, before);
}

/* --- The lock that callbacks get -------------------------------------------------- */

static evlock_handle got;
static struct evlock *got_lock;

static void
get(struct evlock *l, evlock_handle handle, int error, void *who)
{
	note(l, handle, error, who);
	got = handle;
	got_lock = l;
}

TableTest(table, lock_of_a_callback_is_good_as_long_as_the_handle)
{
	ask_key_then("a", "a", X, get);
	cr_assert_str_eq(run(), "a");
	cr_assert_eq(evlock_mode_of(got_lock, got), X);
	cr_assert_eq(evlock_get_base(got_lock), base);
	ask_key("a", "b", X);
	cr_assert_eq(evlock_waiting(got_lock), 1);
	cr_assert_eq(evlock_convert_nowait(got_lock, got, S), 0);
	cr_assert_eq(evlock_release(got_lock, got), 0);
	cr_assert_eq(count(), 1);
	cr_assert_str_eq(run(), "b");
	assert_fails(evlock_table_release(table, got), ENOENT);
}

/* A request through the callback's lock also belongs to the table. */
TableTest(table, lock_of_a_callback_may_be_used)
{
	evlock_handle more;

	ask_key_then("a", "a", S, get);
	cr_assert_str_eq(run(), "a");
	more = ask(got_lock, "more", S);
	evlock_with(got_lock, S, NULL, note, (void *)(uintptr_t)"with");
	cr_assert_eq(evlock_release(got_lock, got), 0);
	cr_assert_str_eq(run(), "more with");
	cr_assert_eq(count(), 1);
	drop_key(more);
	cr_assert_eq(count(), 0);
}

TableTest(table, lock_of_a_callback_may_be_converted)
{
	evlock_handle other;

	ask_key_then("a", "a", S, get);
	cr_assert_str_eq(run(), "a");
	other = hold_key("a", S);
	convert(got_lock, "up", got, X);
	drop_key(other);
	cr_assert_str_eq(run(), "up");
	drop_key(got);
	settle();
	cr_assert_eq(count(), 0);
}

static void
convert_and_drop(struct evlock *l, evlock_handle handle, int error, void *who)
{
	note(l, handle, error, who);
	convert(l, "never", handle, X);
	drop_key(handle);
}

/* The conversion is in progress when its handle is released. */
TableTest(table, lock_of_a_callback_outlives_its_conversions)
{
	ask_key_then("a", "a", S, convert_and_drop);
	cr_assert_str_eq(run(), "a");
	cr_assert_eq(count(), 0);
}

/* The lock ends with the handle, and nothing else would keep it. */
TableTest(table, lock_of_a_callback_is_neither_watched_nor_a_member)
{
	struct evlock_set_member member = { NULL, X };
	struct event *ev = new_event("room");

	ask_key_then("a", "a", X, get);
	cr_assert_str_eq(run(), "a");
	member.lock = got_lock;
	assert_fails(evlock_notify(got_lock, X, ev), ENOTSUP);
	assert_refused(evlock_set_new(&member, 1, NULL), EINVAL);
	drop_key(got);
	settle();
	cr_assert_eq(count(), 0);
	event_free(ev);
}

static void
drop_through_table(struct evlock *l, evlock_handle handle, int error, void *who)
{
	note(l, handle, error, who);
	if (!error)
		drop_key(handle);
}

static void
drop_through_lock(struct evlock *l, evlock_handle handle, int error, void *who)
{
	note_and_drop(l, handle, error, who);
}

TableTest(table, callback_releases)
{
	ask_key_then("a", "a", X, drop_through_table);
	ask_key_then("a", "b", X, drop_through_lock);
	cr_assert_str_eq(run(), "a b");
	cr_assert_eq(count(), 0);
}

static unsigned n_rounds;

static void
go_round(struct evlock *l, evlock_handle handle, int error, void *key)
{
	(void)l;
	cr_assert_eq(error, 0);
	drop_key(handle);
	cr_assert_eq(count(), 0);
	if (++n_rounds < 1000)
		ask_key_then(key, key, X, go_round);
}

TableTest(table, callback_releases_and_acquires_the_same_key)
{
	ask_key_then("a", "a", X, go_round);
	cr_assert_str_eq(run(), "");
	cr_assert_eq(n_rounds, 1000);
	cr_assert_eq(count(), 0);
}

static void
free_table(struct evlock *l, evlock_handle handle, int error, void *who)
{
	note(l, handle, error, who);
	evlock_table_free(table);
	table = NULL;
}

TableTest(table, callback_frees_the_table)
{
	ask_key_then("a", "a", X, free_table);
	ask_key("a", "b", X);
	ask_key("c", "c", X);
	hold_key("d", X);
	cr_assert_str_eq(run(), "a b:ECANCELED c:ECANCELED");
}

TableTest(table, timeout_callback_frees_the_table)
{
	struct timeval soon = milliseconds(1);

	hold_key("a", X);
	evlock_table_acquire(table, "a", 1, X, &soon, free_table, (void *)(uintptr_t)"late");
	ask_key("a", "b", X);
	cr_assert_str_eq(run(), "late:ETIMEDOUT b:ECANCELED");
}

TableTest(table, conversion_callback_frees_the_table)
{
	ask_key_then("a", "a", S, get);
	cr_assert_str_eq(run(), "a");
	evlock_convert(got_lock, got, X, NULL, free_table, (void *)(uintptr_t)"up");
	cr_assert_str_eq(run(), "up");
}

TableTest(table, notice_frees_the_table)
{
	struct evlock_request q = { .mode = X, .notice_cb = free_table,
	    .arg = (void *)(uintptr_t)"wanted" };

	evlock_table_acquire_request(table, "a", 1, &q);
	ask_key("a", "b", X);
	cr_assert_str_eq(run(), "wanted b:ECANCELED");
}

TableTest(table, with_callback_frees_the_table)
{
	ask_key_then("a", "a", S, get);
	cr_assert_str_eq(run(), "a");
	evlock_with(got_lock, S, NULL, free_table, (void *)(uintptr_t)"with");
	cr_assert_str_eq(run(), "with");
}

static void
drop_got(struct evlock *l, evlock_handle handle, int error, void *who)
{
	note(l, handle, error, who);
	if (got)
		cr_assert_eq(evlock_table_release(table, got), 0);
	got = 0;
}

/* The last request that needs the key ends inside the callback of a failed one. */
TableTest(table, failure_callback_releases_the_last_holder)
{
	struct timeval soon = milliseconds(1);

	got = hold_key("a", X);
	evlock_table_acquire(table, "a", 1, X, &soon, drop_got, (void *)(uintptr_t)"late");
	cr_assert_str_eq(run(), "late:ETIMEDOUT");
	cr_assert_eq(count(), 0);
}

/* --- Freeing ---------------------------------------------------------------------- */

/* Requests in every state, on three keys. */
static void
fill(struct evlock_owner *owner)
{
	struct timeval late = { 3600, 0 };
	static int mine;
	struct evlock_request q = { .mode = S, .handle = EVLOCK_HANDLE_FROM(&mine), .cb = note,
	    .notice_cb = note, .owner = owner, .arg = (void *)(uintptr_t)"own" };

	ask_key_then("a", "", S, get);
	told();
	turn();
	hold_key("a", S);
	ask_key("a", "granted", S);
	evlock_table_acquire_request(table, "a", 1, &q);
	evlock_with(got_lock, S, NULL, note, (void *)(uintptr_t)"with");
	convert(got_lock, "converting", got, X);
	ask_key("a", "queued", X);
	evlock_table_acquire(table, "a", 1, S, &late, note, (void *)(uintptr_t)"timed");
	hold_key("b", X);
	ask_key("b", "b", X);
	ask_key("c", "c", X);
}

#define ALL "granted:ECANCELED own:ECANCELED with:ECANCELED converting:ECANCELED " \
	"queued:ECANCELED timed:ECANCELED b:ECANCELED c:ECANCELED"

TableTest(table, free_with_requests_in_every_state)
{
	struct evlock_owner *owner = new_owner("o");

	fill(owner);
	told();
	evlock_table_free(table);
	table = NULL;
	cr_assert_str_eq(told(), ALL);
	cr_assert_str_eq(run(), "");
	cr_assert_eq(evlock_owner_release_all(owner), 0);
	evlock_owner_free(owner);
}

static struct evlock_owner *whose;

static void
end_owners(struct evlock *l, evlock_handle handle, int error, void *who)
{
	note(l, handle, error, who);
	evlock_owner_release_all(whose);
}

/* A callback inside evlock_table_free() ends what an owner holds on other keys. */
TableTest(table, owner_ends_inside_free)
{
	struct evlock_owner *owner = new_owner("o");
	struct evlock_request q = { .mode = X, .owner = owner };

	whose = owner;
	hold_key("1", X);
	ask_key_then("1", "1", X, end_owners);
	evlock_table_acquire_request(table, "0", 1, &q);
	evlock_table_acquire_request(table, "2", 1, &q);
	q.cb = note;
	q.arg = (void *)(uintptr_t)"never";
	evlock_table_acquire_request(table, "2", 1, &q);
	evlock_table_acquire_request(table, "1", 1, &q);
	evlock_table_free(table);
	table = NULL;
	cr_assert_not_null(strstr(told(), "1:ECANCELED"));
	cr_assert_str_eq(run(), "");
	evlock_owner_free(owner);
}

/* A callback inside evlock_table_free() ends all that its own key has. */
TableTest(table, owner_ends_inside_free_what_is_converted)
{
	struct evlock_owner *owner = new_owner("o");
	struct evlock_request q = { .mode = S, .owner = owner, .cb = get,
	    .arg = (void *)(uintptr_t)"a" };

	whose = owner;
	evlock_table_acquire_request(table, "a", 1, &q);
	cr_assert_str_eq(run(), "a");
	cr_assert_eq(evlock_convert(got_lock, got, X, NULL, end_owners,
	    (void *)(uintptr_t)"up"), 0);
	evlock_table_free(table);
	table = NULL;
	cr_assert_str_eq(told(), "up:ECANCELED");
	cr_assert_str_eq(run(), "");
	evlock_owner_free(owner);
}

/* --- Objects of keys -------------------------------------------------------------- */

TableTest(table, object_keeps_its_key)
{
	struct evlock *object = object_of("a");

	cr_assert_eq(count(), 1);
	cr_assert_eq(evlock_get_base(object), base);
	drop_key(hold_key("a", X));
	cr_assert_eq(count(), 1);
	evlock_free(object);
	cr_assert_eq(count(), 0);
}

TableTest(table, object_is_the_lock_of_its_key)
{
	struct evlock *object = object_of("a");
	evlock_handle handle = hold_key("a", X), through;

	cr_assert_eq(evlock_locked(object), X);
	cr_assert_eq(evlock_mode_of(object, handle), X);
	assert_refused(evlock_acquire_nowait(object, S), EAGAIN);
	through = ask(object, "through", S);
	cr_assert_eq(evlock_waiting(object), 1);
	cr_assert_eq(evlock_release(object, handle), 0);
	cr_assert_str_eq(run(), "through");
	drop_key(through);
	evlock_free(object);
}

TableTest(table, object_converts)
{
	struct evlock *object = object_of("a");
	evlock_handle handle = hold_key("a", S), other = hold_key("a", S);

	convert(object, "up", handle, X);
	drop_key(other);
	cr_assert_str_eq(run(), "up");
	cr_assert_eq(evlock_mode_of(object, handle), X);
	evlock_free(object);
	cr_assert_eq(count(), 1);
}

/* The conversion is of a handle that was not made through this object. */
TableTest(table, object_ends_with_a_conversion)
{
	struct evlock *object = object_of("a");
	evlock_handle handle = hold_key("a", S);

	hold_key("a", S);
	convert(object, "up", handle, X);
	evlock_free(object);
	cr_assert_str_eq(told(), "up:ECANCELED");
	cr_assert(!evlock_table_release(table, handle));
	cr_assert_eq(count(), 1);
}

TableTest(table, object_notifies)
{
	struct evlock *object = object_of("a");
	struct event *ev = new_event("free");
	evlock_handle handle = hold_key("a", X);

	cr_assert_eq(evlock_notify(object, S, ev), 0);
	cr_assert_str_eq(run(), "");
	drop_key(handle);
	cr_assert_str_eq(run(), "free");
	evlock_free(object);
	hold_key("a", X);
	cr_assert_str_eq(run(), "");
	event_free(ev);
}

TableTest(table, object_in_a_set)
{
	struct evlock *a = object_of("a"), *b = object_of("b"), *set = SET(a, b, lock);
	evlock_handle handle = hold_key("b", X), of_set = ask(set, "set", X);
	size_t len;

	cr_assert_eq(evlock_waiting(a), 1);
	ask_key("a", "a", S);
	drop_key(handle);
	cr_assert_str_eq(run(), "set");
	assert_refused(evlock_table_acquire_nowait(table, "b", 1, S), EAGAIN);
	assert_fails(evlock_table_release(table, of_set), ENOENT);
	assert_refused(evlock_table_key(table, of_set, &len), ENOENT);
	cr_assert_str_eq(let_go(set, of_set), "a");
	evlock_free(set);
	evlock_free(a);
	evlock_free(b);
	cr_assert_eq(count(), 1);
}

/* The object is freed, and the key has another.  The set is closed nevertheless. */
TableTest(table, object_in_a_set_that_it_leaves)
{
	struct evlock *a = object_of("a"), *again = object_of("a"), *set = SET(a, lock);
	evlock_handle of_set = hold(set, X);

	ask(set, "set", X);
	evlock_free(a);
	cr_assert_str_eq(run(), "set:ECANCELED");
	cr_assert_eq(evlock_locked(again), N, "no longer held");
	cr_assert_eq(evlock_locked(lock), X);
	drop(set, of_set);
	evlock_free(set);
	evlock_free(again);
	cr_assert_eq(count(), 0);
}

TableTest(table, object_in_a_set_when_the_table_is_freed)
{
	struct evlock *a = object_of("a"), *set = SET(a, lock);
	evlock_handle of_set = hold(set, X);

	ask(set, "set", X);
	evlock_table_free(table);
	table = NULL;
	cr_assert_str_eq(let_go(set, of_set), "set", "the object goes on");
	evlock_free(set);
	evlock_free(a);
}

/* Two objects of one key are one lock.  A request made through one of them ends with it. */
TableTest(table, two_objects_of_a_key)
{
	struct evlock *one = object_of("a"), *two = object_of("a");
	evlock_handle handle = hold(one, S);

	cr_assert_neq(one, two);
	cr_assert_eq(count(), 1);
	cr_assert_eq(evlock_mode_of(two, handle), S);
	ask(one, "one", X);
	ask(two, "two", S);
	evlock_free(one);
	cr_assert_str_eq(told(), "one:ECANCELED");
	cr_assert_str_eq(run(), "two");
	cr_assert_eq(evlock_held(two, S), 1);
	cr_assert_eq(count(), 1);
	evlock_free(two);
	cr_assert_eq(count(), 0);
}

/* The objects and the table are freed in any order.  An object that remains is a lock. */
static void
check_order(const char *order)
{
	struct evlock *object[2];
	evlock_handle mine = EVLOCK_HANDLE_FROM(&order);
	char expected[100] = "";

	table = evlock_table_new(base, NULL);
	hold_key("a", S);
	object[0] = object_of("a");
	object[1] = object_of("a");
	hold(object[0], S);
	cr_assert_eq(NOW(object[1], .mode = S, .handle = mine), mine);
	ask_key("a", "t", X);
	ask(object[0], "0", X);
	ask(object[1], "1", X);
	for (; *order; order++) {
		if (*order == 't') {
			evlock_table_free(table);
			table = NULL;
		} else {
			if (*order == '1')
				cr_assert_eq(evlock_release(object[1], mine), 0, "%s",
				    strerror(errno));
			evlock_free(object[*order - '0']);
		}
		snprintf(expected, sizeof expected, "%c:ECANCELED", *order);
		cr_assert_str_eq(told(), expected);
		/* the remaining request may have been granted meanwhile: the next evlock_free()
		 * cancels it */
	}
	evlock_table_free(table);
	cr_assert_str_eq(run(), "");
}

LockTest(table, objects_and_table_in_any_order)
{
	check_order("t01");
	check_order("0t1");
	check_order("01t");
	check_order("t10");
	check_order("1t0");
	check_order("10t");
}

/* A caller's handle that was used through an object is still known there when the table is freed,
 * and does not conflict with another table. */
TableTest(table, own_handle_of_an_object_without_its_table)
{
	struct evlock *object = object_of("a");
	evlock_handle mine = EVLOCK_HANDLE_FROM(&object);

	cr_assert_eq(NOW(object, .mode = X, .handle = mine), mine);
	evlock_table_free(table);
	table = evlock_table_new(base, NULL);
	cr_assert_eq(evlock_mode_of(object, mine), X);
	cr_assert_eq(evlock_table_acquire_request(table, "a", 1,
	    &(struct evlock_request){ .handle = mine }), mine);
	drop(object, mine);
	cr_assert_eq(NOW(object, .mode = X, .handle = mine), mine);
	evlock_free(object);
	drop_key(mine);
}

TableTest(table, object_lives_on_without_its_table)
{
	struct evlock *object = object_of("a");
	evlock_handle handle = hold(object, X), by_table = ask_key("a", "table", X);

	evlock_table_free(table);
	table = NULL;
	cr_assert_str_eq(told(), "table:ECANCELED");
	assert_fails(evlock_release(object, by_table), ENOENT);
	ask(object, "more", S);
	cr_assert_eq(evlock_mode_of(object, handle), X);
	cr_assert_str_eq(let_go(object, handle), "more");
	evlock_with(object, S, NULL, note, (void *)(uintptr_t)"with");
	cr_assert_str_eq(run(), "with");
	evlock_free(object);
}

static struct evlock *mortal;

static void
free_mortal(struct evlock *l, evlock_handle handle, int error, void *who)
{
	note(l, handle, error, who);
	evlock_free(mortal);
	mortal = NULL;
}

TableTest(table, object_is_freed_in_its_callback)
{
	mortal = object_of("a");
	ask_then(mortal, "a", X, free_mortal);
	ask(mortal, "b", X);
	cr_assert_str_eq(run(), "a b:ECANCELED");
	cr_assert_eq(count(), 0);
}

TableTest(table, object_is_freed_in_the_callback_of_the_tables)
{
	mortal = object_of("a");
	hold(mortal, S);
	ask_key_then("a", "a", S, free_mortal);
	cr_assert_str_eq(run(), "a");
	cr_assert_eq(count(), 1);
}

TableTest(table, object_is_freed_inside_free_of_the_table)
{
	mortal = object_of("a");
	hold(mortal, X);
	ask_key_then("a", "a", X, free_mortal);
	ask(mortal, "b", X);
	ask_key("c", "c", X);
	evlock_table_free(table);
	table = NULL;
	cr_assert_str_eq(run(), "a:ECANCELED b:ECANCELED c:ECANCELED");
}

TableTest(table, object_that_is_closed_closes_its_key)
{
	struct evlock *object = object_of("a");

	hold_key("a", X);
	ask_key("a", "waits", X);
	evlock_close(object);
	cr_assert_str_eq(run(), "waits:ECANCELED");
	assert_refused(evlock_table_acquire_nowait(table, "a", 1, S), ECANCELED);
	hold_key("b", X);
	evlock_free(object);
}

/* --- The hash --------------------------------------------------------------------- */

/* Appendix A of the paper: key 00 01 .. 0f, message 00 01 .. 0e.  The other values are from the
 * reference implementation's list, which begins with the empty message. */
Test(table, siphash_is_that_of_the_paper)
{
	unsigned char key[16], message[64];
	unsigned i;

	for (i = 0; i < 64; i++)
		message[i] = (unsigned char)i;
	memcpy(key, message, 16);
	cr_assert_eq(evl_siphash(key, message, 15), 0xa129ca6149be45e5u);
	cr_assert_eq(evl_siphash(key, message, 0), 0x726fdb47dd0e0e31u);
	cr_assert_eq(evl_siphash(key, message, 1), 0x74f839c593dc67fdu);
	cr_assert_eq(evl_siphash(key, message, 7), 0xab0200f58b01d137u);
	cr_assert_eq(evl_siphash(key, message, 8), 0x93f5f5799a932462u);
	cr_assert_eq(evl_siphash(key, message, 63), 0x958a324ceb064572u);
	cr_assert_eq(evl_siphash(key, NULL, 0), 0x726fdb47dd0e0e31u);
}

/* The hash does not depend on the alignment of the bytes. */
Test(table, siphash_does_not_care_about_alignment)
{
	unsigned char key[16] = { 1 }, buffer[80];
	unsigned shift;
	uint64_t expected;

	memset(buffer, 0, sizeof buffer);
	memcpy(buffer, "the quick brown fox jumps over", 30);
	expected = evl_siphash(key, buffer, 30);
	for (shift = 1; shift < 9; shift++) {
		memmove(buffer + shift, buffer + shift - 1, 40);
		cr_assert_eq(evl_siphash(key, buffer + shift, 30), expected);
	}
}

/* Returns how many keys are in the fullest of 2^16 buckets, for keys of this kind. */
static unsigned
fullest(void (*make)(char *key, unsigned i), size_t len)
{
	static const unsigned char secret[16] = "a secret of ours";
	unsigned i, most = 0, *n = calloc(1u << 16, sizeof *n);
	char key[64];

	for (i = 0; i < 1u << 16; i++) {
		unsigned *bucket;

		memset(key, 0, sizeof key);
		make(key, i);
		bucket = &n[evl_siphash(secret, key, len) & 0xffff];
		most = ++*bucket > most ? *bucket : most;
	}
	free(n);
	return most;
}

static void
make_counted(char *key, unsigned i)
{
	memcpy(key, &i, sizeof i);
}

/* Keys with equal sums of bytes, for hashes that add them. */
static void
make_balanced(char *key, unsigned i)
{
	unsigned bit;

	for (bit = 0; bit < 16; bit++) {
		key[2 * bit] = i >> bit & 1 ? 'A' : 'B';
		key[2 * bit + 1] = i >> bit & 1 ? 'B' : 'A';
	}
}

/* "Aa" and "BB" have the same hash where it multiplies by 31, and so do all words built from
 * them. */
static void
make_for_times_31(char *key, unsigned i)
{
	unsigned bit;

	for (bit = 0; bit < 16; bit++)
		memcpy(key + 2 * bit, i >> bit & 1 ? "Aa" : "BB", 2);
}

/* Keys that differ only in their highest bits. */
static void
make_high(char *key, unsigned i)
{
	key[6] = (char)i;
	key[7] = (char)(i >> 8);
}

Test(table, chains_stay_short)
{
	cr_assert_lt(fullest(make_counted, 4), 16);
	cr_assert_lt(fullest(make_balanced, 32), 16);
	cr_assert_lt(fullest(make_for_times_31, 32), 16);
	cr_assert_lt(fullest(make_high, 8), 16);
}

TableTest(table, many_keys_of_one_kind)
{
	unsigned i, n = scaled(1u << 16);
	char key[64];

	for (i = 0; i < n; i++) {
		make_for_times_31(key, i);
		cr_assert_neq(evlock_table_acquire_nowait(table, key, 32, X), 0);
	}
	cr_assert_eq(count(), n);
	for (i = 0; i < n; i++) {
		make_for_times_31(key, i);
		cr_assert_eq(evlock_table_acquire_nowait(table, key, 32, X), 0);
	}
}

/* --- Dumping ---------------------------------------------------------------- */

TableTest(table, key_is_escaped_in_the_dump)
{
	char longer[101];

	cr_assert_neq(evlock_table_acquire_nowait(table, "a\0\n\"\\\033\x9b", 7, X), 0);
	cr_assert_not_null(strstr(state(), " \"a\\x00\\x0a\\x22\\x5c\\x1b\\x9b\" ("), "%s", state());
	memset(longer, 'k', sizeof longer);
	cr_assert_neq(evlock_table_acquire_nowait(table, longer, sizeof longer, X), 0);
	cr_assert_not_null(strstr(state(), "kk...\" ("), "%s", state());
	longer[99] = '\n';
	cr_assert_neq(evlock_table_acquire_nowait(table, longer, sizeof longer, X), 0);
	cr_assert_not_null(strstr(state(), "kk\\x0a...\" ("), "%s", state());
}

/* --- Freeing ----------------------------------------------------------------- */

static void
ask_for_more(struct evlock *l, evlock_handle handle, int error, void *who)
{
	note(l, handle, error, who);
	assert_errno(evlock_acquire_nowait(l, X), 0, ECANCELED);
	assert_errno(evlock_table_acquire_nowait(table, "a", 1, X), 0, ECANCELED);
	assert_errno(evlock_table_acquire_nowait(table, "held", 4, X), 0, ECANCELED);
	assert_errno(evlock_table_acquire(table, "new", 3, X, NULL, note, who), 0, ECANCELED);
	assert_errno(evlock_table_lock(table, "a", 1), NULL, ECANCELED);
	assert_errno(evlock_table_acquire(table, NULL, 3, X, NULL, note, who), 0, EINVAL);
}

TableTest(table, takes_no_more_requests_while_it_is_freed)
{
	struct evlock *held = evlock_table_lock(table, "held", 4);

	hold(held, X);
	hold_key("a", X);
	ask_key_then("a", "a", X, ask_for_more);
	ask_key_then("b", "b", X, ask_for_more);
	evlock_table_free(table);
	table = NULL;
	cr_assert_str_eq(told(), "a:ECANCELED b:ECANCELED");
	cr_assert_str_eq(run(), "");
	evlock_free(held);
}
