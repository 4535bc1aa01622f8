#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
#
# Makes each system call that a lock on a file needs fail, at each of its calls in turn, by
# strace; test/file_failures.c says what must hold.  Prints TAP.  By hand, in the build
# folder: abs_top_builddir=$PWD sh ../test/file_failures.sh

user=$abs_top_builddir/test/file_failures

skip() { echo "1..0 # SKIP $*"; exit 0; }

[ -z "$EVLOCK_TEST_WRAPPER" ] || skip 'what runs under valgrind cannot be traced'
strace -o /dev/null true 2>/dev/null || skip 'no strace, or it may not trace'

tmp=$(mktemp -d "${TMPDIR:-/tmp}/evlock-failures.XXXXXX") || exit 99
pid=
trap '[ -z "$pid" ] || kill -9 $pid 2>/dev/null; rm -rf "$tmp"' EXIT
trap 'exit 99' INT TERM

# until_true COMMAND...: waits until it succeeds, for about ten seconds, or longer on a slow machine
until_true() {
	left=$((1000 * ${EVLOCK_TEST_SLOWNESS:-1}))
	while ! "$@"; do
		left=$((left - 1))
		[ $left -gt 0 ] || return 1
		sleep 0.01
	done
}

is_traced() { ! grep -q 'TracerPid:[[:space:]]*0$' "/proc/$pid/status" 2>/dev/null; }
has_said() { ! kill -0 $pid 2>/dev/null || grep -q "^$1" "$tmp/said"; }

# try_call CALL NAME NUMBER N: the N-th call of each thread fails.  Leaves the trace in $tmp.
try_call() {
	rm -rf "$tmp/run" "$tmp/go" "$tmp/said"
	mkdir "$tmp/run" && mkfifo "$tmp/go" && : >"$tmp/trace" || return
	(cd "$tmp/run" && exec "$user" "$3") <"$tmp/go" >"$tmp/said" 2>&1 &
	pid=$!
	exec 3>"$tmp/go"
	until_true has_said ready || return
	strace -qq -f -p $pid -e "trace=$1" -e "inject=$1:error=$2:when=$4" -o "$tmp/trace" \
		2>"$tmp/strace" &
	tracer=$!
	until_true is_traced || return
	echo >&3
	until_true has_said '[d#]'
	finished=$?
	kill -INT $tracer 2>/dev/null
	wait $tracer 2>/dev/null
	[ $finished = 0 ] || { echo '# it hangs'; kill -9 $pid; }
	echo >&3
	exec 3>&-
	wait $pid
	status=$?
	pid=
	[ $status = 0 ] || sed 's/^[^#]/# &/' "$tmp/said" "$tmp/trace"
	return $status
}

n=0
# fail CALL NAME NUMBER: makes each call of it fail in turn
fail() {
	n=$((n + 1))
	i=0
	while
		i=$((i + 1))
		try_call "$1" "$2" "$3" $i || { echo "not ok $n - $1, call $i: $2"; return; }
		grep -q INJECTED "$tmp/trace"
	do :; done
	[ $i -gt 1 ] || { echo "not ok $n - $1 is not called at all"; return; }
	echo "ok $n - $1: $2 at each of $((i - 1)) calls"
}

# fail_memory CALL: skipped with a sanitizer, which ends the program when it gets no memory
fail_memory() {
	if grep -q '__[at]san_init' "$user"; then
		n=$((n + 1))
		echo "ok $n - $1: ENOMEM # SKIP a sanitizer calls it, too"
	else
		fail "$1" ENOMEM 12
	fi
}

trap '' PIPE
fail mkdir EIO 5
fail openat EMFILE 24
fail openat EIO 5
fail newfstatat EIO 5
fail fcntl ENOLCK 37
fail fcntl EIO 5
fail getcwd EIO 5
fail clone3 EAGAIN 11
fail_memory mmap
fail_memory mprotect
echo "1..$n"
