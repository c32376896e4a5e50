/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Stateless nonces (RFC 8489 section 9.2): the nonce carries its own proof, so that an
 * unauthenticated request leaves no state behind.
 *
 *   "obMatJos2" base64(24 security feature bits)     the cookie, if any feature
 *   base64url(time in seconds, 24 bits | generation, 16 bits |
 *             first 48 bits of HMAC-SHA256(key, features | time | generation | worker | 5-tuple))
 *
 * A nonce is valid for one 5-tuple: a captured request is useless from another port, another
 * address, another connection or to another of our addresses. A client whose port has changed gets
 * 438 once, with a nonce for the new 5-tuple.
 *
 * The generation makes a nonce valid for one allocation: when an allocation ends, earlier nonces
 * for its 5-tuple cannot begin another and cannot change the next one there. The generations are in
 * a table of fixed size, where 5-tuples share a slot: see turn_nonces_since().
 *
 * 48 bits are few for a MAC and enough here: each guess costs a request, and a right one only gets
 * a 401 instead of a 438. A short nonce keeps the 401 short, and the 401 is what an attacker would
 * reflect.
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

/* The content of one of our nonces. */
struct turn_nonce {
	uint32_t features;
	uint32_t age_s; /* less than 2^24 (194 days), then wraps */
	uint16_t generation;
};

/* The keys, random at first, and the generations of one worker's server. NULL when out of memory.
 */
struct turn_nonces *turn_nonces_new(struct env *env, unsigned int worker);
void turn_nonces_free(struct turn_nonces *n); /* NULL is legal */

/* Sets the key of new nonces; the previous key stays valid until the next call. */
void turn_nonces_set_key(struct turn_nonces *n, const uint8_t key[TURN_NONCE_KEY_LEN]);

/* Writes a nonce for the 5-tuple, no NUL, and returns its length. now_s is monotonic. */
size_t turn_nonce_make(const struct turn_nonces *n, const struct turn_tuple *tuple, uint64_t now_s,
                       uint32_t features, char out[TURN_NONCE_MAX]);

/* The features that the nonce announces, whether it is ours or not; 0 without a cookie. */
uint32_t turn_nonce_features(const uint8_t *nonce, size_t len);

/* True, and its content, for a nonce that we made for exactly this 5-tuple, however old. */
bool turn_nonce_open(const struct turn_nonces *n, const struct turn_tuple *tuple, uint64_t now_s,
                     const uint8_t *nonce, size_t len, struct turn_nonce *out);

/* An allocation of the 5-tuple has ended: begins another generation. */
void turn_nonces_end(struct turn_nonces *n, const struct turn_tuple *tuple);

/* The oldest generation whose nonces may begin an allocation on the 5-tuple; nothing made before
 * the last end there is in it. The slot tolerates one end of another 5-tuple, so a client hardly
 * ever gets 438 because of another one. */
uint16_t turn_nonces_since(const struct turn_nonces *n, const struct turn_tuple *tuple);

/* True when the generation is `since` or a later one. */
static inline bool turn_nonce_is_since(uint16_t generation, uint16_t since)
{
	return (int16_t)(uint16_t)(generation - since) >= 0;
}

#endif
