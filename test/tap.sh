# SPDX-License-Identifier: BSD-3-Clause
#
# Shared by the test scripts.  They read it with `.`, and end with done_testing.

n=0
setting=	# the prefix of each test's name
# is WHAT GOT WANTED
is() {
	n=$((n + 1))
	if [ "$2" = "$3" ]; then
		printf '%s\n' "ok $n - $setting$1"
	else
		printf '%s\n' "not ok $n - $setting$1"
		printf 'got:\n%s\nwanted:\n%s\n' "$2" "$3" | sed 's/^/# /'
	fi
}

skip_all() {
	echo "1..0 # SKIP $1"
	exit 0
}

done_testing() { echo "1..$n"; }

# make_runner SCRIPT PROGRAM: makes a script that becomes the program, under valgrind if the
# tests run under it.  The process of the script can then be sent signals.
make_runner() {
	[ -z "$EVLOCK_TEST_WRAPPER" ] || set -- "$1" "$2" "$LIBTOOL --mode=execute $EVLOCK_TEST_WRAPPER"
	printf '#!/bin/sh\nexec %s %s "$@"\n' "$3" "$2" >"$1"
	chmod +x "$1"
}

# until_true COMMAND...: tries again and again, for a minute at most
until_true() {
	tries=0
	until "$@"; do
		tries=$((tries + 1))
		[ $tries -lt 600 ] || return 1
		sleep 0.1
	done
}

# hear: reads the next line from the FIFO `said` into $heard.  The writer of the line before may
# close the FIFO only now.  Then the FIFO ends without a line, and is read again.
hear() {
	until read -r heard <said; do :; done
}
