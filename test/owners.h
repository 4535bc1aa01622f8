/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef OWNERS_H_INCLUDED_
#define OWNERS_H_INCLUDED_

/* Included after util3.h. */

static struct evlock_owner *a, *b;

/** A test with two owners, `a` and `b`, which end before the test does. */
#define OwnerTest(suite, name) \
	static void suite##_##name##_with_owners(void); \
	LockTest(suite, name) \
	{ \
		a = new_owner("a"); \
		b = new_owner("b"); \
		suite##_##name##_with_owners(); \
		evlock_owner_free(a); \
		evlock_owner_free(b); \
		run(); \
	} \
	static void \
	suite##_##name##_with_owners(void)

#endif
