/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Stateless nonces (RFC 8489 section 9.2): the nonce carries its own proof, so
 * that a request nobody vouches for leaves nothing behind.
 *
 *   "obMatJos2" base64(24 security feature bits)                     the cookie, if any feature
 *   base64url(time in seconds, 24 bits | client port | first 48 bits of
 *             HMAC-SHA256(key, features | time | port | client IP))
 *
 * The port makes it another nonce for another port, as section 9.2.4 demands; but it is taken from
 * any port of the IP, since a NAT may change it in mid-session. 48 bits are few for a MAC and
 * enough here: each guess costs a request, and what it wins is a 401 instead of a 438. A short
 * nonce keeps the 401 short, which is what an attacker would reflect.
 */
#ifndef TURN_NONCE_H
#define TURN_NONCE_H

#include "base/addr.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TURN_NONCE_COOKIE_LEN 13
#define TURN_NONCE_PROOF_LEN  15
#define TURN_NONCE_MAX        (TURN_NONCE_COOKIE_LEN + TURN_NONCE_PROOF_LEN)
#define TURN_NONCE_KEY_LEN    32

/* STUN security features, RFC 8489 section 18.1 as erratum 6290 corrects it: bit 0 is the
 * rightmost. */
#define TURN_FEATURE_PASSWORD_ALGORITHMS 0x000001u
#define TURN_FEATURE_USERNAME_ANONYMITY  0x000002u

/* The key before this one stays good until it is replaced in turn. */
struct turn_nonce_keys {
	uint8_t current[TURN_NONCE_KEY_LEN];
	uint8_t previous[TURN_NONCE_KEY_LEN];
};

void turn_nonce_rotate(struct turn_nonce_keys *k, const uint8_t key[TURN_NONCE_KEY_LEN]);

/* Writes the nonce, no NUL, and returns its length. now_s is monotonic. */
size_t turn_nonce_make(const struct turn_nonce_keys *k, const struct addr *client, uint64_t now_s,
                       uint32_t features, char out[TURN_NONCE_MAX]);

/* What the nonce says of itself, whether it is ours or not; 0 without a cookie. */
uint32_t turn_nonce_features(const uint8_t *nonce, size_t len);

/* True for a nonce of ours, made for this IP, with these very features, not older than
 * lifetime_s (less than 97 days). */
bool turn_nonce_ok(const struct turn_nonce_keys *k, const struct addr *client, uint64_t now_s,
                   uint32_t lifetime_s, const uint8_t *nonce, size_t len);

#endif
