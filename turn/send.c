/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Send indications: from the client to a peer without a channel (RFC 8656 section 11.2).
 */
#include "turn/state.h"

/* "If there is no such permission, [...] the message is discarded": silence, and a counter. */
void turn_send(struct turn_request *rq)
{
	const struct stun_attr *data = &rq->msg.attr[STUN_ATTR_DATA];
	struct turn_alloc *a = rq->alloc;
	struct turn_half *half;
	struct turn_perm *perm;
	struct addr peer, wire;

	if (!a) { /* and so no permission */
		rq->turn->stats.permission_drops++;
		return;
	}
	/* RFC 8489 section 6.3.2: with unknown attributes an indication is discarded. */
	if (rq->msg.unknown_n || !data->value || stun_msg_peer(&rq->msg, 0, &peer)) {
		rq->turn->stats.malformed++;
		return;
	}
	if (a->mobile)
		turn_mobile_on_data(a, &rq->tuple);
	/* "If the XOR-PEER-ADDRESS attribute contains an address of an address family that is not
	 * the same as that of a relayed transport address [...] discarded" */
	half = turn_half_for(a, &peer);
	if (!half || !half->udp) { /* RFC 6062: a TCP allocation has no datagrams */
		rq->turn->stats.malformed++;
		return;
	}
	perm = turn_perm_find(a, &peer);
	if (!perm) {
		rq->turn->stats.permission_drops++;
		if (!a->noted_unpermitted)
			turn_journal_note(a, TURN_EVENT_UNPERMITTED, &peer, 0);
		a->noted_unpermitted = true;
		return;
	}
	/* The permission was for the IP: the port is only known now. */
	if (turn_perm_check_peer(a, &peer, true)) {
		rq->turn->stats.policy_drops++;
		return;
	}
	wire = perm->own ? turn_wire_addr(rq->turn, &peer) : peer;
	turn_relay_to_peer(half, &wire, (uint8_t *)(uintptr_t)data->value, data->len, rq->path.tos,
	                   stun_msg_has(&rq->msg, STUN_ATTR_DONT_FRAGMENT));
}
