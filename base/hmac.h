/* SPDX-License-Identifier: BSD-3-Clause
 *
 * HMAC (RFC 2104) with OpenSSL's digests, prepared once per thread: OpenSSL 3's HMAC() otherwise
 * looks the algorithm up by its name each time, which takes longer than the digest of a STUN
 * message.
 */
#ifndef BASE_HMAC_H
#define BASE_HMAC_H

#include <stddef.h>
#include <stdint.h>

enum hmac_digest { HMAC_SHA1, HMAC_SHA256 };

#define HMAC_SHA1_LEN   20
#define HMAC_SHA256_LEN 32

/* Writes as many bytes as the digest has. Out of memory, they are random: a comparison with them
 * fails, and nobody can guess what is made of them. */
void hmac(enum hmac_digest digest, const void *key, size_t key_len, const void *data, size_t len,
          void *out);

#endif
