/* SPDX-License-Identifier: BSD-3-Clause
 *
 * What an operator may do: see rooms and people, send to them, send them away, and keep them out
 * for a time.
 */
#include "base/error.h"
#include "signal/hub_internal.h"

#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#define BANS_MAX 4096

/* What a ban goes by. A guest's name is no person: their addresses are banned with it. */
enum ban_by { BAN_NAME, BAN_SUB, BAN_ADDRESS };

struct hub_ban {
	struct hub_ban *prev, *next;
	int64_t until_ms;
	enum ban_by by;
	char room[HUB_ROOM_MAX + 1]; /* "": all */
	char name[HUB_NAME_MAX + 1]; /* whom it was spoken against */
	char key[];                  /* a fold, a sub, or an address */
};

/* Calls on_user for those of that name, or all; in that room, or all. on_user may free the user. */
static void each_user(struct hub *h, const char *room_name, const char *name,
                      void (*on_user)(struct hub_user *user, void *ctx), void *ctx)
{
	struct hub_room *room, *next_room;
	struct hub_user *user, *next;

	HASH_ITER (hh, h->rooms, room, next_room) {
		if (room_name && strcmp(room->name, room_name) != 0)
			continue;
		if (name) {
			user = name_find(room, name);
			if (user)
				on_user(user, ctx);
			continue;
		}
		DL_FOREACH_SAFE(room->users, user, next)
		on_user(user, ctx);
	}
}

/* The sub of the ticket that has signed p in; NULL: none has. */
static const char *sub_of(const struct hub_member *p)
{
	return p->user && p->user->sub ? p->user->sub->text : p->sub;
}

json_t *hub_rooms(struct hub *h)
{
	json_t *list = json_array();
	struct hub_room *room, *next;

	HASH_ITER (hh, h->rooms, room, next) {
		unsigned users = 0, connections = 0;
		struct hub_user *user;

		DL_FOREACH (room->users, user) {
			users += user->present_n > 0;
			connections += user->present_n;
		}
		json_array_append_new(list,
		                      json_pack("{s:s,s:i,s:i,s:i}", "room", room->name, "users",
		                                (int)users, "connections", (int)connections, "away",
		                                (int)(room->user_n - users)));
	}
	return list;
}

static json_t *show_device(const struct hub_member *p)
{
	char address[ADDR_STRLEN] = "";

	if (addr_family(&p->client) == AF_INET || addr_family(&p->client) == AF_INET6)
		addr_format_ip(&p->client, address);
	return json_pack("{s:I,s:s,s:b,s:i}", "id", (json_int_t)p->id, "address", address, "away",
	                 p->away, "calls", (int)p->call_n);
}

static void show_user(struct hub_user *user, void *ctx)
{
	json_t *devices = json_array();
	struct hub_member *p;

	DL_FOREACH2(user->members, p, next_device)
	json_array_append_new(devices, show_device(p));
	json_array_append_new(
	    ctx,
	    json_pack(
	        "{s:s,s:s,s:b,s:s?,s:I,s:o}", "room", user->room->name, "name", user->name,
	        "proven", user->proven, "sub", sub_of(user->members), "seconds",
	        (json_int_t)(user->room->hub->ops.now_ms(user->room->hub->ctx) - user->since_ms) /
	            1000,
	        "devices", devices));
}

json_t *hub_people(struct hub *h, const char *room)
{
	json_t *list = json_array();

	each_user(h, room, NULL, show_user, list);
	return list;
}

/* Why connections are ended. */
struct dismissal {
	enum hub_close close;
	const char *code;
	const char *close_text; /* a constant: the binding sends it later */
	const char *reason;
	unsigned n; /* connections */
};

/* Neither comes back by its secret. */
static void dismiss_user(struct hub_user *user, void *ctx)
{
	struct dismissal *d = ctx;
	struct hub_member *p = user->members, *next;

	hub_report(p, (struct hub_event){.what = HUB_EVENT_KICKED, .reason = d->reason});
	for (; p; p = next) {
		next = p->next_device;
		resume_forget(p);
		d->n++;
		if (p->away) {
			resume_end(p);
			continue;
		}
		hub_error(p, d->code, d->reason);
		hub_close_member(p, d->close, d->close_text);
	}
}

unsigned hub_kick(struct hub *h, const char *room, const char *name, const char *reason)
{
	struct dismissal d = {.close = HUB_CLOSE_KICKED, .code = "kicked", .close_text = "kicked"};

	d.reason = reason ? reason : "The operator has sent you away.";

	each_user(h, room, name, dismiss_user, &d);
	presence_settle(h);
	return d.n;
}

