/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The calls between members: from a routed offer until a hang-up or the end of a connection. An
 * offer to a user with several devices makes a call with each; the first answer keeps its own.
 */
#include "base/error.h"
#include "signal/hub_internal.h"

#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#define RING_MS 120000

static enum hub_end end_of(const struct hub_call *c, const struct hub_member *p)
{
	return c->end[HUB_CALLER] == p ? HUB_CALLER : HUB_CALLEE;
}

struct hub_member *call_other(const struct hub_call *c, const struct hub_member *p)
{
	return c->end[!end_of(c, p)];
}

struct hub_call *call_find(const struct hub_member *a, const struct hub_member *b)
{
	for (unsigned i = 0; i < a->call_n; i++) {
		if (call_other(a->call[i], a) == b)
			return a->call[i];
	}
	return NULL;
}

bool call_with_user(const struct hub_member *p, const struct hub_user *user)
{
	for (unsigned i = 0; i < p->call_n; i++) {
		if (call_other(p->call[i], p)->user == user)
			return true;
	}
	return false;
}

/* Whether p's call to user still rings at a device. */
static bool rings_at(const struct hub_member *p, const struct hub_user *user)
{
	for (unsigned i = 0; i < p->call_n; i++) {
		const struct hub_call *c = p->call[i];

		if (!c->answered && c->end[HUB_CALLER] == p && c->end[HUB_CALLEE]->user == user)
			return true;
	}
	return false;
}

struct hub_user *call_known_as(const struct hub_member *p, const char *name)
{
	for (unsigned i = 0; i < p->call_n; i++) {
		const struct hub_call *c = p->call[i];

		if (!strcmp(c->known_as[!end_of(c, p)], name))
			return call_other(c, p)->user;
	}
	return NULL;
}

static int make_room(struct hub_member *p)
{
	unsigned cap = p->call_cap ? p->call_cap * 2 : 2;
	struct hub_call **grown;

	if (p->call_n < p->call_cap)
		return 0;
	grown = realloc(p->call, cap * sizeof(struct hub_call *));
	if (!grown)
		return -E_NOMEM;
	p->call = grown;
	p->call_cap = cap;
	return 0;
}

static unsigned count(const struct hub_member *p, bool answered)
{
	unsigned n = 0;

	for (unsigned i = 0; i < p->call_n; i++)
		n += p->call[i]->answered == answered &&
		     (answered || p->call[i]->end[HUB_CALLER] == p);
	return n;
}

int call_begin(struct hub_member *caller, struct hub_member *callee)
{
	struct hub *h = caller->hub;
	bool rings = rings_at(caller, callee->user);
	struct hub_call *c;

	if (call_find(caller, callee))
		return 0;
	if (!rings &&
	    (count(caller, false) >= h->conf.max_calls || count(caller, true) >= h->conf.max_calls))
		return -E_LIMIT;
	if (make_room(caller) || make_room(callee))
		return -E_NOMEM;
	c = calloc(1, sizeof(*c));
	if (!c)
		return -E_NOMEM;
	c->end[HUB_CALLER] = caller;
	c->end[HUB_CALLEE] = callee;
	memcpy(c->known_as[HUB_CALLER], caller->user->name, sizeof(caller->user->name));
	memcpy(c->known_as[HUB_CALLEE], callee->user->name, sizeof(callee->user->name));
	c->offered[HUB_CALLER] = true;
	c->since_ms = h->ops.now_ms(h->ctx);
	caller->call[caller->call_n++] = c;
	callee->call[callee->call_n++] = c;
	DL_APPEND(h->ringing, c);
	h->call_n++;
	presence_due_by_call(caller, callee);
	hub_wake_by(h, c->since_ms + RING_MS);
	if (!rings)
		hub_report(caller, (struct hub_event){.what = HUB_EVENT_BEGUN,
		                                      .target = callee->user->name});
	return 0;
}

static void forget(struct hub_member *p, const struct hub_call *c)
{
	unsigned i = 0;

	while (p->call[i] != c)
		i++;
	for (p->call_n--; i < p->call_n; i++)
		p->call[i] = p->call[i + 1];
}

/* Nobody is told. */
static void unlink_call(struct hub_call *c)
{
	struct hub *h = c->end[HUB_CALLER]->hub;

	forget(c->end[HUB_CALLER], c);
	forget(c->end[HUB_CALLEE], c);
	if (!c->answered)
		DL_DELETE(h->ringing, c);
	h->call_n--;
	presence_due_by_call(c->end[HUB_CALLER], c->end[HUB_CALLEE]);
	hub_link(h, (struct hub_link_news){.what = HUB_LINK_ENDED,
	                                   .member = c->end[HUB_CALLER]->origin->id,
	                                   .other = c->end[HUB_CALLEE]->origin->id});
}

