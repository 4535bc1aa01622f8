/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef EVL_OWNER_H_INCLUDED_
#define EVL_OWNER_H_INCLUDED_

#include <evlock/owner.h>

#include "rules/core.h"

struct evl_guard;

/** What the core knows of an owner. */
struct evl_owner *evl_owner_core(struct evlock_owner *owner);

/** May the owner (NULL: none) ask for a lock that has, or has not, a guard?  All that it has
 * at a time are of the one kind.  Ties the guard.  Called in no step. */
int evl_owner_may_ask(struct evlock_owner *owner, struct evl_guard *guard);

/** For reports; NULL: none. */
const char *evl_owner_name(const struct evl_owner *owner);

#endif
