#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
#
# What evflock's man page says beyond flock(1); test-table.sh compares the two.  Prints TAP; see
# test-samples.sh for how to run it by hand.

. "$abs_top_srcdir/test/tap.sh"

tmp=$(mktemp -d "${TMPDIR:-/tmp}/evlock-evflock.XXXXXX") || exit 99
export LC_ALL=C
holder=
command=
clean_up() {
	kill -9 $holder $command 2>/dev/null
	rm -rf "$tmp"
}
trap clean_up EXIT
trap 'exit 99' INT TERM

make_runner "$tmp/evflock" "$abs_top_builddir/samples/evflock/evflock"
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

# After a second hold, of $first and $first_command.
let_go_of_both() {
	kill $command $first_command
	wait $holder $first
	holder= command=
} 2>/dev/null

has_ended() { ! kill -0 "$1" 2>/dev/null; }

status() {
	"$@" >/dev/null 2>&1
	echo $?
}

# --- Locking ---------------------------------------------------------------------------

is 'the arguments are passed on' "$(evflock one printf '%s|' 'a b' '' -n)" 'a b||-n|'
is '-c, behind the file' "$(evflock one -c 'echo $((1 + 1))')" 2
is '-c, as an option' "$(evflock -f one -c 'echo $((1 + 1))')" 2
is 'standard input' "$(echo text | evflock one cat)" text
is 'the command has a descriptor of the file, and one only' \
	"$(evflock one ls -l /proc/self/fd 2>&1 | grep -c one)" 1
is '-o: it has none' "$(evflock -o one ls -l /proc/self/fd 2>&1 | grep -c one)" 0
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
is 'a process that the command leaves keeps it' "$(status evflock -n one true)" 1
kill "$(cat left)"
is 'until it ends' "$(status evflock -w 60 one true)" 0
./evflock -o one sh -c 'sleep 60 >/dev/null & echo $! >left'
is '-o: it does not keep it' "$(status evflock -n one true)" 0
kill "$(cat left)"

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
is '-p tells who gives up' "$(evflock -p -w 0.1 -f two -f one true 2>&1 | grep -v held |
	sed 's/evflock [0-9]*/evflock N/; s/[0-9.]* s/T s/')" \
	'evflock N waits for two (exclusive), one (exclusive)
evflock N does not have two (exclusive), one (exclusive), after T s: Connection timed out'
./evflock -p -s one true 2>told &
waiter=$!
until_true grep -q 'one (shared), for' told
told_of=$command
let_go
wait $waiter
is '-p tells meanwhile, and in the end' "$(grep -v held told | sed 's/evflock [0-9]*/evflock N/; s/[0-9.]* s/T s/' |
	uniq)" \
	'evflock N waits for one (shared)
evflock N waits for one (shared), for T s now
evflock N has one (shared), after T s'

if [ -e /proc/self/fdinfo ] && [ -z "$EVLOCK_TEST_WRAPPER" ]; then
	grep -q "^evflock $waiter: one is held by $told_of (cat go)" told
	is '-p names the holder, who is not the process that locked' $? 0
	hold -s one
	first=$holder first_command=$command
	hold -s one
	is '--list shows all that share' "$(evflock --list one | grep -c 'holds shared .*(cat go)')" 2
	let_go_of_both
	is 'and the end of it' "$(evflock --list one two)" ''
fi

# --- Signals -----------------------------------------------------------------------------------

hold one
kill -TERM $command
wait $holder
is 'a signal ends the command, and that is told' $? 143
is 'and it is free' "$(status evflock -n one true)" 0

for option in '' -o; do
	setting="with '$option': "
	for signal in TERM HUP KILL; do
		hold $option one
		kill -$signal $holder
		wait $holder 2>/dev/null
		is "$signal ends evflock" "$(kill -0 $holder 2>/dev/null; echo $?)" 1
		is 'its command goes on' "$(kill -0 $command; echo $?)" 0
		is 'and the lock is kept' "$(status evflock -n -E 9 one true)" 9
		: >go
		is 'until it ends' "$(status evflock -w 60 one true)" 0
		holder= command=
	done

	# In a group of their own, as an interactive shell has it.
	for signal in TERM HUP; do
		rm -f count end
		setsid ./evflock $option one sh -c "trap 'echo got >>count' $signal
			echo \$\$ >said; until [ -e end ]; do sleep 0.1; done" &
		holder=$!
		hear
		command=$heard
		kill -$signal -$holder
		until_true test -s count
		wait $holder 2>/dev/null
		sleep 0.3
		: >end
		until_true has_ended $command
		is "$signal to the group reaches the command once" "$(cat count)" got
	done
done
setting= holder= command=

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

# A descriptor's lock belongs to this shell as well: evflock must not leave it locked when the
# lock becomes free at the very moment at which it gives up.
lost=0
for i in 1 2 3 4 5 6 7 8 9 10; do
	./evflock one sleep 0.2 &
	holder=$!
	until_true sh -c './evflock -n one true; [ $? = 1 ]'
	exec 9>one
	./evflock -w 0.1$i 9 || { wait $holder; ./evflock -n one true || lost=$((lost + 1)); }
	exec 9>&-
	wait $holder
done
is 'a wait that is given up leaves nothing locked' $lost 0
holder=

# --- Refused ------------------------------------------------------------------------------------

is 'it says why' "$(evflock no/such/folder true 2>&1)" \
	'evflock: cannot open lock file no/such/folder: No such file or directory'

done_testing
