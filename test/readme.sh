#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
#
# Is README's first program true?  Compiles it as it stands there, against this build,
# and compares what it prints with what README says.  It is the indented block that
# begins with a comment that names first.c; its output is the indented block that
# follows a line ending in "prints:".

source=${abs_top_srcdir:-$(cd "$(dirname "$0")/.." && pwd)}
build=${abs_top_builddir:-.}
readme=$source/README
[ -e "$readme" ] || { echo '1..0 # SKIP there is no README yet'; exit; }

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
n=0

# block PATTERN: the indented block whose first line, or the text ahead of it, matches.
block() {
	awk -v pattern="$1" '
		/^    / && (was_near || (!inside && $0 ~ pattern)) { found = 1 }
		{ inside = /^    / }
		found && /^[^ ]/ { exit }
		found { print substr($0, 5) }
		/^[^ ]/ { was_near = $0 ~ pattern }' "$readme" |
		sed -e :a -e '/^\n*$/{$d;N;ba' -e '}'	# without empty lines at its end
}

# report WHAT STATUS FILE: one line of TAP, and if it failed the file as diagnostics.
report() {
	n=$((n + 1))
	[ "$2" = 0 ] && echo "ok $n - $1" && return
	sed 's/^/# /' "$3"
	echo "not ok $n - $1"
}

under_libtool() { $LIBTOOL --quiet "$@"; }

echo 1..4
block '/[*] first[.]c' >"$dir/first.c"
grep -q 'int main' "$dir/first.c"
report 'README has a first program' $? "$dir/first.c"

block 'prints:$' >"$dir/expected"
[ -s "$dir/expected" ]
report 'README says what it prints' $? "$dir/expected"

under_libtool --mode=link $CC -std=c99 -Wall -Wextra -Werror $RUN_CFLAGS -I"$source/include" \
	$LIBEVENT_CFLAGS "$dir/first.c" -o "$dir/first" "$build/lib/libevlock.la" \
	$LIBEVENT_LIBS >"$dir/log" 2>&1
report 'it compiles' $? "$dir/log"

under_libtool --mode=execute $EVLOCK_TEST_WRAPPER "$dir/first" >"$dir/actual" 2>"$dir/log" &&
	diff -u "$dir/expected" "$dir/actual" >>"$dir/log"
report 'it prints what README says' $? "$dir/log"
