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

#define TOKEN_MILLI 1000
#define DROPS_MAX   1000 /* messages refused in a row before the connection is closed */

struct message {
	const char *text;
	size_t len;
	json_t *json;
	const char *type;
	const char *target; /* NULL when there is none */
};

static int64_t min64(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

/* Takes the message's tokens, or refuses it. */
static bool take_tokens(struct hub_member *p, size_t len)
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

/* Sends to every member with a name, the sender included: its own line comes back to it. A member
 * that cannot keep up with the others' talk misses some of it, and keeps its connection. */
static void pass_to_all(struct hub *h, const char *text, size_t len)
{
	struct hub_member *p;

	DL_FOREACH (h->members, p) {
		if (*p->name)
			hub_send(p, HUB_FRAME_PASSED, text, len);
	}
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
static char *stamp(struct hub_member *p, const struct message *m, size_t *len)
{
	char *text = strndup(m->text, m->len);
	json_t *name = json_string(p->name), *id = json_integer((json_int_t)p->id);
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

static void pass_on(struct hub_member *p, const struct message *m, char *text, size_t len)
{
	struct hub_member *to;

	if (!text) {
		hub_error_for(p, "out-of-memory", "The server is out of memory.", m->type, NULL);
		return;
	}
	if (!m->target) {
		pass_to_all(p->hub, text, len);
		return;
	}
	to = hub_find_name(p->hub, m->target);
	if (!to)
		hub_error_for(p, "unknown-target", "No user of that name is signed in.", m->type,
		              m->target);
	else if (hub_send(to, HUB_FRAME_PASSED, text, len))
		hub_error_for(p, "target-busy", "That user cannot receive more messages now.",
		              m->type, m->target);
}

static void on_other(struct hub_member *p, const struct message *m)
{
	size_t len;
	char *text = stamp(p, m, &len);

	pass_on(p, m, text, len);
	free(text);
}

static bool is_secret(const json_t *resume)
{
	size_t len = json_string_length(resume);

	return len >= HUB_RESUME_MIN && len <= HUB_RESUME_MAX;
}

/* In a time that does not tell how much of it was right. */
static bool same_secret(const char a[HUB_RESUME_MAX + 1], const char b[HUB_RESUME_MAX + 1])
{
	unsigned char differ = 0;

	for (size_t i = 0; i < HUB_RESUME_MAX; i++)
		differ |= (unsigned char)(a[i] ^ b[i]);
	return !differ && *a;
}

/* A client whose network has changed comes back before its old connection is known to be dead, or
 * soon after. If it shows the secret that it gave with its name, it takes over the name and the
 * calls. */
static void take_over(struct hub_member *p, const char *name)
{
	struct hub_member *old = hub_find_name(p->hub, name);

	if (!old || old == p || p->partner_n || !same_secret(old->resume, p->resume))
		return;
	call_move(old, p);
	name_release(old);
	if (old->away)
		hub_forget(old);
	else
		hub_close_member(old, HUB_CLOSE_POLICY, "replaced by a new connection");
}

static void refuse_name(struct hub_member *p, const struct message *m, int result)
{
	if (result == -E_NOMEM)
		hub_error_for(p, "out-of-memory", "The server is out of memory.", m->type, NULL);
	else
		hub_error_for(p, "bad-name", "A name needs at least one printable character.",
		              m->type, NULL);
}

static void on_username(struct hub_member *p, const struct message *m)
{
	json_t *name = json_object_get(m->json, "name"), *resume;
	bool changed;
	int r;

	resume = json_object_get(m->json, "resume");
	memset(p->resume, 0, sizeof(p->resume));
	if (json_is_string(name) && is_secret(resume)) {
		memcpy(p->resume, json_string_value(resume), json_string_length(resume));
		take_over(p, json_string_value(name));
	}

	r = json_is_string(name) ? name_claim(p, json_string_value(name), &changed) : -E_INVAL;
	if (r) {
		refuse_name(p, m, r);
		return;
	}
	hub_report(p, HUB_EVENT_NAMED, NULL, 0);
	if (changed)
		hub_send_json(p, json_pack("{s:I,s:s,s:s}", "id", (json_int_t)p->id, "type",
		                           "rejectusername", "name", p->name));
	hub_list_changed(p->hub);
}

static void on_chat(struct hub_member *p, const struct message *m)
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

static bool has_partner_to_be(struct hub_member *p, const struct message *m, struct hub_member **to)
{
	if (!m->target) {
		hub_error_for(p, "no-target", "This message needs a target.", m->type, NULL);
		return false;
	}
	*to = hub_find_name(p->hub, m->target);
	if (!*to) {
		hub_report(p, HUB_EVENT_UNREACHED, m->target, 0);
		hub_error_for(p, "unknown-target", "No user of that name is signed in.", m->type,
		              m->target);
		return false;
	}
	if (*to == p) {
		hub_error_for(p, "own-target", "You cannot call yourself.", m->type, m->target);
		return false;
	}
	if ((*to)->away) {
		hub_report(p, HUB_EVENT_UNREACHED, m->target, 0);
		hub_error_for(p, "target-away", "That user has lost the connection for the moment.",
		              m->type, m->target);
		return false;
	}
	return true;
}

static void on_offer(struct hub_member *p, const struct message *m)
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
	hub_report(p, HUB_EVENT_OFFER, m->target, 0);
	on_other(p, m);
}

/* video-answer and new-ice-candidate. The offer made the call: an answer that comes after the
 * hang-up, or to no offer at all, makes none. */
static void on_follow_up(struct hub_member *p, const struct message *m)
{
	struct hub_member *to;

	if (!has_partner_to_be(p, m, &to))
		return;
	hub_report(p, strcmp(m->type, "video-answer") != 0 ? HUB_EVENT_CANDIDATE : HUB_EVENT_ANSWER,
	           m->target, 0);
	on_other(p, m);
}

static void on_hang_up(struct hub_member *p, const struct message *m)
{
	struct hub_member *to;

	/* The MDN client clears its target before it hangs up: "target":null is the end of
	 * its own call, not of every call in the house. */
	hub_report(p, HUB_EVENT_HANG_UP, m->target, 0);
	if (!m->target) {
		call_end_all(p); /* partners that are away go when their time is up */
		return;
	}
	to = hub_find_name(p->hub, m->target);
	if (to)
		call_end(p, to);
	if (to && to->away && !to->partner_n)
		hub_forget(to); /* nothing is left to come back to */
	else
		on_other(p, m);
}

static void on_ice_servers(struct hub_member *p, const struct message *m)
{
	struct hub *h = p->hub;
	struct hub_ice_request request = {.member_id = p->id, .name = p->name};
	int err;

	request.api_token = json_string_value(json_object_get(m->json, "key"));
	err = h->ops.ice_servers ? h->ops.ice_servers(h->ctx, p->conn, &request) : -E_UNSUPPORTED;
	hub_report(p, HUB_EVENT_ICE, NULL, err);
	if (err)
		hub_ice_refuse(h, p->id, err);
}

static void on_server_only(struct hub_member *p, const struct message *m)
{
	hub_error_for(p, "server-only", "Only the server sends messages of this type.", m->type,
	              NULL);
}

static const struct route {
	const char *type;
	void (*on)(struct hub_member *p, const struct message *m);
	bool needs_name;
} routes[] = {
    {"username", on_username, false},     {"ice-servers", on_ice_servers, false},
    {"message", on_chat, true},           {"video-offer", on_offer, true},
    {"video-answer", on_follow_up, true}, {"new-ice-candidate", on_follow_up, true},
    {"hang-up", on_hang_up, true},        {"id", on_server_only, false},
    {"userlist", on_server_only, false},  {"rejectusername", on_server_only, false},
    {"error", on_server_only, false},     {NULL, on_other, true},
};

static void dispatch(struct hub_member *p, const struct message *m)
{
	const struct route *r = routes;

	while (r->type && strcmp(r->type, m->type) != 0)
		r++;
	if (r->needs_name && !*p->name) {
		hub_error_for(p, "no-name", "Send a username first.", m->type, m->target);
		return;
	}
	r->on(p, m);
}

void hub_text(struct hub_member *p, const char *text, size_t len)
{
	struct message m = {.text = text, .len = len};
	json_error_t fault;
	json_t *target;
	char why[64];

	if (p->closing || !take_tokens(p, len))
		return;
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
