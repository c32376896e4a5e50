/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Binding: tells the client its server-reflexive address (RFC 8489 section 6.3.1).
 */
#include "turn/state.h"

#include "turn/limiter.h"

int turn_binding(struct turn_request *rq)
{
	struct turn *t = rq->turn;
	uint64_t
	    buf[(TURN_REQUEST_MAX + STUN_REPLY_MAX) / 8]; /* with as much PADDING as was sent */

	t->stats.binding_requests++;
	if (rq->path.side->protocol == TURN_UDP &&
	    !turn_limiter_take(t->bindings, &rq->path.client, t->now_ms, 1)) {
		t->stats.binding_drops++;
		return 0;
	}
	stun_out_reply(&rq->out, (uint8_t *)buf, sizeof(buf), &rq->msg, STUN_SUCCESS);
	/* RFC 8489 section 11: an RFC 3489 client gets "a MAPPED-ADDRESS attribute instead of an
	 * XOR-MAPPED-ADDRESS attribute". */
	if (rq->msg.classic)
		stun_out_add_addr(&rq->out, STUN_TYPE_MAPPED_ADDRESS, &rq->path.client);
	else
		stun_out_add_xor_addr(&rq->out, STUN_TYPE_XOR_MAPPED_ADDRESS, &rq->path.client);
	turn_discovery_reply(rq);
	turn_reply_send(rq);
	return 0;
}
