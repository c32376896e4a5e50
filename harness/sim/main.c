/* SPDX-License-Identifier: BSD-3-Clause
 *
 * turnpike-sim: the servers' cores on a virtual network and virtual time.
 */
#include "base/error.h"
#include "base/log.h"
#include "harness/sim/memory.h"
#include "harness/sim/sim.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define MEMORY_SLACK 65536 /* what libraries keep for later */

enum exit_status { EXIT_HOLDS = 0, EXIT_BROKEN = 1, EXIT_USAGE = 2 };

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

static void print_help(void)
{
	fputs("Usage: turnpike-sim [OPTION]...\n"
	      "\n"
	      "Runs the TURN server's core and the signaling hub, as they are, on a virtual\n"
	      "network and virtual time: clients behind NATs of every RFC 4787 behaviour call\n"
	      "each other, crash, move, lose packets; servers restart. What must hold is checked\n"
	      "at every packet. The same seed gives the same run.\n"
	      "\n"
	      "  --seed N          of the run (default: 1)\n"
	      "  --allocations N   make so many (default: 100000)\n"
	      "  --calls N         stop at so many calls (default: by the allocations)\n"
	      "  --hours H         let the calls begin within so many virtual hours (default: 6)\n"
	      "  --loss PERCENT    of the datagrams (default: 1)\n"
	      "  --rate N          media packets a second, each way of a call (default: 0.2)\n"
	      "  --nodes N         TURN servers, 1 to 16 (default: 10)\n"
	      "  --quick           a short run: 1500 allocations, half an hour, 2 nodes\n"
	      "  --trace           print every event; with a number (--trace=N) those of a call\n"
	      "  --break WHAT      break something on purpose, to see the check for it fire;\n"
	      "                    --break list names what there is\n"
	      "  --memory N        instead: make N allocations and tell what one takes\n"
	      "\n"
	      "Exit status: 0 all held, 1 something was broken (the seed and the trail are\n"
	      "printed), 2 wrong usage.\n",
	      stdout);
}

static int usage_error(const char *option, const char *value, const char *what)
{
	fprintf(stderr, "turnpike-sim: --%s %s: %s\nTry 'turnpike-sim --help'.\n", option, value,
	        what);
	return -E_INVAL;
}

static int parse(const char *option, const char *text, double scale, double min, double max,
                 double *out)
{
	char *end;

	errno = 0;
	*out = strtod(text, &end) * scale;
	if (errno || end == text || *end || !(*out >= min && *out <= max))
		return usage_error(option, text, "not a number in its range");
	return 0;
}

/* All 64 bits of it, which a double does not hold. */
static int parse_seed(const char *option, const char *text, uint64_t *out)
{
	char *end;
	unsigned long long n;

	errno = 0;
	n = strtoull(text, &end, 10);
	if (errno || *text < '0' || *text > '9' || *end)
		return usage_error(option, text, "not a whole number of 0 to 18446744073709551615");
	*out = n;
	return 0;
}

static int find_break(const char *text, enum sim_break *out)
{
	for (int b = 0; b < BREAKS; b++) {
		if (!strcmp(text, sim_break_name((enum sim_break)b))) {
			*out = (enum sim_break)b;
			return 0;
		}
	}
	return usage_error("break", text, "no such thing; --break list names what there is");
}

struct options {
	struct sim_conf conf;
	uint32_t memory;
	bool done; /* what was asked for is printed */
};

static void list_breaks(void)
{
	for (int b = 1; b < BREAKS; b++)
		puts(sim_break_name((enum sim_break)b));
}

static int set_option(struct options *o, const struct option *which, const char *text)
{
	struct sim_conf *c = &o->conf;
	uint64_t seed;
	double v = 0;
	int r = 0;

	switch (which->val) {
	case 's':
		return parse_seed(which->name, text, &c->seed);
	case 'a':
		r = parse(which->name, text, 1, 1, 1e8, &v);
		c->allocations = (uint32_t)v;
		return r;
	case 'c':
		r = parse(which->name, text, 1, 1, 1e8, &v);
		c->calls = (uint32_t)v;
		return r;
	case 'h':
		r = parse(which->name, text, 1000, 10, 1e6, &v);
		c->hours_milli = (uint32_t)v;
		return r;
	case 'l':
		r = parse(which->name, text, 10000, 0, 200000, &v);
		c->loss_ppm = (uint32_t)v;
		return r;
	case 'r':
		r = parse(which->name, text, 1000, 150, 1e6, &v);
		c->rate_mhz = (uint32_t)v;
		return r;
	case 'n':
		r = parse(which->name, text, 1, 1, SIM_NODES_MAX, &v);
		c->nodes = (unsigned int)v;
		return r;
	case 'm':
		r = parse(which->name, text, 1, 1, NODE_MEMORY_MAX, &v);
		o->memory = (uint32_t)v;
		return r;
	case 't':
		c->trace = !text;
		r = text ? parse(which->name, text, 1, 1, 4e9, &v) : 0;
		c->trail_call = (uint32_t)v;
		return r;
	case 'q':
		seed = c->seed;
		*c = quick;
		c->seed = seed;
		return 0;
	case 'b':
		if (!strcmp(text, "list")) {
			list_breaks();
			o->done = true;
			return 0;
		}
		return find_break(text, &c->broken);
	default:
		print_help();
		o->done = true;
		return 0;
	}
}

static int read_options(int argc, char **argv, struct options *o)
{
	static const struct option options[] = {{"seed", required_argument, NULL, 's'},
	                                        {"allocations", required_argument, NULL, 'a'},
	                                        {"calls", required_argument, NULL, 'c'},
	                                        {"hours", required_argument, NULL, 'h'},
	                                        {"loss", required_argument, NULL, 'l'},
	                                        {"rate", required_argument, NULL, 'r'},
	                                        {"nodes", required_argument, NULL, 'n'},
	                                        {"memory", required_argument, NULL, 'm'},
	                                        {"trace", optional_argument, NULL, 't'},
	                                        {"quick", no_argument, NULL, 'q'},
	                                        {"break", required_argument, NULL, 'b'},
	                                        {"help", no_argument, NULL, 'H'},
	                                        {NULL, 0, NULL, 0}};
	int at = 0, c, r = 0;

	while (!r && (c = getopt_long(argc, argv, "", options, &at)) != -1) {
		if (c == '?') {
			fputs("Try 'turnpike-sim --help'.\n", stderr);
			return -E_INVAL;
		}
		r = set_option(o, &options[at], optarg);
	}
	if (!r && optind < argc) {
		fprintf(stderr, "turnpike-sim: '%s' is no option\nTry 'turnpike-sim --help'.\n",
		        argv[optind]);
		r = -E_INVAL;
	}
	return r;
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

/* What a first run leaves behind for good is there before the one that is measured. What breaks in
 * it counts: *broken. */
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
	struct options o = {.conf = standard};

	log_set_level(LOG_LEVEL_ERROR);
	if (read_options(argc, argv, &o))
		return EXIT_USAGE;
	if (o.done)
		return EXIT_HOLDS;
	if (o.memory)
		return memory_measure(o.memory) ? EXIT_BROKEN : EXIT_HOLDS;
	return run(&o.conf);
}
