/* SPDX-License-Identifier: BSD-3-Clause
 *
 * A run: builds the world, starts calls and faults, waits until all is over,
 * and looks whether anything is left.
 */
#include "harness/sim/sim.h"

#include "base/error.h"
#include "harness/sim/agent.h"
#include "harness/sim/leg.h"
#include "harness/sim/net.h"
#include "harness/sim/node.h"
#include "harness/sim/slow.h"
#include "harness/sim/tap.h"
#include "harness/sim/tcp_call.h"
#include "harness/sim/turn_client.h"
#include "harness/sim/watch.h"
#include "turn/ports.h"
#include "turn/quota.h"

#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#define STEP_MS      1000
#define MEAN_CALL_MS 340000 /* of call_length() */
#define AGENTS_MIN   40
#define AGENTS_MAX   50000
#define TRIES        20
#define RESTART_PPM  400  /* a second: a node every forty minutes */
#define GREEDY_PPM   4000 /* a second */
#define SLOW_PPM     1500 /* likewise, of each node */
#define TCP_PPM      2000
#define REBIND_PPM   30000 /* of calls */
#define CRASH_PPM    15000
#define AFTERLIFE_MS (3700 * 1000)
#define BROKEN_MAX   200 /* enough to see what is wrong */
#define TAIL_MAX_MS  (UINT64_C(8) * 3600 * 1000)

static uint64_t call_length(struct sim *s)
{
	uint32_t kind = sim_dice(s, 20);

	if (kind < 14)
		return 10000 + sim_dice(s, 110000);
	if (kind < 19)
		return 120000 + sim_dice(s, 780000);
	return 900000 + sim_dice(s, 4500000);
}

static struct agent *pick_idle(struct sim *s)
{
	for (int i = 0; i < TRIES; i++) {
		struct agent *a = &s->agent[sim_dice(s, s->agents)];

		if (agent_idle(a))
			return a;
	}
	return NULL;
}

static void start_call(struct sim *s)
{
	struct agent *from = pick_idle(s), *to = pick_idle(s);
	struct call *c;

	if (!from || !to || from == to)
		return;
	c = call_new(s, from, to, call_length(s));
	if (!c)
		return;
	if (sim_chance(s, s->conf.mishaps * REBIND_PPM))
		c->rebind_ms = c->started_ms + sim_dice(s, 300000);
	if (sim_chance(s, s->conf.mishaps * CRASH_PPM))
		c->crash_ms = c->started_ms + sim_dice(s, 300000);
}

static void restart_node(struct sim *s, unsigned int index)
{
	struct call *c;

	s->counts.node_restarts++;
	sim_note(s, 0, "node-restart", s->node[index].listener, (struct ep){0, 0, 0}, index);
	DL_FOREACH (s->calls, c)
		for (int i = 0; i < 2; i++)
			if (c->end[i]->leg && leg_call(c->end[i]->leg) == c &&
			    leg_uses_node(c->end[i]->leg, index))
				c->fault_ms = sim_now(s);
	node_stop(&s->node[index]);
	if (node_start(s, index))
		sim_check(s, SIM_THROUGH, false, 0, "node %u did not start again", index);
}

static void mishaps(struct sim *s)
{
	struct agent *a;

	if (sim_chance(s, s->conf.mishaps * RESTART_PPM))
		restart_node(s, sim_dice(s, s->conf.nodes));
	if (sim_chance(s, s->conf.mishaps * s->conf.nodes * SLOW_PPM) && (a = pick_idle(s)))
		slow_start(a);
	if (sim_chance(s, s->conf.mishaps * s->conf.nodes * TCP_PPM) && (a = pick_idle(s)))
		tcp_call_start(a);
	if (sim_chance(s, s->conf.mishaps * GREEDY_PPM) && (a = pick_idle(s)))
		agent_be_greedy(a);
}

/* Once a second of virtual time. */
static void tick(struct sim *s)
{
	struct call *c, *next;
	uint64_t now = sim_now(s);

	DL_FOREACH_SAFE(s->calls, c, next)
	call_tick(c);
	for (uint32_t i = 0; i < s->agents; i++) {
		struct agent *a = &s->agent[i];

		if (a->greedy_ms && a->greedy_ms <= now)
			agent_end_greed(a, true);
		if (a->back_ms && a->back_ms <= now)
			agent_join(a);
	}
	for (unsigned int i = 0; i < s->conf.nodes; i++)
		watch_node_tick(s->node[i].watch);
	tap_tick(s);
	if (s->conf.broken == BREAK_LOST_RELEASE && s->counts.allocations > 20) {
		uint16_t port;

		turn_ports_lease(s->node[0].ports, s->env, TURN_PORT_ANY, &port);
	}
}

static bool is_done(const struct sim *s)
{
	uint64_t broken = 0;

	for (int i = 0; i < SIM_INVARIANTS; i++)
		broken += s->counts.broken[i];
	return broken > (s->over ? 0 : BROKEN_MAX) || (s->stop_ms && sim_now(s) >= s->stop_ms);
}

static void run_ms(struct sim *s, uint64_t ms)
{
	for (uint64_t end = sim_now(s) + ms; sim_now(s) < end && !is_done(s);) {
		env_virtual_run(s->env, STEP_MS);
		tick(s);
	}
}

static bool enough(const struct sim *s)
{
	return s->counts.allocations >= s->conf.allocations ||
	       (s->conf.calls && s->counts.calls >= s->conf.calls);
}

