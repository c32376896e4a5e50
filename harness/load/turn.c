/* SPDX-License-Identifier: BSD-3-Clause
 *
 * turnpike-load turn: each load in rounds, against one server or two, and what it cost them.
 */
#include "harness/load/turn.h"

#include "harness/load/server.h"
#include "harness/load/tally.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int play(const struct load *l, const struct server_kind *kind, const char *program,
                const struct turn_plan *o, struct measure *m, struct why *why)
{
	struct server s;
	int r = server_start(&s, kind, program, o->transport, NULL, why);

	if (r)
		return r;
	switch (l->kind) {
	case LOAD_SATURATED:
	case LOAD_PACED:
		r = load_relay(l, &s, o->seconds, m, why);
		break;
	case LOAD_BINDING:
	case LOAD_CHURN:
		r = load_requests(l, &s, o->seconds, m, why);
		break;
	case LOAD_SIGNAL_ROUTED:
		break; /* signal_play() */
	}
	if (!r)
		memcpy(m->tls, s.tls, sizeof(m->tls));
	server_stop(&s);
	return r;
}

static json_t *describe(const struct measure *m)
{
	return json_pack("{sI sI sI sI sf sf sf sI sI ss}", "done", (json_int_t)m->done, "lost",
	                 (json_int_t)m->lost, "held", (json_int_t)m->held, "late",
	                 (json_int_t)m->late, "seconds", m->seconds, "cpu_us", m->cpu_us, "busy",
	                 m->busy, "p50_us", (json_int_t)m->p50_us, "p99_us", (json_int_t)m->p99_us,
	                 "tls", m->tls);
}

/* The median round, by what one cost. */
static void print_server(const char *name, const struct measure *m, int n)
{
	double cpu[ROUNDS_MAX];
	const struct measure *mid = m;
	uint64_t lost = 0, held = 0, late = 0, done = 0;

	for (int i = 0; i < n; i++) {
		cpu[i] = m[i].cpu_us;
		lost += m[i].lost;
		held += m[i].held;
		late += m[i].late;
		done += m[i].done;
	}
	tally_median(cpu, n); /* sorts */
	for (int i = 0; i < n; i++)
		if (m[i].cpu_us == cpu[(n - 1) / 2])
			mid = &m[i];
	printf("  %-9s %8.2f µs each (%.2f to %.2f)  %8.0f/s  %3.0f %% of a core  "
	       "p50 %u µs, p99 %u µs  lost %.3f %%",
	       name, mid->cpu_us, cpu[0], cpu[n - 1], (double)mid->done / mid->seconds,
	       100 * mid->busy, mid->p50_us, mid->p99_us,
	       100.0 * (double)lost / (double)(done + lost));
	if (held)
		printf("  (%.3f %% held back: the socket accepted no more)",
		       100.0 * (double)held / (double)(done + lost));
	if (late)
		printf("  (%.1f %% sent late: this machine is too busy)",
		       100.0 * (double)late / (double)(done + lost));
	printf("%s%s\n", *mid->tls ? "  " : "", mid->tls);
}

/* The two servers take turns, and the first one changes: the machine's speed drifts. */
int turn_compare(const struct turn_plan *o, const struct load *l, json_t *out, struct why *why)
{
	const struct server_kind *const kind[2] = {&server_turnpike, &server_coturn};
	const char *const program[2] = {o->turnpike, o->against};
	struct measure m[2][ROUNDS_MAX];
	double ratio[ROUNDS_MAX];
	int servers = o->against ? 2 : 1;
	json_t *rounds = json_array();

	printf("%s: %s", l->name, l->what);
	printf(", over %s\n", link_transport_name(o->transport));
	for (int i = 0; i < o->rounds; i++) {
		json_t *round = json_object();

		for (int k = 0; k < servers; k++) {
			int which = (i + k) % servers;
			int r = play(l, kind[which], program[which], o, &m[which][i], why);

			if (r) {
				json_decref(round);
				json_decref(rounds);
				return r;
			}
			json_object_set_new(round, kind[which]->name, describe(&m[which][i]));
		}
		if (servers == 2)
			ratio[i] = m[0][i].cpu_us / m[1][i].cpu_us;
		json_array_append_new(rounds, round);
	}
	for (int k = 0; k < servers; k++)
		print_server(kind[k]->name, m[k], o->rounds);
	if (servers == 2) {
		double mid = tally_median(ratio, o->rounds);

		printf("  ratio     %8.2f (%.2f to %.2f)\n", mid, ratio[0], ratio[o->rounds - 1]);
		json_object_set_new(out, l->name,
		                    json_pack("{so sf ss}", "rounds", rounds, "ratio", mid,
		                              "transport", link_transport_name(o->transport)));
	} else {
		json_object_set_new(out, l->name,
		                    json_pack("{so ss}", "rounds", rounds, "transport",
		                              link_transport_name(o->transport)));
	}
	fflush(stdout);
	return 0;
}
