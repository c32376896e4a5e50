#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# ./dev docker-test: builds both images and tries them as an operator runs them. Needs root, and
# Debian's docker.io. Everything happens in namespaces of its own, with a Docker daemon of its own:
# no rule, bridge, image or container of this machine is touched, and all of it ends with us.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

server=45.45.0.1 # public, as far as a peer policy is concerned; seen by nobody but us
peer=45.45.0.2
cache=
unset "${!TURNPIKE_@}"

usage() {
	cat <<'TEXT'
usage: ./dev docker-test [--cache DIR]
  --cache DIR   keep Docker's images and build cache there for the next time
TEXT
}

while [ $# -gt 0 ]; do
	case $1 in
	--cache) cache=${2:?--cache: write --cache DIR}; shift 2 ;;
	-h | --help) usage; exit 0 ;;
	*) usage >&2; exit 2 ;;
	esac
done
[ "$(id -u)" = 0 ] || { echo "docker-test: needs root: run ./dev docker-test with sudo" >&2; exit 1; }

tmp=$(mktemp -d /tmp/turnpike-docker-XXXXXX)
store=${cache:-$tmp/store}
mkdir -p "$store"
store=$(realpath "$store")
export DOCKER_HOST=unix://$tmp/docker.sock DOCKER_BUILDKIT=0 DOCKER_CONFIG=$tmp/config
daemon= inside= passed=0 failed=0

# ---- a daemon ----

# dies with its namespaces: containers, shims, mounts, bridges and rules too
daemon_stop() {
	[ -n "$daemon" ] || return 0
	docker ps -aq 2>/dev/null | xargs -r docker rm -f >/dev/null 2>&1 || true
	docker volume ls -q 2>/dev/null | xargs -r docker volume rm >/dev/null 2>&1 || true
	[ -z "$inside" ] || kill -TERM "$inside" 2>/dev/null || true
	for _ in $(seq 150); do
		kill -0 "$daemon" 2>/dev/null || break
		sleep 0.1
	done
	kill -KILL "$daemon" 2>/dev/null || true
	wait "$daemon" 2>/dev/null || true
	# Killed, it may still be dying, and must not answer for the next one.
	while [ -n "$inside" ] && kill -0 "$inside" 2>/dev/null; do sleep 0.1; done
	rm -f "$tmp/docker.sock"
	daemon= inside=
}

cleanup() {
	local status=$?
	trap - EXIT INT TERM HUP
	daemon_stop
	find /sys/fs/cgroup -depth -type d -path "*/turnpike-docker-$$*" -exec rmdir {} + 2>/dev/null || true
	rm -rf --one-file-system "$tmp"
	exit $status
}
trap cleanup EXIT
trap 'exit 130' INT TERM HUP

# daemon_start WHAT UNSHARE_ARGS SETUP DOCKERD_ARGS...
daemon_start() {
	local setup=$2
	# shellcheck disable=SC2086
	unshare --mount --pid --fork --kill-child --mount-proc $1 -- sh -c "$setup
		exec dockerd \"\$@\"" sh \
		--data-root "$store" --exec-root "$tmp/exec" --pidfile "$tmp/pid" \
		-H "$DOCKER_HOST" --cgroup-parent "turnpike-docker-$$" "${@:3}" >>"$tmp/dockerd.log" 2>&1 &
	daemon=$!
	for _ in $(seq 150); do
		inside=$(pgrep -P $daemon 2>/dev/null || true)
		[ -z "$inside" ] || ! docker info >/dev/null 2>&1 || return 0
		kill -0 $daemon 2>/dev/null || break
		sleep 0.2
	done
	echo "docker-test: dockerd does not start; the end of its log:" >&2
	tail -5 "$tmp/dockerd.log" >&2
	exit 1
}

# Runs on the containers' host.
on_host() {
	nsenter -t "$inside" --net -- "$@"
}

