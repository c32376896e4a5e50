/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Rates of issuing, by the generic cell rate algorithm: for each caller the time at which
 * everything it got would have been earned.
 */
#include "daemon/issue/issue_rate.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#define SETS      2048
#define WAYS      4
#define MINUTE_US INT64_C(60000000)

struct cell {
	uint64_t who;
	int64_t earned_us;
};

struct issue_rate {
	int64_t issue_rate_token, issue_rate_address;
	unsigned char key[crypto_shorthash_KEYBYTES];
	struct cell cells[SETS][WAYS];
};

struct issue_rate *issue_rate_new(int64_t issue_rate_token, int64_t issue_rate_address)
{
	struct issue_rate *r = calloc(1, sizeof(*r));

	if (!r || sodium_init() < 0) {
		free(r);
		return NULL;
	}
	r->issue_rate_token = issue_rate_token;
	r->issue_rate_address = issue_rate_address;
	crypto_shorthash_keygen(r->key);
	return r;
}

void issue_rate_free(struct issue_rate *r)
{
	free(r);
}

/* A token's number, or the prefix that one customer has. */
static uint64_t who(const struct issue_rate *r, int64_t token_id, const struct addr *from)
{
	unsigned char text[1 + 16] = {0}, hash[crypto_shorthash_BYTES];
	const uint8_t *ip;
	size_t len;
	uint64_t out;

	if (token_id) {
		text[0] = 1;
		memcpy(text + 1, &token_id, sizeof(token_id));
	} else {
		text[0] = addr_family(from) == AF_INET ? 2 : 3;
		ip = addr_ip(from, &len);
		memcpy(text + 1, ip, len == 4 ? 3 : len < 8 ? len : 8);
	}
	crypto_shorthash(hash, text, sizeof(text), r->key);
	memcpy(&out, hash, sizeof(out));
	return out | 1; /* never that of an empty cell */
}

/* The caller's cell, or else the one that was unused for longest. */
static struct cell *find(struct issue_rate *r, uint64_t id)
{
	struct cell *set = r->cells[id / 2 % SETS], *oldest = set;

	for (int i = 0; i < WAYS; i++) {
		if (set[i].who == id)
			return &set[i];
		if (set[i].earned_us < oldest->earned_us)
			oldest = &set[i];
	}
	*oldest = (struct cell){.who = id};
	return oldest;
}

unsigned issue_rate_take(struct issue_rate *r, int64_t token_id, const struct addr *from,
                         uint64_t now_ms)
{
	int64_t rate = token_id ? r->issue_rate_token : r->issue_rate_address;
	int64_t now_us = (int64_t)now_ms * 1000, wait_us;
	struct cell *c;

	if (!rate)
		return 0;
	c = find(r, who(r, token_id, from));
	if (c->earned_us < now_us)
		c->earned_us = now_us;
	wait_us = c->earned_us + MINUTE_US / rate - now_us - MINUTE_US;
	if (wait_us > 0)
		return (unsigned)((wait_us + 999999) / 1000000);
	c->earned_us += MINUTE_US / rate;
	return 0;
}
