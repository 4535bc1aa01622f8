#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
#
# Two document servers over one folder, with their locks on one etcd: no line is lost, though both
# append to, and move between, the same documents.  Prints TAP.

. "$abs_top_srcdir/test/tap.sh"
. "$abs_top_srcdir/test/etcd/node.sh"
start_somewhere http
pids=
trap 'kill -9 $pids 2>/dev/null; clean_up' EXIT

# start NAME ARGUMENT...; sets $NAME to the process, and port_NAME
start_server() {
	name=$1
	shift
	"$abs_top_builddir/samples/document-server/document-server" --dir "$tmp/docs" --port 0 \
		--timeout 60 "$@" >"$tmp/out.$name" 2>"$tmp/err.$name" &
	eval "$name=$!"
	pids="$pids $!"
	for tenth in $(seq 100); do
		port=$(sed -n 's/^listening on .*://p' "$tmp/out.$name")
		[ -z "$port" ] || break
		sleep 0.1
	done
	eval "port_$name=$port"
}

# post PORT PATH BODY: the status
post() {
	printf 'POST %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s' \
		"$2" "${#3}" "$3" | "$abs_top_builddir/samples/ask" "$1" | sed -n '1s/.* \([0-9]*\) .*/\1/p'
}

# append PORT PREFIX
append() {
	for i in $(seq 1 40); do
		post "$1" /doc/a "$2 $i"
		[ $((i % 4)) != 0 ] || post "$1" '/move?from=a&to=b' "$2 $i"
	done >"$tmp/statuses.$2"
}

mkdir "$tmp/docs"
flock "$tmp/docs" sh -c ": >'$tmp/sweeps'; sleep 1" &	# as a server that has just been started
until_true [ -e "$tmp/sweeps" ]
start_server one --etcd "$url" --threads 2
is 'one waits while another sweeps the folder' "$(kill -0 $one 2>&1; cat "$tmp/err.one")" ''
start_server two --etcd "$url"
is 'one that does not share is kept out' "$("$abs_top_builddir/samples/document-server/document-server" \
	--dir "$tmp/docs" --port 0 2>&1)" "document-server: $tmp/docs: another server has this folder"
append "$port_one" one &
first=$!
append "$port_two" two &
wait $first $!
is 'all is done' "$(cat "$tmp"/statuses.* | grep -cv '^20[0-4]$')" 0
is 'no line is lost, and none is doubled' "$(sort "$tmp/docs/a" "$tmp/docs/b")" \
	"$(for i in $(seq 1 40); do echo "one $i"; echo "two $i"; done | sort)"
is 'what was moved, was moved' "$(wc -l <"$tmp/docs/b")" 20
is 'no temporary file stays behind' "$(ls -A "$tmp/docs" | tr '\n' ' ')" 'a b '

kill -TERM "$one" "$two"
wait "$one"; is 'the first ends in order' $? 0
wait "$two"; is 'and so does the second' $? 0
is 'nothing is left in the cluster' "$(etcdctl --endpoints="$url" get --prefix document-server/)" ''
done_testing
