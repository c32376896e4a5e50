/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Signing in: the message "username". It says a room, a name or a ticket that proves one, and the
 * secret of an earlier connection; the client gets a user in the room, or one reason why not.
 */
#include "base/error.h"
#include "signal/dialect.h"
#include "signal/hub_internal.h"

#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#define DEVICES_MAX 16 /* of one user */
#define RENAME_MS   1000
#define TYPE        "username"

bool signin_refuse(struct hub_member *p, const char *code, const char *message)
{
	if (p->dialect)
		dialect_refuse(p, code, message);
	else
		hub_error_for(p, code, message, TYPE, NULL);
	return false;
}

bool signin_refuse_memory(struct hub_member *p)
{
	return signin_refuse(p, "out-of-memory", "The server is out of memory.");
}

/* What says that a client knows more than MDN's protocol. */
static void note_kind(struct hub_member *p, const json_t *json)
{
	static const char *const extended[] = {"room", "ticket", "seen", "presence", "ack"};
	const char *presence = json_string_value(json_object_get(json, "presence"));

	for (size_t i = 0; i < sizeof(extended) / sizeof(*extended); i++)
		p->extended = p->extended || json_object_get(json, extended[i]);
	if (presence)
		p->delta = !strcmp(presence, "delta");
}

static bool read_room(struct hub_member *p, const json_t *json, struct signin_wish *w)
{
	const json_t *room = json_object_get(json, "room");
	const char *own = p->user ? p->user->room->name : p->wanted_room;

	w->room = own;
	if (!room || json_is_null(room))
		return true;
	w->room = json_string_value(room);
	if (!w->room || !hub_room_name_is_good(w->room))
		return signin_refuse(p, "bad-room",
		                     "A room's name is 1 to 64 characters of A-Z a-z 0-9 . _ ~ -");
	if (*own && strcmp(own, w->room) != 0)
		return signin_refuse(p, "bad-room",
		                     p->user
		                         ? "You are in another room. Open another connection."
		                         : "The address of this connection names another room.");
	return true;
}

/* 0, also without a ticket, or an error code with a reason. */
static int read_ticket(struct hub_member *p, const json_t *json, struct signin_wish *w,
                       const char **why)
{
	const json_t *said = json_object_get(json, "ticket");
	const char *ticket = said && !json_is_null(said) ? json_string_value(said) : p->ticket;
	struct hub *h = p->hub;
	int err;

	*why = "The ticket is not valid.";
	if (!ticket)
		return said && !json_is_null(said) ? -E_INVAL : 0;
	if (!h->ops.identify)
		return -E_UNSUPPORTED;
	err = h->ops.identify(h->ctx, ticket, &w->identity, why);
	if (err)
		return err;
	if (!w->identity.any_room && *w->room && strcmp(w->room, w->identity.room) != 0) {
		*why = "The ticket is not for this room.";
		return -E_DENIED;
	}
	if (!w->identity.any_room)
		w->room = w->identity.room;
	w->proven = true;
	return 0;
}

static bool is_welcome(struct hub_member *p, const struct signin_wish *w)
{
	if (!operator_bans(p, w->room, w->name, w->proven ? w->identity.sub : NULL))
		return true;
	signin_refuse(p, "banned", "The operator keeps you out for a time.");
	hub_close_member(p, HUB_CLOSE_BANNED, "banned");
	return false;
}

static const char *default_room(const struct hub_member *p)
{
	return p->dialect ? p->dialect->room : HUB_DEFAULT_ROOM;
}

static bool may_open(struct hub_member *p, const struct signin_wish *w)
{
	const struct hub_conf *conf = &p->hub->conf;
	bool names_it = w->proven && !w->identity.any_room;

	if (strcmp(w->room, default_room(p)) != 0 && !conf->guest_rooms && !names_it &&
	    !(w->proven && (w->identity.may & HUB_MAY_OPEN)))
		return signin_refuse(p, "not-allowed",
		                     "There is no such room, and you may not open one.");
	if (p->prefix && p->prefix->rooms >= conf->rooms_per_address)
		return signin_refuse(p, "too-many-rooms", "Your network has too many rooms open.");
	return true;
}

