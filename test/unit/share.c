/* SPDX-License-Identifier: BSD-3-Clause */

/* One lock and several loops: each sentence of the headers about sharing.  Most of it needs no
 * threads.  One thread runs one loop after the other, so that it is known what has happened by
 * when.  What does need threads is at the end. */

#include "../shim.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <event2/thread.h>

#include "loop/ports.h"
#include "../util.h"
#include "../util3.h"

/* Besides `base` and `lock`, which is THREADSAFE, another base and its object of the lock. */
static struct event_base *base2;
static struct evlock *lock2;

static struct evlock *
share(struct evlock *l, struct event_base *b)
{
	struct evlock *object = evlock_share(l, b);

	cr_assert_not_null(object, "%s", strerror(errno));
	return object;
}

static struct evlock *
new_shared(const char *name)
{
	struct evlock_options options = { .flags = EVLOCK_OPT_THREADSAFE, .name = name };
	struct evlock *l = evlock_new(base, &options);

	cr_assert_not_null(l);
	return l;
}

static void
begin_sharing(void)
{
	cr_assert_eq(evthread_use_pthreads(), 0);
	begin();
	evlock_free(lock);
	lock = new_shared("lock");
	base2 = event_base_new();
	lock2 = share(lock, base2);
}

static void
end_sharing(void)
{
	evlock_free(lock2);
	event_base_free(base2);
	end();
}

#define ShareTest(name) \
	static void share_##name##_body(void); \
	Test(share, name) \
	{ \
		begin_sharing(); \
		share_##name##_body(); \
		end_sharing(); \
	} \
	static void \
	share_##name##_body(void)

/* Runs the second loop once, without blocking. */
static const char *
turn2(void)
{
	cr_assert_geq(event_base_loop(base2, EVLOOP_NONBLOCK), 0);
	return told();
}

/* Would event_base_dispatch() continue? */
static int
is_alive(struct event_base *b)
{
	return event_base_loop(b, EVLOOP_NONBLOCK) == 0;
}

/* --- Which locks can be shared ----------------------------------------------- */

ShareTest(plain_lock_is_refused)
{
	struct evlock *plain;
	struct evlock_table *table;

	if (is_threadsafe())
		return;
	plain = evlock_new(base, NULL);
	table = evlock_table_new(base, NULL);
	assert_errno(evlock_share(plain, base2), NULL, EINVAL);
	assert_errno(evlock_share(lock, NULL), NULL, EINVAL);
	assert_errno(evlock_table_share(table, base2), NULL, EINVAL);
	evlock_table_free(table);
	evlock_free(plain);
}

static void
assert_not_supported(struct evlock *from, struct event_base *to)
{
	assert_errno(evlock_share(from, to), NULL, ENOTSUP);
}

Test(share, bases_that_are_not_set_up_for_threads_are_refused)
{
	struct event_base *before = event_base_new(), *after, *nolock;
	struct event_config *config = event_config_new();
	struct evlock_options options = { .flags = EVLOCK_OPT_THREADSAFE };
	struct evlock *old = evlock_new(before, &options), *new;
	struct evlock_table *table = evlock_table_new(before, &options);

	assert_not_supported(old, before);
	cr_assert_eq(evthread_use_pthreads(), 0);
	after = event_base_new();
	event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK);
	nolock = event_base_new_with_config(config);
	new = evlock_new(after, &options);
	assert_not_supported(old, after);
	assert_not_supported(new, before);
	assert_not_supported(new, nolock);
	assert_errno(evlock_table_share(table, after), NULL, ENOTSUP);
	cr_assert_eq(hold(old, X) && hold(new, X), 1);
	evlock_table_free(table);
	evlock_free(old);
	evlock_free(new);
	event_config_free(config);
	event_base_free(before);
	event_base_free(after);
	event_base_free(nolock);
}

ShareTest(any_object_may_be_shared_on)
{
	struct event_base *base3 = event_base_new();
	struct evlock *lock3 = share(lock2, base3);
	evlock_handle held = hold(lock, X);

	assert_errno(evlock_acquire_nowait(lock3, S), 0, EAGAIN);
	drop(lock3, held);
	cr_assert(evlock_get_base(lock3) == base3);
	evlock_free(lock3);
	event_base_free(base3);
}

ShareTest(sets_and_owners_do_not_mix)
{
	struct evlock *plain;
	struct evlock_owner *owner;
	struct evlock_set_member member[2] = { { lock, EVLOCK_SAME_MODE } };

	if (is_threadsafe())
		return;
	plain = new_lock("plain");
	owner = new_owner("o");
	member[1] = (struct evlock_set_member){ plain, EVLOCK_SAME_MODE };
	assert_errno(evlock_set_new(member, 2, NULL), NULL, EINVAL);
	hold_by(owner, lock, S);
	assert_errno(NOW(plain, .mode = S, .owner = owner), 0, EINVAL);
	evlock_owner_release_all(owner);
	hold_by(owner, plain, S);
	assert_errno(NOW(lock, .mode = S, .owner = owner), 0, EINVAL);
	evlock_owner_free(owner);
	evlock_free(plain);
}

/* --- Which loop calls back ------------------------------------------------------ */

