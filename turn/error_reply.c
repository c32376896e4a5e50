/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Error responses (RFC 8489 section 6.3.1 and 14.8), with what belongs to each
 * code, and the ration of them that strangers get.
 */
#include "turn/state.h"

#include "turn/limiter.h"

#include <string.h>

#define REPLY_LEN 100 /* bytes that count as one reply; a longer one counts as several */

static void count_error(struct turn_stats *s, int code)
{
	switch (code) {
	case 300:
		s->replies_300++;
		break;
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

/* One of the alternates of the family, by chance; NULL: there is none. */
const struct addr *turn_alternate(const struct turn *t, int family)
{
	const struct addr *of_family[TURN_ALTERNATES_MAX];
	uint32_t chance;
	size_t n = 0;

	for (size_t i = 0; i < t->conf.alternate_server_n; i++)
		if (addr_family(&t->conf.alternate_server[i]) == family)
			of_family[n++] = &t->conf.alternate_server[i];
	if (!n)
		return NULL;
	env_random(t->env, &chance, sizeof(chance));
	return of_family[chance % n];
}

/* RFC 8489 section 10: the client's family first; "The server SHOULD include an additional
 * ALTERNATE-SERVER attribute, after the mandatory one, that contains an IP address of the address
 * family other than the source IP address". "If the transaction uses TLS or DTLS, if the
 * transaction is authenticated by a MESSAGE-INTEGRITY-SHA256 attribute, and if the server wants to
 * redirect to a server that uses a different certificate, then it MUST include an
 * ALTERNATE-DOMAIN". */
static void add_alternates(struct turn_request *rq)
{
	const struct turn *t = rq->turn;
	int family = addr_family(&rq->path.client);
	const struct addr *same = turn_alternate(t, family);
	const struct addr *other = turn_alternate(t, family == AF_INET ? AF_INET6 : AF_INET);
	enum turn_protocol protocol = rq->path.side->protocol;

	if (same)
		stun_out_add_addr(&rq->out, STUN_TYPE_ALTERNATE_SERVER, same);
	if (other)
		stun_out_add_addr(&rq->out, STUN_TYPE_ALTERNATE_SERVER, other);
	if (t->conf.alternate_domain && (protocol == TURN_TLS || protocol == TURN_DTLS) &&
	    turn_reply_integrity(rq) == STUN_SHA256)
		stun_out_add(&rq->out, STUN_TYPE_ALTERNATE_DOMAIN, t->conf.alternate_domain,
		             strlen(t->conf.alternate_domain));
}

static bool is_guess(const struct turn_request *rq)
{
	return rq->fault == TURN_FAULT_REALM || rq->fault == TURN_FAULT_USER ||
	       rq->fault == TURN_FAULT_PASSWORD || rq->fault == TURN_FAULT_TOKEN;
}

/* Limits the replies that a forged sender may cause, and those that tell a guesser about a wrong
 * key. A right key notices neither: it is checked before anything is refused. */
static bool is_answered(struct turn_request *rq, bool challenge)
{
	struct turn *t = rq->turn;
	size_t cost = 1;

	if (rq->key)
		return true;
	if (turn_knows_source(rq))
		return !is_guess(rq) ||
		       turn_limiter_take(t->guesses, &rq->path.client, t->now_ms, 1);
	if (challenge)
		cost = (turn_challenge_len(rq) + REPLY_LEN - 1) / REPLY_LEN;
	return turn_limiter_take(t->unauth, &rq->path.client, t->now_ms, (unsigned int)cost);
}

void turn_reply_error(struct turn_request *rq, int code)
{
	bool challenge = code == 401 || code == 438;

	if (!is_answered(rq, challenge)) {
		rq->turn->stats.unauth_drops++;
		return;
	}
	/* RFC 8489 section 9.2.4: what the client needs to try again. */
	if (challenge)
		rq->key = NULL;
	count_error(&rq->turn->stats, code);
	turn_journal_refused(rq, code);
	if (challenge) {
		turn_challenge(rq, code);
		return;
	}
	turn_reply_start(rq, STUN_ERROR);
	stun_out_add_error(&rq->out, code, true);
	if (code == 300)
		add_alternates(rq);
	if (code == 420) {
		uint8_t types[2 * STUN_UNKNOWN_MAX];

		for (size_t i = 0; i < rq->msg.unknown_n; i++) {
			types[2 * i] = (uint8_t)(rq->msg.unknown[i] >> 8);
			types[2 * i + 1] = (uint8_t)rq->msg.unknown[i];
		}
		stun_out_add(&rq->out, STUN_TYPE_UNKNOWN_ATTRIBUTES, types, 2 * rq->msg.unknown_n);
	}
	turn_reply_send(rq);
}
