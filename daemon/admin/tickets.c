/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Making tickets.
 */
#include "base/wall.h"
#include "daemon/admin/verb.h"
#include "daemon/issue/ticket.h"
#include "store/store.h"

#include <stdio.h>
#include <string.h>

/* The server's keys, or, where none runs, those of its store and configuration. */
struct keys {
	struct tickets *v, *own; /* own: NULL, or to be freed */
	struct wall wall;
};

static int keys_open(const struct admin_task *t, struct keys *keys, struct why *why)
{
	struct store_snapshot *snap;
	int r;

	*keys = (struct keys){.v = t->admin->tickets};
	if (keys->v)
		return 0;
	r = store_snapshot_load(t->store, &snap, why);
	if (r)
		return r;
	wall_set_floor(&keys->wall, store_now_s(t->store));
	keys->v = keys->own = tickets_new(&t->admin->live->conf, &keys->wall, t->store);
	r = keys->own ? tickets_set_keys(keys->own, snap, why)
	              : why_set(why, -E_NOMEM, "out of memory");
	store_snapshot_unref(snap);
	if (r)
		tickets_free(keys->own);
	return r;
}

static int make(struct admin_task *t, struct why *why)
{
	struct ticket_ask ask = {.name = task_text(t, "name"),
	                         .sub = task_text(t, "sub"),
	                         .room = task_text(t, "room"),
	                         .ttl_s = task_number(t, "ttl", 0)};
	const char *may = task_text(t, "may");
	struct ticket_made made;
	struct keys keys;
	char object[200];
	int r = 0;

	if (json_object_get(t->args, "ttl") && ask.ttl_s < 1)
		return why_set(why, -E_PARSE, "ticket: ttl is 1 or more seconds");
	if (may)
		r = ticket_may_parse(may, &ask.may, why);
	if (r || (r = keys_open(t, &keys, why)))
		return r;
	r = ticket_make(keys.v, &ask, &made, why);
	tickets_free(keys.own);
	if (r)
		return r;
	snprintf(object, sizeof(object), "%s%s%s", ask.name, ask.room ? " in room " : "",
	         ask.room ? ask.room : "");
	task_audit(t, "ticket", object);
	return task_done(t,
	                 json_pack("{ss ss so}", "ticket", made.text, "name", ask.name,
	                           "expires_at", json_time(made.expires_at_s)),
	                 why);
}

static int check(struct admin_task *t, struct why *why)
{
	struct hub_identity who;
	char may[TICKET_MAY_STRLEN];
	const char *reason = "";
	struct keys keys;
	int r = keys_open(t, &keys, why);

	if (r)
		return r;
	r = ticket_identify(keys.v, task_text(t, "ticket"), &who, &reason);
	tickets_free(keys.own);
	if (r)
		return why_set(why, r, "%s", reason);
	return task_done(t,
	                 json_pack("{so so ss? ss so}", "sub", json_shown(who.sub, strlen(who.sub)),
	                           "name", json_shown(who.name, strlen(who.name)), "room",
	                           who.any_room ? NULL : who.room, "may",
	                           ticket_may_text(who.may, may), "expires_at",
	                           json_time(who.exp_s)),
	                 why);
}

const struct verb tickets_verbs[] = {
    {VERB("ticket", VERB_ACTS, 0, make,
          "Make a ticket, which proves a user's name to the signaling server until it expires"),
     .args = {ARG("name", VERB_TEXT, ARG_REQUIRED | ARG_WORD, "The name that others see"),
              ARG("room", VERB_TEXT, 0, "The only room that it is good for; any if not given"),
              ARG_AS("ttl", VERB_DURATION, 0, "TIME",
                     "Seconds until it expires, up to max_ticket_ttl; ticket_ttl if it is not "
                     "given"),
              ARG("sub", VERB_TEXT, 0,
                  "The user's own identifier, which stays when the name changes: connections "
                  "with the same one are devices of one user; the name if it is not given"),
              ARG_AS("may", VERB_TEXT, 0, "RIGHTS",
                     "What the user may do: call, chat, list, open (a new room), or several with "
                     "commas between; all if it is not given")},
     .answer = MEMBERS(MEMBER("ticket", VERB_TEXT, "The ticket"),
                       MEMBER("name", VERB_TEXT, "The name that it proves"),
                       MEMBER("expires_at", VERB_TIME, "When it expires")),
     .text = {.say = "a ticket for {name}, until {expires_at}:",
              .print = "{ticket}",
              .example = "{\"name\":\"alice\",\"room\":\"stage\",\"ttl\":600}"}},
    {VERB("ticket-check", VERB_READS_ADMIN, 0, check,
          "Say what a ticket proves here, or why it is refused: for tickets that another program "
          "made"),
     .args = {ARG("ticket", VERB_SECRET, ARG_REQUIRED, "The ticket")},
     .answer = MEMBERS(MEMBER("sub", VERB_TEXT, "The user's own identifier"),
                       MEMBER("name", VERB_TEXT, "The name that others see"),
                       MEMBER_OR_NULL("room", VERB_TEXT, "The only room; null: any"),
                       MEMBER("may", VERB_TEXT, "What the user may do, with commas between"),
                       MEMBER("expires_at", VERB_TIME, "When it expires")),
     .text =
         {.example =
              "{\"ticket\":\"eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhbGljZSIsImV4cCI6MjAwMDAwMDAwMH0."
              "c2lnbmF0dXJl\"}",
          .print =
              "name {name}\nsub {sub}\nroom {?room:{room}|any}\nmay {?may:{may}|nothing}\nexpires "
              "{expires_at}"}},
    {0},
};