ShareTest(callbacks_run_from_the_base_of_their_object)
{
	evlock_handle held = hold(lock, X);

	ask(lock2, "there", S);
	ask(lock, "here", S);
	drop(lock, held);
	cr_assert_eq(evlock_held(lock, S), 2, "a grant is decided at the release");
	cr_assert_str_eq(turn(), "here");
	cr_assert_str_eq(turn2(), "there");
}

ShareTest(one_queue_for_all)
{
	evlock_handle held = hold(lock, X);

	ask(lock2, "first", X);
	ask(lock, "second", X);
	drop(lock, held);
	cr_assert_str_eq(turn(), "");
	cr_assert_str_eq(turn2(), "first");
	cr_assert_eq(evlock_waiting(lock2), 1);
}

/* Whether other threads use the lock or not. */
ShareTest(order_of_grants_of_all_locks)
{
	struct evlock *plain = (evlock_new)(base, NULL), *other = (evlock_new)(base, NULL);
	evlock_handle h = hold(plain, X);

	ask(lock, "a", S);
	ask(other, "b", S);
	ask(lock, "c", S);
	ask(plain, "d", S);
	drop(plain, h);
	ask(lock, "e", S);
	ask(plain, "f", S);
	cr_assert_str_eq(turn(), "a b c d e f");
	evlock_free(plain);
	evlock_free(other);
}

ShareTest(modes)
{
	static const char fits[4][4] = { { 1, 1, 1, 1 }, { 1, 1, 1, 0 }, { 1, 1, 0, 0 } };
	unsigned m, n;

	for (m = 0; m < 4; m++)
		for (n = 0; n < 4; n++) {
			evlock_handle held = hold(lock, m);

			cr_assert_eq(could_hold(lock2, n), fits[m][n], "%u beside %u", n, m);
			drop(lock2, held);
		}
}

ShareTest(order_of_grants)
{
	struct evlock *a = new_shared("a"), *a2 = share(a, base2);
	evlock_handle held = hold(lock, X), held_a = hold(a, X);

	ask(lock2, "1", S);
	ask(a2, "3", S);
	ask(lock2, "2", S);
	drop(lock, held);
	drop(a, held_a);
	ask(a2, "4", S);
	cr_assert_str_eq(turn2(), "1 2 3 4");
	evlock_free(a2);
	evlock_free(a);
}

/* --- Release through any object ----------------------------------------------------- */

ShareTest(handle_is_known_to_all_objects)
{
	evlock_handle held = hold(lock, S);

	cr_assert_eq(evlock_mode_of(lock2, held), (int)S);
	cr_assert_eq(evlock_convert_nowait(lock2, held, X), 0);
	convert(lock2, "down", held, S);
	cr_assert_str_eq(turn(), "", "it was asked for there");
	cr_assert_str_eq(turn2(), "down");
	drop(lock2, held);
	assert_errno(evlock_release(lock2, held), -1, ENOENT);
	assert_errno(evlock_release(lock, held), -1, ENOENT);
}

ShareTest(own_handle_is_one_for_all_objects)
{
	evlock_handle mine = EVLOCK_HANDLE_FROM(&mine);

	cr_assert_eq(NOW(lock, .mode = S, .handle = mine), mine);
	assert_errno(NOW(lock2, .mode = S, .handle = mine), 0, EEXIST);
	drop(lock2, mine);
	cr_assert_eq(NOW(lock2, .mode = X, .handle = mine), mine, "free at once");
	drop(lock, mine);
}

ShareTest(withdrawn_while_it_waits)
{
	evlock_handle held = hold(lock, S), writer = ask(lock2, "writer", X);

	ask(lock2, "reader", S);
	drop(lock, writer);
	cr_assert_str_eq(turn2(), "reader");
	drop(lock, held);
	cr_assert_str_eq(turn2(), "");
}

/* The request is granted but not yet called back.  `by` is the object that withdraws it. */
static void
withdraw_granted(struct evlock *by)
{
	evlock_handle held = hold(lock, X), next = ask(lock2, "next", X);

	ask(lock, "after", X);
	drop(lock, held);
	cr_assert_eq(evlock_mode_of(lock2, next), (int)X, "held from the grant on");
	drop(by, next);
	assert_errno(evlock_release(lock2, next), -1, ENOENT);
	cr_assert_str_eq(turn2(), "");
	cr_assert_str_eq(turn(), "after");
}

ShareTest(withdrawn_by_its_own_after_the_grant) { withdraw_granted(lock2); }
ShareTest(withdrawn_by_another_after_the_grant) { withdraw_granted(lock); }

ShareTest(withdrawn_after_it_failed)
{
	struct timeval past = { -1, 0 };
	evlock_handle held = hold(lock, X), late = ASK(lock2, "late", .mode = X, .timeout = &past);
	evlock_handle closed = ask(lock2, "closed", X);

	evlock_close(lock);
	drop(lock, closed);
	drop(lock2, late);
	cr_assert_str_eq(turn2(), "");
	drop(lock2, held);
}

ShareTest(conversion_ends_with_the_handle)
{
	evlock_handle a = hold(lock, S), b = hold(lock2, S);

	convert(lock2, "up", a, X);
	drop(lock, a);
	cr_assert_eq(evlock_waiting(lock), 0);
	convert(lock, "up", b, X);
	drop(lock2, b);
	cr_assert_str_eq(turn(), "");
	cr_assert_str_eq(turn2(), "");
	cr_assert(could_hold(lock, X));
}

