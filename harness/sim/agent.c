/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Clients at the hub, and calls.
 */
#include "harness/sim/agent.h"

#include "base/error.h"
#include "harness/sim/leg.h"
#include "harness/sim/net.h"
#include "harness/sim/turn_client.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <utlist.h>

#define NOTICED_MS 10000 /* the hub's pings find a dead connection */
#define BACK_MS    30000
#define GREEDY_MS  8000
#define CALLED_MS  15000 /* for the offer on its way */

static uint32_t u32_of(json_t *m, const char *key)
{
	return (uint32_t)json_integer_value(json_object_get(m, key));
}

static void on_text(struct agent *a, const uint8_t *text, size_t len)
{
	json_t *m = json_loadb((const char *)text, len, 0, NULL);
	const char *name = json_string_value(json_object_get(m, "name"));
	struct leg_message msg = {.type = json_string_value(json_object_get(m, "type")),
	                          .address = json_string_value(json_object_get(m, "address")),
	                          .from = name ? agent_of_name(a->sim, name) : UINT32_MAX,
	                          .n = u32_of(m, "n"),
	                          .gen = u32_of(m, "gen"),
	                          .call = u32_of(m, "call")};
	struct call *c;

	if (!msg.type)
		goto out;
	if (!a->leg && !strcmp(msg.type, "video-offer")) {
		DL_SEARCH_SCALAR(a->sim->calls, c, number, msg.call);
		if (c && c->end[1] == a)
			a->leg = leg_new(a, c, false);
	}
	if (a->leg)
		leg_message(a->leg, &msg);
out:
	json_decref(m);
}

static void on_web(void *arg, struct env_udp *u, struct datagram *d, size_t n)
{
	struct agent *a = arg;

	(void)u;
	if (n && d->len)
		on_text(a, d->data, d->len);
}

int agent_init(struct sim *s, uint32_t number)
{
	struct agent *a = &s->agent[number];
	char password[32];

	a->sim = s;
	a->number = number;
	snprintf(a->name, sizeof(a->name), "u%u", number);
	snprintf(password, sizeof(password), "%" PRIx64 "-%u", s->conf.seed, number);
	wire_key(a->name, SIM_REALM, password, a->key);
	a->home = sim_net_place(s->net, number, &a->ip);
	return 0;
}

void agent_free(struct agent *a)
{
	leg_free(a->leg, false);
	agent_end_greed(a, false);
	env_udp_close(a->web);
	a->leg = NULL;
	a->web = NULL;
}

uint32_t agent_of_name(const struct sim *s, const char *name)
{
	unsigned long n = *name == 'u' ? strtoul(name + 1, NULL, 10) : UINT32_MAX;

	return n < s->agents ? (uint32_t)n : UINT32_MAX;
}

void agent_forget_client(struct agent *a)
{
	a->clients--;
}

static void to_hub(struct agent *a, const char *text, size_t len)
{
	struct addr to = ep_addr(sim_net_web_hub());

	if (a->web)
		env_udp_send(a->web, &to, (const uint8_t *)text, len);
}

void agent_join(struct agent *a)
{
	struct env_udp_params p = {.local = ep_addr(sim_net_web_client(a->number)),
	                           .fd = -1,
	                           .on_batch = on_web,
	                           .arg = a};
	char text[80];
	int n = snprintf(text, sizeof(text), "{\"type\":\"username\",\"name\":\"%s\"}", a->name);

	a->back_ms = 0;
	if (a->web || env_udp_open(a->sim->env, &p, &a->web))
		return;
	to_hub(a, "", 0);
	to_hub(a, text, (size_t)n);
}

void agent_leave(struct agent *a)
{
	static const char bye = HUB_BYE;

	to_hub(a, &bye, 1);
	env_udp_close(a->web);
	a->web = NULL;
}

void agent_crash(struct agent *a)
{
	static const uint8_t bye = HUB_BYE;
	struct addr from = ep_addr(sim_net_web_client(a->number)), to = ep_addr(sim_net_web_hub());

	if (!a->web)
		return;
	from = a->web->local;
	sim_note(a->sim, a->leg ? leg_call(a->leg)->number : 0, "crash", ep_of(&from), ep_of(&to),
	         a->number);
	a->sim->counts.crashes++;
	leg_free(a->leg, false);
	a->leg = NULL;
	agent_end_greed(a, false);
	env_udp_close(a->web);
	a->web = NULL;
	a->back_ms = sim_now(a->sim) + BACK_MS;
	env_virtual_carry(a->sim->env, &from, &to, &bye, 1, 0, NOTICED_MS);
}

