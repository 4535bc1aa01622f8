/* SPDX-License-Identifier: BSD-3-Clause */

/* Makes the public functions of libevlock_etcd visible, as lib/exports.h does for libevlock. */

#pragma GCC visibility push(default)
#include <evlock/etcd.h>
#pragma GCC visibility pop
