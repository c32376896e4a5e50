/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Stateless nonces.
 */
#include "turn/nonce.h"

#include "base/env.h"
#include "base/hmac.h"
#include "turn/state.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#define FEATURES_LEN   3
#define TIME_LEN       3
#define GENERATION_LEN 2
#define CLEAR_LEN      (TIME_LEN + GENERATION_LEN)
#define MAC_LEN        6
#define RAW_LEN        (CLEAR_LEN + MAC_LEN)
#define WORKER_LEN     4
#define SLOTS          65536

static const char magic[] = "obMatJos2";
#define MAGIC_LEN (sizeof(magic) - 1)

/* Counts the ends of allocations on the 5-tuples that share the slot, with a mark of the last. The
 * counter wraps after 65,536 ends; none of the counted ones is older than a nonce's lifetime. */
struct slot {
	uint16_t generation, mark;
};

struct turn_nonces {
	unsigned int worker;
	uint8_t current[TURN_NONCE_KEY_LEN], previous[TURN_NONCE_KEY_LEN];
	uint8_t slot_key[crypto_shorthash_KEYBYTES]; /* nobody can choose their slot's neighbours */
	struct slot slot[SLOTS];
};

struct turn_nonces *turn_nonces_new(struct env *env, unsigned int worker)
{
	struct turn_nonces *n = calloc(1, sizeof(*n));

	if (!n)
		return NULL;
	n->worker = worker;
	env_random(env, n->current, sizeof(n->current));
	env_random(env, n->previous, sizeof(n->previous));
	env_random(env, n->slot_key, sizeof(n->slot_key));
	return n;
}

void turn_nonces_free(struct turn_nonces *n)
{
	free(n);
}

void turn_nonces_set_key(struct turn_nonces *n, const uint8_t key[TURN_NONCE_KEY_LEN])
{
	memcpy(n->previous, n->current, sizeof(n->previous));
	memcpy(n->current, key, sizeof(n->current));
}

/* The index of its slot, and its mark there. */
static uint16_t place_of(const struct turn_nonces *n, const struct turn_tuple *tuple,
                         uint16_t *mark)
{
	uint8_t hash[crypto_shorthash_BYTES];

	crypto_shorthash(hash, (const uint8_t *)tuple, sizeof(*tuple), n->slot_key);
	*mark = (uint16_t)(hash[2] << 8 | hash[3]);
	return (uint16_t)(hash[0] << 8 | hash[1]);
}

void turn_nonces_end(struct turn_nonces *n, const struct turn_tuple *tuple)
{
	uint16_t mark;
	struct slot *s = &n->slot[place_of(n, tuple, &mark)];

	s->generation++;
	s->mark = mark;
}

uint16_t turn_nonces_since(const struct turn_nonces *n, const struct turn_tuple *tuple)
{
	uint16_t mark;
	const struct slot *s = &n->slot[place_of(n, tuple, &mark)];

	return s->mark == mark ? s->generation : (uint16_t)(s->generation - 1);
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

/* raw holds time and generation; the proof is appended. */
static void prove(const struct turn_nonces *n, const uint8_t key[TURN_NONCE_KEY_LEN],
                  uint32_t features, const struct turn_tuple *tuple, uint8_t raw[RAW_LEN],
                  char out[TURN_NONCE_PROOF_LEN])
{
	uint8_t input[FEATURES_LEN + CLEAR_LEN + WORKER_LEN + sizeof(*tuple)];
	uint8_t mac[HMAC_SHA256_LEN], *at = input;

	put24(at, features);
	at += FEATURES_LEN;
	memcpy(at, raw, CLEAR_LEN);
	at += CLEAR_LEN;
	memcpy(at, &n->worker, WORKER_LEN); /* only we read it: in our own byte order */
	memcpy(at + WORKER_LEN, tuple, sizeof(*tuple));
	hmac(HMAC_SHA256, key, TURN_NONCE_KEY_LEN, input, sizeof(input), mac);
	memcpy(raw + CLEAR_LEN, mac, MAC_LEN);
	encode(raw, RAW_LEN, true, out, TURN_NONCE_PROOF_LEN);
}

size_t turn_nonce_make(const struct turn_nonces *n, const struct turn_tuple *tuple, uint64_t now_s,
                       uint32_t features, char out[TURN_NONCE_MAX])
{
	uint8_t raw[RAW_LEN], bits[FEATURES_LEN];
	uint16_t mark, generation = n->slot[place_of(n, tuple, &mark)].generation;
	size_t len = 0;

	if (features) {
		put24(bits, features);
		memcpy(out, magic, MAGIC_LEN);
		encode(bits, sizeof(bits), false, out + MAGIC_LEN, 4);
		len = TURN_NONCE_COOKIE_LEN;
	}
	put24(raw, (uint32_t)now_s);
	raw[TIME_LEN] = (uint8_t)(generation >> 8);
	raw[TIME_LEN + 1] = (uint8_t)generation;
	prove(n, n->current, features, tuple, raw, out + len);
	return len + TURN_NONCE_PROOF_LEN;
}

uint32_t turn_nonce_features(const uint8_t *nonce, size_t len)
{
	uint32_t features = 0;

	if (len >= TURN_NONCE_COOKIE_LEN && !memcmp(nonce, magic, MAGIC_LEN))
		decode24(nonce + MAGIC_LEN, &features);
	return features;
}

bool turn_nonce_open(const struct turn_nonces *n, const struct turn_tuple *tuple, uint64_t now_s,
                     const uint8_t *nonce, size_t len, struct turn_nonce *out)
{
	uint32_t features = turn_nonce_features(nonce, len), time_s, rest;
	size_t skip = features ? TURN_NONCE_COOKIE_LEN : 0;
	char want[TURN_NONCE_PROOF_LEN];
	uint8_t raw[RAW_LEN];

	if (len != skip + TURN_NONCE_PROOF_LEN || !decode24(nonce + skip, &time_s) ||
	    !decode24(nonce + skip + 4, &rest))
		return false;
	put24(raw, time_s);
	raw[TIME_LEN] = (uint8_t)(rest >> 16);
	raw[TIME_LEN + 1] = (uint8_t)(rest >> 8);
	prove(n, n->current, features, tuple, raw, want);
	if (CRYPTO_memcmp(want, nonce + skip, sizeof(want)) != 0) {
		prove(n, n->previous, features, tuple, raw, want);
		if (CRYPTO_memcmp(want, nonce + skip, sizeof(want)) != 0)
			return false;
	}
	out->features = features;
	out->age_s = ((uint32_t)now_s - time_s) & 0xffffff;
	out->generation = (uint16_t)(rest >> 8);
	return true;
}
