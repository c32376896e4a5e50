/* SPDX-License-Identifier: BSD-3-Clause
 *
 * From a TCP connection's first bytes to its server.
 */
#include "daemon/listen/greeter.h"

#include "base/clock.h"
#include "base/log.h"
#include "daemon/listen/forwarded.h"
#include "daemon/listen/sniff.h"
#include "daemon/listen/told_once.h"

#include <errno.h>
#include <event2/event.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <utlist.h>

#define PEEK_MAX     16384 /* a PROXY header and a head */
#define LINGER_MS    2000
#define LINGER_BYTES (1 << 20) /* of what a refused client goes on to say */

struct undecided {
	struct undecided *prev, *next;
	struct greeter *greeter;
	struct event *event;
	struct arrival arrival;
	bool from_proxy; /* its PROXY header is still to come */
	bool edge;       /* its socket does not wait for so many bytes: every one wakes us */
	bool http;       /* that much is known */
	size_t drained;  /* refused: so much was thrown away since; its answer is on the way */
	bool leaving;
	uint64_t until_ms;
	size_t awaited; /* so many bytes were to be there at the next event */
};

struct greeter {
	struct event_base *base;
	struct greeter_conf conf;
	const struct greeter_ops *ops;
	void *ctx;
	struct undecided *undecided; /* oldest first */
	size_t undecided_n, crowds;  /* crowds: sources that have any */
	uint64_t refused, faults[GREETER_FAULT_N];
	struct told_once told[GREETER_FAULT_N], told_full, told_contradiction;
	uint8_t peek[PEEK_MAX];
};

/* Its source is known, or no more. */
static void set_source(struct undecided *u, struct net_source *source)
{
	struct greeter *g = u->greeter;

	if (u->arrival.source)
		g->crowds -= !--*net_source_undecided(u->arrival.source);
	if (source)
		g->crowds += !(*net_source_undecided(source))++;
	u->arrival.source = source;
}

/* Frees u; the socket and the source are the caller's from now on. */
static struct arrival release(struct undecided *u)
{
	struct greeter *g = u->greeter;
	struct arrival arrival = u->arrival;

	set_source(u, NULL);

	DL_DELETE(g->undecided, u);
	g->undecided_n--;
	if (u->event)
		event_free(u->event);
	free(u);
	return arrival;
}

static void drop(struct undecided *u)
{
	struct net_sources *sources = u->greeter->conf.sources;
	struct arrival arrival = release(u);

	net_sources_give(sources, arrival.source);
	close(arrival.fd);
}

/* Closes the longest-silent connection of the sources that hold at least their share of the
 * undecided ones: a source that opens many and stays silent loses its own places. Spares `but`,
 * which is being examined. */
static void make_room(struct greeter *g, const struct undecided *but)
{
	size_t share = g->undecided_n / (g->crowds ? g->crowds : 1);
	struct undecided *u;

	DL_FOREACH (g->undecided, u) {
		if (u != but &&
		    (!u->arrival.source || *net_source_undecided(u->arrival.source) >= share))
			break;
	}
	if (u)
		drop(u);
}

static void on_bytes(evutil_socket_t fd, short what, void *arg);

/* From now on every byte wakes us. */
static int watch_edges(struct undecided *u)
{
	int one = 1;

	setsockopt(u->arrival.fd, SOL_SOCKET, SO_RCVLOWAT, &one, sizeof(one));
	if (u->event)
		event_free(u->event);
	u->edge = true;
	u->event =
	    event_new(u->greeter->base, u->arrival.fd, EV_READ | EV_ET | EV_PERSIST, on_bytes, u);
	return u->event ? 0 : -E_NOMEM;
}

/* Waits for so many bytes, counted from the start: peeked ones do not wake us again. */
static int await(struct undecided *u, size_t need)
{
	uint64_t now = clock_mono_ms(), left = u->until_ms > now ? u->until_ms - now : 0;
	struct timeval limit = {.tv_sec = (time_t)(left / 1000),
	                        .tv_usec = (suseconds_t)(left % 1000 * 1000)};
	int bytes = (int)need;

	/* No time left: the event comes at once, and says so to the client. */
	if (u->edge)
		return event_add(u->event, &limit);
	u->awaited = need;
	setsockopt(u->arrival.fd, SOL_SOCKET, SO_RCVLOWAT, &bytes, sizeof(bytes));
	return event_add(u->event, &limit);
}

