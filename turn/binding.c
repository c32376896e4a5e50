/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Binding: tells the client its server-reflexive address (RFC 8489 section 6.3.1).
 */
#include "turn/state.h"

int turn_binding(struct turn_request *rq)
{
	rq->turn->stats.binding_requests++;
	turn_reply_start(rq, STUN_SUCCESS);
	stun_out_add_xor_addr(&rq->out, STUN_TYPE_XOR_MAPPED_ADDRESS, &rq->path.client);
	turn_reply_send(rq);
	return 0;
}