/* --- Freeing ---------------------------------------------------------------------------- */

ShareTest(free_ends_what_its_object_asked_for)
{
	struct evlock *lock3 = share(lock, base2);
	evlock_handle held;

	hold(lock3, S);
	held = hold(lock, S);
	ask(lock3, "gone", X);
	ask(lock2, "stays", S);
	evlock_free(lock3);
	cr_assert_str_eq(told(), "gone:ECANCELED", "inside");
	cr_assert_str_eq(turn2(), "stays");
	cr_assert_eq(evlock_held(lock, S), 2);
	drop(lock2, held);
}

ShareTest(free_of_one_with_a_letter_on_its_way)
{
	struct evlock *lock3 = share(lock, base2);
	evlock_handle held = hold(lock, X);

	ask(lock3, "gone", X);
	drop(lock, held);
	evlock_free(lock3);
	cr_assert_str_eq(told(), "gone:ECANCELED");
	cr_assert(could_hold(lock, X));
}

ShareTest(free_of_a_table_with_a_letter_on_its_way)
{
	struct evlock_options options = { .flags = EVLOCK_OPT_THREADSAFE };
	struct evlock_table *t = evlock_table_new(base, &options), *t2 = evlock_table_share(t, base2);
	evlock_handle h = evlock_table_acquire_nowait(t, "k", 1, X);

	cr_assert_neq(evlock_table_acquire(t2, "k", 1, X, NULL, note, (void *)(uintptr_t)"there"), 0);
	cr_assert_eq(evlock_table_release(t, h), 0);
	evlock_table_free(t2);
	cr_assert_str_eq(told(), "there:ECANCELED");
	cr_assert_eq(evlock_table_count(t), 0);
	cr_assert_str_eq(turn2(), "");
	evlock_table_free(t);
}

ShareTest(free_of_the_handles_object_ends_a_conversion_by_another)
{
	struct evlock *lock3 = share(lock, base2);
	evlock_handle held = hold(lock3, S), other = hold(lock, S);

	convert(lock2, "up", held, X);
	evlock_free(lock3);
	cr_assert_eq(evlock_waiting(lock), 0);
	drop(lock, other);
	cr_assert_str_eq(turn2(), "");
	cr_assert(could_hold(lock, X));
}

ShareTest(free_of_the_converting_object_leaves_the_handle)
{
	struct evlock *lock3 = share(lock, base2);
	evlock_handle held = hold(lock, S), other = hold(lock, S);

	convert(lock3, "up", held, X);
	evlock_free(lock3);
	cr_assert_str_eq(told(), "up:ECANCELED");
	cr_assert_eq(evlock_mode_of(lock2, held), (int)S);
	drop(lock, held);
	drop(lock, other);
}

ShareTest(free_of_the_converting_object_tells_what_was_given)
{
	struct evlock *lock3 = share(lock, base2);
	evlock_handle held = hold(lock, X);

	convert(lock3, "down", held, S);
	evlock_free(lock3);
	cr_assert_str_eq(told(), "down", "inside, and not ECANCELED: the mode has changed");
	cr_assert_eq(evlock_mode_of(lock, held), (int)S);
	drop(lock, held);
}

static void
release_once_more(struct evlock *l, evlock_handle handle, int error, void *who)
{
	note(l, handle, error, who);
	assert_errno(evlock_release(lock2, handle), -1, ENOENT);
}

ShareTest(free_leaves_nothing_known_of_what_it_has_told)
{
	struct evlock *lock3 = share(lock, base);
	evlock_handle held = hold(lock, X);

	ASK(lock3, "plain", .mode = X, .cb = release_once_more);
	ASK(lock3, "own", .mode = X, .cb = release_once_more, .handle = EVLOCK_HANDLE_FROM(&held));
	evlock_free(lock3);
	cr_assert_str_eq(told(), "plain:ECANCELED own:ECANCELED");
	drop(lock, held);
}

static evlock_handle held_by_freed;

static void
release_and_dump(struct evlock *l, evlock_handle handle, int error, void *who)
{
	note(l, handle, error, who);
	cr_assert_null(strstr(state(), "held"));
	evlock_release(lock2, held_by_freed);
	cr_assert_null(strstr(state(), "held"));
}

ShareTest(dump_while_a_holders_object_is_freed)
{
	struct evlock *lock3 = share(lock, base);

	held_by_freed = hold(lock3, X);
	ASK(lock3, "waits", .mode = X, .cb = release_and_dump);
	evlock_free(lock3);
	cr_assert_str_eq(told(), "waits:ECANCELED");
}

static void
convert_once_more(struct evlock *l, evlock_handle handle, int error, void *who)
{
	note(l, handle, error, who);
	cr_assert_eq(evlock_convert_nowait(lock2, handle, N), 0);
}

