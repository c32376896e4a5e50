/* SPDX-License-Identifier: BSD-3-Clause
 *
 * turnpike-load: what a packet, a transaction or a message costs the server, as
 * a ratio to coturn in the same run where it is asked for. It loads only what it has
 * started itself.
 */
#include "base/args.h"
#include "base/clock.h"
#include "harness/lab/contain.h"
#include "harness/lab/proc.h"
#include "harness/load/floor.h"
#include "harness/load/hostile.h"
#include "harness/load/load.h"
#include "harness/load/server.h"
#include "harness/load/signal.h"
#include "harness/load/turn.h"

#include <errno.h>
#include <jansson.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

#define SECONDS     3
#define SECONDS_MAX 120 /* permissions last 300 */
#define LOADS_MAX   16
#define LIP_MS      5000

static const struct load loads[] = {
    {"webrtc", "100 allocations, 30,000 packets/s: audio, and video evenly", LOAD_PACED, 100, 0,
     30000, 1, false, false},
    {"webrtc-bursts", "the same, video in frames of 4 packets", LOAD_PACED, 100, 0, 30000, 4, false,
     false},
    {"small", "1,000 allocations, 100 bytes, saturated", LOAD_SATURATED, 1000, 100, 0, 0, false,
     false},
    {"large", "1,000 allocations, 1,100 bytes, saturated", LOAD_SATURATED, 1000, 1100, 0, 0, false,
     false},
    {"one", "1 allocation, 100 bytes, saturated", LOAD_SATURATED, 1, 100, 0, 0, false, false},
    {"hot", "1 allocation, 1,100 bytes, 100,000 packets/s", LOAD_PACED, 1, 1100, 100000, 1, false,
     false},
    {"hairpin", "100 allocations in pairs, both ends relayed here, 1,100 bytes, saturated",
     LOAD_SATURATED, 100, 1100, 0, 0, false, true},
    {"indications", "100 allocations, Send and Data indications, 100 bytes, saturated",
     LOAD_SATURATED, 100, 100, 0, 0, true, false},
    {"churn", "allocations made and ended, 16 at a time: 401, Allocate, Refresh of 0", LOAD_CHURN,
     16, 0, 0, 0, false, false},
    {"binding", "Binding requests, 16 at a time", LOAD_BINDING, 16, 0, 0, 0, false, false},
    {"signal", "100 clients of the hub, messages from one to another, 50 under way",
     LOAD_SIGNAL_ROUTED, 100, 300, 0, 0, false, false},
    {"signal-1000", "1,000 clients of the hub, 50 messages under way", LOAD_SIGNAL_ROUTED, 1000,
     300, 0, 0, false, false},
    {"signal-slow", "100 clients of the hub, 4,000 messages/s: a wake-up for each",
     LOAD_SIGNAL_ROUTED, 100, 300, 4000, 0, false, false},
    {"signal-large", "100 clients of the hub, messages of 4,000 bytes, 50 under way",
     LOAD_SIGNAL_ROUTED, 100, 4000, 0, 0, false, false},
};
#define LOAD_N (sizeof(loads) / sizeof(*loads))

struct options {
	bool signal; /* the hub's loads, not the relay's */
	const char *verb;
	const char *only[LOADS_MAX];
	size_t only_n;
	const struct load *load[LOADS_MAX];
	size_t load_n;
	char turnpike[PATH_MAX];
	const char *against; /* coturn's program, or "node"; or NULL */
	const char *transport_name, *lie;
	const char *json;
	double seconds; /* 0: not said */
	int rounds;
	struct turn_plan turn;
	struct signal_plan plan;
};

enum {
	OPT_ONLY = 256, /* beyond the characters, which would be short options */
	OPT_AGAINST,
	OPT_TRANSPORT,
	OPT_ROUNDS,
	OPT_SECONDS,
	OPT_TURNPIKE,
	OPT_JSON,
	OPT_STORM,
	OPT_IDLE,
	OPT_ATTACK,
	OPT_HOSTILE,
	OPT_ALL,
	OPT_SCALE,
	OPT_PATIENCE,
	OPT_LIE,
};

