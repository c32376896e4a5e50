/* SPDX-License-Identifier: BSD-3-Clause
 *
 * What a message costs its sender.
 */
#include "signal/hub_internal.h"

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
