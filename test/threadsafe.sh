#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Runs the unit tests named in $unit_tests once more, with all their locks THREADSAFE.  That must
# make no difference to one thread.

set -- $unit_tests
echo "1..$#"
n=0
status=0
for program; do
	n=$((n + 1))
	case $program in
	*/check)	# --enable-debug recounts less of a lock with a guard
		echo "ok $n - $program # SKIP"
		continue ;;
	esac
	if EVLOCK_TEST_THREADSAFE=1 $LIBTOOL --mode=execute "$abs_top_builddir/$program" >threadsafe.out 2>&1; then
		echo "ok $n - $program"
	else
		echo "not ok $n - $program"
		sed 's/^/# /' threadsafe.out
		status=1
	fi
done
rm -f threadsafe.out
exit $status
