/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Stateless nonces (RFC 8489 section 9.2): the nonce carries its own proof, so
 * that a request nobody vouches for leaves nothing behind.
 *
 *   "obMatJos2" base64(24 security feature bits)                     the cookie, if any feature
 *   base64url(time in seconds, 24 bits | generation, 16 bits | first 48 bits of
 *             HMAC-SHA256(key, features | time | generation | worker | 5-tuple))
 *
 * A nonce is good for one 5-tuple: a request that somebody captured is worth nothing from another
 * port, another address, another connection or to another of our addresses. Whose port has changed
 * hears 438 once, with a nonce for the new one.
 *
 * The generation makes a nonce good for one allocation: when an allocation ends, what was made for
 * its 5-tuple before begins no other and does nothing to the next one there. It is counted in a
 * table of fixed size, where 5-tuples share a slot: see turn_nonces_since().
 *
 * 48 bits are few for a MAC and enough here: each guess costs a request, and what it wins is a 401
 * instead of a 438. A short nonce keeps the 401 short, which is what an attacker would reflect.
 */
#ifndef TURN_NONCE_H
#define TURN_NONCE_H

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

struct env;
struct turn_nonces;
struct turn_tuple;

/* What a nonce of ours says. */
struct turn_nonce {
	uint32_t features;
	uint32_t age_s; /* less than 2^24 (194 days), then it begins again */
	uint16_t generation;
};

/* The keys, random at first, and the generations of one worker's server. NULL when out of memory.
 */
struct turn_nonces *turn_nonces_new(struct env *env, unsigned int worker);
void turn_nonces_free(struct turn_nonces *n); /* NULL is legal */

/* A new key for new nonces; the one before it stays good until it is replaced in turn. */
void turn_nonces_set_key(struct turn_nonces *n, const uint8_t key[TURN_NONCE_KEY_LEN]);

/* Writes a nonce for the 5-tuple, no NUL, and returns its length. now_s is monotonic. */
size_t turn_nonce_make(const struct turn_nonces *n, const struct turn_tuple *tuple, uint64_t now_s,
                       uint32_t features, char out[TURN_NONCE_MAX]);

/* What the nonce says of its features, whether it is ours or not; 0 without a cookie. */
uint32_t turn_nonce_features(const uint8_t *nonce, size_t len);

/* True, and what it says, for a nonce that we made for this very 5-tuple, however old. */
bool turn_nonce_open(const struct turn_nonces *n, const struct turn_tuple *tuple, uint64_t now_s,
                     const uint8_t *nonce, size_t len, struct turn_nonce *out);

/* An allocation of the 5-tuple has ended: begins another generation. */
void turn_nonces_end(struct turn_nonces *n, const struct turn_tuple *tuple);

/* The oldest generation whose nonces may begin an allocation on the 5-tuple. Nothing that was made
 * before the last end there is of it. Of the ends of other 5-tuples in the same slot one does no
 * harm, so that hardly anybody hears 438 for his neighbour. */
uint16_t turn_nonces_since(const struct turn_nonces *n, const struct turn_tuple *tuple);

/* Is the generation that one, or a later one? */
static inline bool turn_nonce_is_since(uint16_t generation, uint16_t since)
{
	return (int16_t)(uint16_t)(generation - since) >= 0;
}

#endif
