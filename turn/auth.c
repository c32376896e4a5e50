/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The long-term credential mechanism on the server's side (RFC 8489 section 9.2.4),
 * and the requests that wait until their user's keys are known.
 */
#include "turn/state.h"

#include "base/error.h"

#include <stdlib.h>
#include <string.h>
#include <utlist.h>

static bool attr_equals(const struct stun_attr *a, const char *text, size_t len)
{
	return a->len == len && !memcmp(a->value, text, len);
}

static bool is_alloc_user(const struct turn_request *rq)
{
	const struct turn_alloc *a = rq->alloc;

	return a && attr_equals(&rq->msg.attr[STUN_ATTR_USERNAME], a->username, a->username_len);
}

static bool nonce_ok(const struct turn_request *rq)
{
	const struct turn *t = rq->turn;
	const struct stun_attr *nonce = &rq->msg.attr[STUN_ATTR_NONCE];

	return turn_nonce_ok(&t->nonce_keys, &rq->path.client, t->now_ms / 1000,
	                     t->conf.nonce_lifetime_s, nonce->value, nonce->len);
}

/* Finds the key that MESSAGE-INTEGRITY was made with. */
static int find_key(struct turn_request *rq)
{
	struct turn *t = rq->turn;
	const struct stun_attr *name = &rq->msg.attr[STUN_ATTR_USERNAME];
	struct turn_auth_query query = {.realm = t->conf.realm,
	                                .username = (const char *)name->value,
	                                .username_len = name->len,
	                                .ticket = t->tickets + 1};
	int r;

	/* A running session has proved its key once: neither expiry nor a retired secret ends it.
	 */
	if (is_alloc_user(rq) && stun_msg_integrity_ok(&rq->msg, rq->alloc->key)) {
		rq->key = rq->alloc->key;
		rq->auth.expires_at_s = rq->alloc->credential_expires_at_s;
		return 0;
	}
	rq->auth = (struct turn_auth_answer){.key_n = 0};
	r = t->auth->keys(t->auth_ctx, &query, &rq->auth);
	if (r == -E_LATER) {
		if (!nonce_ok(rq)) /* memory only for those who can hear us */
			return 438;
		turn_park(rq, ++t->tickets);
		return TURN_SILENT;
	}
	if (r)
		return 401;
	for (size_t i = 0; i < rq->auth.key_n; i++) {
		if (stun_msg_integrity_ok(&rq->msg, rq->auth.key[i])) {
			rq->key = rq->auth.key[i];
			return 0;
		}
	}
	return 401;
}

int turn_check_credentials(struct turn_request *rq)
{
	const struct stun_msg *m = &rq->msg;
	const struct turn_conf *conf = &rq->turn->conf;
	int r;

	/* "If the message does not contain a MESSAGE-INTEGRITY [...] attribute, the server MUST
	 * generate an error response with an error code of 401" */
	if (!stun_msg_has(m, STUN_ATTR_MESSAGE_INTEGRITY))
		return 401;
	/* "If the message contains a MESSAGE-INTEGRITY [...] but is missing the USERNAME [...],
	 * REALM, or NONCE attribute, the server MUST generate an error response with an error code
	 * of 400" */
	if (!stun_msg_has(m, STUN_ATTR_USERNAME) || !stun_msg_has(m, STUN_ATTR_REALM) ||
	    !stun_msg_has(m, STUN_ATTR_NONCE))
		return 400;
	/* Section 14.3: USERNAME is shorter than 509 bytes. */
	if (!m->attr[STUN_ATTR_USERNAME].len || m->attr[STUN_ATTR_USERNAME].len > TURN_NAME_MAX)
		return 400;
	if (!attr_equals(&m->attr[STUN_ATTR_REALM], conf->realm, strlen(conf->realm)))
		return 401;
	/* "If the value of the USERNAME [...] is not valid" and "does not match the value for the
	 * MESSAGE-INTEGRITY": 401 */
	r = find_key(rq);
	if (r)
		return r;
	/* "If the NONCE is no longer valid, the server MUST generate an error response with an
	 * error code of 438" */
	if (!nonce_ok(rq)) {
		rq->key = NULL;
		return 438;
	}
	/* Expiry gates the birth of an allocation; a running call goes on, unless configured. */
	if (rq->auth.expires_at_s && rq->auth.expires_at_s < env_wall_s(rq->turn->env) &&
	    (m->method == STUN_ALLOCATE || conf->strict_expiry)) {
		rq->key = NULL;
		return 401;
	}
	return 0;
}

/* RFC 8656 section 5: "all requests [...] MUST use the same username as that used to create the
 * allocation"; else 441. */
int turn_check_same_user(struct turn_request *rq)
{
	return is_alloc_user(rq) ? 0 : 441;
}

/* Keeps a copy of the request under the ticket; a retransmission of it is not kept twice. */
void turn_park(struct turn_request *rq, uint64_t ticket)
{
	struct turn *t = rq->turn;
	struct turn_parked *p;

	DL_FOREACH (t->parked, p)
		if (p->path.side == rq->path.side &&
		    addr_equal(&p->path.client, &rq->path.client) && p->len == rq->msg.len &&
		    !memcmp(p->packet, rq->msg.buf, p->len))
			return;
	if (t->parked_n == TURN_PARKED_MAX)
		return;
	p = calloc(1, sizeof(*p) + rq->msg.len);
	if (!p)
		return;
	p->ticket = ticket;
	p->until_ms = t->now_ms + TURN_PARKED_MS;
	p->path = rq->path;
	p->len = rq->msg.len;
	memcpy(p->packet, rq->msg.buf, p->len);
	DL_APPEND(t->parked, p);
	t->parked_n++;
}

void turn_unpark(struct turn *t, struct turn_parked *p)
{
	DL_DELETE(t->parked, p);
	t->parked_n--;
	free(p);
}

void turn_auth_answered(struct turn *t, uint64_t ticket)
{
	struct turn_parked *p;

	t->now_ms = env_now_ms(t->env);
	DL_SEARCH_SCALAR(t->parked, p, ticket, ticket);
	if (!p)
		return;
	DL_DELETE(t->parked, p);
	t->parked_n--;
	turn_on_stun(&p->path, (uint8_t *)p->packet, p->len);
	free(p);
}

void turn_expire_parked(struct turn *t)
{
	while (t->parked && t->parked->until_ms <= t->now_ms)
		turn_unpark(t, t->parked);
}
