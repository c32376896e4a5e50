/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Stateless nonces.
 */
#include "turn/nonce.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <string.h>

#define TIME_LEN 4
#define MAC_LEN  11
#define RAW_LEN  (TIME_LEN + MAC_LEN) /* 15 bytes: 20 characters without padding */

void turn_nonce_rotate(struct turn_nonce_keys *k, const uint8_t key[TURN_NONCE_KEY_LEN])
{
	memcpy(k->previous, k->current, sizeof(k->previous));
	memcpy(k->current, key, sizeof(k->current));
}

static void encode(const uint8_t key[TURN_NONCE_KEY_LEN], const struct addr *client,
                   uint32_t time_s, char out[TURN_NONCE_LEN])
{
	uint8_t input[TIME_LEN + 16], mac[EVP_MAX_MD_SIZE], raw[RAW_LEN];
	unsigned char text[TURN_NONCE_LEN + 1];
	unsigned int mac_len;
	size_t ip_len;
	const uint8_t *ip = addr_ip(client, &ip_len);

	for (int i = 0; i < TIME_LEN; i++)
		input[i] = (uint8_t)(time_s >> (24 - 8 * i));
	memcpy(input + TIME_LEN, ip, ip_len);
	HMAC(EVP_sha256(), key, TURN_NONCE_KEY_LEN, input, TIME_LEN + ip_len, mac, &mac_len);
	memcpy(raw, input, TIME_LEN);
	memcpy(raw + TIME_LEN, mac, MAC_LEN);
	EVP_EncodeBlock(text, raw, RAW_LEN);
	for (int i = 0; i < TURN_NONCE_LEN; i++) /* url-safe: it appears in quoted strings */
		out[i] = text[i] == '+' ? '-' : text[i] == '/' ? '_' : (char)text[i];
}

void turn_nonce_make(const struct turn_nonce_keys *k, const struct addr *client, uint64_t now_s,
                     char out[TURN_NONCE_LEN])
{
	encode(k->current, client, (uint32_t)now_s, out);
}

/* The time stands in the first 32 bits: the first five characters and two bits of the sixth. */
static bool decode_time(const uint8_t *nonce, uint32_t *time_s)
{
	uint64_t bits = 0;

	for (int i = 0; i < 6; i++) {
		uint8_t c = nonce[i];
		unsigned int v;

		if (c >= 'A' && c <= 'Z')
			v = c - 'A';
		else if (c >= 'a' && c <= 'z')
			v = c - 'a' + 26u;
		else if (c >= '0' && c <= '9')
			v = c - '0' + 52u;
		else if (c == '-' || c == '_')
			v = c == '-' ? 62 : 63;
		else
			return false;
		bits = bits << 6 | v;
	}
	*time_s = (uint32_t)(bits >> 4);
	return true;
}

bool turn_nonce_ok(const struct turn_nonce_keys *k, const struct addr *client, uint64_t now_s,
                   uint32_t lifetime_s, const uint8_t *nonce, size_t len)
{
	char want[TURN_NONCE_LEN];
	uint32_t time_s;

	if (len != TURN_NONCE_LEN || !decode_time(nonce, &time_s))
		return false;
	if ((uint32_t)now_s - time_s > lifetime_s) /* from the future, too: it wraps */
		return false;
	encode(k->current, client, time_s, want);
	if (!CRYPTO_memcmp(want, nonce, len))
		return true;
	encode(k->previous, client, time_s, want);
	return !CRYPTO_memcmp(want, nonce, len);
}
