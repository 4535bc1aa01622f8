#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
#
# Runs each line of the tables in doc/evflock.md with flock(1) and with evflock; doc/evflock.md
# says how they are read.  Prints TAP, and the counts at the end.  By hand, in the build folder:
#   abs_top_builddir=$PWD abs_top_srcdir=.. ../samples/evflock/test-table.sh [TEXT]
# With TEXT only lines that contain it are run.

. "$abs_top_srcdir/test/tap.sh"
exec 3>&- 4>&- 5>&- 6>&- 7>&- 8>&- 9>&-	# make may have left some open

tmp=$(mktemp -d "${TMPDIR:-/tmp}/evlock-table.XXXXXX") || exit 99
export LC_ALL=C SHELL=/bin/sh
unset POSIXLY_CORRECT
clean_up() {
	chmod -R u+rwx "$tmp"
	rm -rf "$tmp"
}
trap clean_up EXIT
trap 'exit 99' INT TERM
chmod 755 "$tmp"
mkdir -m 1777 "$tmp/gcov"

[ -z "$EVLOCK_TEST_WRAPPER" ] || skip_all 'it would take too long'
# Runs the program without libtool's script, which opens descriptors of its own.
build=$abs_top_builddir/samples/evflock
evflock=$build/evflock
if [ -x "$build/.libs/evflock" ]; then
	evflock=$build/.libs/evflock
	LD_LIBRARY_PATH=$abs_top_builddir/lib/.libs${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
	export LD_LIBRARY_PATH
fi
flock=$(command -v flock)
case $(flock -V 2>/dev/null) in
*' 2.38'*) ;;
*) flock= ;;	# the tables say what this version does
esac

# The commands that the uses in the tables call, besides the programs.
cat >"$tmp/tools" <<'EOF'
free() { "$G" -n "$@" true && echo free || echo locked; }
shared() { free -s "$@"; }
begin() {
	rm -f begun
	"$@" sh -c 'echo $$ >>pids; echo $$ >begun; exec sleep 60' >/dev/null 2>&1 &
	program=$!
	soon test -s begun
	command=$(cat begun)
}
hold() { begin "$G" "$@"; }
keep() { begin "$F" "$@"; }
drop() { kill "$command"; wait "$program"; } 2>/dev/null
soon() { until "$@"; do sleep 0.01; done; }
plain() {
	[ "$(id -u)" = 0 ] || { "$@"; return; }
	# A build for gcov(1) writes where that user may not.
	user="env GCOV_PREFIX=${TOOLS%/*}/gcov setpriv --reuid 65534 --regid 65534 --clear-groups"
	$user "$F" -V >/dev/null 2>&1 || exit 77
	$user "$@"
}
skip_unless() { "$@" || exit 77; }
# LeakSanitizer ends a traced program.
faulty() {
	! grep -q '__[at]san_init' "$F" || exit 77
	skip_unless strace -o /dev/null true 2>/dev/null
	fault=$1
	shift
	strace -f -o /dev/null -e "inject=$fault" "$@"
}
clean_up() { [ ! -s pids ] || kill $(cat pids); } 2>/dev/null
EOF

# one_line: what a program printed, without what differs from run to run
one_line() {
	sed -e "s,$evflock,F,g" -e 's/evflock/F/g' -e 's/flock/F/g' -e 's/[0-9][0-9.]* s\(econds\)*\b/T s\1/' -e "s,$tmp/[a-z]*,DIR,g" |
		tr '\n' '/' | sed 's,/$,,'
}

# outcome PROGRAM OTHER USE: "STATUS OUTPUT + message", or "skip"
outcome() {
	rm -rf "$tmp/folder" "$tmp/err"
	mkdir "$tmp/folder"
	chmod 777 "$tmp/folder"
	got=$(cd "$tmp/folder" && F=$1 G=$2 TOOLS=$tmp/tools && export F G TOOLS &&
		timeout 60 sh -c ". $tmp/tools; trap clean_up EXIT; $3" </dev/null 2>"$tmp/err")
	status=$?
	chmod -R u+rwx "$tmp/folder"
	if [ $status = 77 ]; then
		echo skip
		return
	fi
	text=$(printf '%s\n' "$got" | one_line)
	# Not the shell's own words about a process that was killed.
	grep -Evqw 'Killed|Terminated|Hangup' "$tmp/err" && text="$text + message"
	echo "$status${text:+ ${text# }}"
}

# rows: USE, FLOCK, EVFLOCK, WHY of each line, separated by tabs
rows() {
	awk '/^\| `/ {
		gsub(/\\\|/, "\001")
		split(substr($0, 4), cell, " *\\| *")
		sub(/`$/, "", cell[1])
		for (i = 1; i <= 4; i++)
			gsub("\001", "|", cell[i])
		print cell[1] "\t" cell[2] "\t" cell[3] "\t" cell[4]
	}' "$abs_top_srcdir/doc/evflock.md"
}

rows | grep -F -e "${1-}" >"$tmp/rows"
same=0 on_purpose=0 alone=0 by_mistake=0 skipped=0

# count FLOCK EVFLOCK: what the line says of the two
count() {
	if [ "$1" = - ]; then
		alone=$((alone + 1))
	elif [ "$2" = same ]; then
		same=$((same + 1))
	else
		on_purpose=$((on_purpose + 1))
	fi
}

tab=$(printf '\t')
while IFS=$tab read -r use wanted_of_flock wanted why; do
	[ "$wanted" != same ] || wanted=$wanted_of_flock
	other=${flock:-$evflock}
	got=$(outcome "$evflock" "$other" "$use")
	if [ "$got" = skip ]; then
		n=$((n + 1))
		echo "ok $n - $use # SKIP"
		skipped=$((skipped + 1))
		continue
	fi
	is "$use" "$got" "$wanted"
	if [ "$got" != "$wanted" ]; then
		by_mistake=$((by_mistake + 1))
	elif [ "$wanted_of_flock" != - ] && [ "$wanted" != "$wanted_of_flock" ]; then
		count "$wanted_of_flock" differs
		is "a reason is given: $use" "${why:+yes}" yes
	else
		count "$wanted_of_flock" same
	fi
	if [ "$flock" ] && [ "$wanted_of_flock" != - ]; then
		is "flock(1): $use" "$(outcome "$flock" "$evflock" "$use")" "$wanted_of_flock"
	fi
done <"$tmp/rows"
echo "# uses: $((same + on_purpose)) with both: $same same, $on_purpose different on purpose," \
	"$by_mistake different by mistake; $alone of evflock alone; $skipped skipped"
done_testing