ShareTest(free_of_the_converting_object_lets_others_convert)
{
	struct evlock *lock3 = share(lock, base2);
	evlock_handle held = hold(lock, S), other = hold(lock, S);

	cr_assert_eq(evlock_convert(lock3, held, X, NULL, convert_once_more,
	    (void *)(uintptr_t)"up"), 0);
	evlock_free(lock3);
	cr_assert_str_eq(told(), "up:ECANCELED");
	cr_assert_eq(evlock_mode_of(lock, held), (int)N);
	drop(lock, held);
	drop(lock, other);
}

/* The same where one loop has two objects of one lock. */
LockTest(share, free_of_a_keys_object_ends_a_conversion_by_another)
{
	struct evlock_table *table = evlock_table_new(base, NULL);
	struct evlock *a = evlock_table_lock(table, "k", 1), *b = evlock_table_lock(table, "k", 1);
	evlock_handle held = hold(a, S), other = hold(b, S);

	convert(b, "up", held, X);
	evlock_free(a);
	cr_assert_eq(evlock_waiting(b), 0);
	drop(b, other);
	cr_assert_str_eq(run(), "");
	cr_assert(could_hold(b, X));
	evlock_free(b);
	evlock_table_free(table);
}

static void
count_free(void *value)
{
	++*(int *)value;
}

ShareTest(last_object_frees_the_value)
{
	int n_freed = 0;
	struct evlock_options options = { .flags = EVLOCK_OPT_THREADSAFE, .value = &n_freed,
	    .free_value = count_free };
	struct evlock *a = evlock_new(base, &options), *a2 = share(a, base2);
	evlock_handle held = hold(a2, X);

	cr_assert(evlock_value_mut(a, held) == &n_freed);
	evlock_free(a);
	cr_assert_eq(n_freed, 0);
	cr_assert(evlock_value(a2, held) == &n_freed);
	evlock_free(a2);
	cr_assert_eq(n_freed, 1);
}

/* A request gains in the step in which its own object is freed. */
ShareTest(free_of_a_member_with_someone_behind_the_set)
{
	struct evlock *a = new_shared("a"), *b = new_shared("b"), *set = SET(a, b);
	evlock_handle held = hold(b, X);

	ask(set, "set", X);
	ask(a, "behind", S);
	evlock_free(a);
	cr_assert_str_eq(told(), "behind:ECANCELED");
	cr_assert_str_eq(turn(), "set:ECANCELED");
	drop(b, held);
	evlock_free(set);
	evlock_free(b);
}

ShareTest(free_of_a_member_lets_others_have_what_the_set_held)
{
	struct evlock *a = new_shared("a"), *b = new_shared("b"), *set = SET(a, b);
	struct evlock *a2 = share(a, base2);

	hold(set, X);
	ask(a2, "next", X);
	evlock_free(a);
	cr_assert_str_eq(turn2(), "next");
	evlock_free(set);
	evlock_free(b);
	evlock_free(a2);
}

/* --- Closing ------------------------------------------------------------------------------- */

ShareTest(close_is_for_all_objects)
{
	evlock_handle held = hold(lock2, X);

	ask(lock, "here", X);
	ask(lock2, "there", S);
	evlock_close(lock2);
	cr_assert_str_eq(told(), "", "from their loops");
	cr_assert_str_eq(turn(), "here:ECANCELED");
	cr_assert_str_eq(turn2(), "there:ECANCELED");
	assert_errno(evlock_acquire_nowait(lock, S), 0, ECANCELED);
	cr_assert_eq(evlock_mode_of(lock, held), (int)X);
	drop(lock, held);
}

/* --- What keeps a loop alive --------------------------------------------------- */

ShareTest(waiting_for_another_loop_keeps_one_alive)
{
	evlock_handle held = hold(lock, X);

	cr_assert(!is_alive(base2));
	ask(lock2, "there", X);
	cr_assert(is_alive(base2));
	drop(lock, held);
	cr_assert_str_eq(turn2(), "there");
	cr_assert(!is_alive(base2));
	cr_assert(!is_alive(base));
}

ShareTest(withdrawn_by_another_lets_it_end)
{
	evlock_handle held = hold(lock, X), waiting = ask(lock2, "there", X);

	cr_assert(is_alive(base2));
	drop(lock, waiting);
	turn2();
	cr_assert(!is_alive(base2));
	drop(lock, held);
}

ShareTest(timeout_lets_it_end)
{
	evlock_handle held = hold(lock, X);

	ask_for(lock2, "late", X, 1);
	cr_assert_eq(event_base_dispatch(base2), 1);
	cr_assert_str_eq(told(), "late:ETIMEDOUT");
	drop(lock, held);
}

ShareTest(close_lets_it_end)
{
	hold(lock, X);
	ask(lock2, "there", X);
	evlock_close(lock);
	cr_assert_eq(event_base_dispatch(base2), 1);
	cr_assert_str_eq(told(), "there:ECANCELED");
}

ShareTest(end_of_the_other_object_lets_it_end)
{
	hold(lock2, X);
	ask(lock2, "own", X);
	cr_assert(is_alive(base2), "others might release it");
	evlock_free(lock);
	turn2();
	cr_assert(!is_alive(base2), "only the loop itself could end the wait");
	lock = share(lock2, base);
	turn2();
	cr_assert(is_alive(base2), "others can again");
	evlock_free(lock2);
	cr_assert_str_eq(told(), "own:ECANCELED");
	lock2 = share(lock, base2);
}

