/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The way of a STUN message from the first byte to the reply (RFC 8489
 * section 6.3). Every reply leaves through turn_reply_send().
 */
#include "turn/state.h"

#include "base/error.h"

#include <string.h>

void turn_reply_start(struct turn_request *rq, enum stun_class class)
{
	stun_out_reply(&rq->out, (uint8_t *)rq->reply_buf, sizeof(rq->reply_buf), &rq->msg, class);
}

void turn_reply_send(struct turn_request *rq)
{
	if (rq->key)
		stun_out_add_integrity(&rq->out, rq->key);
	/* RFC 8489 section 14.7: whoever sends it, wants it. */
	if (rq->msg.has_fingerprint)
		stun_out_add_fingerprint(&rq->out);
	if (!rq->out.failed)
		turn_path_send(&rq->path, rq->out.buf, rq->out.len);
}

static void count_error(struct turn_stats *s, int code)
{
	switch (code) {
	case 401:
		s->replies_401++;
		break;
	case 403:
		s->replies_403++;
		break;
	case 437:
		s->replies_437++;
		break;
	case 438:
		s->replies_438++;
		break;
	case 486:
		s->replies_486++;
		break;
	case 508:
		s->replies_508++;
		break;
	default:
		s->replies_other_errors++;
		break;
	}
}

void turn_reply_error(struct turn_request *rq, int code)
{
	struct turn *t = rq->turn;
	char nonce[TURN_NONCE_LEN];

	count_error(&t->stats, code);
	turn_reply_start(rq, STUN_ERROR);
	stun_out_add_error(&rq->out, code);
	if (code == 420) {
		uint8_t types[2 * STUN_UNKNOWN_MAX];

		for (size_t i = 0; i < rq->msg.unknown_n; i++) {
			types[2 * i] = (uint8_t)(rq->msg.unknown[i] >> 8);
			types[2 * i + 1] = (uint8_t)rq->msg.unknown[i];
		}
		stun_out_add(&rq->out, STUN_TYPE_UNKNOWN_ATTRIBUTES, types, 2 * rq->msg.unknown_n);
	}
	/* RFC 8489 section 9.2.4: what the client needs to try again. */
	if (code == 401 || code == 438) {
		turn_nonce_make(&t->nonce_keys, &rq->path.client, t->now_ms / 1000, nonce);
		stun_out_add(&rq->out, STUN_TYPE_REALM, t->conf.realm, strlen(t->conf.realm));
		stun_out_add(&rq->out, STUN_TYPE_NONCE, nonce, sizeof(nonce));
		rq->key = NULL;
	}
	turn_reply_send(rq);
}

int turn_run_checks(struct turn_request *rq, turn_check_fn *const *checks, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		int r = checks[i](rq);

		if (r)
			return r;
	}
	return 0;
}

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

static int on_request(struct turn_request *rq)
{
	static turn_check_fn *const to_allocate[] = {turn_check_credentials,
	                                             check_attributes_known};
	static turn_check_fn *const to_use[] = {turn_check_credentials, check_attributes_known,
	                                        check_has_allocation, turn_check_same_user};
	int r;

	switch (rq->msg.method) {
	case STUN_BINDING:
		r = check_attributes_known(rq);
		return r ? r : turn_binding(rq);
	case STUN_ALLOCATE:
		r = turn_run_checks(rq, to_allocate, 2);
		return r ? r : turn_allocate(rq);
	case STUN_REFRESH:
		r = turn_run_checks(rq, to_use, 2);
		if (!r && rq->alloc) /* else it may be the retransmission of a last one */
			r = turn_check_same_user(rq);
		return r ? r : turn_refresh(rq);
	case STUN_CREATE_PERMISSION:
		r = turn_run_checks(rq, to_use, 4);
		return r ? r : turn_create_permission(rq);
	case STUN_CHANNEL_BIND:
		r = turn_run_checks(rq, to_use, 4);
		return r ? r : turn_channel_bind(rq);
	case STUN_CONNECT:
		r = turn_run_checks(rq, to_use, 4);
		return r ? r : turn_connect(rq);
	case STUN_CONNECTION_BIND:
		r = turn_connection_bind_find(rq);
		if (!r)
			r = turn_run_checks(rq, to_use, rq->conn ? 4 : 2);
		return r ? r : turn_connection_bind(rq);
	default:
		/* RFC 8489 section 6.3: an unknown method is discarded in silence. */
		return TURN_SILENT;
	}
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
	if (stun_msg_parse(&rq.msg, buf, len)) {
		t->stats.malformed++;
		return;
	}
	rq.turn = t;
	rq.path = *path;
	rq.key = NULL;
	rq.tuple = turn_tuple_of(path);
	rq.alloc = turn_alloc_find(t, &rq.tuple);
	if (rq.alloc && turn_alloc_expire(rq.alloc))
		rq.alloc = NULL;
	if (rq.msg.class == STUN_INDICATION) {
		/* RFC 8489 section 6.3.2: with unknown attributes it is discarded. */
		if (rq.msg.method == STUN_SEND && rq.alloc && !rq.msg.unknown_n)
			turn_send(&rq);
		return;
	}
	if (rq.msg.class != STUN_REQUEST)
		return; /* we ask nothing, so nothing is an answer */
	r = on_request(&rq);
	if (r > 0)
		turn_reply_error(&rq, r);
}
