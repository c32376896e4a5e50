/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Rooms of the signaling and the people in them: who is there, a word to them, and the door.
 */
#include "base/text.h"
#include "daemon/admin/verb.h"
#include "daemon/web/web.h"
#include "signal/hub.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#define REASON_MAX 120  /* bytes: it is the reason of a WebSocket's close, RFC 6455 section 5.5 */
#define TEXT_MAX   4096 /* bytes */
#define BAN_MAX_S  (10 * 366 * INT64_C(86400))

static struct hub *hub_of(const struct admin_task *t)
{
	return web_hub(t->admin->web);
}

/* ---- lists ---- */

static const char *text_of(const json_t *row, const char *name)
{
	const char *text = json_string_value(json_object_get(row, name));

	return text ? text : "";
}

/* Of a room, and of a user in it: a tab is in neither. */
static void key_of(const json_t *row, char *key, size_t size)
{
	snprintf(key, size, "%s\t%s", text_of(row, "room"), text_of(row, "name"));
}

static int compare(const void *a, const void *b)
{
	const json_t *x = *(const json_t *const *)a, *y = *(const json_t *const *)b;
	int r = strcmp(text_of(x, "room"), text_of(y, "room"));

	return r ? r : strcmp(text_of(x, "name"), text_of(y, "name"));
}

/* Rows in the order of their keys, behind the page's. form makes the verb's row of the hub's. */
static int add_sorted(struct rows *rows, json_t *list, json_t *(*form)(json_t *row))
{
	size_t n = json_array_size(list), i;
	const json_t **v = calloc(n + 1, sizeof(*v));
	char key[sizeof(rows->last)];
	int r = v ? 0 : -E_NOMEM;

	for (i = 0; v && i < n; i++)
		v[i] = json_array_get(list, i);
	if (v)
		qsort(v, n, sizeof(*v), compare);
	for (i = 0; !r && i < n; i++) {
		key_of(v[i], key, sizeof(key));
		if (rows->after && strcmp(key, rows->after) <= 0)
			continue;
		r = rows_add(rows, key, form((json_t *)(uintptr_t)v[i]));
	}
	free(v);
	return r;
}

/* A list of the hub's (stolen), as a page. */
static int page(struct admin_task *t, const char *name, json_t *list, json_t *(*form)(json_t *row),
                struct why *why)
{
	struct rows rows = {.array = NULL};
	int r = rows_begin(&rows, t, why);

	if (!r && !list)
		r = why_set(why, -E_NOMEM, "out of memory");
	if (!r)
		r = add_sorted(&rows, list, form);
	json_decref(list);
	return rows_done(&rows, t, r, name, why);
}

static json_t *as_it_is(json_t *row)
{
	return json_incref(row);
}

static int list_rooms(struct admin_task *t, struct why *why)
{
	return page(t, "rooms", hub_rooms(hub_of(t)), as_it_is, why);
}

static json_t *form_user(json_t *row)
{
	const json_t *devices = json_object_get(row, "devices");
	json_t *made = json_array(), *device;
	size_t i;

	json_array_foreach ((json_t *)(uintptr_t)devices, i, device) {
		const char *address = text_of(device, "address");

		json_array_append_new(made, json_pack("{sO ss? sO sO}", "connection",
		                                      json_object_get(device, "id"), "address",
		                                      *address ? address : NULL, "away",
		                                      json_object_get(device, "away"), "calls",
		                                      json_object_get(device, "calls")));
	}
	return json_pack("{sO sO sO sO sO sI so}", "room", json_object_get(row, "room"), "name",
	                 json_object_get(row, "name"), "proven", json_object_get(row, "proven"),
	                 "sub", json_object_get(row, "sub"), "age_s",
	                 json_object_get(row, "seconds"), "device_count",
	                 (json_int_t)json_array_size(made), "devices", made);
}

static int list_people(struct admin_task *t, struct why *why)
{
	return page(t, "people", hub_people(hub_of(t), task_text(t, "room")), form_user, why);
}

static json_t *form_ban(json_t *row)
{
	const char *room = text_of(row, "room");

	return json_pack(
	    "{ss? sO sO sO so}", "room", *room ? room : NULL, "name", json_object_get(row, "name"),
	    "by", json_object_get(row, "by"), "key", json_object_get(row, "key"), "until",
	    json_time(time(NULL) + json_integer_value(json_object_get(row, "seconds"))));
}