ShareTest(waiting_for_the_own_loop_does_not)
{
	struct evlock *own = new_shared("own"), *twin = share(own, base);
	evlock_handle held = hold(own, X);

	ask(own, "a", X);
	ask(twin, "b", S);
	cr_assert(!is_alive(base));
	drop(twin, held);
	cr_assert_str_eq(run(), "a");
	evlock_free(own);
	cr_assert_str_eq(run(), "b");
	evlock_free(twin);
}

ShareTest(waiting_for_a_set_of_another_loop_keeps_it_alive)
{
	struct evlock *own = new_shared("own"), *set = SET(own), *set2;
	evlock_handle held = hold(own, X);

	ask(own, "waits", S);
	cr_assert(!is_alive(base));
	set2 = share(set, base2);
	turn();
	cr_assert(is_alive(base));
	evlock_free(set);
	turn();
	cr_assert(is_alive(base), "the other object is left");
	evlock_free(set2);
	turn();
	cr_assert(!is_alive(base));
	drop(own, held);
	cr_assert_str_eq(run(), "waits");
	evlock_free(own);
}

ShareTest(waiting_for_what_another_loop_holds_by_a_set_keeps_it_alive)
{
	struct evlock *own = new_shared("own"), *set = SET(own), *set2 = share(set, base2);
	evlock_handle held = hold(set2, X);

	ask(own, "waits", X);
	cr_assert(is_alive(base));
	drop(set2, held);
	cr_assert_str_eq(run(), "waits");
	evlock_free(own);
	evlock_free(set2);
	evlock_free(set);
}

ShareTest(set_of_a_shared_member_keeps_it_alive)
{
	struct evlock *own = new_shared("own"), *set = SET(own, lock);
	evlock_handle held = hold(lock2, X);

	ask(set, "set", X);
	cr_assert(is_alive(base));
	drop(lock2, held);
	cr_assert_str_eq(run(), "set");
	evlock_free(set);
	evlock_free(own);
}

ShareTest(member_that_comes_to_be_shared_keeps_it_alive)
{
	struct evlock *a = new_shared("a"), *b = new_shared("b"), *set = SET(a, b), *a2;
	evlock_handle held = hold(a, X);

	ask(set, "set", X);
	cr_assert(!is_alive(base));
	a2 = share(a, base2);
	turn();
	cr_assert(is_alive(base));
	evlock_free(a2);
	turn();
	cr_assert(!is_alive(base));
	drop(a, held);
	cr_assert_str_eq(run(), "set");
	evlock_free(set);
	evlock_free(a);
	evlock_free(b);
}

/* --- Wake-ups ------------------------------------------------------------------ */

/* Returns how often the bell of a waiting base was rung since it was last answered. */
static unsigned
n_rung(struct event_base *b)
{
	int bell = evl_ports_find(b)->bell;
	uint64_t n = 0, one = 1;

	cr_assert_geq(bell, 0);
	cr_assert_eq(read(bell, &n, sizeof n), sizeof n);
	cr_assert_eq(write(bell, &one, sizeof one), sizeof one);
	return (unsigned)n;
}

ShareTest(one_wake_for_many)
{
	evlock_handle held = hold(lock, X);
	unsigned i;

	for (i = 0; i < EVL_BUDGET; i++)
		ask(lock2, "x", S);
	drop(lock, held);
	cr_assert_eq(n_rung(base2), 1);
	cr_assert_eq(strlen(turn2()), 2 * EVL_BUDGET - 1, "all in one pass");
}

ShareTest(one_wake_for_many_grants)
{
	evlock_handle held[1000];
	unsigned i, n_passes = 0;
	size_t n = 0;

	for (i = 0; i < 1000; i++) {
		struct evlock_request q = { .mode = N, .handle = EVLOCK_HANDLE_FROM(&held[i]) };

		held[i] = hold(lock, X);
		q.cb = note;
		q.arg = (void *)(uintptr_t)"x";
		cr_assert_neq(evlock_acquire_request(lock2, &q), 0);
		drop(lock, held[i]);
	}
	cr_assert_eq(n_rung(base2), 1);
	while (n < 1000 && n_passes++ < 100) {
		event_base_loop(base2, EVLOOP_NONBLOCK | EVLOOP_ONCE);
		n += (strlen(told()) + 1) / 2;
	}
	cr_assert_eq(n, 1000);
	cr_assert_geq(n_passes, 1000 / (2 * EVL_BUDGET), "the budget is kept");
}

/* --- A loop that does not run -------------------------------------------------- */

ShareTest(loop_that_stands_delays_only_who_waits_for_it)
{
	struct event_base *base3 = event_base_new();
	struct evlock *lock3 = share(lock, base3), *a = new_shared("a"), *a3 = share(a, base3);
	struct evlock *a2 = share(a, base2);
	evlock_handle held = hold(lock2, X);	/* and base2 stands */

	ask(lock, "waits", X);
	ask(a2, "stands", S);
	ask(a3, "goes on", S);
	event_base_loop(base3, EVLOOP_NONBLOCK);
	cr_assert_str_eq(told(), "goes on");
	cr_assert_str_eq(turn(), "");
	drop(lock2, held);
	cr_assert_str_eq(turn(), "waits");
	cr_assert_str_eq(turn2(), "stands");
	evlock_free(a3);
	evlock_free(a2);
	evlock_free(a);
	evlock_free(lock3);
	event_base_free(base3);
}

