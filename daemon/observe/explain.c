/* SPDX-License-Identifier: BSD-3-Clause
 *
 * A ring of calls, and a table of those that go on.
 */
#include "daemon/observe/explain.h"

#include "base/clock.h"
#include "base/table.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct pair {
	char room[HUB_ROOM_MAX + 1], low[HUB_NAME_MAX + 1],
	    high[HUB_NAME_MAX + 1]; /* padded with zeros */
};

struct entry {
	struct explain_call call;
	struct pair pair;
	unsigned begun, ended; /* how often the hub said so: two devices of one user may each have a
	                        * call with the same other user */
	UT_hash_handle hh;     /* while the call goes on */
};

struct explain {
	struct entry *ring;
	size_t size;
	uint64_t made;
	struct entry *open;
};

struct explain *explain_new(size_t calls)
{
	struct explain *x = calloc(1, sizeof(*x));

	if (x)
		x->ring = calloc(calls, sizeof(*x->ring));
	if (!x || !x->ring) {
		free(x);
		return NULL;
	}
	x->size = calls;
	return x;
}

static void end(struct explain *x, struct entry *e)
{
	HASH_DEL(x->open, e);
	e->call.ended_ms = clock_mono_ms();
}

void explain_free(struct explain *x)
{
	if (!x)
		return;
	HASH_CLEAR(hh, x->open);
	free(x->ring);
	free(x);
}

/* The same two names in another room are other people. */
static void make_pair(struct pair *p, const char *room, const char *a, const char *b)
{
	bool in_order = strcmp(a, b) <= 0;

	memset(p, 0, sizeof(*p));
	snprintf(p->room, sizeof(p->room), "%s", room ? room : "");
	snprintf(p->low, sizeof(p->low), "%s", in_order ? a : b);
	snprintf(p->high, sizeof(p->high), "%s", in_order ? b : a);
}

static struct entry *find_open(struct explain *x, const char *room, const char *a, const char *b)
{
	struct entry *e;
	struct pair p;

	make_pair(&p, room, a, b);
	HASH_FIND(hh, x->open, &p, sizeof(p), e);
	return e;
}

static struct entry *begin(struct explain *x, const struct hub_event *event)
{
	struct entry *e = &x->ring[x->made % x->size];

	if (*e->call.id && !e->call.ended_ms)
		HASH_DEL(x->open, e);
	memset(e, 0, sizeof(*e));
	snprintf(e->call.id, sizeof(e->call.id), "c%llx", (unsigned long long)++x->made);
	snprintf(e->call.name[0], sizeof(e->call.name[0]), "%s", event->name);
	snprintf(e->call.name[1], sizeof(e->call.name[1]), "%s", event->target);
	e->call.begun_ms = clock_mono_ms();
	e->call.ended_by = -1;
	make_pair(&e->pair, event->room, event->name, event->target);
	snprintf(e->call.room, sizeof(e->call.room), "%s", e->pair.room);
	/* Out of memory: it stays in the ring, and nothing more is noted of it. */
	if (TABLE_ADD(hh, x->open, pair, sizeof(e->pair), e))
		e->call.ended_ms = e->call.begun_ms;
	return e;
}

static void note(struct entry *e, enum hub_event_what what, int from)
{
	struct explain_call *c = &e->call;
	struct explain_event *at;

	for (size_t i = 0; i < c->event_n; i++) {
		if (c->event[i].what != what || c->event[i].from != from)
			continue;
		c->event[i].count++;
		c->event[i].last_ms = clock_mono_ms();
		return;
	}
	if (c->event_n == EXPLAIN_EVENTS) {
		c->dropped++;
		return;
	}
	at = &c->event[c->event_n++];
	*at = (struct explain_event){
	    .what = what, .from = from, .count = 1, .at_ms = clock_mono_ms()};
	at->last_ms = at->at_ms;
}

/* The hub keeps this call, and will say once that it has ended, whatever comes of a hang-up. It
 * keeps none of a dialect. */
static bool is_hubs(const struct entry *e)
{
	return e->begun > 0;
}

static int end_of(const struct entry *e, const char *name)
{
	return strcmp(e->call.name[0], name) != 0;
}

static bool is_of(const struct entry *e, const char *room, const char *name)
{
	return !strcmp(e->pair.room, room ? room : "") &&
	       (!strcmp(e->call.name[0], name) || !strcmp(e->call.name[1], name));
}

static void end_by(struct explain *x, struct entry *e, const struct hub_event *event)
{
	e->call.ended_by = end_of(e, event->name);
	e->call.ended_by_id = event->member_id;
	end(x, e);
}