in_daemon() {
	nsenter -t "$inside" --net --pid --mount -- "$@"
}

# ---- what must hold ----

say() {
	printf '\033[1m== %s\033[0m\n' "$*"
}

pass() {
	passed=$((passed + 1))
	printf 'ok      %s\n' "$1"
}

fail() {
	failed=$((failed + 1))
	printf 'FAILED  %s\n' "$1"
	[ -z "${2:-}" ] || tail -n 15 "$2" | sed 's/^/        /'
}

# check WHAT COMMAND...: it succeeds
check() {
	local what=$1
	shift
	if "$@" >"$tmp/out" 2>&1; then pass "$what"; else fail "$what" "$tmp/out"; fi
}

# refuse WHAT COMMAND...: it fails
refuse() {
	local what=$1
	shift
	if "$@" >"$tmp/out" 2>&1; then fail "$what" "$tmp/out"; else pass "$what"; fi
}

is() {
	[ "$1" = "$2" ] || { echo "is: $1"; echo "not: $2"; return 1; }
}

# becomes STATE CONTAINER: its own health check says so, not we
becomes() {
	local state i
	for ((i = 0; i < 150; i++)); do
		state=$(docker inspect -f '{{.State.Health.Status}}' "$2")
		[ "$state" != "$1" ] || return 0
		sleep 0.2
	done
	docker inspect -f '{{json .State}}' "$2"
	docker logs "$2" 2>&1 | tail
	return 1
}

healthy() {
	becomes healthy "$1"
}

# uclient ARGS...: a foreign client, coturn's, on the containers' host. It exits 0 whatever was lost.
# Without channels: the numbers that it picks for them are RFC 5766's.
uclient() {
	docker run --rm --network host --entrypoint /opt/coturn/usr/bin/turnutils_uclient turnpike-build -s "$@"
}

relays() {
	uclient "$@" >"$tmp/uclient" 2>&1 || true
	cat "$tmp/uclient"
	grep -q 'Total lost packets 0 (0.000000%)' "$tmp/uclient" && ! grep -q 'tot_recv_msgs=0$' "$tmp/uclient"
}

# What both forms are started with.
hardened=(--read-only --cap-drop ALL --security-opt no-new-privileges
	--health-interval 1s --health-timeout 3s --health-retries 2)

# ---- the images ----

base_image() {
	[ -z "$(docker images -q debian:bookworm-slim)" ] || return 0
	if timeout 20 docker pull -q debian:bookworm-slim >/dev/null 2>&1; then
		echo "base image: Debian's own"
		return 0
	fi
	echo "base image: no registry can be reached, made with debootstrap"
	debootstrap --variant=minbase bookworm "$tmp/root" >"$tmp/debootstrap.log" 2>&1 ||
		{ tail -5 "$tmp/debootstrap.log" >&2; exit 1; }
	# what Debian's slim images leave out too
	tar -C "$tmp/root" --exclude='./var/cache/apt/*' --exclude='./var/lib/apt/lists/*' \
		--exclude='./usr/share/doc/*' --exclude='./usr/share/man/*' --exclude='./usr/share/info/*' \
		--exclude='./usr/share/locale/*' --exclude='./var/log/*' -cf - . |
		docker import - debian:bookworm-slim >/dev/null
	rm -rf "$tmp/root"
}

image() {
	docker build --network host "$@" . >"$tmp/build.log" 2>&1 && return 0
	tail -30 "$tmp/build.log" >&2
	echo "docker-test: the image does not build" >&2
	exit 1
}

bytes() {
	docker inspect -f '{{.Size}}' "$1"
}

size() {
	local name=$1 all base
	all=$(bytes "$name") base=$(bytes debian:bookworm-slim)
	printf 'size    %-18s %4d MB: the base %d MB, ours %d MB\n' "$name" $((all / 1000000)) \
		$((base / 1000000)) $(((all - base) / 1000000))
}

