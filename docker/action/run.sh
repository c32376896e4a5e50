#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# What action.yml does: runs the harness image, sets outputs. Its input is the environment:
# ARGS, AGAINST, TURNPIKE_KEY, HTML, IMAGE, and GitHub's GITHUB_WORKSPACE and GITHUB_OUTPUT.
set -euo pipefail
: "${GITHUB_WORKSPACE:?the action runs in a GitHub workflow}" "${HTML:?html: name a file}"

case $HTML in
/*) echo "html: $HTML: name a file below the workspace, without a leading /" >&2; exit 2 ;;
../* | */../* | */..) echo "html: $HTML: must not leave the workspace" >&2; exit 2 ;;
*.html) ;;
*) echo "html: $HTML: must end with .html" >&2; exit 2 ;;
esac
report=$GITHUB_WORKSPACE/$(dirname "$HTML")
name=$(basename "$HTML" .html)
mkdir -p "$report"

image=${IMAGE:-}
if [ -z "$image" ]; then
	image=turnpike-harness
	root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
	docker build ${BUILD_FLAGS:-} -t $image -f "$root/docker/harness.Dockerfile" "$root"
fi

read -ra args <<<"${ARGS:-}" # words; no shell reads them
if [ -n "${AGAINST:-}" ]; then
	# no lab: the runner's own network, and no rights
	flags=(--network host --cap-drop ALL --security-opt no-new-privileges)
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
exit $status
