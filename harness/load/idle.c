/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Clients that have signed in and say nothing: what the server does for them, and what it keeps.
 */
#include "base/clock.h"
#include "harness/lab/proc.h"
#include "harness/load/crowd.h"
#include "harness/load/signal.h"

#define TOGETHER 200 /* clients that connect at a time */
#define QUIET_MS 2000
#define WAIT_MS  50

static uint64_t pings(const struct crowd *c)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < c->n; i++)
		sum += c->client[i].ws.pings;
	return sum;
}

int load_idle(size_t n, enum ws_wire wire, double seconds, struct server *s, json_t **out,
              struct why *why)
{
	long before_kb = proc_memory_kb(s->pid, "VmRSS"), kb;
	uint64_t start_ns, run_ns, pinged;
	double took;
	struct crowd c;
	int r = crowd_init(&c, n, wire, s->port, why);

	c.patience_ms = s->patience_ms;
	if (!r)
		r = crowd_gather(&c, TOGETHER, QUIET_MS, why);
	kb = proc_memory_kb(s->pid, "VmRSS") - before_kb;
	pinged = pings(&c);
	run_ns = server_run_ns(s);
	start_ns = load_now_ns();
	while (!r && (double)(load_now_ns() - start_ns) < seconds * 1e9)
		crowd_run(&c, WAIT_MS);
	took = (double)(load_now_ns() - start_ns);
	run_ns = server_run_ns(s) - run_ns;
	if (!r)
		r = server_check(s, why);
	if (!r)
		*out = json_pack("{sI sf sf sf sI sI sI ss}", "clients", (json_int_t)n, "seconds",
		                 took / 1e9, "share", (double)run_ns / took, "kb_each",
		                 (double)kb / (double)n, "pings", (json_int_t)(pings(&c) - pinged),
		                 "lost", (json_int_t)(n - c.full), "closed", (json_int_t)c.closed,
		                 "tls", c.tls);
	crowd_free(&c);
	return r;
}