# What a program's packages are: those of the base not among them.
packages() {
	docker run --rm --network none --entrypoint dpkg-query "$1" -W -f '${Package}\n' | sort
}

others_turn() {
	docker create --name look "$1" x >/dev/null
	docker export look | tar -t | grep -iE 'turnserver|turnadmin|turnutils|coturn'
}

contents() {
	# The tree, but for this folder, and nothing of it lost to .dockerignore.
	if git -c safe.directory='*' ls-files ':!docker' >"$tmp/listed" 2>/dev/null; then
		docker run --rm --network none turnpike-build find /src -type f -printf '%P\n' | sort >"$tmp/context"
		check "image: every file of the tree reaches the build" sh -c \
			'! sort "$1" | comm -23 - "$2" | grep .' sh "$tmp/listed" "$tmp/context"
	fi
	packages debian:bookworm-slim >"$tmp/base"
	packages turnpike >"$tmp/ours"
	{ docker run --rm --network none turnpike-build cat /build/turnpike.packages; echo libwebsockets-evlib-uv; } |
		sort >"$tmp/linked"
	check "image: no package but those of what is linked" sh -c \
		'! comm -13 "$1" "$2" | comm -23 - "$3" | grep .' sh "$tmp/base" "$tmp/ours" "$tmp/linked"
	check "image: this would find another TURN server" others_turn turnpike-build
	docker rm look >/dev/null || true
	refuse "image: there is none in it" others_turn turnpike
	docker rm look >/dev/null || true
}

build_images() {
	base_image
	image --target build -t turnpike-build -f docker/Dockerfile
	image -t turnpike -f docker/Dockerfile
	image -t turnpike-harness -f docker/harness.Dockerfile
	size turnpike
	size turnpike-harness
	check "image: under 100 MB, base and all" [ "$(bytes turnpike)" -lt 100000000 ]
	check "image: an ordinary user" is "$(docker inspect -f '{{.Config.User}}' turnpike)" 999:999
	check "image: stops by SIGTERM" is "$(docker inspect -f '{{.Config.StopSignal}}' turnpike)" SIGTERM
	check "image: a volume" is "$(docker inspect -f '{{json .Config.Volumes}}' turnpike)" '{"/data":{}}'
	check "image: our own program is asked for its health" is \
		"$(docker inspect -f '{{json .Config.Healthcheck.Test}}' turnpike)" '["CMD","/usr/bin/turnpike","health"]'
	check "image: labelled" is \
		"$(docker inspect -f '{{index .Config.Labels "org.opencontainers.image.licenses"}}' turnpike)" BSD-3-Clause
	contents
}

# ---- the forms ----

host_form() {
	local pid
	docker volume create data >/dev/null
	docker run -d --name host --network host "${hardened[@]}" -v data:/data \
		-e TURNPIKE_DRAIN_TIMEOUT=20 turnpike >/dev/null
	check "host form: healthy" healthy host
	pid=$(docker exec host sh -c 'cat /proc/1/status')
	check "host form: no capability, not even to gain" sh -c \
		'echo "$1" | grep -q "^CapBnd:.0000000000000000$" && echo "$1" | grep -q "^NoNewPrivs:.1$" && echo "$1" | grep -q "^Uid:.999"' sh "$pid"
	refuse "host form: the root is read-only" docker exec host sh -c ': >/usr/bin/x'
	refuse "health: says when nobody answers" docker exec -e TURNPIKE_LISTEN=127.0.0.1:9 host turnpike health
	docker kill -s STOP host >/dev/null
	check "health: a server that hangs is unhealthy" becomes unhealthy host
	docker kill -s CONT host >/dev/null
	check "health: and is well again" healthy host
	printf wonderland | docker exec -i host turnpike user add alice --password-stdin >"$tmp/out" 2>&1 ||
		cat "$tmp/out"
	check "host form: relays over UDP to a peer" relays -e $peer -n 50 -c -u alice -w wonderland $server
	check "host form: relays over TCP to a peer" relays -t -e $peer -n 50 -c -u alice -w wonderland $server
	check "host form: relays between two clients" relays -y -n 50 -c -u alice -w wonderland $server
	refuse "host form: a wrong password relays nothing" relays -e $peer -n 5 -c -u alice -w wrong $server
}

