#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
#
# Tests the samples as a user meets them: what they print, and what the servers answer.
# Prints TAP.  Run by `make check`; by hand, in the build folder, after `make samples/ask`:
#   abs_top_builddir=$PWD abs_top_srcdir=.. ../samples/test-samples.sh

. "$abs_top_srcdir/test/tap.sh"

bin=$abs_top_builddir/samples
tmp=$(mktemp -d "${TMPDIR:-/tmp}/evlock-samples.XXXXXX") || exit 99
export LC_ALL=C
export TSAN_OPTIONS="suppressions=$abs_top_srcdir/samples/tsan.supp:$TSAN_OPTIONS"

server=
port=
clean_up() {
	[ -z "$server" ] || kill -9 "$server" 2>/dev/null
	rm -rf "$tmp"
}
trap clean_up EXIT
trap 'exit 99' INT TERM

# --- TAP ----------------------------------------------------------------------

# matches WHAT GOT PATTERN, a pattern of case
matches() {
	case $2 in
	$3) is "$1" yes yes ;;
	*) is "$1" "$2" "$3" ;;
	esac
}

# run PROGRAM ARGUMENT...: under valgrind, if the tests are
run() {
	if [ "$EVLOCK_TEST_WRAPPER" ]; then
		$LIBTOOL --mode=execute $EVLOCK_TEST_WRAPPER "$@"
	else
		"$@"
	fi
}

# --- The small ones -----------------------------------------------------------

# prints SAMPLE <WHAT
prints() {
	wanted=$(cat)
	got=$(run "$bin/$1" 2>&1; echo "status $?")
	is "$1" "$got" "$wanted
status 0"
}

prints hello-lock <<END
all three stand at the door
Ann: enters
Bob: Connection timed out
Ann: leaves
Cid: enters
Cid: leaves
END

prints nowait-notify <<END
guest 1: checks in
cleaner: not free, so I do something else
guest 1: checks out
guest 2: checks in
cleaner: not free, so I do something else
guest 2: checks out
cleaner: free, and now clean
END

prints guarded-value <<END
with no handle: Operation not permitted
a reader: the balance is 0
a reader: to write it: Operation not permitted
paid in 100
another: the balance is 100
another: to write it: Operation not permitted
with a handle that was released: Operation not permitted
END

prints intention-modes <<END
may be granted while others hold
       IS   IX    S  SIX    X
  IS  yes  yes  yes  yes   no
  IX  yes  yes   no   no   no
   S  yes   no  yes   no   no
 SIX  yes   no   no   no   no
   X   no   no   no   no   no

IX   changes a row: granted
IX   changes another row: granted
IS   reads a row: granted
strongest mode held: IX; 2 wait: the count for the changes, a reader behind it
both rows are changed
S    counts all rows: granted
IS   reads a row, too: granted
END

prints rate-limiter <<END
12 calls are asked for: 2 in a period
call 1
call 2
call 3
call 4
  the other side is busy: 1 in a period from now on
call 5
call 6
call 7
  the other side is idle: 4 in a period from now on
call 8
call 9, a heavy one
call 10
call 11
call 12
at most 4 in any period; permits now: 4
END

prints session <<END
Ann asks for row 1, to change it
Bob asks for row 2, to change it
Ann has row 1
Bob has row 2
Bob asks for row 1, to change it
Cid asks for row 1, to read it
Ann asks for row 1, to read it
Ann has row 1
Ann asks for row 2, to change it
Ann is refused: they would wait for each other
Ann asks for row 3, to change it
Ann has row 3
3 rows are locked
Ann ends, and lets go of 3
Bob has row 1
Bob ends, and lets go of 2
Cid has row 1
Cid ends, and lets go of 1
0 rows are locked
END

is transfer "$(run "$bin/transfer" 2>&1 | sed 's/^[1-9][0-9]* audits/many audits/')" \
	'20 clerks made 20000 transfers between 5 accounts
many audits meanwhile, 0 of them found money missing'

# --- lock-server --------------------------------------------------------------

make_runner "$tmp/lock-server" "$bin/lock-server"

