/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The steps of turnpike-load signal, each against servers of its own, and what they print.
 */
#include "harness/load/signal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SERVERS    3
#define ROUNDS_MAX 25
#define NODE_STORM 1500 /* clients; its lists grow with the square, and so does the time */

static const char *const wires[] = {"tcp", "tls-alpn", "tls"};

/* One that takes part in a step. */
struct side {
	const struct server_kind *kind;
	const char *program;
};

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

static int start(struct server *s, const struct side *side, enum ws_wire wire,
                 const struct signal_plan *plan, struct why *why)
{
	return server_start(s, side->kind, side->program, wire == WS_PLAIN ? LINK_UDP : LINK_TLS,
	                    side->kind == &server_node ? plan->lie : NULL, why);
}

/* "signal-tls" */
static void key_of(char *out, size_t size, const char *name, enum ws_wire wire)
{
	snprintf(out, size, "%s%s%s", name, wire == WS_PLAIN ? "" : "-",
	         wire == WS_PLAIN ? "" : wires[wire]);
}

/* ---- messages from one client to another ---- */

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static double median(double *v, int n)
{
	qsort(v, (size_t)n, sizeof(*v), by_value);
	return n % 2 ? v[n / 2] : (v[n / 2 - 1] + v[n / 2]) / 2;
}

static void print_routed(const char *name, const struct measure m[], int n, double cpu_us)
{
	uint64_t lost = 0;

	for (int i = 0; i < n; i++)
		lost += m[i].lost;
	printf("  %-9s %8.2f µs each  %8.0f/s  %3.0f %% of a core  p50 %u µs, p99 %u µs  lost "
	       "%ju%s%s\n",
	       name, cpu_us, (double)m[n - 1].done / m[n - 1].seconds, 100 * m[n - 1].busy,
	       m[n - 1].p50_us, m[n - 1].p99_us, (uintmax_t)lost, *m->tls ? "  " : "", m->tls);
}

static json_t *describe(const struct measure *m)
{
	return json_pack("{sI sI sf sf sf sI sI ss}", "done", (json_int_t)m->done, "lost",
	                 (json_int_t)m->lost, "seconds", m->seconds, "cpu_us", m->cpu_us, "busy",
	                 m->busy, "p50_us", (json_int_t)m->p50_us, "p99_us", (json_int_t)m->p99_us,
	                 "tls", m->tls);
}

struct routed_step {
	struct side side[SERVERS];
	size_t n, ours, floor, node; /* where they are in side; n: not there */
	struct measure m[SERVERS][ROUNDS_MAX];
};

static void take_sides(struct routed_step *t, const struct signal_plan *plan)
{
	t->n = 0;
	t->floor = t->node = SERVERS;
	if (plan->wire == WS_PLAIN) {
		t->floor = t->n;
		t->side[t->n++] = (struct side){&server_floor, NULL};
	}
	t->ours = t->n;
	t->side[t->n++] = (struct side){&server_turnpike, plan->turnpike};
	if (plan->node) {
		t->node = t->n;
		t->side[t->n++] = (struct side){&server_node, NULL};
	}
}

/* Ours to another's: the median over the rounds, since the machine's speed drifts. */
static void set_ratio(const struct routed_step *t, size_t other, int rounds, const char *key,
                      json_t *out)
{
	double ratio[ROUNDS_MAX], mid;

	if (other >= t->n)
		return;
	for (int i = 0; i < rounds; i++)
		ratio[i] = t->m[t->ours][i].cpu_us / t->m[other][i].cpu_us;
	mid = median(ratio, rounds);
	printf("  turnpike to %s: %.2f (%.2f to %.2f)\n", t->side[other].kind->name, mid, ratio[0],
	       ratio[rounds - 1]);
	json_object_set_new(out, key, json_real(mid));
}

static void finish_routed(const struct routed_step *t, const struct signal_plan *plan,
                          const char *key, json_t *rounds, json_t *out)
{
	json_t *step = json_pack("{so ss}", "rounds", rounds, "transport", wires[plan->wire]);
	double cpu[ROUNDS_MAX], mid;

	for (size_t k = 0; k < t->n; k++) {
		for (int i = 0; i < plan->rounds; i++)
			cpu[i] = t->m[k][i].cpu_us;
		mid = median(cpu, plan->rounds);
		print_routed(t->side[k].kind->name, t->m[k], plan->rounds, mid);
		json_object_set_new(step, t->side[k].kind->name, json_real(mid));
	}
	set_ratio(t, t->floor, plan->rounds, "to_floor", step);
	set_ratio(t, t->node, plan->rounds, "to_node", step);
	json_object_set_new(out, key, step);
}

static int play_routed(const struct load *l, const struct signal_plan *plan, bool *wrong,
                       json_t *out, struct why *why)
{
	struct routed_step *t = calloc(1, sizeof(*t));
	json_t *rounds = json_array();
	char key[64];
	int r = t ? 0 : why_set(why, -E_NOMEM, "out of memory");

	key_of(key, sizeof(key), l->name, plan->wire);
	printf("%s: %s\n", key, l->what);
	if (!r)
		take_sides(t, plan);
	for (int i = 0; i < plan->rounds && !r; i++) {
		json_t *round = json_object();

		for (size_t k = 0; k < t->n && !r; k++) {
			size_t which = ((size_t)i + k) % t->n; /* they take turns to be first */
			struct measure *m = &t->m[which][i];
			struct server s;

			r = start(&s, &t->side[which], plan->wire, plan, why);
			if (r)
				break;
			r = load_routed(l, &s, plan->wire, plan->seconds, m, why);
			memcpy(m->tls, s.tls, sizeof(m->tls));
			server_stop(&s);
			*wrong |= !r && m->lost;
			json_object_set_new(round, s.name, describe(m));
		}
		json_array_append_new(rounds, round);
	}
	if (!r)
		finish_routed(t, plan, key, rounds, out);
	else
		json_decref(rounds);
	free(t);
	return r;
}

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

static int play_storm(const struct signal_plan *plan, bool *wrong, json_t *out, struct why *why)
{
	const struct {
		const char *name;
		struct side side;
		enum crowd_manner manner;
		bool wanted;
	} runs[] = {
	    {"turnpike", {&server_turnpike, plan->turnpike}, CROWD_USERLIST, true},
	    {"delta", {&server_turnpike, plan->turnpike}, CROWD_DELTA, true},
	    {"node", {&server_node, NULL}, CROWD_USERLIST, plan->node && plan->storm <= NODE_STORM},
	};
	char name[32], key[64];
	json_t *step = json_object(), *one;
	int r = 0;

	snprintf(name, sizeof(name), "join-storm-%zu", plan->storm);
	key_of(key, sizeof(key), name, plan->wire);
	printf("%s: %zu clients come at once, until each knows of all\n", key, plan->storm);
	for (size_t i = 0; i < sizeof(runs) / sizeof(*runs) && !r; i++) {
		struct server s;

		if (!runs[i].wanted)
			continue;
		r = start(&s, &runs[i].side, plan->wire, plan, why);
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

int signal_play(const struct signal_plan *plan, json_t *out, struct why *why)
{
	bool wrong = false;
	int r = 0;

	for (size_t i = 0; i < plan->load_n && !r; i++)
		r = play_routed(plan->load[i], plan, &wrong, out, why);
	if (!r && plan->storm)
		r = play_storm(plan, &wrong, out, why);
	fflush(stdout);
	if (!r && wrong)
		r = why_set(why, -E_CORRUPT, "a server lost messages or clients: see above");
	return r;
}