/* How many calls there will be, about. */
static uint64_t calls_expected(const struct sim_conf *c)
{
	return c->calls ? c->calls : c->allocations * UINT64_C(10) / 21 + 1;
}

static void play(struct sim *s)
{
	uint64_t span_ms = s->conf.hours_milli * UINT64_C(3600), begin = sim_now(s), due,
	         started = 0;
	uint64_t calls = calls_expected(&s->conf);

	while (!enough(s) && !is_done(s)) {
		run_ms(s, STEP_MS);
		mishaps(s);
		due = (sim_now(s) - begin) * calls / span_ms;
		for (; started < due && !enough(s); started++)
			start_call(s);
	}
	s->over = true;
	begin = sim_now(s);
	while (s->calls && !is_done(s) && sim_now(s) < begin + TAIL_MAX_MS)
		run_ms(s, STEP_MS);
	if (!is_done(s))
		sim_check(s, SIM_THROUGH, !s->calls, s->calls ? s->calls->number : 0,
		          "a call never ends");
}

/* When the longest lifetime is over, nothing is left. */
static void check_empty(struct sim *s)
{
	for (unsigned int i = 0; i < s->conf.nodes; i++) {
		struct node *n = &s->node[i];

		sim_check(s, SIM_LEAK,
		          !turn_allocations(n->turn) && !turn_relayed_addresses(n->turn) &&
		              !turn_ports_leased(n->ports) && !turn_ports_reserved(n->ports) &&
		              !turn_quota_total(n->quota) && !turn_quota_users(n->quota),
		          0, "node %u keeps %zu allocations, %zu ports", i,
		          turn_allocations(n->turn), turn_ports_leased(n->ports));
	}
	for (uint32_t i = 0; i < s->agents; i++)
		if (s->agent[i].clients)
			sim_check(s, SIM_LEAK, false, 0, "agent %u keeps %u sockets", i,
			          s->agent[i].clients);
	sim_check(s, SIM_LEAK, !sim_hub_calls(s->hub), 0, "the hub keeps %u calls",
	          sim_hub_calls(s->hub));
	for (uint32_t i = 0; i < s->agents; i++)
		if (s->agent[i].web)
			agent_leave(&s->agent[i]);
	env_virtual_run(s->env, STEP_MS);
	sim_check(s, SIM_LEAK, !env_virtual_streams(s->env), 0, "%zu ends of streams are left",
	          env_virtual_streams(s->env));
	sim_check(s, SIM_LEAK, env_virtual_listeners(s->env) == s->conf.nodes, 0,
	          "%zu listeners are left", env_virtual_listeners(s->env));
	sim_check(s, SIM_LEAK, !sim_hub_members(s->hub), 0, "the hub keeps %u members",
	          sim_hub_members(s->hub));
}

static int build(struct sim *s)
{
	uint64_t busy =
	    calls_expected(&s->conf) * MEAN_CALL_MS / (s->conf.hours_milli * UINT64_C(3600));
	uint64_t agents = busy * 2 * 8 / 5 + AGENTS_MIN;

	s->agents = (uint32_t)(agents < AGENTS_MAX ? agents : AGENTS_MAX);
	s->env = env_virtual_new(s->conf.seed);
	tap_watch(s);
	s->agent = calloc(s->agents, sizeof(*s->agent));
	s->node = calloc(s->conf.nodes, sizeof(*s->node));
	s->trail.line = calloc(SIM_TRAIL_MAX, sizeof(*s->trail.line));
	if (!s->env || !s->agent || !s->node || !s->trail.line)
		return -E_NOMEM;
	s->net = sim_net_new(s, s->agents);
	s->hub = s->net ? sim_hub_new(s) : NULL;
	if (!s->hub)
		return -E_NOMEM;
	for (uint32_t i = 0; i < s->agents; i++)
		agent_init(s, i);
	for (unsigned int i = 0; i < s->conf.nodes; i++) {
		int r = node_start(s, i);

		if (r)
			return r;
	}
	for (uint32_t i = 0; i < s->agents; i++)
		agent_join(&s->agent[i]);
	return 0;
}

static void tear_down(struct sim *s)
{
	struct call *c, *next;

	for (uint32_t i = 0; s->agent && i < s->agents; i++)
		agent_free(&s->agent[i]);
	slow_free_all(s);
	tcp_call_free_all(s);
	while (s->clients)
		tc_close(s->clients, false);
	DL_FOREACH_SAFE(s->calls, c, next)
	free(c);
	for (unsigned int i = 0; s->node && i < s->conf.nodes; i++)
		if (s->node[i].turn)
			node_stop(&s->node[i]);
	tap_watch(NULL);
	sim_hub_free(s->hub);
	s->hub = NULL;
	sim_net_free(s->net);
	env_virtual_free(s->env);
	s->env = NULL;
	free(s->agent);
	free(s->node);
	free(s->trail.line);
}

int sim_run(const struct sim_conf *conf, uint64_t stop_ms, struct sim *s)
{
	int r;

	memset(s, 0, sizeof(*s));
	s->conf = *conf;
	s->stop_ms = stop_ms;
	s->chance = conf->seed * 0x9e3779b97f4a7c15u + 1;
	s->hash = 0xcbf29ce484222325u;
	r = build(s);
	if (!r) {
		s->begin_ms = sim_now(s);
		play(s);
		run_ms(s, AFTERLIFE_MS);
		if (!is_done(s))
			check_empty(s);
		s->virtual_ms = sim_now(s) - s->begin_ms;
		if (conf->trail_call)
			sim_print_trail(s);
	}
	tear_down(s);
	return r;
}
