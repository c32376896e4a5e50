/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The TURN client.
 */
#include "harness/sim/turn_client_internal.h"

#include "base/bytes.h"
#include "harness/sim/agent.h"
#include "harness/sim/net.h"
#include "harness/sim/node.h"

#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#define RTO_MS       500
#define RTO_MAX_MS   2000
#define TRIES        12
#define STREAM_TI_MS 39500
#define FALLBACK_MS  3000  /* then the stream is tried */
#define KEEPALIVE_MS 25000 /* for the NATs */

static void on_timer(void *arg);

struct agent *tc_agent_of(const struct tc *tc)
{
	return &tc->sim->agent[tc->options.agent];
}

static void to_server(struct tc *tc, bool by_stream, const uint8_t *data, size_t len)
{
	struct addr to = ep_addr(tc->sim->node[tc->options.node].listener);

	if (!by_stream)
		env_udp_send(tc->udp, &to, data, len);
	else if (tc->stream)
		sim_stream_send(tc->stream, data, len);
}

/* Sets the timer to what comes next. */
static void schedule(struct tc *tc)
{
	uint64_t now = sim_now(tc->sim), next = tc->keepalive_ms;

	if (tc->fallback_ms && tc->fallback_ms < next)
		next = tc->fallback_ms;
	if (tc->refresh_ms && tc->refresh_ms < next)
		next = tc->refresh_ms;
	for (size_t i = 0; i < TC_REQUESTS; i++)
		if (tc->request[i].method && tc->request[i].next_ms < next)
			next = tc->request[i].next_ms;
	for (size_t i = 0; i < tc->peer_n; i++)
		if (tc->peer[i].refresh_ms && tc->peer[i].refresh_ms < next)
			next = tc->peer[i].refresh_ms;
	for (size_t i = 0; i < tc->chan_n; i++)
		if (tc->chan[i].refresh_ms && tc->chan[i].refresh_ms < next)
			next = tc->chan[i].refresh_ms;
	env_timer_set(tc->timer, next > now ? next - now : 1);
}

static void add_peer(struct wire *m, struct ep peer)
{
	struct addr a = ep_addr(peer);

	wire_add_xor_addr(m, ATTR_XOR_PEER_ADDRESS, &a);
}

/* Starts a message whose transaction ID names its client. */
static struct wire *start(struct tc *tc, uint16_t type)
{
	struct wire *m = &tc->sim->wire;

	wire_start(m, type, 0);
	bytes_put32(m->buf + 8, tc->options.call);
	bytes_put32(m->buf + 12, tc->options.agent);
	bytes_put32(m->buf + 16, ++tc->tids);
	return m;
}

static void add_allocate(struct tc *tc, struct wire *m)
{
	uint8_t even = tc->options.pair ? 0x80 : 0;

	wire_add_transport(m, tc->options.tcp_relay ? IPPROTO_TCP : IPPROTO_UDP);
	if (tc->options.lifetime_s)
		wire_add_u32(m, ATTR_LIFETIME, tc->options.lifetime_s);
	if (tc->options.token)
		wire_add(m, ATTR_RESERVATION_TOKEN, tc->token, sizeof(tc->token));
	else if (tc->options.even)
		wire_add(m, ATTR_EVEN_PORT, &even, 1);
}

/* Writes the request anew, with the nonce that we have now. */
void tc_compose(struct tc *tc, struct request *r)
{
	struct wire *m = start(tc, r->method);

	if (r->method == W_ALLOCATE)
		add_allocate(tc, m);
	if (r->method == W_REFRESH)
		wire_add_u32(m, ATTR_LIFETIME, r->lifetime_s);
	if (r->method == W_CHANNEL_BIND)
		wire_add_channel(m, r->number);
	if (r->method == W_CHANNEL_BIND || r->method == W_CREATE_PERMISSION ||
	    r->method == W_CONNECT)
		add_peer(m, r->peer);
	if (r->method != W_BINDING && *tc->nonce) {
		wire_add_login(m, tc_agent_of(tc)->name, SIM_REALM, tc->nonce);
		wire_add_integrity(m, tc_agent_of(tc)->key);
	}
	memcpy(r->tid, m->buf + 8, sizeof(r->tid));
	r->len = m->len;
	memcpy(r->msg, m->buf, m->len);
	r->tries = 0;
	r->next_ms = sim_now(tc->sim);
}

void tc_transmit(struct tc *tc, struct request *r)
{
	uint32_t wait = RTO_MS << (r->tries < 2 ? r->tries : 2);

	r->tries++;
	r->next_ms = sim_now(tc->sim) + (wait < RTO_MAX_MS ? wait : RTO_MAX_MS);
	if (r->by_stream) { /* RFC 8489 section 6.2.2: it is not sent again */
		r->tries = TRIES;
		r->next_ms = sim_now(tc->sim) + STREAM_TI_MS;
	}
	to_server(tc, r->by_stream, r->msg, r->len);
}

