/* SPDX-License-Identifier: BSD-3-Clause
 *
 * HMAC (RFC 2104) with OpenSSL's digests, made ready once for each thread:
 * OpenSSL 3 looks an algorithm up by its name for every HMAC() otherwise, which
 * takes longer than the digest of a STUN message.
 */
#ifndef BASE_HMAC_H
#define BASE_HMAC_H

#include <stddef.h>
#include <stdint.h>

enum hmac_digest { HMAC_SHA1, HMAC_SHA256 };

#define HMAC_SHA1_LEN   20
#define HMAC_SHA256_LEN 32

/* As many bytes as the digest has. Where memory does not suffice they are random ones: what is
 * compared to them does not match, and what is made of them cannot be guessed. */
void hmac(enum hmac_digest digest, const void *key, size_t key_len, const void *data, size_t len,
          void *out);

#endif
