/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Frames on their way out. One is written at once where that is possible: to ask libwebsockets
 * for a moment to write costs more than the write. The others wait in a bounded queue.
 */
#include "signal/lws_hub_internal.h"

#include "base/clock.h"
#include "base/error.h"

#include <stdlib.h>
#include <string.h>
#include <utlist.h>

_Static_assert(LWS_PRE <= HUB_TEXT_ROOM, "LWS writes the head of a frame before its text");

#define BATCH 16 /* frames written at a time before the others have their turn */

static void drop_frame(struct conn *c, struct frame *f)
{
	DL_DELETE(c->queue, f);
	c->queue_bytes -= f->text->len;
	c->queue_frames--;
	hub_text_unref(f->text);
	free(f);
}

void write_unsent(const struct conn *c)
{
	const struct frame *f;

	DL_FOREACH (c->queue, f)
		hub_unsent(c->member, f->text);
}

void write_drop_all(struct conn *c)
{
	while (c->queue)
		drop_frame(c, c->queue);
}

/* At most one list waits at a time. A newer one takes its place: at the end of a long queue it
 * would be replaced by the next before it gets out. */
static bool replace_list(struct conn *c, struct hub_text *text)
{
	struct frame *f;

	DL_FOREACH (c->queue, f) {
		if (f->kind == HUB_FRAME_USERLIST) {
			c->queue_bytes += text->len - f->text->len;
			hub_text_unref(f->text);
			f->text = hub_text_ref(text);
			return true;
		}
	}
	return false;
}

static bool fits(const struct conn *c, size_t len, unsigned part)
{
	const struct lws_hub_conf *conf = &c->hub->conf;

	/* One message always fits an empty queue. */
	return !c->queue || (c->queue_bytes + len <= conf->queue_bytes / part &&
	                     c->queue_frames + 1 <= conf->queue_frames / part);
}

/* LWS keeps what the socket did not take, so a frame is written whole, or the connection ends. */
static int put(struct conn *c, unsigned char *text, size_t len, enum lws_write_protocol kind)
{
	if (lws_write(c->wsi, text, len, kind) >= 0)
		return 0;
	c->broken = true;
	return -E_IO;
}

void write_soon(struct conn *c)
{
	conn_put(c, LIST_WRITE, &c->hub->write);
}

/* Not to the connection whose callback runs: LWS may owe it a pong, or a close. */
static bool can_write(const struct conn *c)
{
	return !c->queue && !c->broken && !c->ended && c->hub->inside != c &&
	       !lws_partial_buffered(c->wsi) && !turn_is_over(c->hub);
}

static int write_at_once(struct conn *c, struct hub_text *text)
{
	if (put(c, (unsigned char *)text->data, text->len, LWS_WRITE_TEXT))
		write_soon(c); /* it closes there */
	return 0;
}

int write_send(void *ctx, void *conn, enum hub_frame kind, struct hub_text *text)
{
	const size_t len = text->len;
	struct conn *c = conn;
	struct frame *f;

	(void)ctx;
	if (c->close_code)
		return 0;
	if (can_write(c))
		return write_at_once(c, text);
	if (kind == HUB_FRAME_USERLIST && replace_list(c, text))
		return 0;
	if (!c->queue)
		c->progress_at_ms = clock_mono_ms();
	if (kind == HUB_FRAME_PASSED && !fits(c, len, 2) &&
	    clock_mono_ms() - c->progress_at_ms < (int64_t)c->hub->conf.stall_ms)
		return -E_LATER;
	if (!fits(c, len, kind == HUB_FRAME_PASSED ? 2 : 1)) {
		c->stuck = true;
		return -E_LIMIT;
	}
	f = malloc(sizeof(*f));
	if (!f)
		return -E_NOMEM;
	f->kind = kind;
	f->text = hub_text_ref(text);
	DL_APPEND(c->queue, f);
	c->queue_bytes += len;
	c->queue_frames++;
	/* LWS calls back by itself once it is rid of what it keeps. */
	if (!c->ended && !lws_partial_buffered(c->wsi))
		write_soon(c);
	return 0;
}

/* -E_LATER: some is left. */
static int write_queue(struct conn *c)
{
	for (unsigned i = 0; c->queue && i < BATCH && !lws_partial_buffered(c->wsi); i++) {
		struct frame *f = c->queue;

		if (put(c, (unsigned char *)f->text->data, f->text->len, LWS_WRITE_TEXT))
			return -E_IO;
		drop_frame(c, f);
		c->progress_at_ms = clock_mono_ms();
	}
	return c->queue ? -E_LATER : 0;
}

/* Behind everything else, so that its pong says that all of it has arrived. Never empty: LWS would
 * not call back for an empty pong. */
static int write_ping(struct conn *c)
{
	unsigned char room[LWS_PRE + sizeof(c->ping_no)];

	c->ping = false;
	memcpy(room + LWS_PRE, &c->ping_no, sizeof(c->ping_no));
	return put(c, room + LWS_PRE, sizeof(c->ping_no), LWS_WRITE_PING);
}

static void begin_close(struct conn *c)
{
	if (c->leaving && !c->broken)
		return;
	c->leaving = true;
	if (c->held) /* the client's own Close has to be read */
		lws_rx_flow_control(c->wsi, 1);
	c->held = false;
	if (!c->broken)
		lws_close_reason(c->wsi, (enum lws_close_status)c->close_code,
		                 (unsigned char *)(uintptr_t)c->close_reason,
		                 strlen(c->close_reason));
	/* Not by returning -1: on libuv a debug build of LWS (as Debian's is) closes twice then,
	 * and the second time kills the close frame. */
	lws_set_timeout(c->wsi, PENDING_TIMEOUT_CLOSE_SEND, LWS_TO_KILL_SYNC);
}

/* c may be gone afterwards. */
static void serve(struct conn *c)
{
	/* Of one that does not read, the hub decides what becomes of its frames. */
	int r = c->ended || c->broken || c->stuck ? 0 : write_queue(c);

	if (!r && c->ping && !c->ended && !c->broken)
		write_ping(c);
	if (c->broken) {
		begin_close(c);
		return;
	}
	/* With a frame half sent LWS would close without a close frame. */
	if (lws_partial_buffered(c->wsi))
		lws_callback_on_writable(c->wsi);
	else if (r == -E_LATER)
		write_soon(c);
	else if (c->close_code)
		begin_close(c);
}

int write_ready(struct conn *c)
{
	conn_take(c, LIST_WRITE);
	serve(c);
	return 0;
}

void write_turn(struct lws_hub *b)
{
	while (b->write) {
		struct conn *c = b->write;

		conn_take(c, LIST_WRITE);
		serve(c);
		if (turn_is_over(b))
			break;
	}
}
