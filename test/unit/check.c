/* SPDX-License-Identifier: BSD-3-Clause */

/* A build with --enable-debug detects broken invariants.  Each test breaks one on purpose, and the
 * next step must abort. */

#include <signal.h>

#include "lock/lock.h"

#include "../shim.h"
#include "../util.h"

#ifdef EVLOCK_DEBUG
#define IS_OFF 0
#else
#define IS_OFF 1
#endif

/* The body of a test breaks something.  Then a step follows. */
#define Broken(name) \
	static void name(struct evl_core *core); \
	Test(check, name, .signal = SIGABRT, .disabled = IS_OFF) \
	{ \
		begin(); \
		hold(lock, S); \
		hold(lock, S); \
		ask(lock, "", X); \
		ask(lock, "", U); \
		ask(lock, "", S); \
		name(evl_lock_core(lock)); \
		ask(lock, "", X); \
	} \
	static void \
	name(struct evl_core *core)

/* Returns the second waiter, which is the middle one. */
static struct evl_seat *
second(struct evl_core *core)
{
	return EVL_SEAT(core->queue.next->next);
}

LockTest(check, finds_nothing_where_nothing_is)
{
	evlock_handle handle = hold(lock, S);

	ask(lock, "a", X);
	cr_assert_str_eq(let_go(lock, handle), "a");
}

Broken(count_too_high) { evl_core_held(core)[S]++; }
Broken(count_too_low) { evl_core_held(core)[S]--; }
Broken(count_of_another_mode) { evl_core_held(core)[N]++; core->held_mask |= 1u << N; }
Broken(mask_without_a_count) { core->held_mask |= 1u << U; }
Broken(count_without_a_mask) { core->held_mask = 0; }
Broken(order_of_the_queue) { second(core)->rank = 1; }
Broken(state_in_the_queue) { second(core)->state = EVL_GRANTED; }
Broken(number_waiting) { core->n_waiting++; }
Broken(number_in_the_queue) { evl_list_remove(&second(core)->link); }

Broken(number_gone) { core->n_gone++; }
Broken(more_gone_than_wait) { core->n_waiting -= 2; core->n_gone += 2; }
Broken(first_is_gone)
{
	EVL_SEAT(core->queue.next)->state = EVL_GONE;
	core->n_waiting--;
	core->n_gone++;
}

/* The first waiter could be granted, but is not. */
Broken(nobody_promoted) { EVL_SEAT(core->queue.next)->mode = S; }
