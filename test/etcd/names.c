/* SPDX-License-Identifier: BSD-3-Clause */

/* lib/scopes/etcd/names.c: the table that maps names to records. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <evlock/evlock.h>

#include "scopes/etcd/names.h"

#include "../shim.h"

enum { MANY = 1000 };

static struct evl_names names;
static struct evl_name all[MANY];
static char texts[MANY][16];
static long n_live, n_left = -1;	/* living allocations; allocations until one fails */

static void *
allocate(size_t size)
{
	void *ptr = n_left == 0 ? NULL : malloc(size);

	n_left -= n_left > 0;
	n_live += ptr != NULL;
	return ptr;
}

static void
give(void *ptr)
{
	n_live -= ptr != NULL;
	free(ptr);
}

static int
add(int i)
{
	snprintf(texts[i], sizeof texts[i], "p/%d", i);
	all[i].text = texts[i];
	return evl_names_add(&names, &all[i]);
}

static void
assert_found(int from, int end)
{
	char text[16];
	int i;

	for (i = 0; i < MANY; i++) {
		snprintf(text, sizeof text, "p/%d", i);
		cr_assert_eq(evl_names_find(&names, text), i >= from && i < end ? &all[i] : NULL,
		    "%s", text);
	}
}

Test(etcd_names, are_found_until_they_are_removed)
{
	int i;

	evlock_set_mem_functions(allocate, NULL, give);
	cr_assert_null(evl_names_find(&names, ""));
	for (i = 0; i < MANY; i++)
		cr_assert_eq(add(i), 0);
	assert_found(0, MANY);
	cr_assert_null(evl_names_find(&names, "p/"), "a part of a name is not a name");
	cr_assert_null(evl_names_find(&names, "p/10x"));
	for (i = 0; i < MANY / 2; i++)
		evl_names_remove(&names, &all[i]);
	assert_found(MANY / 2, MANY);
	evl_names_remove(&names, &all[0]);
	for (i = MANY / 2; i < MANY; i++)
		evl_names_remove(&names, &all[i]);
	assert_found(0, 0);
	cr_assert_eq(n_live, 0, "nothing is left");
	cr_assert_eq(add(7), 0, "an empty table is a new one");
	assert_found(7, 8);
	evl_names_remove(&names, &all[7]);
}

/* An attacker may choose names, but must not be able to tell in which bucket a name goes. */
Test(etcd_names, have_a_secret)
{
	static const unsigned char none[sizeof names.secret];

	cr_assert_eq(add(0), 0);
	cr_assert_neq(memcmp(names.secret, none, sizeof none), 0);
	evl_names_remove(&names, &all[0]);
}

Test(etcd_names, without_memory)
{
	int i, n;

	evlock_set_mem_functions(allocate, NULL, give);
	for (n = 0; ; n++) {
		n_left = n;
		for (i = 0; i < MANY && add(i) == 0; i++)
			continue;
		n_left = -1;
		assert_found(0, i);
		evl_names_remove(&names, &all[i < MANY ? i : 0]);
		while (i-- > 0)
			evl_names_remove(&names, &all[i]);
		cr_assert_eq(n_live, 0);
		if (all[MANY - 1].text)
			break;
	}
	cr_assert_gt(n, 2, "the table grew");
}