void tc_ask(struct tc *tc, uint16_t method, struct ep peer, uint16_t number, uint32_t lifetime_s)
{
	struct request *r = tc->request;

	while (r < tc->request + TC_REQUESTS && r->method)
		r++;
	if (r == tc->request + TC_REQUESTS)
		return; /* what is refreshed comes again */
	*r = (struct request){.method = method,
	                      .peer = peer,
	                      .number = number,
	                      .lifetime_s = lifetime_s,
	                      .by_stream = tc->stream && method != W_BINDING};
	tc_compose(tc, r);
	tc_transmit(tc, r);
	schedule(tc);
}

static int open_socket(struct tc *tc)
{
	struct ep local = {tc_agent_of(tc)->ip, 0, 0};
	struct env_udp_params p = {
	    .local = ep_addr(local), .fd = -1, .on_batch = tc_on_batch, .arg = tc};

	return env_udp_open(tc->sim->env, &p, &tc->udp);
}

void tc_destroy(struct tc *tc)
{
	DL_DELETE(tc->sim->clients, tc);
	env_udp_close(tc->udp);
	sim_stream_close(tc->stream);
	env_timer_free(tc->timer);
	agent_forget_client(tc_agent_of(tc));
	free(tc);
}

struct tc *tc_new(struct sim *s, const struct tc_options *options, const struct tc_user *user,
                  void *arg)
{
	struct tc *tc = calloc(1, sizeof(*tc));

	if (!tc)
		return NULL;
	tc->sim = s;
	tc->options = *options;
	if (options->token)
		memcpy(tc->token, options->token, sizeof(tc->token));
	tc->user = user;
	tc->arg = arg;
	tc->timer = env_timer_new(s->env, on_timer, tc);
	if (!tc->timer || open_socket(tc)) {
		env_timer_free(tc->timer);
		free(tc);
		return NULL;
	}
	DL_APPEND(s->clients, tc);
	tc_agent_of(tc)->clients++;
	tc->keepalive_ms = sim_now(s) + KEEPALIVE_MS;
	tc->fallback_ms = sim_now(s) + FALLBACK_MS;
	if (options->tcp) {
		tc->fallback_ms = sim_now(s);
		schedule(tc);
	} else {
		tc_ask(tc, options->no_binding ? W_ALLOCATE : W_BINDING, tc->mapped, 0, 0);
	}
	return tc;
}

void tc_close(struct tc *tc, bool word)
{
	if (!tc)
		return;
	tc->user = NULL;
	if (!word || !tc->relayed.port || tc->lost || tc->stream) {
		tc_destroy(tc);
		return;
	}
	tc->closing = true;
	memset(tc->request, 0, sizeof(tc->request));
	tc->peer_n = tc->chan_n = 0;
	tc->refresh_ms = tc->fallback_ms = 0;
	tc_ask(tc, W_REFRESH, tc->mapped, 0, 0);
}

void tc_tell(struct tc *tc, enum tc_event event)
{
	if (tc->user)
		tc->user->event(tc->arg, tc, event);
}

/* The stream takes over when UDP has not brought an allocation. */
static void fall_back(struct tc *tc)
{
	struct sim_stream_options o = {
	    .agent = tc->options.agent, .call = tc->options.call, .node = tc->options.node};

	tc->fallback_ms = 0;
	if (tc->relayed.port || tc->failed)
		return;
	tc->stream = sim_stream_new(tc->sim, &o, &tc_stream_user, tc);
	if (!tc->stream)
		return;
	for (size_t i = 0; i < TC_REQUESTS; i++)
		if (tc->request[i].method != W_BINDING)
			tc->request[i].method = 0;
	tc_ask(tc, W_ALLOCATE, tc->mapped, 0, 0);
}

/* When to ask again for what lasts so long; late, where the client is lax. */
uint64_t tc_refresh_at(struct tc *tc, uint32_t lasts_s)
{
	uint32_t ahead = 20 + sim_dice(tc->sim, lasts_s < 400 ? 60 : 120);

	if (tc->options.lax && !sim_dice(tc->sim, 3))
		return sim_now(tc->sim) + lasts_s * UINT64_C(1000) + sim_dice(tc->sim, 9000);
	return sim_now(tc->sim) + (lasts_s - ahead) * UINT64_C(1000);
}

static void give_up(struct tc *tc, struct request *r)
{
	uint16_t method = r->method;

	r->method = 0;
	schedule(tc);
	if (tc->closing) {
		tc_destroy(tc);
	} else if (method == W_ALLOCATE) {
		tc->failed = true;
		tc_tell(tc, TC_FAILED);
	}
}

