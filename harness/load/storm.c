/* SPDX-License-Identifier: BSD-3-Clause
 *
 * All clients come at once, as after a restart or at the start of a lesson, and sign in; until each
 * of them knows that all the others are there.
 */
#include "base/clock.h"
#include "harness/lab/proc.h"
#include "harness/load/crowd.h"
#include "harness/load/signal.h"

#define BURST   64 /* connections between two looks at what has come */
#define WAIT_MS 20

/* What is over when the time is over, is lost. */
static int storm(struct crowd *c, struct why *why)
{
	int64_t deadline = clock_mono_ms() + c->patience_ms;
	int r = 0;

	for (size_t i = 0; i < c->n && !r; i++) {
		r = crowd_connect(c, i, crowd_friend(i), why);
		if (i % BURST == BURST - 1)
			crowd_run(c, 0);
	}
	while (!r && c->full < c->n && c->full + c->closed < c->n && clock_mono_ms() < deadline)
		crowd_run(c, WAIT_MS);
	return r;
}

int load_storm(size_t n, enum crowd_manner manner, enum ws_wire wire, struct server *s,
               json_t **out, struct why *why)
{
	uint64_t start_ns, run_ns = server_run_ns(s);
	double seconds, cpu;
	struct crowd c;
	int r = crowd_init(&c, n, wire, s->port, why);

	c.patience_ms = s->patience_ms;
	c.manner = manner;
	c.witness = true;
	start_ns = load_now_ns();
	if (!r)
		r = storm(&c, why);
	seconds = (double)(load_now_ns() - start_ns) / 1e9;
	cpu = (double)(server_run_ns(s) - run_ns) / 1e9;
	if (!r)
		r = server_check(s, why);
	if (!r)
		*out = json_pack("{sI sf sf sI sI sI sb sI}", "clients", (json_int_t)n, "seconds",
		                 seconds, "cpu_s", cpu, "peak_kb",
		                 (json_int_t)proc_memory_kb(s->pid, "VmHWM"), "lost",
		                 (json_int_t)(n - c.full), "closed", (json_int_t)c.closed,
		                 "differences", c.differences, "told", (json_int_t)c.told);
	crowd_free(&c);
	return r;
}
