/* SPDX-License-Identifier: BSD-3-Clause
 *
 * A client's message on its way: checked, stamped with its sender's name, and passed on without
 * reading its content.
 */
#include "base/error.h"
#include "signal/hub_internal.h"
#include "signal/splice.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

/* Sends to everybody in the room, the sender included: its own line comes back to it. A member that
 * cannot keep up with the others' talk misses some of it, and keeps its connection. */
static void pass_to_all(struct hub_room *room, struct hub_text *text)
{
	struct hub_member *p;
	struct hub_user *u;

	DL_FOREACH (room->users, u) {
		DL_FOREACH2(u->members, p, next_device)
		hub_send_text(p, HUB_FRAME_PASSED, text);
	}
}

static struct hub_member *find_target(const struct hub_member *p, const char *name)
{
	struct hub_user *user = name_find(p->user->room, name);

	return user ? user->members : NULL;
}

/* Replaces *text, which is malloc()ed, by a version with the member set. */
static int set_member(char **text, size_t *len, const char *key, const json_t *value)
{
	char *dumped = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
	char *set = dumped ? splice_set(*text, *len, key, dumped, len) : NULL;

	free(dumped);
	if (!set)
		return -E_NOMEM;
	free(*text);
	*text = set;
	return 0;
}

/* The identity on a message is the connection's, whatever the client wrote. */
static char *stamp(struct hub_member *p, const struct hub_message *m, size_t *len)
{
	char *text = strndup(m->text, m->len);
	json_t *name = json_string(p->user->name), *id = json_integer((json_int_t)p->id);
	int err = text && name && id ? 0 : -E_NOMEM;

	*len = m->len;
	if (!err)
		err = set_member(&text, len, "name", name);
	if (!err && !strcmp(m->type, "message") && json_object_get(m->json, "id"))
		err = set_member(&text, len, "id", id);
	json_decref(name);
	json_decref(id);
	if (err) {
		free(text);
		return NULL;
	}
	return text;
}

static void pass_on(struct hub_member *p, const struct hub_message *m, char *text, size_t len)
{
	struct hub_text *t = text ? hub_text_new(text, len) : NULL;
	struct hub_member *to = m->target ? find_target(p, m->target) : NULL;

	if (!t)
		hub_error_for(p, "out-of-memory", "The server is out of memory.", m->type, NULL);
	else if (!m->target && charge_fan_out(p, p->user->room->user_n, m))
		pass_to_all(p->user->room, t);
	else if (!m->target)
		; /* refused */
	else if (!to)
		hub_error_for(p, "unknown-target", "No user of that name is signed in.", m->type,
		              m->target);
	else if (hub_send_text(to, HUB_FRAME_PASSED, t))
		hub_error_for(p, "target-busy", "That user cannot receive more messages now.",
		              m->type, m->target);
	hub_text_unref(t);
}

static void on_other(struct hub_member *p, const struct hub_message *m)
{
	size_t len;
	char *text = stamp(p, m, &len);

	pass_on(p, m, text, len);
	free(text);
}

static void on_chat(struct hub_member *p, const struct hub_message *m)
{
	json_t *said = json_object_get(m->json, "text"), *bare = NULL;
	char *text = NULL, *stripped = NULL;
	size_t len = 0;

	if (!json_is_string(said)) {
		hub_error_for(p, "bad-message", "A message needs a text.", m->type, NULL);
		return;
	}
	text = stamp(p, m, &len);
	stripped = splice_strip_tags(json_string_value(said));
	if (text && stripped && strcmp(stripped, json_string_value(said)) != 0) {
		bare = json_string(stripped);
		if (!bare || set_member(&text, &len, "text", bare)) {
			free(text);
			text = NULL;
		}
	}
	/* Never unstripped. */
	pass_on(p, m, stripped ? text : NULL, len);
	json_decref(bare);
	free(stripped);
	free(text);
}

static bool has_partner_to_be(struct hub_member *p, const struct hub_message *m,
                              struct hub_member **to)
{
	if (!m->target) {
		hub_error_for(p, "no-target", "This message needs a target.", m->type, NULL);
		return false;
	}
	*to = find_target(p, m->target);
	if (!*to) {
		hub_report(p, (struct hub_event){.what = HUB_EVENT_UNREACHED, .target = m->target});
		hub_error_for(p, "unknown-target", "No user of that name is signed in.", m->type,
		              m->target);
		return false;
	}
	if (*to == p) {
		hub_error_for(p, "own-target", "You cannot call yourself.", m->type, m->target);
		return false;
	}
	if ((*to)->away) {
		hub_report(p, (struct hub_event){.what = HUB_EVENT_UNREACHED, .target = m->target});
		hub_error_for(p, "target-away", "That user has lost the connection for the moment.",
		              m->type, m->target);
		return false;
	}
	return true;
}

