/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Making tickets.
 */
#include "base/wall.h"
#include "daemon/admin/verb.h"
#include "daemon/issue/ticket.h"
#include "store/store.h"

#include <stdio.h>

/* Without a server: with the keys of the store. */
static int make_here(struct admin_task *t, const struct ticket_ask *ask, struct ticket_made *made,
                     struct why *why)
{
	struct store_snapshot *snap = NULL;
	struct tickets *tickets;
	struct wall wall = {0};
	int r = store_snapshot_load(t->store, &snap, why);

	if (r)
		return r;
	wall_set_floor(&wall, store_now_s(t->store));
	tickets = tickets_new(&t->admin->live->conf, &wall, t->store);
	r = tickets ? tickets_set_keys(tickets, snap, why)
	            : why_set(why, -E_NOMEM, "out of memory");
	if (!r)
		r = ticket_make(tickets, ask, made, why);
	tickets_free(tickets);
	store_snapshot_unref(snap);
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
	char object[200];
	int r = 0;

	if (json_object_get(t->args, "ttl") && ask.ttl_s < 1)
		return why_set(why, -E_PARSE, "ticket: ttl is 1 or more seconds");
	if (may)
		r = ticket_may_parse(may, &ask.may, why);
	if (!r)
		r = t->admin->tickets ? ticket_make(t->admin->tickets, &ask, &made, why)
		                      : make_here(t, &ask, &made, why);
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
    {0},
};
