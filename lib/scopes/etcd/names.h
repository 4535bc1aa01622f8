/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef EVL_NAMES_H_INCLUDED_
#define EVL_NAMES_H_INCLUDED_

/* A table that leads from the name of a lock to what a session keeps for it.  The cost of a look
 * does not depend on how many names there are.  Called by session, which has one, and by place. */

#include <uthash.h>

/** Part of what is kept; not moved while it is in the table. */
struct evl_name {
	UT_hash_handle hh;
	const char *text;		/**< the key; belongs to the owner of the structure */
};

/** A new table is all zero, and an empty one needs no end. */
struct evl_names {
	struct evl_name *all;		/**< uthash */
	unsigned char secret[16];	/**< names may be chosen by an enemy */
};

/** Adds a name that is not in the table.  Returns 0, or -1 if there is no memory. */
int evl_names_add(struct evl_names *names, struct evl_name *name);

/** Removes a name, if it is in the table. */
void evl_names_remove(struct evl_names *names, struct evl_name *name);

/** Returns the name with that text, or NULL. */
struct evl_name *evl_names_find(struct evl_names *names, const char *text);

#endif