static const struct argp_option option_list[] = {
    {"only", OPT_ONLY, "LOAD", 0, "Play this load only; may repeat (default: all of the verb)", 0},
    {"against", OPT_AGAINST, "SERVER", 0,
     "Play the same loads against another server, and print the ratio. turn: coturn, or the path "
     "of a "
     "turnserver. signal: node, a router written with Node's ws; the floor, which only finds the "
     "target and sends, is always played without TLS",
     0},
    {"transport", OPT_TRANSPORT, "T", 0,
     "Transport of the clients. turn: udp, tcp, tls or dtls (1.2) (default: udp). signal: tcp, tls "
     "or tls-alpn (default: tcp)",
     0},
    {"join-storm", OPT_STORM, "N", 0,
     "signal: N clients come at once, until each knows of all the others", 0},
    {"idle", OPT_IDLE, "N", 0, "signal: N clients sign in and say nothing (default length: 25 s)",
     0},
    {"attack", OPT_ATTACK, "KIND", 0,
     "signal: rename, chat, crowd, oversized, half or slow; may repeat: what others notice of it "
     "(default length: 10 s)",
     0},
    {"hostile", OPT_HOSTILE, "N", 0,
     "Clients of an attack, among twice as many idle ones (default: 500)", 0},
    {"all", OPT_ALL, NULL, 0,
     "signal: every step that has a target, compared with the floor and Node's ws; then a table of "
     "the targets",
     0},
    {"scale", OPT_SCALE, "F", 0,
     "Of the clients of --all, this part, 0.001 to 1 (default: 1); targets are then not judged", 0},
    {"patience", OPT_PATIENCE, "S", 0,
     "signal: the longest that clients wait to be signed in and to hear of each other (default: "
     "60)",
     0},
    {"lie", OPT_LIE, "HOW", OPTION_HIDDEN, "Node's router does something wrong, for a test", 0},
    {"rounds", OPT_ROUNDS, "N", 0, "Play each load N times, 1 to 25 (default: 3)", 0},
    {"seconds", OPT_SECONDS, "S", 0,
     "Length of each round after a warm-up of 0.3 s, 0.1 to 120 (default: 3; for --idle and "
     "--attack their own)",
     0},
    {"turnpike", OPT_TURNPIKE, "FILE", 0, "The server (default: turnpike beside this program)", 0},
    {"json", OPT_JSON, "FILE", 0, "Write the figures of every round as JSON", 0},
    {0},
};

static const char verbs[] = "turn        (load the relay)\n"
                            "signal      (load the signaling hub)\n"
                            "list        (name the loads and attacks)\n"
                            "floor PORT  (be the floor that signal compares with)";

static const char about[] =
    "Starts the server in a separate network namespace with one relay thread on the first core, "
    "and loads it over loopback from the last core. It reaches nothing else. Prints the run time "
    "of all threads of the server for each packet that came through, their share of a core, and "
    "the packets that were lost. Needs no root."
    "\vOther settings of turnpike come from the environment (TURNPIKE_GATHER_TIME=0).\n\n"
    "Absolute figures of a busy machine, or of a single core, mean little: compare ratios. A share "
    "near 100 % of a core means that the server is saturated. With a lower share, the load has a "
    "fixed rate, or this program is slower than the server. A saturated load keeps a window of "
    "packets on its way, also over TCP and TLS. If a connection does not accept a packet, the "
    "program holds it back and sends it later, so packets are lost only if the server drops them. "
    "A load with a fixed rate does not send them later: they are part of the lost packets, and "
    "are also counted separately as held back. Peers always use UDP. Both servers have the same "
    "certificate (P-256), TLS version and cipher.\n\n"
    "signal: clients come from many loopback addresses, number their messages, and notice one that "
    "is "
    "lost, comes twice or out of order, and a connection that the server closes. Except in an "
    "attack, "
    "limits for one client are lifted. An attack measures /healthz, and the time in which two new "
    "clients sign in and set up a call.\n\n"
    "Exit status: 0; 1 if a load failed to run, or messages or clients of the hub were lost; 2 for "
    "wrong usage; 3 if a target of --all was missed; 77 if this machine allows no namespaces.";

static bool is_signal(const struct load *l)
{
	return l->kind == LOAD_SIGNAL_ROUTED;
}

static int list(void)
{
	const char *name, *what;

	for (size_t i = 0; i < LOAD_N; i++)
		printf("  %-14s %-7s %s\n", loads[i].name, is_signal(&loads[i]) ? "signal" : "turn",
		       loads[i].what);
	for (size_t i = 0; (name = hostile_kind_at(i, &what)); i++)
		printf("  %-14s %-7s %s\n", name, "attack", what);
	return 0;
}

/* ---- the command line ---- */

