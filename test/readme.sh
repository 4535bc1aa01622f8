#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
#
# Do the programs in README and doc/ work?  Compiles each as it stands there, against this build,
# and compares its output with the page.  A program is an indented block whose first comment names
# it ("/* first.c: ...").  Its output is the first indented block after a line that ends in
# "prints:".

. "$abs_top_srcdir/test/tap.sh"

dir=$(mktemp -d) || exit 99
trap 'rm -rf "$dir"' EXIT

# block PATTERN <PAGE: prints the indented block whose first line, or the text before it, matches.
block() {
	awk -v pattern="$1" '
		/^    / && (was_near || (!inside && $0 ~ pattern)) { found = 1 }
		{ inside = /^    / }
		found && /^[^ ]/ { exit }
		found { print substr($0, 5) }
		/^[^ ]/ { was_near = $0 ~ pattern }' |
		sed -e :a -e '/^\n*$/{$d;N;ba' -e '}'	# without empty lines at its end
}

under_libtool() { $LIBTOOL --quiet "$@"; }

compile() {
	under_libtool --mode=link $CC -std=c99 -Wall -Wextra -Werror $RUN_CFLAGS \
		-I"$abs_top_srcdir/include" $LIBEVENT_CFLAGS "$dir/$1.c" -o "$dir/$1" \
		"$abs_top_builddir/lib/libevlock.la" $LIBEVENT_LIBS
}

# true_in PAGE PROGRAM
true_in() {
	block "/[*] $2[.]c:" <"$abs_top_srcdir/$1" >"$dir/$2.c"
	block 'prints:$' <"$abs_top_srcdir/$1" >"$dir/wanted"
	is "$1 has the program $2.c" "$(grep -o 'int main' "$dir/$2.c")" 'int main'
	is "$1 says what $2.c prints" "$([ -s "$dir/wanted" ] && echo yes)" yes
	is "$2.c compiles" "$(compile "$2" 2>&1; echo $?)" 0
	is "$2.c prints what $1 says" \
		"$(under_libtool --mode=execute $EVLOCK_TEST_WRAPPER "$dir/$2" 2>&1)" "$(cat "$dir/wanted")"
}

true_in README first
[ -z "$HAVE_PTHREADS" ] || true_in doc/scopes.md threads
done_testing
