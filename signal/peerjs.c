/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The signaling of PeerJS (peerjs-server): a member has an id, and sends to others by theirs. Each
 * key of the clients is a room of its own, "peerjs:KEY", which no other dialect reaches.
 */
#include "base/error.h"
#include "signal/dialect.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#define ROOM_PREFIX  "peerjs:"
#define KEY_MAX      (HUB_ROOM_MAX - (sizeof(ROOM_PREFIX) - 1))
#define TOKEN_MAX    64
#define LETTERS_MAX  1024  /* that wait in the hub */
#define LETTERS_OF   32    /* of one sender */
#define LETTER_MS    5000  /* peerjs-server's own */
#define TICKET_START "eyJ" /* of a JWT: a JSON object in base64 */

struct own {
	char token[TOKEN_MAX + 1]; /* proves that a new connection is the old one; "": does not */
	char id[HUB_NAME_MAX + 1]; /* that it wants */
	unsigned letter_n;
};

/* A message for somebody who is not there yet. */
struct hub_letter {
	struct hub_letter *prev, *next; /* by due_ms */
	struct hub_member *from;        /* it does not outlive them */
	int64_t due_ms;
	char to[HUB_NAME_MAX + 1];
	struct hub_text *text;
};

static struct own *own_of(const struct hub_member *p)
{
	return p->own;
}

static void peerjs_refuse(struct hub_member *p, const char *code, const char *message)
{
	const char *type = !strcmp(code, "id-taken") ? "ID-TAKEN" : "ERROR";

	hub_send_json(p, json_pack("{s:s,s:{s:s}}", "type", type, "payload", "msg", message));
}

static void letter_free(struct hub *h, struct hub_letter *l)
{
	own_of(l->from)->letter_n--;
	DL_DELETE(h->letters, l);
	h->letter_n--;
	hub_text_unref(l->text);
	free(l);
}

/* As peerjs-server says it: in the name of the one who does not come. */
static void expire(struct hub_member *p, const char *absent)
{
	hub_send_json(p, json_pack("{s:s,s:s,s:s}", "type", "EXPIRE", "src", absent, "dst",
	                           hub_member_name(p)));
}

static void hand_over_letters(struct hub_member *p)
{
	struct hub *h = p->hub;
	struct hub_letter *l, *tmp;

	DL_FOREACH_SAFE(h->letters, l, tmp)
	{
		if (!l->from->user || l->from->user->room != p->user->room ||
		    name_find(p->user->room, l->to) != p->user)
			continue;
		if (hub_send_text(p, HUB_FRAME_PASSED, l->text))
			expire(l->from, l->to);
		letter_free(h, l);
	}
}

static int keep_letter(struct hub_member *p, const char *to, struct hub_text *text)
{
	struct hub *h = p->hub;
	struct hub_letter *l;

	if (h->letter_n >= LETTERS_MAX || own_of(p)->letter_n >= LETTERS_OF)
		return -E_LIMIT;
	l = calloc(1, sizeof(*l));
	if (!l)
		return -E_NOMEM;
	l->from = p;
	l->due_ms = h->ops.now_ms(h->ctx) + LETTER_MS;
	l->text = hub_text_ref(text);
	memcpy(l->to, to, strlen(to) + 1);
	DL_APPEND(h->letters, l);
	h->letter_n++;
	own_of(p)->letter_n++;
	hub_wake_by(h, l->due_ms);
	return 0;
}

int64_t peerjs_due(struct hub *h, int64_t now_ms)
{
	while (h->letters && h->letters->due_ms <= now_ms) {
		expire(h->letters->from, h->letters->to);
		letter_free(h, h->letters);
	}
	return h->letters ? h->letters->due_ms : -1;
}

/* The same client, by its token, or the same person; or the id is one that a ticket proves, and a
 * guest has it. */
static bool may_take_over(const struct hub_member *p, const struct hub_member *old,
                          const struct signin_wish *w)
{
	if (old->sub)
		return w->proven && !strcmp(old->sub, w->identity.sub);
	return w->proven || (*own_of(p)->token &&
	                     !sodium_memcmp(own_of(p)->token, own_of(old)->token, TOKEN_MAX));
}

/* The id is the name: exactly as it is wanted, or not at all. 0, -E_EXISTS, -E_INVAL, -E_NOMEM. */
static int take_id(struct hub_member *p, struct hub_room *room, const struct signin_wish *w)
{
	struct hub_user *holder = name_find(room, own_of(p)->id);
	struct hub_member *old = holder ? holder->members : NULL;
	char clean[HUB_NAME_MAX + 1];

	if (!fold_clean(own_of(p)->id, clean) || strcmp(clean, own_of(p)->id) != 0)
		return -E_INVAL;
	if (!holder)
		return name_give(p, room, clean);
	if (!may_take_over(p, old, w))
		return -E_EXISTS;
	name_join(p, holder);
	name_release(old);
	hub_close_member(old, HUB_CLOSE_REPLACED, "replaced by a new connection");
	return name_change(holder, clean);
}

static void welcome(struct hub_member *p, const struct signin_wish *w)
{
	struct hub_room *room = p->user->room;

	p->user->proven = w->proven;
	if (!room->opened)
		hub_report(p, (struct hub_event){.what = HUB_EVENT_ROOM_OPENED});
	room->opened = true;
	hub_report(p, (struct hub_event){.what = HUB_EVENT_NAMED});
	hub_send_json(p, json_pack("{s:s}", "type", "OPEN"));
	hand_over_letters(p);
}