static void take_load(struct options *o, const char *name, const struct argp_state *state)
{
	for (size_t i = 0; i < LOAD_N; i++) {
		if (!strcmp(loads[i].name, name) && is_signal(&loads[i]) == o->signal) {
			o->load[o->load_n++] = &loads[i];
			return;
		}
	}
	argp_error(state, "--only %s: %s has no such load: see turnpike-load list", name, o->verb);
}

static void beside_us(char out[PATH_MAX])
{
	ssize_t n = readlink("/proc/self/exe", out, PATH_MAX - sizeof("turnpike"));
	char *slash;

	out[n < 0 ? 0 : n] = 0;
	slash = strrchr(out, '/');
	strcpy(slash ? slash + 1 : out, "turnpike");
}

static void take_turn(struct options *o, const struct argp_state *state)
{
	if (o->transport_name && !link_transport_parse(o->transport_name, &o->turn.transport))
		argp_error(state, "--transport %s: it is udp, tcp, tls or dtls", o->transport_name);
	if (o->plan.storm || o->plan.idle || o->plan.attack_n || o->plan.all)
		argp_error(state, "--join-storm, --idle, --attack and --all are for the hub: write "
		                  "signal");
	o->turn.against = o->against;
	if (o->against && !strcmp(o->against, "coturn"))
		o->turn.against = "turnserver";
}

static void take_signal(struct options *o, const struct argp_state *state)
{
	if (o->transport_name && !signal_wire_parse(o->transport_name, &o->plan.wire))
		argp_error(state, "--transport %s: for the hub it is tcp, tls or tls-alpn",
		           o->transport_name);
	if (o->against && strcmp(o->against, "node") != 0)
		argp_error(state, "--against %s: for the hub it is node", o->against);
	o->plan.node = o->against || o->plan.all;
	if (o->plan.all) /* each of them has its own loads, and every attack */
		o->plan.attack_n = 0;
	for (const char *kind, *what;
	     o->plan.all && (kind = hostile_kind_at(o->plan.attack_n, &what));)
		o->plan.attack[o->plan.attack_n++] = kind;
}

/* Once all of the command line is known. */
static void take_all(struct options *o, const struct argp_state *state)
{
	bool all;

	if (!o->verb)
		argp_error(state, "the verb is missing: write turn, signal or list");
	if (!strcmp(o->verb, "list"))
		exit(list());
	o->signal = !strcmp(o->verb, "signal");
	if (!o->signal && strcmp(o->verb, "turn") != 0)
		argp_error(state, "there is no verb %s: write turn, signal or list", o->verb);
	if (o->signal)
		take_signal(o, state);
	else
		take_turn(o, state);
	all = !o->only_n && (o->plan.all || !(o->plan.storm || o->plan.idle || o->plan.attack_n));
	for (size_t i = 0; i < o->only_n; i++)
		take_load(o, o->only[i], state);
	for (size_t i = 0; i < LOAD_N && all; i++)
		if (is_signal(&loads[i]) == o->signal)
			o->load[o->load_n++] = &loads[i];
}

static error_t take_step(int key, char *arg, struct argp_state *state)
{
	struct signal_plan *p = &((struct options *)state->input)->plan;

	switch (key) {
	case OPT_STORM:
		p->storm = (size_t)args_number(state, "join-storm", arg, 2, SIGNAL_CLIENTS);
		break;
	case OPT_IDLE:
		p->idle = (size_t)args_number(state, "idle", arg, 2, SIGNAL_CLIENTS);
		break;
	case OPT_ATTACK:
		if (!hostile_kind(arg) || p->attack_n == SIGNAL_ATTACKS_MAX)
			argp_error(state, "--attack %s: there is no such attack, or too many", arg);
		p->attack[p->attack_n++] = arg;
		break;
	case OPT_HOSTILE:
		p->hostile = (size_t)args_number(state, "hostile", arg, 2, SIGNAL_CLIENTS);
		break;
	case OPT_ALL:
		p->all = true;
		break;
	case OPT_SCALE:
		p->scale = args_number(state, "scale", arg, 0.001, 1);
		break;
	case OPT_PATIENCE:
		p->patience = args_number(state, "patience", arg, 1, 600);
		break;
	case OPT_LIE:
		p->lie = arg;
		break;
	default:
		return ARGP_ERR_UNKNOWN;
	}
	return 0;
}

