/* SPDX-License-Identifier: BSD-3-Clause
 *
 * A client's message on its way: checked, stamped with its sender's name, and passed on without
 * reading its content.
 */
#include "base/error.h"
#include "signal/dialect.h"
#include "signal/edit.h"
#include "signal/hub_internal.h"
#include "signal/tags.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#define ACK_MAX 66 /* bytes of JSON */

static const char *const names[ROUTE_NAMES] = {
    [ROUTE_TYPE] = "type", [ROUTE_TARGET] = "target", [ROUTE_ACK] = "ack",
    [ROUTE_NAME] = "name", [ROUTE_ID] = "id",         [ROUTE_TEXT] = "text",
    [ROUTE_SEQ] = "seq",   [ROUTE_REASON] = "reason",
};

static void refuse(struct hub_member *p, struct hub_message *m, const char *code, const char *why)
{
	m->refused = true;
	deliver_refuse(p, code, why, &m->scan, 0);
}

static void refuse_memory(struct hub_member *p, struct hub_message *m)
{
	refuse(p, m, "out-of-memory", "The server is out of memory.");
}

/* The message as it goes on: the identity on it is the connection's, whatever the client wrote, and
 * only the server numbers. text: instead of its own; NULL: as it is. */
static struct hub_text *stamp(struct hub_member *p, struct hub_message *m, const char *text)
{
	const struct scan_value *value = m->scan.value;
	struct edit edit[4];
	struct hub_text *out;
	char id[24];
	unsigned n = 0;

	edit[n++] = (struct edit){ROUTE_NAME, p->user->quoted, p->user->quoted_len};
	if (value[ROUTE_ID].kind != SCAN_ABSENT && !strcmp(m->type, "message"))
		edit[n++] = (struct edit){ROUTE_ID, id,
		                          (size_t)snprintf(id, sizeof(id), "%" PRIu64, p->id)};
	if (value[ROUTE_SEQ].kind != SCAN_ABSENT)
		edit[n++] = (struct edit){ROUTE_SEQ, NULL, 0};
	if (text)
		edit[n++] = (struct edit){ROUTE_TEXT, text, strlen(text)};
	out = hub_text_new(NULL, edit_max(&m->scan, edit, n));
	if (!out) {
		refuse_memory(p, m);
		return NULL;
	}
	out->len = edit_write(&m->scan, edit, n, out->data);
	out->from = p->origin->id;
	return out;
}

/* To everybody in the room, the sender included: its own line comes back to it. A member that
 * cannot keep up with the others' talk misses some of it, and keeps its connection. */
static void pass_to_all(struct hub_member *p, struct hub_message *m, struct hub_text *text)
{
	struct hub_member *to;
	struct hub_user *u;
	unsigned missed = 0;

	text->from = 0; /* what is lost later, nobody hears of */
	DL_FOREACH (p->user->room->users, u) {
		DL_FOREACH2(u->members, to, next_device)
		{
			int err = deliver(to, HUB_FRAME_PASSED, text);

			missed += err && err != -E_CLOSED;
		}
	}
	if (missed) {
		m->refused = true;
		deliver_refuse(p, "target-busy", "Not all could receive the message now.", &m->scan,
		               missed);
	}
}

/* A partner is found by the name that the sender knows, too. */
static struct hub_user *find_user(const struct hub_member *p, const struct hub_message *m)
{
	struct hub_user *user = call_known_as(p, m->target);

	return user ? user : name_find(p->user->room, m->target);
}

/* The other ends of the sender's calls with user; all devices if there is none. */
static bool is_meant(const struct hub_member *p, const struct hub_member *to, bool in_call)
{
	return !in_call || call_find(p, to);
}

/* A message to the devices of one user. */
struct copies {
	struct hub_text *text;
	bool several, delivered, busy;
};

/* The text counts one more copy than there is, until copies_end(): none is lost for good before. */
static struct copies copies_begin(struct hub_text *text, const struct hub_user *user)
{
	bool several = user->member_n > 1;

	text->copies = several;
	return (struct copies){.text = text, .several = several};
}

static void copy_to(struct copies *c, struct hub_member *to)
{
	int err = deliver(to, HUB_FRAME_PASSED, c->text);

	c->delivered |= !err;
	c->busy |= err && err != -E_CLOSED;
	c->text->copies += !err && c->several;
}

static void copies_end(struct copies *c)
{
	c->text->copies -= c->several;
}

static void refuse_unreached(struct hub_member *p, struct hub_message *m, bool busy)
{
	if (busy)
		refuse(p, m, "target-busy", "That user cannot receive more messages now.");
	else
		refuse(p, m, "target-away", "That user has lost the connection for the moment.");
}

