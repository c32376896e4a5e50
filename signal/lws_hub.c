/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The hub over libwebsockets.
 */
#include "signal/lws_hub.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <utlist.h>

#define CLOSE_WAIT_S 5     /* for the queue and the close frame of a connection on its way out */
#define RX_KEEP      16384 /* a reassembly buffer larger than this is not kept */
#define BATCH        16    /* frames written at a time before the others have their turn */

struct frame {
	struct frame *prev, *next;
	enum hub_frame kind;
	size_t len;
	unsigned char data[]; /* LWS_PRE bytes of room, then the text */
};

struct conn {
	struct lws_hub *hub;
	struct lws *wsi;
	struct hub_member *member; /* NULL once it has left the hub; LWS may still be closing */
	struct caller caller;
	char id[24];
	int64_t came_at_ms;

	char *rx; /* the fragments so far */
	size_t rx_len;
	size_t rx_cap;

	struct frame *queue;
	size_t queue_bytes;
	unsigned queue_frames;
	int64_t progress_at_ms; /* when the queue was last empty or a frame was written */

	bool stuck;
	unsigned close_code; /* 0 while it is open */
	const char *close_reason;
	struct conn *prev, *next;
};

struct lws_hub {
	struct lws_hub_conf conf;
	struct lws_hub_ops ops;
	void *ctx;
	struct hub *core;
	struct conn *conns;
	unsigned conn_n;
	lws_retry_bo_t policy;
	struct lws_context *context; /* NULL before the first connection and after lws_hub_shut() */
	lws_sorted_usec_list_t tick; /* runs while a member is away */
	lws_sorted_usec_list_t list; /* runs while a user list waits */
};

void lws_hub_conf_default(struct lws_hub_conf *conf)
{
	memset(conf, 0, sizeof(*conf));
	hub_conf_default(&conf->hub);
	conf->queue_bytes = 256 * 1024;
	conf->queue_frames = 512;
	conf->stall_ms = 5000;
	conf->ping_s = 20;
	conf->ping_grace_s = 10;
}

static int64_t now_ms(void *ctx)
{
	(void)ctx;
	return clock_mono_ms();
}

static void frame_drop(struct conn *c, struct frame *f)
{
	DL_DELETE(c->queue, f);
	c->queue_bytes -= f->len;
	c->queue_frames--;
	free(f);
}

/* At most one of them waits at a time. */
static void drop_userlist(struct conn *c)
{
	struct frame *f;

	DL_FOREACH (c->queue, f) {
		if (f->kind == HUB_FRAME_USERLIST) {
			frame_drop(c, f);
			return;
		}
	}
}

static bool fits(const struct conn *c, size_t len, unsigned part)
{
	const struct lws_hub_conf *conf = &c->hub->conf;

	/* One message always fits an empty queue. */
	return !c->queue || (c->queue_bytes + len <= conf->queue_bytes / part &&
	                     c->queue_frames + 1 <= conf->queue_frames / part);
}

static int on_send(void *ctx, void *conn, enum hub_frame kind, const char *text, size_t len)
{
	struct conn *c = conn;
	struct frame *f;
	int64_t now = now_ms(NULL);

	(void)ctx;
	if (c->close_code)
		return 0;
	if (kind == HUB_FRAME_USERLIST)
		drop_userlist(c);
	if (!c->queue)
		c->progress_at_ms = now;
	if (kind == HUB_FRAME_PASSED && !fits(c, len, 2) &&
	    now - c->progress_at_ms < (int64_t)c->hub->conf.stall_ms)
		return -E_LATER;
	if (!fits(c, len, kind == HUB_FRAME_PASSED ? 2 : 1)) {
		c->stuck = true;
		return -E_LIMIT;
	}
	f = malloc(sizeof(*f) + LWS_PRE + len);
	if (!f)
		return -E_NOMEM;
	f->kind = kind;
	f->len = len;
	memcpy(f->data + LWS_PRE, text, len);
	DL_APPEND(c->queue, f);
	c->queue_bytes += len;
	c->queue_frames++;
	lws_callback_on_writable(c->wsi);
	return 0;
}

static void on_close(void *ctx, void *conn, enum hub_close code, const char *reason)
{
	struct conn *c = conn;

	(void)ctx;
	if (c->close_code)
		return;
	c->close_code = code;
	c->close_reason = reason;
	while (c->stuck && c->queue)
		frame_drop(c, c->queue);
	lws_callback_on_writable(c->wsi);
	lws_set_timeout(c->wsi, PENDING_TIMEOUT_USER_REASON_BASE, CLOSE_WAIT_S);
}

static int on_ice_servers(void *ctx, void *conn, const struct hub_ice_request *request)
{
	struct lws_hub *b = ctx;
	struct conn *c = conn;

	return b->ops.ice_servers ? b->ops.ice_servers(b->ctx, &c->caller, request)
	                          : -E_UNSUPPORTED;
}