unsigned hub_close_room(struct hub *h, const char *room, const char *reason)
{
	struct dismissal d = {
	    .close = HUB_CLOSE_ROOM_CLOSED, .code = "room-closed", .close_text = "room closed"};

	d.reason = reason ? reason : "The operator has closed the room.";
	each_user(h, room, NULL, dismiss_user, &d);
	presence_settle(h);
	return d.n;
}

unsigned hub_revoke(struct hub *h, bool (*whom)(void *ctx, int64_t key, const char *sub), void *ctx)
{
	struct hub_member *p, *next;
	unsigned n = 0;

	DL_FOREACH_SAFE(h->members, p, next)
	{
		if (!sub_of(p) || !p->ticket_key || !whom(ctx, p->ticket_key, sub_of(p)))
			continue;
		resume_forget(p);
		if (p->away) {
			resume_end(p);
			continue;
		}
		hub_error(p, "bad-ticket", "Your ticket was revoked.");
		hub_close_member(p, HUB_CLOSE_REVOKED, "ticket revoked");
		n++;
	}
	presence_settle(h);
	return n;
}

struct saying {
	struct hub_text *text;
	unsigned n;
};

static void say_to(struct hub_user *user, void *ctx)
{
	struct saying *s = ctx;
	struct hub_member *p;

	DL_FOREACH2(user->members, p, next_device)
	{
		if (!p->dialect) /* it would not know the message */
			s->n += !deliver(p, HUB_FRAME_SERVER, s->text);
	}
}

int hub_say(struct hub *h, const char *room, const char *name, const json_t *message, unsigned *n)
{
	char *dump = json_dumps(message, JSON_COMPACT);
	struct saying s = {.text = dump ? hub_text_new(dump, strlen(dump)) : NULL};
	int err = s.text ? 0 : -E_NOMEM;

	if (!err)
		each_user(h, room, name, say_to, &s);
	*n = s.n;
	hub_text_unref(s.text);
	free(dump);
	return err;
}

static void ban_free(struct hub *h, struct hub_ban *ban)
{
	DL_DELETE(h->bans, ban);
	h->ban_n--;
	free(ban);
}

void operator_free_bans(struct hub *h)
{
	while (h->bans)
		ban_free(h, h->bans);
}

static void end_bans(struct hub *h)
{
	int64_t now = h->ops.now_ms(h->ctx);
	struct hub_ban *ban, *next;

	DL_FOREACH_SAFE(h->bans, ban, next)
	{
		if (ban->until_ms <= now)
			ban_free(h, ban);
	}
}

/* A later one for the same takes the place of an earlier one. */
static int add_ban(struct hub *h, const struct hub_ban *like, const char *key)
{
	struct hub_ban *ban, *next;

	DL_FOREACH_SAFE(h->bans, ban, next)
	{
		if (ban->by == like->by && !strcmp(ban->room, like->room) && !strcmp(ban->key, key))
			ban_free(h, ban);
	}
	if (h->ban_n >= BANS_MAX)
		return -E_LIMIT;
	ban = calloc(1, sizeof(*ban) + strlen(key) + 1);
	if (!ban)
		return -E_NOMEM;
	*ban = *like;
	memcpy(ban->key, key, strlen(key) + 1);
	DL_APPEND(h->bans, ban);
	h->ban_n++;
	return 0;
}

/* The address, for IPv6 its /64. False: it is not known. */
static bool address_key(const struct addr *client, char key[ADDR_STRLEN])
{
	struct addr whole = *client;

	if (addr_family(client) != AF_INET && addr_family(client) != AF_INET6)
		return false;
	if (addr_family(client) == AF_INET6)
		memset(whole.in6.sin6_addr.s6_addr + 8, 0, 8);
	addr_format_ip(&whole, key);
	return true;
}

struct banning {
	struct hub_ban like;
	int err;
};

static void ban_user(struct hub_user *user, void *ctx)
{
	struct banning *b = ctx;
	const char *sub = sub_of(user->members);
	char key[ADDR_STRLEN];
	struct hub_member *p;

	b->like.by = sub ? BAN_SUB : BAN_ADDRESS;
	if (sub && !b->err)
		b->err = add_ban(user->room->hub, &b->like, sub);
	DL_FOREACH2(user->members, p, next_device)
	{
		if (!sub && !b->err && address_key(&p->client, key))
			b->err = add_ban(user->room->hub, &b->like, key);
	}
}

