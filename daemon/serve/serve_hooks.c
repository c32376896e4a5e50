/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The hub's events as webhooks, and its question before somebody joins (docs/webhooks.md).
 */
#include "daemon/serve/serve_internal.h"

#include "base/log.h"
#include "daemon/issue/ticket.h"

#include <string.h>

/* What a webhook says of them: the same members in each event of a kind. */
static json_t *of_user(const struct hub_event *e)
{
	return json_pack("{ss? ss? sb}", "room", e->room, "name", e->name, "proven", e->proven);
}

static json_t *of_call(const struct hub_event *e)
{
	return json_pack("{ss? ss? ss? sb}", "room", e->room, "name", e->name, "target", e->target,
	                 "proven", e->proven);
}

static json_t *with_text(json_t *members, const char *name, const char *text)
{
	if (members)
		json_object_set_new(members, name, text ? json_string(text) : json_null());
	return members;
}

static json_t *of_ended(const struct hub_event *e)
{
	json_t *members = with_text(of_call(e), "reason", e->reason);

	if (members) {
		json_object_set_new(members, "answered", json_boolean(e->code));
		json_object_set_new(members, "seconds", json_integer((json_int_t)e->seconds));
	}
	return members;
}

static void tell(struct hooks *h, enum hook_what what, const struct hub_event *e)
{
	json_t *members = NULL;

	if (!hooks_want(h, what))
		return;
	switch (what) {
	case HOOK_ROOM_OPENED:
	case HOOK_JOINED:
	case HOOK_LEFT:
		members = of_user(e);
		break;
	case HOOK_RENAMED:
		members = with_text(of_user(e), "from", e->from);
		break;
	case HOOK_KICKED:
		members = with_text(of_user(e), "reason", e->reason);
		break;
	case HOOK_ROOM_CLOSED:
		members = json_pack("{ss?}", "room", e->room);
		break;
	case HOOK_CALL_BEGUN:
	case HOOK_CALL_ANSWERED:
		members = of_call(e);
		break;
	case HOOK_CALL_ENDED:
		members = of_ended(e);
		break;
	case HOOK_RELAY_USED: /* the workers tell it */
	case HOOK_STARTED:
		return;
	}
	hooks_tell(h, what, members);
}

void serve_tell_hooks(struct serve *s, const struct hub_event *e)
{
	switch (e->what) {
	case HUB_EVENT_NAMED:
		tell(s->hooks, e->from ? HOOK_RENAMED : HOOK_JOINED, e);
		break;
	case HUB_EVENT_LEFT:
		tell(s->hooks, HOOK_LEFT, e);
		break;
	case HUB_EVENT_KICKED:
		tell(s->hooks, HOOK_KICKED, e);
		break;
	case HUB_EVENT_BEGUN:
		tell(s->hooks, HOOK_CALL_BEGUN, e);
		break;
	case HUB_EVENT_ANSWERED:
		tell(s->hooks, HOOK_CALL_ANSWERED, e);
		break;
	case HUB_EVENT_ENDED:
		tell(s->hooks, HOOK_CALL_ENDED, e);
		break;
	case HUB_EVENT_ROOM_OPENED:
		tell(s->hooks, HOOK_ROOM_OPENED, e);
		break;
	case HUB_EVENT_ROOM_CLOSED:
		tell(s->hooks, HOOK_ROOM_CLOSED, e);
		break;
	default: /* the parts of a call, and what the event after them says */
		break;
	}
}

/* Whoever was there before a crash has not been told to leave: the receiver learns it by this. */
void serve_tell_started(struct serve *s)
{
	json_t *rooms = hub_rooms(web_hub(s->web)), *room;
	json_int_t away = 0;
	size_t i;

	json_array_foreach (rooms, i, room)
		away += json_integer_value(json_object_get(room, "away"));
	json_decref(rooms);
	hooks_tell(s->hooks, HOOK_STARTED,
	           json_pack("{ss sI}", "version", TURNPIKE_VERSION, "users", away));
}

/* ---- the question before somebody joins ---- */

static json_t *may_of(unsigned may)
{
	char text[TICKET_MAY_STRLEN], *word, *rest = text;
	json_t *list = json_array();

	ticket_may_text(may, text);
	while ((word = strsep(&rest, ",")))
		if (*word)
			json_array_append_new(list, json_string(word));
	return list;
}

static json_t *ticket_of(const struct hub_identity *i)
{
	return !i ? json_null()
	          : json_pack("{ss ss ss? so sI}", "sub", i->sub, "name", i->name, "room",
	                      i->any_room ? NULL : i->room, "may", may_of(i->may), "exp",
	                      (json_int_t)i->exp_s);
}

int serve_admit(void *ctx, uint64_t member_id, const struct hub_admission *who)
{
	struct serve *s = ctx;
	char address[ADDR_STRLEN];
	bool known = addr_family(&who->client) != AF_UNSPEC;
	json_t *question;

	if (!hooks_asks(s->hooks))
		return 0;
	question = json_pack("{ss ss sb sb ss? so}", "room", who->room, "name", who->name, "opens",
	                     who->opens, "proven", who->identity != NULL, "address",
	                     known ? addr_format_ip(&who->client, address) : NULL, "ticket",
	                     ticket_of(who->identity));
	return question && !hooks_ask(s->hooks, member_id, question) ? -E_LATER : -E_UNREACHABLE;
}

void serve_admitted(void *ctx, const struct hooks_answer *a)
{
	struct hub_verdict v = {.err = a->err,
	                        .message = *a->message ? a->message : NULL,
	                        .name = *a->name ? a->name : NULL,
	                        .fixed = true,
	                        .has_may = a->has_may};
	struct serve *s = ctx;
	struct why why;

	if (a->has_may && *a->may && ticket_may_parse(a->may, &v.may, &why)) {
		log_warn(NULL, "join-url-failing", LOG_STR("error", why.text));
		v.err = -E_UNREACHABLE;
	}
	hub_admit(web_hub(s->web), a->member_id, &v);
}
