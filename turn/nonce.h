/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Stateless nonces (RFC 8489 section 9.2): the nonce carries its own proof, so
 * that a request nobody vouches for leaves nothing behind.
 *
 *   base64url( time in seconds, 32 bits | first 88 bits of HMAC-SHA256(key, time | client IP) )
 *
 * The client's port is left out: it may change (a NAT rebinding) in mid-session.
 */
#ifndef TURN_NONCE_H
#define TURN_NONCE_H

#include "base/addr.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TURN_NONCE_LEN     20
#define TURN_NONCE_KEY_LEN 32

/* The key before this one stays good until it is replaced in turn. */
struct turn_nonce_keys {
	uint8_t current[TURN_NONCE_KEY_LEN];
	uint8_t previous[TURN_NONCE_KEY_LEN];
};

void turn_nonce_rotate(struct turn_nonce_keys *k, const uint8_t key[TURN_NONCE_KEY_LEN]);

/* Writes TURN_NONCE_LEN characters, no NUL. now_s is monotonic. */
void turn_nonce_make(const struct turn_nonce_keys *k, const struct addr *client, uint64_t now_s,
                     char out[TURN_NONCE_LEN]);

/* True for a nonce of ours, made for this IP, not older than lifetime_s. */
bool turn_nonce_ok(const struct turn_nonce_keys *k, const struct addr *client, uint64_t now_s,
                   uint32_t lifetime_s, const uint8_t *nonce, size_t len);

#endif
