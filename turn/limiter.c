/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Token buckets in hashed tables. A source has a bucket in each of two rows of
 * a table and is refused when both are empty: a neighbour in one does no harm.
 */
#include "turn/limiter.h"

#include "base/env.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#define ROWS     2
#define BUCKETS  4096 /* a row */
#define BURST_US (TURN_LIMITER_BURST_MS * UINT64_C(1000))

struct table {
	/* When the bucket is full again (the generic cell rate algorithm). */
	uint64_t full_at_us[ROWS][BUCKETS];
};

struct turn_limiter {
	uint8_t key[crypto_shorthash_KEYBYTES];
	uint64_t interval_us; /* of an address; 0: no limit */
	struct table address, quiet, prefix;
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

/* Of the first bytes of an address, and how many they are: no prefix of one family is another's. */
static uint64_t hash_of(const struct turn_limiter *l, const uint8_t *ip, size_t len)
{
	uint8_t in[1 + 16] = {(uint8_t)len}, out[crypto_shorthash_BYTES];
	uint64_t hash;

	memcpy(in + 1, ip, len);
	crypto_shorthash(out, in, sizeof(in), l->key);
	memcpy(&hash, out, sizeof(hash));
	return hash;
}

static bool take(struct table *t, uint64_t hash, uint64_t now_us, uint64_t cost_us)
{
	bool ok = false;

	for (int row = 0; row < ROWS; row++, hash >>= 32) {
		uint64_t *full_at = &t->full_at_us[row][hash % BUCKETS];

		if (*full_at < now_us)
			*full_at = now_us;
		if (*full_at > now_us && *full_at + cost_us > now_us + BURST_US)
			continue;
		*full_at += cost_us;
		ok = true;
	}
	return ok;
}

bool turn_limiter_take(struct turn_limiter *l, const struct addr *from, uint64_t now_ms,
                       unsigned int weight)
{
	uint64_t now_us = now_ms * 1000, cost_us = l->interval_us * weight, hash;
	size_t len;
	const uint8_t *ip;

	if (!l->interval_us || addr_is_loopback(from))
		return true;
	ip = addr_ip(from, &len);
	hash = hash_of(l, ip, len);
	if (!take(&l->address, hash, now_us, cost_us))
		return false;
	if (len == 4 && take(&l->quiet, hash, now_us, cost_us * TURN_LIMITER_QUIET))
		return true;
	return take(&l->prefix, hash_of(l, ip, len == 4 ? 3 : 8), now_us,
	            (cost_us + TURN_LIMITER_PREFIX - 1) / TURN_LIMITER_PREFIX);
}
