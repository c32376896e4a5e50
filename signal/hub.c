/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The hub: its connections, and the server's own messages to them.
 */
#include "signal/hub.h"

#include "base/error.h"
#include "base/log.h"
#include "signal/dialect.h"
#include "signal/hub_internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#define ECHO_MAX 256

void hub_conf_default(struct hub_conf *conf)
{
	*conf = (struct hub_conf){
	    .max_connections = 4096,
	    .max_message = 64 * 1024,
	    .max_depth = 32,
	    .max_calls = 16,
	    .signal_rate = 50,
	    .rate_burst = 300, /* two offers and the candidates of a well-connected host */
	    .return_ms = 30000,
	    .room_users = 1000,
	    .rooms_per_address = 64,
	    .guest_may = HUB_MAY_CALL | HUB_MAY_CHAT | HUB_MAY_LIST,
	    .guests = true,
	    .guest_rooms = true,
	    .default_room = true,
	    .room_lists = true,
	    .first_id = 1,
	};
}

struct hub *hub_new(const struct hub_conf *conf, const struct hub_ops *ops, void *ctx)
{
	struct hub *h = calloc(1, sizeof(*h));

	if (!h)
		return NULL;
	h->conf = *conf;
	h->ops = *ops;
	h->ctx = ctx;
	h->next_id = conf->first_id;
	return h;
}

void hub_set_conf(struct hub *h, const struct hub_conf *conf)
{
	h->conf = *conf;
}

void hub_link(struct hub *h, struct hub_link_news news)
{
	if (h->ops.link)
		h->ops.link(h->ctx, &news);
}

void hub_member_free(struct hub_member *p)
{
	struct hub *h = p->hub;

	dialect_leave(p);
	hub_link(h, (struct hub_link_news){.what = HUB_LINK_GONE, .member = p->origin->id});
	name_release(p);
	resume_forget(p);
	DL_DELETE(h->members, p);
	h->member_n--;
	call_free(p);
	deliver_free(p);
	admit_forget(p);
	charge_prefix_unref(h, p->prefix);
	free(p->ticket);
	free(p->sub);
	HASH_DEL(h->origins, p->origin);
	free(p->origin);
	free(p);
}

void hub_free(struct hub *h)
{
	if (!h)
		return;
	while (h->members)
		hub_member_free(h->members);
	operator_free_bans(h);
	free(h);
}

static int note_visit(struct hub_member *p, const struct hub_visit *visit)
{
	const char *room = visit->room ? visit->room : "";

	if (*room && !hub_room_name_is_good(room))
		return -E_INVAL;
	memcpy(p->wanted_room, room, strlen(room) + 1);
	p->client = visit->client;
	p->ticket = visit->ticket ? strdup(visit->ticket) : NULL;
	if (visit->ticket && !p->ticket)
		return -E_NOMEM;
	if (visit->dialect && dialect_begin(p, visit->dialect))
		return -E_NOMEM;
	return charge_prefix(p->hub, &p->client, &p->prefix);
}

struct hub_member *hub_member_new(struct hub *h, uint64_t id)
{
	struct hub_member *p = calloc(1, sizeof(*p));

	if (p)
		p->origin = calloc(1, sizeof(*p->origin));
	if (!p || !p->origin) {
		free(p);
		return NULL;
	}
	p->hub = h;
	p->id = p->origin->id = id;
	p->origin->member = p;
	if (TABLE_ADD(hh, h->origins, id, sizeof(id), p->origin)) {
		free(p->origin);
		free(p);
		return NULL;
	}
	DL_APPEND(h->members, p);
	h->member_n++;
	return p;
}

int hub_join(struct hub *h, void *conn, const struct hub_visit *visit, struct hub_member **out)
{
	struct hub_member *p;
	int err;

	if (hub_member_count(h) >= h->conf.max_connections)
		return -E_LIMIT;
	p = hub_member_new(h, h->next_id);
	if (!p)
		return -E_NOMEM;
	p->conn = conn;
	err = note_visit(p, visit);
	if (err) {
		hub_member_free(p);
		return err;
	}
	h->next_id++;
	*out = p;
	if (p->dialect)
		p->dialect->join(p, visit);
	else
		hub_send_json(p, json_pack("{s:s,s:I}", "type", "id", "id", (json_int_t)p->id));
	return 0;
}

void hub_report(const struct hub_member *p, struct hub_event event)
{
	if (!p->hub->ops.event || !p->user || p->hub->loading)
		return;
	event.room = p->user->room->name;
	event.name = p->user->name;
	event.member_id = p->origin->id;
	event.proven = p->user->proven;
	p->hub->ops.event(p->hub->ctx, &event);
}

static int64_t sooner(int64_t a, int64_t b)
{
	return a < 0 || (b >= 0 && b < a) ? b : a;
}

int64_t hub_tick(struct hub *h)
{
	int64_t now = h->ops.now_ms(h->ctx);
	int64_t next = sooner(peerjs_due(h, now), sooner(resume_due(h, now), call_due(h, now)));

	presence_settle(h);
	return next < 0 ? next : next - now;
}

