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
exec sh "$unit_check" "$dir/prefix/bin/turnpike" "$unit"