/* Is it a proxy's, or one host's? The log says it, for nothing else does. */
static void refuse_for_number(struct greeter *g, const struct addr *client)
{
	g->refused++;
	if (told_once(&g->told_full, client))
		log_warn(NULL, "connection-refused", LOG_ADDR("client", client),
		         LOG_STR("hint",
		                 "connections_per_address or max_tcp_connections is reached. If "
		                 "this is the address of an HTTP proxy, name it in "
		                 "trusted_proxy, so that each of its clients counts by itself"));
}

/* Counted by the address that is behind it, as far as it is known: behind a trusted proxy are
 * many. */
static int admit(struct undecided *u)
{
	struct greeter *g = u->greeter;
	bool many = forwarded_trusts(g->conf.trusted_proxy, &u->arrival.client);
	const struct addr *client = many ? NULL : &u->arrival.client;
	struct net_source *source;

	/* A connection that stays silent makes room for a new one. */
	if (net_sources_full(g->conf.sources))
		make_room(g, u);
	if (!net_sources_take(g->conf.sources, client, &source)) {
		set_source(u, source);
		return 0;
	}
	refuse_for_number(g, &u->arrival.client);
	return -E_LIMIT;
}

/* Now it is known. */
static int admit_as(struct undecided *u, const struct addr *client)
{
	struct greeter *g = u->greeter;
	struct net_source *source = u->arrival.source;

	set_source(u, NULL);
	net_sources_give(g->conf.sources, source);
	if (!net_sources_take(g->conf.sources, client, &source)) {
		set_source(u, source);
		return 0;
	}
	refuse_for_number(g, client);
	return -E_LIMIT;
}

static int blame(struct undecided *u, enum greeter_fault fault, int r)
{
	static const struct {
		const char *event, *hint;
	} says[] = {
	    [GREETER_MISSING] =
	        {"proxy-header-missing",
	         "this connection must begin with a PROXY header: let the balancer send one, or "
	         "remove the word proxy from the listener (or the address from proxy_from)"},
	    [GREETER_UNEXPECTED] =
	        {"proxy-header-unexpected",
	         "this connection must not have a PROXY header: add the word proxy to the listener "
	         "and the balancer to proxy_from, or let the balancer send none"},
	    [GREETER_MALFORMED] = {"proxy-header-malformed",
	                           "the PROXY header is neither version 1 nor 2"},
	    [GREETER_STRANGER] =
	        {"proxy-header-stranger",
	         "this listener accepts connections only from proxy_from: add the balancer there"},
	};
	struct greeter *g = u->greeter;

	g->faults[fault]++;
	if (told_once(&g->told[fault], &u->arrival.client))
		log_warn(NULL, says[fault].event, LOG_ADDR("peer", &u->arrival.client),
		         LOG_ADDR("listener", &u->arrival.local),
		         LOG_STR("hint", says[fault].hint));
	return r;
}

/* 0: what follows can be looked at; -E_LATER; any other: not welcome. */
static int read_proxy(struct undecided *u, size_t len, size_t *need)
{
	struct greeter *g = u->greeter;
	struct proxy_header h;
	int r = proxy_header_parse(g->peek, len, &h, need);

	/* "The receiver MUST NOT try to guess": a proxy must say whom it speaks for. */
	if (r == -E_LATER)
		return r;
	if (r)
		return blame(u, r == -E_NOTFOUND ? GREETER_MISSING : GREETER_MALFORMED, r);
	if (recv(u->arrival.fd, g->peek, h.len, MSG_DONTWAIT) != (ssize_t)h.len)
		return -E_IO;
	u->from_proxy = false;
	if (!h.unknown)
		u->arrival.client = h.source;
	return admit(u);
}