static void on_offer(struct hub_member *p, const struct hub_message *m)
{
	struct hub_member *to;
	int err;

	if (!has_partner_to_be(p, m, &to))
		return;
	err = call_begin(p, to);
	if (err == -E_LIMIT)
		hub_error_for(p, "too-many-calls", "You have too many calls at a time.", m->type,
		              m->target);
	else if (err)
		hub_error_for(p, "out-of-memory", "The server is out of memory.", m->type,
		              m->target);
	if (err)
		return;
	hub_report(
	    p, (struct hub_event){
	           .what = HUB_EVENT_OFFER, .target = m->target, .text = m->text, .len = m->len});
	call_signal(p, to, m->text, m->len);
	on_other(p, m);
}

/* video-answer and new-ice-candidate. The offer made the call: an answer that comes after the
 * hang-up, or to no offer at all, makes none. */
static void on_follow_up(struct hub_member *p, const struct hub_message *m)
{
	struct hub_member *to;

	if (!has_partner_to_be(p, m, &to))
		return;
	hub_report(p, (struct hub_event){.what = strcmp(m->type, "video-answer") != 0
	                                             ? HUB_EVENT_CANDIDATE
	                                             : HUB_EVENT_ANSWER,
	                                 .target = m->target,
	                                 .text = m->text,
	                                 .len = m->len});
	call_signal(p, to, m->text, m->len);
	on_other(p, m);
}

static void on_hang_up(struct hub_member *p, const struct hub_message *m)
{
	struct hub_member *to;

	/* The MDN client clears its target before it hangs up: "target":null is the end of
	 * its own call, not of every call in the house. */
	hub_report(p, (struct hub_event){.what = HUB_EVENT_HANG_UP, .target = m->target});
	if (!m->target) {
		call_end_all(p); /* partners that are away go when their time is up */
		return;
	}
	to = find_target(p, m->target);
	if (to)
		call_end(p, to);
	if (to && to->away && !to->partner_n)
		hub_forget(to); /* nothing is left to come back to */
	else
		on_other(p, m);
}

static void on_ice_servers(struct hub_member *p, const struct hub_message *m)
{
	struct hub *h = p->hub;
	struct hub_ice_request request = {.member_id = p->id, .name = hub_member_name(p)};
	int err;

	request.api_token = json_string_value(json_object_get(m->json, "key"));
	err = h->ops.ice_servers ? h->ops.ice_servers(h->ctx, p->conn, &request) : -E_UNSUPPORTED;
	hub_report(p, (struct hub_event){.what = HUB_EVENT_ICE, .code = err});
	if (err)
		hub_ice_refuse(h, p->id, err);
}

static void on_server_only(struct hub_member *p, const struct hub_message *m)
{
	hub_error_for(p, "server-only", "Only the server sends messages of this type.", m->type,
	              NULL);
}

static const struct route {
	const char *type;
	void (*on)(struct hub_member *p, const struct hub_message *m);
	bool needs_name;
} routes[] = {
    {"username", signin_on_username, false},
    {"ice-servers", on_ice_servers, false},
    {"message", on_chat, true},
    {"presence", presence_on_request, true},
    {"video-offer", on_offer, true},
    {"video-answer", on_follow_up, true},
    {"new-ice-candidate", on_follow_up, true},
    {"hang-up", on_hang_up, true},
    {"id", on_server_only, false},
    {"userlist", on_server_only, false},
    {"rejectusername", on_server_only, false},
    {"error", on_server_only, false},
    {"signed-in", on_server_only, false},
    {"renamed", on_server_only, false},
    {NULL, on_other, true},
};

static void dispatch(struct hub_member *p, const struct hub_message *m)
{
	const struct route *r = routes;

	while (r->type && strcmp(r->type, m->type) != 0)
		r++;
	if (r->needs_name && !p->user) {
		hub_error_for(p, "no-name", "Send a username first.", m->type, m->target);
		return;
	}
	if (p->user && !signin_allows(p, m->type, m->target)) {
		hub_error_for(p, "not-allowed", "You may not send this here.", m->type, m->target);
		return;
	}
	r->on(p, m);
}

void route_text(struct hub_member *p, const char *text, size_t len)
{
	struct hub_message m = {.text = text, .len = len};
	json_error_t fault;
	json_t *target;
	char why[64];

	if (len > p->hub->conf.max_message) {
		hub_error(p, "too-big", "The message is too big.");
		return;
	}
	if (splice_check_depth(text, len, p->hub->conf.max_depth)) {
		hub_error(p, "bad-json", "The message nests too deeply.");
		return;
	}
	/* Refuses duplicate members: another parser may read the other one. */
	m.json = json_loadb(text, len, JSON_REJECT_DUPLICATES, &fault);
	if (!m.json) {
		snprintf(why, sizeof(why), "This is not a JSON object (at byte %d).",
		         fault.position);
		hub_error(p, "bad-json", why);
		return;
	}
	m.type = json_string_value(json_object_get(m.json, "type"));
	target = json_object_get(m.json, "target");
	if (json_string_length(target))
		m.target = json_string_value(target);
	if (m.type)
		dispatch(p, &m);
	else
		hub_error(p, "bad-message", "A message is an object with a type.");
	json_decref(m.json);
}

void hub_text(struct hub_member *p, const char *text, size_t len)
{
	struct hub *h = p->hub;

	if (p->closing || !charge_message(p, len))
		return;
	if (p->pending)
		signin_keep(p, text, len);
	else
		route_text(p, text, len);
	presence_settle(h);
}
