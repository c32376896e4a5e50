#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# The systemd unit is one, and confined: unit.sh TURNPIKE docs/examples/turnpike.service
# Exit 77 (skipped) without systemd-analyze, but under CI=true.
set -eu
THRESHOLD=17 # of systemd's "exposure", in tenths: what it is, 1.7 of 10; nothing may be taken away
program=$1 unit=$2
if ! command -v systemd-analyze >/dev/null; then
	echo "unit.sh: no systemd-analyze here: install the package systemd" >&2
	[ "${CI:-}" != true ] || exit 1
	exit 77
fi
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
# verify wants the program to be there
sed "s|/usr/bin/turnpike|$program|" "$unit" >"$dir/turnpike.service"
said=$(systemd-analyze verify --man=no --generators=no "$dir/turnpike.service" 2>&1) || {
	echo "$said"
	exit 1
}
# a flag would beat what the file says, in silence
if grep -E '^Exec.*--data' "$unit"; then
	echo "unit.sh: the unit names the data, over the file's head" >&2
	exit 1
fi
# what it ignores, it warns of
if echo "$said" | grep turnpike.service; then
	exit 1
fi
systemd-analyze security --offline=true --no-pager --threshold=$THRESHOLD "$dir/turnpike.service" || {
	echo "unit.sh: the unit is more exposed than $THRESHOLD tenths" >&2
	exit 1
}
