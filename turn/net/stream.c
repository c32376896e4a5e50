/* SPDX-License-Identifier: BSD-3-Clause
 *
 * TURN over TCP and TLS (RFC 8656 section 3.1): from the bytes to messages and
 * back. A client that sends nothing, sends rubbish or does not read costs
 * little, and not for long.
 */
#include "turn/net/internal.h"

#include "base/error.h"

#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#define ROUNDS        4 /* reads a wake-up, then the others have their turn */
#define UNSENT_BYTES  65536
#define REPLY_RESERVE 8192 /* of the backlog: what was asked for comes before what peers send */

enum stream_state {
	STREAM_HANDSHAKE,
	STREAM_SNIFF, /* inside TLS: STUN or HTTP? */
	STREAM_TURN
};

struct net_stream {
	struct net_stream *prev, *next;
	struct net *net;
	struct net_io io;
	struct net_client client;
	enum stream_state state;
	struct turn_link *link;
	uint64_t began_ms, message_ms; /* message: the last whole one, 0: none yet */
	uint8_t *in;                   /* the beginning of a frame */
	size_t in_len;
	size_t skip; /* bytes of a frame that is too long to be kept */
	struct net_queue out;
	struct peer *join; /* the data connection that this has become */
	bool held; /* in has more than the beginning of a frame, for when the link goes on */
	bool moving;
	unsigned int move_to;
};

static void on_ready(void *arg);

/* RFC 8656 section 3.1 defines TURN as a datagram service: a client that does not read loses whole
 * messages. */
static void on_send(void *ctx, const uint8_t *data, size_t len)
{
	struct net_stream *s = ctx;
	bool reply = len && data[0] == 1; /* success and error responses: 0x01.. */
	size_t max = s->net->conf.client_backlog + (reply ? REPLY_RESERVE : 0), done = 0;

	if (s->io.failed)
		return;
	if (!s->out.len &&
	    net_batch_add(&s->net->batch, &s->io, &s->out, data, len, s->net->conf.client_backlog))
		return;
	if (!s->out.len) {
		ssize_t n = net_io_write(&s->io, data, len);

		if (n < 0) {
			s->io.failed = true;
			net_io_kick(&s->io);
			return;
		}
		done = (size_t)n;
	} else if (s->out.len + len > max) {
		s->net->turn->stats.slow_client_drops++;
		return;
	}
	/* The rest of a message that has begun has to follow. */
	if (net_queue_add(&s->out, data + done, len - done)) {
		s->io.failed = true;
		net_io_kick(&s->io);
	}
}

static void on_resume(void *ctx)
{
	net_io_kick(&((struct net_stream *)ctx)->io);
}

static int start_turn(struct net_stream *s)
{
	static const struct turn_link_ops ops = {.send = on_send, .resume = on_resume};
	struct turn_link_params params = {.protocol = s->client.tls ? TURN_TLS : TURN_TCP,
	                                  .client = s->client.client,
	                                  .relay4 = s->client.relay4,
	                                  .relay6 = s->client.relay6,
	                                  .ops = &ops,
	                                  .ctx = s};

	s->link = turn_link_new(s->net->turn, &params);
	s->state = STREAM_TURN;
	return s->link ? 0 : -E_NOMEM;
}

static void unlist(struct net_stream *s)
{
	DL_DELETE(s->net->streams, s);
	s->net->stream_n--;
}

static void list(struct net_stream *s)
{
	DL_APPEND(s->net->streams, s);
	s->net->stream_n++;
}

/* Frees the rest of a stream whose socket has moved elsewhere. */
static void free_stream(struct net_stream *s)
{
	net_sources_give(s->net->conf.sources, s->client.source);
	net_queue_free(&s->out);
	free(s->in);
	free(s);
}

void net_stream_close(struct net_stream *s)
{
	turn_link_free(s->link);
	net_batch_flush(&s->net->batch, &s->io);
	unlist(s);
	net_io_close(&s->io, s->net->env);
	free_stream(s);
}

void net_stream_discard(struct net_stream *s)
{
	net_io_close(&s->io, s->net->env);
	free_stream(s);
}

static int keep(struct net_stream *s, const uint8_t *data, size_t len)
{
	uint8_t *grown;

	if (!len) {
		free(s->in);
		s->in = NULL;
		s->in_len = 0;
		return 0;
	}
	grown = realloc(s->in, len);
	if (!grown)
		return -E_NOMEM;
	memcpy(grown, data, len);
	s->in = grown;
	s->in_len = len;
	return 0;
}

/* The frame at data is whole (0), or not yet (-E_LATER), or nonsense (-E_PARSE). */
static int next_frame(struct net_stream *s, const uint8_t *data, size_t len, size_t *frame)
{
	int r = turn_frame_len(data, len, frame);

	if (r)
		return r;
	if (*frame <= len)
		return 0;
	/* Buffers for long messages only for clients that can relay. */
	if (*frame > TURN_REQUEST_MAX && !turn_link_has_allocation(s->link)) {
		s->net->turn->stats.malformed++;
		s->skip = *frame;
	}
	return -E_LATER;
}

