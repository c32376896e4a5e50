/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Access tokens of an authorization server (RFC 7635). The server opens them with a key that it
 * shares with the authorization server; they hold the key that the client signs with.
 */
#ifndef TURN_OAUTH_H
#define TURN_OAUTH_H

#include "turn/stun_msg.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TURN_OAUTH_KEYS_MAX  8
#define TURN_OAUTH_KID_MAX   128
#define TURN_OAUTH_NAME_MAX  255
#define TURN_OAUTH_TOKEN_MAX 512
#define TURN_OAUTH_DELTA_S   5 /* RFC 7635 section 7: "The RECOMMENDED value" of clock skew */

struct turn_oauth_key {
	char kid[TURN_OAUTH_KID_MAX + 1];
	uint8_t key[32];
	size_t key_len; /* 16: AES-128-GCM, 32: AES-256-GCM */
};

struct turn_oauth {
	char oauth_server[TURN_OAUTH_NAME_MAX +
	                  1]; /* sent in THIRD-PARTY-AUTHORIZATION, and bound in tokens */
	struct turn_oauth_key key[TURN_OAUTH_KEYS_MAX];
	size_t key_n;
};

struct turn_oauth_grant {
	struct stun_key key;
	int64_t expires_at_s; /* Unix time, the skew included */
	int64_t key_source;   /* which of our keys opened it: see turn_oauth_has() */
};

/* Opens a token with the key of that id (any bytes) at the Unix time now_s. 0; -E_NOTFOUND: no such
 * key; -E_PARSE; -E_DENIED: made with another key, or for another server; -E_STALE: outside its
 * lifetime. */
int turn_oauth_open(const struct turn_oauth *o, const void *kid, size_t kid_len,
                    const uint8_t *token, size_t len, int64_t now_s, struct turn_oauth_grant *out);

/* True when the key of a grant's key_source is still present, under the same id. */
bool turn_oauth_has(const struct turn_oauth *o, int64_t key_source);

#endif
