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
	return stun_msg_has(&rq->msg, STUN_ATTR_DONT_FRAGMENT) ||
	               stun_msg_has(&rq->msg, STUN_ATTR_EVEN_PORT) ||
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
	    stun_msg_has(&rq->msg, STUN_ATTR_REQUESTED_ADDRESS_FAMILY) ||
	    stun_msg_has(&rq->msg, STUN_ATTR_ADDITIONAL_ADDRESS_FAMILY))
		return 400;
	return 0;
}

static bool wants_both(const struct turn_request *rq)
{
	return stun_msg_has(&rq->msg, STUN_ATTR_ADDITIONAL_ADDRESS_FAMILY);
}

/* "The server checks if the request contains both REQUESTED-ADDRESS-FAMILY and
 * ADDITIONAL-ADDRESS-FAMILY attributes. If yes [...] 400", "an EVEN-PORT attribute with the R bit
 * set to 1. If yes, and the request also contains an ADDITIONAL-ADDRESS-FAMILY attribute [...]
 * 400", "an ADDITIONAL-ADDRESS-FAMILY attribute. If yes, and the attribute value is 0x01 [...] 400"
 */
static int check_additional(struct turn_request *rq)
{
	const struct stun_attr *even = &rq->msg.attr[STUN_ATTR_EVEN_PORT];
	uint32_t family;

	if (!wants_both(rq))
		return 0;
	if (stun_msg_has(&rq->msg, STUN_ATTR_REQUESTED_ADDRESS_FAMILY) ||
	    (even->value && even->value[0] & 0x80) ||
	    stun_msg_u32(&rq->msg, STUN_ATTR_ADDITIONAL_ADDRESS_FAMILY, &family) ||
	    family >> 24 != FAMILY_IPV6)
		return 400;
	return 0;
}

/* "If the server does not support the address family requested by the client [...] 440", "If the
 * REQUESTED-ADDRESS-FAMILY attribute is absent and the server does not support the IPv4 address
 * family [...] 440"; of two families, one is enough. */