# Starts the server on a free port.
serve() {
	port=$((20000 + $$ % 20000))
	while :; do
		"$tmp/lock-server" $port >"$tmp/out" 2>&1 &
		server=$!
		until "$bin/ask" -g $port </dev/null 2>/dev/null; do
			kill -0 $server 2>/dev/null || { port=$((port + 1)); continue 2; }
			sleep 0.1
		done
		return
	done
}

# connect NAME FD: a client, which writes to FD what it sends, and hears in $tmp/NAME.heard
connect() {
	mkfifo "$tmp/$1"
	"$bin/ask" $port <"$tmp/$1" >"$tmp/$1.heard" &
	eval "$1=$! && exec $2>\$tmp/$1"
}

has_heard() { [ "$(tail -n 1 "$tmp/$1.heard")" = "$2" ]; }

# hears NAME LINE: as its last one
hears() {
	until_true has_heard "$1" "$2"
	is "lock-server: $1: $2" "$(tail -n 1 "$tmp/$1.heard")" "$2"
}

serve
connect ann 3
connect bob 4
connect cid 5
echo 'lock printer scanner' >&3
hears ann 'ok lock printer scanner'
echo 'lock scanner desk' >&4
echo 'lock roof' >&4
hears bob 'ok lock roof'
echo 'lock desk' >&5
echo 'share door' >&3
hears ann 'ok share door'
echo 'share door' >&5
hears cid 'ok share door'
is 'lock-server: a set is granted as a whole, and not passed' \
	"$(cat "$tmp/bob.heard" "$tmp/cid.heard")" 'ok lock roof
ok share door'
echo 'lock roof' >&3
hears ann 'failed lock roof: Resource deadlock avoided'
echo 'unlock' >&3
hears ann 'ok unlock'
hears bob 'ok lock scanner desk'
kill $bob
hears cid 'ok lock desk'
echo 'lock one two one' >&3
hears ann 'failed lock one two one: Invalid argument'
echo 'lock 1 2 3 4 5 6 7 8 9' >&3
hears ann 'failed lock 1 2 3 4 5 6 7 8 9: Argument list too long'
echo 'open' >&3
hears ann 'failed open: Function not implemented'
echo 'lock desk' >&3
head -c 2000 /dev/zero >&3
wait $ann
is 'lock-server: a line that is too long ends the connection' $? 0
kill $server
wait $server
is 'lock-server: ends while a client holds' "$? $(cat "$tmp/out")" '0 '
server=
exec 3>&- 4>&- 5>&-

# --- Talking to a server ------------------------------------------------------

docs=$tmp/docs
mkdir "$docs"

program=$bin/document-server/document-server
# Runs the server as one command and, by exec, in one process.
cat >"$tmp/server" <<END
#!/bin/sh
[ -z "$EVLOCK_TEST_WRAPPER" ] ||
	exec $LIBTOOL --mode=execute $EVLOCK_TEST_WRAPPER $program "\$@"
exec $program "\$@"
END
chmod +x "$tmp/server"

# start OPTION...: sets server and port
start() {
	: >"$tmp/out"
	"$tmp/server" --dir "$docs" --port 0 "$@" >"$tmp/out" 2>"$tmp/err" &
	server=$!
	tries=0
	until port=$(sed -n 's/^listening on .*://p' "$tmp/out"); [ "$port" ]; do
		tries=$((tries + 1))
		if [ $tries -gt 300 ] || ! kill -0 $server 2>/dev/null; then
			echo "Bail out! the server did not start: $(cat "$tmp/err")"
			exit 99
		fi
		sleep 0.1
	done
}

# stop SIGNAL WHAT: it ends with status 0 and nothing on stderr
stop() {
	kill "-$1" "$server"
	wait "$server"
	is "$2" "$? $(cat "$tmp/err")" "0 "
	server=
}

[ -x "$bin/ask" ] || { echo "Bail out! no $bin/ask: make samples/ask"; exit 99; }
ask() { "$bin/ask" "$@" $port; }

