# SPDX-License-Identifier: BSD-3-Clause
# The harness with its browser. docker build -t turnpike-harness -f docker/harness.Dockerfile .
FROM debian:bookworm-slim AS build
# What the build needs is written once, in ./dev. coturn is unpacked, not installed: the build
# needs its library, not its server.
COPY dev /src/dev
RUN apt-get update -qq \
 && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
	$(/src/dev packages build | grep -vx coturn) \
 && cd /tmp && apt-get download -qq coturn && dpkg -x coturn_*.deb /opt/coturn \
 && rm -rf /var/lib/apt/lists/* /var/cache/apt/*
COPY . /src
WORKDIR /src
# Together with the programs: the packages of the libraries that they are linked with.
RUN cmake -B /build -G Ninja -DCMAKE_BUILD_TYPE=Release -DBUILD_TESTING=OFF \
	-DCMAKE_PREFIX_PATH=/opt/coturn/usr \
 && cmake --build /build --target turnpike turnpike-harness \
 && strip /build/bin/turnpike /build/bin/turnpike-harness \
 && for p in turnpike turnpike-harness; do \
	ldd /build/bin/$p | awk '$3 ~ /^\// { n = split($3, part, "/"); print "*/" part[n] }' \
	| xargs dpkg -S | cut -d: -f1 | sort -u >/build/$p.packages; done

FROM debian:bookworm-slim
COPY --from=build /build/turnpike.packages /build/turnpike-harness.packages /src/dev /tmp/
# To add Firefox: --build-arg BROWSERS="chromium-headless-shell firefox-esr"
ARG BROWSERS=chromium-headless-shell
RUN apt-get update -qq \
 && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
	libwebsockets-evlib-uv $(sort -u /tmp/*.packages) $BROWSERS \
	$(/tmp/dev packages lab) ca-certificates \
 && rm -rf /tmp/* /var/lib/apt/lists/* /var/cache/apt/* /var/cache/debconf/*-old /var/log/* \
	/usr/share/doc /usr/share/man /usr/share/info /usr/share/locale/*
COPY --from=build /build/bin/turnpike /build/bin/turnpike-harness /usr/bin/
RUN turnpike --version && turnpike-harness --version
LABEL org.opencontainers.image.title="Turnpike harness" \
	org.opencontainers.image.description="Real browsers behind real NATs: shows that calls get through" \
	org.opencontainers.image.licenses="BSD-3-Clause" \
	org.opencontainers.image.base.name="debian:bookworm-slim"
# Reports are written here, also by an ordinary user.
RUN install -d -m 1777 /report
WORKDIR /report
ENTRYPOINT ["/usr/bin/turnpike-harness"]
CMD ["run", "--calls"]
