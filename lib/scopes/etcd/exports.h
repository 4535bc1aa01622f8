/* SPDX-License-Identifier: BSD-3-Clause */

/* What libevlock_etcd exports: see lib/exports.h, which is that of the other library. */

#pragma GCC visibility push(default)
#include <evlock/etcd.h>
#pragma GCC visibility pop
