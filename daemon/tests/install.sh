#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# What `cmake --install` puts where an operator looks for it: install.sh BUILD_DIR UNIT_CHECK
set -eu
build=$1 unit_check=$2
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT

missing=0
has() {
	[ -e "$1" ] || { echo "install.sh: there is no $1" >&2; missing=1; }
}

cmake --install "$build" --component server --prefix "$dir/prefix" >"$dir/said" || { cat "$dir/said"; exit 1; }
for f in bin/turnpike bin/turnpike-install-cert share/man/man8/turnpike.8 share/man/man5/turnpike.conf.5 \
	lib/systemd/system/turnpike.service share/doc/turnpike/deploy.md share/doc/turnpike/LICENSE \
	share/doc/turnpike/turnpike.conf.example share/doc/turnpike/examples/turnpike.service; do
	has "$dir/prefix/$f"
done
[ $missing = 0 ] || exit 1
# Each names the others by where they are.
unit=$dir/prefix/lib/systemd/system/turnpike.service
if grep -E '^Exec' "$unit" | grep -vq "=$dir/prefix/bin/turnpike "; then
	echo "install.sh: the unit starts another program:" >&2
	grep ^Exec "$unit" >&2
	exit 1
fi
"$dir/prefix/bin/turnpike" --version
"$dir/prefix/bin/turnpike" --config "$dir/prefix/share/doc/turnpike/turnpike.conf.example" --data "$dir/data" check-config
# Below DESTDIR the paths are those of later.
DESTDIR=$dir/root cmake --install "$build" --component server --prefix /usr >"$dir/said" || { cat "$dir/said"; exit 1; }
grep -q '^ExecStart=/usr/bin/turnpike serve' "$dir/root/usr/lib/systemd/system/turnpike.service"

# ---- what coturn was configured with, made a service of that unit ----
root=$dir/root turnpike=$dir/root/usr/bin/turnpike
mkdir -p "$root/etc"
me=$(id -u) group=$(id -g) uid=$(id -u)
if [ "$me" = 0 ]; then # the user of the unit is another, as he would be
	uid=54321 group=54322
	chmod 755 "$dir" "$root"
fi
echo "turnpike:x:$uid:$uid::/var/lib/turnpike:/usr/sbin/nologin" >"$root/etc/passwd"
echo "turnpike:x:$group:" >"$root/etc/group"
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj /CN=turn.example.org \
	-keyout "$dir/key.pem" -out "$dir/cert.pem" 2>/dev/null
chmod 600 "$dir/key.pem"
cat >"$dir/turnserver.conf" <<TEXT
realm=turn.example.org
user=bob:builder
user-quota=12 # a remark
cert=$dir/cert.pem
pkey=$dir/key.pem
TEXT
fail() {
	echo "install.sh: $*" >&2
	cat "$dir/said" >&2
	exit 1
}
import() {
	"$turnpike" import-coturn "$dir/turnserver.conf" --install --root "$root" "$@" >"$dir/said" 2>&1
}
is() { # FILE MODE OWNER:GROUP
	[ "$(stat -c '%a %u:%g' "$root$1")" = "$2 $3" ] || fail "$1 is $(stat -c '%a %u:%g' "$root$1"), not $2 $3"
}
as_user= # the unit's; a word before a command, and no function: $! is then the command's own
[ "$me" != 0 ] || as_user="setpriv --reuid $uid --regid $group --clear-groups"

mv "$root/usr/lib/systemd/system/turnpike.service" "$dir/unit"
import && fail "it installs for no unit"
grep -q 'turnpike.service is not installed' "$dir/said" || fail "it does not say that there is no unit"
[ ! -e "$root/etc/turnpike.conf" ] && [ ! -e "$root/var" ] || fail "it leaves something though it was refused"
mv "$dir/unit" "$root/usr/lib/systemd/system/turnpike.service"

import || fail "it does not install"
is /etc/turnpike.conf 640 "$me:$group"
is /etc/turnpike/tls/privkey.pem 640 "$me:$group"
is /etc/turnpike/tls/fullchain.pem 644 "$me:$group"
is /var/lib/turnpike 700 "$uid:$group"
is /var/lib/turnpike/turnpike.db 600 "$uid:$group"
grep -q '^data = /var/lib/turnpike$' "$root/etc/turnpike.conf" || fail "the file does not name the data"
grep -q 'systemctl enable --now turnpike' "$dir/said" || fail "it does not say how to start it"
grep -q 'turnpike-install-cert' "$dir/said" || fail "it does not say how renewals come"
before=$(cat "$root/etc/turnpike.conf" "$root/etc/turnpike/tls/"* | sha256sum)

import || fail "a second run fails"
grep -q 'turnpike.conf: as it was' "$dir/said" || fail "a second run is none"
echo 'user-quota=13' >>"$dir/turnserver.conf"
import && fail "what is there is replaced unasked"
[ "$(cat "$root/etc/turnpike.conf" "$root/etc/turnpike/tls/"* | sha256sum)" = "$before" ] || fail "a refused run changes files"
import --force || fail "--force does not"
grep -q '^user_quota = 13$' "$root/etc/turnpike.conf" || fail "--force does not replace the file"
grep -q '^user_quota = 12$' "$root/etc/turnpike.conf.old" || fail "the old file is not kept"

# The unit's command, its user, its folders: it starts, and the server knows the users.
sed "s| = /etc/turnpike/| = $root/etc/turnpike/|; s| = /var/| = $root/var/|; s|^listen = .*|listen = 127.0.0.1:0|" \
	"$root/etc/turnpike.conf" >"$root/etc/here.conf"
chmod 640 "$root/etc/here.conf"
[ "$me" != 0 ] || chgrp $group "$root/etc/here.conf"
$as_user env -i "$turnpike" serve --config "$root/etc/here.conf" --drain-timeout 0 >"$dir/said" 2>&1 &
server=$!
trap 'kill -9 $server 2>/dev/null || true; rm -rf "$dir"' EXIT
i=0
until grep -q event=ready "$dir/said"; do
	i=$((i + 1))
	[ $i -lt 300 ] && kill -0 $server 2>/dev/null || fail "the server does not start with what was installed"
	sleep 0.1
done
$as_user "$turnpike" --config "$root/etc/here.conf" user list | grep -q bob || fail "the server does not know bob"
kill -TERM $server
wait $server || fail "the server does not end well"

# A unit's file without data: the folder that systemd made for it, and a file that names one, that.
echo "listen = 127.0.0.1:0" >"$dir/bare.conf"
env -i STATE_DIRECTORY="$dir/state" "$turnpike" --config "$dir/bare.conf" config >"$dir/said"
grep -q "$dir/state" "$dir/said" || fail "the unit's StateDirectory is not used"
env -i STATE_DIRECTORY="$dir/state" "$turnpike" --config "$root/etc/turnpike.conf" config >"$dir/said"
! grep -q "$dir/state" "$dir/said" || fail "the unit's StateDirectory beats the file"
sh "$unit_check" "$dir/prefix/bin/turnpike" "$unit"
