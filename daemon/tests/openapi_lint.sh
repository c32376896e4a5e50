#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# The description of the HTTP interface under Redocly's linter: no error and no warning.
# usage: openapi_lint.sh REDOCLY_FOLDER OPENAPI_JSON
set -eu
redocly=$1/node_modules/.bin/redocly
if [ ! -x "$redocly" ]; then
	echo "SKIPPED: $1 has no Redocly CLI: './dev test' installs it with npm, where there is a network" >&2
	exit 77
fi
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cd "$scratch" # no configuration but the built-in one
export REDOCLY_TELEMETRY=off REDOCLY_SUPPRESS_UPDATE_NOTICE=true
status=0
"$redocly" lint --max-problems=200 "$2" >out 2>&1 || status=$?
cat out
[ $status = 0 ]
if grep -iq 'warning' out; then
	exit 1
fi
# It does find faults: without what it says of security, it is not content.
sed 's/,"security":\[\]//g' "$2" >spoilt.json
cmp -s "$2" spoilt.json && exit 1
if "$redocly" lint spoilt.json >out 2>&1; then
	echo "a description without \"security\" was taken"
	exit 1
fi