bool signin_opens(struct hub_member *p, const struct signin_wish *w)
{
	return (!p->dialect || p->dialect->room) && !room_find(p->hub, w->room);
}

static bool may_add_device(struct hub_member *p, const struct hub_user *user)
{
	return !user || user == p->user || user->member_n < DEVICES_MAX ||
	       signin_refuse(p, "not-allowed", "You have too many devices in this room.");
}

bool signin_may_enter(struct hub_member *p, const struct signin_wish *w)
{
	struct hub_room *room = room_find(p->hub, w->room);
	struct hub_user *user;

	if (!p->dialect && !p->hub->conf.default_room && !strcmp(w->room, HUB_DEFAULT_ROOM))
		return signin_refuse(p, "bad-room",
		                     "This server has no default room. Name a room.");
	if (!is_welcome(p, w))
		return false;
	if (!w->proven && !p->hub->conf.guests)
		return signin_refuse(p, "ticket-needed", "This server needs a ticket.");
	if (!room)
		return !signin_opens(p, w) || may_open(p, w);
	user = w->proven ? name_find_sub(room, w->identity.sub) : NULL;
	if (!may_add_device(p, user))
		return false;
	if (!user && room->user_n >= p->hub->conf.room_users)
		return signin_refuse(p, "room-full", "The room is full.");
	return true;
}

static json_t *name_message(const struct hub_member *p)
{
	return json_pack("{s:I,s:s,s:s}", "id", (json_int_t)p->id, "type", "rejectusername", "name",
	                 p->user->name);
}

static void tell_signed_in(struct hub_member *p, bool resumed)
{
	static const struct {
		unsigned bit;
		const char *name;
	} rights[] = {{HUB_MAY_CALL, "call"}, {HUB_MAY_CHAT, "chat"}, {HUB_MAY_LIST, "list"}};
	json_t *may = json_array();

	for (size_t i = 0; i < sizeof(rights) / sizeof(*rights); i++) {
		if (p->may & rights[i].bit)
			json_array_append_new(may, json_string(rights[i].name));
	}
	resume_describe(p, resumed,
	                json_pack("{s:s,s:I,s:s,s:s,s:b,s:o}", "type", "signed-in", "id",
	                          (json_int_t)p->id, "name", p->user->name, "room",
	                          p->user->room->name, "proven", p->user->proven, "may", may));
}

static bool knows_name(const struct hub_member *p, const struct signin_wish *w)
{
	return w->name ? !strcmp(w->name, p->user->name) : p->extended;
}

/* The last step, whatever the way here. from: the name that p had in this room before, or NULL. */
static void welcome(struct hub_member *p, const struct signin_wish *w, const char *from,
                    bool resumed)
{
	struct hub_room *room = p->user->room;
	bool is_new = !from && !resumed && p->user->member_n == 1;
	bool renamed = from && strcmp(from, p->user->name) != 0;

	if (!resumed && !p->may_given && (!from || w->proven))
		p->may = w->proven ? w->identity.may : p->hub->conf.guest_may;
	if (w->proven)
		p->ticket_key = w->identity.key;
	if (is_new && !room->opened)
		hub_report(p, (struct hub_event){.what = HUB_EVENT_ROOM_OPENED});
	room->opened = true;
	if (is_new || renamed)
		hub_report(
		    p, (struct hub_event){.what = HUB_EVENT_NAMED, .from = renamed ? from : NULL});
	if (!knows_name(p, w))
		hub_send_json(p, name_message(p));
	if (p->extended)
		tell_signed_in(p, resumed || from);
	if (resumed)
		deliver_again(p);
	if (renamed)
		call_renamed(p, from);
	presence_due(p);
}