# request METHOD PATH [BODY]: prints one
request() {
	printf '%s %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: %s\r\n\r\n%s' \
		"$1" "$2" ${#3} "$3"
}

status_of() { sed -n '1s/^HTTP[^ ]* \([0-9]*\).*/\1/p'; }
body_of() { sed '1,/^\r*$/d'; }
header_of() { tr -d '\r' | sed -n "/^$/q; s/^$1: //p"; }

# answers STATUS METHOD PATH [BODY]
answers() {
	wanted=$1
	shift
	is "$1 $2: $wanted" "$(request "$@" | ask | status_of)" "$wanted"
}

# --- Every status -------------------------------------------------------------

touch "$docs/.left.1.tmp"
mkdir "$docs/folder"
mkfifo "$docs/fifo"
ln -s /etc/passwd "$docs/link"
start --max-body 100000
matches 'leftovers of a crash are removed' "$(ls -A "$docs")" 'fifo?folder?link'

answers 404 GET /doc/a
answers 404 GET /
answers 404 GET /doc
answers 404 PUT /document/a x
answers 201 PUT /doc/a first
answers 204 POST /doc/a second
answers 204 POST /doc/a 'third
fourth
'
is 'what was put and posted is there, each line for itself' \
	"$(request GET /doc/a | ask | body_of)" "$(printf 'first\nsecond\nthird\nfourth')"
is 'and on the disk' "$(cat "$docs/a")" "$(printf 'first\nsecond\nthird\nfourth')"
answers 204 PUT /doc/a 'something else'
is 'put replaces' "$(request GET /doc/a | ask | body_of)" 'something else'
answers 201 POST /doc/b 'a line'
answers 200 GET /doc/b
answers 201 PUT /doc/empty ''
is 'an empty document' "$(request GET /doc/empty | ask | header_of Content-Length)" 0
answers 400 POST /doc/b ''
answers 200 GET /locks
is 'no lock stays behind' "$(request GET /locks | ask | body_of)" 'No document is in use.'

ten=1234567890
hundred=$ten$ten$ten$ten$ten$ten$ten$ten$ten$ten
answers 200 GET /doc/%61
answers 201 PUT "/doc/$hundred" x
answers 400 PUT "/doc/1$hundred" x
for name in '' . .. %2e%2e ../a ..%2fa a/b a%2Fb .hidden a%00 a%00b a%20b a%ff a%0a %zz 'a%' \
	'a\b' '~' 'a*'; do
	answers 400 PUT "/doc/$name" x
done
answers 200 GET '/doc/a?b=c'

for method in DELETE OPTIONS PATCH TRACE HEAD; do
	answers 405 $method /doc/a
done
answers 405 POST /locks x
is '405 tells what is allowed' "$(request DELETE /doc/a | ask | header_of Allow)" 'GET, PUT, POST'
is 'and for the locks' "$(request PUT /locks x | ask | header_of Allow)" GET
is 'no body follows HEAD' "$(request HEAD /doc/a | ask | body_of)" ''
is 'not HTTP: 400' "$(printf 'this is not a request\r\n\r\n' | ask | status_of)" 400

for method in GET PUT POST; do
	answers 500 $method /doc/folder x
done
answers 500 GET /doc/fifo
answers 500 POST /doc/fifo x
answers 500 GET /doc/link
answers 500 POST /doc/link x
is 'no temporary file stays behind' "$(ls -A "$docs" | grep '^\.')" ''

# --- Moving lines -------------------------------------------------------------

# move ARGUMENTS BODY: prints the status, and the count if there is one
move() {
	request POST "/move?$1" "$2" | ask >"$tmp/seen"
	status=$(status_of <"$tmp/seen")
	case $status in
	20?) echo "$status $(body_of <"$tmp/seen")" ;;
	*) echo "$status" ;;
	esac
}

