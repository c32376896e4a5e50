/* SPDX-License-Identifier: BSD-3-Clause
 *
 * 401 and 438: what a client needs to prove who it is (RFC 8489 section 9.2.4),
 * in the longest form that makes no good amplifier.
 *
 * Over UDP anybody may have sent the request, in anybody's name: no reply to
 * the unauthenticated is longer than three times its request. The forms, from
 * the longest:
 *   - with a reason phrase;
 *   - without one. With a realm of up to 8 bytes this answers the smallest
 *     legal Allocate, which is what browsers send (28 bytes), with 84 bytes;
 *   - without THIRD-PARTY-AUTHORIZATION, where that is configured;
 *   - a nonce without features and no PASSWORD-ALGORITHMS, as RFC 5389 had it;
 *   - a bare 400: nothing fits, and no legal request is that short (an
 *     Allocate without REQUESTED-TRANSPORT, say).
 * A nonce without features would be the door for a bid-down attack: somebody
 * between us and the client asks for one and hands it on. Where the second
 * form can do without it, it is stale from birth: the client that uses it
 * hears 438 with everything. With a longer realm it is good, since Chromium
 * gives up at a 438 to an Allocate, and whoever asks so tersely gets SHA-1.
 */
#include "turn/state.h"

#include "turn/oauth.h"

#include <string.h>

#define SMALLEST_REQUEST (STUN_HEADER_LEN + 8) /* Allocate with REQUESTED-TRANSPORT */
#define ATTR_HEADER_LEN  4

/* PASSWORD-ALGORITHMS: SHA-256 (0x0002), MD5 (0x0001), both without parameters. The order is that
 * of preference (RFC 8489 section 14.11). */
const uint8_t turn_password_algorithms[TURN_ALGORITHMS_LEN] = {0, 2, 0, 0, 0, 1, 0, 0};

struct form {
	bool reason, features, third_party;
};

static size_t attr_len(size_t value_len)
{
	return ATTR_HEADER_LEN + ((value_len + 3) & ~(size_t)3);
}

static size_t form_len(const struct turn *t, const struct form *f, unsigned int realm)
{
	size_t len = STUN_HEADER_LEN + attr_len(4 + (f->reason ? strlen("Unauthenticated") : 0)) +
	             attr_len(strlen(t->conf.realm[realm])) +
	             attr_len((f->features ? TURN_NONCE_COOKIE_LEN : 0) + TURN_NONCE_PROOF_LEN);

	if (f->features)
		len += attr_len(TURN_ALGORITHMS_LEN);
	if (f->third_party && t->conf.oauth)
		len += attr_len(strlen(t->conf.oauth->server_name));
	return len;
}

void turn_challenge_init(struct turn *t)
{
	static const struct form shortest = {.features = true};

	t->features = TURN_FEATURE_PASSWORD_ALGORITHMS;
	if (t->conf.username_anonymity)
		t->features |= TURN_FEATURE_USERNAME_ANONYMITY;
	t->plain_nonces = form_len(t, &shortest, 0) > TURN_REFLECTION_MAX * SMALLEST_REQUEST;
}

void turn_challenge(struct turn_request *rq, int code)
{
	static const struct form forms[] = {
	    {true, true, true}, {false, true, true}, {false, true, false}, {false, false, false}};
	struct turn *t = rq->turn;
	const char *realm = t->conf.realm[rq->realm];
	size_t room = turn_reply_room(rq) - (rq->msg.has_fingerprint ? attr_len(4) : 0), n;
	const struct form *f = forms, *end = forms + sizeof(forms) / sizeof(*forms);
	char nonce[TURN_NONCE_MAX];

	while (f < end && form_len(t, f, rq->realm) > room)
		f++;
	turn_reply_start(rq, STUN_ERROR);
	if (f == end) {
		stun_out_add_error(&rq->out, 400, false);
		turn_reply_send(rq);
		return;
	}
	stun_out_add_error(&rq->out, code, f->reason);
	stun_out_add(&rq->out, STUN_TYPE_REALM, realm, strlen(realm));
	n = turn_nonce_make(&t->nonce_keys, &rq->path.client, t->now_ms / 1000,
	                    f->features ? t->features : 0, nonce);
	stun_out_add(&rq->out, STUN_TYPE_NONCE, nonce, n);
	if (f->features)
		stun_out_add(&rq->out, STUN_TYPE_PASSWORD_ALGORITHMS, turn_password_algorithms,
		             sizeof(turn_password_algorithms));
	/* RFC 7635 section 4: "the STUN server MUST include the THIRD-PARTY-AUTHORIZATION" */
	if (f->third_party && t->conf.oauth)
		stun_out_add(&rq->out, STUN_TYPE_THIRD_PARTY_AUTH, t->conf.oauth->server_name,
		             strlen(t->conf.oauth->server_name));
	turn_reply_send(rq);
}
