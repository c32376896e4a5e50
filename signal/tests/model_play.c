/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The model's moves, and what must hold after each of them.
 */
#include "base/tests/test.h"
#include "signal/tests/model.h"

#include <stdio.h>
#include <stdlib.h>

#define SETTLE_EVERY 300 /* moves */

static struct person *anybody(struct model *m)
{
	return &m->person[model_dice(m, PEOPLE)];
}

static bool is_on(const struct person *p)
{
	return p->conn && !p->conn->close_code;
}

/* A client that has come back waits for the answer. */
static bool may_send(const struct person *p)
{
	return is_on(p) && p->named && !p->back;
}

/* A name to send to: mostly somebody's in the room. */
static const char *a_target(struct model *m, const struct person *p)
{
	const struct person *o = anybody(m);

	for (int i = 0; i < 4 && (!o->named || strcmp(o->room, p->room) != 0); i++)
		o = anybody(m);
	return o->named && model_dice(m, 10) ? o->name : name_any(m);
}

static void comes(struct model *m, struct person *p)
{
	if (p->conn)
		return;
	model_connect(m, p);
	p->back = p->away && p->extended;
	if (!p->away && !model_dice(m, 4))
		return; /* says nothing yet */
	if (p->away && model_breaks(m, BREAK_RETURN_LATE)) {
		model_leave(m, p->conn, HUB_CLOSE_NORMAL);
		m->now_ms = p->away_until;
		hub_tick(m->hub);
		model_connect(m, p);
	}
	person_sign_in(m, p, p->away ? p->told : name_any(m));
	p->away = false;
}

static void hears_all(struct model *m, struct person *p)
{
	while (p->conn && p->conn->n && !m->verdict.broken) {
		model_fly(p->conn, p->conn->n);
		model_read(m, p->conn, p->conn->n);
	}
}

/* One at a time: the answer does not say to which question. */
static void asks_for_a_name(struct model *m, struct person *p)
{
	hears_all(m, p);
	if (!is_on(p) || p->back)
		return;
	p->must_return = false;
	person_sign_in(m, p, name_any(m));
	hears_all(m, p);
}

static void sends(struct model *m, struct person *p)
{
	static const char *const types[] = {"video-offer", "video-answer", "new-ice-candidate",
	                                    "hang-up"};
	const char *type = model_dice(m, 2) ? NULL : types[model_dice(m, 4)];

	if (may_send(p))
		ledger_send(m, p, type, a_target(m, p), false);
}

static void chats(struct model *m, struct person *p)
{
	if (may_send(p))
		ledger_send(m, p, model_dice(m, 3) ? NULL : "message", NULL, false);
}

static void hangs_up(struct model *m, struct person *p)
{
	if (!may_send(p))
		return;
	person_says(m, p, "{\"type\":\"hang-up\",\"target\":null}");
	calls_said(m, p, "hang-up", NULL);
}

/* More than the hub keeps for one who is away. */
static void floods(struct model *m, struct person *p)
{
	const struct person *o = anybody(m);
	bool big = model_dice(m, 2);

	for (int i = 0; i < PEOPLE && (!o->away || !o->counts || strcmp(o->room, p->room) != 0);
	     i++)
		o = anybody(m);
	if (may_send(p) && o->away)
		ledger_full(m, o);
	for (int i = 0; may_send(p) && o->away && i < KEPT_MAX + 10; i++) {
		ledger_send(m, p, NULL, o->name, big);
		model_fly(p->conn, 10);
		model_read(m, p->conn, 10);
	}
}

static void reads(struct model *m, struct person *p)
{
	if (!p->conn || (p->conn->slow && model_dice(m, 20)))
		return;
	p->conn->slow = !model_dice(m, 30);
	model_fly(p->conn, model_dice(m, 20));
	model_read(m, p->conn, model_dice(m, 20));
}

static void confirms(struct model *m, struct person *p)
{
	if (is_on(p) && p->counts && p->named && !p->back)
		person_confirm(m, p);
}

/* The network fails, the tab is closed, the client leaves. */
static void drops(struct model *m, struct person *p)
{
	static const unsigned codes[] = {HUB_CLOSE_ABNORMAL, HUB_CLOSE_ABNORMAL, HUB_CLOSE_ABNORMAL,
	                                 HUB_CLOSE_GOING_AWAY, HUB_CLOSE_NORMAL};

	if (may_send(p) && p->counts && model_dice(m, 2))
		ledger_swallowed(m, p, a_target(m, p));
	if (p->conn)
		person_drops(m, p, codes[model_dice(m, 5)]);
}

static void talks_nonsense(struct model *m, struct person *p)
{
	static const char *const nonsense[] = {
	    "",
	    "{",
	    "[]",
	    "{\"type\":1}",
	    "{\"type\":\"userlist\",\"users\":[]}",
	    "{\"type\":\"id\",\"id\":1}",
	    "{\"type\":\"x\",\"target\":[\"bob\"]}",
	    "{\"type\":\"x\",\"target\":{}}",
	    "{\"type\":\"x\",\"target\":7}",
	    "{\"type\":\"video-offer\"}",

	    "{\"type\":\"seen\",\"seq\":-1}",

	};

	if (is_on(p))
		person_says(
		    m, p, "%s",
		    nonsense[1 + model_dice(m, sizeof(nonsense) / sizeof(nonsense[0]) - 1)]);
}

