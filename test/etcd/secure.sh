#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
#
# Runs test/etcd/secure against an etcd of its own, which has TLS, users, and tokens that last two
# seconds.  By hand: as real.sh.

. "$(dirname "$0")/node.sh"
. "$(dirname "$0")/certificates.sh"
authority authority
authority stranger
certificate server IP:127.0.0.1

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