answers 201 PUT /doc/from 'one
two
three
two
two
last'
is 'a move to a new document: 201' "$(move 'from=from&to=to' 'two
no such line
one')" '201 2'
is 'a line as often as it is listed, the first first' "$(cat "$docs/from")" 'three
two
two
last'
is 'in the order in which they stood' "$(cat "$docs/to")" 'one
two'
is 'a move to one that is there: 200' "$(move 'from=from&to=to' 'last
two
two
two
')" '200 3'
is 'they are appended' "$(cat "$docs/to")" 'one
two
two
two
last'
is 'the others stay' "$(cat "$docs/from")" three
is 'the last one' "$(move 'to=to&from=from' three)" '200 1'
is 'leaves an empty document' "$(cat "$docs/from")" ''
is 'back, with names and keys in any order' "$(move 'x=y&to=fr%6Fm&&from=to&z' last)" '200 1'
is 'none of the lines is there: 409' "$(move 'from=from&to=to' 'one
as
')" 409
is 'a part of a line is none: 409' "$(move 'from=from&to=to' las)" 409
is 'nor is more than a line: 409' "$(move 'from=from&to=to' lastly)" 409
is 'an empty line is one, and not there: 409' "$(move 'from=from&to=to' '
')" 409
is 'nothing to move from: 404' "$(move 'from=none&to=to' last)" 404
is 'nowhere to move from or to: 404' "$(move 'from=none&to=none.2' last)" 404
is 'and none is made' "$(ls "$docs" | grep none)" ''
is 'the same document: 400' "$(move 'from=from&to=from' last)" 400
is 'the same, otherwise written: 400' "$(move 'from=from&to=%66rom' last)" 400
is 'no lines: 400' "$(move 'from=from&to=to' '')" 400
for query in '' from=from to=to 'from=&to=to' 'from=from&to=' 'from=from&to=.to' \
	'from=from&to=a%00b' 'from=from&to=..%2fto' 'from=from&to=a+b' 'xfrom=from&to=to' \
	'from=from;to=to' "from=from&to=1$hundred"; do
	is "/move?$query: 400" "$(move "$query" last)" 400
done
answers 400 POST /move last
answers 404 POST '/move/?from=from&to=to' last
for method in GET PUT HEAD DELETE; do
	answers 405 $method '/move?from=from&to=to'
done
is '405 tells what is allowed' \
	"$(request GET '/move?from=from&to=to' | ask | header_of Allow)" POST
is 'a folder cannot be moved from: 500' "$(move 'from=folder&to=to' last)" 500
is 'nor to: 500' "$(move 'from=from&to=folder' last)" 500
is 'nor a link: 500' "$(move 'from=from&to=link' last)" 500
truncate -s 64M "$docs/full"
is 'what would be too long: 413' "$(move 'from=from&to=full' last)" 413
rm "$docs/full"
is 'after all that, nothing is changed' "$(cat "$docs/from") $(tail -n 1 "$docs/to")" 'last three'
is 'no temporary file stays behind' "$(ls -A "$docs" | grep '^\.')" ''
is 'nor a lock' "$(request GET /locks | ask | body_of)" 'No document is in use.'

# Twenty clients at a time move the same lines to and fro between two documents.
move_to_and_fro() {
	seq -f 'line %g' 100 >"$docs/tick"
	: >"$docs/tock"
	i=0
	movers=
	while [ $i -lt 20 ]; do
		request POST '/move?from=tick&to=tock' "$(seq -f 'line %g' $i 100)" | ask >/dev/null &
		movers="$movers $!"
		request POST '/move?from=tock&to=tick' "$(seq -f 'line %g' 0 $((3 * i)))" | ask >/dev/null &
		movers="$movers $!"
		i=$((i + 1))
	done
	wait $movers
	is 'moves in both directions lose nothing, double nothing' \
		"$(cat "$docs/tick" "$docs/tock" | sort)" "$(seq -f 'line %g' 100 | sort)"
}
move_to_and_fro

# --- Long bodies --------------------------------------------------------------

# zeros N: so many bytes
zeros() { head -c "$1" /dev/zero | tr '\0' 0; }

# long N: prints the head of a PUT of so many bytes, and the bytes
long() {
	printf 'PUT /doc/long HTTP/1.1\r\nConnection: close\r\nContent-Length: %s\r\n\r\n' "$1"
	zeros "$1"
}

# chunked N: the same in chunks
chunked() {
	printf 'PUT /doc/long HTTP/1.1\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n'
	printf '%x\r\n' $(($1 / 2)); zeros $(($1 / 2)); printf '\r\n'
	printf '%x\r\n' $(($1 - $1 / 2)); zeros $(($1 - $1 / 2)); printf '\r\n0\r\n\r\n'
}

