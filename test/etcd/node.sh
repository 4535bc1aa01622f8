# SPDX-License-Identifier: BSD-3-Clause
#
# One etcd node on loopback for the tests, with its data in a temporary folder.  Sourced.
#   Sets $tmp, $port and $node (its process).  They are removed at the end.

command -v etcd >/dev/null && command -v etcdctl >/dev/null || {
	echo '1..0 # SKIP etcd is not installed; ./bootstrap check installs it'
	exit 0
}

ETCDCTL_API=3
export ETCDCTL_API
tmp=$(mktemp -d "${TMPDIR:-/tmp}/evlock-etcd.XXXXXX") || exit 99
node=
clean_up() {
	[ -z "$node" ] || kill -9 "$node" 2>/dev/null
	rm -rf "$tmp"
}
trap clean_up EXIT
trap 'exit 99' INT TERM

# start SCHEME PORT ARGUMENT...  A cluster of one elects itself faster than by default.
start() {
	url=$1://127.0.0.1:$2
	peer=http://127.0.0.1:$(($2 + 1))
	data=$tmp/data.$2
	shift 2
	etcd --name test --data-dir "$data" --log-level error \
		--listen-client-urls "$url" --advertise-client-urls "$url" \
		--listen-peer-urls "$peer" --initial-advertise-peer-urls "$peer" \
		--initial-cluster "test=$peer" --heartbeat-interval 20 --election-timeout 200 \
		"$@" >"$tmp/log" 2>&1 &
	node=$!
}

is_up() { etcdctl $ETCDCTL_FLAGS --endpoints="$url" get x >/dev/null 2>&1; }

# start_somewhere SCHEME ARGUMENT...: tries ports until one is free; sets $url
start_somewhere() {
	scheme=$1
	shift
	port=$((20000 + $$ % 10000))
	for try in 1 2 3 4 5; do
		start "$scheme" $port "$@"
		for fifth in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
			kill -0 "$node" 2>/dev/null || break
			is_up && return 0
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

# run PROGRAM ARGUMENT...: under valgrind, if the tests are
run() {
	if [ "$EVLOCK_TEST_WRAPPER" ]; then
		$LIBTOOL --mode=execute $EVLOCK_TEST_WRAPPER "$@"
	else
		"$@"
	fi
}
