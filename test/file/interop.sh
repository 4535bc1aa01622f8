#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
#
# Lock files shared with programs that do not use evlock, in both directions: fasteners and
# lockf() of Python (peer.py), and flock(1).  evlock's side is evflock.  Prints TAP.  By hand,
# in the build folder:
#   abs_top_builddir=$PWD abs_top_srcdir=.. ../test/file/interop.sh

. "$abs_top_srcdir/test/tap.sh"

find_python() {
	for python in python3 /usr/bin/python3; do
		"$python" -c 'import fasteners' 2>/dev/null && return
	done
	return 1
}
find_python || skip_all 'fasteners was not found; on Debian: apt install python3-fasteners'
command -v flock >/dev/null || skip_all 'flock(1) was not found; on Debian: apt install util-linux'

tmp=$(mktemp -d "${TMPDIR:-/tmp}/evlock-interop.XXXXXX") || exit 99
peer_script=$(cd "$abs_top_srcdir/test/file" && pwd)/peer.py
export LC_ALL=C PYTHONDONTWRITEBYTECODE=1
holder=
clean_up() {
	kill -9 $holder 2>/dev/null
	: <>never	# releases processes that killed ones have left waiting there
	rm -rf "$tmp"
}
trap clean_up EXIT
trap 'exit 99' INT TERM
make_runner "$tmp/evflock" "$abs_top_builddir/samples/evflock/evflock"
cd "$tmp" || exit 99
mkfifo said go never
export go=go	# the FIFO that a holder waits for; `never` is opened only at the end

# --- Peers ---------------------------------------------------------------------------------
#
# They are named KIND-MODE; flock(1) is one of them, evflock another.

mode_of() { echo "${1##*-}"; }

# kind_of PEER, option_of PEER: the arguments with which evflock takes the same lock
kind_of() {
	case $1 in
	flock-*) ;;
	*) echo --fcntl ;;
	esac
}
option_of() { echo "$(kind_of "$1") --$(mode_of "$1")"; }

# peer PEER WHAT [N]: becomes the peer, so call it in the background, or in (...)
peer() {
	case $1:$2 in
	flock-*:try) exec flock -E 9 -n "--$(mode_of "$1")" file true ;;
	flock-*:hold) exec flock -o "--$(mode_of "$1")" file \
		sh -c 'echo held >said; cat $go; echo peer >>log' ;;
	*) exec "$python" "$peer_script" "$1" file "$2" $3 ;;
	esac
}

hold_as_peer() {
	peer "$1" hold &
	holder=$!
	hear
}

# hold_as_evflock OPTION...: starts $holder, whose command, $command, also has the lock
hold_as_evflock() {
	./evflock "$@" file sh -c 'echo $$ >said; read -r _ <$go; echo evflock >>log' &
	holder=$!
	hear
	command=$heard
}

let_go() {
	: >go
	wait $holder
	holder=
}

# --- Which excludes which --------------------------------------------------------------------

# wanted PEER MODE: the expected status of a request in a mode while the peer holds
wanted() {
	case $(mode_of "$1")-$2 in
	shared-shared) echo 0 ;;
	*) echo 9 ;;
	esac
}

peers='fasteners-exclusive fasteners-rw-exclusive fasteners-rw-shared
	lockf-exclusive lockf-shared flock-exclusive flock-shared'

for peer in $peers; do
	kind=$(kind_of "$peer")
	hold_as_peer "$peer"
	for mode in exclusive shared; do
		./evflock -n -E 9 $kind --$mode file true
		is "$peer holds, evflock tries $mode" $? "$(wanted "$peer" $mode)"
	done
	let_go
	for mode in exclusive shared; do
		hold_as_evflock $kind --$mode
		(peer "$peer" try)
		is "evflock holds $mode, $peer tries" $? "$(wanted "$peer" $mode)"
		let_go
	done
	(peer "$peer" try)
	is "and when it has ended" $? 0
done

# --- Which waits for which -------------------------------------------------------------------

for peer in $peers; do
	rm -f log
	hold_as_peer "$peer"
	./evflock -p $(option_of "${peer%-*}-exclusive") file sh -c 'echo evflock >>log' 2>told &
	waiter=$!
	until_true grep -q waits told
	let_go
	wait $waiter
	is "evflock waits for $peer" "$? $(cat log)" '0 peer
evflock'

	rm -f log
	hold_as_evflock $(option_of "${peer%-*}-exclusive")
	peer "$peer" hold &
	waiter=$!
	let_go
	hear
	: >go
	wait $waiter
	is "$peer waits for evflock" "$? $(cat log)" '0 evflock
peer'

	go=never
	hold_as_peer "$peer"
	kill -9 $holder
	wait $holder 2>/dev/null
	is "$peer is killed, and evflock has it" \
		"$(./evflock -w 60 $(option_of "$peer") file echo mine)" mine
	hold_as_evflock $(option_of "${peer%-*}-exclusive")
	kill -9 $holder $command
	wait $holder 2>/dev/null
	go=go
	hold_as_peer "$peer"
	is 'and the other way round' "$(kill -0 $holder; echo $?)" 0
	let_go
done 2>/dev/null

# --- All at once -----------------------------------------------------------------------------

echo 0 >count
adders=
for peer in fasteners-exclusive fasteners-rw-exclusive lockf-exclusive; do
	peer $peer add 200 &
	adders="$adders $!"
done
i=0
while [ $i -lt 40 ]; do
	./evflock --fcntl file sh -c 'read -r number <count; echo $((number + 1)) >count'
	i=$((i + 1))
done
wait $adders
is 'all at once, and no one is lost' "$(cat count)" 640

done_testing
