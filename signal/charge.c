/* SPDX-License-Identifier: BSD-3-Clause
 *
 * What a message costs its sender.
 */
#include "signal/hub_internal.h"

#include <stdlib.h>
#include <string.h>

#define TOKEN_MILLI 1000
#define DROPS_MAX   1000 /* messages refused in a row before the connection is closed */

static int64_t min64(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

bool charge_message(struct hub_member *p, size_t len)
{
	const struct hub_conf *conf = &p->hub->conf;
	int64_t now = p->hub->ops.now_ms(p->hub->ctx);
	int64_t full = (int64_t)conf->rate_burst * TOKEN_MILLI;
	int64_t cost = min64(full, TOKEN_MILLI * (1 + (int64_t)(len / 4096)));

	if (!full)
		return true;
	p->tokens_milli =
	    min64((int64_t)conf->rate_burst * TOKEN_MILLI,
	          p->tokens_milli + (now - p->refilled_at_ms) * (int64_t)conf->signal_rate);
	p->refilled_at_ms = now;
	if (p->tokens_milli >= cost) {
		p->tokens_milli -= cost;
		p->throttled = false;
		p->dropped = 0;
		return true;
	}
	if (!p->throttled)
		hub_error(p, "rate-limited", "Too many messages at once; some were not delivered.");
	p->throttled = true;
	if (++p->dropped >= DROPS_MAX)
		hub_close_member(p, HUB_CLOSE_POLICY, "too many messages");
	return false;
}

int64_t hub_pause_ms(const struct hub_member *p)
{
	const struct hub_conf *conf = &p->hub->conf;
	int64_t lacking = TOKEN_MILLI - p->tokens_milli;

	if (!conf->rate_burst || p->closing || lacking <= 0)
		return 0;
	return (lacking + conf->signal_rate - 1) / conf->signal_rate;
}

static bool make_key(const struct addr *client, uint8_t key[HUB_PREFIX_KEY])
{
	size_t len, keep;
	const uint8_t *ip;

	if (addr_family(client) != AF_INET && addr_family(client) != AF_INET6)
		return false;
	ip = addr_ip(client, &len);
	keep = len == 4 ? 3 : 8;
	memset(key, 0, HUB_PREFIX_KEY);
	key[0] = (uint8_t)len;
	memcpy(key + 1, ip, keep);
	return true;
}

int charge_prefix(struct hub *h, const struct addr *client, struct hub_prefix **out)
{
	struct hub_prefix *prefix;
	uint8_t key[HUB_PREFIX_KEY];

	*out = NULL;
	if (!make_key(client, key))
		return 0;
	HASH_FIND(hh, h->prefixes, key, sizeof(key), prefix);
	if (!prefix) {
		prefix = calloc(1, sizeof(*prefix));
		if (!prefix)
			return -E_NOMEM;
		memcpy(prefix->key, key, sizeof(key));
		if (TABLE_ADD(hh, h->prefixes, key, sizeof(key), prefix)) {
			free(prefix);
			return -E_NOMEM;
		}
	}
	prefix->refs++;
	*out = prefix;
	return 0;
}

void charge_prefix_unref(struct hub *h, struct hub_prefix *prefix)
{
	if (!prefix || --prefix->refs)
		return;
	HASH_DEL(h->prefixes, prefix);
	free(prefix);
}