is 'a body of the greatest length: 201' "$(long 100000 | ask | status_of)" 201
is 'one byte more: 413' "$(long 100001 | ask | status_of)" 413
is 'much more: 413' "$(long 5000000 | ask | status_of)" 413
is 'chunks of the greatest length: 204' "$(chunked 100000 | ask | status_of)" 204
is 'the last chunk too many: 413' "$(chunked 100001 | ask | status_of)" 413
is 'none of that came through' "$(wc -c <"$docs/long" | tr -d ' ')" 100000
is 'a client that waits to be told to go on' "$({ printf '%s\r\n' 'PUT /doc/c HTTP/1.1' \
	'Connection: close' 'Expect: 100-continue' 'Content-Length: 1' ''; sleep 0.3; printf c; } \
	| ask | tr -d '\r' | grep '^HTTP')" 'HTTP/1.1 100 Continue
HTTP/1.1 201 Created'
is 'headers without end: 400' \
	"$({ printf 'GET /doc/a HTTP/1.1\r\nX: '; zeros 20000; printf '\r\n\r\n'; } | ask | status_of)" 400
truncate -s 65M "$docs/huge"
answers 413 GET /doc/huge
answers 413 POST /doc/huge x
rm "$docs/huge"

# --- One connection, many requests --------------------------------------------

# pipeline N BYTES: so many POSTs of lines of so many bytes, and the last closes
pipeline() {
	i=1
	while [ $i -le "$1" ]; do
		printf 'POST /doc/pipe HTTP/1.1\r\nContent-Length: %s\r\n' "$2"
		[ $i -lt "$1" ] || printf 'Connection: close\r\n'
		printf '\r\n'
		printf "%0$2d" $i
		i=$((i + 1))
	done
}

is 'requests that come before their turn' "$(pipeline 20 10 | ask | grep -c '^HTTP/1.1 20[14]')" 20
is 'and are more than the server reads ahead' \
	"$(pipeline 20 2000 | ask | grep -c '^HTTP/1.1 204')" 20
is 'and each of them is, too' "$(pipeline 3 20000 | ask | grep -c '^HTTP/1.1 204')" 3
is 'are done in order' "$(sed 's/^0*//' "$docs/pipe" | tr '\n' ' ')" \
	"$(printf '%s ' $(seq 20) $(seq 20) $(seq 3))"

# --- Clients that go away -----------------------------------------------------

# settle: waits until no lock is held
settle() {
	tries=0
	until request GET /locks | ask | grep -q 'No document is in use'; do
		tries=$((tries + 1))
		[ $tries -lt 300 ] || return 1
		sleep 0.1
	done
}

# Fifty clients of each kind ask and go away.
go_away() {
	rm -f "$docs"/gone*
	gone=
	i=0
	while [ $i -lt 50 ]; do
		request POST /doc/gone "line $i" | ask -g &
		request GET /doc/gone | ask -g &
		request POST "/move?from=gone&to=gone.$((i % 3))" "line $((i / 2))" | ask -g &
		request POST "/move?from=gone.$((i % 3))&to=gone" "line $((i / 2))" | ask -g &
		printf 'POST /doc/gone HTTP/1.1\r\nContent-Length: 100\r\n\r\nhalf of it' | ask -g &
		gone="$gone $!"
		i=$((i + 1))
	done
	wait $gone
	answers 200 GET /locks
	is 'whoever went away leaves no lock behind' "$(settle; echo $?)" 0
	is 'and no line twice' "$(cat "$docs"/gone* 2>/dev/null | sort | uniq -d)" ''
}
go_away

is 'a second server on the folder is refused' \
	"$("$tmp/server" --dir "$docs" --port 0 2>&1; echo $?)" \
	"document-server: $docs: another server has this folder
1"
stop TERM 'SIGTERM ends an idle server, with status 0'

# --- Waiting ------------------------------------------------------------------
#
# A document is long enough for an append to take a while, so it is in use while other
# clients ask for it.

