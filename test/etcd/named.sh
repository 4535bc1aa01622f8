#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
#
# Runs test/etcd/named against an etcd of its own, which knows its users by their certificates.  By
# hand: as real.sh.

. "$(dirname "$0")/node.sh"
. "$(dirname "$0")/certificates.sh"
authority authority
certificate server IP:127.0.0.1
certificate root DNS:root
certificate alice DNS:alice

ETCDCTL_FLAGS="--cacert=$tmp/authority.crt --cert=$tmp/root.crt --key=$tmp/root.key"
start_somewhere https --cert-file "$tmp/server.crt" --key-file "$tmp/server.key" \
	--client-cert-auth --trusted-ca-file "$tmp/authority.crt"
control() { etcdctl $ETCDCTL_FLAGS --endpoints="$url" "$@" >/dev/null; }
control user add root:r
control user add alice:a
control role add guests
control role grant-permission guests --prefix=true readwrite open/
control user grant-role alice guests
control user grant-role root root
control auth enable

EVLOCK_ETCD_URL=$url EVLOCK_ETCD_FOLDER=$tmp
export EVLOCK_ETCD_URL EVLOCK_ETCD_FOLDER
run "$abs_top_builddir/test/etcd/named" --tap=- "$@"
