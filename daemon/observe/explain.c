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

#define KEEP_FIRST 8

struct pair {
	char room[HUB_ROOM_MAX + 1], low[HUB_NAME_MAX + 1],
	    high[HUB_NAME_MAX + 1]; /* padded with zeros */
};

struct entry {
	struct explain_call call;
	struct pair pair;
	UT_hash_handle hh; /* while the call goes on */
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

static struct entry *find_open(struct explain *x, const struct hub_event *event)
{
	struct entry *e;
	struct pair p;

	make_pair(&p, event->room, event->name, event->target);
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
	make_pair(&e->pair, event->room, event->name, event->target);
	snprintf(e->call.room, sizeof(e->call.room), "%s", e->pair.room);
	/* Out of memory: it stays in the ring, and nothing more is noted of it. */
	if (TABLE_ADD(hh, x->open, pair, sizeof(e->pair), e))
		e->call.ended_ms = e->call.begun_ms;
	return e;
}

static void note(struct entry *e, enum hub_event_what what, const char *name)
{
	struct explain_call *c = &e->call;
	int from = strcmp(c->name[0], name) != 0;
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
	return explain_count(&e->call, HUB_EVENT_BEGUN, -1) > 0;
}

/* Notes an event without a target in all of its sender's calls: a member has left, or hung up
 * everywhere. */
static void note_all(struct explain *x, const struct hub_event *event, bool ends)
{
	struct entry *e, *next;

	HASH_ITER (hh, x->open, e, next) {
		if (strcmp(e->pair.room, event->room ? event->room : "") != 0 ||
		    (strcmp(e->call.name[0], event->name) != 0 &&
		     strcmp(e->call.name[1], event->name) != 0))
			continue;
		note(e, event->what, event->name);
		if (ends && !is_hubs(e))
			end(x, e);
	}
}

void explain_signal(struct explain *x, const struct hub_event *event)
{
	struct entry *e;

	if (!x)
		return;
	if (!event->target) {
		note_all(x, event, event->what == HUB_EVENT_HANG_UP);
		return;
	}
	e = find_open(x, event);
	if (!e && (event->what == HUB_EVENT_BEGUN || event->what == HUB_EVENT_OFFER ||
	           event->what == HUB_EVENT_UNREACHED))
		e = begin(x, event);
	if (!e)
		return;
	note(e, event->what, event->name);
	if (event->what == HUB_EVENT_ENDED && event->reason)
		snprintf(e->call.reason, sizeof(e->call.reason), "%s", event->reason);
	if (event->what == HUB_EVENT_ENDED || (event->what == HUB_EVENT_HANG_UP && !is_hubs(e)) ||
	    (event->what == HUB_EVENT_UNREACHED && !explain_count(&e->call, HUB_EVENT_OFFER, -1)))
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
