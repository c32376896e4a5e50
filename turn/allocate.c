/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Allocate: gives the client a relayed transport address (RFC 8656 section 7.2).
 */
#include "turn/state.h"

#include "base/error.h"
#include "turn/ports.h"
#include "turn/quota.h"

#include <stdlib.h>
#include <string.h>

#define TRANSPORT_TCP 6
#define TRANSPORT_UDP 17
#define FAMILY_IPV4   1
#define FAMILY_IPV6   2
#define BIND_TRIES    16 /* ports that another program of this host may hold */

/* "The server checks if the 5-tuple is currently in use by an existing allocation. If yes [...]
 * 437"; the retransmission of the request that made it is no new request. */
static int check_tuple_free(struct turn_request *rq)
{
	if (!rq->alloc)
		return 0;
	return memcmp(rq->alloc->tid, rq->msg.tid, STUN_TID_LEN) ? 437 : 0;
}

/* RFC 6062 section 5.1: "If the client connection transport is not TCP or TLS, the server MUST
 * reject the request with a 400", "If the request contains the DONT-FRAGMENT, EVEN-PORT, or
 * RESERVATION-TOKEN attribute, [...] 400". */
static int check_tcp(const struct turn_request *rq)
{
	if (!rq->turn->net)
		return 442;
	if (!turn_path_is_stream(&rq->path))
		return 400;
	return stun_msg_has(&rq->msg, STUN_ATTR_EVEN_PORT) ||
	               stun_msg_has(&rq->msg, STUN_ATTR_RESERVATION_TOKEN)
	           ? 400
	           : 0;
}

static bool wants_tcp(const struct turn_request *rq)
{
	uint32_t value;

	return !stun_msg_u32(&rq->msg, STUN_ATTR_REQUESTED_TRANSPORT, &value) &&
	       value >> 24 == TRANSPORT_TCP;
}

/* "The server checks if the request contains a REQUESTED-TRANSPORT attribute. If [it] is not
 * included or is malformed [...] 400. [...] not supported by the server [...] 442." */
static int check_transport(struct turn_request *rq)
{
	uint32_t value;

	if (stun_msg_u32(&rq->msg, STUN_ATTR_REQUESTED_TRANSPORT, &value))
		return 400;
	if (value >> 24 == TRANSPORT_TCP)
		return check_tcp(rq);
	return value >> 24 == TRANSPORT_UDP ? 0 : 442;
}

/* "The server checks if the request contains a RESERVATION-TOKEN attribute. If yes, and the
 * request also contains an EVEN-PORT or REQUESTED-ADDRESS-FAMILY [...] 400" */
static int check_reservation(struct turn_request *rq)
{
	const struct stun_attr *token = &rq->msg.attr[STUN_ATTR_RESERVATION_TOKEN];
	const struct stun_attr *even = &rq->msg.attr[STUN_ATTR_EVEN_PORT];

	if (even->value && even->len != 1)
		return 400;
	if (!token->value)
		return 0;
	if (token->len != TURN_TOKEN_LEN || even->value ||
	    stun_msg_has(&rq->msg, STUN_ATTR_REQUESTED_ADDRESS_FAMILY))
		return 400;
	return 0;
}

/* "If the server does not support the address family requested by the client, it [...] 440" */
static int check_family(struct turn_request *rq)
{
	uint32_t value;
	int r = stun_msg_u32(&rq->msg, STUN_ATTR_REQUESTED_ADDRESS_FAMILY, &value);

	if (r == -E_NOTFOUND)
		return rq->path.side->relay4 == TURN_NO_RELAY &&
		               !stun_msg_has(&rq->msg, STUN_ATTR_RESERVATION_TOKEN)
		           ? 440
		           : 0;
	if (r)
		return 400;
	value >>= 24;
	if (value == FAMILY_IPV4)
		return rq->path.side->relay4 == TURN_NO_RELAY ? 440 : 0;
	if (value == FAMILY_IPV6)
		return rq->path.side->relay6 == TURN_NO_RELAY ? 440 : 0;
	return 440;
}

static turn_check_fn *const allocate_checks[] = {
    check_tuple_free,
    check_transport,
    check_reservation,
    check_family,
};

static const struct turn_relay *relay_of(const struct turn_request *rq)
{
	uint32_t family = 0;
	int i;

	stun_msg_u32(&rq->msg, STUN_ATTR_REQUESTED_ADDRESS_FAMILY, &family);
	i = family >> 24 == FAMILY_IPV6 ? rq->path.side->relay6 : rq->path.side->relay4;
	return i == TURN_NO_RELAY ? NULL : &rq->turn->conf.relay[i];
}

