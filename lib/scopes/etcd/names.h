/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef EVL_NAMES_H_INCLUDED_
#define EVL_NAMES_H_INCLUDED_

/* Finds what a session keeps for a lock by the lock's name.  The cost does not depend on the number
 * of names.  Pure.  A session has one table; place calls it. */

#include <uthash.h>

/** Part of the structure that is found.  Must not move while it is in the table. */
struct evl_name {
	UT_hash_handle hh;
	const char *text;		/**< the key; belongs to the caller */
};

/** A new table is zero-filled.  An empty one holds no memory. */
struct evl_names {
	struct evl_name *all;		/**< uthash */
	unsigned char secret[16];	/**< of the hash: an attacker may choose names */
};

/** Adds a name that is not in the table.  Returns 0, or -1 if there is no memory. */
int evl_names_add(struct evl_names *names, struct evl_name *name);

/** Removes a name, if it is in the table. */
void evl_names_remove(struct evl_names *names, struct evl_name *name);

/** Returns the name with that text, or NULL. */
struct evl_name *evl_names_find(struct evl_names *names, const char *text);

#endif