static void peerjs_enter(struct hub_member *p, const struct signin_wish *w)
{
	struct hub_room *room;
	int err = -E_DENIED;

	if (!w->fixed || !strcmp(w->identity.name, own_of(p)->id)) {
		room = room_open(p, w->room);
		err = room ? take_id(p, room, w) : -E_NOMEM;
		if (room)
			room_tidy(room);
	}
	switch (err) {
	case 0:
		welcome(p, w);
		return;
	case -E_EXISTS:
		signin_refuse(p, "id-taken", "ID is taken");
		return;
	case -E_DENIED:
		signin_refuse(p, "refused", "This id is not for you.");
		return;
	case -E_INVAL:
		signin_refuse(p, "bad-name", "This id has characters that no name may have.");
		return;
	default:
		signin_refuse_memory(p);
	}
}

static bool is_complete(struct hub_member *p, const struct hub_visit *visit)
{
	if (!visit->id || !*visit->id || !visit->token || !*visit->token)
		return signin_refuse(p, "bad-request",
		                     "No id, token, or key supplied to websocket server");
	if (!visit->key || !hub_room_name_is_good(visit->key) || strlen(visit->key) > KEY_MAX)
		return signin_refuse(p, "bad-request", "Invalid key provided");
	if (strlen(visit->id) > HUB_NAME_MAX)
		return signin_refuse(p, "bad-name", "An id has at most 64 bytes.");
	return true;
}

/* A ticket comes as the token: PeerJS has no other place for one. */
static void peerjs_join(struct hub_member *p, const struct hub_visit *visit)
{
	char room[HUB_ROOM_MAX + 1];
	struct own *own = own_of(p);
	struct signin_wish w = {.room = room, .name = own->id};
	const char *ticket = visit->ticket;

	if (!is_complete(p, visit))
		return;
	snprintf(room, sizeof(room), ROOM_PREFIX "%s", visit->key);
	memcpy(own->id, visit->id, strlen(visit->id) + 1);
	if (!strncmp(visit->token, TICKET_START, sizeof(TICKET_START) - 1))
		ticket = visit->token;
	else if (strlen(visit->token) <= TOKEN_MAX)
		memcpy(own->token, visit->token, strlen(visit->token) + 1);
	if (!dialect_identify(p, ticket, &w))
		return;
	if (w.proven && ((!w.identity.any_room && strcmp(w.identity.room, visit->key) != 0) ||
	                 strcmp(w.identity.name, own->id) != 0))
		signin_refuse(p, "bad-ticket", "The ticket is for another id or key.");
	else
		dialect_sign_in(p, &w);
}

static const struct passed {
	const char *type;
	enum hub_event_what what;
	bool waits; /* for somebody who is not there */
} passed[] = {{"OFFER", HUB_EVENT_OFFER, true},
              {"ANSWER", HUB_EVENT_ANSWER, true},
              {"CANDIDATE", HUB_EVENT_CANDIDATE, true},
              {"LEAVE", HUB_EVENT_HANG_UP, false}};

/* With its sender's id, whatever the client wrote. NULL when out of memory. */
static struct hub_text *stamp(struct hub_member *p, json_t *m)
{
	struct hub_text *text = NULL;
	char *dump = NULL;

	if (!json_object_set_new(m, "src", json_string(p->user->name)))
		dump = json_dumps(m, JSON_COMPACT);
	if (dump)
		text = hub_text_new(dump, strlen(dump));
	free(dump);
	return text;
}

/* To somebody who is there; else it waits, and EXPIRE says when that was in vain. */
static void pass_to(struct hub_member *p, const struct passed *kind, const char *to,
                    const struct hub_message *m)
{
	struct hub_user *user = name_find(p->user->room, to);
	struct hub_member *there = user && !user->members->closing ? user->members : NULL;
	struct hub_text *text;
	int err = -E_NOMEM;

	hub_report(p, (struct hub_event){
	                  .what = kind->what, .target = to, .text = m->text, .len = m->len});
	if (!there)
		hub_report(p, (struct hub_event){.what = HUB_EVENT_UNREACHED, .target = to});
	text = there || kind->waits ? stamp(p, m->json) : NULL;
	if (text)
		err =
		    there ? hub_send_text(there, HUB_FRAME_PASSED, text) : keep_letter(p, to, text);
	if (err && (there || kind->waits))
		expire(p, to);
	hub_text_unref(text);
}

static void peerjs_object(struct hub_member *p, const struct hub_message *m)
{
	const char *to = json_string_value(json_object_get(m->json, "dst"));

	if (!p->user || !strcmp(m->type, "HEARTBEAT"))
		return;
	for (size_t i = 0; to && i < sizeof(passed) / sizeof(*passed); i++) {
		if (strcmp(passed[i].type, m->type) != 0)
			continue;
		if (strlen(to) <= HUB_NAME_MAX)
			pass_to(p, &passed[i], to, m);
		else if (passed[i].waits) /* nobody has such an id */
			expire(p, to);
		return;
	}
	if (!to && !strcmp(m->type, "LEAVE"))
		hub_close_member(p, HUB_CLOSE_NORMAL, "left");
	else
		hub_error_for(p, "bad-message", "PeerJS has no message like this.", m->type, NULL);
}

static void peerjs_leave(struct hub_member *p)
{
	struct hub_letter *l, *tmp;

	DL_FOREACH_SAFE(p->hub->letters, l, tmp)
	{
		if (l->from == p)
			letter_free(p->hub, l);
	}
}

const struct hub_dialect hub_peerjs = {
    .path = "/peerjs",
    .room = ROOM_PREFIX "peerjs",
    .own_bytes = sizeof(struct own),
    .join = peerjs_join,
    .enter = peerjs_enter,
    .refuse = peerjs_refuse,
    .object = peerjs_object,
    .leave = peerjs_leave,
};