static void pass_to_user(struct hub_member *p, struct hub_message *m, struct hub_user *user,
                         struct hub_text *text)
{
	bool in_call = call_with_user(p, user);
	struct copies c = copies_begin(text, user);
	struct hub_member *to;

	DL_FOREACH2(user->members, to, next_device)
	{
		if (is_meant(p, to, in_call))
			copy_to(&c, to);
	}
	copies_end(&c);
	if (c.delivered)
		return;
	hub_report(p, (struct hub_event){.what = HUB_EVENT_UNREACHED, .target = m->target});
	refuse_unreached(p, m, c.busy);
}

static struct hub_user *want_user(struct hub_member *p, struct hub_message *m)
{
	struct hub_user *user;

	if (!m->target) {
		refuse(p, m, "no-target", "This message needs a target.");
		return NULL;
	}
	user = find_user(p, m);
	if (!user) {
		hub_report(p, (struct hub_event){.what = HUB_EVENT_UNREACHED, .target = m->target});
		refuse(p, m, "unknown-target", "No user of that name is signed in.");
	}
	return user;
}

static void pass_on(struct hub_member *p, struct hub_message *m, const char *said)
{
	struct hub_user *user = m->target ? want_user(p, m) : NULL;
	struct hub_text *text = m->target && !user ? NULL : stamp(p, m, said);

	if (text && user)
		pass_to_user(p, m, user, text);
	else if (text)
		pass_to_all(p, m, text);
	hub_text_unref(text);
}

/* What somebody may not do without a call, a partner may. */
static bool is_allowed(struct hub_member *p, struct hub_message *m, unsigned may)
{
	struct hub_user *user = m->target ? find_user(p, m) : NULL;

	if ((p->may & may) || (user && call_with_user(p, user)))
		return true;
	refuse(p, m, "not-allowed",
	       may == HUB_MAY_CALL ? "You may not call here." : "You may not write here.");
	return false;
}

static bool pays(struct hub_member *p, struct hub_message *m)
{
	return m->target || charge_fan_out(p, p->user->room->user_n, m);
}

static void on_other(struct hub_member *p, struct hub_message *m)
{
	if (is_allowed(p, m, HUB_MAY_CHAT) && pays(p, m))
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
		refuse(p, m, "bad-message", "A message needs a text.");
		return;
	}
	if (!is_allowed(p, m, HUB_MAY_CHAT) || !pays(p, m))
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
		refuse_memory(p, m); /* never unstripped */
	else
		pass_on(p, m, bare);
	free(bare);
	free(said);
}

static bool can_be_reached(const struct hub_user *user)
{
	const struct hub_member *p;

	DL_FOREACH2(user->members, p, next_device)
	{
		if (p->ring || (!p->away && !p->closing))
			return true;
	}
	return false;
}

static bool begin_calls(struct hub_member *p, struct hub_message *m, struct hub_user *user)
{
	bool in_call = call_with_user(p, user);
	struct hub_member *to;
	int err = 0;

	DL_FOREACH2(user->members, to, next_device)
	{
		if (!err && !in_call && (to->ring || (!to->away && !to->closing)))
			err = call_begin(p, to);
	}
	if (err == -E_LIMIT)
		refuse(p, m, "too-many-calls", "You have too many calls at a time.");
	else if (err)
		refuse_memory(p, m);
	return !err;
}

static void report(struct hub_member *p, struct hub_message *m, struct hub_user *user,
                   enum hub_event_what what)
{
	call_signal(p, user, m->text, m->len);
	hub_report(p, (struct hub_event){
	                  .what = what, .target = m->target, .text = m->text, .len = m->len});
}

static void on_offer(struct hub_member *p, struct hub_message *m)
{
	struct hub_user *user = want_user(p, m);

	if (!user)
		return;
	if (user == p->user) {
		refuse(p, m, "own-target", "You cannot call yourself.");
	} else if (!can_be_reached(user)) {
		hub_report(p, (struct hub_event){.what = HUB_EVENT_UNREACHED, .target = m->target});
		refuse(p, m, "target-away", "That user has lost the connection for the moment.");
	} else if (is_allowed(p, m, HUB_MAY_CALL) && begin_calls(p, m, user)) {
		call_offered(p, user);
		report(p, m, user, HUB_EVENT_OFFER);
		pass_on(p, m, NULL);
	}
}

/* The offer made the call: an answer that comes after the hang-up, or to no offer at all, makes
 * none. */