/* --- Notifications ------------------------------------------------------------- */

ShareTest(notify_through_another_object)
{
	struct event *here = new_event("could");
	evlock_handle held = hold(lock2, X);

	cr_assert_eq(evlock_notify(lock, S, here), 0);
	assert_errno(evlock_notify(lock2, S, here), -1, EEXIST);
	cr_assert_str_eq(turn(), "");
	drop(lock2, held);
	cr_assert_str_eq(turn(), "could");
	drop(lock2, hold(lock2, X));
	cr_assert_eq(evlock_unnotify(lock, here), 0);
	cr_assert_str_eq(turn(), "");
	event_free(here);
}

/* The watch may be about to activate its event, so only its own loop may end it. */
ShareTest(unnotify_through_another_bases_object)
{
	struct event *here = new_event("could");

	cr_assert_eq(evlock_notify(lock, S, here), 0);
	assert_errno(evlock_unnotify(lock2, here), -1, ENOENT);
	cr_assert_str_eq(turn(), "could");
	cr_assert_eq(evlock_unnotify(lock, here), 0);
	event_free(here);
}

ShareTest(notify_of_another_bases_event)
{
	struct event *here = new_event("could");
	evlock_handle held = hold(lock, X);

	cr_assert_eq(evlock_notify(lock2, S, here), 0);
	drop(lock, held);
	cr_assert_str_eq(turn(), "", "the object's own loop runs the event");
	cr_assert_str_eq(turn2(), "");
	cr_assert_str_eq(turn(), "could");
	cr_assert_eq(evlock_unnotify(lock2, here), 0);
	event_free(here);
}

ShareTest(notice_of_a_waiter_elsewhere)
{
	evlock_handle held, waiting;

	held = ASK(lock, "held", .mode = X, .notice_cb = note);
	cr_assert_str_eq(turn(), "held");
	waiting = ask(lock2, "waits", S);
	cr_assert_str_eq(turn2(), "");
	cr_assert_str_eq(turn(), "held", "the notice");
	drop(lock2, waiting);
	waiting = ask(lock2, "waits", S);
	drop(lock, waiting);
	cr_assert_str_eq(turn(), "", "no waiter was left before the notice");
	drop(lock2, held);
	cr_assert_str_eq(turn(), "");
}

/* --- Owners, sets, tables ------------------------------------------------------ */

ShareTest(owner_in_several_loops)
{
	struct evlock_owner *owner = new_owner("o");
	struct evlock *a = new_shared("a"), *a2 = share(a, base2);

	hold_by(owner, lock, X);
	hold_by(owner, lock2, X);
	ask_by(owner, a2, "granted", X);
	ask(a, "next", X);
	ask(lock, "after", X);
	cr_assert_eq(evlock_owner_mode(owner, a), (int)X);
	cr_assert_eq(evlock_owner_release_all(owner), 3);
	cr_assert_str_eq(turn2(), "");
	cr_assert_str_eq(turn(), "after next");
	evlock_owner_free(owner);
	evlock_free(a2);
	evlock_free(a);
}

ShareTest(owners_that_would_wait_for_each_other)
{
	struct evlock_owner *o = new_owner("o"), *p = new_owner("p");
	struct evlock *a = new_shared("a"), *a2 = share(a, base2);

	hold_by(o, lock, X);
	hold_by(p, a2, X);
	ask_by(o, a, "o", X);
	assert_errno(ASK(lock2, "p", .mode = X, .owner = p), 0, EDEADLK);
	evlock_owner_free(p);
	cr_assert_str_eq(turn(), "o");
	evlock_owner_free(o);
	evlock_free(a2);
	evlock_free(a);
}

ShareTest(set_is_shared_as_any_lock)
{
	struct evlock *a = new_shared("a"), *set = SET(lock, a), *set2 = share(set, base2);
	evlock_handle held = hold(lock2, X);

	ask(set2, "there", X);
	drop(lock2, held);
	cr_assert_str_eq(turn(), "");
	cr_assert_str_eq(turn2(), "there");
	cr_assert(!could_hold(a, S));
	evlock_free(set2);
	cr_assert(could_hold(a, X) && could_hold(lock2, X));
	evlock_free(set);
	evlock_free(a);
}

ShareTest(table)
{
	struct evlock_options options = { .flags = EVLOCK_OPT_THREADSAFE };
	struct evlock_table *t = evlock_table_new(base, &options), *t2 = evlock_table_share(t, base2);
	evlock_handle held = evlock_table_acquire_nowait(t, "k", 1, X), other;
	size_t len = 0;

	cr_assert_neq(evlock_table_acquire(t2, "k", 1, X, NULL, note, (void *)(uintptr_t)"there"), 0);
	cr_assert(is_alive(base2));
	cr_assert(!memcmp(evlock_table_key(t2, held, &len), "k", 1) && len == 1);
	cr_assert_eq(evlock_table_release(t2, held), 0);
	cr_assert_str_eq(turn2(), "there");
	other = evlock_table_acquire_nowait(t, "other", 5, S);
	cr_assert_eq(evlock_table_count(t), 2);
	evlock_table_free(t2);
	cr_assert_eq(evlock_table_count(t), 1, "what it held is gone");
	cr_assert_eq(evlock_table_release(t, other), 0);
	evlock_table_free(t);
}

