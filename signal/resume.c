/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Coming back: a client that has lost its connection, or whose page was loaded again, shows the
 * secret that it gave with its name. Until then, or until its time is up, it is away.
 */
#include "base/error.h"
#include "signal/hub_internal.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#define AWAY_PART     8     /* of max_connections may be away, above it */
#define RELOAD_MS     10000 /* a browser has closed the page, or loads it again */
#define SAVED_VERSION 1
#define NUMBER_MAX    (INT64_C(1) << 53)

_Static_assert(HUB_SECRET_BYTES == crypto_generichash_BYTES, "a digest of libsodium's");

static bool is_secret(const json_t *resume)
{
	size_t len = json_string_length(resume);

	return len >= HUB_RESUME_MIN && len <= HUB_RESUME_MAX;
}

/* The hub does not keep the secret itself. The same client has one for all of its rooms. */
static void digest(const char *room, const json_t *resume, uint8_t out[HUB_SECRET_BYTES])
{
	crypto_generichash_state state;

	crypto_generichash_init(&state, NULL, 0, HUB_SECRET_BYTES);
	crypto_generichash_update(&state, (const unsigned char *)room, strlen(room) + 1);
	crypto_generichash_update(&state, (const unsigned char *)json_string_value(resume),
	                          json_string_length(resume));
	crypto_generichash_final(&state, out, HUB_SECRET_BYTES);
}

/* The table compares digests in variable time: of a digest, nothing can be learnt by that. */
static struct hub_member *find_secret(struct hub *h, const uint8_t secret[HUB_SECRET_BYTES])
{
	struct hub_member *p;

	HASH_FIND(by_secret, h->secrets, secret, HUB_SECRET_BYTES, p);
	return p;
}

void resume_forget(struct hub_member *p)
{
	if (p->has_secret)
		HASH_DELETE(by_secret, p->hub->secrets, p);
	p->has_secret = false;
}

/* Without memory it has no way back, and nothing else comes of it. */
static void note_secret(struct hub_member *p, const uint8_t secret[HUB_SECRET_BYTES])
{
	resume_forget(p);
	memcpy(p->secret, secret, HUB_SECRET_BYTES);
	p->has_secret = !TABLE_ADD(by_secret, p->hub->secrets, secret, sizeof(p->secret), p);
}

/* The closes after which a client may not come back by its secret. */
static bool is_final(unsigned code)
{
	return code == HUB_CLOSE_REPLACED || code == HUB_CLOSE_KICKED || code == HUB_CLOSE_BANNED ||
	       code == HUB_CLOSE_ROOM_CLOSED || code == HUB_CLOSE_REVOKED;
}

bool resume_may_return(const struct hub_member *p)
{
	const struct hub *h = p->hub;

	return p->user && p->has_secret && h->conf.return_ms && !is_final(p->closed_for) &&
	       h->away_n < h->conf.max_connections / AWAY_PART + 1;
}

static int64_t grace_ms(const struct hub_member *p, unsigned close_code)
{
	int64_t whole = p->hub->conf.return_ms;

	if (close_code == HUB_CLOSE_NORMAL || close_code == HUB_CLOSE_NO_CODE ||
	    !resume_may_return(p))
		return 0;
	if (close_code == HUB_CLOSE_GOING_AWAY && !p->closed_for)
		return whole < RELOAD_MS ? whole : RELOAD_MS;
	return whole;
}

static void go_away(struct hub_member *p, int64_t grace)
{
	struct hub *h = p->hub;

	p->away = true;
	p->conn = NULL;
	p->due_ms = h->ops.now_ms(h->ctx) + grace;
	h->away_n++;
	DL_APPEND2(h->away, p, prev_away, next_away);
	name_gone_away(p);
	hub_wake_by(h, p->due_ms);
}

static void come_home(struct hub_member *p)
{
	struct hub *h = p->hub;

	if (!p->away)
		return;
	DL_DELETE2(h->away, p, prev_away, next_away);
	h->away_n--;
}

