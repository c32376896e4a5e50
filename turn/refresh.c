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
	if (rq->alloc && stun_msg_has(&rq->msg, STUN_ATTR_MOBILITY_TICKET))
		turn_mobile_add_ticket(rq, rq->alloc);
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

/* Section 8.1: "When refreshing a dual allocation, the client includes a REQUESTED-ADDRESS-FAMILY
 * attribute indicating the address family type that should be refreshed. If no [such] attribute is
 * included, then the request should be treated as applying to all current allocations." */
static int halves_meant(struct turn_request *rq, unsigned int *halves)
{
	uint32_t family;
	int r = stun_msg_u32(&rq->msg, STUN_ATTR_REQUESTED_ADDRESS_FAMILY, &family);

	*halves = TURN_HALVES;
	if (r == -E_NOTFOUND)
		return 0;
	if (r)
		return 400;
	/* "If the server receives a Refresh Request with a REQUESTED-ADDRESS-FAMILY attribute and
	 * the attribute value does not match the address family of the allocation, [...] 443" */
	*halves = family >> 24 == 1 ? TURN_HALF4 : family >> 24 == 2 ? TURN_HALF6 : 0;
	if (!*halves || !rq->alloc->half[*halves == TURN_HALF6].expires_ms)
		return 443;
	return 0;
}

static void end(struct turn_request *rq)
{
	struct stun_key key = *rq->key; /* it may be the allocation's */

	rq->key = &key;
	bury(rq);
	turn_alloc_close(rq->alloc, TURN_CLOSE_DELETED);
	rq->alloc = NULL;
	reply(rq, 0);
	rq->key = NULL;
}

int turn_refresh(struct turn_request *rq)
{
	uint32_t wanted, lifetime_s = turn_lifetime(rq);
	bool ends = !stun_msg_u32(&rq->msg, STUN_ATTR_LIFETIME, &wanted) && !wanted;
	unsigned int halves = TURN_HALVES;
	int r = turn_check_lifetime(rq);

	if (!r && rq->alloc) /* before a ticket is used up */
		r = halves_meant(rq, &halves);
	if (r)
		return r;
	if (stun_msg_has(&rq->msg, STUN_ATTR_MOBILITY_TICKET)) {
		r = turn_mobile_refresh(rq);
		if (r)
			return r;
	}
	if (!rq->alloc) {
		if (!ends || !is_buried(rq))
			return 437;
		reply(rq, 0);
		return 0;
	}
	if (ends && turn_alloc_end_halves(rq->alloc, halves)) {
		end(rq);
		return 0;
	}
	if (!ends)
		turn_alloc_set_lifetime(rq->alloc, halves, lifetime_s);
	turn_journal_note(rq->alloc, TURN_EVENT_REFRESHED, NULL, 0);
	reply(rq, ends ? 0 : lifetime_s);
	return 0;
}
