/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The command line, and what has to be there before a run begins.
 */
#include "harness/options.h"

#include "harness/options_target.h"
#include "harness/report/output.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define REPEAT_MAX 10000
#define SOAK_MAX   10080 /* a week */

void options_help(FILE *f)
{
	fputs(
	    "Usage: turnpike-harness run [OPTION]...\n"
	    "       turnpike-harness list\n"
	    "       turnpike-harness --help | --version\n"
	    "\n"
	    "Runs turnpike with real browsers behind real NATs, in network namespaces of\n"
	    "its own. Needs no root. Nothing is left behind, whatever happens.\n"
	    "\n"
	    "What to play (default: --calls):\n"
	    "  --calls            a call of each kind: the gate for CI\n"
	    "  --matrix           a call between every pair of NAT kinds\n"
	    "  --faults           calls in the middle of which something breaks\n"
	    "  --soak MINUTES     how long its call that lasts does so (default: 2)\n"
	    "  --all              all of these\n"
	    "  --only NAME        this one, or those that fit a pattern ('*+symmetric'); may be\n"
	    "                     given more than once\n"
	    "  --kinds A,B,...    the matrix over these NAT kinds\n"
	    "  --browsers A,B     browsers of the two sides in the matrix: chromium, firefox\n"
	    "  --repeat N         everything N times\n"
	    "  --shard I/N        the I-th of N parts, for CI machines side by side\n"
	    "\n"
	    "Against which TURN server (default: turnpike), started in the lab; turnpike serves\n"
	    "page and signaling for all of them:\n"
	    "  --target A,B       turnpike, coturn, or both, side by side in the reports\n"
	    "  --coturn PATH      coturn's program (default: turnserver)\n"
	    "  --turn URI         any other server: turn:203.0.113.13:3478?transport=udp, ...;\n"
	    "                     may be given more than once\n"
	    "  --user U, --credential C\n"
	    "                     what it wants to know\n"
	    "  --ice-servers FILE|URL\n"
	    "                     the same as JSON: {\"iceServers\": [...]}\n"
	    "  --start COMMAND    starts it, for sh; finds TURN_IP, TURN_IP6, TURN_CERT,\n"
	    "                     TURN_KEY and TURN_DIR in its environment\n"
	    "\n"
	    "A deployed server, from here, with no lab and no rights:\n"
	    "  --against https://HOST[:PORT]\n"
	    "                     health, certificate, a direct call, and a relayed one for each\n"
	    "                     of its ICE servers\n"
	    "  --key KEY          its API token, where guests need one (or TURNPIKE_KEY)\n"
	    "  --expect A,B,...   the transports over which it should offer its relay (default:\n"
	    "                     udp,tcp,tls)\n"
	    "  --insecure         accept a certificate that does not verify\n"
	    "\n"
	    "How:\n"
	    "  --jobs N           labs side by side (default: one for each core)\n"
	    "  --turnpike PATH    the server's program (default: beside this one)\n"
	    "  --chromium PATH    the browser (default: chromium-headless-shell, chromium)\n"
	    "  --firefox PATH     the browser (default: firefox-esr, firefox)\n"
	    "\n"
	    "Reports, beside the table on the terminal:\n"
	    "  --html FILE        one page with everything: open it, attach it to a CI run\n"
	    "  --junit FILE       JUnit XML\n"
	    "  --json FILE        JSON\n"
	    "  --keep DIR         keep logs, browser consoles and screenshots there\n"
	    "  --capture          record the packets at both NATs (for --html or --keep)\n"
	    "\n"
	    "Exit status: 0 all passed, 1 something failed, 2 wrong usage, 3 the lab could not\n"
	    "be built on this machine, 4 nothing failed but the machine was too busy to judge\n"
	    "all of it.\n",
	    f);
}

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