int hub_send_text(struct hub_member *p, enum hub_frame frame, struct hub_text *text)
{
	int err;

	if (p->closing)
		return 0;
	err = p->hub->ops.send(p->hub->ctx, p->conn, frame, text);
	if (err == -E_LATER && frame == HUB_FRAME_PASSED)
		return err;
	if (err)
		hub_close_member(p, HUB_CLOSE_POLICY, "receives too slowly");
	return 0;
}

int hub_send(struct hub_member *p, enum hub_frame frame, const char *text, size_t len)
{
	struct hub_text *t = hub_text_new(text, len);
	int err = 0;

	if (t)
		err = hub_send_text(p, frame, t);
	else /* and the client would wait for ever */
		hub_close_member(p, HUB_CLOSE_POLICY, "out of memory");
	hub_text_unref(t);
	return err;
}

void hub_send_json(struct hub_member *p, json_t *msg)
{
	char *text = msg ? json_dumps(msg, JSON_COMPACT) : NULL;

	if (text)
		hub_send(p, HUB_FRAME_SERVER, text, strlen(text));
	else /* out of memory, and the client would wait for ever */
		hub_close_member(p, HUB_CLOSE_POLICY, "out of memory");
	free(text);
	json_decref(msg);
}

void hub_close_member(struct hub_member *p, enum hub_close code, const char *reason)
{
	if (p->closing)
		return;
	p->closing = true;
	p->closed_for = code;
	p->hub->ops.close(p->hub->ctx, p->conn, code, reason);
}

static void note_refused(struct hub_message *m, json_t *error)
{
	const struct scan_value *ack = &m->scan.value[ROUTE_ACK];

	m->refused = true;
	if (ack->kind == SCAN_STRING || ack->kind == SCAN_NUMBER)
		json_object_set_new(
		    error, "ack",
		    json_loadb(m->text + ack->from, ack->to - ack->from, JSON_DECODE_ANY, NULL));
}

void hub_error_for(struct hub_member *p, const char *code, const char *message, const char *type,
                   const char *target)
{
	json_t *e = json_pack("{s:s,s:s,s:s}", "type", "error", "code", code, "message", message);

	/* Names and types of our protocol are short; nothing longer is worth echoing. */
	if (e && target && strlen(target) <= ECHO_MAX)
		json_object_set_new(e, "target", json_string(target));
	if (e && type && strlen(type) <= ECHO_MAX)
		json_object_set_new(e, "for", json_string(type));
	if (e && p->hub->handled == p && p->hub->handling)
		note_refused(p->hub->handling, e);
	deliver_json(p, e);
}

void hub_error(struct hub_member *p, const char *code, const char *message)
{
	hub_error_for(p, code, message, NULL, NULL);
}

unsigned hub_tell(struct hub *h, bool (*whom)(void *ctx, const char *name), void *ctx,
                  const char *code, const char *message)
{
	struct hub_member *p;
	unsigned n = 0;

	DL_FOREACH (h->members, p) {
		if (!p->user || p->away || p->dialect || !whom(ctx, p->user->name))
			continue;
		hub_error(p, code, message);
		n++;
	}
	return n;
}

struct hub_member *hub_find_id(struct hub *h, uint64_t id)
{
	struct hub_origin *origin;

	HASH_FIND(hh, h->origins, &id, sizeof(id), origin);
	return origin ? origin->member : NULL;
}

void hub_ice_answer(struct hub *h, uint64_t member_id, json_t *servers, int64_t ttl_s, bool strict)
{
	struct hub_member *p = hub_find_id(h, member_id);

	if (p)
		hub_send_json(p, json_pack("{s:s,s:O,s:I,s:b}", "type", "ice-servers", "iceServers",
		                           servers, "ttl", (json_int_t)ttl_s, "strict", strict));
}

void hub_ice_refuse(struct hub *h, uint64_t member_id, int err)
{
	struct hub_member *p = hub_find_id(h, member_id);

	if (!p)
		return;
	switch (-abs(err)) {
	case -E_DENIED:
	case -E_SCOPE:
		hub_error_for(p, "api-token-needed",
		              "Relayed calls on this server need an API token or a link.",
		              "ice-servers", NULL);
		break;
	case -E_REVOKED:
		hub_error_for(p, "credentials-revoked",
		              "The operator has revoked your access to the relay.", "ice-servers",
		              NULL);
		break;
	case -E_LIMIT:
		hub_error_for(p, "rate-limited", "Too many requests. Try again later.",
		              "ice-servers", NULL);
		break;
	default:
		hub_error_for(p, "ice-servers-failed", error_text(err), "ice-servers", NULL);
		break;
	}
}

uint64_t hub_member_id(const struct hub_member *p)
{
	return p->origin->id;
}

const char *hub_member_name(const struct hub_member *p)
{
	return p->user ? p->user->name : "";
}

bool hub_member_is_proven(const struct hub_member *p)
{
	return p->user && p->user->proven;
}

const char *hub_member_room(const struct hub_member *p)
{
	return p->user ? p->user->room->name : "";
}

unsigned hub_room_count(const struct hub *h)
{
	return HASH_COUNT(h->rooms);
}

unsigned hub_member_count(const struct hub *h)
{
	return h->member_n - h->away_n;
}

unsigned hub_call_count(const struct hub *h)
{
	return h->call_n;
}
