/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Who is in a room, told to everybody in it. Changes are gathered, and each text is made once for
 * all who get it.
 */
#include "signal/hub_internal.h"

#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#define PAUSE_MS     50 /* between two lists of a room */
#define PAUSE_MAX_MS 2000
#define BYTES_MS     50000 /* for all recipients together */

/* The texts of one turn: each is made when the first member needs it. */
struct turn {
	struct hub_room *room;
	struct hub_shown all;
	struct hub_text *list, *full, *diff;
	uint64_t from; /* the version before */
	size_t bytes;
};

static bool sees_all(const struct hub_member *p)
{
	return p->hub->conf.room_lists && (p->may & HUB_MAY_LIST);
}

static int send_text(struct turn *t, struct hub_member *p, enum hub_frame frame,
                     struct hub_text *text)
{
	t->bytes += text ? text->len : 0;
	return text ? hub_send_text(p, frame, text) : -E_NOMEM;
}

static void send_full(struct turn *t, struct hub_member *p)
{
	if (!t->full)
		t->full = presence_full_text(&t->all, t->room->version);
	p->told = send_text(t, p, HUB_FRAME_USERLIST, t->full) ? 0 : t->room->version;
}

/* A difference that is not sent makes a whole list due: no other one may be left out. */
static void send_diff(struct turn *t, struct hub_member *p)
{
	if (p->told == t->room->version)
		return;
	if (p->told != t->from || send_text(t, p, HUB_FRAME_PASSED, t->diff))
		send_full(t, p);
	else
		p->told = t->room->version;
}

static bool is_shown(struct hub_shown *s, const struct hub_user *u)
{
	for (size_t i = 0; i < s->n; i++) {
		if (s->user[i] == u)
			return true;
	}
	return false;
}

/* For a member that sees only itself and its partners. */
static void send_own(struct turn *t, struct hub_member *p)
{
	struct hub_user **user = calloc(p->call_n + 1, sizeof(struct hub_user *));
	struct hub_shown s = {.user = user};
	struct hub_text *text = NULL;

	if (user) {
		user[s.n++] = p->user;
		for (unsigned i = 0; i < p->call_n; i++) {
			struct hub_user *other = call_other(p->call[i], p)->user;

			if (!is_shown(&s, other) && other->present_n)
				user[s.n++] = other;
		}
		text = p->delta ? presence_full_text(&s, t->room->version) : presence_list_text(&s);
	}
	p->list_due = send_text(t, p, HUB_FRAME_USERLIST, text) != 0;
	hub_text_unref(text);
	free(user);
}

static void tell(struct turn *t, struct hub_member *p)
{
	if (!sees_all(p)) {
		if (p->list_due)
			send_own(t, p);
		return;
	}
	if (p->delta && (p->list_due || !p->told)) {
		send_full(t, p);
	} else if (p->delta) {
		send_diff(t, p);
	} else if (t->room->all_due || p->list_due) {
		if (!t->list)
			t->list = presence_list_text(&t->all);
		send_text(t, p, HUB_FRAME_USERLIST, t->list);
	}
	p->list_due = false;
}

/* What is told from now on is a difference to this. */
static void note_listed(struct hub_room *room)
{
	struct hub_user *u, *tmp;

	DL_FOREACH_SAFE2(room->changed, u, tmp, next_changed)
	{
		DL_DELETE2(room->changed, u, prev_changed, next_changed);
		u->is_changed = u->facts_changed = false;
		memcpy(u->listed, u->present_n ? u->name : "", u->present_n ? sizeof(u->name) : 1);
	}
}

static void show_all(struct hub_room *room, struct hub_shown *s)
{
	struct hub_user *u;

	room_sort(room);
	s->user = malloc((room->user_n + 1) * sizeof(struct hub_user *));
	DL_FOREACH (room->users, u) {
		if (s->user && u->present_n)
			s->user[s->n++] = u;
	}
}

