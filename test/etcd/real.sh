#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
#
# Runs test/etcd/real against an etcd of its own.  By hand, in the build folder:
#   abs_top_builddir=$PWD sh ../test/etcd/real.sh [--filter SUITE/TEST]

. "$(dirname "$0")/node.sh"
start_somewhere http
EVLOCK_ETCD_URL=$url
export EVLOCK_ETCD_URL
run "$abs_top_builddir/test/etcd/real" --tap=- "$@"
