#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
#
# Is lib/ built as lib/README says?  Runs scripts/check-floors and scripts/check-names on the tree
# as it is, and on copies with planted mistakes that they must find.  Does test/mutants.txt fit lib/?

source=${abs_top_srcdir:-$(cd "$(dirname "$0")/.." && pwd)}
. "$source/test/tap.sh"
command -v python3 >/dev/null || skip_all 'there is no python3'

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT

# check NAME [FILE TEXT]: prints what the script says of a copy, with TEXT at the end of lib/FILE
check() {
	rm -rf "$dir/tree"
	mkdir "$dir/tree"
	cp -R "$source/lib" "$source/include" "$source/scripts" "$dir/tree"
	chmod -R u+w "$dir/tree"
	[ $# = 1 ] || printf '%s\n' "$3" >>"$dir/tree/lib/$2"
	"$dir/tree/scripts/$1" 2>&1
}

# finds WHAT PATTERN NAME FILE TEXT
finds() {
	check "$3" "$4" "$5" >"$dir/found"
	is "$1" "$? $(grep -cE "$2" "$dir/found" | sed 's/^[1-9].*/found/')" '1 found'
}

check check-floors >"$dir/found"
is 'no file includes or calls upwards, or in a circle' "$? $(grep -E '^(upward|circle)' "$dir/found")" '0 '
check check-names >"$dir/found"
is 'functions are named after their files' "$? $(grep '()' "$dir/found")" '0 '

finds 'an include that leads upwards' '^upward: rules/core -> lock/lock' \
	check-floors rules/core.c '#include "lock/lock.h"'
finds 'files that include each other' '^circle: .*base/text' \
	check-floors base/mem.h '#include "base/text.h"'
if gcc --version 2>/dev/null | grep -q 'Free Software'; then
	finds 'a call that leads upwards' '^upward: rules/core -> calls/' check-floors rules/core.c \
		'int evlock_release(struct evlock *, evlock_handle);
		int plant(struct evlock *l) { return evlock_release(l, 1); }'
fi
finds 'a function that is named after another file' 'evl_grant_nobody' check-names rules/core.h \
	'void evl_grant_nobody(void);'


is 'test/mutants.txt fits the library' \
	"$(python3 "$source/test/mutate.py" --check 2>&1 | sed 's/^[1-9][0-9]* //')" mutants
mkdir "$dir/tree/test"
cp "$source/test/mutate.py" "$dir/tree/test"
# finds_mutant WHAT WORDS BLOCK: `mutate.py --check` says so of the list with one more block.
finds_mutant() {
	{ cat "$source/test/mutants.txt" && printf '\n%s\n' "$3"; } >"$dir/tree/test/mutants.txt"
	is "$1" "$(python3 "$dir/tree/test/mutate.py" --check 2>&1 | grep -o "$2")" "$2"
}
finds_mutant 'a mutant of a line that is gone' '0 times' 'must base/mem.c evl_mem_free: nothing
-nowhere
+'
finds_mutant 'a mutant that is in the list already' twice "$(tail -n 3 "$source/test/mutants.txt")"

done_testing
