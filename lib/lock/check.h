/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef EVL_CHECK_H_INCLUDED_
#define EVL_CHECK_H_INCLUDED_

#include "lock/lock.h"

/** Asserts the invariants of a lock, if EVLOCK_DEBUG is defined.  Called at the end of each
 * step, with the guard entered if there is one. */
#ifdef EVLOCK_DEBUG
void evl_check_lock(const struct evl_body *body);
#else
#define evl_check_lock(body) ((void)0)
#endif

#endif