static int list_bans(struct admin_task *t, struct why *why)
{
	struct rows rows = {.array = json_array()};
	json_t *list = hub_bans(hub_of(t)), *row;
	size_t i;
	int r = list ? 0 : why_set(why, -E_NOMEM, "out of memory");

	json_array_foreach (list, i, row)
		if (!r)
			r = rows_add(&rows, NULL, form_ban(row));
	json_decref(list);
	return rows_done(&rows, t, r, "bans", why);
}

/* ---- acts ---- */

static int check_name(const struct admin_task *t, struct why *why)
{
	const char *name = task_text(t, "name");

	return !name || (*name && strlen(name) <= HUB_NAME_MAX)
	           ? 0
	           : why_set(why, -E_PARSE, "%s: a name has 1 to %d bytes", t->verb->name,
	                     HUB_NAME_MAX);
}

/* NULL: the hub has a sentence. */
static int read_reason(const struct admin_task *t, const char **out, struct why *why)
{
	const char *reason = task_text(t, "reason");

	*out = reason && *reason ? reason : NULL;
	if (*out && (strlen(reason) > REASON_MAX || !text_is_printable(reason, strlen(reason))))
		return why_set(why, -E_PARSE, "%s: a reason is printable and has at most %d bytes",
		               t->verb->name, REASON_MAX);
	return 0;
}

static void audit_of(struct admin_task *t)
{
	const char *room = task_text(t, "room"), *name = task_text(t, "name");
	char object[HUB_NAME_MAX + HUB_ROOM_MAX + 16];

	snprintf(object, sizeof(object), "%.*s%s%.*s", HUB_NAME_MAX, name ? name : "",
	         room ? name ? " in " : "room " : "", HUB_ROOM_MAX, room ? room : "");
	task_audit(t, t->verb->name, object);
}

static int nobody(const struct admin_task *t, struct why *why)
{
	const char *room = task_text(t, "room"), *name = task_text(t, "name");

	if (!name)
		return why_set(why, -E_NOTFOUND, "nobody is in a room of the name \"%.64s\"", room);
	return why_set(why, -E_NOTFOUND, "nobody of the name \"%.64s\" is %s%.64s", name,
	               room ? "in the room " : "here", room ? room : "");
}

static int done(struct admin_task *t, unsigned connections, struct why *why)
{
	return task_done(t,
	                 json_pack("{ss? ss? sI}", "name", task_text(t, "name"), "room",
	                           task_text(t, "room"), "connections", (json_int_t)connections),
	                 why);
}

static int kick(struct admin_task *t, struct why *why)
{
	const char *reason;
	unsigned n;
	int r = check_name(t, why);

	if (!r)
		r = read_reason(t, &reason, why);
	if (r)
		return r;
	n = hub_kick(hub_of(t), task_text(t, "room"), task_text(t, "name"), reason);
	if (!n)
		return nobody(t, why);
	audit_of(t);
	return done(t, n, why);
}

static int ban(struct admin_task *t, struct why *why)
{
	int64_t s = task_number(t, "for", 0);
	const char *reason;
	unsigned n = 0;
	int r = check_name(t, why);

	if (!r && (s < 1 || s > BAN_MAX_S))
		r = why_set(why, -E_PARSE, "ban: for is 1 s to ten years");
	if (!r)
		r = read_reason(t, &reason, why);
	if (r)
		return r;
	r = hub_ban(hub_of(t), task_text(t, "room"), task_text(t, "name"), s, reason, &n);
	if (r == -E_INVAL)
		return why_set(why, -E_PARSE,
		               "ban: a user's name has at least one printable character, "
		               "and a room's name 1 to 64 of A-Z a-z 0-9 . _ ~ -");
	if (r == -E_LIMIT)
		return why_set(why, r, "ban: there are too many bans: turnpike unban ends one");
	if (r)
		return why_set(why, r, "out of memory");
	audit_of(t);
	return task_done(t,
	                 json_pack("{ss ss? sI so}", "name", task_text(t, "name"), "room",
	                           task_text(t, "room"), "connections", (json_int_t)n, "until",
	                           json_time(time(NULL) + s)),
	                 why);
}

static int unban(struct admin_task *t, struct why *why)
{
	int r = check_name(t, why);
	unsigned n = r ? 0 : hub_unban(hub_of(t), task_text(t, "room"), task_text(t, "name"));

	if (r)
		return r;
	if (!n)
		return why_set(
		    why, -E_NOTFOUND,
		    "there is no such ban: see turnpike bans (one for a room needs --room)");
	audit_of(t);
	return task_done(t,
	                 json_pack("{ss ss? sI}", "name", task_text(t, "name"), "room",
	                           task_text(t, "room"), "bans", (json_int_t)n),
	                 why);
}

