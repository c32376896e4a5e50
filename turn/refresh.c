/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Refresh: a longer life for an allocation, or its end (RFC 8656 section 8.2).
 */
#include "turn/state.h"

#include "base/error.h"

#include <string.h>

static void reply(struct turn_request *rq, uint32_t lifetime_s)
{
	turn_reply_start(rq, STUN_SUCCESS);
	stun_out_add_u32(&rq->out, STUN_TYPE_LIFETIME, lifetime_s);
	turn_reply_send(rq);
}

static void bury(struct turn_request *rq)
{
	struct turn *t = rq->turn;
	struct turn_grave *g = &t->graves[t->next_grave++ % TURN_GRAVES];

	g->tuple = rq->tuple;
	memcpy(g->tid, rq->msg.tid, sizeof(g->tid));
	g->until_ms = t->now_ms + TURN_GRAVE_MS;
}

static bool is_buried(const struct turn_request *rq)
{
	const struct turn *t = rq->turn;

	for (size_t i = 0; i < TURN_GRAVES; i++) {
		const struct turn_grave *g = &t->graves[i];

		if (g->until_ms > t->now_ms && !memcmp(&g->tuple, &rq->tuple, sizeof(g->tuple)) &&
		    !memcmp(g->tid, rq->msg.tid, sizeof(g->tid)))
			return true;
	}
	return false;
}

int turn_refresh(struct turn_request *rq)
{
	uint32_t wanted, family, lifetime_s = turn_lifetime(rq);
	bool ends = !stun_msg_u32(&rq->msg, STUN_ATTR_LIFETIME, &wanted) && !wanted;
	int r;

	if (!rq->alloc) {
		if (!ends || !is_buried(rq))
			return 437;
		reply(rq, 0);
		return 0;
	}
	/* "If the [REQUESTED-ADDRESS-FAMILY] does not match the [...] allocation [...] 443" */
	r = stun_msg_u32(&rq->msg, STUN_ATTR_REQUESTED_ADDRESS_FAMILY, &family);
	if (!r && (family >> 24 == 2) != (addr_family(&rq->alloc->relayed) == AF_INET6))
		return 443;
	if (ends) {
		uint8_t key[STUN_KEY_SHA1_LEN];

		memcpy(key, rq->key, sizeof(key)); /* it may be the allocation's */
		rq->key = key;
		bury(rq);
		turn_alloc_close(rq->alloc, TURN_CLOSE_DELETED);
		rq->alloc = NULL;
		reply(rq, 0);
		rq->key = NULL;
		return 0;
	}
	turn_alloc_set_lifetime(rq->alloc, lifetime_s);
	reply(rq, lifetime_s);
	return 0;
}
