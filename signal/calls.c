/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The calls between members: from a routed offer until a hang-up or the end of a connection.
 */
#include "base/error.h"
#include "signal/hub_internal.h"

#include <stdlib.h>

static unsigned find(const struct hub_member *a, const struct hub_member *b)
{
	unsigned i = 0;

	while (i < a->partner_n && a->partner[i] != b)
		i++;
	return i;
}

static int make_room(struct hub_member *p)
{
	unsigned cap = p->partner_cap ? p->partner_cap * 2 : 2;
	struct hub_member **grown;

	if (p->partner_n >= p->hub->conf.max_calls)
		return -E_LIMIT;
	if (p->partner_n < p->partner_cap)
		return 0;
	grown = realloc(p->partner, cap * sizeof(struct hub_member *));
	if (!grown)
		return -E_NOMEM;
	p->partner = grown;
	p->partner_cap = cap;
	return 0;
}

int call_begin(struct hub_member *a, struct hub_member *b)
{
	int err;

	if (find(a, b) < a->partner_n)
		return 0;
	err = make_room(a);
	if (!err)
		err = make_room(b);
	if (err)
		return err;
	a->partner[a->partner_n++] = b;
	b->partner[b->partner_n++] = a;
	a->hub->call_n++;
	presence_due_by_call(a, b);
	return 0;
}

static void forget(struct hub_member *a, const struct hub_member *b)
{
	unsigned i = find(a, b);

	a->partner_n--;
	for (; i < a->partner_n; i++)
		a->partner[i] = a->partner[i + 1];
}

void call_end(struct hub_member *a, struct hub_member *b)
{
	if (find(a, b) == a->partner_n)
		return;
	forget(a, b);
	forget(b, a);
	a->hub->call_n--;
	presence_due_by_call(a, b);
	hub_link(a->hub,
	         (struct hub_link_news){.what = HUB_LINK_ENDED, .member = a->id, .other = b->id});
}

void call_signal(struct hub_member *a, struct hub_member *b, const char *text, size_t len)
{
	if (find(a, b) < a->partner_n)
		hub_link(a->hub, (struct hub_link_news){.what = HUB_LINK_SIGNALED,
		                                        .member = a->id,
		                                        .other = b->id,
		                                        .text = text,
		                                        .len = len});
}

void call_end_all(struct hub_member *p)
{
	while (p->partner_n) {
		struct hub_member *partner = p->partner[0];

		call_end(p, partner);
		hub_send_json(partner, json_pack("{s:s,s:s,s:s}", "name", p->user->name, "target",
		                                 partner->user->name, "type", "hang-up"));
	}
}

void call_move(struct hub_member *from, struct hub_member *to)
{
	for (unsigned i = 0; i < from->partner_n; i++) {
		struct hub_member *partner = from->partner[i];

		partner->partner[find(partner, from)] = to;
	}
	free(to->partner);
	to->partner = from->partner;
	to->partner_n = from->partner_n;
	to->partner_cap = from->partner_cap;
	from->partner = NULL;
	from->partner_n = from->partner_cap = 0;
	hub_link(to->hub, (struct hub_link_news){
	                      .what = HUB_LINK_MOVED, .member = from->id, .other = to->id});
}

void call_free(struct hub_member *p)
{
	free(p->partner);
}

void call_renamed(struct hub_member *p, const char *old)
{
	for (unsigned i = 0; i < p->partner_n; i++) {
		struct hub_member *partner = p->partner[i];

		if (partner->extended)
			hub_send_json(partner, json_pack("{s:s,s:s,s:s}", "type", "renamed", "name",
			                                 old, "to", p->user->name));
	}
}