static int close_room(struct admin_task *t, struct why *why)
{
	const char *reason;
	unsigned n;
	int r = read_reason(t, &reason, why);

	if (r)
		return r;
	n = hub_close_room(hub_of(t), task_text(t, "room"), reason);
	if (!n)
		return nobody(t, why);
	audit_of(t);
	return task_done(
	    t, json_pack("{ss sI}", "room", task_text(t, "room"), "connections", (json_int_t)n),
	    why);
}

/* A chat message whose name is empty, which nobody else's is. */
static int send_text(struct admin_task *t, struct why *why)
{
	const char *name = task_text(t, "name"), *room = task_text(t, "room"),
	           *text = task_text(t, "text");
	json_t *message;
	unsigned n = 0;
	int r = check_name(t, why);

	if (!r && !name && !room)
		r = why_set(why, -E_PARSE, "send: name a user, or the room for all in it");
	if (!r && (!*text || strlen(text) > TEXT_MAX))
		r = why_set(why, -E_PARSE, "send: the text has 1 to %d bytes", TEXT_MAX);
	if (r)
		return r;
	message = json_pack("{ss ss ss sI}", "type", "message", "name", "", "text", text, "date",
	                    (json_int_t)time(NULL) * 1000);
	r = message ? hub_say(hub_of(t), room, name, message, &n) : -E_NOMEM;
	json_decref(message);
	if (r)
		return why_set(why, r, "out of memory");
	if (!n)
		return nobody(t, why);
	audit_of(t);
	return done(t, n, why);
}

/* ---- the table ---- */

#define ARG_NAME(help_)                                                                            \
	ARG_AS("name", VERB_TEXT, ARG_REQUIRED | ARG_WORD, "NAME", help_),                         \
	    ARG_AS("room", VERB_TEXT, 0, "ROOM", "Only in this room")
#define ARG_REASON                                                                                 \
	ARG_AS("reason", VERB_TEXT, 0, "TEXT", "What they are told; a sentence if it is not given")
#define MEMBERS_OF                                                                                 \
	MEMBER("name", VERB_TEXT, "The name"),                                                     \
	    MEMBER_OR_NULL("room", VERB_TEXT, "The room, if one was named")
#define MEMBER_CONNECTIONS(help_) MEMBER("connections", VERB_INTEGER, help_)

static const struct verb_member device_members[] = {
    MEMBER("connection", VERB_INTEGER, "The id that the connection got"),
    MEMBER_OR_NULL("address", VERB_TEXT, "Where it comes from"),
    MEMBER("away", VERB_BOOLEAN, "Whether it was lost, and may come back"),
    MEMBER("calls", VERB_INTEGER, "Calls that it is in"),
    {0}};

