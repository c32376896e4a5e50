/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Requests that wait until their user's keys are known: few, and not for long.
 */
#include "turn/state.h"

#include <stdlib.h>
#include <string.h>
#include <utlist.h>

/* Keeps a copy of the request under the ticket; a retransmission of it is not kept twice. False
 * when it is not kept now. */
bool turn_park(struct turn_request *rq, uint64_t ticket)
{
	struct turn *t = rq->turn;
	struct turn_parked *p;

	DL_FOREACH (t->parked, p)
		if (p->path.side == rq->path.side &&
		    addr_equal(&p->path.client, &rq->path.client) && p->len == rq->msg.len &&
		    !memcmp(p->packet, rq->msg.buf, p->len))
			return false;
	if (t->parked_n == TURN_PARKED_MAX)
		return false;
	p = calloc(1, sizeof(*p) + rq->msg.len);
	if (!p)
		return false;
	p->ticket = ticket;
	p->until_ms = t->now_ms + TURN_PARKED_MS;
	p->path = rq->path;
	p->len = rq->msg.len;
	memcpy(p->packet, rq->msg.buf, p->len);
	DL_APPEND(t->parked, p);
	t->parked_n++;
	return true;
}

void turn_unpark(struct turn *t, struct turn_parked *p)
{
	DL_DELETE(t->parked, p);
	t->parked_n--;
	free(p);
}

void turn_expire_parked(struct turn *t)
{
	while (t->parked && t->parked->until_ms <= t->now_ms)
		turn_unpark(t, t->parked);
}
