#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
#
# What evflock's man page says, and that its exit statuses are those of flock(1), which is
# asked the same.  Prints TAP; see test-samples.sh for how to run it by hand.

. "$abs_top_srcdir/test/tap.sh"

tmp=$(mktemp -d "${TMPDIR:-/tmp}/evlock-evflock.XXXXXX") || exit 99
export LC_ALL=C
always=
holder=
command=
clean_up() {
	kill -9 $holder $command 2>/dev/null
	rm -rf "$tmp"
}
trap clean_up EXIT
trap 'exit 99' INT TERM

# Valgrind 3.19 stops all threads while one waits in fcntl(F_OFD_SETLKW), but not in flock(2).
[ -z "$EVLOCK_TEST_WRAPPER" ] || always=' -F'
make_runner "$tmp/evflock" "$abs_top_builddir/samples/evflock/evflock$always"
cd "$tmp" || exit 99
mkfifo said go

evflock() { ./evflock "$@"; }

# hold ARGUMENT...: evflock as $holder, whose command, $command, has begun
hold() {
	./evflock "$@" sh -c 'echo $$ >said; exec cat go' >/dev/null 2>&1 &
	holder=$!
	hear
	command=$heard
}

let_go() {
	: >go
	wait $holder
	holder= command=
}

has_ended() { ! kill -0 "$1" 2>/dev/null; }

status() {
	"$@" >/dev/null 2>&1
	echo $?
}

# --- As flock(1) -----------------------------------------------------------------------

# same_as_flock ARGUMENT...
same_as_flock() {
	is "status of $*" "$(status evflock "$@")" "$(status flock "$@")"
}

if command -v flock >/dev/null; then
	touch not-executable
	same_as_flock one true
	same_as_flock one false
	same_as_flock one -c 'exit 7'
	same_as_flock one sh -c 'kill -9 $$'
	same_as_flock one sh -c 'kill -TERM $$'
	same_as_flock one ./not-executable
	same_as_flock one /no/such/command
	same_as_flock /no/such/folder/file true
	same_as_flock
	same_as_flock one
	same_as_flock one -c
	same_as_flock one -c true true
	same_as_flock --no-such-option one true
	same_as_flock -w soon one true
	same_as_flock -E 256 one true
	same_as_flock -E -1 one true
	same_as_flock -n -w 1 -E 3 -x one true
	same_as_flock -h
	same_as_flock -V
	flock one sh -c 'echo held >said; exec cat go' &
	holder=$!
	hear
	is 'flock(1) keeps -F out' "$(status evflock -F -n -E 9 one true)" 9
	[ "$always" ] || is 'and not those who lock as fcntl(2)' "$(status evflock -n -E 9 one true)" 0
	let_go
	hold -F one
	is '-F keeps flock(1) out' "$(status flock -n -E 9 one true)" 9
	let_go
	hold -F -s one
	is '-F -s shares with flock(1)' "$(status flock -n -E 9 -s one true)" 0
	is 'and keeps its writers out' "$(status flock -n -E 9 one true)" 9
	let_go
fi

# --- Locking ---------------------------------------------------------------------------

is 'the arguments are passed on' "$(evflock one printf '%s|' 'a b' '' -n)" 'a b||-n|'
is '-c, behind the file' "$(evflock one -c 'echo $((1 + 1))')" 2
is '-c, as an option' "$(evflock -f one -c 'echo $((1 + 1))')" 2
is 'standard input' "$(echo text | evflock one cat)" text
is 'the command has no descriptor of the file' "$(evflock one ls -l /proc/self/fd 2>&1 | grep '/one$')" ''
is 'a lock file stays empty' "$(wc -c <one | tr -d ' ')" 0

hold one
is 'who has it is alone: -n' "$(status evflock -n one true)" 1
is '-w' "$(status evflock -w 0.1 one true)" 1
is '-w 0 is -n' "$(status evflock -w 0 one true)" 1
is '-E' "$(status evflock -n -E 75 one true)" 75
is '-E 0' "$(status evflock -n -E 0 one false)" 0
is 'who shares is kept out as well' "$(status evflock -n -s one true)" 1
is 'nothing is said of that' "$(evflock -n one true 2>&1)" ''
let_go

