/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The TURN client's input: answers, and data from peers.
 */
#include "base/bytes.h"
#include "harness/sim/agent.h"
#include "harness/sim/turn_client_internal.h"

#include <string.h>

static struct request *request_of(struct tc *tc, const uint8_t *reply)
{
	for (size_t i = 0; i < TC_REQUESTS; i++)
		if (tc->request[i].method && !memcmp(tc->request[i].tid, reply + 8, 12))
			return &tc->request[i];
	return NULL;
}

static void on_challenge(struct tc *tc, struct request *r, const uint8_t *m, size_t len)
{
	if (!wire_get_str(m, len, ATTR_NONCE, tc->nonce, sizeof(tc->nonce)))
		return;
	tc_compose(tc, r);
	tc_transmit(tc, r);
}

static void on_allocated(struct tc *tc, const uint8_t *m, size_t len)
{
	struct addr a;
	size_t n;
	const uint8_t *token = wire_get(m, len, ATTR_RESERVATION_TOKEN, &n);
	uint32_t lifetime_s = wire_get_u32(m, len, ATTR_LIFETIME);

	if (!wire_get_xor_addr(m, len, ATTR_XOR_RELAYED_ADDRESS, &a) || lifetime_s < 150)
		return;
	tc->relayed = ep_of(&a);
	tc->fallback_ms = 0;
	tc->refresh_ms = tc_refresh_at(tc, lifetime_s);
	if (token && n == sizeof(tc->own_token)) {
		memcpy(tc->own_token, token, n);
		tc->has_token = true;
	}
	tc_tell(tc, TC_READY);
}

static void tell_connection(struct tc *tc, struct ep peer, uint32_t id)
{
	if (tc->user && tc->user->connection)
		tc->user->connection(tc->arg, tc, peer, id);
}

static void on_success(struct tc *tc, const struct request *r, const uint8_t *m, size_t len)
{
	struct addr a;

	switch (r->method) {
	case W_BINDING:
		if (!wire_get_xor_addr(m, len, ATTR_XOR_MAPPED_ADDRESS, &a))
			return;
		tc->mapped = ep_of(&a);
		if (!tc->stream && !tc->relayed.port)
			tc_ask(tc, W_ALLOCATE, tc->mapped, 0, 0);
		tc_tell(tc, TC_MAPPED);
		break;
	case W_ALLOCATE:
		on_allocated(tc, m, len);
		break;
	case W_REFRESH:
		tc->refresh_ms = tc_refresh_at(tc, wire_get_u32(m, len, ATTR_LIFETIME));
		break;
	case W_CREATE_PERMISSION:
		for (size_t i = 0; i < tc->peer_n; i++)
			if (tc->peer[i].ip == r->peer.ip)
				tc->peer[i].refresh_ms = tc_refresh_at(tc, 300);
		break;
	case W_CHANNEL_BIND:
		tc->chan[r->number - CHANNEL_FIRST].bound = true;
		tc->chan[r->number - CHANNEL_FIRST].refresh_ms = tc_refresh_at(tc, 600);
		break;
	case W_CONNECT:
		tell_connection(tc, r->peer, wire_get_u32(m, len, ATTR_CONNECTION_ID));
		break;
	default:
		break;
	}
}

static void on_error(struct tc *tc, const struct request *r, int code)
{
	tc->code = code;
	if (r->method == W_CONNECT) {
		tell_connection(tc, r->peer, 0);
	} else if (r->method == W_ALLOCATE) {
		tc->failed = true;
		tc_tell(tc, TC_FAILED);
	} else if (code == 437 && !tc->lost) {
		tc->lost = true;
		tc->refresh_ms = 0;
		tc_tell(tc, TC_LOST);
	}
}

static void on_reply(struct tc *tc, const uint8_t *m, size_t len)
{
	struct request *r = request_of(tc, m), was;
	int code = wire_error(m, len);
	bool is_signed;

	if (!r)
		return; /* a retransmission's */
	if (code == 401 || code == 438) {
		on_challenge(tc, r, m, len);
		return;
	}
	is_signed = r->method == W_BINDING || wire_integrity_ok(m, len, tc_agent_of(tc)->key);
	if (!sim_check(tc->sim, SIM_REPLY, is_signed, tc->options.call,
	               "the integrity of a reply (method %u) is wrong", r->method))
		return;
	was = *r;
	r->method = 0;
	if (tc->closing)
		tc_destroy(tc);
	else if (code)
		on_error(tc, &was, code);
	else
		on_success(tc, &was, m, len);
}

static void tell_data(struct tc *tc, struct ep peer, bool relayed, const uint8_t *data, size_t len)
{
	if (tc->user && tc->user->data)
		tc->user->data(tc->arg, tc, peer, relayed, data, len);
}

static void on_data_indication(struct tc *tc, const uint8_t *m, size_t len)
{
	struct addr peer;
	size_t n;
	const uint8_t *data = wire_get(m, len, ATTR_DATA, &n);

	if (data && wire_get_xor_addr(m, len, ATTR_XOR_PEER_ADDRESS, &peer))
		tell_data(tc, ep_of(&peer), true, data, n);
}

static void on_attempt(struct tc *tc, const uint8_t *m, size_t len)
{
	struct addr peer;

	if (wire_get_xor_addr(m, len, ATTR_XOR_PEER_ADDRESS, &peer))
		tell_connection(tc, ep_of(&peer), wire_get_u32(m, len, ATTR_CONNECTION_ID));
}

static void on_channel_data(struct tc *tc, const uint8_t *m, size_t len)
{
	size_t i = bytes_get16(m) - (size_t)CHANNEL_FIRST, n = bytes_get16(m + 2);

	if (i < tc->chan_n && n <= len - 4)
		tell_data(tc, tc->chan[i].peer, true, m + 4, n);
}

static void on_datagram(struct tc *tc, const struct datagram *d)
{
	if (d->len >= 20 && d->data[0] < 4) {
		if (wire_type(d->data) == W_DATA)
			on_data_indication(tc, d->data, d->len);
		else if (wire_type(d->data) == W_CONNECTION_ATTEMPT)
			on_attempt(tc, d->data, d->len);
		else
			on_reply(tc, d->data, d->len);
	} else if (wire_is_channel_data(d->data, d->len)) {
		on_channel_data(tc, d->data, d->len);
	} else {
		tell_data(tc, ep_of(&d->peer), false, d->data, d->len);
	}
}

static void on_message(void *arg, uint8_t *m, size_t len)
{
	on_datagram(arg, &(struct datagram){.data = m, .len = len});
}

/* The node has started anew, and the allocation is gone with its connection. */
static void on_stream_end(void *arg, bool broken)
{
	struct tc *tc = arg;

	(void)broken;
	sim_stream_close(tc->stream);
	tc->stream = NULL;
	tc->refresh_ms = 0;
	tc->peer_n = tc->chan_n = 0;
	if (tc->relayed.port && !tc->lost) {
		tc->lost = true;
		tc_tell(tc, TC_LOST);
	} else if (!tc->relayed.port && !tc->failed) {
		tc->failed = true;
		tc_tell(tc, TC_FAILED);
	}
}

const struct sim_stream_user tc_stream_user = {.message = on_message, .ended = on_stream_end};

/* One datagram at a time: the environment delivers so, and the client may be gone after it. */
void tc_on_batch(void *arg, struct env_udp *u, struct datagram *d, size_t n)
{
	(void)u;
	if (n)
		on_datagram(arg, d);
}
