# SPDX-License-Identifier: BSD-3-Clause
#
# Certificates for the tests, in $tmp.  Sourced, after node.sh.

command -v openssl >/dev/null || {
	echo '1..0 # SKIP openssl is not installed; it makes the certificates'
	exit 0
}

# authority NAME: an authority with a certificate that it signs itself
authority() {
	openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj "/CN=$1" \
		-keyout "$tmp/$1.key" -out "$tmp/$1.crt" 2>/dev/null
}

# certificate NAME SUBJECT-ALTERNATIVES: signed by the authority
certificate() {
	echo "subjectAltName=$2" >"$tmp/$1.ext"
	openssl req -newkey rsa:2048 -nodes -subj "/CN=$1" -keyout "$tmp/$1.key" 2>/dev/null |
		openssl x509 -req -days 2 -CA "$tmp/authority.crt" -CAkey "$tmp/authority.key" \
			-CAcreateserial -out "$tmp/$1.crt" -extfile "$tmp/$1.ext" 2>/dev/null
}
