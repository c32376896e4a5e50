/* SPDX-License-Identifier: BSD-3-Clause
 *
 * turnpike-load signal: which steps are played, each against servers of its own.
 */
#include "harness/load/signal.h"

#include "harness/load/hostile.h"

#include <stdio.h>
#include <string.h>

static const char *const wires[] = {"tcp", "tls-alpn", "tls"};

bool signal_wire_parse(const char *name, enum ws_wire *out)
{
	for (size_t i = 0; i < sizeof(wires) / sizeof(*wires); i++) {
		if (strcmp(wires[i], name) != 0)
			continue;
		*out = (enum ws_wire)i;
		return true;
	}
	return false;
}

const char *signal_wire_name(enum ws_wire wire)
{
	return wires[wire];
}

void signal_key(char *out, size_t size, const char *name, enum ws_wire wire)
{
	snprintf(out, size, "%s%s%s", name, wire == WS_PLAIN ? "" : "-",
	         wire == WS_PLAIN ? "" : wires[wire]);
}

int signal_start(struct server *s, const struct server_kind *kind, enum ws_wire wire,
                 const struct signal_plan *plan, struct why *why)
{
	bool ours = kind == &server_turnpike || kind == &server_turnpike_limits;
	int r;

	r = server_start(s, kind, ours ? plan->turnpike : NULL,
	                 wire == WS_PLAIN ? LINK_UDP : LINK_TLS,
	                 kind == &server_node ? plan->lie : NULL, why);
	s->patience_ms = (int64_t)(plan->patience * 1000);
	return r;
}

static int play(const struct signal_plan *plan, bool *wrong, json_t *out, struct why *why)
{
	int r = 0;

	for (size_t i = 0; i < plan->load_n && !r; i++)
		r = signal_routed(plan->load[i], plan, wrong, out, why);
	if (!r && plan->storm)
		r = signal_storm(plan, wrong, out, why);
	if (!r && plan->idle)
		r = signal_idle(plan, wrong, out, why);
	for (size_t i = 0; i < plan->attack_n && !r; i++)
		r = signal_attack(plan->attack[i], plan, wrong, out, why);
	fflush(stdout);
	return r;
}

/* ---- all that has a target ---- */

static const struct {
	enum ws_wire wire;
	size_t storm, idle; /* 0: messages from one client to another */
	bool first_only;    /* of the loads */
} steps[] = {
    {WS_PLAIN, 0, 0, false},   {WS_TLS_ALPN, 0, 0, true},    {WS_TLS, 0, 0, true},
    {WS_PLAIN, 1000, 0, true}, {WS_PLAIN, 4000, 0, true},    {WS_PLAIN, 10000, 0, true},
    {WS_PLAIN, 0, 9800, true}, {WS_TLS_ALPN, 0, 2000, true},
};

static size_t scaled(size_t n, double scale)
{
	size_t s = (size_t)((double)n * scale);

	return !n ? 0 : s < 2 ? 2 : s;
}

/* A step that fails is told, and the others are played nevertheless: its target is missed. */
static int play_all(const struct signal_plan *plan, bool *wrong, json_t *out)
{
	int failed = 0;

	for (size_t i = 0; i < sizeof(steps) / sizeof(*steps); i++) {
		bool messages = !steps[i].storm && !steps[i].idle;
		struct signal_plan one = *plan;
		struct why why;

		one.wire = steps[i].wire;
		one.load_n = !messages ? 0 : steps[i].first_only ? 1 : plan->load_n;
		one.storm = scaled(steps[i].storm, plan->scale);
		one.idle = scaled(steps[i].idle, plan->scale);
		one.attack_n = 0;
		if (play(&one, wrong, out, &why)) {
			printf("  FAILED: %s\n", why.text);
			failed++;
		}
	}
	for (size_t i = 0; i < plan->attack_n; i++) {
		struct signal_plan one = *plan;
		struct why why;

		one.load_n = one.storm = one.idle = 0;
		one.hostile = scaled(plan->hostile, plan->scale);
		one.attack[0] = plan->attack[i];
		one.attack_n = 1;
		if (play(&one, wrong, out, &why)) {
			printf("  FAILED: %s\n", why.text);
			failed++;
		}
	}
	return failed;
}

int signal_play(const struct signal_plan *plan, json_t *out, struct why *why)
{
	bool wrong = false;
	unsigned missed;
	int r, failed;

	if (!plan->all) {
		r = play(plan, &wrong, out, why);
		return !r && wrong
		           ? why_set(why, -E_CORRUPT, "messages or clients were lost: see above")
		           : r;
	}
	failed = play_all(plan, &wrong, out);
	missed = plan->scale < 1 ? 0 : judge_print(out);
	fflush(stdout);
	if (failed)
		return why_set(why, -E_CORRUPT, "%d steps failed: see above", failed);
	if (wrong)
		return why_set(why, -E_CORRUPT, "messages or clients were lost: see above");
	return missed ? why_set(why, -E_STALE, "%u targets were missed: see above", missed) : 0;
}