static int on_identify(void *ctx, const char *ticket, struct hub_identity *out, const char **why)
{
	struct lws_hub *b = ctx;

	return b->ops.identify ? b->ops.identify(b->ctx, ticket, out, why) : -E_UNSUPPORTED;
}

static void on_list(lws_sorted_usec_list_t *list)
{
	hub_list_due(lws_container_of(list, struct lws_hub, list)->core);
}

static void on_later(void *ctx, int64_t ms)
{
	struct lws_hub *b = ctx;

	if (b->context)
		lws_sul_schedule(b->context, 0, &b->list, on_list, ms * 1000);
}

static void on_hub_event(void *ctx, const struct hub_event *event)
{
	struct lws_hub *b = ctx;

	if (b->ops.event)
		b->ops.event(b->ctx, event);
}

struct lws_hub *lws_hub_new(const struct lws_hub_conf *conf, const struct lws_hub_ops *ops,
                            void *ctx)
{
	static const struct hub_ops core_ops = {.send = on_send,
	                                        .close = on_close,
	                                        .ice_servers = on_ice_servers,
	                                        .identify = on_identify,
	                                        .now_ms = now_ms,
	                                        .later = on_later,
	                                        .event = on_hub_event};
	struct lws_hub *b = calloc(1, sizeof(*b));

	if (!b)
		return NULL;
	b->conf = *conf;
	b->ops = *ops;
	b->ctx = ctx;
	b->policy.secs_since_valid_ping = (uint16_t)conf->ping_s;
	b->policy.secs_since_valid_hangup = (uint16_t)(conf->ping_s + conf->ping_grace_s);
	b->core = hub_new(&conf->hub, &core_ops, b);
	if (!b->core) {
		free(b);
		return NULL;
	}
	return b;
}

static void on_tick(lws_sorted_usec_list_t *tick)
{
	struct lws_hub *b = lws_container_of(tick, struct lws_hub, tick);
	int64_t next_ms = hub_tick(b->core);

	if (next_ms >= 0 && b->context)
		lws_sul_schedule(b->context, 0, tick, on_tick, (next_ms + 1) * 1000);
}

static void conn_leave(struct conn *c)
{
	if (!c->member)
		return;
	log_info(c->id, "signal", LOG_ADDR("client", &c->caller.client),
	         LOG_STR("name", hub_member_name(c->member)),
	         LOG_INT("ms", now_ms(NULL) - c->came_at_ms), LOG_INT("code", c->close_code),
	         LOG_STR("reason", c->close_reason ? c->close_reason : "client left"));
	hub_leave(c->member, HUB_CLOSE_ABNORMAL);
	c->member = NULL;
	on_tick(&c->hub->tick);
}

static void conn_free(struct conn *c)
{
	struct lws_hub *b = c->hub;

	conn_leave(c);
	DL_DELETE(b->conns, c);
	b->conn_n--;
	while (c->queue)
		frame_drop(c, c->queue);
	free(c->rx);
	free(c);
}

void lws_hub_free(struct lws_hub *b)
{
	struct conn *c, *tmp;

	if (!b)
		return;
	hub_free(b->core);
	DL_FOREACH_SAFE(b->conns, c, tmp)
	{
		c->member = NULL; /* freed with the core */
		conn_free(c);
	}
	free(b);
}

const lws_retry_bo_t *lws_hub_policy(const struct lws_hub *b)
{
	return &b->policy;
}

static int on_established(struct lws_hub *b, struct lws *wsi, void **slot)
{
	struct conn *c = calloc(1, sizeof(*c));
	struct hub_visit visit = {0};
	int err;

	if (!c)
		return -1;
	c->hub = b;
	c->wsi = wsi;
	b->context = lws_get_context(wsi);
	c->came_at_ms = c->progress_at_ms = now_ms(NULL);
	b->ops.caller(b->ctx, wsi, &c->caller);
	DL_APPEND(b->conns, c);
	b->conn_n++;
	visit.client = c->caller.client;
	err = hub_join(b->core, c, &visit, &c->member);
	if (err) {
		conn_free(c);
		return -1;
	}
	snprintf(c->id, sizeof(c->id), "s%llu", (unsigned long long)hub_member_id(c->member));
	*slot = c;
	return 0;
}