static bool retransmit(struct tc *tc, uint64_t now)
{
	for (size_t i = 0; i < TC_REQUESTS; i++) {
		struct request *r = &tc->request[i];

		if (!r->method || r->next_ms > now)
			continue;
		if (r->tries >= TRIES) {
			give_up(tc, r);
			return false; /* it may be gone */
		}
		tc_transmit(tc, r);
	}
	return true;
}

static void renew(struct tc *tc, uint64_t now)
{
	if (tc->refresh_ms && tc->refresh_ms <= now) {
		tc->refresh_ms = now + 30000; /* unless the answer says when */
		tc_ask(tc, W_REFRESH, tc->mapped, 0,
		       tc->options.lifetime_s ? tc->options.lifetime_s : NODE_LIFETIME_S);
	}
	for (size_t i = 0; i < tc->peer_n; i++) {
		if (tc->peer[i].refresh_ms && tc->peer[i].refresh_ms <= now) {
			tc->peer[i].refresh_ms = now + 30000;
			tc_ask(tc, W_CREATE_PERMISSION, (struct ep){tc->peer[i].ip, 9, 0}, 0, 0);
		}
	}
	for (size_t i = 0; i < tc->chan_n; i++) {
		if (tc->chan[i].refresh_ms && tc->chan[i].refresh_ms <= now) {
			tc->chan[i].refresh_ms = now + 30000;
			tc_ask(tc, W_CHANNEL_BIND, tc->chan[i].peer, (uint16_t)(CHANNEL_FIRST + i),
			       0);
		}
	}
}

static void on_timer(void *arg)
{
	struct tc *tc = arg;
	uint64_t now = sim_now(tc->sim);

	if (tc->keepalive_ms <= now) {
		struct wire *m = start(tc, W_BINDING | W_INDICATION);

		tc->keepalive_ms = now + KEEPALIVE_MS;
		to_server(tc, false, m->buf, m->len);
	}
	if (tc->fallback_ms && tc->fallback_ms <= now)
		fall_back(tc);
	if (!retransmit(tc, now))
		return;
	renew(tc, now);
	schedule(tc);
}

void tc_permit(struct tc *tc, struct ep peer)
{
	if (!tc->relayed.port)
		return;
	for (size_t i = 0; i < tc->peer_n; i++)
		if (tc->peer[i].ip == peer.ip)
			return;
	if (tc->peer_n == TC_PEERS)
		return;
	tc->peer[tc->peer_n++] = (struct peer){peer.ip, 0};
	tc_ask(tc, W_CREATE_PERMISSION, (struct ep){peer.ip, 9, 0}, 0, 0);
}

static struct chan *chan_to(struct tc *tc, struct ep peer)
{
	for (size_t i = 0; i < tc->chan_n; i++)
		if (ep_equal(tc->chan[i].peer, peer))
			return &tc->chan[i];
	return NULL;
}

void tc_bind(struct tc *tc, struct ep peer)
{
	if (!tc->relayed.port || chan_to(tc, peer) || tc->chan_n == TC_PEERS)
		return;
	tc->chan[tc->chan_n++] = (struct chan){.peer = peer};
	tc_ask(tc, W_CHANNEL_BIND, peer, (uint16_t)(CHANNEL_FIRST + tc->chan_n - 1), 0);
}

void tc_connect(struct tc *tc, struct ep peer)
{
	tc_ask(tc, W_CONNECT, peer, 0, 0);
}

void tc_send(struct tc *tc, struct ep peer, const uint8_t *data, size_t len)
{
	struct addr to = ep_addr(peer);

	env_udp_send(tc->udp, &to, data, len);
}

void tc_send_relayed(struct tc *tc, struct ep peer, const uint8_t *data, size_t len)
{
	struct chan *c = chan_to(tc, peer);
	struct wire *m = &tc->sim->wire;

	if (!tc->relayed.port)
		return;
	if (c && c->bound) {
		wire_channel_data(m, (uint16_t)(CHANNEL_FIRST + (c - tc->chan)), data, len,
		                  tc->stream != NULL);
	} else {
		m = start(tc, W_SEND);
		add_peer(m, peer);
		wire_add(m, ATTR_DATA, data, len);
	}
	to_server(tc, tc->stream != NULL, m->buf, m->len);
}

void tc_set_reads(struct tc *tc, bool reads)
{
	if (tc->stream)
		sim_stream_set_reads(tc->stream, reads);
}

struct ep tc_host(const struct tc *tc)
{
	return ep_of(&tc->udp->local);
}

struct ep tc_mapped(const struct tc *tc)
{
	return tc->mapped;
}

struct ep tc_relayed(const struct tc *tc)
{
	return tc->relayed;
}

const uint8_t *tc_token(const struct tc *tc)
{
	return tc->has_token ? tc->own_token : NULL;
}

int tc_code(const struct tc *tc)
{
	return tc->code;
}

unsigned int tc_node(const struct tc *tc)
{
	return tc->options.node;
}
