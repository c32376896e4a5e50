/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The hub's duties: each message once, unchanged, to its target; a hang-up to the partners of a
 * member that has left.
 */
#include "harness/sim/agent.h"
#include "harness/sim/net.h"
#include "harness/sim/watch.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#define PARTNERS_MAX 8
#define NOBODY       UINT32_MAX
#define SWAP_EVERY   40 /* --break: so many go well in between */

struct member {
	bool joined;
	uint32_t partner[PARTNERS_MAX]; /* its partners in calls */
	uint32_t partner_n;
};

struct watch_hub {
	struct sim *sim;
	struct member *member; /* by agent */
	bool busy;
	uint32_t target; /* of the message that is being handled, or NOBODY */
	uint32_t gone;   /* the member that is leaving, or NOBODY */
	uint32_t told;   /* how many partners were told so */
	uint32_t call;
	unsigned int seen;
	uint32_t passed;
	size_t len;
	uint8_t text[WATCH_PACKET_MAX];
};

struct watch_hub *watch_hub_new(struct sim *s)
{
	struct watch_hub *w = calloc(1, sizeof(*w));

	if (!w)
		return NULL;
	w->sim = s;
	w->member = calloc(s->agents, sizeof(*w->member));
	if (!w->member) {
		free(w);
		return NULL;
	}
	return w;
}

void watch_hub_free(struct watch_hub *w)
{
	if (!w)
		return;
	free(w->member);
	free(w);
}

static void unpair_one(struct member *m, uint32_t who)
{
	for (uint32_t i = 0; i < m->partner_n; i++)
		if (m->partner[i] == who)
			m->partner[i] = m->partner[--m->partner_n];
}

static bool is_paired(const struct member *m, uint32_t who)
{
	for (uint32_t i = 0; i < m->partner_n; i++)
		if (m->partner[i] == who)
			return true;
	return false;
}

static void pair(struct watch_hub *w, uint32_t a, uint32_t b)
{
	struct member *m = &w->member[a], *o = &w->member[b];

	if (is_paired(m, b) || m->partner_n == PARTNERS_MAX || o->partner_n == PARTNERS_MAX)
		return;
	m->partner[m->partner_n++] = b;
	o->partner[o->partner_n++] = a;
}

static void on_message(struct watch_hub *w, uint32_t from, json_t *m)
{
	const char *type = json_string_value(json_object_get(m, "type"));
	const char *target = json_string_value(json_object_get(m, "target"));
	uint32_t to = target ? agent_of_name(w->sim, target) : NOBODY;

	w->call = (uint32_t)json_integer_value(json_object_get(m, "call"));
	if (type && !strcmp(type, "username"))
		w->member[from].joined = true;
	if (!type || to == NOBODY || !w->member[from].joined)
		return;
	if (!w->member[to].joined) /* the sender is told that the target is absent */
		return;
	if (!strcmp(type, "video-offer"))
		pair(w, from, to);
	if (!strcmp(type, "hang-up")) {
		unpair_one(&w->member[from], to);
		unpair_one(&w->member[to], from);
	}
	w->target = to;
}

void watch_hub_arrives(struct watch_hub *w, struct ep from, const uint8_t *data, size_t len)
{
	uint32_t who = from.ip & 0xffff;
	json_t *m;

	w->busy = true;
	w->target = w->gone = NOBODY;
	w->seen = w->told = 0;
	w->len = len < sizeof(w->text) ? len : sizeof(w->text);
	if (!len)
		return;
	memcpy(w->text, data, w->len);
	if (len == 1 && *data == HUB_BYE) {
		w->gone = who;
		return;
	}
	w->sim->counts.hub_messages++;
	m = json_loadb((const char *)data, len, 0, NULL);
	if (m)
		on_message(w, who, m);
	json_decref(m);
}

static void tamper(struct watch_hub *w, struct watch_sent *sent)
{
	bool now = ++w->passed % SWAP_EVERY == 0;

	if (w->sim->conf.broken == BREAK_HUB_TWICE && now)
		sent->times = 2;
	if (w->sim->conf.broken == BREAK_HUB_MISROUTE && now)
		sent->to.ip ^= 1;
	/* the next one overtakes it */
	if (w->sim->conf.broken == BREAK_HUB_SWAP)
		sent->delay_ms = w->passed % 2 ? 400 : 0;
}

/* The message to a partner of a member that has left: {"name":…,"target":…,"type":"hang-up"}, and
 * no call in it. */
static bool is_last_word(const struct watch_sent *sent)
{
	static const char type[] = "\"type\":\"hang-up\"", own[] = "\"call\"";

	return memmem(sent->data, sent->len, type, sizeof(type) - 1) &&
	       !memmem(sent->data, sent->len, own, sizeof(own) - 1);
}

void watch_hub_sent(struct watch_hub *w, struct watch_sent *sent)
{
	static const char own[] = "\"call\"";
	uint32_t to = sent->to.ip & 0xffff;

	if (memmem(sent->data, sent->len, own, sizeof(own) - 1)) {
		tamper(w, sent);
		to = sent->to.ip & 0xffff;
		w->seen += sent->times;
		sim_check(w->sim, SIM_HUB_ONCE,
		          w->busy && to == w->target && sent->len == w->len &&
		              !memcmp(sent->data, w->text, w->len),
		          w->call, "a message for agent %u came to %u, or came changed", w->target,
		          to);
		return;
	}
	if (!is_last_word(sent))
		return; /* the user list, an error */
	if (w->sim->conf.broken == BREAK_HUB_SILENT) {
		sent->times = 0;
		return;
	}
	w->told++;
	sim_check(w->sim, SIM_HUB_GONE, w->gone != NOBODY && is_paired(&w->member[w->gone], to), 0,
	          "agent %u was told of the end of a call that it is not in", to);
}

void watch_hub_handled(struct watch_hub *w)
{
	struct member *m;

	if (!w->busy)
		return;
	w->busy = false;
	if (w->target != NOBODY)
		sim_check(w->sim, SIM_HUB_ONCE, w->seen == 1, w->call,
		          "a message for agent %u was delivered %u times", w->target, w->seen);
	if (w->gone == NOBODY)
		return;
	m = &w->member[w->gone];
	sim_check(w->sim, SIM_HUB_GONE, w->told == m->partner_n, w->call,
	          "agent %u is gone, and %u of its %u partners were told", w->gone, w->told,
	          m->partner_n);
	for (uint32_t i = 0; i < m->partner_n; i++)
		unpair_one(&w->member[m->partner[i]], w->gone);
	memset(m, 0, sizeof(*m));
}