# in_use STATUS-OR-TEXT COMMAND...: is it ever printed while the document is in use?
in_use() {
	text=$1
	shift
	rounds=0
	while [ $rounds -lt 20 ]; do
		request POST /doc/slow x | ask >"$tmp/first" &
		first=$!
		request POST /doc/slow x | ask >"$tmp/next" &
		next=$!
		while kill -0 $first 2>/dev/null; do
			"$@" >"$tmp/seen"
			! grep -q "$text" "$tmp/seen" || { wait $first $next; return 0; }
		done
		wait $first $next
		rounds=$((rounds + 1))
	done
	return 1
}
read_slow() { request GET /doc/slow | ask | head -c 300; }
show_locks() { request GET /locks | ask; }

zeros 40000000 >"$docs/slow"
start --timeout 0
is 'a lock that is not granted in time: 503' "$(in_use 'HTTP/1.1 503' read_slow; echo $?)" 0
is 'with the advice to try again' "$(header_of Retry-After <"$tmp/seen")" 1
stop INT 'SIGINT ends it, with status 0'

# A client goes away while it waits.  Does the server notice while the first still holds?
given_up() {
	rounds=0
	while [ $rounds -lt 20 ]; do
		request POST /doc/slow x | ask >"$tmp/first" &
		first=$!
		until show_locks | grep -q '^  held' || ! kill -0 $first; do :; done
		request POST /doc/slow "given up $rounds" >"$tmp/request"
		"$bin/ask" $port <"$tmp/request" >"$tmp/next" &
		next=$!
		until show_locks >"$tmp/seen"; grep -q '^  waits' "$tmp/seen" || grep -q 'No doc' "$tmp/seen"
		do :; done
		kill $next
		wait $next
		show_locks >"$tmp/seen"
		kill -0 $first && ! grep -q '^  waits' "$tmp/seen" && seen_gone=1 || seen_gone=0
		wait $first
		[ $seen_gone = 0 ] || { echo "given up $rounds" >"$tmp/round"; return 0; }
		rounds=$((rounds + 1))
	done 2>/dev/null
	return 1
}
# The first client holds slow.  The second waits for slow and b, to move lines.  The third
# wants b and waits behind the second, though b is free.  The second goes away: does the
# third get b while the first still holds slow?
let_through() {
	rounds=0
	while [ $rounds -lt 20 ]; do
		request POST /doc/slow "moved $rounds" | ask >"$tmp/first" &
		first=$!
		until show_locks | grep -q '^  held' || ! kill -0 $first; do :; done
		request POST '/move?from=slow&to=b' "moved $rounds" >"$tmp/request"
		"$bin/ask" $port <"$tmp/request" >"$tmp/next" &
		next=$!
		until show_locks >"$tmp/seen"; grep -q '^  waits.* in a set' "$tmp/seen" ||
			grep -q 'No doc' "$tmp/seen"
		do :; done
		request GET /doc/b | ask >"$tmp/third" &
		third=$!
		until show_locks >"$tmp/seen"; ! kill -0 $third || ! kill -0 $first ||
			grep -q '^  waits.* shared' "$tmp/seen"
		do :; done
		kill -0 $first && grep -q '^  waits.* shared' "$tmp/seen" && waited=1 || waited=0
		kill $next
		wait $next $third
		kill -0 $first && through=$waited || through=0
		wait $first
		[ $through = 0 ] || { echo "moved $rounds" >"$tmp/round"; return 0; }
		rounds=$((rounds + 1))
	done 2>/dev/null
	return 1
}
# A client goes away while it holds.  The disk's work ends before the next request is granted.
# The client goes away only after /locks shows that it holds.
killed_holding() {
	rounds=0
	while [ $rounds -lt 20 ]; do
		request POST /doc/slow "killed $rounds" >"$tmp/request"
		"$bin/ask" $port <"$tmp/request" >"$tmp/first" &
		first=$!
		until show_locks >"$tmp/seen"; grep -q '^  held' "$tmp/seen" || ! kill -0 $first; do :; done
		kill $first && grep -q '^  held' "$tmp/seen" && held=1 || held=0
		wait $first
		request POST /doc/slow "after $rounds" | ask >"$tmp/next"
		printf 'killed %s\nafter %s\n' $rounds $rounds >"$tmp/round"
		[ $held = 0 ] || return 0
		rounds=$((rounds + 1))
	done 2>/dev/null
	return 1
}
# All tests of one server, and its end.
wait_and_end() {
	zeros 40000000 >"$docs/slow"
	echo 'a line' >"$docs/b"
	i=0
	while [ $i -lt 5 ]; do
		read_slow >"$tmp/seen"
		is "a client that goes away while it is answered: $i" "$(status_of <"$tmp/seen")" 200
		i=$((i + 1))
	done
	is '/locks shows who holds and who waits' "$(in_use '^  waits' show_locks; echo $?)" 0
	matches '/locks names the document' "$(cat "$tmp/seen")" '*slow*'
	matches '/locks names the client' "$(cat "$tmp/seen")" '* of 127.0.0.1:*'
	is 'a client that goes away does not wait any longer' "$(given_up; echo $?)" 0
	is 'and what it wanted is not done' \
		"$(settle; tail -c 1000 "$docs/slow" | grep -cf "$tmp/round")" 0
	is 'who waits for two documents and goes away keeps nobody from either' \
		"$(let_through; echo $?)" 0
	is 'and has moved nothing' "$(settle; tail -n 1 "$docs/slow") $(grep -cxf "$tmp/round" "$docs/b")" \
		"$(cat "$tmp/round") 0"
	is 'a client that is killed while it holds' "$(killed_holding; echo $?)" 0
	is 'has what it began finished, before the next one begins' "$(tail -n 2 "$docs/slow")" \
		"$(cat "$tmp/round")"
	is 'and keeps nothing locked' "$(settle; echo $?)" 0

	# The one that has the lock is done when the server has ended, whoever waits is told.
	request POST /doc/slow 'the last' | ask | status_of >"$tmp/holder" &
	holder=$!
	until show_locks | grep -q '^  held' || ! kill -0 $holder 2>/dev/null; do :; done
	request POST /doc/slow 'too late' | ask | status_of >"$tmp/waiter" &
	waiter=$!
	request POST '/move?from=slow&to=b' 'the last' | ask | status_of >"$tmp/mover" &
	mover=$!
	until show_locks >"$tmp/seen"; grep -q '^  waits.* in a set' "$tmp/seen" ||
		! kill -0 $holder 2>/dev/null; do :; done
	stop TERM 'SIGTERM ends it while it works, with status 0'
	wait $holder $waiter $mover
	is 'what was under way is finished' \
		"$(cat "$tmp/holder") $(tail -n 2 "$docs/slow" | cat - "$docs/b" | grep -c last)" '204 1'
	case $(cat "$tmp/waiter") in
	204) late=1 ;;		# the holder was too fast for us
	503 | '') late=0 ;;	# or for the waiter even to connect
	*) late=$(cat "$tmp/waiter") ;;
	esac
	is 'what waits is sent away, and not done' "$(tail -n 2 "$docs/slow" | grep -c late)" $late
	case $(cat "$tmp/mover") in
	200) late=1 ;;
	503 | '') late=0 ;;
	*) late=$(cat "$tmp/mover") ;;
	esac
	is 'what waits for two documents likewise' "$(grep -c last "$docs/b")" $late
	rm "$docs/slow"
}
start --timeout 30
wait_and_end

