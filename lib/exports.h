/* SPDX-License-Identifier: BSD-3-Clause */

/* What the library exports: all that the public headers declare, and nothing else.
 *
 * The build includes this ahead of every file of the library, and hides whatever
 * is not declared here first (-fvisibility=hidden).  A new public header is added
 * here and in local.mk; `make installcheck` finds one that was forgotten. */

#pragma GCC visibility push(default)
#include <evlock/evlock.h>
#include <evlock/file.h>
#include <evlock/owner.h>
#include <evlock/semaphore.h>
#include <evlock/set.h>
#include <evlock/table.h>
#pragma GCC visibility pop
