/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef EVL_FAIL_H_INCLUDED_
#define EVL_FAIL_H_INCLUDED_

#include <errno.h>
#include <stdint.h>

#include "base/list.h"

/** Set errno, and return the result of a failed call: -1, or 0 for a handle. */
int evl_fail(int error);
uint64_t evl_fail_handle(int error);

#endif
