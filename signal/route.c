/* SPDX-License-Identifier: BSD-3-Clause
 *
 * A client's message: what it is, and what is done with it.
 */
#include "base/error.h"
#include "signal/dialect.h"
#include "signal/hub_internal.h"
#include "signal/tags.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ACK_MAX 66 /* bytes of JSON */

static const char *const names[ROUTE_NAMES] = {
    [ROUTE_TYPE] = "type", [ROUTE_TARGET] = "target", [ROUTE_ACK] = "ack",
    [ROUTE_NAME] = "name", [ROUTE_ID] = "id",         [ROUTE_TEXT] = "text",
    [ROUTE_SEQ] = "seq",   [ROUTE_REASON] = "reason",
};

static bool pays(struct hub_member *p, struct hub_message *m)
{
	return m->target || charge_fan_out(p, p->user->room->user_n, m);
}

static void on_other(struct hub_member *p, struct hub_message *m)
{
	if (pass_is_allowed(p, m, HUB_MAY_CHAT) && pays(p, m))
		pass_on(p, m, NULL);
}

/* The text without markup, as JSON text; NULL when out of memory. */
static char *bare_text(const char *said)
{
	char *stripped = tags_strip(said), *dump = NULL;
	json_t *bare = stripped ? json_string(stripped) : NULL;

	if (bare)
		dump = json_dumps(bare, JSON_ENCODE_ANY | JSON_COMPACT);
	json_decref(bare);
	free(stripped);
	return dump;
}

static void on_chat(struct hub_member *p, struct hub_message *m)
{
	const struct scan_value *v = &m->scan.value[ROUTE_TEXT];
	char *said, *bare;

	if (v->kind != SCAN_STRING) {
		pass_refuse(p, m, "bad-message", "A message needs a text.");
		return;
	}
	if (!pass_is_allowed(p, m, HUB_MAY_CHAT) || !pays(p, m))
		return;
	/* Nearly all have none, and stay as they are. */
	if (!v->escaped && !memchr(m->text + v->from, '<', v->to - v->from)) {
		pass_on(p, m, NULL);
		return;
	}
	said = malloc(scan_string_max(v) + 1);
	if (said)
		scan_string(&m->scan, v, said);
	bare = said && strchr(said, '<') ? bare_text(said) : NULL;
	if (!said || (!bare && strchr(said, '<')))
		pass_refuse_memory(p, m); /* never unstripped */
	else
		pass_on(p, m, bare);
	free(bare);
	free(said);
}

/* The few messages that the hub reads whole. */
static void parse(struct hub_member *p, struct hub_message *m,
                  void (*on)(struct hub_member *p, const struct hub_message *m))
{
	m->json = json_loadb(m->text, m->len, JSON_REJECT_DUPLICATES, NULL);
	if (m->json)
		on(p, m);
	else
		pass_refuse(p, m, "bad-json", "This is not a JSON object.");
	json_decref(m->json);
	m->json = NULL;
}

static void on_username(struct hub_member *p, struct hub_message *m)
{
	parse(p, m, signin_on_username);
}

static void ask_ice_servers(struct hub_member *p, const struct hub_message *m)
{
	struct hub *h = p->hub;
	struct hub_ice_request request = {.member_id = p->origin->id, .name = hub_member_name(p)};
	int err;

	request.api_token = json_string_value(json_object_get(m->json, "key"));
	err = h->ops.ice_servers ? h->ops.ice_servers(h->ctx, p->conn, &request) : -E_UNSUPPORTED;
	hub_report(p, (struct hub_event){.what = HUB_EVENT_ICE, .code = err});
	if (err)
		hub_ice_refuse(h, p->origin->id, err);
}

static void on_ice_servers(struct hub_member *p, struct hub_message *m)
{
	parse(p, m, ask_ice_servers);
}

static void on_seen(struct hub_member *p, struct hub_message *m)
{
	int64_t seq;

	if (scan_integer(&m->scan, &m->scan.value[ROUTE_SEQ], &seq) || seq < 0)
		pass_refuse(p, m, "bad-message", "seen needs a number: seq.");
	else
		deliver_confirmed(p, (uint64_t)seq);
}

static void on_presence(struct hub_member *p, struct hub_message *m)
{
	presence_on_request(p, m);
}

static void on_leave(struct hub_member *p, struct hub_message *m)
{
	(void)m;
	p->leaves = true;
	hub_close_member(p, HUB_CLOSE_NORMAL, "left");
}

static void on_server_only(struct hub_member *p, struct hub_message *m)
{
	pass_refuse(p, m, "server-only", "Only the server sends messages of this type.");
}

static const struct route {
	const char *type;
	void (*on)(struct hub_member *p, struct hub_message *m);
	bool needs_name;
} routes[] = {
    {"username", on_username, false},
    {"ice-servers", on_ice_servers, false},
    {"message", on_chat, true},
    {"video-offer", route_on_offer, true},
    {"video-answer", route_on_answer, true},
    {"new-ice-candidate", route_on_candidate, true},
    {"hang-up", route_on_hang_up, true},
    {"seen", on_seen, true},
    {"presence", on_presence, true},
    {"leave", on_leave, false},
    {"id", on_server_only, false},
    {"userlist", on_server_only, false},
    {"rejectusername", on_server_only, false},
    {"error", on_server_only, false},
    {"signed-in", on_server_only, false},
    {"renamed", on_server_only, false},
    {"ack", on_server_only, false},
    {NULL, on_other, true},
};

