/* SPDX-License-Identifier: BSD-3-Clause */

/* The allocator of the library in these tests.  It counts, and a thread can make its own
 * allocations fail. */

#include "anything.h"

long n_allocated;

static __thread struct failing failing;

static int
fails_now(void)
{
	if (failing.next == 0 || (failing.next > 0 && --failing.next > 0))
		return 0;
	failing.n++;
	return 1;
}

static void *
allocate(size_t size)
{
	void *p = fails_now() ? NULL : malloc(size);

	if (p)
		__atomic_add_fetch(&n_allocated, 1, __ATOMIC_RELAXED);
	return p;
}

static void
deallocate(void *p)
{
	if (p)
		__atomic_sub_fetch(&n_allocated, 1, __ATOMIC_RELAXED);
	free(p);
}

void
use_memory_that_fails(void)
{
	evlock_set_mem_functions(allocate, NULL, deallocate);
}

struct failing
fail_from_now(long next)
{
	struct failing before = failing;

	failing.next = next;
	failing.n = 0;
	return before;
}

struct failing
fail_as_before(struct failing before)
{
	struct failing now = failing;

	failing = before;
	return now;
}
