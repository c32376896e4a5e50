/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The hub's events as webhooks (docs/webhooks.md).
 */
#include "daemon/serve/serve_internal.h"

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
		members = of_user(e);
		break;
	case HOOK_RENAMED:
		members = with_text(of_user(e), "from", e->from);
		break;
	case HOOK_LEFT:
		members = with_text(of_user(e), "reason", e->reason);
		break;
	case HOOK_ROOM_CLOSED:
		members = json_pack("{ss? ss?}", "room", e->room, "reason", e->reason);
		break;
	case HOOK_CALL_BEGUN:
	case HOOK_CALL_ANSWERED:
		members = of_call(e);
		break;
	case HOOK_CALL_ENDED:
		members = of_ended(e);
		break;
	case HOOK_RELAY_USED: /* the workers tell it */
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
