#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
#
# Runs test/etcd/secure against an etcd of its own, which has TLS, users, and tokens that last two
# seconds.  By hand: as real.sh.

. "$(dirname "$0")/node.sh"
command -v openssl >/dev/null || {
	echo '1..0 # SKIP openssl is not installed; it makes the certificates'
	exit 0
}

# certificate NAME SUBJECT-ALTERNATIVES: signed by the authority, or by none
authority() {
	openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj "/CN=$1" \
		-keyout "$tmp/$1.key" -out "$tmp/$1.crt" 2>/dev/null
}
certificate() {
	openssl req -newkey rsa:2048 -nodes -subj "/CN=$1" -keyout "$tmp/$1.key" 2>/dev/null |
		openssl x509 -req -days 2 -CA "$tmp/authority.crt" -CAkey "$tmp/authority.key" \
			-CAcreateserial -out "$tmp/$1.crt" \
			-extfile "$tmp/$1.ext" 2>/dev/null
}
authority authority
authority stranger
echo 'subjectAltName=IP:127.0.0.1' >"$tmp/server.ext"
certificate server

ETCDCTL_FLAGS="--cacert=$tmp/authority.crt"
start_somewhere https --cert-file "$tmp/server.crt" --key-file "$tmp/server.key" \
	--auth-token-ttl 2
control() { etcdctl $ETCDCTL_FLAGS --endpoints="$url" "$@" >/dev/null; }
control user add root:r
control user add guest:g
control role add guests
control role grant-permission guests --prefix=true readwrite open/
control user grant-role guest guests
control user grant-role root root
control auth enable

EVLOCK_ETCD_URL=$url EVLOCK_ETCD_FOLDER=$tmp
export EVLOCK_ETCD_URL EVLOCK_ETCD_FOLDER
run "$abs_top_builddir/test/etcd/secure" --tap=- "$@"