/* Hands over what is whole. Returns how many bytes are done with, or -E_PARSE. Skipped ones are
 * taken out of data. */
static ssize_t take_messages(struct net_stream *s, uint8_t *data, size_t *data_len)
{
	size_t at = 0, frame, len = *data_len;

	while (at < len && !s->io.failed && !s->join && !turn_link_waits(s->link)) {
		int r;

		if (s->skip) {
			size_t n = s->skip < len - at ? s->skip : len - at;

			s->skip -= n;
			len -= at + n;
			memmove(data, data + at + n, len); /* messages lie aligned */
			at = 0;
			continue;
		}
		r = next_frame(s, data + at, len - at, &frame);
		if (r == -E_LATER && s->skip)
			continue;
		if (r == -E_LATER)
			break;
		if (r)
			return r;
		turn_link_input(s->link, data + at, frame);
		if (s->moving)
			break;
		s->message_ms = env_now_ms(s->net->env);
		at += frame;
	}
	*data_len = len;
	if (keep(s, data + at, s->join ? 0 : len - at))
		return -E_PARSE;
	return (ssize_t)at;
}

/* The whole connection goes to the worker that its CONNECTION-ID names. */
static void move_away(struct net_stream *s)
{
	struct net *net = s->net;

	turn_link_free(s->link);
	s->link = NULL;
	net_batch_flush(&net->batch, &s->io);
	unlist(s);
	net_io_detach(&s->io);
	if (!net->ops->move(net->ctx, s->move_to, s))
		return;
	net_stream_discard(s);
}

/* Data behind a request that waits for its answer stay in the socket. */
static void hold_or_go_on(struct net_stream *s)
{
	bool holds = turn_link_waits(s->link);

	if (holds != s->held)
		net_io_want_read(&s->io, !holds);
	s->held = holds;
}

/* It has become a data connection. What the client sent behind its request, goes to the peer. */
static void become_data(struct net_stream *s, const uint8_t *ahead, size_t ahead_len)
{
	struct pump_params p = {.net = s->net,
	                        .source = s->client.source,
	                        .ahead = ahead,
	                        .ahead_len = ahead_len,
	                        .peer = s->join};

	turn_link_free(s->link);
	net_batch_flush(&s->net->batch, &s->io);
	unlist(s);
	net_io_detach(&s->io);
	p.client = s->io;
	p.to_client = s->out;
	p.fd = peer_take_fd(s->join);
	memset(&s->out, 0, sizeof(s->out));
	s->client.source = NULL;
	peer_joined(s->join, pump_new(&p));
	free_stream(s);
}

/* Inside TLS a client speaks HTTP that offered no ALPN: the web server gets the plain bytes. */
static int become_web(struct net_stream *s, const uint8_t *ahead, size_t ahead_len)
{
	struct net *net = s->net;
	struct pump_params p = {.net = net, .ahead = ahead, .ahead_len = ahead_len};
	int pair[2];

	if (env_stream_pair(net->env, pair))
		return -E_LIMIT;
	unlist(s);
	net_io_detach(&s->io);
	p.client = s->io;
	p.fd = pair[0];
	p.source = s->client.source;
	s->client.source = NULL;
	pump_new(&p); /* where it fails, the other end reads the end of the stream */
	net->ops->http(net->ctx, pair[1], &s->client);
	free_stream(s);
	return 0;
}

/* 0: s goes on; else it is no more, or the caller closes it (negative). */
static int sniff(struct net_stream *s, const uint8_t *data, size_t len)
{
	if (data[0] < 4)
		return start_turn(s);
	if (data[0] >= 'A' && data[0] <= 'Z' && s->net->ops->http)
		return become_web(s, data, len) ? -E_LIMIT : 1;
	s->net->turn->stats.malformed++;
	return -E_PARSE;
}

/* Hands over len bytes of the scratch and does what follows from it. 0, or 1: s is gone. */
static int hand_over(struct net_stream *s, size_t len)
{
	uint8_t *buf = (uint8_t *)s->net->scratch;
	ssize_t n = take_messages(s, buf, &len);

	if (s->join) {
		become_data(s, buf + n, len - (size_t)n);
		return 1;
	}
	if (s->moving) {
		move_away(s);
		return 1;
	}
	if (n < 0 || s->io.failed) {
		net_stream_close(s);
		return 1;
	}
	hold_or_go_on(s);
	return 0;
}

/* Hands over what was read behind a request that has its answer now. 0, or 1: s is gone. */
static int hand_over_kept(struct net_stream *s)
{
	if (s->in_len)
		memcpy(s->net->scratch, s->in, s->in_len);
	return hand_over(s, s->in_len);
}

