/* SPDX-License-Identifier: BSD-3-Clause
 *
 * NAT behaviour discovery (RFC 5780): a Binding request may ask to be answered
 * from our other address, our other port or both, and to another port of its
 * sender. Only on listeners that have such counterparts; on any other these
 * attributes are unknown.
 */
#include "turn/state.h"

#include <string.h>

#define CHANGE_IP   0x4u
#define CHANGE_PORT 0x2u

static const enum stun_attr_index attributes[] = {STUN_ATTR_CHANGE_REQUEST, STUN_ATTR_PADDING,
                                                  STUN_ATTR_RESPONSE_PORT};
static const uint16_t types[] = {0x0003, 0x0026, 0x0027};

static struct turn_listener *listener_at(struct turn *t, const struct addr *ip, uint16_t port)
{
	for (struct turn_listener *l = t->listeners; l; l = l->next)
		if (l->discovery && addr_equal_ip(&l->udp->local, ip) &&
		    addr_port(&l->udp->local) == port)
			return l;
	return NULL;
}

/* The first listener with another IP and another port, for which the two that complete the square
 * exist as well. */
static void find_counterparts(struct turn *t, struct turn_listener *l)
{
	const struct addr *own = &l->udp->local;

	for (struct turn_listener *o = t->listeners; o; o = o->next) {
		const struct addr *other = &o->udp->local;

		if (!o->discovery || addr_family(other) != addr_family(own) ||
		    addr_equal_ip(other, own) || addr_port(other) == addr_port(own))
			continue;
		l->other_port = listener_at(t, own, addr_port(other));
		l->other_ip = listener_at(t, other, addr_port(own));
		l->other = l->other_port && l->other_ip ? o : NULL;
		if (l->other)
			return;
	}
}

void turn_find_counterparts(struct turn *t)
{
	for (struct turn_listener *l = t->listeners; l; l = l->next)
		if (l->discovery && !l->other)
			find_counterparts(t, l);
}

static struct turn_listener *discovery_listener(const struct turn_request *rq)
{
	struct turn_listener *l = (struct turn_listener *)rq->path.side;

	return rq->path.side->protocol == TURN_UDP && l->other ? l : NULL;
}

/* "If the request contains the CHANGE-REQUEST attribute and the server does not have an alternate
 * address and port [...], the server MUST generate an error response of type 420." */
void turn_discovery_note_unknown(struct turn_request *rq)
{
	struct stun_msg *m = &rq->msg;

	if (m->method == STUN_BINDING && discovery_listener(rq))
		return;
	for (size_t i = 0; i < sizeof(attributes) / sizeof(*attributes); i++)
		if (stun_msg_has(m, attributes[i]) && m->unknown_n < STUN_UNKNOWN_MAX)
			m->unknown[m->unknown_n++] = types[i];
}

/* 0 or 400. */
int turn_discovery_check(struct turn_request *rq)
{
	const struct stun_attr *port = &rq->msg.attr[STUN_ATTR_RESPONSE_PORT];
	const struct stun_attr *change = &rq->msg.attr[STUN_ATTR_CHANGE_REQUEST];

	if (change->value && change->len != 4)
		return 400;
	if (port->value && port->len != 2 && port->len != 4)
		return 400;
	if (port->value && !(port->value[0] | port->value[1]))
		return 400;
	/* "If the request contains [...] both the RESPONSE-PORT and the PADDING attribute, the
	 * server MUST generate an error response of type 400": a reply in fragments to a port that
	 * did not ask is what a reflector sends. */
	return port->value && stun_msg_has(&rq->msg, STUN_ATTR_PADDING) ? 400 : 0;
}

/* Every client gets all of it, and over UDP so does a forged sender: four addresses for a bare
 * request of 20 bytes. With IP and UDP headers that is twice the request over IPv4, and less than
 * three times over IPv6; binding_rate limits how often. */
bool turn_is_discovery(const struct turn_request *rq)
{
	return rq->msg.method == STUN_BINDING && discovery_listener(rq);
}

/* Adds the answer's origin and our other address, and sends it from that origin. Writes only to the
 * sender's IP. */
void turn_discovery_reply(struct turn_request *rq)
{
	struct turn_listener *l = discovery_listener(rq), *from = l;
	const struct stun_attr *port = &rq->msg.attr[STUN_ATTR_RESPONSE_PORT];
	const struct stun_attr *padding = &rq->msg.attr[STUN_ATTR_PADDING];
	uint32_t change = 0;

	if (!l)
		return;
	stun_msg_u32(&rq->msg, STUN_ATTR_CHANGE_REQUEST, &change);
	if (change & CHANGE_IP)
		from = change & CHANGE_PORT ? l->other : l->other_ip;
	else if (change & CHANGE_PORT)
		from = l->other_port;
	/* Section 6.1: "The server MUST include both MAPPED-ADDRESS and XOR-MAPPED-ADDRESS in its
	 * Response", the former so that a NAT that rewrites addresses gives itself away. */
	if (!rq->msg.classic)
		stun_out_add_addr(&rq->out, STUN_TYPE_MAPPED_ADDRESS, &rq->path.client);
	stun_out_add_addr(&rq->out, STUN_TYPE_OTHER_ADDRESS, &l->other->external);
	stun_out_add_addr(&rq->out, STUN_TYPE_RESPONSE_ORIGIN, &from->external);
	/* "the server SHOULD insert a PADDING attribute [...] in its response": as long as the
	 * request's, so that a forged sender gets no more than was sent. */
	if (padding->value)
		stun_out_add_zeros(&rq->out, STUN_TYPE_PADDING, padding->len);
	rq->path.side = &from->side;
	if (port->value)
		addr_put_port(&rq->path.client, (uint16_t)(port->value[0] << 8 | port->value[1]));
}