static int check_family(struct turn_request *rq)
{
	uint32_t value;
	int r = stun_msg_u32(&rq->msg, STUN_ATTR_REQUESTED_ADDRESS_FAMILY, &value);

	if (wants_both(rq) && rq->path.side->relay6 != TURN_NO_RELAY)
		return 0;
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

/* RFC 8489 section 10: "The server MUST include at least one ALTERNATE-SERVER attribute in the
 * error response, which MUST contain an IP address of the same address family as the source IP
 * address of the request message." A client that holds a reservation has it here. */
static int check_redirect(struct turn_request *rq)
{
	const struct turn *t = rq->turn;

	if (rq->alloc || stun_msg_has(&rq->msg, STUN_ATTR_RESERVATION_TOKEN))
		return 0;
	if ((t->draining || t->conf.redirect) && turn_alternate(t, addr_family(&rq->path.client)))
		return 300;
	/* RFC 8656 section 19: 508 is "due to some capacity limit currently being reached". */
	return t->draining ? 508 : 0;
}

static turn_check_fn *const allocate_checks[] = {
    check_tuple_free, check_transport, turn_check_lifetime,        check_reservation,
    check_additional, check_family,    turn_mobile_check_allocate, check_redirect,
};

static int open_relay(struct turn_request *rq, struct turn_half *half, uint16_t port)
{
	struct turn *t = half->alloc->turn;
	struct env_udp_params p = {.local = half->via->local,
	                           .fd = -1,
	                           .on_batch = turn_on_relay_batch,
	                           .on_error = turn_on_relay_error,
	                           .arg = half};
	int r;

	addr_put_port(&p.local, port);
	if (wants_tcp(rq)) {
		r = t->net->listen(t->net_ctx, half->alloc, &p.local, &half->tcp);
		if (!r)
			turn_ports_put_tcp(half->via->ports, port);
	} else {
		r = env_udp_open(t->env, &p, &half->udp);
	}
	if (r)
		return r;
	half->port = port;
	half->relayed = half->via->external;
	addr_put_port(&half->relayed, port);
	half->expires_ms = UINT64_MAX; /* until its lifetime is set */
	t->halves++;
	return 0;
}

/* "At any point, a server MAY choose to reject the request with a 486 (Allocation Quota Reached)
 * error if it feels the client is trying to exceed some locally defined allocation quota." */
static int quota_code(int result)
{
	return !result ? 0 : result == -E_LIMIT ? 486 : 508;
}

/* The port that the token keeps, wherever it was reserved, and the place in the quota with it. */
static int claim_port(struct turn_request *rq, struct turn_alloc *a)
{
	struct turn *t = rq->turn;
	const uint8_t *token = rq->msg.attr[STUN_ATTR_RESERVATION_TOKEN].value;
	struct turn_quota_user *holder;
	uint16_t port;

	for (size_t i = 0; i < t->conf.relay_n; i++) {
		const struct turn_relay *via = &t->conf.relay[i];
		struct turn_half *half = &a->half[addr_family(&via->local) == AF_INET6];
		int r;

		if (turn_ports_claim(via->ports, token, t->now_ms, &port, &holder))
			continue;
		r = turn_quota_pass(t->conf.quota, holder, rq->realm, rq->auth.quota_user,
		                    rq->auth.quota_user_len, &a->quota_user);
		if (r)
			turn_quota_give(t->conf.quota, holder);
		half->via = via;
		if (!r && !open_relay(rq, half, port))
			return 0;
		turn_ports_release(via->ports, port);
		return r ? quota_code(r) : 508;
	}
	return 508;
}

/* RFC 8656 section 7.2: "If the EVEN-PORT attribute is present with the R bit set to 1, then the
 * server looks for a pair of port numbers N and N+1 [...] N+1 is reserved". */
static int reserve_next(struct turn_half *half, uint16_t port)
{
	struct turn_alloc *a = half->alloc;
	struct turn *t = a->turn;
	struct turn_holder holder = turn_holder_of(a);

	holder.quota_user = a->second;
	env_random(t->env, a->token, sizeof(a->token));
	if (turn_ports_reserve(half->via->ports, (uint16_t)(port + 1), a->token, t->now_ms,
	                       &holder))
		return -E_NOMEM;
	a->second = NULL;
	a->has_token = true;
	return 0;
}

/* relay: index into conf.relay. 0, 440 or 508. */
static int lease_port(struct turn_request *rq, struct turn_half *half, int relay)
{
	const struct stun_attr *even = &rq->msg.attr[STUN_ATTR_EVEN_PORT];
	enum turn_ports_want want = TURN_PORT_ANY;

	if (relay == TURN_NO_RELAY)
		return 440;
	relay =
	    turn_usable_relay(rq->turn, relay, half == &half->alloc->half[1] ? AF_INET6 : AF_INET);
	half->via = &rq->turn->conf.relay[relay];
	if (even->value)
		want = even->value[0] & 0x80 ? TURN_PORT_EVEN_PAIR : TURN_PORT_EVEN;
	for (int i = 0; i < BIND_TRIES; i++) {
		uint16_t port;

		if (turn_ports_lease(half->via->ports, rq->turn->env, want, &port))
			return 508;
		int r = open_relay(rq, half, port);

		if (!r && (want != TURN_PORT_EVEN_PAIR || !reserve_next(half, port)))
			return 0;
		if (want == TURN_PORT_EVEN_PAIR)
			turn_ports_release(half->via->ports, (uint16_t)(port + 1));
		if (!r)
			return 508; /* the caller frees the first port with the allocation */
		turn_ports_release(half->via->ports, port);
		if (r != -E_IN_USE)
			return 508;
	}
	return 508;
}

/* "If the server can partially meet the request, i.e., if it can only allocate one relayed
 * transport address of a specific address type, then it includes ADDRESS-ERROR-CODE attribute in
 * the success response" */
static int lease_both(struct turn_request *rq, struct turn_alloc *a)
{
	int r4 = lease_port(rq, &a->half[0], rq->path.side->relay4);
	int r6 = lease_port(rq, &a->half[1], rq->path.side->relay6);

	if (r4 && r6)
		return r4;
	a->missing_code = (uint16_t)(r4 ? r4 : r6);
	a->missing_family = r4 ? FAMILY_IPV4 : FAMILY_IPV6;
	return 0;
}

static int lease(struct turn_request *rq, struct turn_alloc *a)
{
	uint32_t family = 0;

	if (stun_msg_has(&rq->msg, STUN_ATTR_RESERVATION_TOKEN))
		return claim_port(rq, a);
	if (wants_both(rq))
		return lease_both(rq, a);
	stun_msg_u32(&rq->msg, STUN_ATTR_REQUESTED_ADDRESS_FAMILY, &family);
	if (family >> 24 == FAMILY_IPV6)
		return lease_port(rq, &a->half[1], rq->path.side->relay6);
	return lease_port(rq, &a->half[0], rq->path.side->relay4);
}

static int take_place(struct turn_request *rq, struct turn_quota_user **out)
{
	return quota_code(turn_quota_take(rq->turn->conf.quota, rq->realm, rq->auth.quota_user,
	                                  rq->auth.quota_user_len, out));
}

/* One for the allocation, unless it comes with the reserved port; and one for a port to reserve. */
static int take_places(struct turn_request *rq, struct turn_alloc *a)
{
	const struct stun_attr *even = &rq->msg.attr[STUN_ATTR_EVEN_PORT];
	int r = 0;

	if (!stun_msg_has(&rq->msg, STUN_ATTR_RESERVATION_TOKEN))
		r = take_place(rq, &a->quota_user);
	if (!r && even->value && even->value[0] & 0x80)
		r = take_place(rq, &a->second);
	return r;
}

static int make(struct turn_request *rq)
{
	struct turn_alloc *a = turn_alloc_new(rq);
	int r;

	if (!a)
		return 508;
	r = take_places(rq, a);
	/* RFC 8016 knows no connections to peers. */
	if (!r && stun_msg_has(&rq->msg, STUN_ATTR_MOBILITY_TICKET) && !wants_tcp(rq) &&
	    turn_mobile_new(a))
		r = 508;
	if (!r)
		r = lease(rq, a);
	if (r) {
		turn_alloc_free(a);
		return r;
	}
	turn_alloc_set_lifetime(a, TURN_HALVES, turn_lifetime(rq));
	if (turn_alloc_add(a)) {
		turn_alloc_free(a);
		return 508;
	}
	rq->alloc = a;
	return 0;
}

/* The success response of Allocate; also for a retransmission. */
static void reply(struct turn_request *rq)
{
	const struct turn_alloc *a = rq->alloc;

	turn_reply_start(rq, STUN_SUCCESS);
	for (int i = 0; i < 2; i++)
		if (a->half[i].expires_ms)
			stun_out_add_xor_addr(&rq->out, STUN_TYPE_XOR_RELAYED_ADDRESS,
			                      &a->half[i].relayed);
	if (a->missing_code)
		stun_out_add_address_error(&rq->out, a->missing_family, a->missing_code);
	stun_out_add_u32(&rq->out, STUN_TYPE_LIFETIME,
	                 (uint32_t)((a->due_ms - rq->turn->now_ms) / 1000));
	if (a->has_token)
		stun_out_add(&rq->out, STUN_TYPE_RESERVATION_TOKEN, a->token, sizeof(a->token));
	turn_mobile_add_ticket(rq, a);
	stun_out_add_xor_addr(&rq->out, STUN_TYPE_XOR_MAPPED_ADDRESS, &rq->path.client);
	turn_reply_send(rq);
}

int turn_allocate(struct turn_request *rq)
{
	int r = turn_run_checks(rq, allocate_checks,
	                        sizeof(allocate_checks) / sizeof(*allocate_checks));

	if (!r && !rq->alloc)
		r = make(rq);
	if (r)
		return r;
	reply(rq);
	return 0;
}