static int keep_fragment(struct conn *c, const char *in, size_t len)
{
	size_t need = c->rx_len + len, cap = c->rx_cap ? c->rx_cap : 4096;
	char *grown;

	while (cap < need)
		cap *= 2;
	if (cap > c->rx_cap) {
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

static int on_receive(struct conn *c, const char *in, size_t len)
{
	size_t max = c->hub->conf.hub.max_message, remaining;

	if (c->close_code || !c->member)
		return 0;
	if (lws_frame_is_binary(c->wsi)) {
		hub_error(c->member, "binary-refused", "Messages are text frames.");
		on_close(NULL, c, HUB_CLOSE_UNSUPPORTED, "binary frame");
		return 0;
	}
	remaining = lws_remaining_packet_payload(c->wsi);
	if (c->rx_len + len > max || remaining > max - c->rx_len - len) {
		hub_error(c->member, "too-big", "The message is too big.");
		on_close(NULL, c, HUB_CLOSE_TOO_BIG, "message too big");
		return 0;
	}
	if (!lws_is_final_fragment(c->wsi) || remaining)
		return keep_fragment(c, in, len) ? -1 : 0;
	if (!c->rx_len) {
		hub_text(c->member, in, len);
		return 0;
	}
	if (keep_fragment(c, in, len))
		return -1;
	len = c->rx_len;
	c->rx_len = 0;
	hub_text(c->member, c->rx, len);
	if (c->rx_cap > RX_KEEP) {
		free(c->rx);
		c->rx = NULL;
		c->rx_cap = 0;
	}
	return 0;
}

static int on_writeable(struct conn *c)
{
	struct frame *f;
	int n;

	for (unsigned i = 0; c->queue && i < BATCH; i++) {
		f = c->queue;
		n = lws_write(c->wsi, f->data + LWS_PRE, f->len, LWS_WRITE_TEXT);
		if (n < 0)
			return -1;
		frame_drop(c, f);
		c->progress_at_ms = now_ms(NULL);
		if (lws_send_pipe_choked(c->wsi))
			break;
	}
	if (c->queue) {
		lws_callback_on_writable(c->wsi);
		return 0;
	}
	if (!c->close_code)
		return 0;
	if (lws_partial_buffered(c->wsi)) { /* LWS closes without a close frame then */
		lws_callback_on_writable(c->wsi);
		return 0;
	}
	lws_close_reason(c->wsi, (enum lws_close_status)c->close_code,
	                 (unsigned char *)c->close_reason, strlen(c->close_reason));
	/* Not by returning -1: on libuv a debug build of LWS (as Debian's is) closes twice then,
	 * and the second time kills the close frame. */
	lws_set_timeout(c->wsi, PENDING_TIMEOUT_CLOSE_SEND, LWS_TO_KILL_SYNC);
	return 0;
}

/* RFC 6455 section 5.5.1: a body of a Close begins with two bytes. LWS would send the one back. */
static int refuse_close(struct lws *wsi)
{
	static const char reason[] = "a Close of one byte";

	lws_close_reason(wsi, LWS_CLOSE_STATUS_PROTOCOL_ERR, (unsigned char *)(uintptr_t)reason,
	                 sizeof(reason) - 1);
	return -1;
}

int lws_hub_callback(struct lws_hub *b, struct lws *wsi, enum lws_callback_reasons reason,
                     void **slot, void *in, size_t len)
{
	switch ((int)reason) {
	case LWS_CALLBACK_ESTABLISHED:
		return on_established(b, wsi, slot);
	case LWS_CALLBACK_RECEIVE:
		return *slot ? on_receive(*slot, in, len) : 0;
	case LWS_CALLBACK_SERVER_WRITEABLE:
		return *slot ? on_writeable(*slot) : 0;
	case LWS_CALLBACK_WS_PEER_INITIATED_CLOSE:
		return len == 1 ? refuse_close(wsi) : 0;
	case LWS_CALLBACK_WS_SERVER_DROP_PROTOCOL: /* before LWS' closing handshake */
		if (*slot)
			conn_leave(*slot);
		return 0;
	case LWS_CALLBACK_CLOSED: /* after it */
		if (*slot)
			conn_free(*slot);
		*slot = NULL;
		return 0;
	}
	return 0;
}

void lws_hub_set_limits(struct lws_hub *b, unsigned max_connections, unsigned signal_rate)
{
	b->conf.hub.max_connections = max_connections;
	b->conf.hub.signal_rate = signal_rate;
	hub_set_limits(b->core, max_connections, signal_rate);
}

bool lws_hub_has_room(const struct lws_hub *b)
{
	return hub_member_count(b->core) < b->conf.hub.max_connections;
}

void lws_hub_shut(struct lws_hub *b)
{
	struct conn *c;

	if (b->context) {
		lws_sul_cancel(&b->tick);
		lws_sul_cancel(&b->list);
	}
	b->context = NULL;
	DL_FOREACH (b->conns, c)
		on_close(NULL, c, HUB_CLOSE_GOING_AWAY, "server is going away");
}

unsigned lws_hub_count(const struct lws_hub *b)
{
	return b->conn_n;
}

struct hub *lws_hub_core(struct lws_hub *b)
{
	return b->core;
}