static int open_relay(struct turn_request *rq, struct turn_alloc *a, uint16_t port)
{
	struct turn *t = a->turn;
	struct env_udp_params p = {
	    .local = a->via->local, .fd = -1, .on_batch = turn_on_relay_batch, .arg = a};
	int r;

	addr_put_port(&p.local, port);
	if (wants_tcp(rq)) {
		r = t->net->listen(t->net_ctx, a, &p.local, &a->tcp_listener);
		if (!r)
			turn_ports_put_tcp(a->via->ports, port);
	} else {
		r = env_udp_open(t->env, &p, &a->relay);
	}
	if (!r)
		a->port = port;
	return r;
}

/* The port that the token keeps, wherever it was reserved. */
static int claim_port(struct turn_request *rq, struct turn_alloc *a)
{
	struct turn *t = rq->turn;
	const uint8_t *token = rq->msg.attr[STUN_ATTR_RESERVATION_TOKEN].value;
	uint16_t port;

	for (size_t i = 0; i < t->conf.relay_n; i++) {
		a->via = &t->conf.relay[i];
		if (turn_ports_claim(a->via->ports, token, t->now_ms, &port))
			continue;
		if (!open_relay(rq, a, port))
			return 0;
		turn_ports_release(a->via->ports, port);
		break;
	}
	return 508;
}

/* RFC 8656 section 7.2: "If the EVEN-PORT attribute is present with the R bit set to 1, then the
 * server looks for a pair of port numbers N and N+1 [...] N+1 is reserved". */
static int reserve_next(struct turn_alloc *a, uint16_t port)
{
	struct turn *t = a->turn;

	env_random(t->env, a->token, sizeof(a->token));
	if (turn_ports_reserve(a->via->ports, (uint16_t)(port + 1), a->token, t->now_ms))
		return -E_NOMEM;
	a->has_token = true;
	return 0;
}

static int lease_port(struct turn_request *rq, struct turn_alloc *a)
{
	const struct stun_attr *even = &rq->msg.attr[STUN_ATTR_EVEN_PORT];
	enum turn_ports_want want = TURN_PORT_ANY;

	a->via = relay_of(rq);
	if (even->value)
		want = even->value[0] & 0x80 ? TURN_PORT_EVEN_PAIR : TURN_PORT_EVEN;
	for (int i = 0; i < BIND_TRIES; i++) {
		uint16_t port;

		if (turn_ports_lease(a->via->ports, rq->turn->env, want, &port))
			return 508;
		int r = open_relay(rq, a, port);

		if (!r && (want != TURN_PORT_EVEN_PAIR || !reserve_next(a, port)))
			return 0;
		if (want == TURN_PORT_EVEN_PAIR)
			turn_ports_release(a->via->ports, (uint16_t)(port + 1));
		if (!r)
			return 508; /* the caller frees the first port with the allocation */
		turn_ports_release(a->via->ports, port);
		if (r != -E_IN_USE)
			return 508;
	}
	return 508;
}

static int make(struct turn_request *rq)
{
	struct turn *t = rq->turn;
	struct turn_alloc *a = turn_alloc_new(rq);
	int r;

	if (!a)
		return 508;
	/* "the server checks [...] the allocation quota being reached": 486 */
	r = turn_quota_take(t->conf.quota, rq->auth.account, rq->auth.account_len, &a->account);
	if (r) {
		turn_alloc_free(a);
		return r == -E_LIMIT ? 486 : 508;
	}
	r = stun_msg_has(&rq->msg, STUN_ATTR_RESERVATION_TOKEN) ? claim_port(rq, a)
	                                                        : lease_port(rq, a);
	if (r) {
		turn_alloc_free(a);
		return r;
	}
	a->relayed = a->via->external;
	addr_put_port(&a->relayed, a->port);
	turn_alloc_set_lifetime(a, turn_lifetime(rq));
	turn_alloc_add(a);
	rq->alloc = a;
	return 0;
}

int turn_allocate(struct turn_request *rq)
{
	int r = turn_run_checks(rq, allocate_checks,
	                        sizeof(allocate_checks) / sizeof(*allocate_checks));

	if (!r && !rq->alloc)
		r = make(rq);
	if (r)
		return r;
	turn_reply_start(rq, STUN_SUCCESS);
	stun_out_add_xor_addr(&rq->out, STUN_TYPE_XOR_RELAYED_ADDRESS, &rq->alloc->relayed);
	stun_out_add_u32(&rq->out, STUN_TYPE_LIFETIME,
	                 (uint32_t)((rq->alloc->expires_ms - rq->turn->now_ms) / 1000));
	if (rq->alloc->has_token)
		stun_out_add(&rq->out, STUN_TYPE_RESERVATION_TOKEN, rq->alloc->token,
		             sizeof(rq->alloc->token));
	stun_out_add_xor_addr(&rq->out, STUN_TYPE_XOR_MAPPED_ADDRESS, &rq->path.client);
	turn_reply_send(rq);
	return 0;
}
