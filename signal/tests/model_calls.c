/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The model's calls: what the hub tells of them in events, and what clients believe.
 */
#include "base/tests/test.h"
#include "signal/tests/model.h"

#include <stdio.h>

static const char *room_of(const struct hub_event *e)
{
	return strcmp(e->room, HUB_DEFAULT_ROOM) != 0 ? e->room : "";
}

static bool is_between(const struct call *c, const char *room, const char *a, const char *b)
{
	return c->room && !strcmp(c->room, room) &&
	       ((!strcmp(c->a, a) && !strcmp(c->b, b)) || (!strcmp(c->a, b) && !strcmp(c->b, a)));
}

static struct call *find(struct model *m, const char *room, const char *a, const char *b)
{
	struct call *c = m->call;

	while (c < m->call + CALLS_MAX && !is_between(c, room, a, b))
		c++;
	return c < m->call + CALLS_MAX ? c : NULL;
}

static void begins(struct model *m, const struct hub_event *e)
{
	struct call *c = m->call;

	while (c < m->call + CALLS_MAX && c->room)
		c++;
	assert_true(c < m->call + CALLS_MAX);
	c->room = "red";
	for (struct person *p = m->person; p < m->person + PEOPLE; p++) {
		if (!strcmp(p->room, room_of(e)))
			c->room = p->room; /* for as long as the run */
	}
	snprintf(c->a, sizeof(c->a), "%s", e->name);
	snprintf(c->b, sizeof(c->b), "%s", e->target);
	m->call_n++;
	m->verdict.calls++;
}

static void ends(struct model *m, const struct hub_event *e)
{
	struct call *c = find(m, room_of(e), e->name, e->target);

	if (!model_breaks(m, BREAK_END_TWICE))
		model_check(m, MODEL_CALLS, c || m->calls_unsure,
		            "a call of %s and %s ends that has not begun", e->name, e->target);
	else
		m->call_n--;
	if (!c || model_breaks(m, BREAK_END_LOST))
		return;
	c->room = NULL;
	m->call_n--;
}

static void renames(struct model *m, const struct hub_event *e)
{
	for (struct call *c = m->call; c < m->call + CALLS_MAX; c++) {
		if (!c->room || strcmp(c->room, room_of(e)) != 0)
			continue;
		if (!strcmp(c->a, e->from))
			snprintf(c->a, sizeof(c->a), "%s", e->name);
		if (!strcmp(c->b, e->from))
			snprintf(c->b, sizeof(c->b), "%s", e->name);
	}
}

void calls_event(struct model *m, const struct hub_event *e)
{
	if (e->what == HUB_EVENT_BEGUN)
		begins(m, e);
	else if (e->what == HUB_EVENT_ENDED)
		ends(m, e);
	else if (e->what == HUB_EVENT_NAMED && e->from)
		renames(m, e);
}

/* ---- what clients believe ---- */

static char *believes(struct person *p, const char *name)
{
	for (unsigned i = 0; i < PARTNERS; i++) {
		if (*name ? *p->partner[i] && name_same(p->partner[i], name) : !*p->partner[i])
			return p->partner[i];
	}
	return NULL;
}

static void believe(struct person *p, const char *name)
{
	char *free_one = believes(p, "");

	if (!believes(p, name) && free_one)
		snprintf(free_one, NAME_ROOM, "%s", name);
}

static void is_over(struct person *p, const char *name)
{
	char *partner = believes(p, name);

	if (partner)
		*partner = '\0';
	else if (!p->extended) /* it was not told of the new name */
		memset(p->partner, 0, sizeof(p->partner));
}

void calls_heard(struct person *p, const char *type, const json_t *msg)
{
	const char *name = json_string_value(json_object_get(msg, "name"));
	const char *to = json_string_value(json_object_get(msg, "to"));

	if (!name || !*name)
		return;
	if (!strcmp(type, "video-offer")) {
		if (json_integer_value(json_object_get(msg, "n")) > p->hung_up)
			believe(p, name);
	} else if (!strcmp(type, "hang-up")) {
		is_over(p, name);
	} else if (!strcmp(type, "renamed") && to && believes(p, name)) {
		is_over(p, name);
		if (!name_same(to, p->hung_up_to)) /* that crossed this */
			believe(p, to);
	}
}

/* An offer that comes after it may have been sent before. */
void calls_said(struct model *m, struct person *p, const char *type, const char *target)
{
	if (strcmp(type, "hang-up") != 0)
		return;
	p->hung_up = m->note_n;
	snprintf(p->hung_up_to, sizeof(p->hung_up_to), "%s", target ? target : "");
	if (target)
		is_over(p, target);
	else
		memset(p->partner, 0, sizeof(p->partner));
}

void calls_signed_in(struct person *p, const json_t *calls)
{
	const json_t *call;
	size_t i;

	memset(p->partner, 0, sizeof(p->partner));
	json_array_foreach (calls, i, call)
		believe(p, json_string_value(json_object_get(call, "name")));
}

/* Nobody reports the end of calls with those who cannot come back. Until no call is left it cannot
 * be told which ones go on. */
void calls_restart(struct model *m)
{
	m->calls_unsure = true;
}

/* The hub counts a call that rings at several devices as several. */
void calls_check(struct model *m)
{
	unsigned links = hub_call_count(m->hub);

	if (m->calls_unsure && !links) {
		m->calls_unsure = false;
		memset(m->call, 0, sizeof(m->call));
		m->call_n = 0;
	}
	model_check(m, MODEL_CALLS, m->calls_unsure || (m->call_n <= links && !m->call_n == !links),
	            "%u calls have begun and not ended, the hub has %u", m->call_n, links);
}

static bool has_call(struct model *m, const struct person *p)
{
	for (const struct call *c = m->call; c < m->call + CALLS_MAX; c++) {
		if (c->room && !strcmp(c->room, p->room) &&
		    (!strcmp(c->a, p->name) || !strcmp(c->b, p->name)))
			return true;
	}
	return false;
}

/* Names are ambiguous (two devices have one), so this looks at those in no call at all. */
void calls_check_settled(struct model *m)
{
	for (struct person *p = m->person; p < m->person + PEOPLE; p++) {
		for (unsigned i = 0; i < PARTNERS; i++) {
			if (p->conn && p->named && *p->partner[i])
				model_check(m, MODEL_ENDS, m->calls_unsure || has_call(m, p),
				            "%s has not heard that the call with %s is over",
				            p->name, p->partner[i]);
		}
	}
}