/* The hang-ups come first: a client that looks up its partner still finds it. */
void resume_end(struct hub_member *p)
{
	deliver_give_up(p);
	call_end_all(p, "gone");
	if (p->user && p->user->member_n == 1)
		hub_report(p, (struct hub_event){.what = HUB_EVENT_LEFT});
	come_home(p);
	hub_member_free(p);
}

void hub_leave(struct hub_member *p, unsigned close_code)
{
	struct hub *h;
	int64_t grace;

	if (!p)
		return;
	h = p->hub;
	grace = p->leaves ? 0 : grace_ms(p, close_code);
	p->closing = true;
	admit_forget(p);
	if (grace)
		go_away(p, grace);
	else
		resume_end(p);
	presence_settle(h);
}

int64_t resume_due(struct hub *h, int64_t now_ms)
{
	struct hub_member *p, *tmp;
	int64_t next = -1;

	DL_FOREACH_SAFE2(h->away, p, tmp, next_away)
	{
		if (p->due_ms <= now_ms)
			resume_end(p);
		else if (next < 0 || p->due_ms < next)
			next = p->due_ms;
	}
	return next;
}

/* p takes the place of old: its user, its calls, its messages, its number for everybody else. */
static void take_place(struct hub_member *p, struct hub_member *old)
{
	struct hub_origin *own = p->origin;

	hub_link(p->hub, (struct hub_link_news){
	                     .what = HUB_LINK_MOVED, .member = own->id, .other = old->origin->id});
	p->may = old->may;
	p->ticket_key = old->ticket_key;
	p->may_given = old->may_given;
	p->extended = p->extended || old->extended;
	call_move(old, p);
	deliver_move(old, p);
	resume_forget(old);
	if (p->user && p->user != old->user && p->user->member_n == 1) /* and its name goes */
		hub_report(p, (struct hub_event){.what = HUB_EVENT_LEFT});
	name_join(p, old->user);
	name_release(old);
	p->origin = old->origin;
	old->origin = own;
	p->origin->member = p;
	old->origin->member = old;
	if (old->away) {
		come_home(old);
		hub_member_free(old);
	} else {
		hub_close_member(old, HUB_CLOSE_REPLACED, "replaced by a new connection");
	}
}

bool resume_take_over(struct hub_member *p, const char *room, const struct hub_message *m)
{
	const json_t *resume = json_object_get(m->json, "resume");
	const json_t *seen = json_object_get(m->json, "seen");
	uint8_t secret[HUB_SECRET_BYTES];
	struct hub_member *old;

	p->missed = 0;
	p->lost = 0;
	if (!is_secret(resume)) {
		resume_forget(p);
		return false;
	}
	digest(room, resume, secret);
	old = find_secret(p->hub, secret);
	if (old == p)
		return false;
	if (old && old->user && !p->call_n) {
		take_place(p, old);
		note_secret(p, secret);
		if (json_is_integer(seen) && !deliver_count(p))
			deliver_resume_at(p, json_integer_value(seen), &p->missed, &p->lost);
		else
			deliver_give_up(p); /* it does not count any more */
		return true;
	}
	note_secret(p, secret);
	/* Out of memory, it gets its messages without numbers. */
	if (json_is_integer(seen))
		(void)deliver_count(p);
	return false;
}

void resume_describe(struct hub_member *p, bool resumed, json_t *signed_in)
{
	json_t *more = json_pack("{s:b,s:I,s:I,s:I,s:o}", "resumed", resumed, "missed",
	                         (json_int_t)p->missed, "lost", (json_int_t)p->lost, "last",
	                         (json_int_t)p->last_ack, "calls", call_list(p));

	if (signed_in && (!more || json_object_update(signed_in, more))) {
		json_decref(signed_in);
		signed_in = NULL;
	}
	json_decref(more);
	hub_send_json(p, signed_in);
}

/* ---- over a restart of the server ---- */