/* One read and what follows from it. 0: there may be more; -E_LATER; any other: s is gone. */
static int read_once(struct net_stream *s)
{
	uint8_t *buf = (uint8_t *)s->net->scratch;
	size_t len = s->in_len;
	ssize_t n;
	int r;

	if (len)
		memcpy(buf, s->in, len);
	n = net_io_read(&s->io, buf + len, NET_SCRATCH - len);
	if (n == -E_LATER)
		return -E_LATER;
	if (n <= 0)
		goto gone;
	len += (size_t)n;
	if (s->state == STREAM_SNIFF) {
		r = sniff(s, buf, len);
		if (r > 0)
			return r;
		if (r)
			goto gone;
	}
	return hand_over(s, len);
gone:
	net_stream_close(s);
	return 1;
}

static void on_ready(void *arg)
{
	struct net_stream *s = arg;
	int r = 0;

	if (s->state == STREAM_HANDSHAKE) {
		r = net_io_handshake(&s->io);
		if (!r)
			s->state = STREAM_SNIFF;
		else if (r != -E_LATER) {
			s->net->turn->stats.failed_handshakes++;
			s->io.failed = true;
		}
	}
	if (s->io.failed || (!r && net_queue_flush(&s->out, &s->io))) {
		net_stream_close(s);
		return;
	}
	if (!r && s->held && !turn_link_waits(s->link))
		r = hand_over_kept(s);
	for (int i = 0; !r && !s->held && i < ROUNDS; i++) {
		r = read_once(s);
		if (!r && s->io.drained)
			break;
	}
}

void stream_join(void *ctx, void *handle, void *link_ctx)
{
	(void)ctx;
	((struct net_stream *)link_ctx)->join = handle;
}

int stream_move(void *ctx, void *link_ctx, unsigned int worker)
{
	struct net *net = ctx;
	struct net_stream *s = link_ctx;

	if (!net->ops->move || !net->ops->has_worker(net->ctx, worker))
		return -E_NOTFOUND;
	s->moving = true;
	s->move_to = worker;
	return 0;
}

/* Also bounds what waits in the kernel for a slow client: late media are useless. */
static int attach(struct net_stream *s, int fd, SSL *ssl)
{
	return net_io_attach(&s->io, s->net->env, fd, ssl, UNSENT_BYTES, on_ready, s);
}

/* The data that it has read come first. */
void net_take(struct net *net, struct net_stream *s)
{
	s->net = net;
	s->moving = false;
	if (start_turn(s) || attach(s, s->io.fd, s->io.ssl)) {
		turn_link_free(s->link);
		net_stream_discard(s);
		return;
	}
	list(s);
	if (!hand_over_kept(s))
		net_io_kick(&s->io);
}

int net_accept(struct net *net, const struct net_client *c)
{
	struct net_stream *s = calloc(1, sizeof(*s));
	SSL *ssl = NULL;
	int r = c->tls && !net->tls ? -E_UNSUPPORTED : -E_NOMEM;

	if (!s) {
		net_sources_give(net->conf.sources, c->source);
		env_stream_discard(net->env, c->fd);
		return r;
	}
	s->net = net;
	s->client = *c;
	s->io.fd = c->fd;
	s->began_ms = env_now_ms(net->env);
	if (r == -E_UNSUPPORTED)
		goto out;
	if (c->tls) {
		ssl = net_io_new_ssl(net_tls_stream(net->tls));
		if (!ssl)
			goto out;
		s->state = STREAM_HANDSHAKE;
	} else if (start_turn(s)) {
		goto out;
	}
	if (attach(s, c->fd, ssl))
		goto out;
	list(s);
	net->turn->stats.connections++;
	return 0;
out:
	SSL_free(ssl);
	turn_link_free(s->link);
	s->io.ssl = NULL;
	s->io.fd = c->fd;
	net_stream_discard(s);
	return r;
}

static bool is_late(const struct net_stream *s, uint64_t now_ms)
{
	const struct net_conf *conf = &s->net->conf;

	if (!s->message_ms)
		return now_ms - s->began_ms > conf->first_message_timeout_ms;
	return now_ms - s->message_ms > conf->idle_timeout_ms && !turn_link_has_allocation(s->link);
}

void net_streams_expire(struct net *net)
{
	struct net_stream *s, *next;
	uint64_t now_ms = env_now_ms(net->env);

	DL_FOREACH_SAFE(net->streams, s, next)
	{
		if (!is_late(s, now_ms))
			continue;
		net->turn->stats.connection_timeouts++;
		net_stream_close(s);
	}
}

void net_streams_lost(struct net *net, const struct addr *local)
{
	struct net_stream *s, *next;

	DL_FOREACH_SAFE(net->streams, s, next)
	{
		if (addr_equal(&s->client.local, local))
			net_stream_close(s);
	}
}
