#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
#
# Runs test/etcd/real against one etcd node on loopback, with its data in a temporary folder.
# By hand, in the build folder: abs_top_builddir=$PWD sh ../test/etcd/real.sh [--filter SUITE/TEST]

command -v etcd >/dev/null || {
	echo '1..0 # SKIP etcd is not installed; ./bootstrap check installs it'
	exit 0
}

tmp=$(mktemp -d "${TMPDIR:-/tmp}/evlock-etcd.XXXXXX") || exit 99
node=
clean_up() {
	[ -z "$node" ] || kill -9 "$node" 2>/dev/null
	rm -rf "$tmp"
}
trap clean_up EXIT
trap 'exit 99' INT TERM

# Ports that are free are found by trying.  A new cluster elects itself faster than by default.
start() {
	peer=http://127.0.0.1:$(($1 + 1))
	etcd --name test --data-dir "$tmp/data.$1" --log-level error \
		--listen-client-urls "http://127.0.0.1:$1" --advertise-client-urls "http://127.0.0.1:$1" \
		--listen-peer-urls "$peer" --initial-advertise-peer-urls "$peer" \
		--initial-cluster "test=$peer" --heartbeat-interval 20 --election-timeout 200 >"$tmp/log" 2>&1 &
	node=$!
}

is_up() {
	ETCDCTL_API=3 etcdctl --endpoints="http://127.0.0.1:$1" endpoint health >/dev/null 2>&1
}

# start_somewhere: gives up after 20 seconds in all
start_somewhere() {
	port=$((20000 + $$ % 10000))
	for try in 1 2 3 4 5; do
		start $port
		for tenth in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
			kill -0 "$node" 2>/dev/null || break
			is_up $port && return 0
			sleep 0.2
		done
		kill -9 "$node" 2>/dev/null
		port=$((port + 2))
	done
	echo '1..1'
	echo 'not ok 1 - etcd does not start'
	sed 's/^/# /' "$tmp/log"
	exit 0
}

start_somewhere
EVLOCK_ETCD_URL=http://127.0.0.1:$port
export EVLOCK_ETCD_URL
set -- "$abs_top_builddir/test/etcd/real" --tap=- "$@"
[ -z "$EVLOCK_TEST_WRAPPER" ] || set -- $LIBTOOL --mode=execute $EVLOCK_TEST_WRAPPER "$@"
"$@"