static json_t *save_member(const struct hub_member *p)
{
	char secret[2 * HUB_SECRET_BYTES + 1];
	const struct hub_user *u = p->user;

	sodium_bin2hex(secret, sizeof(secret), p->secret, HUB_SECRET_BYTES);
	return json_pack("{s:I,s:s,s:s,s:s?,s:b,s:b,s:I,s:I,s:b,s:b,s:s,s:I,s:o,s:o}", "origin",
	                 (json_int_t)p->origin->id, "room", u->room->name, "name", u->name, "sub",
	                 u->sub ? u->sub->text : NULL, "proven", u->proven, "fixed", u->fixed,
	                 "may", (json_int_t)p->may, "ticket_key", (json_int_t)p->ticket_key,
	                 "extended", p->extended, "delta", p->delta, "secret", secret, "last_ack",
	                 (json_int_t)p->last_ack, "kept", deliver_save(p), "calls", call_save(p));
}

json_t *hub_save(const struct hub *h)
{
	json_t *members = json_array(), *saved;
	const struct hub_member *p;

	DL_FOREACH (h->members, p) {
		if (p->user && p->has_secret && !is_final(p->closed_for) && !p->leaves)
			json_array_append_new(members, save_member(p));
	}
	saved = json_pack("{s:i,s:I,s:o,s:o}", "version", SAVED_VERSION, "next_id",
	                  (json_int_t)h->next_id, "members", members, "bans", hub_bans(h));
	return saved;
}

int64_t resume_number(const json_t *saved, const char *key)
{
	json_int_t n = json_integer_value(json_object_get(saved, key));

	return n < 0 || n >= NUMBER_MAX ? 0 : n;
}

/* A member that is away, as it was saved. NULL when it cannot be. */
static struct hub_member *load_member(struct hub *h, const json_t *saved)
{
	const char *room = json_string_value(json_object_get(saved, "room"));
	const char *name = json_string_value(json_object_get(saved, "name"));
	const char *sub = json_string_value(json_object_get(saved, "sub"));
	const char *secret = json_string_value(json_object_get(saved, "secret"));
	uint64_t origin = (uint64_t)resume_number(saved, "origin");
	uint8_t bytes[HUB_SECRET_BYTES];
	struct hub_member *p;
	size_t n;

	if (!room || !name || !secret || !origin || hub_find_id(h, origin) ||
	    sodium_hex2bin(bytes, sizeof(bytes), secret, strlen(secret), NULL, &n, NULL) ||
	    n != sizeof(bytes))
		return NULL;
	p = hub_member_new(h, origin);
	if (!p)
		return NULL;
	p->closing = true;
	if (signin_load(p, room, name, sub, json_is_true(json_object_get(saved, "proven")),
	                json_is_true(json_object_get(saved, "fixed")))) {
		hub_member_free(p);
		return NULL;
	}
	if (origin >= h->next_id) /* whatever the file says: no new connection gets it */
		h->next_id = origin + 1;
	p->may = (unsigned)json_integer_value(json_object_get(saved, "may"));
	p->ticket_key = json_integer_value(json_object_get(saved, "ticket_key"));
	p->extended = json_is_true(json_object_get(saved, "extended"));
	p->delta = json_is_true(json_object_get(saved, "delta"));
	p->last_ack = json_integer_value(json_object_get(saved, "last_ack"));
	note_secret(p, bytes);
	go_away(p, h->conf.return_ms);
	if (!deliver_load(p, json_object_get(saved, "kept")))
		return p;
	come_home(p);
	hub_member_free(p);
	return NULL;
}

int hub_load(struct hub *h, const json_t *saved)
{
	json_t *member;
	size_t i;

	if (json_integer_value(json_object_get(saved, "version")) != SAVED_VERSION)
		return -E_CORRUPT;
	if (operator_load_bans(h, json_object_get(saved, "bans")))
		return -E_CORRUPT;
	h->loading = true;
	json_array_foreach (json_object_get(saved, "members"), i, member)
		load_member(h, member);
	json_array_foreach (json_object_get(saved, "members"), i, member) {
		struct hub_member *p = hub_find_id(h, (uint64_t)resume_number(member, "origin"));

		if (p)
			call_load(p, json_object_get(member, "calls"));
	}
	h->loading = false;
	if ((uint64_t)resume_number(saved, "next_id") > h->next_id)
		h->next_id = (uint64_t)resume_number(saved, "next_id");
	presence_settle(h);
	return 0;
}