static void send_presence(struct hub_room *room)
{
	struct turn t = {.room = room, .from = room->version};
	struct hub_member *p;
	struct hub_user *u;

	if (presence_diff_text(room, &t.diff))
		room->version++;
	show_all(room, &t.all);
	DL_FOREACH (room->users, u) {
		DL_FOREACH2(u->members, p, next_device)
		{
			if (!p->away && t.all.user)
				tell(&t, p);
		}
	}
	note_listed(room);
	room->all_due = false;
	room->list_sent_ms = room->hub->ops.now_ms(room->hub->ctx);
	room->pause_ms = (int64_t)(t.bytes / BYTES_MS);
	if (room->pause_ms < PAUSE_MS)
		room->pause_ms = PAUSE_MS;
	if (room->pause_ms > PAUSE_MAX_MS)
		room->pause_ms = PAUSE_MAX_MS;
	hub_text_unref(t.list);
	hub_text_unref(t.full);
	hub_text_unref(t.diff);
	free(t.all.user);
}

static void take_out(struct hub_room *room)
{
	if (room->list == LIST_FRESH)
		DL_DELETE(room->hub->fresh, room);
	else if (room->list == LIST_WAITS)
		DL_DELETE(room->hub->waiting, room);
	room->list = LIST_TRUE;
}

void presence_forget(struct hub_room *room)
{
	take_out(room);
	presence_left_free(room);
}

static void touch(struct hub_room *room)
{
	if (room->list != LIST_TRUE || room->quiet)
		return;
	room->list = LIST_FRESH;
	DL_APPEND(room->hub->fresh, room);
}

void presence_due(struct hub_member *p)
{
	p->list_due = true;
	touch(p->user->room);
}

void presence_due_by_call(struct hub_member *a, struct hub_member *b)
{
	if (a->user && !sees_all(a))
		presence_due(a);
	if (b->user && !sees_all(b))
		presence_due(b);
}

void presence_changed(struct hub_user *u)
{
	struct hub_member *p;

	if (!u->is_changed)
		DL_APPEND2(u->room->changed, u, prev_changed, next_changed);
	u->is_changed = true;
	u->room->all_due = true;
	touch(u->room);
	DL_FOREACH2(u->members, p, next_device)
	{
		for (unsigned i = 0; i < p->call_n; i++)
			presence_due_by_call(p, call_other(p->call[i], p));
	}
}

void presence_facts_changed(struct hub_user *u)
{
	u->facts_changed = true;
	presence_changed(u);
}

void presence_gone(struct hub_user *u)
{
	if (u->is_changed)
		DL_DELETE2(u->room->changed, u, prev_changed, next_changed);
	if (!*u->listed)
		return;
	presence_left(u->room, u->listed);
	u->room->all_due = true;
	touch(u->room);
}

void hub_wake_by(struct hub *h, int64_t due_ms)
{
	if (!h->ops.later || (h->later_ms && h->later_ms <= due_ms))
		return;
	h->later_ms = due_ms;
	h->ops.later(h->ctx, due_ms - h->ops.now_ms(h->ctx));
}

void presence_settle(struct hub *h)
{
	struct hub_room *room;
	int64_t now;

	if (!h->fresh)
		return;
	now = h->ops.now_ms(h->ctx);
	while ((room = h->fresh)) {
		take_out(room);
		room->list_due_ms = room->list_sent_ms + room->pause_ms;
		if (!h->ops.later || room->list_due_ms <= now) {
			send_presence(room);
			continue;
		}
		room->list = LIST_WAITS;
		DL_APPEND(h->waiting, room);
		hub_wake_by(h, room->list_due_ms);
	}
}

void hub_list_due(struct hub *h)
{
	int64_t now = h->ops.now_ms(h->ctx), next = 0;
	struct hub_room *room, *tmp;

	h->later_ms = 0;
	DL_FOREACH_SAFE(h->waiting, room, tmp)
	{
		if (room->list_due_ms <= now) {
			take_out(room);
			send_presence(room);
		} else if (!next || room->list_due_ms < next) {
			next = room->list_due_ms;
		}
	}
	if (next)
		hub_wake_by(h, next);
	next = hub_tick(h);
	if (next >= 0)
		hub_wake_by(h, now + next);
}

void presence_on_request(struct hub_member *p, const struct hub_message *m)
{
	(void)m;
	p->delta = true;
	presence_due(p);
}
