#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
#
# Runs test/etcd/locks against an etcd of its own.  By hand: as real.sh.

. "$(dirname "$0")/node.sh"
start_somewhere http
EVLOCK_ETCD_URL=$url
export EVLOCK_ETCD_URL
run "$abs_top_builddir/test/etcd/locks" --tap=- "$@"