# A call of two real browsers, directly and by each TURN URI.
browser_call() {
	local key
	key=$(docker exec "$1" turnpike token add browsers --json | sed -n 's/.*"token": *"\([^"]*\)".*/\1/p')
	check "$2: calls between browsers, direct and relayed by each TURN URI" \
		docker run --rm --network host -e TURNPIKE_KEY="$key" turnpike-harness \
		run --against "https://$server:8080" --insecure --expect udp,tcp
	grep -E '^against-|passed in' "$tmp/out" | sed 's/^/        /' || true
}

drains() {
	local client began ended status=0
	# A client over UDP leaves its allocation behind: begin with none, and end over TCP, where
	# the allocation ends with the connection.
	docker restart -t 0 host >/dev/null
	healthy host >/dev/null || true
	check "drain: nothing runs at first" [ "$(allocations)" = 0 ]
	# 6 s of packets; what is lost tells whether the stop cut them off
	relays -t -e $peer -n 300 -z 20 -c -u alice -w wonderland $server >"$tmp/drain" 2>&1 &
	client=$!
	for _ in $(seq 50); do
		[ "$(allocations)" = 0 ] || break
		sleep 0.1
	done
	check "drain: an allocation runs" [ "$(allocations)" != 0 ]
	began=$(date +%s%N)
	docker stop -t 40 host >/dev/null
	ended=$(date +%s%N)
	wait $client || status=$?
	if [ $status = 0 ]; then
		pass "drain: the running allocation lost nothing"
	else
		fail "drain: the running allocation lost nothing" "$tmp/drain"
	fi
	check "drain: the stop waited for it ($(((ended - began) / 1000000)) ms)" [ $((ended - began)) -gt 2000000000 ]
	check "drain: and for nothing else" [ $((ended - began)) -lt 18000000000 ]
	check "drain: the end is clean" is "$(docker inspect -f '{{.State.ExitCode}}' host)" 0
	docker rm host >/dev/null
}

allocations() {
	docker exec host turnpike metrics 2>/dev/null |
		awk '/^turnpike_turn_allocations / { n += $NF } END { print n + 0 }'
}

restarts() {
	docker run -d --name host --network host "${hardened[@]}" -v data:/data turnpike >/dev/null
	check "restart: healthy" healthy host
	check "restart: the data is kept" relays -e $peer -n 10 -c -u alice -w wonderland $server
}

# The published range is small, and nothing but it is open.
bridged_form() {
	docker run -d --name bridged "${hardened[@]}" -v data:/data \
		-p 3478:3478/udp -p 3478:3478/tcp -p 8080:8080/tcp -p 49152-49200:49152-49200/udp \
		-e TURNPIKE_RELAY_PORTS=49152-49200 -e TURNPIKE_EXTERNAL_IP=$server turnpike >/dev/null
	check "bridged form: healthy" healthy bridged
	check "bridged form: relays over UDP to a peer" relays -e $peer -n 50 -c -u alice -w wonderland $server
	check "bridged form: relays over TCP to a peer" relays -t -e $peer -n 50 -c -u alice -w wonderland $server
	check "bridged form: relays between two clients" relays -y -n 50 -c -u alice -w wonderland $server
	docker rm -f bridged >/dev/null
}

# As the file says, in both forms; Debian's docker-compose reads it as Docker's own does.
compose() {
	PUBLIC_HOST=$server EXTERNAL_IP=$server docker-compose -f docker/compose.yaml "$@"
}

