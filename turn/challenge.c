/* SPDX-License-Identifier: BSD-3-Clause
 *
 * 401 and 438: everything that a client needs to authenticate, sent in full to every client (RFC
 * 8489 section 9.2.4, RFC 7635 section 4). Missing parts would allow an attack: PASSWORD-ALGORITHMS
 * and the nonce's features protect against bidding down.
 *
 * So a challenge is not cut to the length of its request, although over UDP the sender may be
 * forged; instead there is a limit on what one address gets in a second (error_reply.c). Only the
 * reason phrase, which no client needs, is left out when the reply would be longer than three times
 * its request.
 */
#include "turn/state.h"

#include "turn/oauth.h"

#include <string.h>

#define ATTR_HEADER_LEN 4
#define PADDED(n)       (((n) + 3) & ~(size_t)3)
#define ATTR_LEN(n)     (ATTR_HEADER_LEN + PADDED((size_t)(n)))
#define REASON_MAX      16 /* "Unauthenticated" */

/* The length without realm, reason and third party. */
#define FIXED_LEN                                                                                  \
	(STUN_HEADER_LEN + ATTR_LEN(4) + ATTR_LEN(TURN_NONCE_MAX) + ATTR_LEN(TURN_ALGORITHMS_LEN))

/* The longest fits into the smallest MTU of IPv6, beside the headers of IPv6 and UDP (RFC 8489
 * section 6.1): it is never in fragments. */
_Static_assert(FIXED_LEN + REASON_MAX + ATTR_LEN(TURN_REALM_MAX) + ATTR_LEN(TURN_OAUTH_NAME_MAX) +
                       ATTR_LEN(4) <=
                   1280 - 40 - 8,
               "a challenge is too long for IPv6");

/* PASSWORD-ALGORITHMS: SHA-256 (0x0002), MD5 (0x0001), both without parameters. The order is that
 * of preference (RFC 8489 section 14.11). */
const uint8_t turn_password_algorithms[TURN_ALGORITHMS_LEN] = {0, 2, 0, 0, 0, 1, 0, 0};

void turn_challenge_init(struct turn *t)
{
	t->features = TURN_FEATURE_PASSWORD_ALGORITHMS;
	if (t->conf.username_anonymity)
		t->features |= TURN_FEATURE_USERNAME_ANONYMITY;
}

/* Without a reason phrase. */
size_t turn_challenge_len(const struct turn_request *rq)
{
	const struct turn_conf *conf = &rq->turn->conf;

	return FIXED_LEN + ATTR_LEN(strlen(conf->realm[rq->realm])) +
	       (conf->oauth ? ATTR_LEN(strlen(conf->oauth->oauth_server)) : 0) +
	       (rq->msg.has_fingerprint ? ATTR_LEN(4) : 0);
}

void turn_challenge(struct turn_request *rq, int code)
{
	struct turn *t = rq->turn;
	const char *realm = t->conf.realm[rq->realm];
	bool reason = turn_challenge_len(rq) + REASON_MAX <= turn_reply_room(rq);
	char nonce[TURN_NONCE_MAX];
	size_t n = turn_nonce_make(t->nonces, &rq->tuple, t->now_ms / 1000, t->features, nonce);

	turn_reply_start(rq, STUN_ERROR);
	stun_out_add_error(&rq->out, code, reason);
	stun_out_add(&rq->out, STUN_TYPE_REALM, realm, strlen(realm));
	stun_out_add(&rq->out, STUN_TYPE_NONCE, nonce, n);
	stun_out_add(&rq->out, STUN_TYPE_PASSWORD_ALGORITHMS, turn_password_algorithms,
	             sizeof(turn_password_algorithms));
	/* RFC 7635 section 4: "the STUN server MUST include the THIRD-PARTY-AUTHORIZATION" */
	if (t->conf.oauth)
		stun_out_add(&rq->out, STUN_TYPE_THIRD_PARTY_AUTH, t->conf.oauth->oauth_server,
		             strlen(t->conf.oauth->oauth_server));
	rq->is_challenge = true;
	turn_reply_send(rq);
}