static error_t take(int key, char *arg, struct argp_state *state)
{
	struct options *o = state->input;

	switch (key) {
	case OPT_ONLY:
		if (o->only_n == LOADS_MAX)
			argp_error(state, "--only %s: too many of these options", arg);
		o->only[o->only_n++] = arg;
		break;
	case OPT_AGAINST:
		o->against = arg;
		break;
	case OPT_TRANSPORT:
		o->transport_name = arg;
		break;
	case OPT_ROUNDS:
		o->rounds = (int)args_number(state, "rounds", arg, 1, ROUNDS_MAX);
		break;
	case OPT_SECONDS:
		o->seconds = args_number(state, "seconds", arg, 0.1, SECONDS_MAX);
		break;
	case OPT_TURNPIKE:
		if (!realpath(arg, o->turnpike))
			argp_error(state, "--turnpike %s: there is no such file", arg);
		break;
	case OPT_JSON:
		o->json = arg;
		break;
	case ARGP_KEY_ARG:
		if (o->verb)
			argp_error(state, "%s: unexpected argument", arg);
		o->verb = arg;
		break;
	case ARGP_KEY_END:
		take_all(o, state);
		break;
	default:
		return take_step(key, arg, state);
	}
	return 0;
}

/* ---- in the container ---- */

struct inside {
	const struct options *o;
	int json_fd;
};

/* The first process of the container. */
static int run_inside(void *arg)
{
	static const char *const lo[] = {"ip", "link", "set", "lo", "up", NULL};
	const struct inside *in = arg;
	json_t *all = json_object();
	struct why why;
	int r = proc_run(lo, -1, NULL, LIP_MS, &why);

	for (size_t i = 0; i < in->o->load_n && !r && !in->o->signal; i++)
		r = turn_compare(&in->o->turn, in->o->load[i], all, &why);
	if (!r && in->o->signal)
		r = signal_play(&in->o->plan, all, &why);
	if ((!r || r == -E_CORRUPT || r == -E_STALE) && in->json_fd >= 0 &&
	    json_dumpfd(all, in->json_fd, JSON_INDENT(2)))
		r = why_set(&why, -E_IO, "cannot write %s", in->o->json);
	json_decref(all);
	if (r)
		fprintf(stderr, "turnpike-load: %s\n", why.text);
	return r == -E_STALE ? 3 : r ? 1 : 0;
}

static int run(const struct options *o)
{
	struct rlimit files;
	struct contain c;
	struct inside in = {.o = o, .json_fd = -1};
	struct why why;
	sigset_t ends;
	int status, fd, r;

	if (!getrlimit(RLIMIT_NOFILE, &files)) {
		files.rlim_cur = files.rlim_max;
		setrlimit(RLIMIT_NOFILE, &files);
	}
	if (o->json) {
		FILE *file = fopen(o->json, "we");

		if (!file) {
			fprintf(stderr, "turnpike-load: --json %s: cannot write it: %s\n", o->json,
			        strerror(errno));
			return 2;
		}
		in.json_fd = fileno(file);
	}
	sigemptyset(&ends);
	sigaddset(&ends, SIGINT);
	sigaddset(&ends, SIGTERM);
	sigaddset(&ends, SIGHUP);
	sigprocmask(SIG_BLOCK, &ends, NULL);
	fd = signalfd(-1, &ends, SFD_CLOEXEC);
	r = contain_start(&c, run_inside, &in, &why);
	if (r) {
		fprintf(stderr, "turnpike-load: %s\n", why.text);
		return r == -E_UNSUPPORTED || r == -E_DENIED ? 77 : 1;
	}
	r = contain_wait(&c, INT64_MAX / 4, fd, &status);
	contain_kill(&c);
	return r || !WIFEXITED(status) ? 1 : WEXITSTATUS(status);
}

int main(int argc, char **argv)
{
	const struct argp argp = {
	    .options = option_list, .parser = take, .args_doc = verbs, .doc = about};
	struct options o = {.rounds = 3, .plan = {.hostile = 500, .scale = 1, .patience = 60}};

	if (argc == 3 && !strcmp(argv[1], "floor"))
		return floor_main((unsigned)atoi(argv[2]));
	beside_us(o.turnpike);
	if (args_parse(&argp, "turnpike-load " TURNPIKE_VERSION, argc, argv, &o))
		return 1;
	o.plan.turnpike = o.turnpike;
	o.plan.seconds = o.seconds;
	o.plan.rounds = o.rounds;
	o.turn.turnpike = o.turnpike;
	o.turn.rounds = o.rounds;
	o.turn.seconds = o.seconds > 0 ? o.seconds : SECONDS;
	o.plan.load_n = o.load_n;
	memcpy(o.plan.load, o.load, sizeof(o.plan.load));
	return run(&o);
}