static void on_answer(struct hub_member *p, struct hub_message *m)
{
	struct hub_user *user = want_user(p, m);
	int err;

	if (!user)
		return;
	if (user == p->user) {
		refuse(p, m, "own-target", "You cannot call yourself.");
		return;
	}
	if (!is_allowed(p, m, HUB_MAY_CALL))
		return;
	err = call_answer(p, user);
	if (err == -E_EXISTS) {
		refuse(p, m, "target-busy", "Another of your devices has the call.");
	} else if (err) {
		refuse(p, m, "too-many-calls", "You have too many calls at a time.");
	} else {
		report(p, m, user, HUB_EVENT_ANSWER);
		pass_on(p, m, NULL);
	}
}

static void on_candidate(struct hub_member *p, struct hub_message *m)
{
	struct hub_user *user = want_user(p, m);

	if (!user)
		return;
	if (user == p->user) {
		refuse(p, m, "own-target", "You cannot call yourself.");
		return;
	}
	if (!is_allowed(p, m, HUB_MAY_CALL))
		return;
	report(p, m, user, HUB_EVENT_CANDIDATE);
	pass_on(p, m, NULL);
}

/* One of the reasons of the protocol; NULL: none. */
static const char *reason_of(const struct hub_message *m)
{
	static const char *const reasons[] = {"declined", "busy",   "no-answer", "cancelled",
	                                      "taken",    "failed", "revoked",   "gone"};

	for (size_t i = 0; i < sizeof(reasons) / sizeof(*reasons); i++) {
		if (scan_is(&m->scan, &m->scan.value[ROUTE_REASON], reasons[i]))
			return reasons[i];
	}
	return NULL;
}

static void hang_up(struct hub_member *p, struct hub_message *m, struct hub_user *user,
                    struct hub_text *text)
{
	struct copies copies = copies_begin(text, user);
	const char *reason = reason_of(m);
	bool is_told = false;
	struct hub_member *to;

	DL_FOREACH2(user->members, to, next_device)
	{
		struct hub_call *c = call_find(p, to);

		if (!c || !call_hang_up(p, c, reason))
			continue;
		/* The call is over: whoever has no room for these words hears it in ours. */
		copies.busy = false;
		copy_to(&copies, to);
		if (copies.busy)
			call_tell_end(to, p->user->name, reason);
		copies.delivered |= copies.busy;
		is_told = true;
	}
	copies_end(&copies);
	if (is_told && !copies.delivered)
		refuse_unreached(p, m, copies.busy);
}

static void on_hang_up(struct hub_member *p, struct hub_message *m)
{
	struct hub_user *user;
	struct hub_text *text;

	/* The MDN client clears its target before it hangs up: "target":null is the end of
	 * its own call, not of every call in the house. */
	hub_report(p, (struct hub_event){.what = HUB_EVENT_HANG_UP, .target = m->target});
	if (!m->target) {
		call_end_all(p, reason_of(m));
		return;
	}
	user = want_user(p, m);
	if (!user)
		return;
	if (!call_with_user(p, user)) {
		if (is_allowed(p, m, HUB_MAY_CALL))
			pass_on(p, m, NULL);
		return;
	}
	text = stamp(p, m, NULL);
	if (text)
		hang_up(p, m, user, text);
	hub_text_unref(text);
}

/* The few messages that the hub reads whole. */
static void parse(struct hub_member *p, struct hub_message *m,
                  void (*on)(struct hub_member *p, const struct hub_message *m))
{
	m->json = json_loadb(m->text, m->len, JSON_REJECT_DUPLICATES, NULL);
	if (m->json)
		on(p, m);
	else
		refuse(p, m, "bad-json", "This is not a JSON object.");
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
		refuse(p, m, "bad-message", "seen needs a number: seq.");
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
	refuse(p, m, "server-only", "Only the server sends messages of this type.");
}

static const struct route {
	const char *type;
	void (*on)(struct hub_member *p, struct hub_message *m);
	bool needs_name;
} routes[] = {
    {"username", on_username, false},
    {"ice-servers", on_ice_servers, false},
    {"message", on_chat, true},
    {"video-offer", on_offer, true},
    {"video-answer", on_answer, true},
    {"new-ice-candidate", on_candidate, true},
    {"hang-up", on_hang_up, true},
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

static void dispatch(struct hub_member *p, struct hub_message *m)
{
	const struct route *r = routes;

	while (r->type && strcmp(r->type, m->type) != 0)
		r++;
	if (!check_ack(p, m))
		return;
	if (r->needs_name && !p->user)
		refuse(p, m, "no-name", "Send a username first.");
	else
		r->on(p, m);
	if (!m->refused && m->scan.value[ROUTE_ACK].kind != SCAN_ABSENT && !p->pending)
		send_ack(p, m);
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
		refuse(p, &m, "bad-target", "A target is the name of one user.");
	else
		dispatch(p, &m);
	h->handling = NULL;
	h->handled = NULL;
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
