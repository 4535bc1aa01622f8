/* SPDX-License-Identifier: BSD-3-Clause */

/* How calls fail.  Called from everywhere; kept out of the short paths. */

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
