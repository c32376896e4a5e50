#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Every piece of a configuration file that a guide shows is taken by the program: guides.sh TURNPIKE DOCS
set -eu
umask 077 # a file with a secret is refused if others can read it
program=$1 docs=$2
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
openssl req -x509 -newkey rsa:2048 -nodes -days 30 -subj /CN=turn.example.org \
	-addext subjectAltName=DNS:turn.example.org -keyout "$dir/privkey.pem" -out "$dir/fullchain.pem" 2>/dev/null
chmod 600 "$dir/privkey.pem"

# Blocks of nothing but "key = value", each into a file of its own: guide.N. A second line of the same
# key shows another way, and is left out. A path is one of ours.
for guide in "$docs"/*.md; do
	awk -v out="$dir/$(basename "$guide" .md)" -v own="$dir" '
		/^ *```/ {
			if (inside && lines && !other) { printf "%s", text >(out "." ++n ".conf") }
			inside = !inside; lines = 0; text = ""; split("", seen)
			other = /```(python|js|go)/
			next
		}
		inside && /^ *[a-z_]+ *= / {
			lines++
			if (seen[$1]++) next
			sub(/\/etc\/turnpike\/tls\//, own "/"); sub(/= *\/var\/lib\/turnpike/, "= " own "/data")
			text = text $0 "\n"
			next
		}
		inside && NF && !/^ *#/ { other = 1 }' "$guide"
done

failed=0 n=0
for conf in "$dir"/*.conf; do
	n=$((n + 1))
	env -i "$program" --data "$dir/data" --config "$conf" check-config >"$dir/said" 2>&1 || {
		failed=$((failed + 1))
		echo "guides.sh: $(basename "$conf" | cut -d. -f1).md shows what is not taken:" >&2
		cat "$conf" "$dir/said" >&2
	}
done
echo "$n blocks of configuration, $failed not taken"
[ "$n" -ge 5 ] && [ $failed = 0 ] # where awk finds none, this finds nothing
