/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef EVL_OWNER_H_INCLUDED_
#define EVL_OWNER_H_INCLUDED_

#include <evlock/owner.h>

#include "core.h"

/** What the core knows of an owner. */
struct evl_owner *evl_owner_core(struct evlock_owner *owner);

/** For reports; NULL: none. */
const char *evl_owner_name(const struct evl_owner *owner);

#endif
