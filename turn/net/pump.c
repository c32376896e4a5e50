/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Bytes from one connection to the other and back: data connections of RFC 6062
 * (section 5.4: "sent as-is") and HTTP inside our TLS. What one side does not
 * take, and what is beyond the bandwidth (turn/bandwidth.c), is not read from the other: nothing is
 * dropped, and nothing piles up.
 */
#include "turn/net/internal.h"

#include "base/error.h"

#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#define ROUNDS     4
#define READ_BYTES (2 * NET_READ_MIN)
#define PART_BYTES NET_READ_MIN /* where bandwidth is shared: what one takes before others can */

enum { CLIENT, OTHER };

struct pump {
	struct pump *prev, *next;
	struct net *net;
	struct net_io io[2];
	struct net_queue to[2]; /* what waits to be written to io[i] */
	bool ended[2];          /* io[i] will say no more */
	bool shut[2];           /* io[i] was told that no more comes */
	struct net_source *source;
	struct peer *peer;
	struct env_timer *timer; /* to go on reading; NULL: bandwidth is nothing to it */
	uint64_t waits_ms[2];    /* since when io[i] is not read for want of bandwidth; 0: it is */
	uint64_t wake_ms;        /* when the timer is due; 0: it is not set */
	uint64_t moved_ms;       /* the last time that any byte did */
};

void pump_close(struct pump *p)
{
	DL_DELETE(p->net->pumps, p);
	for (int i = 0; i < 2; i++) {
		net_io_close(&p->io[i], p->net->env);
		net_queue_free(&p->to[i]);
	}
	env_timer_free(p->timer);
	net_sources_give(p->net->conf.sources, p->source);
	free(p);
}

/* RFC 6062 section 5.4: "When a client data connection is closed, the server MUST close the
 * corresponding peer data connection" and the other way round. */
static void end(struct pump *p)
{
	struct peer *peer = p->peer;

	pump_close(p);
	if (peer)
		peer_gone(peer);
}

static void count(struct pump *p, int to, size_t n)
{
	p->moved_ms = env_now_ms(p->net->env);
	if (p->peer)
		peer_count(p->peer, to == OTHER ? n : 0, to == CLIENT ? n : 0);
}

/* Is there bandwidth for more from this side? If not, it is tried again. */
static bool may_read(struct pump *p, int from)
{
	uint64_t now_ms, wait_ms;

	if (!p->timer)
		return true;
	now_ms = env_now_ms(p->net->env);
	wait_ms = peer_wait_ms(p->peer, from == CLIENT ? TURN_TO_PEER : TURN_TO_CLIENT,
	                       p->waits_ms[from] ? now_ms - p->waits_ms[from] : 0);
	if (!wait_ms) {
		p->waits_ms[from] = 0;
		return true;
	}
	if (!p->waits_ms[from])
		p->waits_ms[from] = now_ms;
	if (!p->wake_ms || now_ms + wait_ms < p->wake_ms) {
		p->wake_ms = now_ms + wait_ms;
		env_timer_set(p->timer, wait_ms);
	}
	return false;
}

/* From one side to the other, until there is nothing, or it is not taken. 0 or -E_IO. */
static int carry(struct pump *p, int from)
{
	int to = !from;
	uint8_t *buf = (uint8_t *)p->net->scratch;
	size_t size = p->timer ? PART_BYTES : READ_BYTES;

	if (net_queue_flush(&p->to[to], &p->io[to]))
		return -E_IO;
	for (int i = 0; i < ROUNDS && !p->to[to].len && !p->ended[from] && may_read(p, from); i++) {
		ssize_t put, n = net_io_read(&p->io[from], buf, size);

		if (n == -E_LATER)
			break;
		if (n < 0)
			return -E_IO;
		if (!n) {
			p->ended[from] = true;
			break;
		}
		put = net_io_write(&p->io[to], buf, (size_t)n);
		if (put < 0 || net_queue_add(&p->to[to], buf + put, (size_t)(n - put)))
			return -E_IO;
		count(p, to, (size_t)n);
		if (p->io[from].drained)
			break;
	}
	if (p->ended[from] && !p->to[to].len && !p->shut[to]) {
		net_io_shut(&p->io[to]);
		p->shut[to] = true;
	}
	net_io_want_read(&p->io[from], !p->to[to].len && !p->ended[from] && !p->waits_ms[from]);
	return 0;
}

static void on_ready(void *arg)
{
	struct pump *p = arg;

	if (carry(p, CLIENT) || carry(p, OTHER) || (p->shut[CLIENT] && p->shut[OTHER]))
		end(p);
}

static void on_timer(void *arg)
{
	struct pump *p = arg;

	p->wake_ms = 0;
	on_ready(p);
}

struct pump *pump_new(const struct pump_params *params)
{
	struct pump *p = calloc(1, sizeof(*p));
	struct net_io client = params->client;

	if (!p)
		goto fail;
	p->net = params->net;
	p->peer = params->peer;
	if (p->peer && !(p->timer = env_timer_new(p->net->env, on_timer, p)))
		goto fail;
	if (net_io_attach(&p->io[CLIENT], p->net->env, client.fd, client.ssl, 0, on_ready, p))
		goto fail;
	if (net_io_attach(&p->io[OTHER], p->net->env, params->fd, NULL, 0, on_ready, p)) {
		net_io_detach(&p->io[CLIENT]);
		goto fail;
	}
	if (net_queue_add(&p->to[OTHER], params->ahead, params->ahead_len)) {
		net_io_detach(&p->io[CLIENT]);
		net_io_detach(&p->io[OTHER]);
		goto fail;
	}
	p->source = params->source;
	p->to[CLIENT] = params->to_client;
	p->moved_ms = env_now_ms(p->net->env);
	if (p->peer)
		peer_count(p->peer, params->ahead_len, 0);
	DL_APPEND(p->net->pumps, p);
	net_io_kick(&p->io[CLIENT]);
	return p;
fail:
	if (p)
		env_timer_free(p->timer);
	free(p);
	net_io_close(&client, params->net->env);
	env_stream_discard(params->net->env, params->fd);
	net_queue_free(&(struct net_queue){.data = params->to_client.data});
	net_sources_give(params->net->conf.sources, params->source);
	return NULL;
}

/* Half closed, and the other half does not come to an end. */
void pumps_expire(struct net *net)
{
	struct pump *p, *next;
	uint64_t now_ms = env_now_ms(net->env);

	DL_FOREACH_SAFE(net->pumps, p, next)
	{
		/* The web server has answered and closed: do not wait for a client that does not
		 * read. */
		uint32_t max_ms =
		    p->peer ? net->conf.idle_timeout_ms : net->conf.first_message_timeout_ms;

		if ((p->ended[CLIENT] || p->ended[OTHER]) && now_ms - p->moved_ms > max_ms)
			end(p);
	}
}
