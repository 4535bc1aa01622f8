/* SPDX-License-Identifier: BSD-3-Clause */

/* A request that has ended, but has not been called back.  Nothing that its owner does meanwhile
 * may look at a freed lock.  The allocator here makes freed memory unreadable. */

#include <sys/mman.h>
#include <unistd.h>

#include "../shim.h"
#include "../util.h"
#include "../util3.h"

/* --- Memory that cannot be read once it is freed --------------------------------- */

static long n_live;

static void *
fenced_malloc(size_t size)
{
	size_t *p = mmap(NULL, size + 64, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	cr_assert(p != MAP_FAILED);
	p[0] = size + 64;
	n_live++;
	return (char *)p + 64;
}

static void
fenced_free(void *ptr)
{
	size_t *p = ptr ? (size_t *)(void *)((char *)ptr - 64) : NULL;

	if (!p)
		return;
	n_live--;
	cr_assert_eq(mprotect(p, p[0], PROT_NONE), 0);
}

static void *
fenced_realloc(void *ptr, size_t size)
{
	void *p = fenced_malloc(size);

	(void)ptr;	/* evlock does not need the address */
	return p;
}

/* --- A set that an owner waits for or holds ---------------------------------------- */

static struct evlock *one, *two, *busy, *set;
static struct evlock_owner *owner;
static evlock_handle held_one, held_busy;

static void
set_up(void)
{
	evlock_set_mem_functions(fenced_malloc, fenced_realloc, fenced_free);
	base = event_base_new();
	lock = new_lock("lock");
	one = new_lock("one");
	two = new_lock("two");
	busy = new_lock("busy");
	set = SET(one, two);
	owner = new_owner("owner");
	held_busy = hold(busy, X);
}

static void
tear_down(void)
{
	evlock_owner_free(owner);
	evlock_free(set);
	evlock_free(one);
	evlock_free(two);
	evlock_free(busy);
	evlock_free(lock);
	cr_assert_str_eq(told(), "");
	event_base_free(base);
	cr_assert_eq(n_live, 0, "%ld allocations are left", n_live);
}

static void
lose(struct evlock **member)
{
	evlock_free(*member);
	*member = NULL;
}

/* Calls that go through everything that the owner has. */
static void
ask_for_busy(void)
{
	ask_by(owner, busy, "busy", X);
	cr_assert_eq(evlock_waiting(busy), 1);
	assert_errno(evlock_owner_mode(owner, busy), -1, ENOENT);
	evlock_release(busy, held_busy);
	cr_assert_eq(evlock_owner_mode(owner, busy), X);
	ask_by(owner, busy, "again", S);
}

/* The owner waits for the set. */
static void
wait_for_set(void)
{
	set_up();
	held_one = hold(one, X);
	ask_by(owner, set, "set", X);
}

/* --- Requests that failed ---------------------------------------------------------- */

Test(over, failed_as_a_member_was_freed)
{
	wait_for_set();
	lose(&two);
	ask_for_busy();
	cr_assert_str_eq(run(), "set:ECANCELED busy again");
	tear_down();
}

Test(over, failed_as_the_set_was_closed)
{
	wait_for_set();
	evlock_close(set);
	lose(&two);
	ask_for_busy();
	cr_assert_str_eq(run(), "set:ECANCELED busy again");
	tear_down();
}

Test(over, failed_as_a_member_was_closed)
{
	wait_for_set();
	evlock_close(one);
	lose(&one);
	ask_for_busy();
	cr_assert_str_eq(run(), "set:ECANCELED busy again");
	tear_down();
}

Test(over, failed_and_both_members_and_the_set_are_freed)
{
	wait_for_set();
	evlock_close(set);
	lose(&one);
	lose(&two);
	ask_for_busy();
	lose(&set);
	cr_assert_str_eq(told(), "set:ECANCELED");
	cr_assert_str_eq(run(), "busy again");
	tear_down();
}

static void
lose_two_and_ask(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
	write_down("event");
	lose(&two);
	ask_for_busy();
}

/* The request's timer and the event become active in one pass of the loop, in this order.  The
 * callback would come third. */
Test(over, failed_as_the_time_was_up)
{
	struct timeval soon = milliseconds(1), later = milliseconds(2);

	set_up();
	hold(one, X);
	ASK(set, "set", .mode = X, .owner = owner, .timeout = &soon);
	event_base_once(base, -1, EV_TIMEOUT, lose_two_and_ask, NULL, &later);
	usleep(20000);
	cr_assert_str_eq(run(), "event set:ETIMEDOUT busy again");
	tear_down();
}

/* --- Holds that ended without a release -------------------------------------------- */

static void
lose_all_and_ask(struct evlock *l, evlock_handle handle, int error, void *who)
{
	note(l, handle, error, who);
	lose(&one);
	lose(&two);
	ask_for_busy();
}

Test(over, held_by_a_set_that_is_being_freed)
{
	set_up();
	hold_by(owner, set, X);
	ask_then(set, "waiter", X, lose_all_and_ask);
	lose(&set);
	cr_assert_str_eq(run(), "waiter:ECANCELED busy again");
	tear_down();
}

Test(over, granted_by_a_set_that_is_being_freed)
{
	set_up();
	ask_by(owner, set, "set", X);
	ask_then(set, "waiter", X, lose_all_and_ask);
	lose(&set);
	cr_assert_str_eq(run(), "set:ECANCELED waiter:ECANCELED busy again");
	tear_down();
}

/* --- Conversions that were granted ------------------------------------------------- */

Test(over, converted)
{
	evlock_handle handle;

	set_up();
	handle = hold_by(owner, set, S);
	convert(set, "up", handle, X);
	lose(&two);
	ask_for_busy();
	cr_assert_str_eq(run(), "up busy again");
	tear_down();
}

Test(over, converted_after_a_wait)
{
	evlock_handle handle, other;

	set_up();
	handle = hold_by(owner, set, S);
	other = hold(one, S);
	convert(set, "up", handle, X);
	evlock_release(one, other);
	lose(&two);
	ask_for_busy();
	cr_assert_str_eq(run(), "up busy again");
	tear_down();
}

Test(over, not_converted)
{
	evlock_handle handle;

	set_up();
	handle = hold_by(owner, set, S);
	hold(one, S);
	convert(set, "up", handle, X);
	lose(&two);
	ask_for_busy();
	cr_assert_str_eq(run(), "up:ECANCELED busy again");
	tear_down();
}

/* --- The request still belongs to its owner ------------------------------------------ */

Test(over, ends_with_its_owner)
{
	wait_for_set();
	lose(&two);
	cr_assert_eq(evlock_owner_release_all(owner), 1);
	cr_assert_str_eq(run(), "");
	tear_down();
}

Test(over, is_told_nothing_once_its_owner_is_freed)
{
	wait_for_set();
	lose(&two);
	evlock_owner_free(owner);
	owner = NULL;
	cr_assert_str_eq(run(), "");
	tear_down();
}

Test(over, conversion_ends_with_its_owner)
{
	evlock_handle handle;

	set_up();
	handle = hold_by(owner, set, S);
	convert(set, "up", handle, X);
	cr_assert_eq(evlock_owner_release_all(owner), 1);
	cr_assert_str_eq(run(), "");
	cr_assert_eq(evlock_locked(set), N);
	tear_down();
}

/* Until its request is called back, an owner can use locks of one kind only. */
Test(over, keeps_its_owner_from_locks_of_another_kind)
{
	const struct evlock_options other = { .flags = is_threadsafe() ? 0 : EVLOCK_OPT_THREADSAFE };
	struct evlock *l;

	wait_for_set();
	lose(&two);
	l = (evlock_new)(base, &other);
	assert_errno(NOW(l, .mode = X, .owner = owner), 0, EINVAL);
	cr_assert_str_eq(run(), "set:ECANCELED");
	cr_assert_neq(NOW(l, .mode = X, .owner = owner), 0);
	evlock_free(l);
	tear_down();
}
