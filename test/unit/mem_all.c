/* SPDX-License-Identifier: BSD-3-Clause */

/* As mem.c, for semaphores, owners, sets and tables.  Each allocation of a scenario that uses them
 * all fails, once and for ever.  The call returns the error and changes nothing. */

#include <string.h>

#include "../shim.h"
#include "../util.h"
#include "../util3.h"
#include "../scenario.h"

#define N_KEYS 300	/* makes the hash table grow */

static struct evlock *x, *y, *sem, *set, *outer, *object;
static struct evlock_owner *a, *b;
static struct evlock_table *table;
static struct event *ev;

static size_t
n_keys(void)
{
	return table ? evlock_table_count(table) : 0;
}

static evlock_handle
ask_for_owner(struct evlock *l, struct evlock_owner *owner, unsigned mode, int *arg)
{
	return evlock_acquire_request(l, &(struct evlock_request){ .mode = mode, .owner = owner,
	    .cb = count_told, .notice_cb = count_told, .arg = arg });
}

static void
use_owners(void)
{
	evlock_handle handle;
	struct timeval soon = milliseconds(1);

	TRY((handle = NOW(x, .mode = S, .owner = a)), 0);
	TRY(NOW(x, .mode = U, .owner = a), 0);
	TRY(NOW(y, .mode = S, .owner = b), 0);
	TRY_TO_ASK(evlock_acquire_request(y, &(struct evlock_request){ .mode = X, .owner = a,
	    .timeout = &soon, .cb = count_told, .arg = arg }));
	TRY_TO_ASK(evlock_convert(x, handle, X, &soon, count_told, arg) == 0);
	TRY(NOW(sem, .units = 2, .owner = b), 0);
	TRY_TO_ASK(evlock_acquire_request(sem, &(struct evlock_request){ .units = 2, .owner = a,
	    .cb = count_told, .arg = arg }));
	cr_assert_eq(evlock_semaphore_resize(sem, 4), 0);
	event_base_loop(base, EVLOOP_NONBLOCK);
	evlock_owner_release_all(a);
	evlock_owner_release_all(b);
	is_due[0] = was_told[0];	/* called back or withdrawn */
	is_due[1] = was_told[1];
	is_due[2] = was_told[2];
}

static void
use_sets(void)
{
	evlock_handle held, plain;
	struct timeval late = { 3600, 0 };
	static int mine;

	TRY((held = NOW(set, .mode = S, .owner = a, .handle = EVLOCK_HANDLE_FROM(&mine))), 0);
	TRY((plain = evlock_acquire_nowait(outer, S)), 0);
	TRY(evlock_notify(outer, X, ev), -1);
	TRY_TO_ASK(evlock_acquire(set, X, &late, count_told, arg));
	TRY_TO_ASK(evlock_with(outer, S, NULL, count_told, arg));
	TRY_TO_ASK(evlock_convert(set, held, U, NULL, count_told, arg) == 0);
	TRY(evlock_convert_nowait(outer, plain, N), -1);
	cr_assert_eq(evlock_release(outer, plain), 0);
	event_base_loop(base, EVLOOP_NONBLOCK);
	cr_assert_eq(evlock_release(set, held), 0);
}

static void
use_tables(void)
{
	char key[16];
	unsigned i;

	for (i = 0; i < N_KEYS; i++) {
		size_t len = (size_t)snprintf(key, sizeof key, "%u", i);

		TRY(evlock_table_acquire_nowait(table, key, len, X), 0);
	}
	TRY_TO_ASK(evlock_table_acquire(table, "7", 1, X, NULL, count_told, arg));
	TRY_TO_ASK(evlock_table_acquire_request(table, "new", 3, &(struct evlock_request){
	    .mode = X, .owner = b, .handle = EVLOCK_HANDLE_FROM(key), .cb = count_told,
	    .arg = arg }));
	TRY((object = evlock_table_lock(table, "o", 1)), NULL);
	TRY_TO_ASK(evlock_acquire(object, X, NULL, count_told, arg));
	TRY_TO_ASK(ask_for_owner(object, a, X, arg));
	event_base_loop(base, EVLOOP_NONBLOCK);
}

static void
use_everything(void)
{
	struct evlock_set_member inner[] = { { NULL, EVLOCK_SAME_MODE },
	    { NULL, EVLOCK_SAME_MODE } };
	struct evlock_set_member both[] = { { NULL, EVLOCK_SAME_MODE }, { NULL, EVLOCK_PERMIT } };
	struct evlock_options name = { .name = "name" };

	TRY((x = evlock_new(base, NULL)), NULL);
	TRY((y = evlock_new(base, NULL)), NULL);
	TRY((sem = evlock_semaphore_new(base, 2, &name)), NULL);
	inner[0].lock = x;
	inner[1].lock = y;
	TRY((set = evlock_set_new(inner, 2, &name)), NULL);
	both[0].lock = set;
	both[1].lock = sem;
	TRY((outer = evlock_set_new(both, 2, NULL)), NULL);
	TRY((a = evlock_owner_new("a")), NULL);
	TRY((b = evlock_owner_new(NULL)), NULL);
	TRY((table = evlock_table_new(base, &name)), NULL);
	use_owners();
	if (!is_out || !is_for_ever)
		use_sets();
	if (!is_out || !is_for_ever)
		use_tables();
}

/* Each request that was made is called back once, or twice where it also gets a notice of a
 * waiter. */
static void
check_all_told(void)
{
	unsigned i;

	for (i = 0; i < n_asked; i++)
		cr_assert(is_due[i] ? was_told[i] >= 1 : !was_told[i],
		    "request %u was called back %d times", i, was_told[i]);
}

static void
end_everything(void)
{
	evlock_free(outer);
	evlock_free(set);
	evlock_free(object);
	evlock_table_free(table);
	evlock_free(sem);
	evlock_free(x);
	evlock_free(y);
	evlock_owner_free(a);
	evlock_owner_free(b);
	event_base_loop(base, EVLOOP_NONBLOCK);
	check_all_told();
}

static void
begin_everything(void)
{
	ev = new_event("");
	x = y = sem = set = outer = object = NULL;
	a = b = NULL;
	table = NULL;
}

static void
free_event(void)
{
	event_free(ev);
}

static const struct scenario everything = {
	begin_everything, use_everything, end_everything, free_event, n_keys
};

LockTest(mem_all, every_allocation_fails_once)
{
	fail_each_allocation(&everything, 0, N_KEYS);
}

LockTest(mem_all, every_allocation_fails_for_ever)
{
	fail_each_allocation(&everything, 1, N_KEYS);
}