composed() {
	local id
	check "compose: starts" compose up -d --no-build
	id=$(compose ps -q turnpike) || return 0
	check "compose: healthy" healthy "$id"
	check "compose: container and volume have the guide's names" is "/turnpike turnpike" \
		"$(docker inspect -f '{{.Name}} {{range .Mounts}}{{.Name}}{{end}}' "$id")"
	check "compose: bounded logs" is "10m 5" \
		"$(docker inspect -f '{{ index .HostConfig.LogConfig.Config "max-size" }} {{ index .HostConfig.LogConfig.Config "max-file" }}' "$id")"
	check "compose: credentials name the public host" sh -c \
		"docker exec $id turnpike credentials somebody | grep -q turn:$server:"
	check "compose: confined, on the host's network" is \
		"$(docker inspect -f '{{with .HostConfig}}{{.ReadonlyRootfs}} {{.CapDrop}} {{.SecurityOpt}} {{.NetworkMode}}{{end}}' "$id")" \
		"true [ALL] [no-new-privileges:true] host"
	printf wonderland | docker exec -i "$id" turnpike user add alice --password-stdin >"$tmp/out" 2>&1
	check "compose: relays" relays -e $peer -n 10 -c -u alice -w wonderland $server
	compose down >/dev/null 2>&1
	check "compose, bridged: starts" compose --profile bridged up -d --no-build bridged
	id=$(compose --profile bridged ps -q bridged)
	check "compose, bridged: healthy" healthy "$id"
	check "compose, bridged: relays, with the data of the other" relays -e $peer -n 10 -c -u alice -w wonderland $server
	browser_call "$id" "compose, bridged"
	compose --profile bridged down -v >/dev/null 2>&1
}

# The fixture was made by the program of that schema.
upgrades() {
	local old=$tmp/old before newest
	before=$(find store/tests/data -name 'schema*.db' | sort -V | tail -n 1)
	install -d -o 999 -g 999 -m 0700 "$old"
	install -o 999 -g 999 -m 0600 "$before" "$old/turnpike.db"
	before=$(sqlite3 "$old/turnpike.db" 'PRAGMA user_version')
	newest=$(sqlite3 "$(docker volume inspect -f '{{.Mountpoint}}' data)/turnpike.db" 'PRAGMA user_version')
	docker run -d --name upgraded --network host "${hardened[@]}" -v "$old:/data" turnpike >/dev/null
	check "upgrade: healthy on a database of schema $before" healthy upgraded
	check "upgrade: its secret verifies" relays -e $peer -n 10 -c -u carol -W second-secret-of-the-old-schema $server
	docker exec upgraded turnpike user list >"$tmp/users" 2>&1 || true
	check "upgrade: its users are there" grep -q ^alice "$tmp/users"
	docker stop -t 20 upgraded >/dev/null
	check "upgrade: now it is as in a new database" is "$(sqlite3 "$old/turnpike.db" 'PRAGMA user_version')" "$newest"
	check "upgrade: it was of a former schema" [ "$before" -lt "$newest" ]
	check "upgrade: a backup of the old one is kept" is \
		"$(sqlite3 "$old/turnpike.db.v$before.bak" 'PRAGMA user_version; SELECT count(*) FROM turn_user')" "$before"$'\n2'
	docker rm upgraded >/dev/null
}

# step VARIABLE=VALUE...: run.sh as a step of a workflow starts it
step() {
	rm -f "$tmp/work/outputs"
	env GITHUB_WORKSPACE="$tmp/work" GITHUB_OUTPUT="$tmp/work/outputs" HTML=report/calls.html "$@"
}

