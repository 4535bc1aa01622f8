/* SPDX-License-Identifier: BSD-3-Clause */

/* guarded-value: a value that can be reached only through its lock, so that no code
 * forgets to acquire it.  A shared handle allows reading the value, an exclusive one
 * allows writing it.  Without a handle, there is no access.
 *
 * Compile: cc guarded-value.c $(pkg-config --cflags --libs evlock libevent_core) */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <event2/event.h>
#include <evlock/evlock.h>

struct account {
	long balance;
};

/* --- With a handle -------------------------------------------------------- */

/* Both are called by evlock_with(), which releases when they return. */

static void
show(struct evlock *lock, evlock_handle handle, int error, void *arg)
{
	const struct account *account = error ? NULL : evlock_value(lock, handle);

	if (account)
		printf("%s: the balance is %ld\n", (const char *)arg, account->balance);
	if (evlock_value_mut(lock, handle) == NULL)
		printf("%s: to write it: %s\n", (const char *)arg, strerror(errno));
}

static void
pay_in(struct evlock *lock, evlock_handle handle, int error, void *arg)
{
	struct account *account = error ? NULL : evlock_value_mut(lock, handle);
	const long *amount = arg;

	if (account == NULL)
		return;
	account->balance += *amount;
	printf("paid in %ld\n", *amount);
}

/* --- Without one ---------------------------------------------------------- */

static void
reach_past(struct evlock *lock, evlock_handle handle, const char *what)
{
	if (evlock_value(lock, handle) == NULL)
		printf("%s: %s\n", what, strerror(errno));
}

static struct evlock *
open_account(struct event_base *base)
{
	struct account *account = calloc(1, sizeof(*account));
	struct evlock_options options = {
		.name = "account", .value = account, .free_value = free
	};
	struct evlock *lock = account ? evlock_new(base, &options) : NULL;

	if (lock == NULL)
		free(account);
	return lock;
}

int
main(void)
{
	struct event_base *base = event_base_new();
	struct evlock *lock = open_account(base);
	evlock_handle handle;
	char one[] = "a reader", other[] = "another";
	long amount = 100;

	if (lock == NULL)
		return 1;
	reach_past(lock, 0, "with no handle");
	evlock_with(lock, EVLOCK_SHARED, NULL, show, one);
	evlock_with(lock, EVLOCK_EXCLUSIVE, NULL, pay_in, &amount);
	evlock_with(lock, EVLOCK_SHARED, NULL, show, other);
	event_base_dispatch(base);

	handle = evlock_acquire_nowait(lock, EVLOCK_EXCLUSIVE);
	evlock_release(lock, handle);
	reach_past(lock, handle, "with a handle that was released");

	evlock_free(lock);	/* frees the value, too */
	event_base_free(base);
	return 0;
}
