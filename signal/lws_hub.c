/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The hub over libwebsockets.
 */
#include "signal/lws_hub_internal.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"

#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#define CLOSE_WAIT_MS 5000 /* for the queue and the close frame of a connection on its way out */

/* The client's own close, where it says no code; and where it says nothing (RFC 6455
 * section 7.4.1).
 */

const lws_retry_bo_t lws_hub_no_pings = {.secs_since_valid_hangup = 0};

void lws_hub_conf_default(struct lws_hub_conf *conf)
{
	memset(conf, 0, sizeof(*conf));
	hub_conf_default(&conf->hub);
	conf->queue_bytes = 256 * 1024;
	conf->queue_frames = 512;
	conf->stall_ms = 5000;
	conf->ping_s = 20;
	conf->ping_grace_s = 10;
	conf->turn_us = 2000;
}

void conn_put(struct conn *c, enum conn_list which, struct conn **head)
{
	struct conn_link *l = &c->link[which];

	if (l->in)
		return;
	l->in = head;
	DL_APPEND2(*head, c, link[which].prev, link[which].next);
}

void conn_take(struct conn *c, enum conn_list which)
{
	struct conn_link *l = &c->link[which];

	if (!l->in)
		return;
	DL_DELETE2(*l->in, c, link[which].prev, link[which].next);
	l->in = NULL;
}

bool turn_is_over(const struct lws_hub *b)
{
	return clock_mono_us() >= b->until_us;
}

static int64_t now_ms(void *ctx)
{
	(void)ctx;
	return clock_mono_ms();
}

