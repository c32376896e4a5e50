/* SPDX-License-Identifier: BSD-3-Clause
 *
 * From a TCP connection's first bytes to who serves it.
 */
#include "daemon/listen/greeter.h"

#include "daemon/listen/sniff.h"

#include <errno.h>
#include <event2/event.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <utlist.h>

#define UNDECIDED_MAX 1024

struct undecided {
	struct undecided *prev, *next;
	struct greeter *greeter;
	struct event *event;
	struct guest guest;
	bool from_proxy; /* its PROXY header is still to come */
	uint64_t until_ms;
	size_t awaited; /* so many bytes were to be there at the next event */
};

struct greeter {
	struct event_base *base;
	struct greeter_conf conf;
	const struct greeter_ops *ops;
	void *ctx;
	struct undecided *undecided; /* oldest first */
	size_t undecided_n;
	uint64_t refused;
	uint8_t peek[SNIFF_MAX];
};

static uint64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

/* Frees u; the socket and the source are the caller's from now on. */
static struct guest release(struct undecided *u)
{
	struct greeter *g = u->greeter;
	struct guest guest = u->guest;

	DL_DELETE(g->undecided, u);
	g->undecided_n--;
	if (u->event)
		event_free(u->event);
	free(u);
	return guest;
}

static void drop(struct undecided *u)
{
	struct net_sources *sources = u->greeter->conf.sources;
	struct guest guest = release(u);

	net_sources_give(sources, guest.source);
	close(guest.fd);
}

/* Waits for so many bytes, counted from the start: peeked ones do not wake us again. */
static int await(struct undecided *u, size_t need)
{
	uint64_t now = now_ms(), left = u->until_ms > now ? u->until_ms - now : 0;
	struct timeval limit = {.tv_sec = (time_t)(left / 1000),
	                        .tv_usec = (suseconds_t)(left % 1000 * 1000)};
	int bytes = (int)need;

	u->awaited = need;
	setsockopt(u->guest.fd, SOL_SOCKET, SO_RCVLOWAT, &bytes, sizeof(bytes));
	return event_add(u->event, &limit);
}

/* Counted by the address that is behind it. */
static int admit(struct undecided *u)
{
	struct greeter *g = u->greeter;

	if (!net_sources_take(g->conf.sources, &u->guest.client, &u->guest.source))
		return 0;
	g->refused++;
	return -E_LIMIT;
}

/* 0: what follows can be looked at; -E_LATER; any other: not welcome. */
static int read_proxy(struct undecided *u, size_t len, size_t *need)
{
	struct greeter *g = u->greeter;
	struct proxy_header h;
	int r = proxy_header_parse(g->peek, len, &h, need);

	/* "The receiver MUST NOT try to guess": who is a proxy has to say for whom it speaks. */
	if (r)
		return r;
	if (recv(u->guest.fd, g->peek, h.len, MSG_DONTWAIT) != (ssize_t)h.len)
		return -E_IO;
	u->from_proxy = false;
	if (!h.unknown)
		u->guest.client = h.source;
	return admit(u);
}

static void hand_over(struct undecided *u, enum sniff what)
{
	const struct greeter_ops *ops = u->greeter->ops;
	void *ctx = u->greeter->ctx;
	struct guest guest = release(u);
	int one = 1;

	setsockopt(guest.fd, SOL_SOCKET, SO_RCVLOWAT, &one, sizeof(one));
	guest.tls = what == SNIFF_TLS_TURN || what == SNIFF_TLS_WEB;
	if (what == SNIFF_HTTP || what == SNIFF_TLS_WEB)
		ops->web(ctx, &guest);
	else
		ops->turn(ctx, &guest);
}

/* 0 when u has gone elsewhere or waits; else it is to be dropped. */
static int look(struct undecided *u)
{
	struct greeter *g = u->greeter;
	enum sniff what = SNIFF_MORE;
	size_t need = 1;

	for (;;) {
		ssize_t n = recv(u->guest.fd, g->peek, sizeof(g->peek), MSG_PEEK | MSG_DONTWAIT);
		int r;

		if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
			return -E_CLOSED;
		if (n < 0)
			return await(u, need);
		/* Woken with less: that was the end of the stream, and no more will come. */
		if ((size_t)n < u->awaited)
			return -E_CLOSED;
		if (u->from_proxy) {
			r = read_proxy(u, (size_t)n, &need);
			if (r == -E_LATER && (size_t)n < need)
				return await(u, need);
			if (r)
				return r;
			need = u->awaited = 1;
			continue;
		}
		what = sniff(g->peek, (size_t)n, &need);
		if (what == SNIFF_MORE)
			return await(u, need);
		if (what == SNIFF_NONE)
			return -E_PARSE;
		hand_over(u, what);
		return 0;
	}
}

static void on_bytes(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	if (what & EV_TIMEOUT || look(arg))
		drop(arg);
}

static bool is_proxy(const struct greeter *g, const struct addr *peer)
{
	for (size_t i = 0; i < g->conf.proxy_from->n; i++)
		if (prefix_has(&g->conf.proxy_from->v[i], peer))
			return true;
	return false;
}

void greeter_take(struct greeter *g, int fd, const struct addr *peer)
{
	struct undecided *u;
	int one = 1;
	socklen_t len = sizeof(u->guest.local);

	/* The longest-silent one makes room. */
	if (g->undecided_n == UNDECIDED_MAX)
		drop(g->undecided);
	u = calloc(1, sizeof(*u));
	if (!u) {
		close(fd);
		return;
	}
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof(one));
	u->greeter = g;
	u->guest.fd = fd;
	u->guest.client = *peer;
	u->from_proxy = u->guest.proxied = is_proxy(g, peer);
	u->until_ms = now_ms() + g->conf.first_ms;
	DL_APPEND(g->undecided, u);
	g->undecided_n++;
	u->event = event_new(g->base, fd, EV_READ, on_bytes, u);
	if (!u->event || getsockname(fd, &u->guest.local.sa, &len) ||
	    (!u->from_proxy && admit(u)) || await(u, 1))
		drop(u);
}

struct greeter *greeter_new(struct event_base *base, const struct greeter_conf *conf,
                            const struct greeter_ops *ops, void *ctx)
{
	struct greeter *g = calloc(1, sizeof(*g));

	if (!g)
		return NULL;
	g->base = base;
	g->conf = *conf;
	g->ops = ops;
	g->ctx = ctx;
	return g;
}

void greeter_set_first_ms(struct greeter *g, uint32_t first_ms)
{
	g->conf.first_ms = first_ms;
}

uint64_t greeter_refused(const struct greeter *g)
{
	return g->refused;
}

void greeter_free(struct greeter *g)
{
	if (!g)
		return;
	while (g->undecided)
		drop(g->undecided);
	free(g);
}