/* The call goes on under the new name. */
static void rename_end(struct explain *x, struct entry *e, const struct hub_event *event)
{
	struct explain_call *c = &e->call;
	int which = end_of(e, event->from);
	struct entry *old;

	HASH_DEL(x->open, e);
	old = find_open(x, event->room, which ? c->name[0] : event->name,
	                which ? event->name : c->name[1]);
	if (old) /* of somebody who had the name before: its end was not told */
		end(x, old);
	snprintf(c->name[which], sizeof(c->name[which]), "%s", event->name);
	make_pair(&e->pair, event->room, c->name[0], c->name[1]);
	if (TABLE_ADD(hh, x->open, pair, sizeof(e->pair), e))
		c->ended_ms = clock_mono_ms(); /* out of memory */
}

/* Notes an event without a target in all of its sender's calls: a member has left, has another
 * name, or hung up everywhere. */
static void note_all(struct explain *x, const struct hub_event *event)
{
	bool ends = event->what == HUB_EVENT_HANG_UP || event->what == HUB_EVENT_LEFT;
	const char *name =
	    event->what == HUB_EVENT_NAMED && event->from ? event->from : event->name;
	struct entry *e, *next;

	HASH_ITER (hh, x->open, e, next) {
		if (!is_of(e, event->room, name))
			continue;
		note(e, event->what, end_of(e, name));
		if (name != event->name)
			rename_end(x, e, event);
		else if (ends && !is_hubs(e))
			end_by(x, e, event);
	}
}

/* Of BEGUN, ANSWERED and ENDED, which the hub says of each call that it keeps. */
static void note_hubs(struct entry *e, const struct hub_event *event)
{
	struct explain_call *c = &e->call;

	if (event->what == HUB_EVENT_BEGUN || (event->what == HUB_EVENT_ANSWERED && !e->begun))
		e->begun++;
	c->answered |= event->what == HUB_EVENT_ANSWERED;
	if (event->what != HUB_EVENT_ENDED)
		return;
	e->ended++;
	c->answered |= event->code != 0;
	c->ended_by = event->from ? end_of(e, event->from) : -1;
	c->ended_by_id = event->by;
	snprintf(c->reason, sizeof(c->reason), "%s", event->reason ? event->reason : "");
}

static bool begins(const struct hub_event *event)
{
	return event->what == HUB_EVENT_BEGUN || event->what == HUB_EVENT_OFFER ||
	       event->what == HUB_EVENT_UNREACHED;
}

static bool has_ended(const struct entry *e, const struct hub_event *event)
{
	switch (event->what) {
	case HUB_EVENT_ENDED:
		return e->ended >= e->begun;
	case HUB_EVENT_HANG_UP:
		return !is_hubs(e);
	case HUB_EVENT_UNREACHED:
		return !is_hubs(e) && !explain_count(&e->call, HUB_EVENT_OFFER, -1);
	default:
		return false;
	}
}

void explain_signal(struct explain *x, const struct hub_event *event)
{
	struct entry *e;
	int from;

	if (!x)
		return;
	if (!event->target) {
		note_all(x, event);
		return;
	}
	e = find_open(x, event->room, event->name, event->target);
	if (!e && begins(event))
		e = begin(x, event);
	if (!e)
		return;
	note_hubs(e, event);
	from = end_of(e, event->name);
	if (event->what == HUB_EVENT_ENDED && event->from)
		from = e->call.ended_by;
	note(e, event->what, from);
	e->call.answered |= event->what == HUB_EVENT_ANSWER && !is_hubs(e);
	if (e->call.ended_ms || !has_ended(e, event))
		return;
	if (event->what == HUB_EVENT_HANG_UP)
		end_by(x, e, event);
	else
		end(x, e);
}

const struct explain_call *explain_nth(const struct explain *x, size_t i)
{
	if (!x || i >= x->size || i >= x->made)
		return NULL;
	return &x->ring[(x->made - 1 - i) % x->size].call;
}

const struct explain_call *explain_call(const struct explain *x, const char *id)
{
	const struct explain_call *c;

	for (size_t i = 0; (c = explain_nth(x, i)); i++)
		if (!strcmp(c->id, id))
			return c;
	return NULL;
}

unsigned explain_count(const struct explain_call *c, enum hub_event_what what, int from)
{
	unsigned n = 0;

	for (size_t i = 0; i < c->event_n; i++)
		if (c->event[i].what == what && (from < 0 || c->event[i].from == from))
			n += c->event[i].count;
	return n;
}
