/* SPDX-License-Identifier: BSD-3-Clause
 *
 * turnpike-sim: the servers' cores on a virtual network and virtual time.
 */
#include "base/args.h"
#include "base/error.h"
#include "base/log.h"
#include "harness/sim/memory.h"
#include "harness/sim/sim.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define MEMORY_SLACK 65536 /* what libraries keep for later */

enum exit_status { EXIT_HOLDS = 0, EXIT_BROKEN = 1 }; /* args_parse(): 2 */

static const struct sim_conf standard = {
    .seed = 1,
    .allocations = 100000,
    .hours_milli = 6000,
    .loss_ppm = 10000,
    .rate_mhz = 200,
    .nodes = 10,
    .mishaps = 1,
};

/* Everything once, in a second or two. */
static const struct sim_conf quick = {
    .seed = 1,
    .allocations = 1500,
    .hours_milli = 500,
    .loss_ppm = 10000,
    .rate_mhz = 200,
    .nodes = 2,
    .mishaps = 6,
};

enum {
	OPT_SEED = 256, /* beyond the characters, which would be short options */
	OPT_ALLOCATIONS,
	OPT_CALLS,
	OPT_HOURS,
	OPT_LOSS,
	OPT_RATE,
	OPT_NODES,
	OPT_QUICK,
	OPT_TRACE,
	OPT_BREAK,
	OPT_MEMORY,
};

static const struct argp_option list[] = {
    {"seed", OPT_SEED, "N", 0, "Seed of all random numbers (default: 1)", 0},
    {"allocations", OPT_ALLOCATIONS, "N", 0, "Make N allocations (default: 100000)", 0},
    {"calls", OPT_CALLS, "N", 0, "Stop after N calls (default: as many as the allocations need)",
     0},
    {"hours", OPT_HOURS, "H", 0, "Start the calls within H virtual hours (default: 6)", 0},
    {"loss", OPT_LOSS, "PERCENT", 0, "Percentage of lost datagrams (default: 1)", 0},
    {"rate", OPT_RATE, "N", 0,
     "Media packets per second in each direction of a call (default: 0.2)", 0},
    {"nodes", OPT_NODES, "N", 0, "TURN servers, 1 to 16 (default: 10)", 0},
    {"quick", OPT_QUICK, NULL, 0, "A short run: 1500 allocations, half an hour, 2 nodes", 0},
    {"trace", OPT_TRACE, "CALL", OPTION_ARG_OPTIONAL,
     "Print every event, or only those of this call", 0},
    {"break", OPT_BREAK, "WHAT", 0,
     "Break something on purpose, so that its check fails; --break list prints all faults", 0},
    {"memory", OPT_MEMORY, "N", 0, "Only make N allocations, and print the memory of one", 0},
    {0},
};

static const char about[] =
    "Runs the unchanged TURN core and signaling hub on a virtual network in virtual time. Clients "
    "behind NATs of every RFC 4787 behaviour call each other, crash, move and lose packets; "
    "servers restart. The simulator checks its invariants at every packet. The same seed gives "
    "the same run."
    "\vExit status: 0 if all invariants hold; 1 if one is broken (the seed and the events of its "
    "call are printed); 2 for wrong usage.";

struct options {
	struct sim_conf conf;
	uint32_t memory;
};

/* All 64 bits of it, which a double does not hold. */
static uint64_t parse_seed(const struct argp_state *state, const char *text)
{
	unsigned long long n;
	char *end;

	errno = 0;
	n = strtoull(text, &end, 10);
	if (errno || *text < '0' || *text > '9' || *end)
		argp_error(state, "--seed %s: not a whole number from 0 to 18446744073709551615",
		           text);
	return n;
}

static enum sim_break parse_break(const struct argp_state *state, const char *text)
{
	bool listed = !strcmp(text, "list");

	for (int b = 1; b < BREAKS; b++) {
		if (listed)
			puts(sim_break_name((enum sim_break)b));
		else if (!strcmp(text, sim_break_name((enum sim_break)b)))
			return (enum sim_break)b;
	}
	if (listed)
		exit(EXIT_HOLDS);
	argp_error(state, "--break %s: there is no such fault; --break list prints all", text);
	return BREAK_NONE;
}

static error_t take(int key, char *arg, struct argp_state *state)
{
	struct options *o = state->input;
	struct sim_conf *c = &o->conf;
	uint64_t seed = c->seed;

	switch (key) {
	case OPT_SEED:
		c->seed = parse_seed(state, arg);
		break;
	case OPT_ALLOCATIONS:
		c->allocations = (uint32_t)args_number(state, "allocations", arg, 1, 1e8);
		break;
	case OPT_CALLS:
		c->calls = (uint32_t)args_number(state, "calls", arg, 1, 1e8);
		break;
	case OPT_HOURS:
		c->hours_milli = (uint32_t)(1000 * args_number(state, "hours", arg, 0.01, 1000));
		break;
	case OPT_LOSS:
		c->loss_ppm = (uint32_t)(10000 * args_number(state, "loss", arg, 0, 20));
		break;
	case OPT_RATE:
		c->rate_mhz = (uint32_t)(1000 * args_number(state, "rate", arg, 0.15, 1000));
		break;
	case OPT_NODES:
		c->nodes = (unsigned)args_number(state, "nodes", arg, 1, SIM_NODES_MAX);
		break;
	case OPT_QUICK:
		*c = quick;
		c->seed = seed;
		break;
	case OPT_TRACE:
		c->trace = !arg;
		c->trail_call = arg ? (uint32_t)args_number(state, "trace", arg, 1, 4e9) : 0;
		break;
	case OPT_BREAK:
		c->broken = parse_break(state, arg);
		break;
	case OPT_MEMORY:
		o->memory = (uint32_t)args_number(state, "memory", arg, 1, NODE_MEMORY_MAX);
		break;
	case ARGP_KEY_ARG:
		argp_error(state, "%s: unexpected argument", arg);
		break;
	default:
		return ARGP_ERR_UNKNOWN;
	}
	return 0;
}