/* By a ticket: their own, shown by another device, or that of the owner of their name. */
static int rename_others(struct hub_user *user, const char *name, const struct hub_member *but)
{
	char from[HUB_NAME_MAX + 1];
	struct hub_member *p;
	int err;

	memcpy(from, user->name, sizeof(from));
	err = name_change(user, name);
	if (err || !strcmp(name, from))
		return err;
	hub_report(user->members, (struct hub_event){.what = HUB_EVENT_NAMED, .from = from});
	DL_FOREACH2(user->members, p, next_device)
	{
		if (p == but)
			continue;
		deliver_json(p, name_message(p));
		call_renamed(p, from);
	}
	return 0;
}

/* A guest who has the name that a ticket proves makes way for its owner. */
static int make_way(struct hub_user *guest)
{
	char name[HUB_NAME_MAX + 1];

	memcpy(name, guest->name, sizeof(name));
	name_pick(guest->room, NULL, name);
	return rename_others(guest, name, NULL);
}

/* The name that a ticket is for. Another device of the same person may be there already. */
static int take_proven(struct hub_member *p, struct hub_room *room, const struct hub_identity *who)
{
	char clean[HUB_NAME_MAX + 1], name[HUB_NAME_MAX + 1];
	struct hub_user *holder, *same = name_find_sub(room, who->sub);
	int err = 0;

	if (!fold_clean(who->name, clean))
		return -E_INVAL;
	if (same && same != p->user)
		name_join(p, same);
	holder = name_find(room, clean);
	if (holder && holder != p->user && !holder->proven)
		err = make_way(holder);
	memcpy(name, clean, sizeof(name));
	name_pick(room, p->user, name);
	if (!err && same)
		err = rename_others(same, name, p);
	else if (!err)
		err = name_give(p, room, name);
	if (!err)
		err = name_set_sub(p->user, who->sub);
	if (err)
		return err;
	if (p->user->proven != !strcmp(name, clean))
		presence_facts_changed(p->user);
	p->user->proven = !strcmp(name, clean);
	return 0;
}

static int take_wanted(struct hub_member *p, struct hub_room *room, const struct signin_wish *w)
{
	char name[HUB_NAME_MAX + 1];

	const char *wanted = w->fixed ? w->identity.name : w->name;

	if (!wanted || !fold_clean(wanted, name))
		return -E_INVAL;
	name_pick(room, p->user, name);
	return name_give(p, room, name);
}

bool signin_refuse_name(struct hub_member *p, int err)
{
	if (err == -E_NOMEM)
		return signin_refuse_memory(p);
	return signin_refuse(p, "bad-name", "A name needs at least one printable character.");
}

void signin_enter(struct hub_member *p, const struct signin_wish *w)
{
	struct hub_room *room;
	int err;

	if (p->dialect) {
		dialect_enter(p, w);
		return;
	}
	room = room_open(p, w->room);
	if (!room) {
		signin_refuse_memory(p);
		return;
	}
	err = w->proven ? take_proven(p, room, &w->identity) : take_wanted(p, room, w);
	if (!err) {
		p->user->fixed = w->fixed;
		free(p->ticket);
		p->ticket = NULL;
		welcome(p, w, NULL, false);
		return;
	}
	if (p->user)
		name_release(p); /* and the room, if it has nobody else */
	else
		room_tidy(room);
	signin_refuse_name(p, err);
}

/* Each change goes to everybody in the room. */
static bool may_rename(struct hub_member *p, const char *name)
{
	int64_t now = p->hub->ops.now_ms(p->hub->ctx);

	if (!strcmp(name, p->user->name))
		return true;
	if (now < p->rename_due_ms)
		return signin_refuse(p, "rate-limited", "A name changes at most once a second.");
	if (!charge_rename(p))
		return signin_refuse(p, "rate-limited", "Too many changes at once.");
	p->rename_due_ms = now + RENAME_MS;
	return true;
}

