/* SPDX-License-Identifier: BSD-3-Clause */

/* Failures of calls.  Called from everywhere; not inlined, to keep the short paths short. */

#include "base/fail.h"

EVL_NOINLINE int
evl_fail(int error)
{
	errno = error;
	return -1;
}

EVL_NOINLINE uint64_t
evl_fail_handle(int error)
{
	errno = error;
	return 0;
}
