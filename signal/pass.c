/* SPDX-License-Identifier: BSD-3-Clause
 *
 * A message on its way to others: stamped with its sender's name, and passed on without reading its
 * content.
 */
#include "base/error.h"
#include "signal/edit.h"
#include "signal/hub_internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <utlist.h>

void pass_refuse(struct hub_member *p, struct hub_message *m, const char *code, const char *why)
{
	m->refused = true;
	deliver_refuse(p, code, why, &m->scan, 0);
}

void pass_refuse_memory(struct hub_member *p, struct hub_message *m)
{
	pass_refuse(p, m, "out-of-memory", "The server is out of memory.");
}

/* The message as it goes on: the identity on it is the connection's, whatever the client wrote, and
 * only the server numbers. text: instead of its own; NULL: as it is. */
struct hub_text *pass_stamp(struct hub_member *p, struct hub_message *m, const char *text)
{
	const struct scan_value *value = m->scan.value;
	struct edit edit[4];
	struct hub_text *out;
	char id[24];
	unsigned n = 0;

	edit[n++] = (struct edit){ROUTE_NAME, p->user->quoted, p->user->quoted_len};
	if (value[ROUTE_ID].kind != SCAN_ABSENT && !strcmp(m->type, "message"))
		edit[n++] = (struct edit){ROUTE_ID, id,
		                          (size_t)snprintf(id, sizeof(id), "%" PRIu64, p->id)};
	if (value[ROUTE_SEQ].kind != SCAN_ABSENT)
		edit[n++] = (struct edit){ROUTE_SEQ, NULL, 0};
	if (text)
		edit[n++] = (struct edit){ROUTE_TEXT, text, strlen(text)};
	out = hub_text_new(NULL, edit_max(&m->scan, edit, n));
	if (!out) {
		pass_refuse_memory(p, m);
		return NULL;
	}
	out->len = edit_write(&m->scan, edit, n, out->data);
	out->from = p->origin->id;
	return out;
}

/* To everybody in the room, the sender included: its own line comes back to it. A member that
 * cannot keep up with the others' talk misses some of it, and keeps its connection. */
static void pass_to_all(struct hub_member *p, struct hub_message *m, struct hub_text *text)
{
	struct hub_member *to;
	struct hub_user *u;
	unsigned missed = 0;

	text->from = 0; /* what is lost later, nobody hears of */
	DL_FOREACH (p->user->room->users, u) {
		DL_FOREACH2(u->members, to, next_device)
		{
			int err = deliver(to, HUB_FRAME_PASSED, text);

			missed += err && err != -E_CLOSED;
		}
	}
	if (missed) {
		m->refused = true;
		deliver_refuse(p, "target-busy", "Not all could receive the message now.", &m->scan,
		               missed);
	}
}

/* A partner is found by the name that the sender knows, too. */
static struct hub_user *pass_find_user(const struct hub_member *p, const struct hub_message *m)
{
	struct hub_user *user = call_known_as(p, m->target);

	return user ? user : name_find(p->user->room, m->target);
}

/* The other ends of the sender's calls with user; all devices if there is none. */
bool pass_is_meant(const struct hub_member *p, const struct hub_member *to, bool in_call)
{
	return !in_call || call_find(p, to);
}

/* The text counts one more copy than there is, until copies_end(): none is lost for good before. */
struct copies copies_begin(struct hub_text *text, const struct hub_user *user)
{
	bool several = user->member_n > 1;

	text->copies = several;
	return (struct copies){.text = text, .several = several};
}

void copy_to(struct copies *c, struct hub_member *to)
{
	int err = deliver(to, HUB_FRAME_PASSED, c->text);

	c->delivered |= !err;
	c->busy |= err && err != -E_CLOSED;
	c->text->copies += !err && c->several;
}

void copies_end(struct copies *c)
{
	c->text->copies -= c->several;
}

void pass_refuse_unreached(struct hub_member *p, struct hub_message *m, bool busy)
{
	if (busy)
		pass_refuse(p, m, "target-busy", "That user cannot receive more messages now.");
	else
		pass_refuse(p, m, "target-away",
		            "That user has lost the connection for the moment.");
}

static void pass_to_user(struct hub_member *p, struct hub_message *m, struct hub_user *user,
                         struct hub_text *text)
{
	bool in_call = call_with_user(p, user);
	struct copies c = copies_begin(text, user);
	struct hub_member *to;

	DL_FOREACH2(user->members, to, next_device)
	{
		if (pass_is_meant(p, to, in_call))
			copy_to(&c, to);
	}
	copies_end(&c);
	if (c.delivered)
		return;
	hub_report(p, (struct hub_event){.what = HUB_EVENT_UNREACHED, .target = user->name});
	pass_refuse_unreached(p, m, c.busy);
}

struct hub_user *pass_want_user(struct hub_member *p, struct hub_message *m)
{
	struct hub_user *user;

	if (!m->target) {
		pass_refuse(p, m, "no-target", "This message needs a target.");
		return NULL;
	}
	user = pass_find_user(p, m);
	if (!user) {
		hub_report(p, (struct hub_event){.what = HUB_EVENT_UNREACHED, .target = m->target});
		pass_refuse(p, m, "unknown-target", "No user of that name is signed in.");
	}
	return user;
}

void pass_on(struct hub_member *p, struct hub_message *m, const char *said)
{
	struct hub_user *user = m->target ? pass_want_user(p, m) : NULL;
	struct hub_text *text = m->target && !user ? NULL : pass_stamp(p, m, said);

	if (text && user)
		pass_to_user(p, m, user, text);
	else if (text)
		pass_to_all(p, m, text);
	hub_text_unref(text);
}

/* What somebody may not do without a call, a partner may. */
bool pass_is_allowed(struct hub_member *p, struct hub_message *m, unsigned may)
{
	struct hub_user *user = m->target ? pass_find_user(p, m) : NULL;

	if ((p->may & may) || (user && call_with_user(p, user)))
		return true;
	pass_refuse(p, m, "not-allowed",
	            may == HUB_MAY_CALL ? "You may not call here." : "You may not write here.");
	return false;
}
