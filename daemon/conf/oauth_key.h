/* SPDX-License-Identifier: BSD-3-Clause
 *
 * A key shared with an authorization server, as the configuration writes it:
 * KID:BASE64, of 16 bytes (AES-128-GCM) or 32 (AES-256-GCM).
 */
#ifndef DAEMON_OAUTH_KEY_H
#define DAEMON_OAUTH_KEY_H

#include "base/error.h"

#include <stddef.h>
#include <stdint.h>

#define OAUTH_KID_MAX 128

struct oauth_key {
	char kid[OAUTH_KID_MAX + 1];
	uint8_t key[32];
	size_t key_len;
};

/* 0, or -E_PARSE with the fix in why (never the key). out may be NULL. */
int oauth_key_parse(const char *text, struct oauth_key *out, struct why *why);

#endif