const struct verb people_verbs[] = {
    {VERB("rooms", VERB_READS, VERB_NEEDS_SERVER, list_rooms,
          "List the signaling rooms that somebody is in"),
     .args = {ARGS_PAGE},
     .answer = MEMBERS({"rooms", VERB_ROWS, false, "By name",
                        MEMBERS(MEMBER("room", VERB_TEXT, "Its name"),
                                MEMBER("users", VERB_INTEGER, "Users who are there"),
                                MEMBER("connections", VERB_INTEGER, "Their connections"),
                                MEMBER("away", VERB_INTEGER,
                                       "Users who lost their connection and may come back"))},
                       MEMBER_NEXT),
     .text = {.list = "rooms",
              .head = "users  connections   away  room",
              .line = "{users,5} {connections,12} {away,6}  {room}",
              .none = "nobody is here",
              .example = "{\"limit\":10}"}},
    {VERB("people", VERB_READS, VERB_NEEDS_SERVER, list_people,
          "List the users who are in the signaling, and their devices"),
     .args = {ARG_AS("room", VERB_TEXT, 0, "ROOM", "Only in this room"), ARGS_PAGE},
     .answer = MEMBERS(
         {"people", VERB_ROWS, false, "By room and name",
          MEMBERS(MEMBER("room", VERB_TEXT, "The room"), MEMBER("name", VERB_TEXT, "The user"),
                  MEMBER("proven", VERB_BOOLEAN, "Whether a ticket proves the name"),
                  MEMBER_OR_NULL("sub", VERB_TEXT, "Who they are by their ticket"),
                  MEMBER("age_s", VERB_INTEGER, "Seconds since they joined"),
                  MEMBER("device_count", VERB_INTEGER, "How many devices they have"),
                  {"devices", VERB_ROWS, false, "Their connections", device_members})},
         MEMBER_NEXT),
     .text = {.list = "people",
              .head = "room                 name                     proven       since  devices",
              .line = "{room,-20} {name,-24} {?proven:yes|no }    {age_s:d,8} {device_count,8}",
              .none = "nobody is here",
              .example = "{\"room\":\"default\"}"}},
    {VERB("kick", VERB_ACTS, VERB_NEEDS_SERVER, kick,
          "End a user's signaling connections and calls. They may join again at once"),
     .args = {ARG_NAME("Whom"), ARG_REASON},
     .answer = MEMBERS(MEMBERS_OF, MEMBER_CONNECTIONS("Connections that were ended")),
     .text = {.say = "{name} is out: {connections} connection{connections:s} ended",
              .example = "{\"name\":\"mallory\",\"reason\":\"Be kind.\"}"}},
    {VERB("ban", VERB_ACTS, VERB_NEEDS_SERVER, ban,
          "Keep a user out for a time, and end their connections. A user with a ticket "
          "is banned by its sub; a guest by the name and by the addresses that they come from now"),
     .args = {ARG_NAME("Whom"), ARG_AS("for", VERB_DURATION, ARG_REQUIRED, "TIME", "How long"),
              ARG_REASON},
     .answer = MEMBERS(MEMBERS_OF, MEMBER_CONNECTIONS("Connections that were ended"),
                       MEMBER("until", VERB_TIME, "When it ends")),
     .text = {.say =
                  "{name} is banned until {until}: {connections} connection{connections:s} ended",
              .example = "{\"name\":\"mallory\",\"for\":600}"}},
    {VERB("unban", VERB_ACTS, VERB_NEEDS_SERVER, unban, "End the bans of a name"),
     .args = {ARG_NAME("Whom")},
     .answer = MEMBERS(MEMBERS_OF, MEMBER("bans", VERB_INTEGER, "Bans that were ended")),
     .text = {.say = "{name} is no longer banned", .example = "{\"name\":\"mallory\"}"}},
    {VERB("bans", VERB_READS, VERB_NEEDS_SERVER, list_bans,
          "List who is kept out of the signaling, and until when"),
     .answer = MEMBERS(
         {"bans", VERB_ROWS, false, "The latest last",
          MEMBERS(MEMBER_OR_NULL("room", VERB_TEXT, "The room; null: all"),
                  MEMBER("name", VERB_TEXT, "Whom it was spoken against"),
                  MEMBER("by", VERB_TEXT, "What it goes by: name, sub or address"),
                  MEMBER("key", VERB_TEXT, "The name as it is compared, the sub, or the address"),
                  MEMBER("until", VERB_TIME, "When it ends"))},
         MEMBER_NEXT),
     .text = {.list = "bans",
              .line = "{name}\t{?room:{room}|all rooms}\tby {by} {key}\tuntil {until}",
              .none = "nobody is banned"}},
    {VERB("send", VERB_ACTS, VERB_NEEDS_SERVER, send_text,
          "Send a chat message to a user, or to everybody in a room. It comes from the empty name, "
          "which no user can have"),
     .args = {ARG_AS("name", VERB_TEXT, ARG_WORD, "NAME", "Whom; without a name, the whole room"),
              ARG_AS("room", VERB_TEXT, 0, "ROOM", "Only in this room"),
              ARG_AS("text", VERB_TEXT, ARG_REQUIRED | ARG_WORD, "TEXT", "What")},
     .answer = MEMBERS(MEMBER_OR_NULL("name", VERB_TEXT, "The name, if one was given"),
                       MEMBER_OR_NULL("room", VERB_TEXT, "The room, if one was named"),
                       MEMBER_CONNECTIONS("Connections that it went to")),
     .text = {.say = "sent to {connections} connection{connections:s}",
              .example = "{\"room\":\"default\",\"text\":\"We close in five minutes.\"}"}},
    {VERB("room close", VERB_ACTS, VERB_NEEDS_SERVER, close_room,
          "End the connections and calls of everybody in a room. They may open it again"),
     .args = {ARG_AS("room", VERB_TEXT, ARG_REQUIRED | ARG_WORD, "ROOM", "Which"), ARG_REASON},
     .answer = MEMBERS(MEMBER("room", VERB_TEXT, "The room"),
                       MEMBER_CONNECTIONS("Connections that were ended")),
     .text = {.say = "the room {room} is closed: {connections} connection{connections:s} ended",
              .example = "{\"room\":\"default\"}"}},
    {0},
};
