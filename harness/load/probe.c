/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The probes, each with connections of its own, from 127.0.0.1: a network that no attacker is in.
 */
#include "harness/load/probe.h"

#include "base/clock.h"
#include "harness/load/crowd.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define CANDIDATES 3
#define SDP_BYTES  3000
#define TEXT_MAX   (SDP_BYTES + 512)

static void keep(struct probe *p, int64_t start_us, bool ok)
{
	int64_t took = clock_mono_us() - start_us;

	p->failed += !ok;
	if (!ok && took < PROBE_LIMIT * 1000)
		took = PROBE_LIMIT * 1000;
	if (p->n < PROBE_MAX)
		p->us[p->n++] = (uint32_t)took;
}

/* ---- GET /healthz ---- */

void probe_health(struct probe *p, uint16_t port)
{
	static const char ask[] =
	    "GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n";
	struct sockaddr_in to = {.sin_family = AF_INET,
	                         .sin_port = htons(port),
	                         .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct timeval limit = {.tv_sec = PROBE_LIMIT / 1000};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int64_t start_us = clock_mono_us();
	char head[16] = "";
	bool ok;

	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	ok = fd >= 0 && !connect(fd, (struct sockaddr *)&to, sizeof(to)) &&
	     send(fd, ask, sizeof(ask) - 1, MSG_NOSIGNAL) == sizeof(ask) - 1 &&
	     recv(fd, head, sizeof(head) - 1, MSG_WAITALL) == sizeof(head) - 1 &&
	     !strncmp(head, "HTTP/1.1 200", 12);
	keep(p, start_us, ok);
	if (fd >= 0)
		close(fd);
}

/* ---- a call ---- */

enum { CALLER, CALLEE };

struct call {
	bool offered, answered;
	unsigned candidates[2];
};

static void say(struct crowd_client *p, const char *type, const char *member)
{
	char name[CROWD_NAME_MAX], target[CROWD_NAME_MAX], text[TEXT_MAX];
	int len;

	crowd_name(p->crowd, p->ws.number, name);
	crowd_name(p->crowd, p->ws.number ^ 1, target);
	len = snprintf(text, sizeof(text), "{\"type\":\"%s\",\"name\":\"%s\",\"target\":\"%s\",%s}",
	               type, name, target, member);
	if (len > 0 && len < TEXT_MAX)
		ws_send(&p->ws, text, (size_t)len);
}

static void say_sdp(struct crowd_client *p, const char *type, const char *kind)
{
	char member[SDP_BYTES + 64], sdp[SDP_BYTES];

	memset(sdp, 'v', sizeof(sdp) - 1);
	sdp[sizeof(sdp) - 1] = 0;
	snprintf(member, sizeof(member), "\"sdp\":{\"type\":\"%s\",\"sdp\":\"%s\"}", kind, sdp);
	say(p, type, member);
}

static void say_candidates(struct crowd_client *p)
{
	for (int i = 0; i < CANDIDATES; i++)
		say(p, "new-ice-candidate",
		    "\"candidate\":{\"candidate\":\"candidate:1 1 udp 2122260223 192.0.2.1 50000 "
		    "typ host\",\"sdpMid\":\"0\",\"sdpMLineIndex\":0}");
}

static bool is(const char *text, size_t len, const char *type)
{
	char key[64];

	snprintf(key, sizeof(key), "\"type\":\"%s\"", type);
	return crowd_find(text, len, key);
}

static void on_text(struct crowd_client *p, const char *text, size_t len)
{
	struct call *call = p->crowd->owner;
	char name[CROWD_NAME_MAX + 2] = "\"", other[CROWD_NAME_MAX];

	if (p->ws.number == CALLER && !call->offered && is(text, len, "userlist")) {
		crowd_name(p->crowd, CALLEE, other);
		snprintf(name, sizeof(name), "\"%s\"", other);
		call->offered = p->asked && crowd_find(text, len, name);
		if (call->offered)
			say_sdp(p, "video-offer", "offer");
	} else if (is(text, len, "video-offer")) {
		say_sdp(p, "video-answer", "answer");
		say_candidates(p);
	} else if (is(text, len, "video-answer")) {
		call->answered = true;
		say_candidates(p);
	} else if (is(text, len, "new-ice-candidate")) {
		call->candidates[p->ws.number]++;
	}
}

static bool set_up(const struct call *call)
{
	return call->answered && call->candidates[CALLER] == CANDIDATES &&
	       call->candidates[CALLEE] == CANDIDATES;
}

void probe_call(struct probe *p, uint16_t port, uint32_t number)
{
	int64_t start_us = clock_mono_us(), deadline = clock_mono_ms() + PROBE_LIMIT;
	struct call call = {0};
	struct crowd c;
	int r = crowd_init(&c, 2, WS_PLAIN, port, NULL);

	c.manner = CROWD_PLAYER;
	c.mark = 'P';
	c.first = number * 2;
	c.owner = &call;
	c.text = on_text;
	for (size_t i = 0; i < 2 && !r; i++)
		r = crowd_connect(&c, i, INADDR_LOOPBACK, NULL);
	while (!r && !set_up(&call) && !c.closed && clock_mono_ms() < deadline)
		crowd_run(&c, 100);
	keep(p, start_us, !r && set_up(&call));
	crowd_free(&c);
}

/* ---- figures ---- */

static int by_size(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

json_t *probe_describe(struct probe *p)
{
	uint32_t n = p->n;

	qsort(p->us, n, sizeof(*p->us), by_size);
	return json_pack("{sI sI sf sf sf}", "n", (json_int_t)n, "failed", (json_int_t)p->failed,
	                 "p50_ms", n ? p->us[(n + 1) / 2 - 1] / 1e3 : 0.0, "p99_ms",
	                 n ? p->us[(n * 99 + 99) / 100 - 1] / 1e3 : 0.0, "max_ms",
	                 n ? p->us[n - 1] / 1e3 : 0.0);
}