/* The same for the head of a trusted proxy's request, which stays unread. */
static int read_forwarded(struct undecided *u, size_t len, size_t *need)
{
	struct greeter *g = u->greeter;
	struct forwarded f;
	int r = forwarded_parse(g->peek, len, &u->arrival.client, g->conf.trusted_proxy, &f, need);

	if (r)
		return r;
	if (f.contradictory && told_once(&g->told_contradiction, &u->arrival.client))
		log_warn(NULL, "proxy-contradicts-itself", LOG_ADDR("peer", &u->arrival.client),
		         LOG_STR("hint",
		                 "X-Forwarded-For and Forwarded name different clients: let the "
		                 "proxy remove the header that it does not write itself"));
	if (f.named || f.contradictory)
		u->arrival.https = f.https && !f.contradictory;
	u->arrival.client = f.client;
	u->arrival.forwarded = true;
	return admit_as(u, &f.client);
}

static void hand_over(struct undecided *u, enum sniff what)
{
	const struct greeter_ops *ops = u->greeter->ops;
	void *ctx = u->greeter->ctx;
	struct arrival arrival = release(u);
	int one = 1;

	setsockopt(arrival.fd, SOL_SOCKET, SO_RCVLOWAT, &one, sizeof(one));
	arrival.tls = what == SNIFF_TLS;
	if (what == SNIFF_HTTP)
		ops->web(ctx, &arrival);
	else
		ops->turn(ctx, &arrival);
}

/* Sends the answer and leaves time to read it: a close with unread bytes would take it back. */
static int refuse(struct undecided *u, const struct http_fault *fault)
{
	struct greeter *g = u->greeter;
	size_t len;
	char *text = g->conf.fault(fault, &len);
	ssize_t n = text ? send(u->arrival.fd, text, len, MSG_DONTWAIT | MSG_NOSIGNAL) : -1;

	free(text);
	if (n != (ssize_t)len)
		return -E_IO;
	shutdown(u->arrival.fd, SHUT_WR);
	u->leaving = true;
	u->until_ms = clock_mono_ms() + LINGER_MS;
	return 0;
}

static int drain(struct undecided *u)
{
	struct greeter *g = u->greeter;
	ssize_t n;

	while ((n = recv(u->arrival.fd, g->peek, sizeof(g->peek), MSG_DONTWAIT)) > 0) {
		u->drained += (size_t)n;
		if (u->drained > LINGER_BYTES)
			return -E_LIMIT;
	}
	if (!n || (errno != EAGAIN && errno != EINTR))
		return -E_CLOSED;
	return await(u, 1);
}

/* 0: it is a request, or it is refused and stays until it has read why. */
static int look_at_http(struct undecided *u, size_t len, size_t *need)
{
	struct greeter *g = u->greeter;
	struct http_fault fault;
	int r = http_head_check(g->peek, len, &fault, need);

	u->http = true;
	if (r == -E_PARSE)
		return refuse(u, &fault);
	if (!r && forwarded_trusts(g->conf.trusted_proxy, &u->arrival.client))
		r = read_forwarded(u, len, need);
	return r;
}

static int look_at(struct undecided *u, size_t len, size_t *need)
{
	struct greeter *g = u->greeter;
	enum sniff what = sniff(g->peek, len, need);
	int r = 0;

	if (what == SNIFF_MORE)
		return -E_LATER;
	if (what == SNIFF_NONE) {
		struct proxy_header h;

		r = proxy_header_parse(g->peek, len, &h, need);
		return r && r != -E_LATER ? -E_PARSE : blame(u, GREETER_UNEXPECTED, -E_PARSE);
	}
	if (what == SNIFF_HTTP)
		r = look_at_http(u, len, need);
	else if (what == SNIFF_TURN && forwarded_trusts(g->conf.trusted_proxy, &u->arrival.client))
		r = admit_as(u, &u->arrival.client);
	if (!r && u->leaving)
		return drain(u);
	if (!r)
		hand_over(u, what);
	return r;
}

/* n bytes are there. Woken with less than was awaited: by the end of the stream, or because many
 * small segments have filled the socket's buffer, which would wake us again and again. */