void call_signal(struct hub_member *p, struct hub_user *user, const char *text, size_t len)
{
	for (unsigned i = 0; i < p->call_n; i++) {
		const struct hub_member *other = call_other(p->call[i], p);

		if (other->user == user)
			hub_link(p->hub, (struct hub_link_news){.what = HUB_LINK_SIGNALED,
			                                        .member = p->origin->id,
			                                        .other = other->origin->id,
			                                        .text = text,
			                                        .len = len});
	}
}

void call_end(struct hub_call *c, const struct hub_member *by, const char *reason)
{
	struct hub_member *caller = c->end[HUB_CALLER];
	struct hub_user *callee = c->end[HUB_CALLEE]->user;
	struct hub *h = caller->hub;

	unlink_call(c);
	/* A call that rings at several devices has ended with the last of them. */
	if (c->answered || !rings_at(caller, callee))
		hub_report(
		    caller,
		    (struct hub_event){
		        .what = HUB_EVENT_ENDED,
		        .target = callee->name,
		        .from = by ? by->user->name : NULL,
		        .by = by ? by->origin->id : 0,
		        .reason = reason ? reason : "",
		        .seconds = c->answered ? (h->ops.now_ms(h->ctx) - c->since_ms) / 1000 : 0,
		        .code = c->answered});
	free(c);
}

void call_tell_end(struct hub_member *to, const char *name, const char *reason)
{
	if (to->user)
		deliver_json(to, json_pack("{s:s,s:s,s:s,s:s*}", "name", name, "target",
		                           to->user->name, "type", "hang-up", "reason", reason));
}

/* The other devices of callee stop to ring. */
static void stop_others(struct hub_member *caller, struct hub_member *callee)
{
	struct hub_member *p;

	DL_FOREACH2(callee->user->members, p, next_device)
	{
		struct hub_call *c = p == callee ? NULL : call_find(caller, p);

		if (!c || c->answered || c->end[HUB_CALLER] != caller)
			continue;
		unlink_call(c);
		free(c);
		call_tell_end(p, caller->user->name, "taken");
	}
}

void call_offered(struct hub_member *p, const struct hub_user *user)
{
	for (unsigned i = 0; i < p->call_n; i++) {
		struct hub_call *c = p->call[i];

		if (call_other(c, p)->user == user)
			c->offered[end_of(c, p)] = true;
	}
}

/* The call with that user that p may answer: both ends may have called at once. */
static int find_offer(struct hub_member *p, struct hub_user *user, struct hub_call **out)
{
	struct hub_member *other;
	int err = 0;

	*out = NULL;
	DL_FOREACH2(user->members, other, next_device)
	{
		struct hub_call *c = call_find(p, other);

		if (!c && call_with_user(other, p->user))
			err = -E_EXISTS; /* another device of ours has it */
		if (!c || c->answered || !c->offered[end_of(c, other)])
			continue;
		*out = c;
		return 0;
	}
	return call_with_user(p, user) ? 0 : err;
}

int call_answer(struct hub_member *p, struct hub_user *user)
{
	struct hub *h = p->hub;
	struct hub_member *other;
	struct hub_call *c;
	int err = find_offer(p, user, &c);

	if (err || !c)
		return err;
	other = call_other(c, p);
	if (count(p, true) >= h->conf.max_calls || count(other, true) >= h->conf.max_calls)
		return -E_LIMIT;
	stop_others(c->end[HUB_CALLER], c->end[HUB_CALLEE]);
	c->answered = true;
	c->since_ms = h->ops.now_ms(h->ctx);
	DL_DELETE(h->ringing, c);
	hub_report(c->end[HUB_CALLEE],
	           (struct hub_event){.what = HUB_EVENT_ANSWERED,
	                              .target = c->end[HUB_CALLER]->user->name});
	return 0;
}

bool call_hang_up(struct hub_member *p, struct hub_call *c, const char *reason)
{
	struct hub_member *caller = c->end[HUB_CALLER];
	bool declines = !c->answered && p == c->end[HUB_CALLEE];

	if (declines && reason && !strcmp(reason, "declined"))
		stop_others(caller, p);
	call_end(c, p, reason);
	return !declines || !rings_at(caller, p->user);
}

void call_end_all(struct hub_member *p, const char *reason)
{
	while (p->call_n) {
		struct hub_call *c = p->call[0];
		struct hub_member *other = call_other(c, p);

		if (call_hang_up(p, c, reason))
			call_tell_end(other, p->user->name, reason);
	}
}