static void rename_guest(struct hub_member *p, const struct signin_wish *w)
{
	char from[HUB_NAME_MAX + 1], name[HUB_NAME_MAX + 1];
	int err;

	memcpy(from, p->user->name, sizeof(from));
	memcpy(name, from, sizeof(name));
	if (!p->user->sub && !p->user->fixed) { /* else the name is not theirs to choose */
		if (!w->name || !fold_clean(w->name, name)) {
			signin_refuse_name(p, -E_INVAL);
			return;
		}
		name_pick(p->user->room, p->user, name);
	}
	if (!may_rename(p, name))
		return;
	err = name_give(p, p->user->room, name);
	if (err)
		signin_refuse_name(p, err);
	else
		welcome(p, w, from, false);
}

/* Somebody who is in a room shows a ticket. */
static void become_proven(struct hub_member *p, const struct signin_wish *w)
{
	char from[HUB_NAME_MAX + 1];
	int err;

	if (p->user->fixed && !p->user->sub) { /* another person than the one who was let in */
		signin_refuse(p, "refused", "Show the ticket when you join.");
		return;
	}
	if (p->user->sub && strcmp(p->user->sub->text, w->identity.sub) != 0) {
		signin_refuse(p, "bad-ticket", "This connection is signed in by another ticket.");
		return;
	}
	if (!may_add_device(p, name_find_sub(p->user->room, w->identity.sub)))
		return;
	memcpy(from, p->user->name, sizeof(from));
	err = may_rename(p, w->identity.name) ? take_proven(p, p->user->room, &w->identity) : 1;
	if (err < 0)
		signin_refuse_name(p, err);
	else if (!err)
		welcome(p, w, from, false);
}

/* Somebody who comes back may want another name by now; the one that was made of theirs is none. */
static bool wants_other(const struct hub_member *p, const struct signin_wish *w)
{
	char clean[HUB_NAME_MAX + 1];

	return w->name && *w->name && fold_clean(w->name, clean) &&
	       !name_is_variant(p->user->name, clean);
}

static bool come_back(struct hub_member *p, const struct hub_message *m,
                      const struct signin_wish *w)
{
	const char *room = p->user ? p->user->room->name : w->room;

	if (!resume_take_over(p, room, m))
		return false;
	welcome(p, w, NULL, true);
	if (wants_other(p, w) && is_welcome(p, w))
		rename_guest(p, w);
	return true;
}

int signin_load(struct hub_member *p, const char *room_name, const char *name, const char *sub,
                bool proven, bool fixed)
{
	char clean[HUB_NAME_MAX + 1];
	struct hub_room *room;
	struct hub_user *same;
	int err = 0;

	if (!hub_room_name_is_good(room_name) || !fold_clean(name, clean))
		return -E_CORRUPT;
	room = room_open(p, room_name);
	if (!room)
		return -E_NOMEM;
	room->opened = true;
	same = sub ? name_find_sub(room, sub) : NULL;
	if (same) {
		name_join(p, same);
		return 0;
	}
	name_pick(room, NULL, clean);
	err = name_give(p, room, clean);
	if (err) {
		room_tidy(room);
		return err;
	}
	p->user->proven = proven;
	p->user->fixed = fixed;
	return sub ? name_set_sub(p->user, sub) : 0;
}

void signin_on_username(struct hub_member *p, const struct hub_message *m)
{
	struct signin_wish w = {.name = json_string_value(json_object_get(m->json, "name"))};
	const char *why;
	int err;

	note_kind(p, m->json);
	if (!read_room(p, m->json, &w))
		return;
	err = read_ticket(p, m->json, &w, &why);
	if (!*w.room)
		w.room = HUB_DEFAULT_ROOM;
	if (come_back(p, m, &w)) /* with its secret: it needs no ticket any more */
		return;
	if (err)
		signin_refuse(p, "bad-ticket", why);
	else if (p->user && !is_welcome(p, &w))
		return;
	else if (p->user && w.proven)
		become_proven(p, &w);
	else if (p->user)
		rename_guest(p, &w);
	else if (!signin_may_enter(p, &w))
		return;
	else if (p->hub->ops.admit)
		admit_ask(p, m, &w);
	else
		signin_enter(p, &w);
}
