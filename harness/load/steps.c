/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Steps that have one figure for a server: all clients at once, idle ones, attacks.
 */
#include "harness/load/signal.h"

#include "harness/load/hostile.h"

#include <stdio.h>
#include <string.h>

#define NODE_STORM     1500 /* clients; its lists grow with the square, and so does the time */
#define IDLE_SECONDS   25   /* the hub pings after 20 */
#define ATTACK_SECONDS 10

/* ---- all at once ---- */

static double real_of(const json_t *o, const char *key)
{
	return json_number_value(json_object_get(o, key));
}

static void print_storm(const char *name, const json_t *o)
{
	printf("  %-14s %7.2f s  %6.2f s of CPU  peak %7.1f MB  lost %.0f, closed %.0f\n", name,
	       real_of(o, "seconds"), real_of(o, "cpu_s"), real_of(o, "peak_kb") / 1024,
	       real_of(o, "lost"), real_of(o, "closed"));
}

int signal_storm(const struct signal_plan *plan, bool *wrong, json_t *out, struct why *why)
{
	const struct {
		const char *name;
		const struct server_kind *kind;
		enum crowd_manner manner;
		bool wanted;
	} runs[] = {
	    {"turnpike", &server_turnpike, CROWD_USERLIST, true},
	    {"delta", &server_turnpike, CROWD_DELTA, true},
	    {"node", &server_node, CROWD_USERLIST, plan->node && plan->storm <= NODE_STORM},
	};
	char name[32], key[64];
	json_t *step = json_object(), *one;
	int r = 0;

	snprintf(name, sizeof(name), "join-storm-%zu", plan->storm);
	signal_key(key, sizeof(key), name, plan->wire);
	printf("%s: %zu clients come at once, until each knows of all\n", key, plan->storm);
	for (size_t i = 0; i < sizeof(runs) / sizeof(*runs) && !r; i++) {
		struct server s;

		if (!runs[i].wanted)
			continue;
		r = signal_start(&s, runs[i].kind, plan->wire, plan, why);
		if (r)
			break;
		r = load_storm(plan->storm, runs[i].manner, plan->wire, &s, &one, why);
		server_stop(&s);
		if (r)
			break;
		if (runs[i].manner == CROWD_DELTA &&
		    !json_is_true(json_object_get(one, "differences"))) {
			printf("  %-14s (this server knows no presence as differences)\n",
			       runs[i].name);
			json_decref(one);
			continue;
		}
		print_storm(runs[i].name, one);
		*wrong |= real_of(one, "lost") > 0 || real_of(one, "closed") > 0;
		json_object_set_new(step, runs[i].name, one);
	}
	json_object_set_new(out, key, step);
	return r;
}

/* ---- idle ---- */

int signal_idle(const struct signal_plan *plan, bool *wrong, json_t *out, struct why *why)
{
	double seconds = plan->seconds > 0 ? plan->seconds : IDLE_SECONDS;
	const struct server_kind *const kinds[] = {&server_turnpike, &server_node};
	json_t *step = json_object(), *one;
	char name[32], key[64];
	int r = 0;

	snprintf(name, sizeof(name), "idle-%zu", plan->idle);
	signal_key(key, sizeof(key), name, plan->wire);
	printf("%s: %zu clients say nothing for %.0f s\n", key, plan->idle, seconds);
	for (size_t i = 0; i < 1 + (size_t)(plan->node && plan->idle <= NODE_STORM) && !r; i++) {
		struct server s;

		r = signal_start(&s, kinds[i], plan->wire, plan, why);
		if (r)
			break;
		r = load_idle(plan->idle, plan->wire, seconds, &s, &one, why);
		server_stop(&s);
		if (r)
			break;
		printf(
		    "  %-14s %6.2f %% of a core  %6.1f KB a connection  %.0f pings, all answered  "
		    "closed %.0f  %s\n",
		    s.name, 100 * real_of(one, "share"), real_of(one, "kb_each"),
		    real_of(one, "pings"), real_of(one, "closed"),
		    json_string_value(json_object_get(one, "tls")));
		*wrong |= real_of(one, "lost") > 0 || real_of(one, "closed") > 0;
		json_object_set_new(step, s.name, one);
	}
	json_object_set_new(out, key, step);
	return r;
}

/* ---- attacks ---- */

static void print_probe(const char *name, const json_t *o, const json_t *calm)
{
	printf("  %-14s p50 %6.1f  p99 %7.1f  max %7.1f ms, %.0f of %.0f failed  (calm: p50 %.1f, "
	       "max %.1f ms)\n",
	       name, real_of(o, "p50_ms"), real_of(o, "p99_ms"), real_of(o, "max_ms"),
	       real_of(o, "failed"), real_of(o, "n"), real_of(calm, "p50_ms"),
	       real_of(calm, "max_ms"));
}

int signal_attack(const char *kind, const struct signal_plan *plan, bool *wrong, json_t *out,
                  struct why *why)
{
	double seconds = plan->seconds > 0 ? plan->seconds : ATTACK_SECONDS;
	struct server s;
	char key[64];
	json_t *one;
	int r;

	snprintf(key, sizeof(key), "attack-%s", kind);
	printf("%s: %zu hostile clients among %zu idle ones, default limits\n", key, plan->hostile,
	       2 * plan->hostile);
	r = signal_start(&s, &server_turnpike_limits, WS_PLAIN, plan, why);
	if (r)
		return r;
	r = load_attack(kind, plan->hostile, 2 * plan->hostile, seconds, &s, &one, why);
	server_stop(&s);
	if (r)
		return r;
	print_probe("/healthz", json_object_get(one, "healthz"),
	            json_object_get(one, "calm_healthz"));
	print_probe("a call", json_object_get(one, "call"), json_object_get(one, "calm_call"));
	printf(
	    "  server %.0f %% of a core; %.0f acts, %.0f refused; hostile: %.0f connections, %.0f "
	    "closed; idle ones closed: %.0f\n",
	    100 * real_of(one, "share"), real_of(one, "acts"), real_of(one, "refused"),
	    real_of(one, "connected"), real_of(one, "hostile_closed"), real_of(one, "closed"));
	*wrong |= real_of(one, "closed") > 0;
	json_object_set_new(out, key, one);
	return 0;
}