static void send_ack(struct hub_member *p, const struct hub_message *m)
{
	const struct scan_value *ack = &m->scan.value[ROUTE_ACK];
	char text[ACK_MAX + 32];
	int n = snprintf(text, sizeof(text), "{\"type\":\"ack\",\"ack\":%.*s}",
	                 (int)(ack->to - ack->from), m->text + ack->from);

	hub_send(p, HUB_FRAME_SERVER, text, (size_t)n);
}

/* A client that counts, counts its acks upwards, too: what it sends once more after a return has
 * been done. True when m is to be done; when not, it has its answer. */
static bool check_ack(struct hub_member *p, struct hub_message *m)
{
	const struct scan_value *ack = &m->scan.value[ROUTE_ACK];
	int64_t number;

	if (ack->kind == SCAN_ABSENT)
		return true;
	if (ack->to - ack->from > ACK_MAX ||
	    (ack->kind != SCAN_STRING && ack->kind != SCAN_NUMBER)) {
		m->refused = true;
		hub_error_for(p, "bad-message", "ack is an integer, or a string of up to 64 bytes.",
		              m->type, NULL);
		return false;
	}
	if (ack->kind == SCAN_STRING)
		return true;
	if (scan_integer(&m->scan, ack, &number)) {
		m->refused = true;
		hub_error_for(p, "bad-message", "ack is an integer, or a string of up to 64 bytes.",
		              m->type, NULL);
		return false;
	}
	if (p->ring && number <= p->last_ack) {
		send_ack(p, m);
		return false;
	}
	if (p->ring)
		p->last_ack = number;
	return true;
}

static void acknowledge(struct hub_member *p, const struct hub_message *m)
{
	if (!m->refused && m->scan.value[ROUTE_ACK].kind != SCAN_ABSENT && !p->pending)
		send_ack(p, m);
}

static void dispatch(struct hub_member *p, struct hub_message *m)
{
	const struct route *r = routes;

	while (r->type && strcmp(r->type, m->type) != 0)
		r++;
	if (!check_ack(p, m))
		return;
	if (r->needs_name && !p->user)
		pass_refuse(p, m, "no-name", "Send a username first.");
	else
		r->on(p, m);
	acknowledge(p, m);
}

/* A string of the message, if it is short enough to be anything that the hub knows. */
static const char *short_string(const struct scan *s, const struct scan_value *v,
                                char out[ROUTE_STRING_MAX + 1])
{
	if (scan_string_max(v) <= ROUTE_STRING_MAX)
		scan_string(s, v, out);
	else
		out[0] = '\0';
	return out;
}

static const char *bad_json(int err, size_t fault, char why[64])
{
	if (err == -E_LIMIT)
		return "The message nests too deeply.";
	if (err == -E_EXISTS)
		return "The message has a member twice.";
	if (err == -E_ROOM)
		return "The message has too many members.";
	snprintf(why, 64, "This is not a JSON object (at byte %zu).", fault);
	return why;
}

void route_text(struct hub_member *p, const char *text, size_t len)
{
	struct hub_message m = {.text = text, .len = len};
	struct hub *h = p->hub;
	const struct scan_value *type = &m.scan.value[ROUTE_TYPE];
	const struct scan_value *target = &m.scan.value[ROUTE_TARGET];
	size_t fault;
	char why[64];
	int err;

	if (len > h->conf.max_message) {
		hub_error(p, "too-big", "The message is too big.");
		return;
	}
	err = scan_text(&m.scan, text, len, h->conf.max_depth, names, ROUTE_NAMES, &fault);
	if (err) {
		hub_error(p, "bad-json", bad_json(err, fault, why));
		return;
	}
	if (!m.scan.is_object || type->kind != SCAN_STRING) {
		hub_error(p, "bad-message", "A message is an object with a type.");
		return;
	}
	m.type = short_string(&m.scan, type, m.type_text);
	if (target->kind == SCAN_STRING && target->to - target->from > 2)
		m.target = short_string(&m.scan, target, m.target_text);
	h->handling = &m;
	h->handled = p;
	if (p->dialect)
		parse(p, &m, p->dialect->object);
	else if (target->kind == SCAN_NUMBER || target->kind == SCAN_OTHER)
		pass_refuse(p, &m, "bad-target", "A target is the name of one user.");
	else
		dispatch(p, &m);
	h->handling = NULL;
	h->handled = NULL;
}

void route_later(struct hub_member *p, const char *text, size_t len,
                 void (*on)(struct hub_member *p, void *ctx), void *ctx)
{
	struct hub_message m = {.text = text, .len = len};
	struct hub *h = p->hub;
	size_t fault;

	if (scan_text(&m.scan, text, len, h->conf.max_depth, names, ROUTE_NAMES, &fault))
		memset(&m.scan, 0, sizeof(m.scan)); /* max_depth may be another by now */
	h->handling = &m;
	h->handled = p;
	on(p, ctx);
	h->handling = NULL;
	h->handled = NULL;
	acknowledge(p, &m);
}

void hub_text(struct hub_member *p, const char *text, size_t len)
{
	struct hub *h = p->hub;

	if (p->closing || !charge_message(p, text, len))
		return;
	if (p->pending)
		admit_keep(p, text, len);
	else
		route_text(p, text, len);
	presence_settle(h);
}