# A runner is an ordinary user who may speak to Docker.
action() {
	local key runner=(setpriv --reuid 12345 --regid 12345 --groups)
	docker volume create action >/dev/null
	docker run -d --name host --network host "${hardened[@]}" -v action:/data \
		-e TURNPIKE_PUBLIC_HOST=$server turnpike >/dev/null
	healthy host >/dev/null || true
	key=$(docker exec host turnpike token add ci --json | sed -n 's/.*"token": *"\([^"]*\)".*/\1/p')
	runner+=("$(stat -c %g "$tmp/docker.sock")")
	chmod 711 "$tmp"
	install -d -m 777 "$tmp/work"
	install -m 755 docker/action/run.sh "$tmp/run.sh"
	check "action: plays against a server, writes reports, sets outputs" step IMAGE=turnpike-harness \
		TURNPIKE_KEY="$key" AGAINST="https://$server:8080" ARGS="--insecure --expect udp,tcp" "${runner[@]}" "$tmp/run.sh"
	check "action: its outputs are files" sh -c \
		'. "$1" && grep -q "<html" "$html" && grep -q "<testsuite" "$junit" && [ -s "$json" ] && [ "$status" = 0 ]' sh "$tmp/work/outputs"
	docker rm -f host >/dev/null
	refuse "action: fails where the server is down" step IMAGE=turnpike-harness \
		AGAINST="https://$server:8080" ARGS="--insecure --expect udp,tcp" "${runner[@]}" "$tmp/run.sh"
	check "action: and has it in the report" sh -c '. "$1" && [ "$status" = 1 ] && grep -q "<failure" "$junit"' sh "$tmp/work/outputs"
	check "action: builds the image, and plays in a lab" step ARGS="--only call-port-restricted" docker/action/run.sh
	check "action: with what came of it" sh -c '. "$1" && grep -q "name=\"call-port-restricted\"" "$junit"' sh "$tmp/work/outputs"
}

lab() {
	check "harness image: a call between NATs, in a lab inside the container" \
		docker run --rm --cap-add NET_ADMIN --cap-add SYS_ADMIN --security-opt systempaths=unconfined \
		--security-opt apparmor=unconfined turnpike-harness run --only call-symmetric
	grep -E '^call-|passed in' "$tmp/out" | sed 's/^/        /' || true
	check "harness image: plays without Firefox, and says what it leaves out" \
		sh -c 'docker run --rm --cap-add NET_ADMIN --cap-add SYS_ADMIN --security-opt systempaths=unconfined \
		--security-opt apparmor=unconfined turnpike-harness run --only "call-f*" >"$1" && grep -q "2 left out" "$1"' sh "$tmp/left-out"
	check "harness image: the same as an ordinary user" \
		docker run --rm --user 65534 --security-opt seccomp=unconfined --security-opt systempaths=unconfined \
		--security-opt apparmor=unconfined turnpike-harness run --only call-port-restricted
	grep -E '^call-|passed in' "$tmp/out" | sed 's/^/        /' || true
}

# Another host, with coturn's echo server.
peer_start() {
	local pid
	docker run -d --name peer --network none turnpike-build sleep infinity >/dev/null
	pid=$(docker inspect -f '{{.State.Pid}}' peer) # in the daemon's namespace
	in_daemon ip link set beside netns "$pid"
	in_daemon nsenter -t "$pid" --net sh -c "ip link set beside up && ip addr add $peer/24 dev beside"
	docker exec -d peer /opt/coturn/usr/bin/turnutils_peer -L $peer -p 3480
}

say "building, with a daemon that changes nothing of this machine's network"
daemon_start "" : --bridge none --iptables=false --ip6tables=false --ip-forward=false
build_images
daemon_stop

say "running, on a network of its own"
# a host with one public address, and another host beside it
daemon_start --net "ip link set lo up
	ip link add out type veth peer name beside
	ip addr add $server/24 dev out && ip link set out up"
peer_start
host_form
drains
restarts
browser_call host "host form"
docker rm -f host >/dev/null
bridged_form
composed
upgrades
action
lab
daemon_stop

printf '\n%d passed, %d failed\n' $passed $failed
[ $failed = 0 ]
