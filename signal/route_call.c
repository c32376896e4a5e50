/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The messages of calls: offer, answer, candidate, hang-up.
 */
#include "base/error.h"
#include "signal/hub_internal.h"

#include <string.h>
#include <utlist.h>

static bool can_be_reached(const struct hub_user *user)
{
	const struct hub_member *p;

	DL_FOREACH2(user->members, p, next_device)
	{
		if (p->ring || (!p->away && !p->closing))
			return true;
	}
	return false;
}

static bool begin_calls(struct hub_member *p, struct hub_message *m, struct hub_user *user)
{
	bool in_call = call_with_user(p, user);
	struct hub_member *to;
	int err = 0;

	DL_FOREACH2(user->members, to, next_device)
	{
		if (!err && !in_call && (to->ring || (!to->away && !to->closing)))
			err = call_begin(p, to);
	}
	if (err == -E_LIMIT)
		pass_refuse(p, m, "too-many-calls", "You have too many calls at a time.");
	else if (err)
		pass_refuse_memory(p, m);
	return !err;
}

static void report(struct hub_member *p, struct hub_message *m, struct hub_user *user,
                   enum hub_event_what what)
{
	call_signal(p, user, m->text, m->len);
	hub_report(p, (struct hub_event){
	                  .what = what, .target = user->name, .text = m->text, .len = m->len});
}

void route_on_offer(struct hub_member *p, struct hub_message *m)
{
	struct hub_user *user = pass_want_user(p, m);

	if (!user)
		return;
	if (user == p->user) {
		pass_refuse(p, m, "own-target", "You cannot call yourself.");
	} else if (!can_be_reached(user)) {
		hub_report(p,
		           (struct hub_event){.what = HUB_EVENT_UNREACHED, .target = user->name});
		pass_refuse(p, m, "target-away",
		            "That user has lost the connection for the moment.");
	} else if (pass_is_allowed(p, m, HUB_MAY_CALL) && begin_calls(p, m, user)) {
		call_offered(p, user);
		report(p, m, user, HUB_EVENT_OFFER);
		pass_on(p, m, NULL);
	}
}

/* The offer made the call: an answer that comes after the hang-up, or to no offer at all, makes
 * none. */
void route_on_answer(struct hub_member *p, struct hub_message *m)
{
	struct hub_user *user = pass_want_user(p, m);
	int err;

	if (!user)
		return;
	if (user == p->user) {
		pass_refuse(p, m, "own-target", "You cannot call yourself.");
		return;
	}
	if (!pass_is_allowed(p, m, HUB_MAY_CALL))
		return;
	err = call_answer(p, user);
	if (err == -E_EXISTS) {
		pass_refuse(p, m, "target-busy", "Another of your devices has the call.");
	} else if (err) {
		pass_refuse(p, m, "too-many-calls", "You have too many calls at a time.");
	} else {
		report(p, m, user, HUB_EVENT_ANSWER);
		pass_on(p, m, NULL);
	}
}

/* What a device still says when another one of the same user has the call would end or disturb
 * that: the other end knows both by one name. True: m was refused. */
static bool is_of_another_device(struct hub_member *p, struct hub_message *m, struct hub_user *user)
{
	const struct hub_member *other;

	if (call_with_user(p, user))
		return false;
	DL_FOREACH2(p->user->members, other, next_device)
	{
		if (other == p || !call_with_user(other, user))
			continue;
		pass_refuse(p, m, "target-busy", "Another of your devices has the call.");
		return true;
	}
	return false;
}

void route_on_candidate(struct hub_member *p, struct hub_message *m)
{
	struct hub_user *user = pass_want_user(p, m);

	if (!user)
		return;
	if (user == p->user) {
		pass_refuse(p, m, "own-target", "You cannot call yourself.");
		return;
	}
	if (!pass_is_allowed(p, m, HUB_MAY_CALL) || is_of_another_device(p, m, user))
		return;
	report(p, m, user, HUB_EVENT_CANDIDATE);
	pass_on(p, m, NULL);
}

/* One of the reasons of the protocol; NULL: none. */
static const char *reason_of(const struct hub_message *m)
{
	static const char *const reasons[] = {"declined", "busy",   "no-answer", "cancelled",
	                                      "taken",    "failed", "revoked",   "gone"};

	for (size_t i = 0; i < sizeof(reasons) / sizeof(*reasons); i++) {
		if (scan_is(&m->scan, &m->scan.value[ROUTE_REASON], reasons[i]))
			return reasons[i];
	}
	return NULL;
}

static void hang_up(struct hub_member *p, struct hub_message *m, struct hub_user *user,
                    struct hub_text *text)
{
	struct copies copies = copies_begin(text, user);
	const char *reason = reason_of(m);
	bool is_told = false;
	struct hub_member *to;

	DL_FOREACH2(user->members, to, next_device)
	{
		struct hub_call *c = call_find(p, to);

		if (!c || !call_hang_up(p, c, reason))
			continue;
		/* The call is over: whoever has no room for these words hears it in ours. */
		copies.busy = false;
		copy_to(&copies, to);
		if (copies.busy)
			call_tell_end(to, p->user->name, reason);
		copies.delivered |= copies.busy;
		is_told = true;
	}
	copies_end(&copies);
	if (is_told && !copies.delivered)
		pass_refuse_unreached(p, m, copies.busy);
}

void route_on_hang_up(struct hub_member *p, struct hub_message *m)
{
	struct hub_user *user;
	struct hub_text *text;

	/* The MDN client clears its target before it hangs up: "target":null is the end of
	 * its own call, not of every call in the house. */
	if (!m->target) {
		hub_report(p, (struct hub_event){.what = HUB_EVENT_HANG_UP});
		call_end_all(p, reason_of(m));
		return;
	}
	user = pass_want_user(p, m);
	hub_report(p, (struct hub_event){.what = HUB_EVENT_HANG_UP,
	                                 .target = user ? user->name : m->target});
	if (!user)
		return;
	if (!call_with_user(p, user)) {
		if (pass_is_allowed(p, m, HUB_MAY_CALL) && !is_of_another_device(p, m, user))
			pass_on(p, m, NULL);
		return;
	}
	text = pass_stamp(p, m, NULL);
	if (text)
		hang_up(p, m, user, text);
	hub_text_unref(text);
}
