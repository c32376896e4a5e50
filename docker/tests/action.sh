#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# The action without Docker: that action.yml, run.sh and the guide name the same inputs and outputs, and what
# run.sh makes of inputs and of failures. Docker's part is played here by a script that notes how it
# was called; ./dev docker-test plays it with the real one.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
yml=action/action.yml run=action/run.sh guide=../docs/docker.md
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
failed=0

fail() {
	failed=$((failed + 1))
	echo "FAILED  $1"
}

# same WHAT LIST LIST
same() {
	[ -n "$2" ] && [ "$2" = "$3" ] || fail "$1: $(echo $2) | $(echo $3)"
}

# ---- action.yml ----

# keys SECTION: the names in it, each of which must have a description
keys() {
	awk -v section="$1:" '
		/^[a-z]/ { inside = $1 == section }
		inside && /^  [a-z]+:$/ { sub(":", "", $1); name = $1; print name }
		inside && /^    description: ./ { described[name] = 1 }
		inside && /^    value: / { print name, $3 >"/dev/stderr" }
		END { for (n in described) c++; if (!c) exit 1 }' $yml
}

inputs=$(keys inputs)
outputs=$(keys outputs 2>"$tmp/values")
same "each input is used, and what is used is declared" "$(sort <<<"$inputs")" \
	"$(grep -o '\${{ inputs\.[a-z]* }}' $yml | sed 's/.*\.//; s/ .*//' | sort -u)"
same "each output is the step's of that name" "$(sed 's/.*/& steps.run.outputs.&/' <<<"$outputs")" "$(cat "$tmp/values")"
same "run.sh sets each output" "$(sort <<<"$outputs")" "$(sed -n 's/^\techo "\([a-z]*\)=.*/\1/p' $run | sort)"
same "each has a description" "$(wc -w <<<"$inputs $outputs")" "$(grep -c '^    description: .' $yml)"
same "an input that may be left out has a default" "$(wc -w <<<"$inputs")" "$(grep -c '^    default: ' $yml)"
for variable in $(sed -n '/^      env:/,/^      run:/s/^        \([A-Z_]*\):.*/\1/p' $yml); do
	grep -q "\b$variable\b" <(sed 1,6d $run) || fail "run.sh does not use $variable"
done
grep -q '^  using: composite$' $yml && grep -q '^      shell: bash$' $yml || fail "no composite action with a shell"
[ -x $run ] || fail "run.sh is no program"
same "the guide has each input" "$(sort <<<"$inputs")" \
	"$(sed -n '/^| Input /,/^$/s/^| \(`.*`\) |.*/\1/p' $guide | tr -cd 'a-z\n,' | tr , '\n' | sort)"

# ---- run.sh ----

mkdir -p "$tmp/bin" "$tmp/work/report" "$tmp/none"
for tool in bash dirname basename mkdir rm grep id cat; do ln -s "$(command -v $tool)" "$tmp/none/$tool"; done
cat >"$tmp/bin/docker" <<'EOS'
#!/bin/sh
printf '%s\n' "$*" >>"$CALLS"
case $1 in
version) exit "${VERSION_STATUS:-0}" ;;
build) exit "${BUILD_STATUS:-0}" ;;
run) [ -z "${JUNIT:-}" ] || printf '%s' "$JUNIT" >"$GITHUB_WORKSPACE/report/calls.xml"; exit "${RUN_STATUS:-0}" ;;
esac
EOS
chmod 755 "$tmp/bin/docker"

# action STATUS WORDS [VARIABLE=VALUE ...]: it ends so, and says or had Docker do WORDS
action() {
	local want=$1 words=$2 got=0
	shift 2
	rm -f "$tmp/calls" "$tmp/outputs"
	env -u AGAINST -u ARGS -u IMAGE -u TURNPIKE_KEY PATH="$tmp/bin:$PATH" CALLS="$tmp/calls" \
		GITHUB_WORKSPACE="$tmp/work" GITHUB_OUTPUT="$tmp/outputs" HTML=report/calls.html \
		JUNIT='<testsuite><testcase name="a"/></testsuite>' "$@" bash $run >"$tmp/said" 2>&1 || got=$?
	cat "$tmp/calls" >>"$tmp/said" 2>/dev/null || true
	[ $got = "$want" ] && grep -qF -- "$words" "$tmp/said" || {
		fail "${*:-plain}: exit $got, not $want, or it does not say: $words"
		sed 's/^/        /' "$tmp/said"
	}
}

action 0 "build -t turnpike-harness -f $(cd .. && pwd)/docker/harness.Dockerfile $(cd .. && pwd)"
action 0 "-v $tmp/work/report:/report turnpike-harness run --html /report/calls.html --junit /report/calls.xml --json /report/calls.json"
action 0 "--cap-add NET_ADMIN --cap-add SYS_ADMIN --security-opt systempaths=unconfined"
same "outputs" "html=$tmp/work/report/calls.html junit=$tmp/work/report/calls.xml json=$tmp/work/report/calls.json status=0" \
	"$(paste -sd' ' "$tmp/outputs")"
action 0 "image.example/h:1 run --only a;b \$(c) --html" IMAGE=image.example/h:1 ARGS='--only a;b  $(c)'
! grep -q ^build "$tmp/calls" || fail "a ready image is built"
action 0 "--cap-drop ALL --security-opt no-new-privileges --user $(id -u):$(id -g)" AGAINST=https://turn.example.org
action 0 "run --against https://turn.example.org --insecure --html" AGAINST=https://turn.example.org ARGS=--insecure
action 0 "-e TURNPIKE_KEY " TURNPIKE_KEY=of-nobodys-business
! grep -q of-nobodys-business "$tmp/said" || fail "the key is to be seen"

# what fails, fails the step, and says so
for status in 1 2 3 4; do
	action $status "run --rm" RUN_STATUS=$status IMAGE=x
	same "status" "status=$status" "$(grep ^status "$tmp/outputs")"
done
action 125 "Docker could not run x" RUN_STATUS=125 IMAGE=x JUNIT=
action 1 "the harness played nothing" JUNIT=
action 1 "the harness played nothing" JUNIT='<testsuite tests="0"></testsuite>'
echo '<testcase/>' >"$tmp/work/report/calls.xml"
action 1 "the harness played nothing" JUNIT= # what was there is not ours
action 1 "does not build" BUILD_STATUS=1
action 1 "no Docker daemon" VERSION_STATUS=1
action 1 "docker is not installed" PATH="$tmp/none"
action 2 "GITHUB_WORKSPACE is not set" GITHUB_WORKSPACE=
action 2 "name a file" HTML=
action 2 "without a leading /" HTML=/etc/x.html
for html in ../x.html a/../../x.html ..; do action 2 "must not leave" HTML=$html; done
action 2 "must end with .html" HTML=report
action 2 "a name is missing" HTML=report/.html
action 2 "no colon" HTML=a:b/c.html
action 2 "write https://" AGAINST=turn.example.org

[ $failed = 0 ] || { echo "$failed failed"; exit 1; }
