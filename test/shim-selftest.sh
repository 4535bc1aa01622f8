#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
#
# Does the runner of this build report every mistake in a test?  Runs planted.c as `make check`
# runs a test, and checks every verdict.

source=${abs_top_srcdir:-$(cd "$(dirname "$0")/.." && pwd)}
program=${abs_top_builddir:-.}/test/planted
out=$(mktemp)
trap 'rm -f "$out"' EXIT
n=0

has() { grep -q "$1" "$program"; }

under_valgrind() { case $EVLOCK_TEST_WRAPPER in *valgrind*) ;; *) false ;; esac; }

# run SUITE: writes its TAP to $out.  Returns the status of the runner.
run() { sh "$source/scripts/run-test" "$program" "--filter=$1/*" >"$out" 2>&1; }

# count VERDICT SUITE: prints how many tests had that verdict.
count() { grep -c "^$1 .*- $2::" "$out"; }

# report WHAT STATUS [DIRECTIVE]
report() {
	n=$((n + 1))
	if [ "$2" = 0 ]; then
		echo "ok $n - $1$3"
		return
	fi
	sed 's/^/# /' "$out"
	echo "not ok $n - $1"
}

planted() { grep -c "^Test($1," "$source/test/planted.c"; }

# passes SUITE: every test in it passes, and the runner says so.
passes() {
	run "$1" && [ "$(count ok "$1")" = "$(planted "$1")" ] && [ "$(count 'not ok' "$1")" = 0 ]
	report "$1: all pass" $?
}

# fails SUITE: every test in it fails, and the runner says so.
fails() {
	! run "$1" && [ "$(count 'not ok' "$1")" = "$(planted "$1")" ] && [ "$(count ok "$1")" = 0 ]
	report "$1: all are reported" $?
}

# fails_if WHAT-CAN-TELL SUITE
fails_if() {
	if $1; then
		fails "$2"
	else
		report "$2" 0 ' # SKIP nothing in this build can tell'
	fi
}

finds_memory() { has __asan_init || under_valgrind; }
finds_undefined() { has __ubsan_handle; }
finds_races() { has __tsan_init; }
is_shim() { has 'ended before its end'; }

echo 1..8
passes sound
passes sound_suite
fails wrong
fails_if is_shim unheard
fails_if finds_memory memory
fails_if under_valgrind uninitialised
fails_if finds_undefined undefined
fails_if finds_races race
