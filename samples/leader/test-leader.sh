#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
#
# Three leaders on one etcd: one at a time, whatever becomes of it.  Prints TAP; as test/etcd/real.sh.

. "$abs_top_srcdir/test/etcd/node.sh"
start_somewhere http
pids=
trap 'kill -9 $pids 2>/dev/null; clean_up' EXIT

n=0
# is WHAT STATUS
is() {
	n=$((n + 1))
	if [ "$2" = 0 ]; then
		echo "ok $n - $1"
	else
		echo "not ok $n - $1"
		sed 's/^/# /' "$tmp"/out.*
	fi
}

# begin NAME
begin() {
	"$abs_top_builddir/samples/leader/leader" --name "$1" --store "$tmp/store" --etcd "$url" \
		--ttl 2 >"$tmp/out.$1" 2>&1 &
	eval "$1=$!"
	pids="$pids $!"
}

# until_true COMMAND...: within twenty seconds, or more on a slow machine
until_true() {
	for fifth in $(seq $((100 * ${EVLOCK_TEST_SLOWNESS:-1}))); do
		"$@" && return 0
		sleep 0.2
	done
	return 1
}

says() { grep -q "$2" "$tmp/out.$1" 2>/dev/null; }
leads() { says "$1" ': leads'; }
# The store is read as it is written, with its lock held: else it may be empty for a moment.
field() { flock "$tmp/store" cut -d ' ' -f "$1" "$tmp/store"; }
writes() { [ "$(field 2)" = "$1" ]; }
token() { field 1; }
quit() { ! kill -0 "$1" 2>/dev/null; }

# Not while it has the lock of the store, which would stop the others as well.
stop() {
	flock "$tmp/store" sh -c "
		kill -STOP $1
		until grep -q '^State:.T' /proc/$1/status; do sleep 0.1; done"
}

begin one
until_true writes one; is 'the first one leads' $?
begin two
until_true says two ready
begin three
until_true says three ready
sleep 1
! leads two && ! leads three; is 'nobody else does' $?
first=$(token)

kill -9 "$one"
until_true writes two; is 'killed: the next one leads when the lease has run out' $?
[ "$(token)" -gt "$first" ]; is 'with a larger token' $?
second=$(token)

stop "$two"
until_true writes three; is 'stopped: so does the next' $?
[ "$(token)" -gt "$second" ]; is 'with a larger token again' $?
kill -CONT "$two"
until_true says two 'lost the lead'; is 'the stopped one is told when it goes on' $?
writes three; is 'and has spoilt nothing' $?

kill -TERM "$three"
until_true says three closed; is 'told to end: ends in order' $?
until_true writes two; is 'and hands over' $?
kill -TERM "$two"
until_true quit "$two"; is 'the last one ends' $?
[ -z "$(etcdctl --endpoints="$url" get --prefix evlock)" ]; is 'nothing is left behind' $?
echo "1..$n"
