#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Puts a renewed certificate where Turnpike, which is not root, can read it, and has it loaded.
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
if [ -n "${RENEWED_LINEAGE:-}" ]; then # certbot says so
	set -- "$RENEWED_LINEAGE/fullchain.pem" "$RENEWED_LINEAGE/privkey.pem"
fi
[ $# = 2 ] || { echo "usage: $0 FULLCHAIN KEY (or RENEWED_LINEAGE from certbot)" >&2; exit 2; }

# Beside its place and then renamed: there is never half a file. The server takes no pair that does
# not match, so the moment between the two names does no harm.
put() {
	cp "$1" "$dir/.$2.new"
	chmod "$3" "$dir/.$2.new"
	if [ "$(id -u)" = 0 ]; then
		chgrp "$group" "$dir/.$2.new"
	fi
	mv -f "$dir/.$2.new" "$dir/$2"
}

(umask 022 && mkdir -p "$dir") # and the folders above it: the server has to get through
chmod 755 "$dir"
put "$2" privkey.pem 640
put "$1" fullchain.pem 644

# It would find them by itself within two seconds; like this, certbot hears of a refusal.
if command -v turnpike >/dev/null && [ -e "${CERT_DATA:-/var/lib/turnpike}/turnpike.lock" ]; then
	turnpike --data "${CERT_DATA:-/var/lib/turnpike}" reload
fi