ShareTest(object_of_a_key)
{
	struct evlock_options options = { .flags = EVLOCK_OPT_THREADSAFE };
	struct evlock_table *t = evlock_table_new(base, &options);
	struct evlock *k = evlock_table_lock(t, "k", 1), *k2 = share(k, base2);

	hold(k, X);
	ask(k2, "there", X);
	evlock_free(k);
	cr_assert_str_eq(turn2(), "there");
	cr_assert_eq(evlock_table_count(t), 1);
	evlock_free(k2);
	cr_assert_eq(evlock_table_count(t), 0);
	evlock_table_free(t);
}

/* --- Priorities ------------------------------------------------------------------ */

static void
write_event_down(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
	write_down("event");
}

/* Runs the second loop until nothing is ready, while an event of its priority 2 is active. */
static const char *
turn2_with_event(void)
{
	struct event *ev = event_new(base2, -1, 0, write_event_down, NULL);

	cr_assert_eq(event_priority_set(ev, 2), 0);
	event_active(ev, EV_TIMEOUT, 0);
	event_base_loop(base2, EVLOOP_NONBLOCK);
	event_base_loop(base2, EVLOOP_NONBLOCK);
	event_free(ev);
	return turn2();
}

static void
check_priority(int priority, const char *order)
{
	evlock_handle held;

	event_base_priority_init(base2, 5);
	cr_assert_eq(evlock_base_set_priority(base2, priority), 0);
	ask_then(lock2, "there", X, note_and_drop);
	cr_assert_str_eq(turn2_with_event(), order, "by a letter");
	held = hold(lock, X);
	ask_then(lock2, "there", X, note_and_drop);
	cr_assert_str_eq(turn2(), "");
	drop(lock, held);
	cr_assert_str_eq(turn2_with_event(), order, "by the bell");
}

/* Letters and the bell arrive at priority 0, and callbacks run at their own. */
ShareTest(callbacks_have_the_priority_that_was_set)
{
	check_priority(0, "there event");
	check_priority(1, "there event");
	check_priority(3, "event there");
	check_priority(4, "event there");
	evlock_base_end(base2);
}

ShareTest(fewer_priorities_before_the_bell)
{
	evlock_handle held = hold(lock, X);

	evlock_free(lock2);
	cr_assert_eq(event_base_priority_init(base2, 8), 0);
	lock2 = share(lock, base2);
	ask(lock2, "there", X);
	cr_assert_str_eq(turn2(), "");
	cr_assert_eq(event_base_priority_init(base2, 1), 0);
	drop(lock, held);
	cr_assert_str_eq(turn2(), "there");
	cr_assert(!is_alive(base2), "the bell is still listened for");
}

ShareTest(fewer_priorities_before_a_letter)
{
	evlock_free(lock2);
	cr_assert_eq(event_base_priority_init(base2, 8), 0);
	lock2 = share(lock, base2);
	cr_assert_eq(event_base_priority_init(base2, 1), 0);
	ask(lock2, "there", X);
	cr_assert_str_eq(turn2(), "there");
}

/* --- Threads ------------------------------------------------------------------- */

/* Runs in another thread until it ends. */
static void
in_a_thread(void *(*body)(void *), void *arg)
{
	pthread_t id;

	cr_assert_eq(pthread_create(&id, NULL, body, arg), 0);
	cr_assert_eq(pthread_join(id, NULL), 0);
}

static void *
release_there(void *arg)
{
	return evlock_release(lock, *(evlock_handle *)arg) == 0 ? arg : NULL;
}

ShareTest(release_from_any_thread)
{
	evlock_handle held = hold(lock, X);

	ask(lock, "next", X);
	in_a_thread(release_there, &held);
	cr_assert_str_eq(run(), "next");
}

static void *
dump_there(void *out)
{
	evlock_dump(base, out);
	fclose(out);
	return NULL;
}

/* The dump waits until its reader reads, and holds no mutex meanwhile. */
ShareTest(dump_into_a_full_pipe_blocks_nobody)
{
	struct evlock_options options = { .flags = EVLOCK_OPT_THREADSAFE };
	struct evlock_table *table = evlock_table_new(base, &options);
	struct evlock_table *table2 = evlock_table_share(table, base2);
	char text[4096];
	pthread_t id;
	int fd[2], i;

	for (i = 0; i < 4000; i++)
		hold(lock, S);
	cr_assert_neq(evlock_table_acquire_nowait(table, "key", 3, S), 0);
	cr_assert_eq(pipe(fd), 0);
	cr_assert_eq(pthread_create(&id, NULL, dump_there, fdopen(fd[1], "w")), 0);
	cr_assert_eq(read(fd[0], text, 1), 1);
	alarm(20);
	drop(lock2, hold(lock2, S));
	cr_assert_neq(evlock_table_acquire_nowait(table2, "key", 3, S), 0);
	alarm(0);
	while (read(fd[0], text, sizeof text) > 0)
		continue;
	cr_assert_eq(pthread_join(id, NULL), 0);
	close(fd[0]);
	evlock_table_free(table2);
	evlock_table_free(table);
}