hold -s one
is '-s shares' "$(status evflock -n -s one true)" 0
is 'and keeps out who wants to be alone' "$(status evflock -n one true)" 1
let_go
is 'it is free when the command has ended' "$(status evflock -n one true)" 0

./evflock one sh -c 'sleep 60 >/dev/null & echo $! >left'
is 'a process that the command leaves does not keep it' "$(status evflock -n one true)" 0
is 'and lives' "$(kill "$(cat left)"; echo $?)" 0

# --- Several files ------------------------------------------------------------------------

hold -f one -s -f two
is 'both are locked: one' "$(status evflock -n -s one true)" 1
is 'two is shared' "$(status evflock -n -s two true)" 0
is 'and not free' "$(status evflock -n two true)" 1
is 'all or none: three is not kept' \
	"$(status evflock -n -f three -f one true) $(status evflock -n three true)" '1 0'
let_go
is 'one file named twice' "$(status evflock -f one -f ./one true)" 64
ln one hard
is 'one file of two names' "$(status evflock -f one -f hard true)" 64
is 'a mode without a file' "$(status evflock -f one -s true)" 64

# add N FILE...: one more in `count`, so often, with all of the files locked
add() {
	i=0
	times=$1
	shift
	while [ $i -lt "$times" ]; do
		./evflock "$@" -c 'echo $(($(cat count) + 1)) >count.new; mv count.new count'
		i=$((i + 1))
	done
}
echo 0 >count
add 20 -f a -f b -f c & first=$!
add 20 -f c -f b -f a & second=$!
add 20 -f b -f a -f c & third=$!
wait $first $second $third
is 'in any order, without a deadlock, and one at a time' "$(cat count)" 60

# --- Telling --------------------------------------------------------------------------------

is '-p is silent if there is nothing to wait for' "$(evflock -p one true 2>&1)" ''
hold one
is '-p tells who gives up' "$(evflock -p -w 0.1 -f two -f one true 2>&1 |
	sed 's/evflock [0-9]*/evflock N/; s/[0-9.]* s/T s/')" \
	'evflock N waits for two (exclusive), one (exclusive)
evflock N does not have two (exclusive), one (exclusive), after T s: Connection timed out'
./evflock -p -s one true 2>told &
waiter=$!
until_true grep -q 'one (shared), for' told
let_go
wait $waiter
is '-p tells meanwhile, and in the end' "$(sed 's/evflock [0-9]*/evflock N/; s/[0-9.]* s/T s/' told |
	uniq)" \
	'evflock N waits for one (shared)
evflock N waits for one (shared), for T s now
evflock N has one (shared), after T s'

# --- Signals -----------------------------------------------------------------------------------

hold one
kill -TERM $holder
wait $holder
is 'a signal ends the command, and that is told' $? 143
is 'and it is free' "$(status evflock -n one true)" 0

./evflock one sh -c 'trap "exit 9" USR1; echo >said; while :; do sleep 0.1; done' &
holder=$!
hear
kill -USR1 $holder
wait $holder
is 'the command may do with a signal what it likes' $? 9

(trap '' HUP; exec ./evflock one sh -c 'echo $$ >said; exec cat go') >/dev/null &
holder=$!
hear
command=$heard
kill -HUP $holder
let_go
is 'an ignored one is ignored' $? 0

hold one
rm told	# what it said before would do: the signal would come before the program
./evflock -p one touch late 2>told &
waiter=$!
until_true grep -q waits told
kill -TERM $waiter
wait $waiter
is 'a signal ends the waiting' $? 143
let_go
is 'for good' "$(status evflock -n one test -e late)" 1

hold one
kill -9 $holder
is 'of one that is killed it is free' "$(status evflock -w 60 one true)" 0
if [ "$(uname)" = Linux ]; then
	is 'and its command does not run on' "$(until_true has_ended $command; echo $?)" 0
fi
wait $holder 2>/dev/null
holder= command=

# --- Refused ------------------------------------------------------------------------------------

mkdir folder
ln -s one link
mkfifo fifo
is 'a folder' "$(status evflock folder true)" 66
is 'a symbolic link' "$(status evflock link true)" 66
is 'a FIFO' "$(status evflock fifo true)" 66
is 'it says why' "$(evflock folder true 2>&1)" \
	'evflock: cannot open lock file folder: Not a regular file'

done_testing
