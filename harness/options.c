/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The command line, and what has to be there before a run begins.
 */
#include "harness/options.h"

#include "base/args.h"
#include "harness/options_target.h"
#include "harness/report/output.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define REPEAT_MAX 10000
#define SOAK_MAX   10080 /* a week */
#define JOBS_MAX   16

int options_error(const char *fmt, ...)
{
	va_list ap;

	fputs("turnpike-harness: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputs("\nTry 'turnpike-harness --help'.\n", stderr);
	return EXIT_USAGE;
}

/* The options as given, before any check. */
struct said {
	struct options *options;
	const char *verb;
	char *turnpike, *kinds, *browsers, *shard;
	char *browser[BROWSER_PRODUCTS];
	struct said_target target;
};

enum {
	OPT_CALLS = 256, /* GROUP_CALLS + 256, and so on */
	OPT_MATRIX,
	OPT_FAULTS,
	OPT_ALL,
	OPT_ONLY,
	OPT_REPEAT,
	OPT_SOAK,
	OPT_JOBS,
	OPT_CAPTURE,
	OPT_TURN,
	OPT_INSECURE,
	/* From here on a text that is kept for later; further down, a report's or folder's name. */
	OPT_SAID,
	OPT_NAME = OPT_SAID + sizeof(struct said),
};
#define SAID(member) (OPT_SAID + (int)offsetof(struct said, member))
#define NAME(member) (OPT_NAME + (int)offsetof(struct options, member))

#define HEAD(text)                                                                                 \
	{                                                                                          \
		NULL, 0, NULL, 0, text, 0                                                          \
	}

static const struct argp_option option_list[] = {
    HEAD("What to play (default: --calls):"),
    {"calls", OPT_CALLS, NULL, 0, "A call of each kind: the gate for CI", 0},
    {"matrix", OPT_MATRIX, NULL, 0, "A call between every pair of NAT kinds", 0},
    {"faults", OPT_FAULTS, NULL, 0, "Calls in the middle of which something breaks", 0},
    {"soak", OPT_SOAK, "MINUTES", 0, "How long fault-soak lasts (default: 2)", 0},
    {"all", OPT_ALL, NULL, 0, "Calls, matrix and faults", 0},
    {"only", OPT_ONLY, "NAME", 0,
     "This one, or those that fit a pattern ('*+symmetric'); may be given more than once", 0},
    {"kinds", SAID(kinds), "A,B,...", 0, "The matrix over these NAT kinds", 0},
    {"browsers", SAID(browsers), "A,B", 0,
     "Browsers of the two sides in the matrix: chromium, firefox", 0},
    {"repeat", OPT_REPEAT, "N", 0, "Everything N times", 0},
    {"shard", SAID(shard), "I/N", 0, "The I-th of N parts, for CI machines side by side", 0},

    HEAD("Against which TURN server, started in the lab (turnpike serves page and signaling for "
         "all of them):"),
    {"target", SAID(target.targets), "A,B", 0,
     "turnpike, coturn, or both, side by side in the reports (default: turnpike)", 0},
    {"coturn", SAID(target.coturn), "PATH", 0, "coturn's program (default: turnserver)", 0},
    {"turn", OPT_TURN, "URI", 0,
     "Any other server: turn:203.0.113.13:3478?transport=udp, ...; may be given more than once", 0},
    {"user", SAID(target.user), "U", 0, "The user name for --turn", 0},
    {"credential", SAID(target.credential), "C", 0, "The credential for --turn", 0},
    {"ice-servers", SAID(target.ice_servers), "FILE|URL", 0,
     "Any other server, as JSON: {\"iceServers\": [...]}", 0},
    {"start", SAID(target.start), "COMMAND", 0,
     "What starts the server of --turn or --ice-servers, for sh; finds TURN_IP, TURN_IP6, "
     "TURN_CERT, TURN_KEY and TURN_DIR in its "
     "environment",
     0},

    HEAD("A deployed server, tested from here, without a lab or privileges:"),
    {"against", SAID(target.against), "https://HOST[:PORT]", 0,
     "Health, certificate, a direct call, and a relayed one for each of its ICE servers", 0},
    {"key", SAID(target.api_token), "KEY", 0, "Its API token, if guests need one (or TURNPIKE_KEY)",
     0},
    {"expect", SAID(target.expect), "A,B,...", 0,
     "The transports over which it should offer its relay (default: udp,tcp,tls)", 0},
    {"insecure", OPT_INSECURE, NULL, 0, "Accept a certificate that does not verify", 0},

    HEAD("How:"),
    {"jobs", OPT_JOBS, "N", 0, "Labs side by side (default: one for each core)", 0},
    {"turnpike", SAID(turnpike), "PATH", 0, "The server's program (default: beside this one)", 0},
    {"chromium", SAID(browser[BROWSER_CHROMIUM]), "PATH", 0,
     "The browser (default: chromium-headless-shell, chromium)", 0},
    {"browser", SAID(browser[BROWSER_CHROMIUM]), "PATH", OPTION_HIDDEN,
     "An older name of --chromium", 0},
    {"firefox", SAID(browser[BROWSER_FIREFOX]), "PATH", 0,
     "The browser (default: firefox-esr, firefox)", 0},
    {"clients", NAME(clients), "DIR", 0,
     "Clients of other projects for foreign-*: DIR has peerjs.js and y-webrtc.js, as plain scripts",
     0},

    HEAD("Reports, beside the table on the terminal:"),
    {"html", NAME(html), "FILE", 0, "One page with everything: open it, attach it to a CI run", 0},
    {"junit", NAME(junit), "FILE", 0, "JUnit XML", 0},
    {"json", NAME(json), "FILE", 0, "JSON", 0},
    {"keep", NAME(keep), "DIR", 0, "Keep logs, browser consoles and screenshots there", 0},
    {"capture", OPT_CAPTURE, NULL, 0, "Record the packets at both NATs (for --html or --keep)", 0},

    {0},
};

static const char verbs[] = "run\nlist";

static const char about[] =
    "Runs turnpike with real browsers behind real NATs, in network namespaces of its own, or lists "
    "the scenarios. Needs no root, and leaves nothing behind, whatever happens."
    "\vExit status: 0 all passed, 1 something failed, 2 wrong usage, 3 the lab could not be built "
    "on this machine, 4 nothing failed but the machine was too busy to judge all of it.";

/* Words between commas, in place: argv is ours. */
static int parse_list(const char *name, char *text, const char *list[], size_t max, size_t *n)
{
	for (char *word = text ? strtok(text, ",") : NULL; word; word = strtok(NULL, ",")) {
		if (*n == max)
			return options_error("--%s names more than %zu", name, max);
		list[(*n)++] = word;
	}
	return EXIT_PASSED;
}

static int parse_shard(struct plan_options *p, const char *text)
{
	char tail;

	if (text && (sscanf(text, "%u/%u%c", &p->shard, &p->shards, &tail) != 2 || p->shard < 1 ||
	             p->shard > p->shards || p->shards > REPEAT_MAX))
		return options_error("--shard wants I/N with I from 1 to N, as 2/3, not %s", text);
	return EXIT_PASSED;
}

static int parse_browsers(struct plan_options *p, char *text)
{
	const char *word[LAB_SIDES];
	size_t n = 0;

	if (!text)
		return EXIT_PASSED;
	if (parse_list("browsers", text, word, LAB_SIDES, &n) != EXIT_PASSED)
		return EXIT_USAGE;
	if (n == 0)
		return options_error("--browsers names none");
	for (size_t side = 0; side < LAB_SIDES; side++) {
		const char *wanted = word[side < n ? side : n - 1];
		int product = 0;

		while (product < BROWSER_PRODUCTS &&
		       strcmp(browser_product_word((enum browser_product)product), wanted) != 0)
			product++;
		if (product == BROWSER_PRODUCTS)
			return options_error("there is no browser %s: say chromium or firefox",
			                     wanted);
		p->product[side] = (enum browser_product)product;
	}
	return EXIT_PASSED;
}

static void take_verb(struct said *said, const char *word, const struct argp_state *state)
{
	if (said->verb)
		argp_error(state, "unexpected argument %s", word);
	if (strcmp(word, "run") != 0 && strcmp(word, "list") != 0)
		argp_error(state, "there is no command %s: say run or list", word);
	said->verb = word;
}

static error_t take(int key, char *arg, struct argp_state *state)
{
	struct said *said = state->input;
	struct options *o = said->options;
	struct plan_options *p = &o->plan;

	switch (key) {
	case OPT_CALLS:
	case OPT_MATRIX:
	case OPT_FAULTS:
		p->group[key - OPT_CALLS] = true;
		break;
	case OPT_ALL:
		for (int i = 0; i <= GROUP_FAULTS; i++)
			p->group[i] = true;
		break;
	case OPT_ONLY:
		if (p->only_n == PLAN_WORDS)
			argp_error(state, "--only given more than %d times", PLAN_WORDS);
		p->only[p->only_n++] = arg;
		break;
	case OPT_TURN:
		if (said->target.turn_n == OFFER_MAX)
			argp_error(state, "--turn given more than %d times", OFFER_MAX);
		said->target.turn[said->target.turn_n++] = arg;
		break;
	case OPT_REPEAT:
		p->repeat = (unsigned)args_number(state, "repeat", arg, 1, REPEAT_MAX);
		break;
	case OPT_SOAK:
		o->soak_minutes = (unsigned)args_number(state, "soak", arg, 1, SOAK_MAX);
		break;
	case OPT_JOBS:
		o->jobs = (size_t)args_number(state, "jobs", arg, 1, JOBS_MAX);
		break;
	case OPT_CAPTURE:
		o->capture = true;
		break;
	case OPT_INSECURE:
		said->target.insecure = true;
		break;
	case ARGP_KEY_ARG:
		take_verb(said, arg, state);
		break;
	case ARGP_KEY_NO_ARGS:
		argp_error(state, "say what to do: run or list");
		break;
	default:
		if (key < OPT_SAID || key >= OPT_NAME + (int)sizeof(*o))
			return ARGP_ERR_UNKNOWN;
		*(char **)(key < OPT_NAME ? (char *)said + (key - OPT_SAID)
		                          : (char *)o + (key - OPT_NAME)) = arg;
	}
	return 0;
}

/* The program beside this one. */
static int find_turnpike(const char *wanted, char path[PATH_MAX])
{
	char self[PATH_MAX], beside[PATH_MAX + 16];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	char *slash;

	if (!wanted && n > 0) {
		self[n] = '\0';
		slash = strrchr(self, '/');
		*slash = '\0';
		snprintf(beside, sizeof(beside), "%s/turnpike", self);
		wanted = beside;
	}
	if (wanted && realpath(wanted, path) && access(path, X_OK) == 0)
		return EXIT_PASSED;
	fprintf(stderr,
	        "turnpike-harness: there is no program %s: build turnpike, or name it with "
	        "--turnpike\n",
	        wanted ? wanted : "turnpike");
	return EXIT_USAGE;
}

/* A browser that is not installed matters only once a cell wants it. */
static int find_browsers(struct options *o, const struct said *said)
{
	struct why why;

	for (int i = 0; i < BROWSER_PRODUCTS; i++) {
		enum browser_product product = (enum browser_product)i;

		if (browser_find(product, said->browser[i], o->browser[i], &why) == 0)
			continue;
		o->browser[i][0] = '\0';
		if (!said->browser[i])
			continue;
		fprintf(stderr, "turnpike-harness: %s\n", why.text);
		return EXIT_USAGE;
	}
	return EXIT_PASSED;
}

static int prove_report(const char *path)
{
	struct why why;

	if (!path || output_prove(path, &why) == 0)
		return EXIT_PASSED;
	fprintf(stderr, "turnpike-harness: cannot write %s: %s\n", path, why.text);
	return EXIT_USAGE;
}

/* The HTML report is made from artifacts: without --keep they live in a folder that vanishes. */
static int open_artifacts(struct options *o)
{
	const char *tmp = getenv("TMPDIR");

	if (o->keep) {
		snprintf(o->artifacts, sizeof(o->artifacts), "%s", o->keep);
		if (mkdir(o->keep, 0755) != 0 && errno != EEXIST) {
			fprintf(stderr, "turnpike-harness: cannot make the folder %s: %s\n",
			        o->keep, strerror(errno));
			return EXIT_USAGE;
		}
	} else if (o->html) {
		snprintf(o->artifacts, sizeof(o->artifacts), "%s/turnpike-artifacts-XXXXXX",
		         tmp && *tmp ? tmp : "/tmp");
		if (!mkdtemp(o->artifacts)) {
			fprintf(stderr, "turnpike-harness: cannot make the folder %s: %s\n",
			        o->artifacts, strerror(errno));
			o->artifacts[0] = '\0';
			return EXIT_USAGE;
		}
		o->artifacts_vanish = true;
	} else {
		return EXIT_PASSED;
	}
	o->artifacts_fd = open(o->artifacts, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (o->artifacts_fd >= 0)
		return EXIT_PASSED;
	fprintf(stderr, "turnpike-harness: cannot open the folder %s: %s\n", o->artifacts,
	        strerror(errno));
	return EXIT_USAGE;
}

static int open_outputs(struct options *o)
{
	if (prove_report(o->junit) != EXIT_PASSED || prove_report(o->json) != EXIT_PASSED ||
	    prove_report(o->html) != EXIT_PASSED)
		return EXIT_USAGE;
	return open_artifacts(o);
}

int options_parse(struct options *o, int argc, char **argv)
{
	const struct argp argp = {
	    .options = option_list, .parser = take, .args_doc = verbs, .doc = about};
	struct said said = {.options = o};
	int status = EXIT_PASSED;

	*o = (struct options){.artifacts_fd = -1};
	if (args_parse(&argp, "turnpike-harness " TURNPIKE_VERSION, argc, argv, &said))
		return EXIT_FAILED;
	o->list = !strcmp(said.verb, "list");
	if (o->list)
		return EXIT_PASSED;
	if (o->clients) {
		char *path = realpath(o->clients, NULL);

		if (!path)
			return options_error("there is no folder %s", o->clients);
		o->clients = path;
	}
	if (o->capture && !o->html && !o->keep)
		status =
		    options_error("--capture has nowhere to go: add --html FILE or --keep DIR");
	if (status == EXIT_PASSED)
		status = parse_shard(&o->plan, said.shard);
	if (status == EXIT_PASSED)
		status =
		    parse_list("kinds", said.kinds, o->plan.kinds, PLAN_WORDS, &o->plan.kinds_n);
	if (status == EXIT_PASSED)
		status = parse_browsers(&o->plan, said.browsers);
	if (status == EXIT_PASSED)
		status = options_target(o, &said.target);
	if (status == EXIT_PASSED && !o->against)
		status = find_turnpike(said.turnpike, o->turnpike);
	if (status == EXIT_PASSED)
		status = find_browsers(o, &said);
	if (status == EXIT_PASSED)
		status = open_outputs(o);
	return status;
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

void options_close(struct options *o)
{
	for (size_t i = 0; i < o->target_n; i++)
		target_free(&o->target[i]);
	free(o->against);
	o->against = NULL;
	free(o->clients);
	o->clients = NULL;
	if (o->artifacts_fd >= 0)
		close(o->artifacts_fd);
	if (o->artifacts_vanish)
		nftw(o->artifacts, remove_entry, 8, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
}
