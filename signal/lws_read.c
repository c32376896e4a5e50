/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Messages on their way in: fragments are put together, and the hub reads each message in its turn.
 */
#include "signal/lws_hub_internal.h"

#include "base/clock.h"
#include "base/error.h"

#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#define SHARE      4 /* messages of one connection in a part of a turn */
#define FULL_BYTES LWS_HUB_READ_BYTES
#define PAUSE_MS   50 /* the precision of pauses */

static void hub_reads(struct conn *c, const char *text, size_t len)
{
	struct lws_hub *b = c->hub;

	if (c->turn_no != b->turn_no)
		c->turn_n = 0;
	c->turn_no = b->turn_no;
	c->turn_n++;
	hub_text(c->member, text, len);
}

/* True while its next message has to wait: it, or its address prefix, has sent all that it may. */
static bool has_to_wait(struct conn *c)
{
	struct lws_hub *b = c->hub;
	int64_t pause_ms;

	if (c->link[LIST_PAUSED].in)
		return true;
	pause_ms = hub_pause_ms(c->member);
	if (!pause_ms)
		return false;
	c->paused_until_ms = clock_mono_ms() + pause_ms;
	conn_take(c, LIST_READ);
	conn_put(c, LIST_PAUSED, &b->paused);
	if (!b->pause_at_ms)
		b->pause_at_ms = clock_mono_ms() + PAUSE_MS;
	return true;
}

static void drop(struct conn *c, struct kept *k)
{
	DL_DELETE(c->kept, k);
	c->kept_bytes -= k->len;
	free(k);
}

void read_free(struct conn *c)
{
	while (c->kept)
		drop(c, c->kept);
	free(c->rx);
}

static int keep(struct conn *c, const char *text, size_t len)
{
	struct kept *k = malloc(sizeof(*k) + len);

	if (!k)
		return -E_NOMEM;
	k->len = len;
	memcpy(k->text, text, len);
	DL_APPEND(c->kept, k);
	c->kept_bytes += len;
	if (!c->link[LIST_PAUSED].in)
		conn_put(c, LIST_READ, &c->hub->read);
	if (c->kept_bytes >= FULL_BYTES && !c->held)
		conn_put(c, LIST_FULL, &c->hub->full);
	return 0;
}

/* At once, while it is its turn. */
static int take_message(struct conn *c, const char *text, size_t len)
{
	struct lws_hub *b = c->hub;
	bool share = c->turn_no != b->turn_no || c->turn_n < SHARE;

	if (!share || c->kept || turn_is_over(b) || has_to_wait(c))
		return keep(c, text, len);
	hub_reads(c, text, len);
	return 0;
}

/* So many bytes of the same frame are still to come. A client may also send many small frames: then
 * the buffer doubles. */
static int keep_fragment(struct conn *c, const char *in, size_t len, size_t remaining)
{
	size_t need = c->rx_len + len, cap = need + remaining;
	char *grown;

	if (!len)
		return 0;
	if (need > c->rx_cap) {
		if (cap < 2 * c->rx_cap)
			cap = 2 * c->rx_cap;
		grown = realloc(c->rx, cap);
		if (!grown)
			return -E_NOMEM;
		c->rx = grown;
		c->rx_cap = cap;
	}
	memcpy(c->rx + c->rx_len, in, len);
	c->rx_len = need;
	return 0;
}

/* The buffer goes back at once: most connections are idle for long after a message. */
static int take_fragments(struct conn *c)
{
	int r = take_message(c, c->rx, c->rx_len);

	free(c->rx);
	c->rx = NULL;
	c->rx_len = c->rx_cap = 0;
	return r;
}

/* For a fault that ends the connection; what came before it is read first. */
static int refuse(struct conn *c, enum hub_close code, const char *error, const char *why)
{
	read_rest(c);
	if (c->member)
		hub_error(c->member, error, why);
	conn_close(NULL, c, code, error);
	return 0;
}

int read_receive(struct conn *c, const char *in, size_t len)
{
	size_t max = c->hub->conf.hub.max_message, remaining;

	if (c->close_code || !c->member)
		return 0;
	c->heard_at_ms = c->hub->now_ms;
	if (lws_frame_is_binary(c->wsi))
		return refuse(c, HUB_CLOSE_UNSUPPORTED, "binary-refused",
		              "Messages are text frames.");
	remaining = lws_remaining_packet_payload(c->wsi);
	if (c->rx_len + len > max || remaining > max - c->rx_len - len)
		return refuse(c, HUB_CLOSE_TOO_BIG, "too-big", "The message is too big.");
	if (!lws_is_final_fragment(c->wsi) || remaining)
		return keep_fragment(c, in, len, remaining) ? -1 : 0;
	if (!c->rx_len)
		return take_message(c, in, len) ? -1 : 0;
	return keep_fragment(c, in, len, 0) || take_fragments(c) ? -1 : 0;
}

void read_rest(struct conn *c)
{
	while (c->kept && c->member && !c->close_code) {
		struct kept *k = c->kept;

		hub_text(c->member, k->text, k->len);
		drop(c, k);
	}
	conn_take(c, LIST_READ);
}

/* Its share of the turn. */
static void read_share(struct conn *c)
{
	c->turn_n = 0;
	while (c->kept && c->turn_n < SHARE && c->member && !c->close_code && !has_to_wait(c)) {
		struct kept *k = c->kept;

		hub_reads(c, k->text, k->len);
		drop(c, k);
		if (turn_is_over(c->hub))
			break;
	}
	if (c->kept && !c->link[LIST_PAUSED].in && !c->close_code)
		conn_put(c, LIST_READ, &c->hub->read);
}

static void hold(struct conn *c, bool held)
{
	c->held = held;
	/* Outside of LWS's callbacks, and with nothing buffered in LWS: then it does nothing but
	 * watch the socket or not. (With TLS inside LWS it must never be called.) */
	lws_rx_flow_control(c->wsi, !held);
}

void read_turn(struct lws_hub *b)
{
	while (b->read) {
		struct conn *c = b->read;

		conn_take(c, LIST_READ);
		read_share(c);
		if (c->held && !c->kept)
			hold(c, false);
		if (turn_is_over(b))
			break;
	}
}

void read_hold(struct lws_hub *b)
{
	while (b->full) {
		struct conn *c = b->full;

		conn_take(c, LIST_FULL);
		if (c->kept_bytes >= FULL_BYTES && !c->ended && !c->close_code)
			hold(c, true);
	}
}

void read_unpause(struct lws_hub *b)
{
	struct conn *c, *next;

	if (!b->pause_at_ms || b->now_ms < b->pause_at_ms)
		return;
	for (c = b->paused; c; c = next) {
		next = c->link[LIST_PAUSED].next;
		if (c->paused_until_ms > b->now_ms)
			continue;
		conn_take(c, LIST_PAUSED);
		if (c->kept)
			conn_put(c, LIST_READ, &b->read);
	}
	b->pause_at_ms = b->paused ? b->now_ms + PAUSE_MS : 0;
}
