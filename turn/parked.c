/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Requests that wait until their user's keys are known, or until another worker has handed over
 * their allocation: few, and not for long. Over a stream, what came behind such a request waits
 * with it.
 */
#include "turn/state.h"

#include <stdlib.h>
#include <string.h>
#include <utlist.h>

static void set_waits(const struct turn_path *path, bool waits)
{
	if (turn_path_is_stream(path))
		((struct turn_link *)path->side)->waits = waits;
}

static void resume(const struct turn_path *path)
{
	struct turn_link *link = (struct turn_link *)path->side;

	if (turn_path_is_stream(path) && !link->waits && link->params.ops->resume)
		link->params.ops->resume(link->params.ctx);
}

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
	set_waits(&p->path, true);
	return true;
}

/* RFC 8489 section 6.2.2: over a stream no request is sent again, so that silence would be the
 * last word; section 14.8: after a 500 "the client should try again". */
int turn_not_parked(const struct turn_request *rq)
{
	return turn_path_is_stream(&rq->path) ? 500 : TURN_SILENT;
}

/* It is the caller's now. */
static void take_out(struct turn *t, struct turn_parked *p)
{
	DL_DELETE(t->parked, p);
	t->parked_n--;
	set_waits(&p->path, false);
}

void turn_unpark(struct turn *t, struct turn_parked *p)
{
	take_out(t, p);
	free(p);
}

/* The first with that ticket. */
static void try_again(struct turn *t, uint64_t ticket)
{
	struct turn_parked *p;

	DL_SEARCH_SCALAR(t->parked, p, ticket, ticket);
	if (!p)
		return;
	take_out(t, p);
	turn_on_stun(&p->path, (uint8_t *)p->packet, p->len);
	resume(&p->path);
	free(p);
}

void turn_auth_answered(struct turn *t, uint64_t ticket)
{
	t->now_ms = env_now_ms(t->env);
	try_again(t, ticket);
}

/* Some may be parked again, behind the others. */
void turn_unpark_locked(struct turn *t)
{
	struct turn_parked *p;
	size_t n = 0;

	DL_FOREACH (t->parked, p)
		n += p->ticket == TURN_TICKET_LOCKS;
	while (n--)
		try_again(t, TURN_TICKET_LOCKS);
}

void turn_expire_parked(struct turn *t)
{
	while (t->parked && t->parked->until_ms <= t->now_ms) {
		struct turn_parked *p = t->parked;

		take_out(t, p);
		if (turn_path_is_stream(&p->path))
			turn_on_late(&p->path, (uint8_t *)p->packet, p->len);
		resume(&p->path);
		free(p);
	}
}