static int is_enough;	/* atomic */

static void *
set_priorities(void *arg)
{
	while (!__atomic_load_n(&is_enough, __ATOMIC_RELAXED))
		evlock_base_set_priority(arg, 0);
	return arg;
}

/* In the child, the mutex of the settings is not held by another thread. */
ShareTest(fork_while_another_thread_sets_priorities)
{
	int i, n = (int)scaled(300), status;
	pthread_t id;

	cr_assert_eq(pthread_create(&id, NULL, set_priorities, base2), 0);
	for (i = 0; i < n; i++) {
		pid_t pid = fork();

		if (!pid) {
			alarm(5);
			_exit(evlock_base_set_priority(base, 0));
		}
		cr_assert_eq(waitpid(pid, &status, 0), pid);
		cr_assert_eq(status, 0, "child %d", i);
	}
	__atomic_store_n(&is_enough, 1, __ATOMIC_RELAXED);
	cr_assert_eq(pthread_join(id, NULL), 0);
	evlock_base_end(base2);
}

static void *
share_there(void *arg)
{
	*(struct evlock **)arg = evlock_share(lock, base2);
	return NULL;
}

ShareTest(share_from_any_thread)
{
	struct evlock *lock3 = NULL;

	in_a_thread(share_there, &lock3);
	cr_assert(!!could_hold(lock3, X));
	evlock_free(lock3);
}

/* Each player asks for the lock again from its own callback, `n_left` times. */
struct player {
	pthread_t id;
	struct evlock *lock;
	unsigned n_left, n_told;
};

static void
play(struct evlock *l, evlock_handle handle, int error, void *arg)
{
	struct player *p = arg;

	p->n_told += !error;
	if (p->n_left-- > 1)
		evlock_acquire(l, X, NULL, play, p);
	evlock_release(l, handle);
}

static void *
run_player(void *arg)
{
	struct player *p = arg;

	event_base_dispatch(evlock_get_base(p->lock));
	return NULL;
}

/* The first turns are run here, in one thread, before the bases move to their own threads. */
ShareTest(base_may_go_to_another_thread)
{
	unsigned i, n = scaled(2000);
	struct player p[2] = { { .lock = lock, .n_left = n }, { .lock = lock2, .n_left = n } };

	for (i = 0; i < 2; i++)
		cr_assert_neq(evlock_acquire(p[i].lock, X, NULL, play, &p[i]), 0);
	for (i = 0; i < 2; i++) {
		event_base_loop(base, EVLOOP_NONBLOCK);
		event_base_loop(base2, EVLOOP_NONBLOCK);
	}
	cr_assert_eq(pthread_create(&p[1].id, NULL, run_player, &p[1]), 0);
	run_player(&p[0]);
	cr_assert_eq(pthread_join(p[1].id, NULL), 0);
	for (i = 0; i < 2; i++)
		cr_assert_eq(p[i].n_told, n, "loop %u ended before its time", i);
}

static void *
dispatch_there(void *arg)
{
	*(int *)arg = event_base_dispatch(base2);
	return NULL;
}

/* A waiting loop in another thread is woken, and ends. */
static void
wake(void (*end_wait)(evlock_handle), const char *what)
{
	evlock_handle held = hold(lock, X);
	int result = -2;
	pthread_t id;

	ask(lock2, "there", X);
	cr_assert_eq(pthread_create(&id, NULL, dispatch_there, &result), 0);
	end_wait(held);
	cr_assert_eq(pthread_join(id, NULL), 0);
	cr_assert_eq(result, 1);
	cr_assert_str_eq(told(), what);
}

static void release_it(evlock_handle handle) { drop(lock, handle); }
static void close_it(evlock_handle handle) { (void)handle, evlock_close(lock); }
static void
free_it(evlock_handle handle)
{
	(void)handle;
	evlock_free(lock);
	lock = new_shared("another");
}

ShareTest(release_wakes_a_thread) { wake(release_it, "there"); }
ShareTest(close_wakes_a_thread) { wake(close_it, "there:ECANCELED"); }
ShareTest(free_wakes_a_thread) { wake(free_it, "there"); }

/* --- No memory for sharing ----------------------------------------------------- */

static __thread int is_sharing;
static int n_freed;			/* by the sharing thread */

static void *
free_lock2(void *arg)
{
	evlock_free(lock2);
	lock2 = NULL;
	return arg;
}

static void *
lose_lock2(size_t size)
{
	(void)size;
	in_a_thread(free_lock2, NULL);
	return NULL;
}

static void
note_free(void *p)
{
	n_freed += is_sharing;
	memory.live--;
	free(p);
}

/* Another thread frees the data of its base, together with the base's last object. */
ShareTest(to_share_in_vain_frees_nothing)
{
	struct evlock *another = new_shared("another");

	evlock_set_mem_functions(lose_lock2, NULL, note_free);
	is_sharing = 1;
	assert_errno(evlock_share(another, base2), NULL, ENOMEM);
	is_sharing = 0;
	cr_assert_null(lock2);
	cr_assert_eq(n_freed, 0);
	evlock_free(another);
}