enum {
	OPT_CALLS = 256, /* GROUP_CALLS + 256, and so on */
	OPT_MATRIX,
	OPT_FAULTS,
	OPT_ALL,
	OPT_ONLY,
	OPT_KINDS,
	OPT_BROWSERS,
	OPT_REPEAT,
	OPT_SOAK,
	OPT_SHARD,
	OPT_JOBS,
	OPT_TURNPIKE,
	OPT_CHROMIUM,
	OPT_FIREFOX,
	OPT_HTML,
	OPT_JUNIT,
	OPT_JSON,
	OPT_KEEP,
	OPT_CAPTURE,
	OPT_TARGET,
	OPT_COTURN,
	OPT_TURN,
	OPT_USER,
	OPT_CREDENTIAL,
	OPT_ICE_SERVERS,
	OPT_START,
	OPT_AGAINST,
	OPT_KEY,
	OPT_EXPECT,
	OPT_INSECURE,
	OPT_HELP,
};

static const struct option longs[] = {
    {"calls", no_argument, NULL, OPT_CALLS},
    {"matrix", no_argument, NULL, OPT_MATRIX},
    {"faults", no_argument, NULL, OPT_FAULTS},
    {"all", no_argument, NULL, OPT_ALL},
    {"only", required_argument, NULL, OPT_ONLY},
    {"kinds", required_argument, NULL, OPT_KINDS},
    {"browsers", required_argument, NULL, OPT_BROWSERS},
    {"soak", required_argument, NULL, OPT_SOAK},
    {"repeat", required_argument, NULL, OPT_REPEAT},
    {"shard", required_argument, NULL, OPT_SHARD},
    {"jobs", required_argument, NULL, OPT_JOBS},
    {"turnpike", required_argument, NULL, OPT_TURNPIKE},
    {"chromium", required_argument, NULL, OPT_CHROMIUM},
    {"browser", required_argument, NULL, OPT_CHROMIUM}, /* its name of before */
    {"firefox", required_argument, NULL, OPT_FIREFOX},
    {"html", required_argument, NULL, OPT_HTML},
    {"junit", required_argument, NULL, OPT_JUNIT},
    {"json", required_argument, NULL, OPT_JSON},
    {"keep", required_argument, NULL, OPT_KEEP},
    {"capture", no_argument, NULL, OPT_CAPTURE},
    {"target", required_argument, NULL, OPT_TARGET},
    {"coturn", required_argument, NULL, OPT_COTURN},
    {"turn", required_argument, NULL, OPT_TURN},
    {"user", required_argument, NULL, OPT_USER},
    {"credential", required_argument, NULL, OPT_CREDENTIAL},
    {"ice-servers", required_argument, NULL, OPT_ICE_SERVERS},
    {"start", required_argument, NULL, OPT_START},
    {"against", required_argument, NULL, OPT_AGAINST},
    {"key", required_argument, NULL, OPT_KEY},
    {"expect", required_argument, NULL, OPT_EXPECT},
    {"insecure", no_argument, NULL, OPT_INSECURE},
    {"help", no_argument, NULL, OPT_HELP},
    {NULL, 0, NULL, 0},
};

/* What was said, before it is looked into. */
struct said {
	const char *turnpike;
	const char *browser[BROWSER_PRODUCTS];
	struct said_target target;
};

static int parse_number(const char *name, const char *text, unsigned long max, unsigned long *out)
{
	char *end;

	errno = 0;
	*out = strtoul(text, &end, 10);
	if (errno != 0 || end == text || *end || *text == '-' || *out < 1 || *out > max)
		return options_error("--%s wants a number from 1 to %lu, not %s", name, max, text);
	return EXIT_PASSED;
}

static int parse_shard(struct plan_options *p, const char *text)
{
	char tail;

	if (sscanf(text, "%u/%u%c", &p->shard, &p->shards, &tail) != 2 || p->shard < 1 ||
	    p->shard > p->shards || p->shards > REPEAT_MAX)
		return options_error("--shard wants I/N with I from 1 to N, as 2/3, not %s", text);
	return EXIT_PASSED;
}

/* Words between commas, in place: argv is ours. */
static int parse_list(const char *name, char *text, const char *list[], size_t max, size_t *n)
{
	for (char *word = strtok(text, ","); word; word = strtok(NULL, ",")) {
		if (*n == max)
			return options_error("--%s names more than %zu", name, max);
		list[(*n)++] = word;
	}
	return EXIT_PASSED;
}

