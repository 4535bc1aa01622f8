/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef EVL_OWNER_H_INCLUDED_
#define EVL_OWNER_H_INCLUDED_

#include <evlock/owner.h>

#include "rules/core.h"

struct evl_guard;

/** Returns the part of an owner that the rules use. */
struct evl_owner *evl_owner_core(struct evlock_owner *owner);

/** May the owner ask for a lock with `guard`, or for one without a guard if that is NULL?  At any
 * time, either all locks of an owner have guards or none has.  Ties the guard.  `owner` may be
 * NULL.  Called in no step. */
int evl_owner_may_ask(struct evlock_owner *owner, struct evl_guard *guard);

/** Returns the owner's name, or NULL if it has none. */
const char *evl_owner_name(const struct evl_owner *owner);

#endif
