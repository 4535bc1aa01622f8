#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Replays the inputs that once found a defect, and some random ones.
echo 1..2

# try NUMBER NAME ARGUMENT...
try() {
	number=$1
	name=$2
	shift 2
	if "$abs_top_builddir/test/fuzz/replay" "$@" 2>&1; then
		echo "ok $number - fuzz::$name"
	else
		echo "not ok $number - fuzz::$name"
	fi
}

n=1000
[ "$EVLOCK_TEST_SCALE" != small ] || n=100
try 1 known --hex "$abs_top_srcdir/test/fuzz/known.txt"
try 2 random --random $n
