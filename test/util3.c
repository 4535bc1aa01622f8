/* SPDX-License-Identifier: BSD-3-Clause */

/* See util3.h. */

#define SHIM_ASSERTS_ONLY
#include "shim.h"

#include <string.h>

#include "util.h"
#include "util3.h"

evlock_handle
hold_by(struct evlock_owner *owner, struct evlock *l, unsigned mode)
{
	evlock_handle handle = NOW(l, .mode = mode, .owner = owner);

	cr_assert_neq(handle, 0, "%s", strerror(errno));
	return handle;
}

evlock_handle
ask_by(struct evlock_owner *owner, struct evlock *l, const char *who, unsigned mode)
{
	evlock_handle handle = ASK(l, who, .mode = mode, .owner = owner);

	cr_assert_neq(handle, 0, "%s", strerror(errno));
	return handle;
}

const char *
let_all_go(struct evlock_owner *owner)
{
	evlock_owner_release_all(owner);
	return run();
}

int
try_to_convert(struct evlock *l, const char *who, evlock_handle handle, unsigned mode)
{
	return evlock_convert(l, handle, mode, NULL, note, (void *)(uintptr_t)who);
}

struct evlock *
new_lock(const char *name)
{
	struct evlock *l = evlock_new(base, &(struct evlock_options){ .name = name });

	cr_assert_not_null(l);
	return l;
}

struct evlock_owner *
new_owner(const char *name)
{
	struct evlock_owner *owner = evlock_owner_new(name);

	cr_assert_not_null(owner);
	return owner;
}

struct evlock *
new_set(struct evlock *a, int a_mode, struct evlock *b, int b_mode)
{
	struct evlock_set_member member[] = { { a, a_mode }, { b, b_mode } };
	struct evlock *set = evlock_set_new(member, 2, &(struct evlock_options){ .name = "set" });

	cr_assert_not_null(set);
	return set;
}

#define MOST_MEMBERS 64

struct evlock *
set_of(struct evlock **locks, size_t n)
{
	struct evlock_set_member member[MOST_MEMBERS];
	struct evlock *set;
	size_t i;

	cr_assert_leq(n, MOST_MEMBERS);
	for (i = 0; i < n; i++) {
		member[i].lock = locks[i];
		member[i].mode = EVLOCK_SAME_MODE;
	}
	set = evlock_set_new(member, n, &(struct evlock_options){ .name = "set" });
	cr_assert_not_null(set);
	return set;
}

int
could_hold(struct evlock *l, unsigned mode)
{
	evlock_handle handle = evlock_acquire_nowait(l, mode);

	if (handle)
		drop(l, handle);
	return handle != 0;
}