# --- Several threads ----------------------------------------------------------
#
# Three loops take turns at accepting, so the clients of one test are in different loops.

setting='3 threads: '
start --threads 3 --timeout 30
answers 201 PUT /doc/thread first
answers 204 POST /doc/thread second
answers 204 POST /doc/thread third
for i in 1 2 3 4; do
	is "every loop reads what the others wrote: $i" \
		"$(request GET /doc/thread | ask | body_of | tr '\n' ' ')" 'first second third '
done
is 'no lock stays behind' "$(request GET /locks | ask | body_of)" 'No document is in use.'

i=0
many=
while [ $i -lt 100 ]; do
	request POST /doc/many "line $i" | ask >/dev/null &
	many="$many $!"
	i=$((i + 1))
done
wait $many
is 'many connections at a time lose no line' "$(sort "$docs/many")" "$(seq -f 'line %g' 0 99 | sort)"
move_to_and_fro
go_away

# A connection keeps its loop, so each loop has its turn again and again.
is 'many requests of one connection' "$(pipeline 20 10 | ask | grep -c '^HTTP/1.1 20[14]')" 20

zeros 40000000 >"$docs/slow"
# Three requests, one after the other, ask three loops.  Do all of them show the holder?
seen_by_all() {
	rounds=0
	while [ $rounds -lt 20 ]; do
		request POST /doc/slow x | ask >"$tmp/first" &
		first=$!
		until show_locks | grep -q '^  held' || ! kill -0 $first; do :; done
		by=0
		for i in 1 2 3; do
			show_locks >"$tmp/seen"
			! grep -q '^  held' "$tmp/seen" || by=$((by + 1))
		done
		wait $first
		[ $by -lt 3 ] || return 0
		rounds=$((rounds + 1))
	done 2>/dev/null
	return 1
}
is '/locks shows the locks of every loop, whichever is asked' "$(seen_by_all; echo $?)" 0
matches 'and in which loop they are used' "$(cat "$tmp/seen")" '*loop [123]:*slow*'
wait_and_end
setting=

