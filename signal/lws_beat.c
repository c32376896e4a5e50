/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Pings, a part of the connections at a time. libwebsockets would have a timer for each, in one
 * sorted list, and walk it for each ping.
 */
#include "signal/lws_hub_internal.h"

#include "base/clock.h"

#include <string.h>

/* Each group is looked at twice in ping_s: a connection is pinged when it has been silent for half
 * of it at least, and for all of it at most. */
static int64_t half_ms(const struct lws_hub *b)
{
	return (int64_t)b->conf.ping_s * 1000 / 2;
}

static int64_t interval_ms(const struct lws_hub *b)
{
	int64_t ms = half_ms(b) / BEATS;

	return ms ? ms : 1;
}

/* Those that come together are pinged one after another. */
void beat_join(struct conn *c)
{
	struct lws_hub *b = c->hub;
	unsigned group = (unsigned)(hub_member_id(c->member) % BEATS);

	c->heard_at_ms = clock_mono_ms();
	conn_put(c, LIST_BEAT, &b->beat[group]);
	if (!b->beat_at_ms)
		b->beat_at_ms = c->heard_at_ms + interval_ms(b);
}

/* Bytes that a slow client takes are a sign of life, too: its pong comes behind them. */
static bool is_silent(const struct conn *c, int64_t now_ms)
{
	int64_t alive_ms = c->heard_at_ms > c->asked_at_ms ? c->heard_at_ms : c->asked_at_ms;

	if (c->queue && c->progress_at_ms > alive_ms)
		alive_ms = c->progress_at_ms;
	return now_ms - alive_ms >= (int64_t)c->hub->conf.ping_grace_s * 1000;
}

static void look_after(struct conn *c, int64_t now_ms)
{
	if (!c->asked_at_ms || c->close_code)
		return;
	if (c->heard_at_ms > c->asked_at_ms) {
		c->asked_at_ms = 0;
	} else if (is_silent(c, now_ms)) {
		c->close_reason = "does not answer pings";
		c->broken = true;
		write_soon(c);
	}
}

static void ask(struct conn *c, int64_t now_ms)
{
	if (c->asked_at_ms || c->close_code || now_ms - c->heard_at_ms < half_ms(c->hub))
		return;
	c->asked_at_ms = now_ms;
	c->ping_no++;
	c->ping = true;
	write_soon(c);
}

static void beat(struct lws_hub *b)
{
	unsigned late = (unsigned)((int64_t)b->conf.ping_grace_s * 1000 / interval_ms(b));
	unsigned asked = (b->beat_no - late) % BEATS, next = b->beat_no % BEATS;

	for (struct conn *c = b->beat[asked]; c; c = c->link[LIST_BEAT].next)
		look_after(c, b->now_ms);
	for (struct conn *c = b->beat[next]; c; c = c->link[LIST_BEAT].next)
		ask(c, b->now_ms);
	b->beat_no++;
}

void beat_turn(struct lws_hub *b)
{
	if (!b->beat_at_ms || b->now_ms < b->beat_at_ms)
		return;
	beat(b);
	b->beat_at_ms = b->conn_n ? b->now_ms + interval_ms(b) : 0;
}

void beat_pong(struct conn *c, const void *in, size_t len)
{
	c->heard_at_ms = c->hub->now_ms;
	if (len == sizeof(c->ping_no) && !memcmp(in, &c->ping_no, len))
		c->asked_at_ms = 0;
}
