/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The way of a STUN message from the first byte through the checks to its
 * method (RFC 8489 section 6.3).
 */
#include "turn/state.h"

#include "base/error.h"
#include "turn/limiter.h"

/* RFC 8489 section 6.3.1: "If the request contains one or more unknown comprehension-required
 * attributes, the server replies with an error response with an error code of 420". */
static int check_attributes_known(struct turn_request *rq)
{
	return rq->msg.unknown_n ? 420 : 0;
}

/* RFC 8656 section 5: a request other than Allocate without an allocation gets 437. */
static int check_has_allocation(struct turn_request *rq)
{
	return rq->alloc ? 0 : 437;
}

/* RFC 8016: data on the new 5-tuple ends the old one. Any authenticated request counts too:
 * coturn's client sends CreatePermission there after closing its old socket. */
static int note_arrival(struct turn_request *rq)
{
	if (rq->alloc->mobile && !stun_msg_has(&rq->msg, STUN_ATTR_MOBILITY_TICKET))
		turn_mobile_on_data(rq->alloc, &rq->tuple);
	return 0;
}

/* Checks the sender's credentials and the attributes that we must know. */
static int check_sender(struct turn_request *rq)
{
	static turn_check_fn *const checks[] = {turn_check_credentials, check_attributes_known};

	return turn_run_checks(rq, checks, sizeof(checks) / sizeof(*checks));
}

/* Is the allocation, which there is, the sender's? */
static int check_owner(struct turn_request *rq)
{
	static turn_check_fn *const checks[] = {turn_check_same_user, note_arrival};

	return turn_run_checks(rq, checks, sizeof(checks) / sizeof(*checks));
}

/* All of it, for what needs an allocation. */
static int check_use(struct turn_request *rq)
{
	static turn_check_fn *const checks[] = {check_sender, check_has_allocation, check_owner};

	return turn_run_checks(rq, checks, sizeof(checks) / sizeof(*checks));
}

static int on_request(struct turn_request *rq)
{
	int r;

	switch (rq->msg.method) {
	case STUN_BINDING:
		r = check_attributes_known(rq);
		if (!r)
			r = turn_discovery_check(rq);
		return r ? r : turn_binding(rq);
	case STUN_ALLOCATE:
		r = check_sender(rq);
		return r ? r : turn_allocate(rq);
	case STUN_REFRESH:
		if (stun_msg_has(&rq->msg, STUN_ATTR_MOBILITY_TICKET))
			turn_mobile_find(rq);
		r = check_sender(rq);
		if (!r && rq->alloc) /* else it may be the retransmission of a last one */
			r = check_owner(rq);
		return r ? r : turn_refresh(rq);
	case STUN_CREATE_PERMISSION:
		r = check_use(rq);
		return r ? r : turn_create_permission(rq);
	case STUN_CHANNEL_BIND:
		r = check_use(rq);
		return r ? r : turn_channel_bind(rq);
	case STUN_CONNECT:
		r = check_use(rq);
		return r ? r : turn_connect(rq);
	case STUN_CONNECTION_BIND:
		r = turn_connection_bind_find(rq);
		if (!r)
			r = rq->conn ? check_use(rq) : check_sender(rq);
		return r ? r : turn_connection_bind(rq);
	default:
		/* RFC 8489 section 6.3: an unknown method is discarded in silence. */
		return TURN_SILENT;
	}
}

/* False: it is no message. */
static bool start(struct turn_request *rq, const struct turn_path *path, uint8_t *buf, size_t len)
{
	struct turn *t = path->side->turn;

	if (stun_msg_parse(&rq->msg, buf, len)) {
		t->stats.malformed++;
		return false;
	}
	rq->turn = t;
	rq->path = *path;
	rq->key = NULL;
	rq->realm = 0;
	rq->sha256 = false;
	rq->is_challenge = false;
	rq->fault = TURN_FAULT_NONE;
	rq->tuple = turn_tuple_of(path);
	rq->alloc = turn_alloc_find(t, &rq->tuple);
	if (rq->alloc && turn_alloc_expire(rq->alloc))
		rq->alloc = NULL;
	return true;
}

void turn_on_stun(const struct turn_path *path, uint8_t *buf, size_t len)
{
	struct turn *t = path->side->turn;
	struct turn_request rq;
	int r;

	if (len > TURN_REQUEST_MAX && (buf[0] & 1) == 0 && !(buf[1] & 0x10)) {
		t->stats.malformed++;
		return;
	}
	if (!start(&rq, path, buf, len))
		return;
	turn_discovery_note_unknown(&rq);
	turn_token_note_unknown(&rq);
	if (rq.msg.class == STUN_INDICATION) {
		if (rq.msg.method == STUN_SEND)
			turn_send(&rq);
		return;
	}
	if (rq.msg.class != STUN_REQUEST)
		return; /* we ask nothing, so nothing is an answer */
	r = on_request(&rq);
	if (r > 0)
		turn_reply_error(&rq, r);
}

void turn_on_late(const struct turn_path *path, uint8_t *buf, size_t len)
{
	struct turn_request rq;

	if (start(&rq, path, buf, len))
		turn_reply_error(&rq, 500);
}