int hub_ban(struct hub *h, const char *room, const char *name, int64_t seconds, const char *reason,
            unsigned *n)
{
	struct dismissal d = {.close = HUB_CLOSE_BANNED, .code = "banned", .close_text = "banned"};
	struct banning b = {.like = {.until_ms = h->ops.now_ms(h->ctx) + seconds * 1000}};
	char fold[HUB_FOLD_MAX + 1];

	d.reason = reason ? reason : "The operator keeps you out for a time.";
	*n = 0;
	if ((room && !hub_room_name_is_good(room) && !room_find(h, room)) ||
	    !fold_name(name, fold) || seconds <= 0)
		return -E_INVAL;
	if (room)
		memcpy(b.like.room, room, strlen(room) + 1);
	memcpy(b.like.name, name, strlen(name) + 1);
	end_bans(h);
	b.err = add_ban(h, &b.like, fold);
	if (!b.err)
		each_user(h, room, name, ban_user, &b);
	each_user(h, room, name, dismiss_user, &d);
	*n = d.n;
	presence_settle(h);
	return b.err;
}

unsigned hub_unban(struct hub *h, const char *room, const char *name)
{
	struct hub_ban *ban, *next;
	unsigned n = 0;

	end_bans(h);
	DL_FOREACH_SAFE(h->bans, ban, next)
	{
		if (strcmp(ban->name, name) != 0 || strcmp(ban->room, room ? room : "") != 0)
			continue;
		ban_free(h, ban);
		n++;
	}
	return n;
}

static const char *const by_names[] = {"name", "sub", "address"};

json_t *hub_bans(const struct hub *h)
{
	json_t *list = json_array();
	int64_t now = h->ops.now_ms(h->ctx);
	struct hub_ban *ban;

	DL_FOREACH (h->bans, ban) {
		if (ban->until_ms <= now)
			continue;
		json_array_append_new(
		    list, json_pack("{s:s*,s:s,s:s,s:s,s:I}", "room", *ban->room ? ban->room : NULL,
		                    "name", ban->name, "by", by_names[ban->by], "key",
		                    ban->by == BAN_NAME ? ban->name : ban->key, "seconds",
		                    (json_int_t)(ban->until_ms - now + 999) / 1000));
	}
	return list;
}

int operator_load_bans(struct hub *h, const json_t *list)
{
	int64_t now = h->ops.now_ms(h->ctx);
	json_t *saved;
	size_t i;
	int err = 0;

	json_array_foreach (list, i, saved) {
		struct hub_ban like = {.until_ms = 0};
		const char *room = "", *name, *by, *key;
		char fold[HUB_FOLD_MAX + 1];
		json_int_t seconds;

		if (json_unpack(saved, "{s?s,s:s,s:s,s:s,s:I}", "room", &room, "name", &name, "by",
		                &by, "key", &key, "seconds", &seconds) ||
		    strlen(room) > HUB_ROOM_MAX || strlen(name) > HUB_NAME_MAX || !*key)
			return -E_CORRUPT;
		while (like.by <= BAN_ADDRESS && strcmp(by, by_names[like.by]) != 0)
			like.by++;
		if (like.by > BAN_ADDRESS)
			return -E_CORRUPT;
		memcpy(like.room, room, strlen(room) + 1);
		memcpy(like.name, name, strlen(name) + 1);
		seconds = resume_number(saved, "seconds");
		like.until_ms = now + seconds * 1000;
		if (like.by == BAN_NAME && !fold_name(key, fold))
			return -E_CORRUPT;
		if (seconds > 0 && !err)
			err = add_ban(h, &like, like.by == BAN_NAME ? fold : key);
	}
	return err;
}

bool operator_bans(struct hub_member *p, const char *room, const char *name, const char *sub)
{
	struct hub *h = p->hub;
	char keys[BAN_ADDRESS + 1][HUB_FOLD_MAX + 1] = {""};
	struct hub_ban *ban;

	if (!h->bans)
		return false;
	end_bans(h);
	if (!sub) {
		fold_name(name ? name : "", keys[BAN_NAME]);
		address_key(&p->client, keys[BAN_ADDRESS]);
	} else if (strlen(sub) <= HUB_SUB_MAX) {
		memcpy(keys[BAN_SUB], sub, strlen(sub) + 1);
	}
	DL_FOREACH (h->bans, ban) {
		if ((!*ban->room || !strcmp(ban->room, room)) && !strcmp(ban->key, keys[ban->by]))
			return true;
	}
	return false;
}