static int parse_browsers(struct plan_options *p, char *text)
{
	const char *word[LAB_SIDES];
	size_t n = 0;

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

static int parse_target(struct said_target *said, int c, char *arg)
{
	switch (c) {
	case OPT_TARGET:
		said->targets = arg;
		break;
	case OPT_COTURN:
		said->coturn = arg;
		break;
	case OPT_TURN:
		if (said->turn_n == OFFER_MAX)
			return options_error("--turn given more than %d times", OFFER_MAX);
		said->turn[said->turn_n++] = arg;
		break;
	case OPT_USER:
		said->user = arg;
		break;
	case OPT_CREDENTIAL:
		said->credential = arg;
		break;
	case OPT_ICE_SERVERS:
		said->ice_servers = arg;
		break;
	case OPT_START:
		said->start = arg;
		break;
	case OPT_AGAINST:
		said->against = arg;
		break;
	case OPT_KEY:
		said->key = arg;
		break;
	case OPT_EXPECT:
		said->expect = arg;
		break;
	case OPT_INSECURE:
		said->insecure = true;
		break;
	default:
		fputs("Try 'turnpike-harness --help'.\n", stderr);
		return EXIT_USAGE;
	}
	return EXIT_PASSED;
}

static int parse_word(struct options *o, struct said *said, int c, char *arg)
{
	struct plan_options *p = &o->plan;
	unsigned long number = 0;
	int status = EXIT_PASSED;

	switch (c) {
	case OPT_CALLS:
	case OPT_MATRIX:
	case OPT_FAULTS:
		p->group[c - OPT_CALLS] = true;
		break;
	case OPT_ALL:
		for (int i = 0; i < GROUPS; i++)
			p->group[i] = true;
		break;
	case OPT_ONLY:
		if (p->only_n == PLAN_WORDS)
			return options_error("--only given more than %d times", PLAN_WORDS);
		p->only[p->only_n++] = arg;
		break;
	case OPT_KINDS:
		return parse_list("kinds", arg, p->kinds, PLAN_WORDS, &p->kinds_n);
	case OPT_BROWSERS:
		return parse_browsers(p, arg);
	case OPT_REPEAT:
		status = parse_number("repeat", arg, REPEAT_MAX, &number);
		p->repeat = (unsigned)number;
		break;
	case OPT_SOAK:
		status = parse_number("soak", arg, SOAK_MAX, &number);
		o->soak_minutes = (unsigned)number;
		break;
	case OPT_SHARD:
		return parse_shard(p, arg);
	case OPT_JOBS:
		status = parse_number("jobs", arg, 16, &number);
		o->jobs = number;
		break;
	case OPT_TURNPIKE:
		said->turnpike = arg;
		break;
	case OPT_CHROMIUM:
		said->browser[BROWSER_CHROMIUM] = arg;
		break;
	case OPT_FIREFOX:
		said->browser[BROWSER_FIREFOX] = arg;
		break;
	case OPT_HTML:
		o->html = arg;
		break;
	case OPT_JUNIT:
		o->junit = arg;
		break;
	case OPT_JSON:
		o->json = arg;
		break;
	case OPT_CAPTURE:
		o->capture = true;
		break;
	case OPT_KEEP:
		o->keep = arg;
		break;
	case OPT_HELP:
		options_help(stdout);
		exit(EXIT_PASSED);
	default:
		return parse_target(&said->target, c, arg);
	}
	return status;
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
	struct said said = {.turnpike = NULL};
	int c, status = EXIT_PASSED;

	*o = (struct options){.artifacts_fd = -1};
	while (status == EXIT_PASSED && (c = getopt_long(argc, argv, "", longs, NULL)) != -1)
		status = parse_word(o, &said, c, optarg);
	if (status == EXIT_PASSED && optind < argc)
		status = options_error("unexpected argument %s", argv[optind]);
	if (status == EXIT_PASSED && o->capture && !o->html && !o->keep)
		status =
		    options_error("--capture has nowhere to go: add --html FILE or --keep DIR");
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
	if (o->artifacts_fd >= 0)
		close(o->artifacts_fd);
	if (o->artifacts_vanish)
		nftw(o->artifacts, remove_entry, 8, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
}
