/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The model's ledger: each message, who may get it, who did, and what its sender heard of it.
 */
#include "base/tests/test.h"
#include "signal/tests/model.h"

#include <stdio.h>
#include <stdlib.h>

static unsigned bit(const struct person *p)
{
	return 1u << p->index;
}

static unsigned count(unsigned set)
{
	return (unsigned)__builtin_popcount(set);
}

/* Those of p's room who have a name that reads so (NULL: any). */
static unsigned recipients(struct model *m, const struct person *p, const char *target)
{
	unsigned set = 0;

	for (struct person *o = m->person; o < m->person + PEOPLE; o++) {
		if (o->named && !strcmp(o->room, p->room) &&
		    (!target || name_same(o->name, target)) && (target || o->conn || o->counts))
			set |= bit(o);
	}
	return set;
}

static void say(struct model *m, struct person *p, unsigned number)
{
	static char pad[BIG + 1];
	struct note *note = &m->note[number];
	char own_type[16], ack[24] = "", target[NAME_ROOM + 16] = "";

	memset(pad, 'x', BIG);
	note->unsaid = false;
	note->said = m->note_n;
	note->to = recipients(m, p, note->broadcast ? NULL : note->target);
	note->may = note->broadcast ? 0 : people_called(m, p->room, note->target);
	snprintf(note->name, sizeof(note->name), "%s", p->name);
	snprintf(own_type, sizeof(own_type), "n%u", number);
	if (note->has_ack) {
		snprintf(ack, sizeof(ack), ",\"ack\":%u", number);
		p->acked = number;
	}
	if (!note->broadcast)
		snprintf(target, sizeof(target), ",\"target\":\"%s\"", note->target);
	person_says(m, p, "{\"type\":\"%s\",\"n\":%u,\"text\":\"%.*s\",\"name\":\"liar\"%s%s}",
	            note->type ? note->type : own_type, number, note->big ? BIG : 1, pad, target,
	            ack);
	if (note->type && !note->broadcast)
		calls_said(m, p, note->type, note->target);
}

static unsigned new_note(struct model *m, struct person *p, const char *type, const char *target)
{
	struct note *note = &m->note[++m->note_n];

	assert_true(m->note_n < NOTES_MAX);
	m->verdict.notes++;
	*note = (struct note){.from = p->index,
	                      .born = p->born,
	                      .room = p->room,
	                      .type = type,
	                      .broadcast = !target,
	                      .has_ack = type || model_dice(m, 2)};
	if (target)
		snprintf(note->target, sizeof(note->target), "%s", target);
	return m->note_n;
}

void ledger_send(struct model *m, struct person *p, const char *type, const char *target, bool big)
{
	unsigned number = new_note(m, p, type, target);

	m->note[number].big = big;
	say(m, p, number);
}

void ledger_swallowed(struct model *m, struct person *p, const char *target)
{
	struct note *note = &m->note[new_note(m, p, NULL, target)];

	note->has_ack = note->unsaid = true;
}

void ledger_repeat(struct model *m, struct person *p, unsigned last)
{
	for (unsigned i = last + 1; i <= m->note_n; i++) {
		const struct note *note = &m->note[i];

		if (note->from == p->index && i > p->born && note->unsaid)
			say(m, p, i);
	}
}

static struct note *find(struct model *m, unsigned number)
{
	static struct note none;

	model_check(m, MODEL_TARGET, number && number <= m->note_n, "nobody sent message %u",
	            number);
	return number && number <= m->note_n ? &m->note[number] : &none;
}

void ledger_heard(struct model *m, struct person *p, unsigned number, const char *name)
{
	struct note *note = find(m, number);
	unsigned me = bit(p);

	if (m->verdict.broken)
		return;
	model_check(m, MODEL_ROOM, !strcmp(note->room, p->room), "message %u of room %s came to %s",
	            number, note->room, p->room);
	model_check(m, MODEL_ONCE, !(note->got & me), "message %u came twice to %s", number,
	            p->told);
	model_check(m, MODEL_TARGET, (note->to | note->may) & me, "message %u to %s came to %s",
	            number, note->broadcast ? "all" : note->target, p->told);
	model_check(m, MODEL_TARGET, note->said > p->born, "message %u came to a later life of %s",
	            number, p->told);
	model_check(m, MODEL_TARGET, !strcmp(name, note->name), "message %u of %s is from %s",
	            number, note->name, name);
	model_check(m, MODEL_ORDER, number > p->last[note->from], "message %u came after %u",
	            number, p->last[note->from]);
	note->got |= me;
	p->last[note->from] = number;
}

/* Whether p's present life has sent it. */
static bool is_mine(struct model *m, const struct person *p, unsigned number, const char *what)
{
	const struct note *note = find(m, number);

	model_check(m, MODEL_TARGET, note->from == p->index && number > p->born,
	            "%s about message %u came to somebody else", what, number);
	return !m->verdict.broken;
}

