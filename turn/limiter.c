/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Token buckets in a hashed table. Every prefix has a bucket in each of two
 * rows and is refused when both are empty: a neighbour in one does no harm.
 */
#include "turn/limiter.h"

#include "base/env.h"

#include <stdlib.h>
#include <string.h>

#define ROWS    2
#define BUCKETS 8192 /* a row */

struct turn_limiter {
	uint64_t key[2];
	uint64_t interval_us; /* 0: no limit */
	/* When the bucket is full again (the generic cell rate algorithm). */
	uint64_t full_at_us[ROWS][BUCKETS];
};

struct turn_limiter *turn_limiter_new(struct env *env, uint32_t per_s)
{
	struct turn_limiter *l = calloc(1, sizeof(*l));

	if (!l)
		return NULL;
	env_random(env, l->key, sizeof(l->key));
	turn_limiter_set_rate(l, per_s);
	return l;
}

void turn_limiter_set_rate(struct turn_limiter *l, uint32_t per_s)
{
	l->interval_us = per_s ? (1000000 + per_s - 1) / per_s : 0;
}

void turn_limiter_free(struct turn_limiter *l)
{
	free(l);
}

static uint64_t rotl(uint64_t x, int b)
{
	return x << b | x >> (64 - b);
}

static void sip_round(uint64_t v[4])
{
	v[0] += v[1];
	v[2] += v[3];
	v[1] = rotl(v[1], 13) ^ v[0];
	v[3] = rotl(v[3], 16) ^ v[2];
	v[0] = rotl(v[0], 32);
	v[2] += v[1];
	v[0] += v[3];
	v[1] = rotl(v[1], 17) ^ v[2];
	v[3] = rotl(v[3], 21) ^ v[0];
	v[2] = rotl(v[2], 32);
}

/* SipHash-2-4 of one 64-bit word and its length. */
static uint64_t siphash(const uint64_t key[2], uint64_t word)
{
	static const uint64_t start[4] = {0x736f6d6570736575, 0x646f72616e646f6d,
	                                  0x6c7967656e657261, 0x7465646279746573};
	uint64_t v[4], in[2] = {word, (uint64_t)8 << 56};

	for (int i = 0; i < 4; i++)
		v[i] = start[i] ^ key[i % 2];
	for (int i = 0; i < 2; i++) {
		v[3] ^= in[i];
		sip_round(v);
		sip_round(v);
		v[0] ^= in[i];
	}
	v[2] ^= 0xff;
	for (int i = 0; i < 4; i++)
		sip_round(v);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

/* The /24 or /64; no IPv6 prefix of the Internet looks like an IPv4 one. */
static uint64_t prefix_of(const struct addr *a)
{
	uint64_t word = 0;
	size_t len;
	const uint8_t *ip = addr_ip(a, &len);

	memcpy(&word, ip, len == 4 ? 3 : 8);
	return word;
}

bool turn_limiter_take(struct turn_limiter *l, const struct addr *from, uint64_t now_ms)
{
	uint64_t now_us = now_ms * 1000, hash;
	bool ok = false;

	if (!l->interval_us || addr_is_loopback(from))
		return true;
	hash = siphash(l->key, prefix_of(from));
	for (int row = 0; row < ROWS; row++, hash >>= 32) {
		uint64_t *full_at = &l->full_at_us[row][hash % BUCKETS];

		if (*full_at < now_us)
			*full_at = now_us;
		if (*full_at + l->interval_us > now_us + TURN_LIMITER_BURST_MS * 1000)
			continue;
		*full_at += l->interval_us;
		ok = true;
	}
	return ok;
}