int64_t call_due(struct hub *h, int64_t now_ms)
{
	while (h->ringing && h->ringing->since_ms + RING_MS <= now_ms) {
		struct hub_call *c = h->ringing;
		struct hub_member *caller = c->end[HUB_CALLER], *callee = c->end[HUB_CALLEE];

		call_end(c, NULL, "no-answer");
		call_tell_end(callee, caller->user->name, "no-answer");
		if (!rings_at(caller, callee->user))
			call_tell_end(caller, callee->user->name, "no-answer");
	}
	return h->ringing ? h->ringing->since_ms + RING_MS : -1;
}

void call_move(struct hub_member *from, struct hub_member *to)
{
	free(to->call);
	to->call = from->call;
	to->call_n = from->call_n;
	to->call_cap = from->call_cap;
	from->call = NULL;
	from->call_n = from->call_cap = 0;
	for (unsigned i = 0; i < to->call_n; i++)
		to->call[i]->end[end_of(to->call[i], from)] = to;
}

void call_renamed(struct hub_member *p, const char *old)
{
	for (unsigned i = 0; i < p->call_n; i++) {
		struct hub_call *c = p->call[i];
		struct hub_member *other = call_other(c, p);

		if (!other->extended)
			continue; /* goes on to know it by its old name */
		memcpy(c->known_as[end_of(c, p)], p->user->name, sizeof(p->user->name));
		deliver_json(other, json_pack("{s:s,s:s,s:s}", "type", "renamed", "name", old, "to",
		                              p->user->name));
	}
}

json_t *call_list(const struct hub_member *p)
{
	json_t *list = json_array();

	for (unsigned i = 0; i < p->call_n; i++) {
		const struct hub_call *c = p->call[i];

		json_array_append_new(list, json_pack("{s:s,s:s,s:b}", "name",
		                                      call_other(c, p)->user->name, "state",
		                                      c->answered ? "answered" : "ringing",
		                                      "caller", c->end[HUB_CALLER] == p));
	}
	return list;
}

/* Both ends have it, so that each can hear of it if the other does not come back. */
json_t *call_save(const struct hub_member *p)
{
	json_t *list = json_array();

	for (unsigned i = 0; i < p->call_n; i++) {
		const struct hub_call *c = p->call[i];
		const struct hub_member *other = call_other(c, p);
		const struct hub *h = p->hub;

		json_array_append_new(
		    list, json_pack("{s:b,s:I,s:s,s:b,s:I,s:s,s:s}", "caller",
		                    c->end[HUB_CALLER] == p, "other", (json_int_t)other->origin->id,
		                    "name", other->user->name, "answered", c->answered, "age",
		                    (json_int_t)(h->ops.now_ms(h->ctx) - c->since_ms), "caller_as",
		                    c->known_as[HUB_CALLER], "callee_as", c->known_as[HUB_CALLEE]));
	}
	return list;
}

static void load_name(char out[HUB_NAME_MAX + 1], const json_t *saved)
{
	size_t len = json_string_length(saved);

	if (len && len <= HUB_NAME_MAX)
		memcpy(out, json_string_value(saved), len + 1);
}

static void load_call(struct hub_member *caller, struct hub_member *callee, const json_t *saved)
{
	struct hub_call *c;

	if (callee == caller || callee->user == caller->user ||
	    callee->user->room != caller->user->room || call_find(caller, callee) ||
	    call_begin(caller, callee))
		return;
	c = call_find(caller, callee);
	c->answered = json_is_true(json_object_get(saved, "answered"));
	if (c->answered) {
		c->since_ms -= resume_number(saved, "age");
		DL_DELETE(caller->hub->ringing, c);
	}
	load_name(c->known_as[HUB_CALLER], json_object_get(saved, "caller_as"));
	load_name(c->known_as[HUB_CALLEE], json_object_get(saved, "callee_as"));
}

void call_load(struct hub_member *p, const json_t *saved)
{
	json_t *call;
	size_t i;

	json_array_foreach (saved, i, call) {
		uint64_t id = (uint64_t)resume_number(call, "other");
		const char *name = json_string_value(json_object_get(call, "name"));
		struct hub_member *other = hub_find_id(p->hub, id);

		if (other && other->user && json_is_true(json_object_get(call, "caller")))
			load_call(p, other, call);
		else if (name && (!other || !other->user)) /* that end cannot come back */
			call_tell_end(p, name, "gone");
	}
}

void call_free(struct hub_member *p)
{
	while (p->call_n) {
		struct hub_call *c = p->call[0];

		unlink_call(c);
		free(c);
	}
	free(p->call);
}