void conn_close(void *ctx, void *conn, enum hub_close code, const char *reason)
{
	struct conn *c = conn;

	(void)ctx;
	if (c->close_code)
		return;
	c->close_code = code;
	c->close_reason = reason;
	write_soon(c);
	c->close_by_ms = clock_mono_ms() + CLOSE_WAIT_MS;
	conn_put(c, LIST_CLOSING, &c->hub->closing);
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

static void on_later(void *ctx, int64_t ms)
{
	((struct lws_hub *)ctx)->list_at_ms = clock_mono_ms() + ms;
}

static int on_admit(void *ctx, uint64_t member_id, const struct hub_admission *who)
{
	struct lws_hub *b = ctx;

	return b->ops.admit(b->ctx, member_id, who);
}

static void on_hub_event(void *ctx, const struct hub_event *event)
{
	struct lws_hub *b = ctx;

	if (b->ops.event)
		b->ops.event(b->ctx, event);
}

static void on_link(void *ctx, const struct hub_link_news *news)
{
	struct lws_hub *b = ctx;

	if (b->ops.link)
		b->ops.link(b->ctx, news);
}

struct lws_hub *lws_hub_new(const struct lws_hub_conf *conf, const struct lws_hub_ops *ops,
                            void *ctx)
{
	struct hub_ops core_ops = {.send = write_send,
	                           .close = conn_close,
	                           .ice_servers = on_ice_servers,
	                           .identify = on_identify,
	                           .now_ms = now_ms,
	                           .later = on_later,
	                           .event = on_hub_event,
	                           .link = on_link};
	struct lws_hub *b = calloc(1, sizeof(*b));

	if (!b)
		return NULL;
	core_ops.admit = ops->admit ? on_admit : NULL;
	b->conf = *conf;
	b->ops = *ops;
	b->ctx = ctx;
	b->core = hub_new(&conf->hub, &core_ops, b);
	if (!b->core) {
		free(b);
		return NULL;
	}
	return b;
}

static void tick(struct lws_hub *b)
{
	int64_t next_ms = hub_tick(b->core);

	b->tick_at_ms = next_ms < 0 ? 0 : clock_mono_ms() + next_ms + 1;
}

static void conn_leave(struct conn *c)
{
	if (!c->member)
		return;
	read_rest(c);
	log_info(c->id, "signal", LOG_ADDR("client", &c->caller.client),
	         LOG_STR("name", hub_member_name(c->member)),
	         LOG_STR("room", hub_member_room(c->member)),
	         LOG_STR("proven", hub_member_is_proven(c->member) ? "yes" : "no"),
	         LOG_INT("ms", now_ms(NULL) - c->came_at_ms), LOG_INT("code", c->close_code),
	         LOG_STR("reason", c->close_reason ? c->close_reason : "client left"));
	write_unsent(c);
	hub_leave(c->member, c->client_code ? c->client_code : HUB_CLOSE_ABNORMAL);
	c->member = NULL;
	tick(c->hub);
}

static void conn_free(struct conn *c)
{
	struct lws_hub *b = c->hub;

	conn_leave(c);
	for (int i = 0; i < LIST_N; i++)
		conn_take(c, i);
	if (b->inside == c)
		b->inside = NULL;
	b->conn_n--;
	write_drop_all(c);
	read_free(c);
	free(c);
}

void lws_hub_free(struct lws_hub *b)
{
	if (!b)
		return;
	hub_free(b->core);
	for (unsigned i = 0; i < BEATS; i++) {
		while (b->beat[i]) {
			b->beat[i]->member = NULL; /* freed with the core */
			conn_free(b->beat[i]);
		}
	}
	free(b);
}

static void end_closing(struct lws_hub *b)
{
	while (b->closing && b->now_ms >= b->closing->close_by_ms) {
		struct conn *c = b->closing;

		conn_take(c, LIST_CLOSING);
		c->broken = true;
		write_soon(c);
	}
}

/* The timers are looked at in each turn: libwebsockets' own are for its callbacks only. */
static void run_timers(struct lws_hub *b)
{
	b->now_ms = clock_mono_ms();
	beat_turn(b);
	if (b->tick_at_ms && b->now_ms >= b->tick_at_ms)
		tick(b);
	if (b->list_at_ms && b->now_ms >= b->list_at_ms) {
		b->list_at_ms = 0;
		hub_list_due(b->core);
	}
	read_unpause(b);
	end_closing(b);
}

static void begin_part(struct lws_hub *b)
{
	b->until_us = clock_mono_us() + b->conf.turn_us;
}

void lws_hub_turn(struct lws_hub *b)
{
	b->turn_no++;
	begin_part(b);
	run_timers(b);
	write_turn(b);
	begin_part(b);
	read_turn(b);
	read_hold(b);
	begin_part(b); /* LWS's */
}

int64_t lws_hub_wait_ms(const struct lws_hub *b)
{
	const int64_t at[] = {b->beat_at_ms, b->pause_at_ms, b->tick_at_ms, b->list_at_ms,
	                      b->closing ? b->closing->close_by_ms : 0};
	int64_t now = clock_mono_ms(), wait = -1;

	if (b->write || b->read || b->full)
		return 0;
	for (size_t i = 0; i < sizeof(at) / sizeof(*at); i++) {
		int64_t left = at[i] > now ? at[i] - now : 0;

		if (at[i] && (wait < 0 || left < wait))
			wait = left;
	}
	return wait;
}

static int join(struct conn *c)
{
	struct lws_hub *b = c->hub;
	struct lws_hub_visit said = {.room = ""};
	struct hub_visit visit = {.room = said.room, .client = c->caller.client};

	if (b->ops.visit)
		b->ops.visit(b->ctx, c->wsi, &said);
	visit.ticket = *said.ticket ? said.ticket : NULL;
	visit.dialect = said.dialect;
	visit.key = said.key;
	visit.id = said.id;
	visit.token = said.token;
	return hub_join(b->core, c, &visit, &c->member);
}

static int on_established(struct lws_hub *b, struct lws *wsi, void **slot)
{
	struct conn *c = calloc(1, sizeof(*c));
	int err;

	if (!c)
		return -1;
	c->hub = b;
	c->wsi = wsi;
	b->inside = c;
	c->came_at_ms = c->progress_at_ms = now_ms(NULL);
	b->ops.caller(b->ctx, wsi, &c->caller);
	b->conn_n++;
	err = join(c);
	if (err) {
		conn_free(c);
		return -1;
	}
	snprintf(c->id, sizeof(c->id), "s%llu", (unsigned long long)hub_member_id(c->member));
	beat_join(c);
	*slot = c;
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

/* Its last words count, and it gets no more. */
static int on_client_closes(struct conn *c, const unsigned char *in, size_t len)
{
	if (len == 1)
		return refuse_close(c->wsi);
	read_rest(c);
	c->ended = true;
	c->client_code = len ? (unsigned)(in[0] << 8 | in[1]) : HUB_CLOSE_NO_CODE;
	return 0;
}

static int on_callback(struct conn *c, enum lws_callback_reasons reason, void *in, size_t len)
{
	switch ((int)reason) {
	case LWS_CALLBACK_RECEIVE:
		return read_receive(c, in, len);
	case LWS_CALLBACK_RECEIVE_PONG:
		beat_pong(c, in, len);
		return 0;
	case LWS_CALLBACK_SERVER_WRITEABLE:
		return write_ready(c);
	case LWS_CALLBACK_WS_PEER_INITIATED_CLOSE:
		return on_client_closes(c, in, len);
	case LWS_CALLBACK_WS_SERVER_DROP_PROTOCOL: /* before LWS' closing handshake */
		conn_leave(c);
		return 0;
	case LWS_CALLBACK_CLOSED: /* after it */
		conn_free(c);
		return 0;
	}
	return 0;
}

int lws_hub_callback(struct lws_hub *b, struct lws *wsi, enum lws_callback_reasons reason,
                     void **slot, void *in, size_t len)
{
	int r = 0;

	if (reason == LWS_CALLBACK_ESTABLISHED) {
		r = on_established(b, wsi, slot);
	} else if (*slot) {
		b->inside = *slot;
		if (reason == LWS_CALLBACK_CLOSED)
			*slot = NULL;
		r = on_callback(b->inside, reason, in, len);
	}
	b->inside = NULL;
	return r;
}

void lws_hub_set_conf(struct lws_hub *b, const struct hub_conf *conf)
{
	b->conf.hub = *conf;
	hub_set_conf(b->core, conf);
}

bool lws_hub_has_room(const struct lws_hub *b)
{
	return hub_member_count(b->core) < b->conf.hub.max_connections;
}

void lws_hub_shut(struct lws_hub *b)
{
	b->tick_at_ms = b->list_at_ms = b->beat_at_ms = 0;
	for (unsigned i = 0; i < BEATS; i++)
		for (struct conn *c = b->beat[i]; c; c = c->link[LIST_BEAT].next)
			conn_close(NULL, c, HUB_CLOSE_GOING_AWAY, "server is going away");
}

unsigned lws_hub_count(const struct lws_hub *b)
{
	return b->conn_n;
}

struct hub *lws_hub_core(struct lws_hub *b)
{
	return b->core;
}
