# SPDX-License-Identifier: BSD-3-Clause
#
# What test scripts share; they read it with `.`, and end with done_testing.

n=0
setting=	# what the name of each test begins with
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

# make_runner SCRIPT PROGRAM: a script that becomes the program, under valgrind if the
# tests are, so that its process can be sent signals
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

# hear: the next line that somebody writes to the FIFO `said`, as $heard.  Whoever wrote the
# last one may not have closed it yet: that is an end without a line.
hear() {
	until read -r heard <said; do :; done
}