static int await_rest(struct undecided *u, size_t n, size_t need)
{
	struct pollfd p = {.fd = u->arrival.fd, .events = POLLRDHUP};

	if (poll(&p, 1, 0) > 0)
		return -E_CLOSED;
	if (n < u->awaited && !u->edge && watch_edges(u))
		return -E_NOMEM;
	return await(u, need);
}

/* 0 when u has gone elsewhere or waits; else it is to be dropped. */
static int look(struct undecided *u)
{
	struct greeter *g = u->greeter;
	size_t need = 1;

	for (;;) {
		ssize_t n = recv(u->arrival.fd, g->peek, sizeof(g->peek), MSG_PEEK | MSG_DONTWAIT);
		bool proxy = u->from_proxy;
		int r;

		if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
			return -E_CLOSED;
		if (n < 0)
			return await(u, need);
		r = proxy ? read_proxy(u, (size_t)n, &need) : look_at(u, (size_t)n, &need);
		if (r == -E_LATER && (size_t)n < need)
			return await_rest(u, (size_t)n, need);
		if (r || !proxy)
			return r;
		need = u->awaited = 1;
	}
}

static void on_bytes(evutil_socket_t fd, short what, void *arg)
{
	struct undecided *u = arg;

	(void)fd;
	if (u->leaving) {
		if (what & EV_TIMEOUT || drain(u))
			drop(u);
		return;
	}
	if (what & EV_TIMEOUT) {
		if (!u->http || refuse(u, &http_head_late) || drain(u))
			drop(u);
		return;
	}
	if (look(u))
		drop(u);
}

static struct undecided *new_undecided(struct greeter *g, const struct arrival *arrival)
{
	struct undecided *u = calloc(1, sizeof(*u));

	if (!u)
		return NULL;
	if (g->undecided_n >= g->conf.max)
		make_room(g, NULL);
	u->greeter = g;
	u->arrival = *arrival;
	u->arrival.source = NULL;
	u->until_ms = clock_mono_ms() + g->conf.first_message_timeout_ms;
	DL_APPEND(g->undecided, u);
	g->undecided_n++;
	return u;
}

/* Says whether a PROXY header must come. */
static int expect(struct undecided *u, bool listener)
{
	struct greeter *g = u->greeter;
	bool named = forwarded_trusts(g->conf.proxy_from, &u->arrival.client);

	u->from_proxy = g->conf.proxy_listeners ? listener : named;
	/* Without a list: the rules of the configuration have seen to it that only this host comes.
	 */
	return u->from_proxy && g->conf.proxy_from->n && !named
	           ? blame(u, GREETER_STRANGER, -E_DENIED)
	           : 0;
}

void greeter_take(struct greeter *g, int fd, const struct addr *client, bool proxy)
{
	struct arrival arrival = {.fd = fd, .client = *client};
	struct undecided *u = new_undecided(g, &arrival);
	socklen_t len = sizeof(arrival.local);
	int one = 1;

	if (!u) {
		close(fd);
		return;
	}
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof(one));
	u->event = event_new(g->base, fd, EV_READ, on_bytes, u);
	if (!u->event || getsockname(fd, &u->arrival.local.sa, &len) || expect(u, proxy) ||
	    (!u->from_proxy && admit(u)) || await(u, 1))
		drop(u);
}

void greeter_take_http(struct greeter *g, const struct arrival *a)
{
	struct undecided *u = new_undecided(g, a);

	if (!u) {
		close(a->fd);
		return;
	}
	if (watch_edges(u) || look(u))
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

void greeter_set_limits(struct greeter *g, uint32_t first_message_timeout_ms, uint32_t max)
{
	g->conf.first_message_timeout_ms = first_message_timeout_ms;
	g->conf.max = max;
}

uint64_t greeter_refused(const struct greeter *g)
{
	return g->refused;
}

void greeter_get_faults(const struct greeter *g, uint64_t faults[GREETER_FAULT_N])
{
	memcpy(faults, g->faults, sizeof(g->faults));
}

void greeter_free(struct greeter *g)
{
	if (!g)
		return;
	while (g->undecided)
		drop(g->undecided);
	free(g);
}