# --- Wrong arguments ----------------------------------------------------------

for wrong in '' '--dir' '--dir x extra' '--dir x --port 70000' '--dir x --timeout -1' \
	'--dir x --timeout nan' '--dir x --workers 0' '--dir x --threads 0' \
	'--dir x --nonsense'; do
	"$tmp/server" $wrong >"$tmp/out" 2>&1
	is "document-server $wrong: status 2" $? 2
done
"$tmp/server" --dir "$tmp/none" >"$tmp/out" 2>&1
is 'a folder that is not there: status 1' $? 1
"$tmp/server" --help >"$tmp/out" 2>&1
is '--help: status 0' $? 0

# --- Under load ---------------------------------------------------------------

mkdir "$tmp/texts" "$tmp/demo"
i=0
while [ $i -lt 1500 ]; do
	echo "line $i of a text of our own, as the licenses are not everywhere"
	i=$((i + 1))
done >"$tmp/texts/one"

# demo WHAT PATTERN ARGUMENT...: is faultless, and prints what matches
demo() {
	what=$1
	pattern=$2
	shift 2
	TMPDIR=$tmp/demo run "$bin/demo/demo" --server "$tmp/server" --texts "$tmp/texts" "$@" \
		>"$tmp/out" 2>&1
	is "demo: $what" $? 0
	is "demo: $what: $pattern" "$(grep -q "$pattern" "$tmp/out" || cat "$tmp/out")" ''
}

# Two servers on one folder do not work under valgrind 3.19: it stops all threads of a process
# while one waits in fcntl(F_OFD_SETLKW), so the servers would wait for each other.
if [ -z "$EVLOCK_TEST_WRAPPER" ]; then
	demo 'all runs' '^lines lost.* 0$'
	demo 'two servers have one folder' '^lines lost.* 0$' --only processes --seconds 5
fi
demo 'nothing stays locked' '^left holding or waiting .* 0$' --only lock --kill-every 5
demo 'clients are killed that hold' '^killed while holding  *[1-9]' --only lock --kill-every 1
demo 'clients are killed that wait' '^killed while waiting  *[1-9]' --only lock --kill-every 1
demo 'lines are moved' '^  lines moved  *[1-9]' --only lock --moves 100 --kill-every 0
demo 'lines are only appended' '^moves  *0$' --only lock --moves 0 --kill-every 0
demo 'few documents' '^lines lost  *0$' --only lock --moves 50 --documents 2 --hang-up 10
demo 'clients hang up' 'not answered' --only lock --hang-up 30
demo 'waiting is cut short' 'refused (503)' --only lock --timeout 0 --connections 16
demo 'SIGTERM under load' 'refused (503)' --only lock --stop-after 300
demo 'SIGTERM, and clients hang up' 'not answered' --only lock --stop-after 300 --hang-up 20
demo 'threads' '^left holding or waiting .* 0$' --only threads --threads 3 --kill-every 1
demo 'threads: SIGTERM under load' '^left holding or waiting .* 0$' --only threads --stop-after 300
demo 'threads: clients hang up' 'not answered' --only threads --hang-up 30
is 'the demo cleans up' "$(ls -A "$tmp/demo")" ''

done_testing
