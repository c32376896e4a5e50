/* SPDX-License-Identifier: BSD-3-Clause
 *
 * What work costs those who cause it. Three buckets of tokens: a member's own, one of the address
 * prefix that they come from, and one of the whole hub.
 */
#include "signal/hub_internal.h"

#include <stdlib.h>
#include <string.h>

#define TOKEN_MILLI    1000
#define MESSAGE_BYTES  4096  /* of one token */
#define FAN_OUT_MILLI  100   /* for each recipient of a message to all, or of a rename */
#define PREFIX_MEMBERS 8     /* a prefix has as much as so many members */
#define HUB_RATE       30000 /* recipients a second */
#define DROPS_MAX      1000  /* messages refused in a row before the connection is closed */

static int64_t min64(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

static int64_t member_full(const struct hub *h)
{
	return (int64_t)h->conf.rate_burst * TOKEN_MILLI;
}

/* What has come in since the last time. A new bucket is full. */
static void refill(struct hub_bucket *b, int64_t now, int64_t rate, int64_t full)
{
	if (!b->used)
		b->milli = full;
	else
		b->milli = min64(full, b->milli + (now - b->at_ms) * rate);
	b->at_ms = now;
	b->used = true;
}

static void refill_all(struct hub_member *p)
{
	struct hub *h = p->hub;
	int64_t now = h->ops.now_ms(h->ctx), rate = h->conf.signal_rate, full = member_full(h);

	refill(&p->bucket, now, rate, full);
	refill(&h->bucket, now, HUB_RATE, (int64_t)HUB_RATE * TOKEN_MILLI);
	if (p->prefix)
		refill(&p->prefix->bucket, now, rate * PREFIX_MEMBERS, full * PREFIX_MEMBERS);
}

/* From the member's own bucket, and that of its prefix. */
static bool take(struct hub_member *p, int64_t cost, bool from_prefix)
{
	struct hub_bucket *prefix = from_prefix && p->prefix ? &p->prefix->bucket : NULL;

	if (p->bucket.milli < cost || (prefix && prefix->milli < cost))
		return false;
	p->bucket.milli -= cost;
	if (prefix)
		prefix->milli -= cost;
	return true;
}

/* One whose sender waits for an ack is refused by name; of others the sender hears once. */
static void refuse(struct hub_member *p, const char *text, size_t len)
{
	static const char why[] = "Too many messages at once; some were not delivered.";
	static const char *const names[] = {"type", "target", "ack"};
	struct scan s;
	size_t fault;

	if (scan_text(&s, text, len, p->hub->conf.max_depth, names, 3, &fault))
		memset(&s, 0, sizeof(s));
	if (s.value[ROUTE_ACK].kind == SCAN_STRING || s.value[ROUTE_ACK].kind == SCAN_NUMBER)
		deliver_refuse(p, "rate-limited", why, &s, 0);
	else if (!p->throttled)
		hub_error(p, "rate-limited", why);
	p->throttled = true;
	if (++p->dropped >= DROPS_MAX)
		hub_close_member(p, HUB_CLOSE_POLICY, "too many messages");
}

bool charge_message(struct hub_member *p, const char *text, size_t len)
{
	const int64_t full = member_full(p->hub);
	int64_t cost = min64(full, TOKEN_MILLI * (1 + (int64_t)(len / MESSAGE_BYTES)));

	if (!full)
		return true;
	refill_all(p);
	if (take(p, cost, !p->user)) {
		p->throttled = false;
		p->dropped = 0;
		return true;
	}
	refuse(p, text, len);
	return false;
}

/* Few do not use up what all have: below half, only those are served who have not sent much. */
static bool hub_serves(const struct hub_member *p, int64_t cost)
{
	const int64_t hub_full = (int64_t)HUB_RATE * TOKEN_MILLI;
	const struct hub *h = p->hub;

	return h->bucket.milli >= cost &&
	       (h->bucket.milli >= hub_full / 2 || p->bucket.milli >= member_full(h) / 4 * 3);
}

bool charge_fan_out(struct hub_member *p, unsigned n, const struct hub_message *m)
{
	int64_t full = member_full(p->hub), cost = min64(full, (int64_t)n * FAN_OUT_MILLI);
	int64_t hub_cost = (int64_t)(n < HUB_RATE / 2 ? n : HUB_RATE / 2) * TOKEN_MILLI;

	if (!full)
		return true;
	refill_all(p);
	if (hub_serves(p, hub_cost) && take(p, cost, true)) {
		p->hub->bucket.milli -= hub_cost;
		return true;
	}
	hub_error_for(p, "rate-limited", "Too many messages to all at once.", m->type, NULL);
	return false;
}

bool charge_rename(struct hub_member *p)
{
	int64_t full = member_full(p->hub);

	if (!full)
		return true;
	refill_all(p);
	return take(p, min64(full, (int64_t)p->user->room->user_n * FAN_OUT_MILLI), true);
}

static int64_t wait_ms(const struct hub_bucket *b, int64_t rate)
{
	int64_t lacking = TOKEN_MILLI - b->milli;

	return !b->used || lacking <= 0 ? 0 : (lacking + rate - 1) / rate;
}

int64_t hub_pause_ms(struct hub_member *p)
{
	const struct hub_conf *conf = &p->hub->conf;
	int64_t own, prefix = 0;

	if (!conf->rate_burst || p->closing)
		return 0;
	refill_all(p);
	own = wait_ms(&p->bucket, conf->signal_rate);
	if (!p->user && p->prefix)
		prefix = wait_ms(&p->prefix->bucket, (int64_t)conf->signal_rate * PREFIX_MEMBERS);
	return own > prefix ? own : prefix;
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
