#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Copies a renewed certificate to a place that Turnpike, which is not root, can read, and reloads it.
#
#   certbot:  certbot certonly ... --deploy-hook /path/to/install-cert.sh
#   by hand:  install-cert.sh FULLCHAIN KEY
#
# CERT_DIR    folder of fullchain.pem and privkey.pem (/etc/turnpike/tls)
# CERT_GROUP  group that may read the key (turnpike)
# CERT_DATA   data directory of the server (/var/lib/turnpike)
set -eu
umask 077

dir=${CERT_DIR:-/etc/turnpike/tls}
group=${CERT_GROUP:-turnpike}
if [ -n "${RENEWED_LINEAGE:-}" ]; then # set by certbot
	set -- "$RENEWED_LINEAGE/fullchain.pem" "$RENEWED_LINEAGE/privkey.pem"
fi
[ $# = 2 ] || { echo "usage: $0 FULLCHAIN KEY (or RENEWED_LINEAGE from certbot)" >&2; exit 2; }

# Copies the file beside its place and renames it, so that there is never half a file. The server takes
# no pair that does not match, so the moment between the two renames does no harm.
put() {
	cp "$1" "$dir/.$2.new"
	chmod "$3" "$dir/.$2.new"
	if [ "$(id -u)" = 0 ]; then
		chgrp "$group" "$dir/.$2.new"
	fi
	mv -f "$dir/.$2.new" "$dir/$2"
}

(umask 022 && mkdir -p "$dir") # and the folders above it: the server must be able to reach it
chmod 755 "$dir"
put "$2" privkey.pem 640
put "$1" fullchain.pem 644

# The server would find the files by itself within two seconds; this way certbot learns of a refusal.
if command -v turnpike >/dev/null && [ -e "${CERT_DATA:-/var/lib/turnpike}/turnpike.lock" ]; then
	turnpike --data "${CERT_DATA:-/var/lib/turnpike}" reload
fi
