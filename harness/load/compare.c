/* SPDX-License-Identifier: BSD-3-Clause
 *
 * What a message from one client to another costs, compared with other servers in the same rounds.
 */
#include "harness/load/signal.h"
#include "harness/load/tally.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SERVERS    3
#define ROUNDS_MAX 25
#define SECONDS    3.0

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
	const struct server_kind *side[SERVERS];
	size_t n, ours, floor, node; /* where they are in side; n: not there */
	struct measure m[SERVERS][ROUNDS_MAX];
};

static void take_sides(struct routed_step *t, const struct signal_plan *plan)
{
	t->n = 0;
	t->floor = t->node = SERVERS;
	if (plan->wire == WS_PLAIN) {
		t->floor = t->n;
		t->side[t->n++] = &server_floor;
	}
	t->ours = t->n;
	t->side[t->n++] = &server_turnpike;
	if (plan->node) {
		t->node = t->n;
		t->side[t->n++] = &server_node;
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
	mid = tally_median(ratio, rounds);
	printf("  turnpike to %s: %.2f (%.2f to %.2f)\n", t->side[other]->name, mid, ratio[0],
	       ratio[rounds - 1]);
	json_object_set_new(out, key, json_real(mid));
}

static void finish_routed(const struct routed_step *t, const struct signal_plan *plan,
                          const char *key, json_t *rounds, json_t *out)
{
	json_t *step =
	    json_pack("{so ss}", "rounds", rounds, "transport", signal_wire_name(plan->wire));
	double cpu[ROUNDS_MAX], mid;

	for (size_t k = 0; k < t->n; k++) {
		for (int i = 0; i < plan->rounds; i++)
			cpu[i] = t->m[k][i].cpu_us;
		mid = tally_median(cpu, plan->rounds);
		print_routed(t->side[k]->name, t->m[k], plan->rounds, mid);
		json_object_set_new(step, t->side[k]->name, json_real(mid));
	}
	set_ratio(t, t->floor, plan->rounds, "to_floor", step);
	set_ratio(t, t->node, plan->rounds, "to_node", step);
	fflush(stdout);
	json_object_set_new(out, key, step);
}

int signal_routed(const struct load *l, const struct signal_plan *plan, bool *wrong, json_t *out,
                  struct why *why)
{
	struct routed_step *t = calloc(1, sizeof(*t));
	json_t *rounds = json_array();
	char key[64];
	int r = t ? 0 : why_set(why, -E_NOMEM, "out of memory");

	signal_key(key, sizeof(key), l->name, plan->wire);
	printf("%s: %s\n", key, l->what);
	if (!r)
		take_sides(t, plan);
	for (int i = 0; i < plan->rounds && !r; i++) {
		json_t *round = json_object();

		for (size_t k = 0; k < t->n && !r; k++) {
			size_t which = ((size_t)i + k) % t->n; /* they take turns to be first */
			struct measure *m = &t->m[which][i];
			struct server s;

			r = signal_start(&s, t->side[which], plan->wire, plan, why);
			if (r)
				break;
			r = load_routed(l, &s, plan->wire,
			                plan->seconds > 0 ? plan->seconds : SECONDS, m, why);
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