static double cpu_s(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static uint64_t sum(const uint64_t *v)
{
	uint64_t n = 0;

	for (int i = 0; i < SIM_INVARIANTS; i++)
		n += v[i];
	return n;
}

static void print_summary(const struct sim *s, double cpu)
{
	const struct sim_counts *c = &s->counts;
	double hours = (double)s->virtual_ms / 3.6e6;

	printf("seed %" PRIu64 ", event hash %016" PRIx64 "\n", s->conf.seed, s->hash);
	printf("%.1f virtual hours, %u clients, %u nodes, %" PRIu64 " allocations, %" PRIu64
	       " hub messages\n",
	       hours, s->agents, s->conf.nodes, c->allocations, c->hub_messages);
	printf("%" PRIu64 " calls: %" PRIu64 " direct, %" PRIu64 " over one relay, %" PRIu64
	       " over two; %" PRIu64 " restarts of ICE\n",
	       c->calls, c->direct, c->one_relay, c->two_relays, c->restarts);
	printf("%" PRIu64 " datagrams: %" PRIu64 " relayed, %" PRIu64 " lost, %" PRIu64
	       " twice, %" PRIu64 " stopped by NATs\n",
	       c->packets, c->relayed, c->lost, c->duplicated, c->filtered);
	printf("%" PRIu64 " streams, %" PRIu64 " clients that did not read, %" PRIu64
	       " messages dropped for that\n",
	       c->streams, c->slow, c->slow_drops);
	printf("%" PRIu64 " TCP allocations, %" PRIu64 " connections joined, %" PRIu64
	       " bytes over them\n",
	       c->tcp_calls, c->tcp_connections, c->tcp_bytes);
	printf("%" PRIu64 " crashes, %" PRIu64 " rebindings, %" PRIu64 " restarts of a node\n",
	       c->crashes, c->rebinds, c->node_restarts);
	for (int i = 0; i < SIM_INVARIANTS; i++)
		printf("  %-11s %10" PRIu64 " checks, %" PRIu64 " broken: %s\n",
		       sim_invariant_name((enum sim_invariant)i), c->checked[i], c->broken[i],
		       sim_invariant_text((enum sim_invariant)i));
	printf(
	    "%.1f s of CPU, %.0f virtual seconds in each; %" PRIu64 " checks, %" PRIu64 " broken\n",
	    cpu, cpu > 0 ? (double)s->virtual_ms / 1000 / cpu : 0, sum(c->checked), sum(c->broken));
}

/* The same run once more, up to the fault, for the trail of its call. */
static void replay(const struct sim *s, struct sim *again)
{
	struct sim_conf conf = s->conf;

	fprintf(stderr, "again with: turnpike-sim --seed %" PRIu64 " and the same options\n",
	        s->conf.seed);
	conf.trail_call = s->broken_call;
	if (conf.trail_call && !s->conf.trail_call)
		sim_run(&conf, s->broken_ms + 1, again);
}

/* Makes one-time allocations of memory before the measured run. Failures in it count: *broken. */
static int warm_up(struct sim *s, const struct sim_conf *conf, uint64_t *broken)
{
	struct sim_conf first = quick;
	int r;

	first.allocations = 100;
	first.hours_milli = 50;
	first.seed = conf->seed;
	if (conf->broken == BREAK_WARM_UP)
		first.broken = BREAK_PAYLOAD_BIT;
	r = sim_run(&first, 0, s);
	*broken = sum(s->counts.broken);
	return r;
}

static int run(const struct sim_conf *conf)
{
	struct sim *s = calloc(2, sizeof(*s));
	uint64_t early;
	size_t before;
	double cpu;
	int r;

	if (!s)
		return EXIT_BROKEN;
	r = warm_up(s, conf, &early);
	before = memory_in_use();
	cpu = cpu_s();
	if (!r)
		r = sim_run(conf, 0, s);
	cpu = cpu_s() - cpu;
	if (r) {
		fprintf(stderr, "turnpike-sim: %s\n", error_text(r));
		free(s);
		return EXIT_BROKEN;
	}
	if (conf->broken == BREAK_LOST_BYTES)
		memory_lose(4 * MEMORY_SLACK);
	sim_check(s, SIM_MEMORY, memory_in_use() <= before + MEMORY_SLACK, 0,
	          "%zu bytes before, %zu after", before, memory_in_use());
	print_summary(s, cpu);
	if (early)
		printf("%" PRIu64 " broken while warming up, before the run\n", early);
	if (sum(s->counts.broken))
		replay(s, s + 1);
	r = early || sum(s->counts.broken) ? EXIT_BROKEN : EXIT_HOLDS;
	free(s);
	return r;
}

int main(int argc, char **argv)
{
	const struct argp argp = {.options = list, .parser = take, .doc = about};
	struct options o = {.conf = standard};

	log_set_level(LOG_LEVEL_ERROR);
	if (args_parse(&argp, "turnpike-sim " TURNPIKE_VERSION, argc, argv, &o))
		return EXIT_BROKEN;
	if (o.memory)
		return memory_measure(o.memory) ? EXIT_BROKEN : EXIT_HOLDS;
	return run(&o.conf);
}
