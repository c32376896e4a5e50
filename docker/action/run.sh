#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# What action.yml does: runs the harness image, sets outputs. Its input is the environment:
# ARGS, AGAINST, TURNPIKE_KEY, HTML, IMAGE, and GitHub's GITHUB_WORKSPACE and GITHUB_OUTPUT.
# Exit status: the harness's; 2 a wrong input; 125 to 127 Docker's own; 1 no Docker, or nothing was played.
set -euo pipefail

die() {
	echo "turnpike action: $1" >&2
	exit "${2:-1}"
}

[ -n "${GITHUB_WORKSPACE:-}" ] || die "GITHUB_WORKSPACE is not set: this runs as a step of a GitHub workflow" 2
HTML=${HTML:-}
case $HTML in
'') die "html: name a file, as report/calls.html" 2 ;;
/*) die "html: $HTML: name a file below the workspace, without a leading /" 2 ;;
.. | ../* | */../* | */..) die "html: $HTML: must not leave the workspace" 2 ;;
*[:$'\n']*) die "html: $HTML: Docker takes no colon or line break in a folder's name" 2 ;;
.html | */.html) die "html: $HTML: a name is missing before .html" 2 ;;
*.html) ;;
*) die "html: $HTML: must end with .html" 2 ;;
esac
case ${AGAINST:-} in
'' | https://?*) ;;
*) die "against: $AGAINST: write https://HOST[:PORT]" 2 ;;
esac
command -v docker >/dev/null || die "docker is not installed on this runner: use one that has it (ubuntu-*)"
docker version --format '{{.Server.Version}}' >/dev/null || die "no Docker daemon answers on this runner"

report=$GITHUB_WORKSPACE/$(dirname "$HTML")
name=$(basename "$HTML" .html)
mkdir -p "$report"
# What an earlier step left must not be taken for ours.
rm -f "$report/$name".{html,xml,json}

image=${IMAGE:-}
if [ -z "$image" ]; then
	image=turnpike-harness
	root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
	docker build -t $image -f "$root/docker/harness.Dockerfile" "$root" || die "the harness image does not build"
fi

read -ra args <<<"${ARGS:-}" # words; no shell reads them
if [ -n "${AGAINST:-}" ]; then
	# no lab: the runner's own network, and no rights; the reports are the runner's
	flags=(--network host --cap-drop ALL --security-opt no-new-privileges --user "$(id -u):$(id -g)" -e HOME=/tmp)
	args=(--against "$AGAINST" "${args[@]}")
else
	# Namespaces in a container: two capabilities, /proc to mount, no AppArmor profile. tayga
	# wants the tun device.
	flags=(--cap-add NET_ADMIN --cap-add SYS_ADMIN --security-opt systempaths=unconfined
		--security-opt apparmor=unconfined)
	[ ! -e /dev/net/tun ] || flags+=(--device /dev/net/tun)
fi

status=0
docker run --rm "${flags[@]}" -e TURNPIKE_KEY -v "$report:/report" "$image" run "${args[@]}" \
	--html "/report/$name.html" --junit "/report/$name.xml" --json "/report/$name.json" || status=$?
{
	echo "html=$report/$name.html"
	echo "junit=$report/$name.xml"
	echo "json=$report/$name.json"
	echo "status=$status"
} >>"${GITHUB_OUTPUT:-/dev/null}"

[ $status -lt 125 ] || echo "turnpike action: Docker could not run $image (status $status)" >&2
# Green means that something was played.
[ $status != 0 ] || grep -q '<testcase' "$report/$name.xml" ||
	die "the harness played nothing: there is no test in $report/$name.xml"
exit $status
