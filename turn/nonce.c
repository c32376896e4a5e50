/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Stateless nonces.
 */
#include "turn/nonce.h"

#include "base/hmac.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <string.h>

#define FEATURES_LEN 3
#define TIME_LEN     3
#define PORT_LEN     2
#define MAC_LEN      6
#define RAW_LEN      (TIME_LEN + PORT_LEN + MAC_LEN)

static const char magic[] = "obMatJos2";
#define MAGIC_LEN (sizeof(magic) - 1)

void turn_nonce_rotate(struct turn_nonce_keys *k, const uint8_t key[TURN_NONCE_KEY_LEN])
{
	memcpy(k->previous, k->current, sizeof(k->previous));
	memcpy(k->current, key, sizeof(k->current));
}

static void put24(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)(v >> 16);
	p[1] = (uint8_t)(v >> 8);
	p[2] = (uint8_t)v;
}

/* base64 without padding; url-safe where the alphabet is ours to choose. */
static void encode(const uint8_t *raw, size_t len, bool url_safe, char *out, size_t out_len)
{
	unsigned char text[4 * ((RAW_LEN + 2) / 3) + 1];

	EVP_EncodeBlock(text, raw, (int)len);
	for (size_t i = 0; i < out_len; i++) {
		char c = (char)text[i];

		out[i] = !url_safe || (c != '+' && c != '/') ? c : c == '+' ? '-' : '_';
	}
}

static int value_of(uint8_t c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	if (c == '+' || c == '-')
		return 62;
	return c == '/' || c == '_' ? 63 : -1;
}

/* The 24 bits that four characters stand for. */
static bool decode24(const uint8_t *text, uint32_t *out)
{
	uint32_t bits = 0;

	for (int i = 0; i < 4; i++) {
		int v = value_of(text[i]);

		if (v < 0)
			return false;
		bits = bits << 6 | (uint32_t)v;
	}
	*out = bits;
	return true;
}

/* raw holds time and port; the proof is appended. */
static void prove(const uint8_t key[TURN_NONCE_KEY_LEN], uint32_t features,
                  const struct addr *client, uint8_t raw[RAW_LEN], char out[TURN_NONCE_PROOF_LEN])
{
	uint8_t input[FEATURES_LEN + TIME_LEN + PORT_LEN + 16], mac[HMAC_SHA256_LEN];
	size_t ip_len;
	const uint8_t *ip = addr_ip(client, &ip_len);

	put24(input, features);
	memcpy(input + FEATURES_LEN, raw, TIME_LEN + PORT_LEN);
	memcpy(input + FEATURES_LEN + TIME_LEN + PORT_LEN, ip, ip_len);
	hmac(HMAC_SHA256, key, TURN_NONCE_KEY_LEN, input,
	     FEATURES_LEN + TIME_LEN + PORT_LEN + ip_len, mac);
	memcpy(raw + TIME_LEN + PORT_LEN, mac, MAC_LEN);
	encode(raw, RAW_LEN, true, out, TURN_NONCE_PROOF_LEN);
}

size_t turn_nonce_make(const struct turn_nonce_keys *k, const struct addr *client, uint64_t now_s,
                       uint32_t features, char out[TURN_NONCE_MAX])
{
	uint8_t raw[RAW_LEN], bits[FEATURES_LEN];
	size_t len = 0;

	if (features) {
		put24(bits, features);
		memcpy(out, magic, MAGIC_LEN);
		encode(bits, sizeof(bits), false, out + MAGIC_LEN, 4);
		len = TURN_NONCE_COOKIE_LEN;
	}
	put24(raw, (uint32_t)now_s);
	raw[TIME_LEN] = (uint8_t)(addr_port(client) >> 8);
	raw[TIME_LEN + 1] = (uint8_t)addr_port(client);
	prove(k->current, features, client, raw, out + len);
	return len + TURN_NONCE_PROOF_LEN;
}

uint32_t turn_nonce_features(const uint8_t *nonce, size_t len)
{
	uint32_t features = 0;

	if (len >= TURN_NONCE_COOKIE_LEN && !memcmp(nonce, magic, MAGIC_LEN))
		decode24(nonce + MAGIC_LEN, &features);
	return features;
}

bool turn_nonce_ok(const struct turn_nonce_keys *k, const struct addr *client, uint64_t now_s,
                   uint32_t lifetime_s, const uint8_t *nonce, size_t len)
{
	uint32_t features = turn_nonce_features(nonce, len), time_s, rest;
	size_t skip = features ? TURN_NONCE_COOKIE_LEN : 0;
	char want[TURN_NONCE_PROOF_LEN];
	uint8_t raw[RAW_LEN];

	if (len != skip + TURN_NONCE_PROOF_LEN || !decode24(nonce + skip, &time_s) ||
	    !decode24(nonce + skip + 4, &rest))
		return false;
	/* From the future, too: it wraps. */
	if ((((uint32_t)now_s - time_s) & 0xffffff) > lifetime_s)
		return false;
	put24(raw, time_s);
	raw[TIME_LEN] = (uint8_t)(rest >> 16);
	raw[TIME_LEN + 1] = (uint8_t)(rest >> 8);
	prove(k->current, features, client, raw, want);
	if (!CRYPTO_memcmp(want, nonce + skip, sizeof(want)))
		return true;
	prove(k->previous, features, client, raw, want);
	return !CRYPTO_memcmp(want, nonce + skip, sizeof(want));
}