void ledger_error(struct model *m, struct person *p, unsigned number, int64_t missed)
{
	struct note *note = &m->note[number];

	if (!is_mine(m, p, number, "an error"))
		return;
	note->errors++;
	note->missed += missed;
	/* Over a restart, the hub forgets which copies are of one message. */
	model_check(m, MODEL_SETTLED, note->errors == 1 || note->restarted,
	            "a second error about message %u", number);
}

void ledger_ack(struct model *m, struct person *p, unsigned number)
{
	struct note *note = &m->note[number];

	if (!is_mine(m, p, number, "an ack"))
		return;
	note->acks++;
	model_check(m, MODEL_ACK, note->has_ack && note->acks == 1, "ack %u of message %u",
	            note->acks, number);
	model_check(m, MODEL_ACK, !note->errors, "message %u: an ack after an error", number);
}

void ledger_unsure(struct model *m, const struct person *p, unsigned number, bool kept)
{
	if (number && number <= m->note_n && (!kept || m->note[number].broadcast))
		m->note[number].unsure |= bit(p);
}

unsigned ledger_number(const char *text)
{
	json_t *msg = json_loads(text, 0, NULL);
	unsigned number = (unsigned)json_integer_value(json_object_get(msg, "n"));

	json_decref(msg);
	return number;
}

unsigned ledger_error_number(const json_t *error)
{
	const char *what = json_string_value(json_object_get(error, "for"));
	unsigned number = (unsigned)json_integer_value(json_object_get(error, "ack"));

	return number || !what || *what != 'n' ? number : (unsigned)strtoul(what + 1, NULL, 10);
}

void ledger_unheard(struct model *m, const struct person *p, const char *text)
{
	json_t *msg = json_loads(text, 0, NULL);
	const char *type = json_string_value(json_object_get(msg, "type"));
	unsigned number = !strcmp(type, "error") ? ledger_error_number(msg) : 0;

	if (number && number <= m->note_n && m->note[number].from == p->index)
		m->note[number].sender_lost = true;
	json_decref(msg);
}

void ledger_restart(struct model *m)
{
	for (unsigned i = m->settled_n + 1; i <= m->note_n; i++)
		m->note[i].restarted = count(m->note[i].to) > 1;
}

/* An error to a sender who is away finds no room among what is kept. */
void ledger_full(struct model *m, const struct person *p)
{
	for (unsigned i = m->settled_n + 1; i <= m->note_n; i++) {
		if (m->note[i].from == p->index)
			m->note[i].sender_lost = true;
	}
}

/* p hears that something was lost for good: errors to it, or what was for all. */
void ledger_told_lost(struct model *m, const struct person *p)
{
	ledger_full(m, p);
	for (unsigned i = m->settled_n + 1; i <= m->note_n; i++) {
		if (m->note[i].broadcast)
			m->note[i].unsure |= bit(p);
	}
}

void ledger_unconfirmed(struct model *m, const struct person *p)
{
	for (unsigned i = m->settled_n + 1; i <= m->note_n; i++)
		m->note[i].unsure |= m->note[i].got & bit(p);
}

void ledger_blink(struct model *m, const struct person *p)
{
	for (unsigned i = m->settled_n + 1; i <= m->note_n; i++) {
		struct note *note = &m->note[i];

		if (note->from != p->index)
			continue;
		note->sender_blink = true;
		if (!p->counts)
			note->sender_lost = true;
	}
}

/* What it had heard and not confirmed may count as lost. */
void ledger_ends(struct model *m, const struct person *p)
{
	for (unsigned i = m->settled_n + 1; i <= m->note_n; i++) {
		struct note *note = &m->note[i];

		if (note->from == p->index)
			note->sender_lost = note->sender_blink = true;
		if ((note->to | note->may) & bit(p) && (note->got & bit(p) || note->broadcast))
			note->unsure |= bit(p);
	}
}

static void settle_one(struct model *m, unsigned number)
{
	const struct note *note = &m->note[number];
	unsigned sure = note->to & ~note->unsure, lacks = sure & ~note->got;

	if (note->sender_lost || note->unsaid)
		return;
	/* The hub takes the hang-up of one device of several for itself. */
	if (note->type && !strcmp(note->type, "hang-up") && (note->acks || note->sender_blink))
		return;
	if (note->broadcast)
		model_check(m, MODEL_SETTLED, count(lacks) <= note->missed || note->errors > 0,
		            "message %u to all is lost for %u: %#x of %#x", number, count(lacks),
		            lacks, note->to);
	else
		model_check(m, MODEL_SETTLED, note->got || note->unsure || note->errors,
		            "message %u is lost without an error", number);
	if (count(note->to) == 1 && !note->broadcast)
		model_check(m, MODEL_SETTLED, !note->got || note->unsure || !note->errors,
		            "message %u is refused, and has arrived", number);
	if (note->has_ack && !note->sender_blink)
		model_check(m, MODEL_ACK, note->acks || note->errors, "no ack for message %u",
		            number);
}

void ledger_settle(struct model *m)
{
	while (m->settled_n < m->note_n)
		settle_one(m, ++m->settled_n);
}