bool agent_idle(const struct agent *a)
{
	return a->web && !a->leg && !a->greedy_ms && a->clients < 3 &&
	       sim_now(a->sim) > a->called_ms + CALLED_MS;
}

void agent_say(struct agent *a, const struct agent *to, const char *type, const struct call *call,
               const char *more)
{
	char text[300];
	int n = snprintf(text, sizeof(text),
	                 "{\"type\":\"%s\",\"name\":\"%s\",\"target\":\"%s\",\"n\":%u,\"call\":%u,"
	                 "\"gen\":%u%s}",
	                 type, a->name, to->name, ++a->said, call->number, call->gen, more);

	to_hub(a, text, (size_t)n);
}

/* ---- more than the quota ---- */

static void on_greedy_event(void *arg, struct tc *tc, enum tc_event event)
{
	struct agent *a = arg;

	a->greedy_got += event == TC_READY;
	a->greedy_refused += event == TC_FAILED && tc_code(tc) == 486;
}

static const struct tc_user greedy_user = {.event = on_greedy_event};

void agent_be_greedy(struct agent *a)
{
	struct tc_options o = {
	    .agent = a->number, .node = sim_dice(a->sim, a->sim->conf.nodes), .no_binding = true};

	a->greedy_ms = sim_now(a->sim) + GREEDY_MS;
	a->greedy_got = a->greedy_refused = 0;
	for (size_t i = 0; i < GREEDY_MAX; i++)
		a->greedy[i] = tc_new(a->sim, &o, &greedy_user, a);
}

void agent_end_greed(struct agent *a, bool word)
{
	if (!a->greedy_ms)
		return;
	if (a->greedy_got > SIM_USER_QUOTA)
		sim_check(a->sim, SIM_QUOTA, false, 0, "user %u got %u allocations", a->number,
		          a->greedy_got);
	for (size_t i = 0; i < GREEDY_MAX; i++)
		tc_close(a->greedy[i], word);
	a->greedy_ms = 0;
}

/* ---- calls ---- */

struct call *call_new(struct sim *s, struct agent *from, struct agent *to, uint64_t lasts_ms)
{
	struct call *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	c->number = ++s->last_call;
	c->gen = 1;
	c->end[0] = from;
	c->end[1] = to;
	c->started_ms = sim_now(s);
	c->ends_ms = c->started_ms + lasts_ms;
	DL_APPEND(s->calls, c);
	s->counts.calls++;
	to->called_ms = c->started_ms;
	from->leg = leg_new(from, c, true);
	return c;
}

static void hang_up(struct call *c)
{
	unsigned int who = c->number % 2;
	struct agent *a =
	    c->end[who]->leg && leg_call(c->end[who]->leg) == c ? c->end[who] : c->end[!who];

	if (!a->leg || leg_call(a->leg) != c)
		return;
	agent_say(a, leg_partner(a->leg), "hang-up", c, "");
	leg_free(a->leg, c->number % 10 != 0); /* some close without a word to the server */
	a->leg = NULL;
}

static void end(struct call *c)
{
	struct sim *s = c->end[0]->sim;

	s->counts.direct += c->established && c->rank == 0;
	s->counts.one_relay += c->established && c->rank == 1;
	s->counts.two_relays += c->established && c->rank == 2;
	DL_DELETE(s->calls, c);
	free(c);
}

static void faults(struct call *c, uint64_t now)
{
	struct sim *s = c->end[0]->sim;
	struct agent *a = c->end[c->number / 2 % 2];

	if (c->rebind_ms && c->rebind_ms <= now) {
		c->rebind_ms = 0;
		c->fault_ms = now;
		s->counts.rebinds++;
		sim_note(s, c->number, "rebind", (struct ep){a->ip, 0, 0}, (struct ep){0, 0, 0}, 0);
		sim_net_rebind(a->home);
	}
	if (c->crash_ms && c->crash_ms <= now) {
		c->crash_ms = 0;
		c->fault_ms = now;
		if (a->leg && leg_call(a->leg) == c)
			agent_crash(a);
	}
}

void call_tick(struct call *c)
{
	struct sim *s = c->end[0]->sim;
	uint64_t now = sim_now(s);

	faults(c, now);
	for (int i = 0; i < 2; i++) {
		struct agent *a = c->end[i];

		if (sim_net_exhausted(a->home, now - 2000))
			c->fault_ms = now;
		if (a->leg && leg_call(a->leg) == c)
			leg_tick(a->leg);
	}
	if (c->ends_ms <= now)
		hang_up(c);
	if (!c->legs && now > c->started_ms + 5000)
		end(c);
}