static void time_passes(struct model *m, struct person *p)
{
	(void)p;
	model_pass(m, model_dice(m, 30) ? model_dice(m, 400) : model_dice(m, 40000));
}

static void restarts(struct model *m, struct person *p)
{
	(void)p;
	if (m->restarts && !model_dice(m, 10))
		model_restart(m);
}

static const struct {
	void (*move)(struct model *m, struct person *p);
	unsigned weight;
} moves[] = {
    {comes, 20},         {asks_for_a_name, 2}, {sends, 30},   {chats, 6},
    {hangs_up, 2},       {reads, 30},          {confirms, 4}, {drops, 3},
    {talks_nonsense, 1}, {time_passes, 8},     {floods, 1},   {restarts, 1},
};

static void one_move(struct model *m)
{
	unsigned all = 0, pick, i = 0;

	for (size_t k = 0; k < sizeof(moves) / sizeof(moves[0]); k++)
		all += moves[k].weight;
	pick = model_dice(m, all);
	while (pick >= moves[i].weight)
		pick -= moves[i++].weight;
	moves[i].move(m, anybody(m));
}

/* ---- what must hold ---- */

static void check_names(struct model *m)
{
	const struct person *a, *b;

	for (a = m->person; a < m->person + PEOPLE; a++) {
		for (b = m->person; a->named && b < a; b++) {
			if (b->named && !strcmp(a->room, b->room) &&
			    (a->sub < 0 || a->sub != b->sub))
				model_check(m, MODEL_NAME, !name_same(a->name, b->name),
				            "%s and %s are two in room %s", a->name, b->name,
				            a->room);
		}
	}
}

static void everybody_reads(struct model *m)
{
	for (struct conn *c = m->conn; c < m->conn + CONNS; c++) {
		while (c->person && c->n && !m->verdict.broken) {
			model_fly(c, c->n);
			model_read(m, c, c->n);
		}
	}
}

/* Those whom the hub has shown the door go. */
static void closed_ones_go(struct model *m)
{
	for (struct conn *c = m->conn; c < m->conn + CONNS; c++) {
		if (!c->person || !c->close_code)
			continue;
		if (c->current)
			person_drops(m, c->person, c->close_code);
		else
			model_leave(m, c, c->close_code);
	}
}

static bool is_present(const struct person *p)
{
	return is_on(p) && p->named;
}

static bool lists_right(struct model *m, const struct person *p)
{
	unsigned present = 0;

	for (struct person *o = m->person; o < m->person + PEOPLE; o++) {
		bool listed = false, twin = false;

		if (!is_present(o) || strcmp(o->room, p->room) != 0)
			continue;
		for (struct person *k = m->person; k < o; k++)
			twin = twin || (is_present(k) && !strcmp(k->room, o->room) &&
			                !strcmp(k->name, o->name));
		present += !twin;
		for (unsigned i = 0; i < p->user_n; i++)
			listed = listed || !strcmp(p->users[i], o->name);
		if (!listed)
			return false;
	}
	return p->user_n == present;
}

static void check_lists(struct model *m)
{
	for (struct person *p = m->person; p < m->person + PEOPLE; p++) {
		if (!is_present(p))
			continue;
		model_check(m, MODEL_TOLD, !strcmp(p->told, p->name), "%s thinks to be %s", p->name,
		            p->told);
		model_check(m, p->delta ? MODEL_DELTA : MODEL_LIST,
		            p->has_list && lists_right(m, p), "%s has a wrong list of room %s",
		            p->name, p->room);
	}
}

/* Nobody does anything until everything has been heard, and then until nobody is waited for. */
static void settle(struct model *m)
{
	for (int i = 0; i < 3; i++) {
		everybody_reads(m);
		closed_ones_go(m);
		model_pass(m, 3000);
	}
	everybody_reads(m);
	if (!m->verdict.broken)
		check_lists(m);
	model_pass(m, GRACE_MS + 1000);
	everybody_reads(m);
	if (m->verdict.broken)
		return;
	ledger_settle(m);
	calls_check_settled(m);
}

static void everybody_goes(struct model *m)
{
	for (struct person *p = m->person; p < m->person + PEOPLE; p++) {
		if (p->conn)
			person_drops(m, p, HUB_CLOSE_NORMAL);
	}
	for (struct conn *c = m->conn; c < m->conn + CONNS; c++) {
		if (c->person)
			model_leave(m, c, HUB_CLOSE_ABNORMAL);
	}
	model_pass(m, GRACE_MS + 1000);
	if (m->broken == BREAK_CONN_LEFT)
		model_connect(m, &m->person[0]);
	model_check(m, MODEL_LEAK,
	            !hub_member_count(m->hub) && !hub_room_count(m->hub) && !hub_call_count(m->hub),
	            "%u members, %u rooms, %u calls", hub_member_count(m->hub),
	            hub_room_count(m->hub), hub_call_count(m->hub));
}

void model_play(struct model *m, unsigned steps)
{
	for (unsigned i = 1; i <= steps && !m->verdict.broken; i++) {
		m->verdict.step = i;
		one_move(m);
		check_names(m);
		calls_check(m);
		if (i % SETTLE_EVERY == 0)
			settle(m);
		if (i % (10 * SETTLE_EVERY) == 0 && !m->verdict.broken)
			everybody_goes(m);
	}
}
